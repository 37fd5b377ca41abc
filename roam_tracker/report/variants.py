"""Variants of a tracker on the same targets, each from several starts: scores, differences to the first."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from roam_tracker.core.geometry import Boxes, overlap
from roam_tracker.report.metrics import (
    Array,
    auc_otb,
    centre_error_otb,
    precision_curve_otb,
    precision_otb,
    success_curve_otb,
    with_true_start,
)
from roam_tracker.report.statistics import bootstrap_interval
from roam_tracker.report.tables import aligned

LOST_BELOW = 0.2  # AUC of a target, mean over its starts
CLEAR = 0.02  # difference in AUC that counts as better or worse
_DRAWS = 10_000


def score_track(boxes: Boxes, truth: Boxes) -> tuple[float, float]:
    """Success AUC and precision at 20 px of one track by OTB's rules.

    boxes: (N, 4) x, y, w, h in px, NaN where there is none; the first frame scores as the truth
    truth: (N, 4); frames where it has no area, because the target is absent, are left out
    """
    seen = (truth[:, 2:] > 0).all(axis=1)
    boxes, truth = with_true_start(boxes, truth)[seen], truth[seen]
    distance = centre_error_otb(boxes, truth)
    return auc_otb(success_curve_otb(overlap(boxes, truth))), precision_otb(precision_curve_otb(distance))


def summarise_variants(scores: pd.DataFrame, *, seed: int = 0) -> pd.DataFrame:
    """A row a variant, in the order in which they come; the first is the one others are compared with.

    scores: a row a variant, target and start: `variant`, `target`, `start`, `auc`, `precision`, `frames`,
            `seconds`; every variant with the same targets and starts
    columns: means `auc` and `precision` over targets of means over starts, `lost` targets, `targets`,
            differences to the first (`auc_difference`, `_low`, `_high`: 95 %, resampling targets), how many
            targets are `better` and `worse` by more than 0.02 AUC, `fps`
    """
    names = list(dict.fromkeys(scores["variant"]))
    means = scores.groupby(["variant", "target"])[["auc", "precision"]].mean()
    first, rows = means.loc[names[0]], []
    for name, runs in scores.groupby("variant", sort=False):
        own = means.loc[str(name)].loc[first.index]
        change = own - first
        row: dict[str, Any] = {
            "variant": name,
            "auc": float(own["auc"].mean()),
            "precision": float(own["precision"].mean()),
            "lost": int((own["auc"] < LOST_BELOW).sum()),
            "targets": len(own),
        }
        for metric in ("auc", "precision"):
            low, high = bootstrap_interval(change[metric].to_numpy(float), seed=seed, draws=_DRAWS)
            row |= {
                f"{metric}_difference": float(change[metric].mean()),
                f"{metric}_low": float(low),
                f"{metric}_high": float(high),
            }
        row["better"], row["worse"] = int((change["auc"] > CLEAR).sum()), int((change["auc"] < -CLEAR).sum())
        row["fps"] = float(runs["frames"].sum() / runs["seconds"].sum())
        rows.append(row)
    return pd.DataFrame(rows)


def variant_lines(summary: pd.DataFrame) -> list[str]:
    """The summary as lines of text."""
    head = ["variant", "AUC", "precision", "lost", "AUC - first", "95 %", "better : worse"]
    head += ["precision - first", "95 %", "frames/s"]
    rows = [
        [
            row["variant"],
            f"{row['auc']:.3f}",
            f"{row['precision']:.3f}",
            f"{row['lost']} of {row['targets']}",
            *_difference(row, "auc", number == 0),
            "" if number == 0 else f"{row['better']} : {row['worse']}",
            *_difference(row, "precision", number == 0),
            f"{row['fps']:.1f}",
        ]
        for number, row in enumerate(summary.to_dict("records"))
    ]
    return aligned([head, *rows])


def target_lines(scores: pd.DataFrame) -> list[str]:
    """AUC and precision of every target, means over starts, a column a variant."""
    names = list(dict.fromkeys(scores["variant"]))
    grids = {
        metric: scores.pivot_table(index="target", columns="variant", values=metric)[names].to_numpy(float)
        for metric in ("auc", "precision")
    }
    targets = sorted(scores["target"].unique())
    rows = [
        [str(target), *_cells(grids["auc"][number]), *_cells(grids["precision"][number])]
        for number, target in enumerate(targets)
    ]
    head = ["target", *(f"AUC {name}" for name in names), *(f"precision {name}" for name in names)]
    return aligned([head, *rows])


def _difference(row: dict[Any, Any], metric: str, is_first: bool) -> Sequence[str]:
    if is_first:
        return "", ""
    low, high = row[f"{metric}_low"], row[f"{metric}_high"]
    interval = "-" if np.isnan(low) else f"{low:+.3f} to {high:+.3f}"
    return f"{row[f'{metric}_difference']:+.3f}", interval


def _cells(values: Array) -> list[str]:
    return [f"{value:.3f}" for value in values]
