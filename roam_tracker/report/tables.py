"""Tables of an evaluation as CSV, LaTeX and plain text."""

import math
from collections.abc import Hashable, Mapping, Sequence
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
    chosen = shown_metrics(evaluation)
    rows = [["tracker", *(metric.heading for metric in chosen), "sequences"]]
    for record in evaluation.table.to_dict("records"):
        rows.append(
            [
                record["tracker"],
                *(with_deviation(record, metric) for metric in chosen),
                used_of_total(evaluation, record["sequences"]),
            ]
        )
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "  ".join(
            word.ljust(width) if index == 0 else word.rjust(width)
            for index, (word, width) in enumerate(zip(row, widths, strict=True))
        )
        for row in rows
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])


def to_tex(evaluation: Evaluation) -> str:
    r"""A booktabs table: best three of each column in \textbf, \underline, \textit."""
    chosen = shown_metrics(evaluation)
    style = {1: r"\textbf{%s}", 2: r"\underline{%s}", 3: r"\textit{%s}"}
    columns = []
    records = evaluation.table.to_dict("records")
    for metric in chosen:
        placed = ranks([float(record[metric.column]) for record in records], metric)
        columns.append(
            [
                style.get(rank, "%s") % with_deviation(record, metric).replace("±", r"$\pm$")
                for record, rank in zip(records, placed, strict=True)
            ]
        )
    arrow = {"high": r"$\uparrow$", "low": r"$\downarrow$"}
    header = " & ".join(
        ["Tracker", *(f"{_escape(metric.heading)} {arrow[metric.best]}" for metric in chosen), "Sequences"]
    )
    lines = [
        rf"% {evaluation.benchmark.name}; needs \usepackage{{booktabs}}",
        rf"\begin{{tabular}}{{l{'r' * (len(chosen) + 1)}}}",
        r"\toprule",
        rf"{header} \\",
        r"\midrule",
    ]
    for index, record in enumerate(records):
        cells = [
            _escape(record["tracker"]),
            *(column[index] for column in columns),
            used_of_total(evaluation, record["sequences"]),
        ]
        lines.append(" & ".join(cells) + r" \\")
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", ""])


def _escape(text: str) -> str:
    replaced = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(replaced.get(letter, f"\\{letter}" if letter in "&%$#_{}" else letter) for letter in text)
