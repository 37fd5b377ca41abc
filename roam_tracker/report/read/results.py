"""One tracker on one sequence of a box benchmark: files to boxes as long as their ground truth."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.datasets.lists import OTB_LATE_STARTS
from roam_tracker.datasets.text import numbers, read_boxes, read_lines, read_rows
from roam_tracker.datasets.truth import Truth
from roam_tracker.errors import ResultError
from roam_tracker.report.benchmarks import Family

Lengths = Literal["whole", "benchmark"]
RUN_AGAIN = "Run the tracker again on this sequence."
_KEEP_FOUR = "Keep the four columns x, y, w, h, or write a head line that names the columns."
_HEADS = {  # what a head line may call the columns
    **dict.fromkeys(("x", "left", "xmin", "x1", "bbx", "bbleft"), 0),
    **dict.fromkeys(("y", "top", "ymin", "y1", "bby", "bbtop"), 1),
    **dict.fromkeys(("w", "width", "bbwidth"), 2),
    **dict.fromkeys(("h", "height", "bbheight"), 3),
}
_FAR = {**dict.fromkeys(("x2", "xmax", "right"), 2), **dict.fromkeys(("y2", "ymax", "bottom"), 3)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How result files are taken.

    zero_based: trackers whose boxes count pixels from 0: x and y are raised by 1, as the truth has them
    any_start:  trackers that are scored though their results do not begin with the given box
    lengths:    a result shorter or longer than its truth is refused ("whole"), or scored as the benchmark's
                own tool does ("benchmark")
    """

    zero_based: frozenset[str] = frozenset()
    any_start: frozenset[str] = frozenset()
    lengths: Lengths = "whole"


def read_result(path: Path, given: Boxes) -> tuple[Boxes, float | None]:
    """Boxes (N, 4) of a result file, and its frames/s where it has them (JSON and MATLAB files of OTB).

    given: (4,) the true first box; of a text file with further columns it tells which four are the box
    Raises ResultError for a file that cannot be read with certainty.
    """
    suffix = path.suffix.lower()
    if suffix == ".json":
        return _read_json(path)
    if suffix == ".mat":
        return _read_mat(path)
    try:
        return read_boxes(path, ResultError, "Mend the file, or run the tracker again."), None
    except ResultError as refused:
        boxes = _further_columns(path, given)
        if boxes is None:
            raise refused
        return boxes, None


def _further_columns(path: Path, given: Boxes) -> Boxes | None:
    """The box among further columns, such as a frame number or a score; None if it is not such a file.

    A head line decides, or that exactly one place in row 1 has the given box.
    Raises ResultError where the rows are whole but the place of the box is not certain.
    """
    lines = read_lines(path, ResultError, RUN_AGAIN)
    head = re.split(r"\s*[,;\t]\s*|\s+", lines[0])
    if any(map(_is_number, head)):
        head = []
    try:
        rows = [numbers(line) for line in lines[bool(head) :]]
    except ValueError:
        return None
    if len({len(row) for row in rows}) != 1 or len(rows[0]) < 4:
        return None
    table = np.array(rows)
    if head:
        boxes = _by_head(table, [re.sub(r"[^a-z0-9]", "", word.lower()) for word in head])
        if boxes is None:
            raise ResultError(f"{path} has a head line {lines[0]!r}, expected x, y, w, h in it. {_KEEP_FOUR}")
        return boxes
    places = range(table.shape[1] - 3)
    starts = [place for place in places if (abs(table[0, place : place + 4] - given) <= 1.51).all()]
    if len(places) == 1:
        return None
    if len(starts) != 1:
        raise ResultError(
            f"{path} has {table.shape[1]} columns, and row 1 does not tell which four are the box."
            f" {_KEEP_FOUR}"
        )
    return np.asarray(table[:, starts[0] : starts[0] + 4])


def _by_head(table: NDArray[np.float64], head: list[str]) -> Boxes | None:
    """Boxes (N, 4) by the names of the columns; None if the names do not tell them."""
    near = {_HEADS[word]: table[:, index] for index, word in enumerate(head) if word in _HEADS}
    far = {_FAR[word]: table[:, index] for index, word in enumerate(head) if word in _FAR}
    if len(head) != table.shape[1] or not {0, 1} <= near.keys():
        return None
    if {2, 3} <= near.keys():
        return np.column_stack([near[column] for column in range(4)])
    if far.keys() == {2, 3}:
        return np.column_stack([near[0], near[1], far[2] - near[0], far[3] - near[1]])
    return None


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def fitted(
    boxes: Boxes, path: Path, name: str, truth: Truth, family: Family, lengths: Lengths
) -> tuple[Boxes, NDArray[np.bool_] | None, str | None]:
    """Boxes (N, 4) as long as the truth, which frames count (None = all), and a note on what was done.

    ResultError where the length is wrong and the benchmark's tool would stop as well, or is not asked.
    """
    frames, found = len(truth.boxes), len(boxes)
    if found == frames:
        return boxes, None, None
    late = OTB_LATE_STARTS.get(name, 0) if family == "otb" else 0
    counted = np.full(frames, True)
    if late and found == frames - late:
        counted[:late] = False
        return (
            np.concatenate([np.full((late, 4), np.nan), boxes]),
            counted,
            f"{name} has {found} rows: its benchmark starts it at frame {late + 1}, so that frames {late + 1}"
            f" to {frames} count.",
        )
    padded = np.concatenate([boxes, np.full((max(frames - found, 0), 4), np.nan)])[:frames]
    text = f"{name} has {found} rows, its truth {frames}"
    if lengths == "benchmark" and found > frames and family in ("otb", "lasot", "trackingnet"):
        return padded, None, f"{text}: those too many are cut, as the benchmark's tool does."
    if lengths == "benchmark" and family == "otb":
        counted[found:] = False
        return padded, counted, f"{text}: only the rows there are count, as in the benchmark's tool."
    if lengths == "benchmark" and family == "trackingnet":
        return padded, None, f"{text}: the frames without a row are misses, as in the benchmark's tool."
    check_rows(path, found, truth.source, frames)
    raise AssertionError("check_rows refuses another length")


def read_times(path: Path, frames: int, runs: int = 1) -> NDArray[np.float64]:
    """Seconds of each frame (frames * runs,), in any order of runs; NaN where the file has NaN."""
    remedy = "Delete it; speed is then reported as missing."
    times = np.array([time for row in read_rows(path, ResultError, remedy) for time in row])
    if len(times) != frames * runs:
        raise ResultError(
            f"{path} has {len(times)} usable times, expected {frames} frames x {runs} runs. {remedy}"
        )
    return times


def check_rows(path: Path, found: int, truth: Path, expected: int) -> None:
    """Raise ResultError unless a result has as many rows as its ground truth."""
    if found != expected:
        raise ResultError(f"{path} has {found} rows, ground truth {truth.name} has {expected}. {RUN_AGAIN}")


def _read_json(path: Path) -> tuple[Boxes, float | None]:
    try:
        content: Any = json.loads("\n".join(read_lines(path, ResultError, RUN_AGAIN)))
    except ValueError as error:
        raise ResultError(f"{path} is no JSON: {error}. {RUN_AGAIN}") from error
    runs = content if isinstance(content, list) else [content]
    if not runs or not all(isinstance(run, dict) and "res" in run for run in runs):
        raise ResultError(
            f"{path} has no runs with 'res', the format of OTB's tracker_benchmark. {RUN_AGAIN}"
        )
    if len(runs) != 1:
        raise ResultError(f"{path} has {len(runs)} runs, expected 1: the report scores one-pass evaluation.")
    return _boxes_of_run(path, runs[0])


def _read_mat(path: Path) -> tuple[Boxes, float | None]:
    """A MATLAB file of OTB's tracker_benchmark: `results`, a cell with a struct of `res`, `type`, `len`."""
    try:
        from scipy.io import loadmat
    except ImportError:
        raise ResultError(f"{path} is a MATLAB file, which needs scipy. Run: pip install scipy") from None
    try:
        content = loadmat(str(path), simplify_cells=True)
    except Exception as failure:  # whatever a damaged file makes the reader raise
        raise ResultError(f"{path} cannot be read as a MATLAB file: {failure}. {RUN_AGAIN}") from failure
    runs = content.get("results")
    runs = [runs] if isinstance(runs, dict) else runs
    if not isinstance(runs, (list, np.ndarray)) or not all(
        isinstance(run, dict) and "res" in run for run in runs
    ):
        raise ResultError(f"{path} has no `results` with `res`, the format of OTB's tracker_benchmark.")
    if len(runs) != 1:
        raise ResultError(f"{path} has {len(runs)} runs, expected 1: the report scores one-pass evaluation.")
    return _boxes_of_run(path, {"len": len(runs[0]["res"]), **runs[0]})


def _boxes_of_run(path: Path, run: dict[str, Any]) -> tuple[Boxes, float | None]:
    kind = run.get("resType", run.get("type", "rect"))
    if kind != "rect":
        raise ResultError(
            f"{path} has regions of type {kind!r}, expected 'rect'. Convert them to x, y, w, h."
        )
    try:
        boxes = np.array(run["res"], dtype=np.float64)
        declared = run.get("len") or int(run["endFrame"]) - int(run["startFrame"]) + 1
        rate = float(run.get("fps") or 0)
        if boxes.ndim != 2 or boxes.shape[1] != 4:
            raise ValueError
    except (KeyError, TypeError, ValueError):
        raise ResultError(
            f"{path}: 'res' must be rows of 4 numbers, with 'len' or 'startFrame' and 'endFrame'. {RUN_AGAIN}"
        ) from None
    if np.isinf(boxes).any() or int(declared) != len(boxes) or not len(boxes):
        raise ResultError(f"{path} has {len(boxes)} finite rows, its own header says {declared}. {RUN_AGAIN}")
    return boxes, rate if rate > 0 else None
