"""Loaded runs to tables and curves, one function for each family of benchmarks."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from roam_tracker.core.geometry import overlap
from roam_tracker.errors import ResultError
from roam_tracker.report import metrics
from roam_tracker.report.evaluate_vot import evaluate_vot
from roam_tracker.report.load import ONE_PASS, LoadedBoxes, LoadedVot
from roam_tracker.report.origins import made_by
from roam_tracker.report.readers import BoxRun
from roam_tracker.report.scores import Curve, Evaluation, Metric
from roam_tracker.report.statistics import bootstrap_interval

SPEED = (
    Metric("speed_fps", "fps", "Frames divided by their total time, all sequences together.", digits=1),
    Metric(
        "toolkit_fps",
        "fps (mean 1/t)",
        "Mean of 1/t, the GOT-10k toolkit's figure; never below the one before.",
        digits=1,
        minor=True,
    ),
)
OTB_METRICS = (
    Metric(
        "auc",
        "AUC",
        "Mean of the success curve: share of frames with overlap > t, t = 0, 0.05, ..., 1 (21 strict"
        " thresholds), first frame set to the truth, mean over sequences. A perfect tracker: 20/21.",
    ),
    Metric(
        "precision",
        "Precision",
        "Share of frames with centres (x, y) + ((w, h) - 1)/2 at most 20 px apart, first"
        " frame set to the truth, mean over sequences.",
    ),
    Metric(
        "normalised_precision",
        "Norm. precision",
        "Share of frames whose centre error, divided by the truth's width"
        " and height, is at most 0.2; mean over sequences.",
    ),
    Metric("success_rate", "SR 0.5", "Share of frames with overlap > 0.5, mean over sequences."),
    *SPEED,
)
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
        return evaluate_vot(loaded)
    return _evaluate_otb(loaded, seed) if loaded.benchmark.family == "otb" else _evaluate_got10k(loaded, seed)


def _evaluate_otb(loaded: LoadedBoxes, seed: int) -> Evaluation:
    rows: list[dict[str, Any]] = []
    by_sequence: list[dict[str, Any]] = []
    curves: dict[str, list[Curve]] = {"success": [], "precision": []}
    for tracker, runs in _one_pass(loaded):
        success, precision, normalised, speeds = [], [], [], []
        for name, (run,) in runs.items():
            truth = loaded.truths[name].boxes
            boxes = metrics.with_true_start(run.boxes, truth)
            success.append(metrics.success_curve_otb(overlap(boxes, truth)))
            precision.append(metrics.precision_curve_otb(metrics.centre_error_otb(boxes, truth)))
            normalised.append(metrics.normalised_precision_curve(boxes, truth))
            speeds.append(_speed([run]))
            by_sequence.append(
                {
                    "tracker": tracker,
                    "sequence": name,
                    "frames": len(boxes),
                    "auc": metrics.auc_otb(success[-1]),
                    "precision": metrics.precision_otb(precision[-1]),
                    "normalised_precision": metrics.normalised_precision(normalised[-1]),
                    "success_rate": success[-1][10],
                    **speeds[-1],
                    "source": str(run.source),
                }
            )
        curve_s, curve_p = np.mean(success, axis=0), np.mean(precision, axis=0)
        row: dict[str, Any] = {
            "tracker": tracker,
            "auc": metrics.auc_otb(curve_s),
            "precision": metrics.precision_otb(curve_p),
        }
        for column, values in (("auc", np.mean(success, axis=1)), ("precision", np.array(precision)[:, 20])):
            low, high = bootstrap_interval(values, seed=seed)
            row |= {f"{column}_low": float(low), f"{column}_high": float(high)}
        frame_rates = [speed["toolkit_fps"] for speed in speeds if np.isfinite(speed["toolkit_fps"])]
        row |= {
            "normalised_precision": metrics.normalised_precision(np.mean(normalised, axis=0)),
            "success_rate": float(curve_s[10]),
            **_speed([run for (run,) in runs.values()]),
            "toolkit_fps": float(np.mean(frame_rates)) if frame_rates else float("nan"),
            "sequences": len(runs),
            "frames": sum(len(run.boxes) for (run,) in runs.values()),
        }
        rows.append(row)
        thresholds = metrics.OVERLAP_THRESHOLDS_OTB, metrics.DISTANCE_THRESHOLDS_PX
        for plot, x, y, all_y, score in (
            ("success", thresholds[0], curve_s, success, row["auc"]),
            ("precision", thresholds[1], curve_p, precision, row["precision"]),
        ):
            low, high = bootstrap_interval(np.array(all_y), seed=seed)
            curves[plot].append(Curve(tracker, x, y, score, low, high))
    return _evaluation(loaded, rows, by_sequence, OTB_METRICS, curves, [])


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
                    **_speed(repetitions),
                    "source": str(repetitions[0].source),
                }
            )
        iou = np.concatenate(pooled)
        curve_points = metrics.success_curve_got10k(iou) if iou.size else np.full(101, np.nan)
        sizes = np.array([part.size for part in pooled])
        means = np.array([part.mean() for part in pooled if part.size])
        low, high = bootstrap_interval(means, sizes[sizes > 0], seed=seed)
        row: dict[str, Any] = {
            "tracker": tracker,
            **_got10k_scores(iou),
            "ao_low": float(low),
            "ao_high": float(high),
            **_speed([run for repetitions in runs.values() for run in repetitions]),
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


def _speed(runs: Sequence[BoxRun]) -> dict[str, float]:
    times = [run.times_s for run in runs if run.times_s is not None]
    together = np.concatenate(times) if times else np.zeros(0)
    return {"speed_fps": metrics.frames_per_second(together), "toolkit_fps": metrics.mean_rate(together)}


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
    origins = {tracker: made_by(loaded.results / tracker) for tracker in table["tracker"]}
    sources = {"results": str(loaded.results), "ground truth": str(loaded.annotations)}
    return Evaluation(
        loaded.benchmark,
        table,
        pd.DataFrame(by_sequence),
        columns,
        curves,
        sources | {tracker: line for tracker, line in origins.items() if line},
        loaded.problems,
        notes,
        loaded.not_run,
        loaded.total,
    )
