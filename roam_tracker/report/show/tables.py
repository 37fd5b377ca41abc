"""Tables of an evaluation as words: CSV, plain text, LaTeX (booktabs) and Markdown."""

import math
import re
from collections.abc import Collection, Hashable, Mapping, Sequence
from typing import Any, Literal

import pandas as pd

from roam_tracker.report.evaluation import Evaluation, Metric

MISSING = "missing"
TexStyle = Literal["plain", "colour"]
# the best three of a column; colours as in the paper
TEX_MARKS: dict[TexStyle, dict[int, str]] = {
    "plain": {1: r"\textbf{%s}", 2: r"\underline{%s}", 3: r"\textit{%s}"},
    "colour": {1: r"\textcolor{red}{%s}", 2: r"\textcolor{green}{%s}", 3: r"\textcolor{blue}{%s}"},
}
_NEEDS = {"plain": r"\usepackage{booktabs}", "colour": r"\usepackage{booktabs,xcolor}"}
_MARKDOWN_MARKS = {1: "**%s**", 2: "<u>%s</u>", 3: "*%s*"}
# control characters stand for the marks until the words are escaped
_HELD = {rank: f"{chr(rank)}%s{chr(4)}" for rank in (1, 2, 3)}
_LETTERS = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "\N{UPWARDS ARROW}": r"$\uparrow$",
    "\N{DOWNWARDS ARROW}": r"$\downarrow$",
    "\N{PLUS-MINUS SIGN}": r"$\pm$",
    "\N{EN DASH}": "--",
} | {letter: f"\\{letter}" for letter in "&%$#_{}"}


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


def to_tex(evaluation: Evaluation, style: TexStyle = "plain") -> str:
    """The evaluation's table for LaTeX, the best three of each column marked."""
    return tex_table(cells_of(evaluation, _HELD), evaluation.benchmark.name, style)


def to_markdown(evaluation: Evaluation) -> str:
    """The evaluation's table for Markdown, the best three of each column bold, underlined, italic."""
    return markdown_table(cells_of(evaluation, _MARKDOWN_MARKS))


def tex_table(rows: Sequence[Sequence[str]], title: str, style: TexStyle = "plain") -> str:
    """A booktabs table of words, the first row its header; what LaTeX would read otherwise is escaped."""
    header, *body = [[_escape(word, style) for word in row] for row in rows]
    lines = [
        rf"% {title}; needs {_NEEDS[style]}",
        rf"\begin{{tabular}}{{l{'r' * (len(header) - 1)}}}",
        r"\toprule",
        rf"{' & '.join([header[0].capitalize(), *header[1:]])} \\",
        r"\midrule",
        *(" & ".join(row) + r" \\" for row in body),
        r"\bottomrule",
        r"\end{tabular}",
    ]
    return "\n".join([*lines, ""])


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table of words, the first row its header, all columns but the first to the right."""
    header, *body = [[word.replace("|", r"\|") for word in row] for row in rows]
    for row in body:
        row[0] = re.sub(r"((?<!\w)_|_(?!\w)|[*`<])", r"\\\1", row[0])
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *body))


def _escape(text: str, style: TexStyle) -> str:
    escaped = "".join(_LETTERS.get(letter, letter) for letter in text)
    for rank, mark in TEX_MARKS[style].items():
        escaped = escaped.replace(chr(rank), mark.split("%s")[0])
    return escaped.replace(chr(4), "}")
