"""Several trainings of one tracker as one row and one curve: mean and standard deviation.

Results named NAME-seed1, NAME-seed2, ... are further trainings of NAME, beside those named NAME.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd

from roam_tracker.report.evaluation import Curve, Evaluation


def seed_groups(trackers: Iterable[str]) -> dict[str, list[str]]:
    """Name without seed -> the names of its trainings."""
    groups: dict[str, list[str]] = {}
    for name in trackers:
        groups.setdefault(re.sub(r"-seed\d+$", "", name), []).append(name)
    return groups


def merge_seeds(evaluation: Evaluation, labels: Mapping[str, str]) -> Evaluation:
    """The evaluation with one row and curve for each tracker of `labels` (name without seed -> label).

    Of several trainings the table has the mean, `<column>_std` with n - 1 below the sum, and `trainings`;
    a curve's band is the standard deviation on either side. One training keeps its intervals.
    """
    rows = []
    curves: dict[str, list[Curve]] = {plot: [] for plot in evaluation.curves}
    columns = [metric.column for metric in evaluation.metrics]
    for base, names in seed_groups(evaluation.table["tracker"]).items():
        if base not in labels:
            continue
        part = evaluation.table[evaluation.table["tracker"].isin(names)]
        row = part.iloc[0].to_dict() | {"tracker": labels[base], "trainings": len(part)}
        if len(part) > 1:
            row = {key: value for key, value in row.items() if not str(key).endswith(("_low", "_high"))}
            row |= {column: float(part[column].mean()) for column in columns}
            row |= {f"{column}_std": float(part[column].std(ddof=1)) for column in columns}
        rows.append(row)
        for plot, drawn in evaluation.curves.items():
            own = [curve for curve in drawn if curve.tracker in names]
            curves[plot].extend([_merged(own, labels[base])] if own else [])
    headline = evaluation.headline.column
    table = pd.DataFrame(rows).sort_values(headline, ascending=False, kind="stable", ignore_index=True)
    return replace(evaluation, table=table, curves=curves)


def _merged(curves: list[Curve], label: str) -> Curve:
    if len(curves) == 1:
        return replace(curves[0], tracker=label, low=None, high=None)
    heights = np.array([curve.y for curve in curves])
    scores = np.array([curve.score for curve in curves])
    mean, deviation = heights.mean(axis=0), heights.std(axis=0, ddof=1)
    return Curve(
        label,
        curves[0].x,
        mean,
        float(scores.mean()),
        mean - deviation,
        mean + deviation,
        float(scores.std(ddof=1)),
    )
