"""Variants of a tracker on the same targets, each from several starts: scores, differences to the first."""

from typing import Any

import pandas as pd

from roam_tracker.core.geometry import Boxes, overlap
from roam_tracker.report.score.otb import (
    auc_otb,
    centre_error_otb,
    precision_curve_otb,
    precision_otb,
    success_curve_otb,
    with_true_start,
)
from roam_tracker.report.score.statistics import bootstrap_interval

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
