"""One tracker on one sequence of a box benchmark: files to boxes as long as their ground truth."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import ResultError
from roam_tracker.report.benchmarks import Family
from roam_tracker.report.readers import RUN_AGAIN, BoxRun, BoxTruth, check_rows, read_boxes, read_text
from roam_tracker.sequences import OTB_LATE_STARTS

Lengths = Literal["whole", "benchmark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How result files are taken.

    zero_based: trackers whose boxes count pixels from 0: x and y are raised by 1, as the truth has them
    lengths:    a result shorter or longer than its truth is refused ("whole"), or scored as the benchmark's
                own tool does ("benchmark")
    """

    zero_based: frozenset[str] = frozenset()
    lengths: Lengths = "whole"


def read_result(path: Path) -> tuple[Boxes, float | None]:
    """Boxes (N, 4) of a text file, or of a JSON file of OTB's tracker_benchmark with its frames/s."""
    return _read_json(path) if path.suffix == ".json" else (read_boxes(path), None)


def fitted(
    boxes: Boxes, path: Path, name: str, truth: BoxTruth, family: Family, lengths: Lengths
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


def counted_part(run: BoxRun, truth: BoxTruth) -> tuple[BoxRun, BoxTruth]:
    """Run and truth of the frames that count."""
    if run.counted is None:
        return run, truth
    keep = run.counted
    visible = None if truth.visible is None else truth.visible[keep]
    return BoxRun(run.boxes[keep], run.source), BoxTruth(truth.boxes[keep], truth.source, visible)


def _read_json(path: Path) -> tuple[Boxes, float | None]:
    try:
        content: Any = json.loads("\n".join(read_text(path, ResultError)))
    except ValueError as error:
        raise ResultError(f"{path} is no JSON: {error}. {RUN_AGAIN}") from error
    runs = content if isinstance(content, list) else [content]
    if not runs or not all(isinstance(run, dict) and "res" in run for run in runs):
        raise ResultError(
            f"{path} has no runs with 'res', the format of OTB's tracker_benchmark. {RUN_AGAIN}"
        )
    if len(runs) != 1:
        raise ResultError(f"{path} has {len(runs)} runs, expected 1: the report scores one-pass evaluation.")
    (run,) = runs
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
