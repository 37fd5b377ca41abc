"""Scores sequence by sequence, and two trackers on the sequences that both have: is one better?"""

import itertools

import numpy as np
import pandas as pd

from roam_tracker.report.evaluation import Array, Evaluation, Metric
from roam_tracker.report.score.statistics import bootstrap_interval

_EXACT_UP_TO = 14  # sequences: 2 ** 14 sign patterns


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


def sign_flip_p(differences: Array, *, seed: int = 0, draws: int = 10_000) -> float:
    """Share of sign patterns whose mean lies at least as far from 0 as the mean of `differences` (n,).

    A two-sided permutation test: were the trackers alike, each difference could as well have the other sign.
    All patterns up to 14 sequences, else `draws` random ones and the pattern found. NaN without any.
    """
    count = len(differences)
    if not count:
        return float("nan")
    if count <= _EXACT_UP_TO:
        signs = np.array(list(itertools.product((1.0, -1.0), repeat=count)))
    else:
        drawn = np.random.default_rng(seed).integers(0, 2, (draws, count)) * 2.0 - 1
        signs = np.concatenate([np.ones((1, count)), drawn])
    means = np.abs(signs @ differences)
    # room for the last bit of sums in another order
    return float(np.mean(means >= abs(differences.sum()) * (1 - 1e-12) - 1e-15))


def compare_trackers(evaluation: Evaluation, first: str, second: str, *, seed: int = 0) -> pd.DataFrame:
    """A row a metric (VOT: and experiment): both means, difference first - second, `low`, `high`, p.

    Each over the sequences that both have, every sequence alike; with their number and how many each wins.
    The interval is of the difference, by resampling sequences (95 %); p by `sign_flip_p`.
    """
    frame = evaluation.by_sequence.assign(key=sequence_keys(evaluation))
    if "experiment" not in frame:
        frame = frame.assign(experiment="one pass")
    rows = []
    for metric in sequence_metrics(evaluation):
        for experiment, part in frame.dropna(subset=[metric.column]).groupby("experiment", sort=True):
            grid = part.pivot(index="key", columns="tracker", values=metric.column)
            if not {first, second} <= set(grid):
                continue
            pairs = grid[[first, second]].dropna().to_numpy()
            differences = pairs[:, 0] - pairs[:, 1]
            low, high = bootstrap_interval(differences, seed=seed)
            better = differences if metric.best == "high" else -differences
            rows.append(
                {
                    "benchmark": evaluation.benchmark.name,
                    "experiment": experiment,
                    "metric": metric.column,
                    "first": first,
                    "second": second,
                    "first_mean": float(pairs[:, 0].mean()) if len(pairs) else float("nan"),
                    "second_mean": float(pairs[:, 1].mean()) if len(pairs) else float("nan"),
                    "difference": float(differences.mean()) if len(pairs) else float("nan"),
                    "low": float(low),
                    "high": float(high),
                    "p": sign_flip_p(differences, seed=seed),
                    "sequences": len(pairs),
                    "first_wins": int((better > 0).sum()),
                    "second_wins": int((better < 0).sum()),
                }
            )
    return pd.DataFrame(rows)
