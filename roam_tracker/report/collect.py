"""Pairs result files with the ground truth of their sequences; what does not pair is named."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError, DataError, ResultError
from roam_tracker.files import nearest
from roam_tracker.report.archives import Archives
from roam_tracker.report.layouts import ONE_PASS, Files, find_trackers
from roam_tracker.report.loaded import Loaded, Problem, Run, Truth
from roam_tracker.report.names import Spelling
from roam_tracker.report.one_pass import Reading
from roam_tracker.report.origins import made_by
from roam_tracker.report.readers import BoxRun
from roam_tracker.report.vot_files import VotRun


def collect(
    loaded: Loaded[Truth, Run],
    read: Callable[[list[Path], Truth, "Notes"], list[Run]],
    trackers: Iterable[str] | None,
    reading: Reading,
    archives: Archives,
) -> None:
    """Find the results of `loaded.results`, pair them with `loaded.truths`, and read each with `read`."""
    _keep_listed(loaded)
    loaded.results, found = find_trackers(loaded.benchmark, loaded.results, archives)
    found = _chosen(found, trackers)
    loaded.notes += [
        f"{tracker}: its boxes count pixels from 0, so that 1 is added to x and y."
        for tracker in _chosen(found, reading.zero_based)
        if reading.zero_based
    ]
    spelling = Spelling(loaded.truths)
    named = {tracker: _by_name(files, spelling) for tracker, files in found.items()}
    tried = {name for files in named.values() for by_name in files.values() for name in by_name}
    if not tried & loaded.truths.keys():
        raise DataError(
            f"{loaded.annotations} has no ground truth for {min(tried)!r} nor any other sequence with results"
            f" in {loaded.results}. Give the data set's folder."
        )
    loaded.not_run = sorted(set(loaded.truths) - tried)
    for tracker, experiments in named.items():
        runs = loaded.runs.setdefault(tracker, {})
        for experiment, by_name in experiments.items():
            expected = {name for other in named.values() for name in other.get(experiment, {})}
            runs[experiment] = {}
            for name in sorted(expected & loaded.truths.keys()):
                label = name if experiment == ONE_PASS else f"{experiment}/{name}"
                notes = Notes(tracker, name, label, reading, loaded)
                try:
                    runs[experiment][name] = read(_only(by_name, name, tracker), loaded.truths[name], notes)
                except _Missing:
                    message = (
                        f"{tracker} has no result of {label}, other trackers have. Run it on this sequence."
                    )
                    notes.add(message, missing=True)
                except ResultError as error:
                    notes.add(str(error))
            _check_repetitions(runs[experiment], tracker, experiment, loaded)
        have = {name for by_name in experiments.values() for name in by_name}
        origin, fault = made_by(loaded.results / tracker, have)
        if origin:
            loaded.origins[tracker] = origin
        if fault:
            loaded.problems.append(Problem(tracker, "manifest.json", fault))
    _name_archives(loaded, archives)


def _keep_listed(loaded: Loaded[Truth, Run]) -> None:
    """Of a folder that has published sequences only these; otherwise all of somebody's own ones."""
    listed = loaded.benchmark.sequences
    if not loaded.truths:
        raise DataError(
            f"{loaded.annotations} has no truth of {loaded.benchmark.name}. Give the data set's folder."
        )
    loaded.total = loaded.benchmark.count or len(loaded.truths)
    if listed & loaded.truths.keys():
        loaded.truths = {name: truth for name, truth in loaded.truths.items() if name in listed}
        loaded.total = len(listed)


def _by_name(files: Files, spelling: Spelling) -> dict[str, dict[str, list[list[Path]]]]:
    """Experiment -> sequence in the truth's spelling -> every result there is of it."""
    found: dict[str, dict[str, list[list[Path]]]] = {}
    for experiment, named in files.items():
        by_name = found.setdefault(experiment, {})
        for name, paths in named:
            by_name.setdefault(spelling(name), []).append(paths)
    return found


class _Missing(Exception):
    """A tracker has no file of a sequence."""


def _only(by_name: dict[str, list[list[Path]]], name: str, tracker: str) -> list[Path]:
    """The one result of a sequence; ResultError where several files go by its name."""
    found = by_name.get(name)
    if found is None:
        raise _Missing
    if len(found) > 1:
        files = " and ".join(str(paths[0]) for paths in found)
        raise ResultError(f"{tracker} has {len(found)} results of {name}: {files}. Keep one of them.")
    return found[0]


def _check_repetitions(
    runs: dict[str, list[Run]], tracker: str, experiment: str, loaded: Loaded[Truth, Run]
) -> None:
    """A problem for each sequence that has fewer repetitions than the others, or a gap in their numbers.

    Three equal ones are enough, since the toolkits stop there.
    """
    most = max((_number(run) for repetitions in runs.values() for run in repetitions), default=1)
    for name, repetitions in runs.items():
        if len(repetitions) < most and not (len(repetitions) >= 3 and _all_equal(repetitions)):
            label = name if experiment == ONE_PASS else f"{experiment}/{name}"
            message = (
                f"{tracker} has {len(repetitions)} of {most} repetitions of {label}, which count alone."
                " Run the others, or delete those beyond."
            )
            loaded.problems.append(Problem(tracker, label, message))


def _number(run: BoxRun | VotRun) -> int:
    digits = run.source.stem.rpartition("_")[2]
    return (
        int(digits)
        if digits.isdigit() and run.source.parent.name == run.source.stem.rpartition("_")[0]
        else 1
    )


def _all_equal(runs: Sequence[BoxRun | VotRun]) -> bool:
    contents = {run.source.read_bytes() for run in runs}
    return len(contents) == 1


def _name_archives(loaded: Loaded[Truth, Run], archives: Archives) -> None:
    """Paths and messages as the user knows them, where they lie in archives."""

    def named(path: Path) -> Path:
        return Path(archives.named(str(path)))

    loaded.results, loaded.annotations = named(loaded.results), named(loaded.annotations)
    loaded.truths = {
        name: replace(truth, source=named(truth.source)) for name, truth in loaded.truths.items()
    }
    loaded.problems[:] = [
        replace(problem, message=archives.named(problem.message)) for problem in loaded.problems
    ]
    for experiments in loaded.runs.values():
        for by_name in experiments.values():
            for name, runs in by_name.items():
                by_name[name] = [replace(run, source=named(run.source)) for run in runs]


@dataclass(frozen=True, slots=True)
class Notes:
    """How one sequence of a tracker is read, and where its problems and remarks go."""

    tracker: str
    name: str
    label: str
    reading: Reading
    loaded: Loaded[Any, Any]

    def add(self, message: str, *, missing: bool = False) -> None:
        """Name what is wrong with this sequence of this tracker."""
        self.loaded.problems.append(Problem(self.tracker, self.label, message, missing))


def _chosen(found: dict[str, Files], trackers: Iterable[str] | None) -> dict[str, Files]:
    if not trackers:
        return found
    names = list(dict.fromkeys(trackers))
    for name in names:
        if name not in found:
            raise ConfigError(f"There are no results of tracker {name!r}; {nearest(name, found)}")
    return {name: found[name] for name in names}
