"""OTB and the benchmarks that follow its rule: UAV123, UAV20L, NfS, DTB70, TColor128.

One function for one published definition; arrays in, numbers out. iou is intersection over union of
continuous boxes (core.geometry.overlap); a frame with a NaN scores 0.
"""

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes, overlap
from roam_tracker.datasets.truth import Truth
from roam_tracker.report.evaluation import Array
from roam_tracker.report.runs import BoxRun
from roam_tracker.report.score.curves import (
    NORMALISED,
    PRECISION,
    SUCCESS,
    CurveRule,
    Curves,
    curve_metrics,
)

OVERLAP_THRESHOLDS_OTB = np.linspace(0, 1, 21)
DISTANCE_THRESHOLDS_PX = np.arange(0, 51, dtype=np.float64)
NORMALISED_THRESHOLDS = np.arange(0, 51) / 100


def with_true_start(boxes: Boxes, truth: Boxes) -> Boxes:
    """The boxes (N, 4) with the first one replaced by the truth's, as OTB scores them."""
    return np.concatenate([truth[:1], boxes[1:]])


def success_curve_otb(iou: Array) -> Array:
    """Share of frames with iou > t at the 21 thresholds t = 0, 0.05, ..., 1.

    iou: (N,) of one sequence, first frame included; returns (21,). The last value is always 0, so
    that a perfect tracker scores 20/21. A benchmark's curve is the mean of its sequences' curves.
    """
    return np.asarray((iou[:, None] > OVERLAP_THRESHOLDS_OTB).mean(axis=0))


def auc_otb(curve: Array) -> float:
    """Area under an OTB success curve: the mean of its 21 values."""
    return float(np.mean(curve))


def centre_error_otb(boxes: Boxes, truth: Boxes) -> Array:
    """Distance in pixels (N,) of the centres (x, y) + ((w, h) - 1) / 2; NaN where a box is NaN."""
    return np.asarray(np.linalg.norm(_centres(boxes) - _centres(truth), axis=1))


def precision_curve_otb(distance_px: Array) -> Array:
    """Share of frames (51,) whose centre error is <= t pixels, t = 0, 1, ..., 50; NaN is a miss."""
    return np.asarray((distance_px[:, None] <= DISTANCE_THRESHOLDS_PX).mean(axis=0))


def precision_otb(curve: Array) -> float:
    """The precision curve's value at 20 pixels."""
    return float(curve[20])


def normalised_precision_curve(boxes: Boxes, truth: Boxes) -> Array:
    """Share of frames (51,) whose centre error over the truth's w and h is <= t, t = 0, 0.01, ..., 0.5.

    A frame whose truth has no positive size, or with a NaN, is a miss.
    """
    size = np.where(truth[:, 2:] > 0, truth[:, 2:], np.nan)
    distance = np.linalg.norm((_centres(boxes) - _centres(truth)) / size, axis=1)
    return np.asarray((distance[:, None] <= NORMALISED_THRESHOLDS).mean(axis=0))


def normalised_precision(curve: Array) -> float:
    """The normalised precision curve's value at 0.2."""
    return float(curve[20])


def _centres(boxes: Boxes) -> Array:
    return np.asarray(boxes[:, :2] + (boxes[:, 2:] - 1) / 2)


def otb_curves(boxes: Boxes, truth: Boxes) -> Curves:
    """Success (21,), precision (51,) and normalised precision (51,) of one sequence, over all frames."""
    boxes = with_true_start(boxes, truth)
    return _curves(boxes, truth, overlap(boxes, truth))


def uav_curves(boxes: Boxes, truth: Boxes) -> Curves:
    """OTB's curves over the annotated frames; NaN where no frame is annotated."""
    annotated, boxes = ~np.isnan(truth).any(axis=1), with_true_start(boxes, truth)
    return _curves(boxes[annotated], truth[annotated], overlap(boxes, truth)[annotated])


def counted_part(run: BoxRun, truth: Truth) -> tuple[Boxes, Boxes]:
    """Boxes and true boxes (N, 4) of the frames that count by the run's length."""
    keep = slice(None) if run.counted is None else run.counted
    return run.boxes[keep], truth.boxes[keep]


def _curves(boxes: Boxes, truth: Boxes, iou: Array) -> Curves:
    return (
        success_curve_otb(iou),
        precision_curve_otb(centre_error_otb(boxes, truth)),
        normalised_precision_curve(boxes, truth),
    )


def _measure_otb(run: BoxRun, truth: Truth) -> tuple[Curves, Array]:
    return _measure(run, truth, np.full(len(truth.boxes), True))


def _measure_uav(run: BoxRun, truth: Truth) -> tuple[Curves, Array]:
    return _measure(run, truth, np.asarray(np.isfinite(truth.boxes).all(axis=1)))


def _measure(run: BoxRun, truth: Truth, annotated: NDArray[np.bool_]) -> tuple[Curves, Array]:
    counted = np.full(len(truth.boxes), True) if run.counted is None else run.counted
    start, keep, boxes = int(counted.argmax()), counted & annotated, run.boxes.copy()
    boxes[start] = truth.boxes[start]
    iou = overlap(boxes, truth.boxes)
    return _curves(boxes[keep], truth.boxes[keep], iou[keep]), np.where(keep, iou, np.nan)


def _score(curves: Curves) -> tuple[float, float, float]:
    return auc_otb(curves[0]), precision_otb(curves[1]), normalised_precision(curves[2])


_EVERY_FRAME = "First frame set to the truth, mean over sequences. A perfect tracker: AUC 20/21."
_THRESHOLDS = (OVERLAP_THRESHOLDS_OTB, DISTANCE_THRESHOLDS_PX, NORMALISED_THRESHOLDS)
OTB_RULE = CurveRule(
    _measure_otb, _score, _THRESHOLDS, curve_metrics(SUCCESS, PRECISION, NORMALISED, _EVERY_FRAME)
)
UAV_RULE = CurveRule(
    _measure_uav,
    _score,
    _THRESHOLDS,
    curve_metrics(SUCCESS, PRECISION, NORMALISED, f"{_EVERY_FRAME} Frames without annotation do not count."),
)
