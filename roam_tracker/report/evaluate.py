"""Loaded runs to tables and curves, one function for each family of benchmarks."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from roam_tracker.errors import ResultError
from roam_tracker.report import metrics
from roam_tracker.report.evaluate_curves import evaluate_curves
from roam_tracker.report.evaluate_vot import evaluate_vot
from roam_tracker.report.load import ONE_PASS, LoadedBoxes, LoadedVot
from roam_tracker.report.overlaps import box_overlaps
from roam_tracker.report.readers import BoxRun
from roam_tracker.report.scores import Curve, Evaluation, Metric
from roam_tracker.report.speed import SPEED, speed_of
from roam_tracker.report.statistics import bootstrap_interval

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


def evaluate(loaded: LoadedBoxes | LoadedVot, *, seed: int = 0) -> Evaluation:
    """Score what `load` read. `seed` draws the bootstrap resamples of the 95 % intervals.

    ResultError when no tracker has a whole, usable sequence.
    """
    usable = [tracker for tracker, runs in loaded.runs.items() if any(runs.values())]
    if not usable:
        raise ResultError(
            f"{loaded.results} has no usable result of {loaded.benchmark.name}: {loaded.problems[0].message}"
        )
    if isinstance(loaded, LoadedVot):
        return evaluate_vot(loaded, seed)
    if loaded.benchmark.family == "got10k":
        scored = _evaluate_got10k(loaded, seed)
    else:
        scored = _evaluation(loaded, *evaluate_curves(loaded, seed))
    return replace(scored, overlaps=box_overlaps(loaded))


def _evaluate_got10k(loaded: LoadedBoxes, seed: int) -> Evaluation:
    rows: list[dict[str, Any]] = []
    by_sequence: list[dict[str, Any]] = []
    curves: dict[str, list[Curve]] = {"success": []}
    for tracker, runs in _one_pass(loaded):
        pooled = []
        for name, repetitions in runs.items():
            truth = loaded.truths[name]
            iou = np.concatenate(
                [
                    metrics.counted_got10k(
                        metrics.overlap_got10k(run.boxes, truth.boxes, truth.size_px), truth.visible
                    )
                    for run in repetitions
                ]
            )
            pooled.append(iou)
            by_sequence.append(
                {
                    "tracker": tracker,
                    "sequence": name,
                    "frames": iou.size,
                    **_got10k_scores(iou),
                    **speed_of(repetitions),
                    "source": str(repetitions[0].source),
                }
            )
        iou = np.concatenate(pooled)
        curve_points = metrics.success_curve_got10k(iou) if iou.size else np.full(101, np.nan)
        sizes = np.array([part.size for part in pooled])
        intervals: dict[str, float] = {}
        for column in ("ao", "sr50", "sr75"):
            means = np.array([_got10k_scores(part)[column] for part in pooled if part.size])
            low, high = bootstrap_interval(means, sizes[sizes > 0], seed=seed)
            intervals |= {f"{column}_low": float(low), f"{column}_high": float(high)}
        row: dict[str, Any] = {
            "tracker": tracker,
            **_got10k_scores(iou),
            **intervals,
            **speed_of([run for repetitions in runs.values() for run in repetitions]),
            "sequences": len(runs),
            "frames": iou.size,
        }
        rows.append(row)
        curves["success"].append(Curve(tracker, metrics.OVERLAP_THRESHOLDS_GOT10K, curve_points, row["ao"]))
    notes = [
        f"Image size unknown for {name}: its boxes are not limited to the image."
        for name in sorted({row["sequence"] for row in by_sequence})
        if loaded.truths[name].size_px is None
    ]
    return _evaluation(loaded, rows, by_sequence, GOT10K_METRICS, curves, _shortened(notes))


def _got10k_scores(iou: metrics.Array) -> dict[str, float]:
    return {
        "ao": metrics.average_overlap_got10k(iou),
        "sr50": metrics.success_rate_got10k(iou, 0.5),
        "sr75": metrics.success_rate_got10k(iou, 0.75),
    }


def _one_pass(loaded: LoadedBoxes) -> list[tuple[str, dict[str, list[BoxRun]]]]:
    return [(tracker, runs[ONE_PASS]) for tracker, runs in loaded.runs.items() if runs[ONE_PASS]]


def _shortened(notes: list[str]) -> list[str]:
    return notes if len(notes) <= 5 else [*notes[:4], f"... and {len(notes) - 4} more sequences likewise."]


def _evaluation(
    loaded: LoadedBoxes,
    rows: list[dict[str, Any]],
    by_sequence: list[dict[str, Any]],
    columns: Sequence[Metric],
    curves: dict[str, list[Curve]],
    notes: list[str],
) -> Evaluation:
    table = pd.DataFrame(rows).sort_values(
        columns[0].column, ascending=False, kind="stable", ignore_index=True
    )
    sources = {"results": str(loaded.results), "ground truth": str(loaded.annotations)}
    return Evaluation(
        loaded.benchmark,
        table,
        pd.DataFrame(by_sequence),
        columns,
        curves,
        sources | loaded.origins,
        loaded.problems,
        [*loaded.notes, *notes],
        loaded.not_run,
        loaded.total,
    )
