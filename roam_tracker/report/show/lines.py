"""Comparisons as lines of text: two trackers tested, variants of one tracker side by side."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from roam_tracker.report.evaluation import Array
from roam_tracker.report.show.tables import aligned


def comparison_lines(comparisons: Sequence[pd.DataFrame]) -> list[str]:
    """Text lines of comparisons, a line a metric."""
    table = pd.concat(comparisons) if comparisons else pd.DataFrame()
    if table.empty:
        return ["No sequence has results of both."]
    rows = [
        [
            f"{row['benchmark']} {row['metric']}",
            f"{row['first_mean']:.3f}",
            f"{row['second_mean']:.3f}",
            f"{row['difference']:+.3f}",
            f"{row['low']:+.3f} to {row['high']:+.3f}",
            f"{row['p']:.4f}",
            f"{row['first_wins']} : {row['second_wins']} of {row['sequences']}",
        ]
        for row in table.to_dict("records")
    ]
    first, second = table["first"].iloc[0], table["second"].iloc[0]
    return aligned([["", first, second, "difference", "95 %", "p", "sequences won"], *rows])


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
