"""Text files of boxes, times and labels to arrays; every fault is named with file and line."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.datasets import text
from roam_tracker.datasets.text import RESTORE
from roam_tracker.errors import DataError, InputError, ResultError

__all__ = [
    "RESTORE",
    "RUN_AGAIN",
    "check_rows",
    "read_boxes",
    "read_text",
    "read_times",
]

RUN_AGAIN = "Run the tracker again on this sequence."
_REMEDY: dict[type[InputError], str] = {ResultError: RUN_AGAIN, DataError: RESTORE}


def read_text(path: Path, error: type[InputError]) -> list[str]:
    """The lines of a text file without the blank ones at its end; `error` when there are none."""
    return text.read_lines(path, error, _REMEDY[error])


def read_boxes(path: Path, error: type[InputError] = ResultError) -> Boxes:
    """Boxes (N, 4) x, y, w, h of a text file; separators are comma, tab or blank, NaN is allowed."""
    return text.read_boxes(path, error, _REMEDY[error])


def read_times(path: Path, frames: int, runs: int = 1) -> NDArray[np.float64]:
    """Seconds a frame (frames * runs,), in any order of runs; NaN where the file has a blank or NaN."""
    remedy = "Delete it; speed is then reported as missing."
    times = np.array([time for row in text.read_rows(path, ResultError, remedy) for time in row])
    if len(times) != frames * runs:
        raise ResultError(
            f"{path} has {len(times)} usable times, expected {frames} frames x {runs} runs. {remedy}"
        )
    return times


def check_rows(path: Path, found: int, truth: Path, expected: int) -> None:
    """ResultError unless a result has as many rows as its ground truth."""
    if found != expected:
        raise ResultError(f"{path} has {found} rows, ground truth {truth.name} has {expected}. {RUN_AGAIN}")
