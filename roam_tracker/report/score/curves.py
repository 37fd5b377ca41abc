"""What OTB and its kin, LaSOT and TrackingNet share: three curves per sequence, averaged over sequences."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from roam_tracker.datasets.truth import Truth
from roam_tracker.report.evaluation import Array, Curve, Evaluation, Metric, evaluation_of
from roam_tracker.report.runs import BoxRun, LoadedBoxes
from roam_tracker.report.score.speed import SPEED, speed_of
from roam_tracker.report.score.statistics import bootstrap_interval

COLUMNS = ("auc", "precision", "normalised_precision", "success_rate")
SUCCESS = (
    "Mean of the success curve: share of frames with overlap > t, t = 0, 0.05, ..., 1 (21 strict thresholds)."
)
PRECISION = "Share of frames with centres (x, y) + ((w, h) - 1)/2 at most 20 px apart."
NORMALISED = "Share of frames whose centre error, divided by the truth's width and height, is at most 0.2."

Curves = tuple[Array, Array, Array]  # success, precision, normalised precision


@dataclass(frozen=True, slots=True)
class CurveRule:
    """How one family of benchmarks turns a sequence into curves and curves into scores.

    measure: a run and its truth to the three curves and the overlap per frame, NaN where it does not count
    score:   the three curves, of one sequence or their means, to the scores `auc`, `precision`,
             `normalised_precision`
    x:       the thresholds of each curve
    metrics: the columns of the table
    """

    measure: Callable[[BoxRun, Truth], tuple[Curves, Array]]
    score: Callable[[Curves], tuple[float, float, float]]
    x: Curves
    metrics: tuple[Metric, ...]


def curve_metrics(success: str, precision: str, normalised: str, counted: str) -> tuple[Metric, ...]:
    """The columns, each with its rule in words; `counted` says which frames count and how means are taken."""
    return (
        Metric("auc", "AUC", f"{success} {counted}"),
        Metric("precision", "Precision", f"{precision} {counted}"),
        Metric("normalised_precision", "Norm. precision", f"{normalised} {counted}"),
        Metric("success_rate", "SR 0.5", f"The success curve's value at overlap 0.5. {counted}"),
        *SPEED,
    )


def evaluate_curves(loaded: LoadedBoxes, rule: CurveRule, seed: int, notes: Sequence[str]) -> Evaluation:
    """Score every tracker by its curves; intervals by resampling sequences."""
    rows: list[dict[str, Any]] = []
    by_sequence: list[dict[str, Any]] = []
    plots = ["success", "precision"]
    if loaded.benchmark.family != "otb":  # whose benchmarks publish no third plot
        plots.append("normalised-precision")
    curves: dict[str, list[Curve]] = {plot: [] for plot in plots}
    overlaps: dict[str, dict[str, Array]] = {}
    for tracker, group in groupby(loaded.runs, attrgetter("tracker")):
        runs = list(group)
        measured = [rule.measure(run, loaded.truths[run.sequence]) for run in runs]
        overlaps[tracker] = {run.sequence: own[1] for run, own in zip(runs, measured, strict=True)}
        stacked = [np.array(each) for each in zip(*(own for own, _ in measured), strict=True)]
        scores = np.array([_scores(rule, own) for own, _ in measured])
        speeds = [speed_of([run]) for run in runs]
        frames = [len(run.boxes) if run.counted is None else int(run.counted.sum()) for run in runs]
        for index, run in enumerate(runs):
            by_sequence.append(
                {
                    "tracker": tracker,
                    "sequence": run.sequence,
                    "frames": frames[index],
                    **dict(zip(COLUMNS, scores[index].tolist(), strict=True)),
                    **speeds[index],
                    "source": str(run.source),
                }
            )
        means = [each.mean(axis=0) for each in stacked]
        low, high = bootstrap_interval(np.column_stack([scores, *stacked]), seed=seed)
        row: dict[str, Any] = {"tracker": tracker}
        row |= dict(zip(COLUMNS, _scores(rule, (means[0], means[1], means[2])), strict=True))
        for index, column in enumerate(COLUMNS):
            row |= {f"{column}_low": float(low[index]), f"{column}_high": float(high[index])}
        rates = [speed["toolkit_fps"] for speed in speeds if np.isfinite(speed["toolkit_fps"])]
        row |= speed_of(runs) | {"toolkit_fps": float(np.mean(rates)) if rates else float("nan")}
        rows.append(row | {"sequences": len(runs), "frames": sum(frames)})
        start = len(COLUMNS)
        for plot, column, x, mean in zip(plots, COLUMNS, rule.x, means, strict=False):
            part, start = slice(start, start + len(x)), start + len(x)
            curves[plot].append(Curve(tracker, x, mean, row[column], low[part], high[part]))
    return evaluation_of(loaded, pd.DataFrame(rows), by_sequence, rule.metrics, curves, notes, overlaps)


def _scores(rule: CurveRule, curves: Curves) -> tuple[float, ...]:
    return (*rule.score(curves), float(curves[0][10]))
