"""Are all results of a VOT workspace there? `vot evaluate` returns 0 even if a tracker died.

The toolkit stops a repeated experiment early once three repetitions are equal; a result that it
left out for that reason is not missing.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roam_tracker.core.geometry import overlap
from roam_tracker.datasets.frames import folders_in
from roam_tracker.datasets.text import read_lines, read_rows
from roam_tracker.errors import ConfigError, ResultError
from roam_tracker.files import nearest
from roam_tracker.report.read.vot import UNKNOWN, Region, read_trajectory
from roam_tracker.toolkits.vot.sequences import check_place, check_sequence, find_sequences
from roam_tracker.toolkits.vot.workspace import load_yaml, read_experiments

Run = tuple[list[int], list[Region]]
_EQUAL = 0.99999  # overlap in every frame from which the toolkit calls two repetitions equal
_ENOUGH = 3  # equal repetitions


def check_workspace(
    directory: str | os.PathLike[str], trackers: Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """Names of the trackers that were checked, and a sentence for each missing or short result.

    trackers: names; None = every tracker with a folder in results/
    """
    directory = Path(directory)
    if not (directory / "config.yaml").is_file():
        raise ConfigError(
            f"{directory} has no config.yaml. Make a workspace: roam workspace init {directory}"
        )
    config = load_yaml((directory / "config.yaml").read_text(), directory / "config.yaml")
    sequences = find_sequences(directory / str(config.get("sequences", "sequences")))
    for sequence in sequences:
        check_place(sequence.absolute())
        check_sequence(sequence)
    experiments = read_experiments(directory, config)
    results = directory / "results"
    found = [path.name for path in folders_in(results)]
    if not found:
        raise ResultError(f"{results} has no results yet. Run: vot evaluate ROAM --workspace {directory}")
    chosen = []
    for name in trackers or found:
        # a tracker with a version in its registry has folders <tracker>@<version>
        named = [folder for folder in found if folder == name or folder.startswith(f"{name}@")]
        if not named:
            raise ResultError(f"{results} has no results of {name!r}: {nearest(name, found)}")
        chosen += [folder for folder in named if folder not in chosen]
    problems = []
    for tracker in chosen:
        for experiment, settings in experiments.items():
            find = _multistart_faults if settings["type"] == "multistart" else _faults
            for sequence in sequences:
                folder = results / tracker / experiment / sequence.name
                faults = find(folder, sequence, len(read_lines(sequence / "groundtruth.txt")), settings)
                problems += [f"{tracker}, {experiment}, {sequence.name}: {fault}" for fault in faults]
    return chosen, problems


def stale_cache(directory: str | os.PathLike[str]) -> str | None:
    """A sentence if `vot analysis` would show numbers of results that are no longer there."""
    cache, results = Path(directory, "cache", "analysis"), Path(directory, "results")
    cached = [path.stat().st_mtime for path in cache.rglob("*") if path.is_file()]
    newest = max((path.stat().st_mtime for path in results.rglob("*.*") if path.is_file()), default=0.0)
    if not cached or min(cached) >= newest:
        return None
    return (
        f"{cache} is older than some results, and `vot analysis` does not notice. Delete {cache.parent}, "
        "or set VOT_PERSISTENT_CACHE=0."
    )


def _faults(folder: Path, sequence: Path, length: int, settings: dict[str, Any]) -> list[str]:
    """What is wrong with the repetitions of one sequence."""
    repetitions = int(settings.get("repetitions", 1))
    runs: list[Run] = []
    for repetition in range(1, repetitions + 1):
        path = _find(folder, f"{sequence.name}_{repetition:03d}")
        if path is None:
            stopped = settings.get("early_stop", True) and len(runs) >= _ENOUGH
            if stopped and all(_equal(runs[0], run) for run in runs):
                return []
            return [f"repetition {repetition} of {repetitions} is missing"]
        run, fault = _look(path, length, settings["type"] == "supervised")
        if run is None:
            return [f"repetition {repetition} {fault}"]
        runs.append(run)
    return []


def _multistart_faults(folder: Path, sequence: Path, length: int, settings: dict[str, Any]) -> list[str]:
    """What is wrong with the runs from the anchors of one sequence."""
    anchors = sequence / f"{settings.get('anchor', 'anchor')}.value"
    if not anchors.is_file():
        return [f"{anchors} does not exist, so no run can start. Make the workspace again with --anchors 50"]
    faults = []
    for frame, row in enumerate(read_rows(anchors)):
        if not any(row):
            continue
        rows = length - frame if row[0] > 0 else frame + 1
        path = _find(folder, f"{sequence.name}_{frame:08d}")
        fault = "is missing" if path is None else _look(path, rows, False)[1]
        if fault:
            faults.append(f"the run from frame {frame} {fault}")
    return faults


def _find(folder: Path, stem: str) -> Path | None:
    return next((path for suffix in (".txt", ".bin") if (path := folder / f"{stem}{suffix}").is_file()), None)


def _look(path: Path, length: int, restarts: bool) -> tuple[Run | None, str]:
    """A trajectory and "", or None and what is wrong with its file."""
    try:
        run = read_trajectory(path)
    except ResultError as error:
        return None, f"is damaged: {error}"
    if len(run[0]) != length:
        return None, f"has {len(run[0])} rows, ground truth has {length}"
    for number, (code, region) in enumerate(zip(*run, strict=True), start=1):
        if code == UNKNOWN and not restarts:
            return (
                None,
                f"has no region in row {number} ({path}), which the toolkit leaves out of the accuracy",
            )
        if region is not None and region.shape == (4,) and not (region[2:] > 0).all():
            return None, f"has a box without area in row {number} ({path})"
    times = path.with_name(f"{path.stem}_time.value")
    if not times.is_file() or len(times.read_text().splitlines()) != length:
        return None, f"has no times, or those of another run ({times})"
    return run, ""


def _equal(first: Run, second: Run) -> bool:
    """Whether two repetitions agree in every frame as the toolkit understands it."""
    for a, b in zip(first[1], second[1], strict=True):
        if a is None or b is None:
            if a is not b:
                return False
        elif a.shape == (4,) and b.shape == (4,):
            if overlap(a.astype(np.float64), b.astype(np.float64)) < _EQUAL:
                return False
        elif not np.array_equal(a, b):
            return False
    return True
