"""Text files of boxes, times and labels to arrays; every fault is named with file and line."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import DataError, InputError, ResultError

RUN_AGAIN = "Run the tracker again on this sequence."
RESTORE = "Restore it from the benchmark's download."
_REMEDY: dict[type[InputError], str] = {ResultError: RUN_AGAIN, DataError: RESTORE}


@dataclass(frozen=True, slots=True, eq=False)
class BoxTruth:
    """Ground truth of one sequence.

    boxes:   (N, 4) x, y, w, h in pixels; NaN where the target is not annotated
    visible: (N,) bool, false where the benchmark leaves the frame out; None = all count
    size_px: (width, height) of the image, None where unknown
    """

    boxes: Boxes
    source: Path
    visible: NDArray[np.bool_] | None = None
    size_px: tuple[int, int] | None = None


def read_text(path: Path, error: type[InputError]) -> list[str]:
    """The lines of a text file without the blank ones at its end; `error` when there are none."""
    try:
        lines = path.read_text(encoding="utf-8-sig", errors="replace").rstrip().splitlines()
    except OSError as failure:
        raise error(f"{path} could not be read: {failure.strerror}. {_REMEDY[error]}") from failure
    if not lines:
        raise error(f"{path} is empty. {_REMEDY[error]}")
    return lines


def read_boxes(path: Path, error: type[InputError] = ResultError) -> Boxes:
    """Boxes (N, 4) x, y, w, h of a text file; separators are comma, tab or blank, NaN is allowed."""
    rows = [line.replace(",", " ").split() for line in read_text(path, error)]
    for line, row in enumerate(rows, 1):
        if len(row) != 4:
            raise error(
                f"{path}, line {line}: found {len(row)} values, expected 4 (x, y, w, h). {_REMEDY[error]}"
            )
    try:
        boxes = np.array(rows, dtype=np.float64)
    except ValueError:
        boxes = np.array([[number(word) for word in row] for row in rows])
    infinite = np.flatnonzero(np.isinf(boxes).any(axis=1))
    if infinite.size:
        line = int(infinite[0]) + 1
        raise error(
            f"{path}, line {line}: found {' '.join(rows[line - 1])!r}, expected 4 finite numbers."
            f" {_REMEDY[error]}"
        )
    return boxes


def read_times(path: Path, frames: int, runs: int = 1) -> NDArray[np.float64]:
    """Seconds a frame (frames * runs,), in any order of runs; NaN where the file has a blank or NaN."""
    words = " ".join(read_text(path, ResultError)).replace(",", " ").split()
    times = np.array([number(word) for word in words])
    if np.isinf(times).any() or len(times) != frames * runs:
        raise ResultError(
            f"{path} has {len(times)} usable times, expected {frames} frames x {runs} runs."
            " Delete it; speed is then reported as missing."
        )
    return times


def check_rows(path: Path, found: int, truth: Path, expected: int) -> None:
    """ResultError unless a result has as many rows as its ground truth."""
    if found != expected:
        raise ResultError(f"{path} has {found} rows, ground truth {truth.name} has {expected}. {RUN_AGAIN}")


def number(word: str) -> float:
    """The number, or infinity (refused by every caller) for a word that is none."""
    try:
        return float(word)
    except ValueError:
        return np.inf
