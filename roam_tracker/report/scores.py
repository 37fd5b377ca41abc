"""What an evaluation holds: metrics with their rules, curves, tables."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.load import Problem

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Metric:
    """A column of a table: its name, heading, the rule it follows, and whether high or low values win.

    A minor one stands in the CSV file only.
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

    table:     a row a tracker: `tracker`, the metrics' columns, `<column>_low/_high`, `sequences`, `frames`
    by_sequence: a row a tracker, experiment and sequence: scores, `frames`, `source` (the first result file)
    curves:    by plot name: success, precision, eao, accuracy-robustness (a point each)
    sources:   where results and ground truth lie; by tracker, what made its results, where that is known
    not_run:   sequences with ground truth that no tracker has results of
    total:     sequences of the whole benchmark
    overlaps:  by tracker and sequence (for VOT `experiment/sequence`) the overlap of each frame, first
               repetition; NaN where the frame does not count
    attributes: a row an attribute and tracker: mean scores, `sequences`; None where none were given
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
    overlaps: dict[str, dict[str, Array]] = field(default_factory=dict)
    attributes: pd.DataFrame | None = None

    @property
    def headline(self) -> Metric:
        """The metric that ranks the trackers."""
        return self.metrics[0]
