"""Scores sequence by sequence: which metrics have them, their keys, two trackers side by side."""

import pandas as pd

from roam_tracker.report.scores import Evaluation, Metric


def sequence_metrics(evaluation: Evaluation) -> list[Metric]:
    """The metrics, minor ones left out, of which single sequences have scores."""
    frame = evaluation.by_sequence
    return [
        metric
        for metric in evaluation.metrics
        if not metric.minor and metric.column in frame and frame[metric.column].notna().any()
    ]


def sequence_keys(evaluation: Evaluation) -> pd.Series:
    """The key of each row of `by_sequence`: the sequence, for VOT `experiment/sequence`."""
    frame = evaluation.by_sequence
    return frame["experiment"] + "/" + frame["sequence"] if "experiment" in frame else frame["sequence"]


def pair_scores(
    evaluation: Evaluation, pair: tuple[str, str] | None = None
) -> tuple[pd.Series, pd.Series, Metric] | None:
    """Scores of two trackers by key, of the first metric that sequences have and of which more is better.

    pair: the trackers; None = the best two. The keys are of one experiment, the first that has scores.
    None where there are no two such trackers or no such metric.
    """
    names = list(evaluation.table["tracker"])
    first, second = pair or (*names[:2], "", "")[:2]
    metrics = [metric for metric in sequence_metrics(evaluation) if metric.best == "high"]
    if first not in names or second not in names or first == second or not metrics:
        return None
    rows = evaluation.by_sequence.assign(key=sequence_keys(evaluation)).dropna(subset=[metrics[0].column])
    if "experiment" in rows:
        rows = rows[rows["experiment"] == rows["experiment"].iloc[0]]
    grid = rows.pivot(index="key", columns="tracker", values=metrics[0].column)
    return (grid[first], grid[second], metrics[0]) if {first, second} <= set(grid) else None
