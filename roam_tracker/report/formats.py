"""Tables of words as LaTeX (booktabs) and Markdown."""

from collections.abc import Sequence
from typing import Literal

from roam_tracker.report.scores import Evaluation
from roam_tracker.report.tables import cells_of

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
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "".join(f"| {' | '.join(row)} |\n" for row in (header, rule, *body))


def _escape(text: str, style: TexStyle) -> str:
    escaped = "".join(_LETTERS.get(letter, letter) for letter in text)
    for rank, mark in TEX_MARKS[style].items():
        escaped = escaped.replace(chr(rank), mark.split("%s")[0])
    return escaped.replace(chr(4), "}")
