"""Metrics of TrackingNet by the rule of its development kit: whole pixels, areas under three curves.

The kit's first version compared the overlap with >, the present one, of the same day, with >=; this
follows the present one, by which a tracker that equals the truth scores 1. Its **precision** is the area
under the curve from 0 to 50 px, not the value at 20 px. The kit fills missing rows with misses; here a
result of another length is refused before it comes to scoring.
"""

import numpy as np

from roam_tracker.core.geometry import Boxes
from roam_tracker.datasets.truth import Truth
from roam_tracker.report.evaluation import Array
from roam_tracker.report.runs import BoxRun
from roam_tracker.report.score.curves import CurveRule, Curves, curve_metrics

OVERLAP_THRESHOLDS = np.linspace(0, 1, 21)
DISTANCE_THRESHOLDS_PX = np.linspace(0, 50, 21)
NORMALISED_THRESHOLDS = np.linspace(0, 0.5, 21)


def trackingnet_measures(boxes: Boxes, truth: Boxes) -> tuple[Array, Array, Array]:
    """Overlap, centre error in pixels, centre error over the truth's w and h, (N,) each; NaN = no value.

    All coordinates are rounded to whole pixels (a half to the even one) and the first box is the truth's.
    """
    truth = np.round(truth)
    boxes = np.concatenate([truth[:1], np.round(boxes[1:])])
    last_box, last_truth = boxes[:, :2] + boxes[:, 2:] - 1, truth[:, :2] + truth[:, 2:] - 1
    sides = np.minimum(last_box, last_truth) - np.maximum(boxes[:, :2], truth[:, :2]) + 1
    shared = np.prod(np.clip(sides, 0, None), axis=1)
    difference = boxes[:, :2] + (boxes[:, 2:] + 1) / 2 - truth[:, :2] - (truth[:, 2:] + 1) / 2
    with np.errstate(divide="ignore", invalid="ignore"):
        iou = shared / (np.prod(boxes[:, 2:], axis=1) + np.prod(truth[:, 2:], axis=1) - shared)
        normalised = np.sqrt((difference / truth[:, 2:] * difference / truth[:, 2:]).sum(axis=1))
    return iou, np.linalg.norm(difference, axis=1), normalised


def trackingnet_curves(boxes: Boxes, truth: Boxes) -> tuple[Array, Array, Array]:
    """Success, precision and normalised precision (21,) each of one sequence, boxes and truth (N, 4).

    Share of frames with overlap >= 0, 0.05, ..., 1; centre error <= 0, 2.5, ..., 50 px; centre error
    over the truth's size <= 0, 0.025, ..., 0.5. NaN is a miss. A benchmark's curve is the mean over its
    sequences.
    """
    iou, distance, normalised = trackingnet_measures(boxes, truth)
    return (
        np.asarray((iou[:, None] >= OVERLAP_THRESHOLDS).mean(axis=0)),
        np.asarray((distance[:, None] <= DISTANCE_THRESHOLDS_PX).mean(axis=0)),
        np.asarray((normalised[:, None] <= NORMALISED_THRESHOLDS).mean(axis=0)),
    )


def trackingnet_score(curve: Array) -> float:
    """Area under a curve (21,), in trapezoids over 21 points from 0 to 1: success, precision, normalised."""
    return float(np.trapezoid(curve, OVERLAP_THRESHOLDS))


def _measure(run: BoxRun, truth: Truth) -> tuple[Curves, Array]:
    iou = np.nan_to_num(trackingnet_measures(run.boxes, truth.boxes)[0])
    return trackingnet_curves(run.boxes, truth.boxes), iou


def _score(curves: Curves) -> tuple[float, float, float]:
    success, precision, normalised = map(trackingnet_score, curves)
    return success, precision, normalised


_AREA = "(area in trapezoids, coordinates rounded to whole pixels)."
TRACKINGNET_RULE = CurveRule(
    _measure,
    _score,
    (OVERLAP_THRESHOLDS, DISTANCE_THRESHOLDS_PX, NORMALISED_THRESHOLDS),
    curve_metrics(
        f"Area under the share of frames with overlap >= t, t = 0, 0.05, ..., 1 {_AREA}",
        f"Area under the share of frames with centres at most 0, 2.5, ..., 50 px apart {_AREA}",
        "Area under the share of frames whose centre error, divided by the truth's width and height, is"
        f" at most 0, 0.025, ..., 0.5 {_AREA}",
        "First frame set to the truth, mean over sequences. A perfect tracker: 1.",
    ),
)
