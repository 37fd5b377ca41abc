"""What an evaluation holds: metrics with their rules, curves, tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.runs import Loaded, Problem

Array = NDArray[np.float64]
Overlaps = dict[str, dict[str, Array]]


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of a table: its name, heading, the rule it follows, and whether high or low values win.

    A minor one is in the CSV file only.
    """

    column: str
    heading: str
    rule: str
    best: Literal["high", "low"] = "high"
    digits: int = 3
    minor: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """One tracker's curve: x, y (points,), its score for the legend, 95 % band (points,) each or None.

    Of several trainings it is the mean, and band and `deviation` of the score are standard deviations.
    """

    tracker: str
    x: Array
    y: Array
    score: float
    low: Array | None = None
    high: Array | None = None
    deviation: float | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """One benchmark, scored.

    table:     one row per tracker: `tracker`, the metrics' columns, `<column>_low/_high`, `sequences`,
               `frames`
    by_sequence: one row per tracker, experiment and sequence: scores, `frames`, `source` (the first file)
    curves:    by plot name: success, precision, eao, accuracy-robustness (one point per tracker)
    sources:   where results and ground truth lie; by tracker, what made its results, where that is known
    not_run:   sequences with ground truth that no tracker has results of
    total:     number of sequences of the whole benchmark
    overlaps:  by tracker and sequence (for VOT `experiment/sequence`) the overlap of each frame in the first
               repetition; NaN where the frame does not count
    attributes: one row per attribute and tracker: mean scores, `sequences`; None where none were given
    """

    benchmark: Benchmark
    table: pd.DataFrame
    by_sequence: pd.DataFrame
    metrics: Sequence[Metric]
    curves: dict[str, list[Curve]]
    sources: dict[str, str]
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    not_run: list[str] = field(default_factory=list)
    total: int = 0
    overlaps: Overlaps = field(default_factory=dict)
    attributes: pd.DataFrame | None = None

    @property
    def headline(self) -> Metric:
        """The metric that ranks the trackers."""
        return self.metrics[0]


def evaluation_of(
    loaded: Loaded[Any, Any],
    table: pd.DataFrame,
    by_sequence: list[dict[str, Any]],
    metrics: Sequence[Metric],
    curves: dict[str, list[Curve]],
    notes: Sequence[str],
    overlaps: Overlaps,
) -> Evaluation:
    """The evaluation of what was loaded, the best tracker first."""
    sources = {"results": str(loaded.results), "ground truth": str(loaded.annotations)}
    return Evaluation(
        loaded.benchmark,
        table.sort_values(metrics[0].column, ascending=False, kind="stable", ignore_index=True),
        pd.DataFrame(by_sequence),
        metrics,
        curves,
        sources | loaded.origins,
        loaded.problems,
        [*loaded.notes, *notes],
        loaded.not_run,
        loaded.total,
        overlaps,
    )
