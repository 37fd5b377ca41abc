"""Finds the raw results of both toolkits' layouts and pairs them with the ground truth."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np

from roam_tracker.errors import ConfigError, DataError, ResultError
from roam_tracker.files import nearest
from roam_tracker.report import readers, vot_files
from roam_tracker.report.benchmarks import Benchmark, find_benchmark, otb_name
from roam_tracker.report.readers import BoxRun, BoxTruth
from roam_tracker.report.truths import read_truths
from roam_tracker.report.vot_files import Experiment, VotRun, VotTruth

ONE_PASS = "one pass"  # the only experiment of the box benchmarks
Truth = TypeVar("Truth", BoxTruth, VotTruth)
Run = TypeVar("Run", BoxRun, VotRun)
Files = dict[str, dict[str, list[Path]]]  # experiment -> sequence -> a file for each repetition


@dataclass(frozen=True, slots=True)
class Problem:
    """A sequence that is left out for a tracker, and why; `missing` when there is no file at all."""

    tracker: str
    sequence: str
    message: str
    missing: bool = False


@dataclass
class Loaded(Generic[Truth, Run]):
    """Ground truth by sequence, runs by tracker, experiment and sequence, and what was left out."""

    benchmark: Benchmark
    results: Path
    annotations: Path
    truths: dict[str, Truth]
    runs: dict[str, dict[str, dict[str, list[Run]]]] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    total: int = 0


class LoadedBoxes(Loaded[BoxTruth, BoxRun]):
    """Loaded results of a box benchmark: all but VOT."""


class LoadedVot(Loaded[VotTruth, VotRun]):
    """Loaded results of a VOT workspace."""


def load(
    benchmark: str, results: str | Path, annotations: str | Path, trackers: Iterable[str] | None = None
) -> LoadedBoxes | LoadedVot:
    """Read one benchmark's raw results and ground truth.

    results:     a folder of result folders, the benchmark's own result folder, or a VOT workspace
    annotations: the data set's folder, a folder of `<sequence>.txt`, or for VOT a JSON file
    trackers:    folder names to read; None = all
    A damaged or missing file becomes a Problem; ResultError or DataError when nothing can be scored.
    """
    known, root, truth_root = find_benchmark(benchmark), Path(results), Path(annotations)
    if not truth_root.exists():
        raise DataError(f"Ground truth {truth_root} does not exist. Give the data set's folder.")
    if not root.is_dir():
        raise ResultError(f"Results folder {root} does not exist. Give the folder the toolkit wrote.")
    if known.family == "vot":
        vot = LoadedVot(known, root, truth_root, vot_files.read_vot_truth(truth_root))
        vot.experiments = _experiments(root)
        _collect(vot, _vot_files, _read_vot, trackers)
        return vot
    if not truth_root.is_dir():
        raise DataError(
            f"Ground truth {truth_root} is a file, expected a folder. Give the data set's folder."
        )
    boxes = LoadedBoxes(known, root, truth_root, read_truths(known, truth_root))
    find = {"otb": _otb_files, "got10k": _got10k_files}.get(known.layout, _plain_files)
    _collect(boxes, find, _read_boxes, trackers)
    return boxes


def describe(problems: Iterable[Problem]) -> list[str]:
    """A sentence for each damaged file and one for each tracker with missing sequences."""
    problems = list(problems)
    sentences = [problem.message for problem in problems if not problem.missing]
    for tracker in dict.fromkeys(problem.tracker for problem in problems if problem.missing):
        names = [problem.sequence for problem in problems if problem.missing and problem.tracker == tracker]
        sentences.append(
            f"{tracker} has no result of {', '.join(names)}, other trackers have. Run it on"
            f" {'this sequence' if len(names) == 1 else f'these {len(names)} sequences'}."
        )
    return sentences


def _collect(
    loaded: Loaded[Truth, Run],
    find: Callable[[Path], Files],
    read: Callable[[list[Path], Truth, "_Notes"], list[Run]],
    trackers: Iterable[str] | None,
) -> None:
    listed = loaded.benchmark.sequences
    if not loaded.truths:
        raise DataError(
            f"{loaded.annotations} has no truth of {loaded.benchmark.name}. Give the data set's folder."
        )
    if listed & loaded.truths.keys():  # a folder of the published sequences; otherwise somebody's own ones
        loaded.truths = {name: truth for name, truth in loaded.truths.items() if name in listed}
        loaded.total = len(listed)
    else:
        loaded.total = loaded.benchmark.count or len(loaded.truths)
    found = _chosen(_find_trackers(loaded, find), trackers)
    if not any(
        name in loaded.truths for files in found.values() for by_name in files.values() for name in by_name
    ):
        name = next(iter(next(iter(next(iter(found.values())).values()))))
        raise DataError(
            f"{loaded.annotations} has no ground truth for {name!r} nor any other sequence with results in"
            f" {loaded.results}. Give the data set's folder."
        )
    tried = {name for files in found.values() for by_name in files.values() for name in by_name}
    loaded.not_run = sorted(set(loaded.truths) - tried)
    for tracker, files in found.items():
        for experiment, by_name in files.items():
            expected = {
                name
                for other in found.values()
                for name in other.get(experiment, {})
                if name in loaded.truths
            }
            runs = loaded.runs.setdefault(tracker, {}).setdefault(experiment, {})
            for name in sorted(expected):
                label = name if experiment == ONE_PASS else f"{experiment}/{name}"
                notes = _Notes(tracker, label, loaded.problems)
                if name not in by_name:
                    message = (
                        f"{tracker} has no result of {label}, other trackers have. Run it on this sequence."
                    )
                    loaded.problems.append(Problem(tracker, label, message, missing=True))
                    continue
                try:
                    runs[name] = read(by_name[name], loaded.truths[name], notes)
                except ResultError as error:
                    notes.add(str(error))


@dataclass(frozen=True, slots=True)
class _Notes:
    """Where the reader of one sequence tells its problems."""

    tracker: str
    sequence: str
    problems: list[Problem]

    def add(self, message: str) -> None:
        self.problems.append(Problem(self.tracker, self.sequence, message))


def _find_trackers(loaded: Loaded[Truth, Run], find: Callable[[Path], Files]) -> dict[str, Files]:
    """Tracker -> files, from the first of the benchmark's possible folders that has any."""
    root: Path = loaded.results
    workspace = loaded.benchmark.family == "vot" and (root / "config.yaml").is_file()
    inside: Path = root / "results" if workspace else root
    for folder in [*(inside / name for name in loaded.benchmark.folders), inside]:
        if folder.is_dir():
            trackers = {path.name: find(path) for path in sorted(folder.iterdir()) if path.is_dir()}
            trackers = {name: files for name, files in trackers.items() if any(files.values())}
            if trackers:
                loaded.results = folder
                return trackers
    layout = {
        "got10k": "<tracker>/<sequence>/<sequence>_001.txt",
        "vot": "<tracker>/<experiment>/<sequence>/<sequence>_001.bin or .txt",
    }.get(loaded.benchmark.family, "<tracker>/<sequence>.txt")
    raise ResultError(
        f"{root} has no results of {loaded.benchmark.name}, expected {layout}."
        " Run a tracker first or give another folder."
    )


def _chosen(found: dict[str, Files], trackers: Iterable[str] | None) -> dict[str, Files]:
    if not trackers:
        return found
    names = list(dict.fromkeys(trackers))
    for name in names:
        if name not in found:
            raise ConfigError(f"There are no results of tracker {name!r}; {nearest(name, found)}")
    return {name: found[name] for name in names}


def _otb_files(tracker: Path) -> Files:
    return {ONE_PASS: {otb_name(path.stem): [path] for path in sorted(tracker.glob("*.txt"))}}


def _plain_files(tracker: Path) -> Files:
    return {ONE_PASS: {path.stem: [path] for path in sorted(tracker.glob("*.txt"))}}


def _got10k_files(tracker: Path) -> Files:
    return {ONE_PASS: _repetitions(tracker, ("txt",))}


def _vot_files(tracker: Path) -> Files:
    found = {
        path.name: _repetitions(path, ("bin", "txt")) for path in sorted(tracker.iterdir()) if path.is_dir()
    }
    return {experiment: files for experiment, files in found.items() if files}


def _repetitions(folder: Path, suffixes: tuple[str, ...]) -> dict[str, list[Path]]:
    """Sequence -> files `<sequence>/<sequence>_NNN.<suffix>`; of two suffixes the later counts."""
    found: dict[str, list[Path]] = {}
    for sequence in sorted(path for path in folder.iterdir() if path.is_dir()):
        pattern = re.compile(re.escape(sequence.name) + r"_(\d+)")
        by_number = {
            path.stem: path
            for suffix in suffixes
            for path in sequence.glob(f"*.{suffix}")
            if pattern.fullmatch(path.stem)
        }
        if by_number:
            found[sequence.name] = [by_number[stem] for stem in sorted(by_number)]
    return found


def _read_boxes(paths: list[Path], truth: BoxTruth, notes: _Notes) -> list[BoxRun]:
    frames, all_boxes = len(truth.boxes), [readers.read_boxes(path) for path in paths]
    for path, boxes in zip(paths, all_boxes, strict=True):
        readers.check_rows(path, len(boxes), truth.source, frames)
    first = paths[0]
    places = [
        first.parent / "times" / f"{first.stem}_time.txt",
        first.with_name(f"{first.parent.name}_time.txt"),
    ]
    times = None
    for place in (path for path in places if path.is_file()):
        try:
            times = readers.read_times(place, frames, len(paths))
        except ResultError as error:
            notes.add(str(error))
    return [
        BoxRun(boxes, path, times if path == first else None)
        for path, boxes in zip(paths, all_boxes, strict=True)
    ]


def _read_vot(paths: list[Path], truth: VotTruth, notes: _Notes) -> list[VotRun]:
    runs = []
    for path in paths:
        codes, regions = vot_files.read_trajectory(path)
        readers.check_rows(path, len(codes), truth.source, len(truth.regions))
        if codes.count(vot_files.FAILED) > codes.count(vot_files.INITIALISED):
            raise ResultError(f"{path} has more failures than starts. {readers.RUN_AGAIN}")
        times, place = None, path.with_name(f"{path.stem}_time.value")
        if place.is_file():
            try:
                times = vot_files.read_value_times(place, len(codes))
            except ResultError as error:
                notes.add(str(error))
        runs.append(VotRun(np.array(codes), regions, path, times))
    return runs


def _experiments(root: Path) -> dict[str, Experiment]:
    for workspace in (root, root.parent):
        if (workspace / "config.yaml").is_file():
            return vot_files.read_stack(workspace)
    return {}
