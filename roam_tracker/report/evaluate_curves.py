"""Benchmarks whose scores come from curves averaged over sequences: OTB and its kin, LaSOT, TrackingNet."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from roam_tracker.core.geometry import overlap
from roam_tracker.report import metrics, metrics_lasot, metrics_trackingnet
from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.load import ONE_PASS, LoadedBoxes
from roam_tracker.report.metrics import Array
from roam_tracker.report.one_pass import counted_part
from roam_tracker.report.pixel_origin import origin_note
from roam_tracker.report.readers import BoxRun, BoxTruth
from roam_tracker.report.scores import Curve, Metric
from roam_tracker.report.speed import SPEED, speed_of
from roam_tracker.report.statistics import bootstrap_interval

CENTRES = "centres (x, y) + ((w, h) - 1)/2"


@dataclass(frozen=True, slots=True)
class CurveRule:
    """How one family of benchmarks turns a sequence into curves and curves into scores.

    measure: boxes (N, 4) and truth to the success, precision and normalised precision curve
    scores:  curve to score, in the same order; x: the thresholds, likewise
    metrics: columns auc, precision, normalised_precision, success_rate
    """

    measure: Callable[[BoxRun, BoxTruth], tuple[Array, Array, Array]]
    scores: tuple[Callable[[Array], float], ...]
    x: tuple[Array, Array, Array]
    metrics: tuple[Metric, ...]


def otb_curves(run: BoxRun, truth: BoxTruth) -> tuple[Array, Array, Array]:
    """The three curves of one sequence by OTB's rule, over all frames."""
    boxes = metrics.with_true_start(run.boxes, truth.boxes)
    return (
        metrics.success_curve_otb(overlap(boxes, truth.boxes)),
        metrics.precision_curve_otb(metrics.centre_error_otb(boxes, truth.boxes)),
        metrics.normalised_precision_curve(boxes, truth.boxes),
    )


def uav_curves(run: BoxRun, truth: BoxTruth) -> tuple[Array, Array, Array]:
    """OTB's curves over the annotated frames; NaN where no frame is annotated."""
    annotated = ~np.isnan(truth.boxes).any(axis=1)
    boxes = metrics.with_true_start(run.boxes, truth.boxes)
    return otb_curves(BoxRun(boxes[annotated], run.source), BoxTruth(truth.boxes[annotated], truth.source))


def _lasot_curves(run: BoxRun, truth: BoxTruth) -> tuple[Array, Array, Array]:
    return metrics_lasot.lasot_curves(
        run.boxes, truth.boxes, None if truth.visible is None else ~truth.visible
    )


def _trackingnet_curves(run: BoxRun, truth: BoxTruth) -> tuple[Array, Array, Array]:
    return metrics_trackingnet.trackingnet_curves(run.boxes, truth.boxes)


def _columns(success: str, precision: str, normalised: str, counted: str) -> tuple[Metric, ...]:
    return (
        Metric("auc", "AUC", f"{success} {counted}"),
        Metric("precision", "Precision", f"{precision} {counted}"),
        Metric("normalised_precision", "Norm. precision", f"{normalised} {counted}"),
        Metric("success_rate", "SR 0.5", f"The success curve's value at overlap 0.5. {counted}"),
        *SPEED,
    )


_SUCCESS = (
    "Mean of the success curve: share of frames with overlap > t, t = 0, 0.05, ..., 1 (21 strict thresholds)."
)
_PRECISION = f"Share of frames with {CENTRES} at most 20 px apart."
_NORMALISED = "Share of frames whose centre error, divided by the truth's width and height, is at most 0.2."
_EVERY_FRAME = "First frame set to the truth, mean over sequences. A perfect tracker: AUC 20/21."
_OTB = CurveRule(
    otb_curves,
    (metrics.auc_otb, metrics.precision_otb, metrics.normalised_precision),
    (metrics.OVERLAP_THRESHOLDS_OTB, metrics.DISTANCE_THRESHOLDS_PX, metrics.NORMALISED_THRESHOLDS),
    _columns(_SUCCESS, _PRECISION, _NORMALISED, _EVERY_FRAME),
)
_UAV = CurveRule(
    uav_curves,
    _OTB.scores,
    _OTB.x,
    _columns(_SUCCESS, _PRECISION, _NORMALISED, f"{_EVERY_FRAME} Frames without annotation do not count."),
)
_LASOT = CurveRule(
    _lasot_curves,
    _OTB.scores,
    (metrics_lasot.OVERLAP_THRESHOLDS, *_OTB.x[1:]),
    _columns(
        _SUCCESS,
        _PRECISION,
        _NORMALISED,
        "First frame set to the truth; a box without size takes the one before. Frames with the target absent"
        " are no success but count as frames: a perfect tracker may score less than 20/21. A frame whose"
        " truth has no positive coordinates is a miss in success, a hit in precision. Mean over sequences.",
    ),
)
_AREA = "(area in trapezoids, coordinates rounded to whole pixels)."
_TRACKINGNET = CurveRule(
    _trackingnet_curves,
    (metrics_trackingnet.trackingnet_score,) * 3,
    (
        metrics_trackingnet.OVERLAP_THRESHOLDS,
        metrics_trackingnet.DISTANCE_THRESHOLDS_PX,
        metrics_trackingnet.NORMALISED_THRESHOLDS,
    ),
    _columns(
        f"Area under the share of frames with overlap >= t, t = 0, 0.05, ..., 1 {_AREA}",
        f"Area under the share of frames with centres at most 0, 2.5, ..., 50 px apart {_AREA}",
        "Area under the share of frames whose centre error, divided by the truth's width and height, is"
        f" at most 0, 0.025, ..., 0.5 {_AREA}",
        "First frame set to the truth, mean over sequences. A perfect tracker: 1.",
    ),
)


def rule_of(benchmark: Benchmark) -> CurveRule:
    """The rule that scores a benchmark of the families otb, lasot and trackingnet."""
    if benchmark.family == "otb":
        return _UAV if benchmark.annotated_frames else _OTB
    return _LASOT if benchmark.family == "lasot" else _TRACKINGNET


Rows = list[dict[str, Any]]


def evaluate_curves(
    loaded: LoadedBoxes, seed: int
) -> tuple[Rows, Rows, Sequence[Metric], dict[str, list[Curve]], list[str]]:
    """A row a tracker, a row a tracker and sequence, the columns, curves by plot, notes."""
    rule = rule_of(loaded.benchmark)
    columns = ("auc", "precision", "normalised_precision")
    rows: Rows = []
    by_sequence: Rows = []
    curves: dict[str, list[Curve]] = {"success": [], "precision": []}
    if loaded.benchmark.family != "otb":  # whose benchmarks publish no third plot
        curves["normalised-precision"] = []
    notes: list[str] = []
    for tracker, experiments in loaded.runs.items():
        runs = {name: run for name, (run,) in experiments[ONE_PASS].items()}
        if not runs:
            continue
        measured = [rule.measure(*counted_part(run, loaded.truths[name])) for name, run in runs.items()]
        speeds = [speed_of([run]) for run in runs.values()]
        for (name, run), own, speed in zip(runs.items(), measured, speeds, strict=True):
            by_sequence.append(
                {
                    "tracker": tracker,
                    "sequence": name,
                    "frames": frames_of(run),
                    **_scores(rule, columns, own),
                    "success_rate": own[0][10],
                    **speed,
                    "source": str(run.source),
                }
            )
        stacked = [np.array(each) for each in zip(*measured, strict=True)]
        row: dict[str, Any] = {
            "tracker": tracker,
            **_scores(rule, columns, [each.mean(axis=0) for each in stacked]),
            "success_rate": float(stacked[0].mean(axis=0)[10]),
        }
        details = by_sequence[-len(runs) :]
        for column in (*columns, "success_rate"):
            low, high = bootstrap_interval(np.array([detail[column] for detail in details]), seed=seed)
            row |= {f"{column}_low": float(low), f"{column}_high": float(high)}
        frame_rates = [speed["toolkit_fps"] for speed in speeds if np.isfinite(speed["toolkit_fps"])]
        row |= {
            **speed_of(list(runs.values())),
            "toolkit_fps": float(np.mean(frame_rates)) if frame_rates else float("nan"),
            "sequences": len(runs),
            "frames": sum(frames_of(run) for run in runs.values()),
        }
        rows.append(row)
        note = origin_note(tracker, [(run, loaded.truths[name]) for name, run in runs.items()])
        notes += [note] if note else []
        for plot, column, x, all_y in zip(curves, columns, rule.x, stacked, strict=False):
            low, high = bootstrap_interval(all_y, seed=seed)
            curves[plot].append(Curve(tracker, x, all_y.mean(axis=0), row[column], low, high))
    return rows, by_sequence, rule.metrics, curves, notes


def frames_of(run: BoxRun) -> int:
    """How many of its frames count."""
    return len(run.boxes) if run.counted is None else int(run.counted.sum())


def _scores(rule: CurveRule, columns: Sequence[str], curves: Sequence[Array]) -> dict[str, float]:
    return {column: score(curve) for column, score, curve in zip(columns, rule.scores, curves, strict=True)}
