"""Reads raw results of every layout and the ground truth they are scored against."""

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Generic

import numpy as np

from roam_tracker.datasets.truth import Truth
from roam_tracker.errors import ConfigError, DataError, InputError, ResultError
from roam_tracker.files import nearest
from roam_tracker.report.benchmarks import Benchmark, find_benchmark
from roam_tracker.report.read import vot as vot_files
from roam_tracker.report.read.archives import Archives, is_archive
from roam_tracker.report.read.find import Found, Search, search
from roam_tracker.report.read.first_rows import check_first_rows
from roam_tracker.report.read.origins import made_by
from roam_tracker.report.read.results import (
    RUN_AGAIN,
    Lengths,
    Reading,
    check_rows,
    fitted,
    read_result,
    read_times,
)
from roam_tracker.report.read.truths import read_truths, truth_notes
from roam_tracker.report.read.vot import VotTruth
from roam_tracker.report.runs import (
    ONE_PASS,
    BoxRun,
    Loaded,
    LoadedBoxes,
    LoadedVot,
    Problem,
    RunT,
    TruthT,
    VotRun,
    by_text,
    grouped,
)


def load(
    benchmark: str,
    results: str | Path,
    annotations: str | Path,
    trackers: Iterable[str] | None = None,
    *,
    zero_based: Iterable[str] = (),
    any_start: Iterable[str] = (),
    lengths: Lengths = "whole",
) -> LoadedBoxes | LoadedVot:
    """Read one benchmark's raw results and ground truth.

    results:     a folder of result folders, the benchmark's own result folder, or a VOT workspace
    annotations: the data set's folder, a folder of `<sequence>.txt`, or for VOT a JSON file
    trackers:    names of trackers to read; None = all
    zero_based:  trackers that count pixels from 0: their x and y are raised by 1
    any_start:   trackers that are scored though their results do not begin with the given box
    lengths:     "whole" leaves out a result of another length than its truth; "benchmark" treats it as the
                 benchmark's own tool does, which the evaluation's notes then say
    Folders may be archives. What cannot be scored becomes a Problem; raises ResultError or DataError when
    nothing can be scored.
    """
    known, root, truth_root = find_benchmark(benchmark), Path(results), Path(annotations)
    reading = Reading(zero_based=frozenset(zero_based), any_start=frozenset(any_start), lengths=lengths)
    if not truth_root.exists():
        raise DataError(f"Ground truth {truth_root} does not exist. Give the data set's folder.")
    if not root.exists():
        raise ResultError(f"Results folder {root} does not exist. Give the folder the toolkit wrote.")
    if not root.is_dir() and not is_archive(root):
        raise ResultError(f"{root} is a file, expected a folder of results, a zip or a tar file.")
    with Archives() as archives:
        try:
            root, truth_root = archives.folder(root, ResultError), archives.folder(truth_root, DataError)
            if known.family == "vot":
                vot = _vot_truths(known, root, truth_root, reading)
                _Loader(vot, _read_vot, reading, archives).load(trackers)
                return vot
            boxes = _box_truths(known, root, truth_root)
            loader = _Loader(boxes, _read_boxes, reading, archives)
            loader.load(trackers)
            boxes.runs = loader.without_odd_starts(boxes)
            boxes.notes += truth_notes(known, boxes.truths)
            return boxes
        except InputError as error:
            raise type(error)(archives.named(str(error))) from error


def _vot_truths(known: Benchmark, root: Path, truth_root: Path, reading: Reading) -> LoadedVot:
    if reading.zero_based:
        raise ConfigError(f"{known.name} has no pixels to count: give zero-based trackers of box benchmarks.")
    loaded = LoadedVot(known, root, truth_root, vot_files.read_vot_truth(truth_root))
    for workspace in (root, root.parent):
        if (workspace / "config.yaml").is_file():
            loaded.experiments = vot_files.read_stack(workspace)
            break
    return loaded


def _box_truths(known: Benchmark, root: Path, truth_root: Path) -> LoadedBoxes:
    if not truth_root.is_dir():
        raise DataError(
            f"Ground truth {truth_root} is a file, expected a folder. Give the data set's folder."
        )
    truths = read_truths(known, truth_root)
    inside = [path for path in truth_root.iterdir() if path.is_dir()]
    if not truths and len(inside) == 1:
        truths = read_truths(known, inside[0])
    return LoadedBoxes(known, root, truth_root, truths)


Read = Callable[[list[Found], TruthT, "_Loader[TruthT, RunT]"], list[RunT]]


class _Loader(Generic[TruthT, RunT]):
    """Pairs result files with the truth of their sequences; what does not pair becomes a problem.

    read: the files of one tracker, experiment and sequence, and their truth, to runs
    """

    def __init__(
        self,
        loaded: Loaded[TruthT, RunT],
        read: "Read[TruthT, RunT]",
        reading: Reading,
        archives: Archives,
    ) -> None:
        self.loaded: Loaded[TruthT, RunT] = loaded
        self.read: Read[TruthT, RunT] = read
        self.reading, self.archives = reading, archives
        self.remarks: list[tuple[str, str]] = []  # tracker, text

    def load(self, trackers: Iterable[str] | None) -> None:
        """Fill `loaded`."""
        loaded = self.loaded
        self._keep_listed()
        results = search(loaded.benchmark, loaded.results, loaded.truths, loaded.annotations, self.archives)
        found = self._chosen(results, trackers)
        expected: dict[str, set[str]] = {experiment: set() for experiment in loaded.experiments}
        for one in found:
            expected.setdefault(one.experiment, set()).add(one.sequence)
        for tracker, group in groupby(found, attrgetter("tracker")):
            files = list(group)
            have = grouped(files, attrgetter("experiment"))
            absent = [experiment for experiment in sorted(expected) if experiment not in have]
            if absent:
                self._problem(
                    tracker, "", f"{tracker} has no results of {_experiments(absent)}. Run it there."
                )
            for experiment, own in have.items():
                self._experiment(
                    tracker, experiment, grouped(own, attrgetter("sequence")), expected[experiment]
                )
            self._origin(tracker, files, results.root)
        loaded.not_run = sorted(loaded.truths.keys() - {one.sequence for one in found})
        loaded.notes += [text for _, text in by_text(self.remarks + results.aside)] + results.notes
        loaded.results = Path(self.archives.named(str(results.root)))
        loaded.annotations = Path(self.archives.named(str(loaded.annotations)))

    def _keep_listed(self) -> None:
        """Keep only the benchmark's published sequences if there are any; otherwise keep all."""
        loaded, listed = self.loaded, self.loaded.benchmark.sequences
        if not loaded.truths:
            raise DataError(
                f"{loaded.annotations} has no truth of {loaded.benchmark.name}. Give the data set's folder."
            )
        loaded.total = loaded.benchmark.count or len(loaded.truths)
        if listed & loaded.truths.keys():
            loaded.truths = {name: truth for name, truth in loaded.truths.items() if name in listed}
            loaded.total = len(listed)

    def _chosen(self, results: Search, trackers: Iterable[str] | None) -> list[Found]:
        """The files of the trackers asked for; what is left over of them is named."""
        known = {one.tracker for one in results.found}
        names: list[str] = list(dict.fromkeys(trackers or ()))
        left = [
            entry for entry in results.left if not names or entry[0] in {n.partition("/")[0] for n in names}
        ]
        told = by_text(left) if left else []
        if not known:
            self._refuse(results, [text for _, text in told])
        for name in (*names, *self.reading.zero_based, *self.reading.any_start):
            if name not in known:
                own = " ".join(text for label, text in told if label == name)
                raise ConfigError(f"There are no results of tracker {name!r}; {own or nearest(name, known)}")
        for label, text in told:
            self._problem(label, "", text)
        for tracker in sorted(self.reading.zero_based):
            self.remarks.append((tracker, "its boxes count pixels from 0, so that 1 is added to x and y."))
        return [one for one in results.found if not names or one.tracker in names]

    def _refuse(self, results: Search, told: list[str]) -> None:
        loaded = self.loaded
        if results.unknown:
            raise DataError(
                f"{loaded.annotations} has no ground truth for {min(results.unknown)!r} nor any other"
                f" sequence with results in {loaded.results}. Give the data set's folder."
            )
        layout = {
            "got10k": "<tracker>/<sequence>/<sequence>_001.txt",
            "vot": "<tracker>/<experiment>/<sequence>/<sequence>_001.bin or .txt",
        }.get(loaded.benchmark.family, "<tracker>/<sequence>.txt")
        raise ResultError(
            f"{loaded.results} has no results of {loaded.benchmark.name}, expected {layout}."
            f" {' '.join(told[:3]) or 'Run a tracker first or give another folder.'}"
        )

    def _experiment(
        self, tracker: str, experiment: str, by_name: dict[str, list[Found]], expected: set[str]
    ) -> None:
        """Read one tracker's results of one experiment; a sequence that only others have is missing."""
        runs: dict[str, list[RunT]] = {}
        for name in sorted(expected):
            label = name if experiment == ONE_PASS else f"{experiment}/{name}"
            if name not in by_name:
                message = f"{tracker} has no result of {label}, other trackers have. Run it on this sequence."
                self._problem(tracker, label, message, missing=True)
                continue
            try:
                files = _one_each(by_name[name])
                runs[name] = self.read(files, self.loaded.truths[name], self)
                self.loaded.runs += runs[name]
            except ResultError as error:
                path, text = str(by_name[name][0].path), str(error)
                fault = text[len(path) :] if text.startswith(path) else ""
                self._problem(tracker, label, text, fault=re.sub(r"^, line \d+|'[^']*'", "", fault))
        most = max((run.repetition for own in runs.values() for run in own), default=1)
        for name, own in runs.items():
            equal = len(own) >= 3 and len({file.path.read_bytes() for file in by_name[name]}) == 1
            if len(own) < most and not equal:  # the toolkits stop after three equal repetitions
                label = name if experiment == ONE_PASS else f"{experiment}/{name}"
                message = (
                    f"{tracker} has {len(own)} of {most} repetitions of {label}, which count alone."
                    " Run the others, or delete those beyond."
                )
                self._problem(tracker, label, message)

    def _origin(self, tracker: str, files: Sequence[Found], root: Path) -> None:
        """What made the results, by the manifest in the tracker's folder."""
        for folder in files[0].path.parents:
            if folder == root or (folder / "manifest.json").is_file():
                origin, fault = made_by(folder, {one.sequence for one in files})
                if origin:
                    self.loaded.origins[tracker] = origin
                if fault:
                    self._problem(tracker, "manifest.json", fault)
                return

    def without_odd_starts(self, boxes: LoadedBoxes) -> list[BoxRun]:
        """The runs that begin with the given box; the others are named."""
        kept: list[BoxRun] = []
        refusals, remarks = [], []
        for tracker, group in groupby(boxes.runs, attrgetter("tracker")):
            runs = list(group)
            said = check_first_rows(runs, boxes.truths)
            if tracker in self.reading.any_start:
                kept += runs
                continue
            kept += [run for run in runs if run not in said.refused]
            refusals += [(tracker, said.refusal)] if said.refusal else []
            remarks += [(tracker, said.note)] if said.note else []
        for tracker, text in by_text(refusals) if refusals else ():
            self._problem(tracker, "", text)
        boxes.notes += [text for _, text in by_text(remarks)] if remarks else []
        return kept

    def fault(self, file: Found, message: str) -> None:
        """Name what is wrong beside a result that is scored."""
        label = file.sequence if file.experiment == ONE_PASS else f"{file.experiment}/{file.sequence}"
        self._problem(file.tracker, label, message)

    def _problem(
        self, tracker: str, label: str, message: str, *, missing: bool = False, fault: str = ""
    ) -> None:
        self.loaded.problems.append(Problem(tracker, label, self.archives.named(message), missing, fault))


def _one_each(files: list[Found]) -> list[Found]:
    """One file per repetition; ResultError where several are of the same."""
    suffixes = {file.path.with_suffix(""): file for file in files if file.experiment != ONE_PASS}
    kept = [*suffixes.values()] or files  # of a trajectory in .bin and .txt the text counts
    if len({file.repetition for file in kept}) < len(kept) or len({file.path.parent for file in kept}) > 1:
        twice = [str(file.shown) for file in kept if file.repetition == kept[0].repetition]
        raise ResultError(
            f"{kept[0].tracker} has {len(twice)} results of {kept[0].sequence}: {' and '.join(twice)}."
            " Keep one of them."
        )
    return kept


def _experiments(names: Sequence[str]) -> str:
    return f"the experiment{'s' * (len(names) > 1)} {', '.join(names)}"


def _read_boxes(files: list[Found], truth: Truth, loader: _Loader[Truth, BoxRun]) -> list[BoxRun]:
    family, reading, first = loader.loaded.benchmark.family, loader.reading, files[0]
    shift = np.array([1, 1, 0, 0]) * (first.tracker in reading.zero_based)
    if family != "got10k" and len(files) > 1:
        names = " and ".join(str(file.shown) for file in files)
        raise ResultError(
            f"{first.tracker} has {len(files)} results of {first.sequence}: {names}. Keep one of them."
        )
    runs = []
    for file in files:
        boxes, rate = read_result(file.path, truth.boxes[0])
        rows = len(boxes)
        boxes, counted, remark = fitted(boxes, file.path, file.sequence, truth, family, reading.lengths)
        runs.append(
            BoxRun(
                tracker=file.tracker,
                sequence=file.sequence,
                repetition=file.repetition,
                source=file.shown,
                times_s=None if rate is None else np.full(rows, 1 / rate),
                boxes=boxes + shift,
                counted=counted,
            )
        )
        if remark:
            loader.remarks.append((file.tracker, remark))
    for place in (
        first.path.parent / "times" / f"{first.path.stem}_time.txt",
        first.path.with_name(f"{first.path.parent.name}_time.txt"),
        first.path.with_name(f"{first.path.stem}_time.txt"),
        first.path.with_name(f"{re.sub('_[0-9]+$', '', first.path.stem)}_time.txt"),
    ):
        if place.is_file():
            try:
                runs[0] = replace(runs[0], times_s=read_times(place, rows, len(files)))
            except ResultError as error:
                loader.fault(first, str(error))
            break
    return runs


def _read_vot(files: list[Found], truth: VotTruth, loader: _Loader[VotTruth, VotRun]) -> list[VotRun]:
    runs = []
    for file in files:
        path = file.path
        if re.search(r"_\d{8}$", path.stem):
            raise ResultError(
                f"{path} is a run from an anchor, which the VOT toolkit alone scores. Use `vot analysis`."
            )
        codes, regions = vot_files.read_trajectory(path)
        check_rows(path, len(codes), truth.source, len(truth.regions))
        if codes.count(vot_files.FAILED) > codes.count(vot_files.INITIALISED):
            raise ResultError(f"{path} has more failures than starts. {RUN_AGAIN}")
        times, place = None, path.with_name(f"{path.stem}_time.value")
        if place.is_file():
            try:
                times = vot_files.read_value_times(place, len(codes))
            except ResultError as error:
                loader.fault(file, str(error))
        runs.append(
            VotRun(
                tracker=file.tracker,
                experiment=file.experiment,
                sequence=file.sequence,
                repetition=file.repetition,
                source=file.shown,
                times_s=times,
                codes=np.array(codes),
                regions=regions,
            )
        )
    return runs
