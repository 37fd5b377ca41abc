"""Metrics of the box benchmarks, one function for one published definition; arrays in, numbers out.

iou is intersection over union of continuous boxes (core.geometry.overlap), NaN rows score 0.
"""

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes, overlap

Array = NDArray[np.float64]

OVERLAP_THRESHOLDS_OTB = np.linspace(0, 1, 21)
DISTANCE_THRESHOLDS_PX = np.arange(0, 51, dtype=np.float64)
NORMALISED_THRESHOLDS = np.arange(0, 51) / 100
OVERLAP_THRESHOLDS_GOT10K = np.linspace(0, 1, 101)


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


def overlap_got10k(boxes: Boxes, truth: Boxes, size_px: tuple[int, int] | None) -> Array:
    """Overlap (N,) after the benchmark's clip of both boxes to an image of (width, height) pixels.

    The clip moves x and y into the image **without shortening** w and h for it, then limits w and h
    to what remains on the right and below: (-5, -5, 20, 20) becomes (0, 0, 20, 20).
    No clip where the size is unknown.
    """
    if size_px is None:
        return overlap(boxes, truth)
    return overlap(_clip_got10k(boxes, size_px), _clip_got10k(truth, size_px))


def counted_got10k(iou: Array, visible: NDArray[np.bool_] | None) -> Array:
    """The frames of a sequence that count: all but the first and those with cover 0."""
    return iou[1:] if visible is None else iou[1:][visible[1:]]


def average_overlap_got10k(iou: Array) -> float:
    """AO: mean overlap over the counted frames of all sequences and repetitions pooled."""
    return float(np.mean(iou)) if iou.size else float("nan")


def success_rate_got10k(iou: Array, threshold: float) -> float:
    """SR: share of the pooled frames with iou > threshold (0.5 or 0.75)."""
    return float(np.mean(iou > threshold)) if iou.size else float("nan")


def success_curve_got10k(iou: Array) -> Array:
    """Share of the pooled frames with iou > t at the 101 thresholds t = 0, 0.01, ..., 1."""
    return np.asarray((iou[:, None] > OVERLAP_THRESHOLDS_GOT10K).mean(axis=0))


def frames_per_second(times_s: Array) -> float:
    """Frames divided by their total time; frames without a positive time are left out; NaN without any."""
    used = times_s[times_s > 0]
    return float(len(used) / used.sum()) if used.size else float("nan")


def mean_rate(times_s: Array) -> float:
    """Mean of 1/t over positive t, the GOT-10k toolkit's `speed_fps`; never below `frames_per_second`."""
    used = times_s[times_s > 0]
    return float(np.mean(1 / used)) if used.size else float("nan")


def _centres(boxes: Boxes) -> Array:
    return np.asarray(boxes[:, :2] + (boxes[:, 2:] - 1) / 2)


def _clip_got10k(boxes: Boxes, size_px: tuple[int, int]) -> Boxes:
    size = np.asarray(size_px, dtype=np.float64)
    corner = np.clip(boxes[:, :2], 0, size)
    return np.concatenate([corner, np.clip(boxes[:, 2:], 0, size - corner)], axis=1)
