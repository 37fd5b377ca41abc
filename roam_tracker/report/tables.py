"""Tables of an evaluation as words, CSV and plain text."""

import math
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from roam_tracker.report.scores import Evaluation, Metric

MISSING = "missing"


def shown_metrics(evaluation: Evaluation) -> list[Metric]:
    """The major metrics of which at least one tracker has a value, and always the first."""
    return [
        metric
        for index, metric in enumerate(evaluation.metrics)
        if index == 0 or (not metric.minor and evaluation.table[metric.column].notna().any())
    ]


def format_score(value: float, metric: Metric) -> str:
    """The score with the metric's digits, or `missing`."""
    return MISSING if math.isnan(value) else f"{value:.{metric.digits}f}"


def with_deviation(record: Mapping[Hashable, Any], metric: Metric) -> str:
    """The score, and the standard deviation where there were several trainings: `0.512 ± 0.010`."""
    score, deviation = format_score(float(record[metric.column]), metric), record.get(f"{metric.column}_std")
    return score if deviation is None or math.isnan(deviation) else f"{score} ± {deviation:.{metric.digits}f}"


def ranks(values: Sequence[float], metric: Metric) -> list[int]:
    """Rank of each score, 1 = best; equal scores share a rank; 0 for a missing one and for the worst."""
    sign = -1 if metric.best == "high" else 1
    known = [sign * value for value in values if not math.isnan(value)]
    return [
        0
        if math.isnan(value) or (len(known) > 1 and sign * value == max(known) > min(known))
        else 1 + sum(other < sign * value for other in known)
        for value in values
    ]


def used_of_total(evaluation: Evaluation, sequences: int) -> str:
    """How many sequences a score rests on: `9 of 100`."""
    return f"{sequences} of {evaluation.total}"


def to_csv(frame: pd.DataFrame) -> str:
    """Full digits, a header line, `nan` for a missing score."""
    return str(frame.to_csv(index=False, na_rep="nan", lineterminator="\n"))


def to_text(evaluation: Evaluation) -> str:
    """An aligned table for the terminal, best tracker first."""
    _, *rows = cells_of(evaluation)
    header = ["tracker", *(metric.heading for metric in shown_metrics(evaluation)), "sequences"]
    lines = aligned([header, *rows])
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def aligned(rows: Sequence[Sequence[str]], left: Collection[int] = (0,)) -> list[str]:
    """Rows of words as lines with equal columns; those of `left` to the left, the others to the right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            word.ljust(width) if index in left else word.rjust(width)
            for index, (word, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def cells_of(evaluation: Evaluation, marks: Mapping[int, str] | None = None) -> list[list[str]]:
    """Header and rows of words, best tracker first; `marks` are patterns with %s for ranks 1, 2, 3."""
    records = evaluation.table.to_dict("records")
    arrow = {"high": "\N{UPWARDS ARROW}", "low": "\N{DOWNWARDS ARROW}"}
    columns = [["tracker", *(record["tracker"] for record in records)]]
    for metric in shown_metrics(evaluation):
        placed = ranks([float(record[metric.column]) for record in records], metric)
        marked = [
            (marks or {}).get(rank, "%s") % with_deviation(record, metric)
            for record, rank in zip(records, placed, strict=True)
        ]
        columns.append([f"{metric.heading} {arrow[metric.best]}", *marked])
    columns.append(["sequences", *(used_of_total(evaluation, record["sequences"]) for record in records)])
    return [list(row) for row in zip(*columns, strict=True)]
