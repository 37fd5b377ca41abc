"""Files of the box benchmarks (OTB, GOT-10k) to arrays; every fault is named with file and line."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import DataError, InputError, ResultError
from roam_tracker.report.benchmarks import OTB_RANGES, otb_name

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


@dataclass(frozen=True, slots=True, eq=False)
class BoxRun:
    """One run of a tracker on one sequence: boxes (N, 4) x, y, w, h in pixels, seconds of each frame."""

    boxes: Boxes
    source: Path
    times_s: NDArray[np.float64] | None = None


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
    for number, row in enumerate(rows, 1):
        if len(row) != 4:
            raise error(
                f"{path}, line {number}: found {len(row)} values, expected 4 (x, y, w, h). {_REMEDY[error]}"
            )
    try:
        boxes = np.array(rows, dtype=np.float64)
    except ValueError:
        boxes = np.array([[_number(word) for word in row] for row in rows])
    infinite = np.flatnonzero(np.isinf(boxes).any(axis=1))
    if infinite.size:
        number = int(infinite[0]) + 1
        raise error(
            f"{path}, line {number}: found {' '.join(rows[number - 1])!r}, expected 4 finite numbers."
            f" {_REMEDY[error]}"
        )
    return boxes


def read_times(path: Path, frames: int, runs: int = 1) -> NDArray[np.float64]:
    """Seconds a frame (frames * runs,), in any order of runs; NaN where the file has a blank or NaN."""
    words = " ".join(read_text(path, ResultError)).replace(",", " ").split()
    times = np.array([_number(word) for word in words])
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


def read_otb_truth(root: Path) -> dict[str, BoxTruth]:
    """Ground truth of an OTB folder (`<video>/groundtruth*.txt`) or of a folder of `<sequence>.txt`.

    A video with several truth files gives `<video>.1`, `<video>.2`; empty files are passed over. Rows
    outside the annotated range of a video (David, Football1, Freeman3, Freeman4, Diving) are cut.
    """
    files: dict[str, Path] = {}
    for folder in _folders(root):
        truths = [path for path in sorted(folder.glob("groundtruth*.txt")) if path.stat().st_size]
        for index, path in enumerate(truths, 1):
            files[otb_name(folder.name) if len(truths) == 1 else f"{folder.name}.{index}"] = path
    files = files or {otb_name(path.stem): path for path in sorted(root.glob("*.txt"))}
    truths_found: dict[str, BoxTruth] = {}
    for name, path in files.items():
        boxes = read_boxes(path, DataError)
        first, last = OTB_RANGES.get(name, (1, len(boxes)))
        if len(boxes) > last - first + 1:
            boxes = boxes[first - 1 : last] if len(boxes) >= last else boxes[: last - first + 1]
        truths_found[name] = BoxTruth(boxes, path)
    return truths_found


def read_got10k_truth(root: Path) -> dict[str, BoxTruth]:
    """Ground truth of a GOT-10k folder (`<sequence>/groundtruth.txt`), its `val`, or `<sequence>.txt` files.

    `cover.label` tells the visible frames, `meta_info.ini` the image's size, where they are there.
    """
    root = root / "val" if (root / "val" / "list.txt").is_file() else root
    files = {
        folder.name: folder / "groundtruth.txt"
        for folder in _folders(root)
        if (folder / "groundtruth.txt").is_file()
    }
    nested = bool(files)
    files = files or {path.stem: path for path in sorted(root.glob("*.txt")) if path.stem != "list"}
    truths: dict[str, BoxTruth] = {}
    for name, path in files.items():
        boxes = read_boxes(path, DataError)
        if len(boxes) < 2:
            raise DataError(
                f"{path} has 1 row, expected a row for each frame. The test set's truth is not public:"
                " send its results to the benchmark's server."
            )
        cover = path.with_name("cover.label")
        visible = _read_cover(cover, len(boxes)) if nested and cover.is_file() else None
        truths[name] = BoxTruth(
            boxes, path, visible, _read_resolution(path.with_name("meta_info.ini")) if nested else None
        )
    return truths


def _read_cover(path: Path, frames: int) -> NDArray[np.bool_]:
    cover = np.array(
        [_number(word) for word in " ".join(read_text(path, DataError)).replace(",", " ").split()]
    )
    if len(cover) != frames or not np.isfinite(cover).all():
        raise DataError(f"{path} has {len(cover)} labels, expected {frames} numbers. {RESTORE}")
    return cover > 0


def _read_resolution(path: Path) -> tuple[int, int] | None:
    if not path.is_file():
        return None
    for line in read_text(path, DataError):
        found = re.match(r"\s*resolution\s*[:=]\s*(\(.*\))", line)
        if found:
            width, height = ast.literal_eval(found[1])
            return int(width), int(height)
    return None


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


def _number(word: str) -> float:
    """The number, or infinity (refused by every caller) for a word that is none."""
    try:
        return float(word)
    except ValueError:
        return np.inf
