"""Two trackers on the sequences both have: difference, interval, and how often chance does as much."""

import itertools
from collections.abc import Sequence

import numpy as np
import pandas as pd

from roam_tracker.report.by_sequence import sequence_keys, sequence_metrics
from roam_tracker.report.metrics import Array
from roam_tracker.report.scores import Evaluation
from roam_tracker.report.statistics import bootstrap_interval
from roam_tracker.report.tables import aligned

_EXACT_UP_TO = 14  # sequences: 2 ** 14 sign patterns


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
