"""Ground truth, read with care: what is wrong is named by file and line before anything runs.

The toolkits read the same files later; this room only makes sure that they can.
"""

import math
import os
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import BoxError, DataError

Boxes = NDArray[np.float64]


def read_boxes(path: str | os.PathLike[str], *, polygons: bool = False) -> Boxes:
    """The rectangles of an annotation file, (N, 4) x, y, w, h in px; NaN where the target is unknown.

    Values are separated by commas, tabs, semicolons or blanks. polygons: rows may also be corners
    x1, y1, x2, y2, x3, y3, ...; the box around them counts. Raises DataError for a line that is none of
    these, BoxError for a first box without area.
    """
    rows: list[list[float]] = []
    for number, line in numbered_lines(path):
        values = numbers(path, number, line)
        if polygons and len(values) >= 6 and len(values) % 2 == 0:
            xs, ys = values[0::2], values[1::2]
            values = [min(xs), min(ys), max(xs) - min(xs), max(ys) - min(ys)]
        if len(values) != 4:
            others = " and a polygon 6, 8, ..." if polygons else ""
            raise DataError(
                f"{path}, line {number}: {len(values)} values {line.strip()!r} where a box has 4{others}. "
                "Correct the line or leave the sequence out."
            )
        rows.append(values)
    check_first(path, rows[0])
    return np.array(rows, dtype=np.float64)


def numbered_lines(path: str | os.PathLike[str]) -> list[tuple[int, str]]:
    """The lines of a text file with their numbers from 1; blank lines at the end do not count."""
    try:
        lines = Path(path).read_text(encoding="utf-8").rstrip().splitlines()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}. Restore the annotation file.") from error
    except UnicodeDecodeError:
        raise DataError(f"{path} is not a text file. Restore the annotation file.") from None
    if not lines:
        raise DataError(f"{path} is empty. Restore the annotation file or leave the sequence out.")
    return list(enumerate(lines, start=1))


def numbers(path: str | os.PathLike[str], number: int, line: str) -> list[float]:
    """The values of one line; raises DataError naming file and line for a word that is no number."""
    try:
        return [float(word) for word in re.split(r"[,;\s]+", line.strip(" ,;\t\r\n"))]
    except ValueError:
        raise DataError(
            f"{path}, line {number}: {line.strip()!r} is not a row of numbers. "
            "Correct the line or leave the sequence out."
        ) from None


def check_first(path: str | os.PathLike[str], box: list[float]) -> None:
    """Raise BoxError unless the first box (x, y, w, h) is finite and has an area."""
    x, y, w, h = box
    if not all(map(math.isfinite, box)) or w <= 0 or h <= 0:
        raise BoxError(
            f"{path}, line 1: the first box x={x:g} y={y:g} w={w:g} h={h:g} has no area, so no tracker can "
            "start on it. Begin the sequence on a frame where the target is visible."
        )


def check_count(
    path: str | os.PathLike[str], boxes: int, images: int, folder: str | os.PathLike[str]
) -> None:
    """Raise DataError unless there is one box for every image."""
    if boxes != images:
        raise DataError(
            f"{path} has {boxes} boxes, but {folder} has {images} .jpg images. "
            "Unpack the sequence again; every image needs its line."
        )
