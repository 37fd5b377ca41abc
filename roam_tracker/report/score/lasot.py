"""Metrics of LaSOT by the rule of its evaluation toolkit, whose oddities are kept on purpose.

A frame whose target is absent is scored by nobody but stays in the denominator, so a perfect tracker
falls short of 20/21. Where the truth of a counted frame has a coordinate that is not positive, the
frame is a miss in the success curve and a hit at every threshold of both precision curves.
"""

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
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
from roam_tracker.report.score.otb import (
    DISTANCE_THRESHOLDS_PX,
    NORMALISED_THRESHOLDS,
    auc_otb,
    normalised_precision,
    precision_otb,
)

# The toolkit's language counts 0:0.05:1 from both ends: its 0.6 is 1 - 8 * 0.05, in binary not 12 * 0.05.
OVERLAP_THRESHOLDS = np.concatenate([np.arange(11) * 0.05, 1 - np.arange(9, -1, -1) * 0.05])


def with_previous_boxes(boxes: Boxes, truth: Boxes) -> Boxes:
    """The boxes (N, 4) with each one that has a NaN, w <= 0 or h <= 0 replaced by the one before it.

    The first box stays as it is, also where a later one takes its place, and so do boxes where the
    truth has a NaN.
    """
    unusable = np.isnan(boxes).any(axis=1) | (boxes[:, 2] <= 0) | (boxes[:, 3] <= 0)
    replaced = unusable & ~np.isnan(truth).any(axis=1)
    replaced[0] = False
    kept = np.where(replaced, 0, np.arange(len(boxes)))
    return np.asarray(boxes[np.maximum.accumulate(kept)])


def lasot_measures(
    boxes: Boxes, truth: Boxes, absent: NDArray[np.bool_] | None
) -> tuple[Array, Array, Array]:
    """Overlap, centre error in pixels, centre error over the truth's w and h of the counted frames (M,) each.

    boxes, truth: (N, 4) x, y, w, h; more boxes than truth are cut. absent: (N,) bool, None = never.
    Where the truth has a coordinate that is not positive the three are -1, -1, -1.
    """
    boxes = with_previous_boxes(boxes[: len(truth)], truth)
    boxes = np.concatenate([truth[:1], boxes[1:]])
    counted = np.full(len(truth), True) if absent is None else ~absent
    boxes, truth = boxes[counted], truth[counted]
    positive = (truth > 0).all(axis=1)
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = (
            _overlap(boxes, truth),
            np.linalg.norm(_centres(boxes) - _centres(truth), axis=1),
            np.linalg.norm(_centres(boxes) / truth[:, 2:] - _centres(truth) / truth[:, 2:], axis=1),
        )
    iou, distance, normalised = (np.where(positive, values, -1.0) for values in measured)
    return iou, distance, normalised


def lasot_curves(
    boxes: Boxes, truth: Boxes, absent: NDArray[np.bool_] | None = None
) -> tuple[Array, Array, Array]:
    """Success (21,), precision (51,) and normalised precision (51,) of one sequence.

    Share of **all** frames, absent ones included, with overlap > 0, 0.05, ..., 1; centre error
    <= 0, 1, ..., 50 px; centre error over the truth's size <= 0, 0.01, ..., 0.5. A benchmark's curve is
    the mean over its sequences, its score the mean of the 21 values, the value at 20 px, that at 0.2.
    """
    iou, distance, normalised = lasot_measures(boxes, truth, absent)
    frames = len(truth)
    return (
        np.asarray((iou[:, None] > OVERLAP_THRESHOLDS).sum(axis=0) / frames),
        np.asarray((distance[:, None] <= DISTANCE_THRESHOLDS_PX).sum(axis=0) / frames),
        np.asarray((normalised[:, None] <= NORMALISED_THRESHOLDS).sum(axis=0) / frames),
    )


def _overlap(a: Boxes, b: Boxes) -> Array:
    """Intersection over union (N,) in the toolkit's order of operations, so that equal digits come out."""
    far = np.minimum(a[:, :2] + a[:, 2:] - 1, b[:, :2] + b[:, 2:] - 1)
    shared = np.prod(np.clip(far - np.maximum(a[:, :2], b[:, :2]) + 1, 0, None), axis=1)
    return np.asarray(shared / (np.prod(a[:, 2:], axis=1) + np.prod(b[:, 2:], axis=1) - shared))


def _centres(boxes: Boxes) -> Array:
    return np.asarray(boxes[:, :2] + (boxes[:, 2:] - 1) / 2)


def _measure(run: BoxRun, truth: Truth) -> tuple[Curves, Array]:
    absent = None if truth.visible is None else ~truth.visible
    seen = np.full(len(truth.boxes), True) if absent is None else ~absent
    iou = np.full(len(truth.boxes), np.nan)
    iou[seen] = np.nan_to_num(lasot_measures(run.boxes, truth.boxes, absent)[0]).clip(0, 1)
    return lasot_curves(run.boxes, truth.boxes, absent), iou


def _score(curves: Curves) -> tuple[float, float, float]:
    return auc_otb(curves[0]), precision_otb(curves[1]), normalised_precision(curves[2])


LASOT_RULE = CurveRule(
    _measure,
    _score,
    (OVERLAP_THRESHOLDS, DISTANCE_THRESHOLDS_PX, NORMALISED_THRESHOLDS),
    curve_metrics(
        SUCCESS,
        PRECISION,
        NORMALISED,
        "First frame set to the truth; a box without size takes the one before. Frames with the target absent"
        " are no success but count as frames: a perfect tracker may score less than 20/21. A frame whose"
        " truth has no positive coordinates is a miss in success, a hit in precision. Mean over sequences.",
    ),
)
