"""GOT-10k: mean overlap and success rates over all frames pooled."""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes, overlap
from roam_tracker.datasets.truth import Truth, some
from roam_tracker.report.evaluation import Array, Curve, Evaluation, Metric, evaluation_of
from roam_tracker.report.runs import BoxRun, LoadedBoxes, grouped
from roam_tracker.report.score.speed import SPEED, speed_of
from roam_tracker.report.score.statistics import bootstrap_interval

OVERLAP_THRESHOLDS_GOT10K = np.linspace(0, 1, 101)
GOT10K_METRICS = (
    Metric(
        "ao",
        "AO",
        "Mean overlap over the frames of all sequences and repetitions pooled; first frame and frames"
        " with cover 0 left out; boxes limited to the image by the benchmark's rule if its size is known.",
    ),
    Metric("sr50", "SR 0.5", "Share of the same frames with overlap > 0.5."),
    Metric("sr75", "SR 0.75", "Share of the same frames with overlap > 0.75."),
    *SPEED,
)


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


def evaluate_got10k(loaded: LoadedBoxes, seed: int, notes: Sequence[str]) -> Evaluation:
    """Score every tracker; intervals by resampling sequences, weighted by their frames."""
    rows: list[dict[str, Any]] = []
    by_sequence: list[dict[str, Any]] = []
    curves: list[Curve] = []
    overlaps: dict[str, dict[str, Array]] = {}
    for tracker, runs in grouped(loaded.runs, attrgetter("tracker")).items():
        pooled, overlaps[tracker] = [], {}
        for name, repetitions in grouped(runs, attrgetter("sequence")).items():
            counted, overlaps[tracker][name] = _measure(repetitions, loaded.truths[name])
            pooled.append(counted)
            by_sequence.append(
                {
                    "tracker": tracker,
                    "sequence": name,
                    "frames": counted.size,
                    **_scores(counted),
                    **speed_of(repetitions),
                    "source": str(repetitions[0].source),
                }
            )
        iou = np.concatenate(pooled)
        sizes = np.array([part.size for part in pooled])
        means = np.array([list(_scores(part).values()) for part in pooled if part.size]).reshape(-1, 3)
        low, high = bootstrap_interval(means, sizes[sizes > 0], seed=seed)
        row: dict[str, Any] = {"tracker": tracker, **_scores(iou)}
        for index, column in enumerate(_scores(iou)):
            row |= {f"{column}_low": float(low[index]), f"{column}_high": float(high[index])}
        rows.append(row | speed_of(runs) | {"sequences": len(pooled), "frames": iou.size})
        points = success_curve_got10k(iou) if iou.size else np.full(101, np.nan)
        curves.append(Curve(tracker, OVERLAP_THRESHOLDS_GOT10K, points, row["ao"]))
    unknown = sorted({run.sequence for run in loaded.runs if loaded.truths[run.sequence].size_px is None})
    if unknown:
        boxes = "their boxes are" if len(unknown) > 1 else "its boxes are"
        notes = [*notes, f"Image size unknown for {some(unknown)}: {boxes} not limited to the image."]
    return evaluation_of(
        loaded,
        pd.DataFrame(rows),
        by_sequence,
        GOT10K_METRICS,
        {"success": curves},
        notes,
        overlaps,
    )


def _measure(repetitions: list[BoxRun], truth: Truth) -> tuple[Array, Array]:
    """Overlap of the frames that count, repetitions pooled; overlap (N,) of the first one, NaN elsewhere."""
    each = [overlap_got10k(run.boxes, truth.boxes, truth.size_px) for run in repetitions]
    counted = np.arange(len(truth.boxes)) > 0
    if truth.visible is not None:
        counted &= truth.visible
    return (
        np.concatenate([counted_got10k(iou, truth.visible) for iou in each]),
        np.where(counted, each[0], np.nan),
    )


def _scores(iou: Array) -> dict[str, float]:
    return {
        "ao": average_overlap_got10k(iou),
        "sr50": success_rate_got10k(iou, 0.5),
        "sr75": success_rate_got10k(iou, 0.75),
    }


def _clip_got10k(boxes: Boxes, size_px: tuple[int, int]) -> Boxes:
    size = np.asarray(size_px, dtype=np.float64)
    corner = np.clip(boxes[:, :2], 0, size)
    return np.concatenate([corner, np.clip(boxes[:, 2:], 0, size - corner)], axis=1)
