"""Reads raw results of every layout and the ground truth they are scored against."""

import re
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np

from roam_tracker.errors import ConfigError, DataError, InputError, ResultError
from roam_tracker.report import vot_files
from roam_tracker.report.archives import Archives, is_archive
from roam_tracker.report.benchmarks import Benchmark, find_benchmark
from roam_tracker.report.collect import Notes, collect
from roam_tracker.report.layouts import ONE_PASS
from roam_tracker.report.loaded import LoadedBoxes, LoadedVot, Problem, describe
from roam_tracker.report.one_pass import Lengths, Reading, fitted, read_result
from roam_tracker.report.readers import RUN_AGAIN, BoxRun, BoxTruth, check_rows, read_times
from roam_tracker.report.truths import read_truths, truth_notes
from roam_tracker.report.vot_files import Experiment, VotRun, VotTruth

__all__ = ["ONE_PASS", "LoadedBoxes", "LoadedVot", "Problem", "describe", "load"]


def load(
    benchmark: str,
    results: str | Path,
    annotations: str | Path,
    trackers: Iterable[str] | None = None,
    *,
    zero_based: Iterable[str] = (),
    lengths: Lengths = "whole",
) -> LoadedBoxes | LoadedVot:
    """Read one benchmark's raw results and ground truth.

    results:     a folder of result folders, the benchmark's own result folder, or a VOT workspace
    annotations: the data set's folder, a folder of `<sequence>.txt`, or for VOT a JSON file
    trackers:    folder names to read; None = all
    zero_based:  trackers that count pixels from 0: their x and y are raised by 1
    lengths:     "whole" leaves out a result of another length than its truth; "benchmark" treats it as the
                 benchmark's own tool does, which the evaluation's notes then say
    Folders may be zip files. A damaged or missing file becomes a Problem; ResultError or DataError when
    nothing can be scored.
    """
    known, root, truth_root = find_benchmark(benchmark), Path(results), Path(annotations)
    reading = Reading(zero_based=frozenset(zero_based), lengths=lengths)
    if not truth_root.exists():
        raise DataError(f"Ground truth {truth_root} does not exist. Give the data set's folder.")
    if not root.is_dir() and not is_archive(root):
        raise ResultError(f"Results folder {root} does not exist. Give the folder the toolkit wrote.")
    with Archives() as archives:
        try:
            inside = archives.folder(root, ResultError), archives.folder(truth_root, DataError)
            if known.family == "vot":
                return _load_vot(known, *inside, trackers, reading, archives)
            return _load_boxes(known, *inside, trackers, reading, archives)
        except InputError as error:
            raise type(error)(archives.named(str(error))) from error


def _load_vot(
    known: Benchmark,
    root: Path,
    truth_root: Path,
    trackers: Iterable[str] | None,
    reading: Reading,
    archives: Archives,
) -> LoadedVot:
    if reading.zero_based:
        raise ConfigError(f"{known.name} has no pixels to count: give zero-based trackers of box benchmarks.")
    vot = LoadedVot(known, root, truth_root, vot_files.read_vot_truth(truth_root))
    vot.experiments = _experiments(root)
    collect(vot, _read_vot, trackers, reading, archives)
    return vot


def _load_boxes(
    known: Benchmark,
    root: Path,
    truth_root: Path,
    trackers: Iterable[str] | None,
    reading: Reading,
    archives: Archives,
) -> LoadedBoxes:
    if not truth_root.is_dir():
        raise DataError(
            f"Ground truth {truth_root} is a file, expected a folder. Give the data set's folder."
        )
    boxes = LoadedBoxes(known, root, truth_root, read_truths(known, truth_root))
    collect(boxes, _read_boxes, trackers, reading, archives)
    boxes.notes += truth_notes(known, boxes.truths)
    return boxes


def _read_boxes(paths: list[Path], truth: BoxTruth, notes: Notes) -> list[BoxRun]:
    family, reading = notes.loaded.benchmark.family, notes.reading
    shift = np.array([1, 1, 0, 0]) * (notes.tracker in reading.zero_based)
    runs = []
    for path in paths:
        boxes, rate = read_result(path)
        rows = len(boxes)
        boxes, counted, remark = fitted(boxes, path, notes.name, truth, family, reading.lengths)
        times = None if rate is None else np.full(rows, 1 / rate)
        runs.append(BoxRun(boxes + shift, path, times, counted))
        if remark:
            notes.loaded.notes.append(f"{notes.tracker}: {remark}")
    first = paths[0]
    for place in (
        first.parent / "times" / f"{first.stem}_time.txt",
        first.with_name(f"{first.parent.name}_time.txt"),
    ):
        if place.is_file():
            try:
                runs[0] = replace(runs[0], times_s=read_times(place, rows, len(paths)))
            except ResultError as error:
                notes.add(str(error))
    return runs


def _read_vot(paths: list[Path], truth: VotTruth, notes: Notes) -> list[VotRun]:
    runs = []
    for path in paths:
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
                notes.add(str(error))
        runs.append(VotRun(np.array(codes), regions, path, times))
    return runs


def _experiments(root: Path) -> dict[str, Experiment]:
    for workspace in (root, root.parent):
        if (workspace / "config.yaml").is_file():
            return vot_files.read_stack(workspace)
    return {}
