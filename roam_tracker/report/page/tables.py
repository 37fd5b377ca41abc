"""The page's tables, whole in the HTML; the script makes them sortable."""

import math
import re
from collections.abc import Hashable, Mapping
from html import escape
from typing import Any

import pandas as pd

from roam_tracker.report.evaluation import Evaluation, Metric
from roam_tracker.report.page.plots import Numbers, swatch
from roam_tracker.report.paper.tables import compare_with_paper
from roam_tracker.report.score.pairs import sequence_keys, sequence_metrics
from roam_tracker.report.show.tables import MISSING, format_score, ranks, shown_metrics, used_of_total

_ARROW = {"high": "↑", "low": "↓"}
_NARROW = 12  # columns of trackers that paper in portrait holds
_PLACE = {1: "first", 2: "second", 3: "third"}


def headline_table(evaluation: Evaluation, numbers: Numbers) -> str:
    """A row a tracker, best first, with the best three of each column marked."""
    chosen = shown_metrics(evaluation)
    records = evaluation.table.to_dict("records")
    placed = {
        metric.column: ranks([record[metric.column] for record in records], metric) for metric in chosen
    }
    head = "".join(
        f'<th scope="col"{_sorted(metric) if index == 0 else ""} title="{escape(metric.rule)}">'
        f'{escape(metric.heading)} <span class="arrow" aria-label="{metric.best} is better">'
        f"{_ARROW[metric.best]}</span></th>"
        for index, metric in enumerate(chosen)
    )
    with_interval = any(f"{metric.column}_low" in evaluation.table for metric in chosen)
    interval = " Small figures: 95 % interval over sequences." if with_interval else ""
    most, rows = max(record["sequences"] for record in records), []
    for index, record in enumerate(records):
        cells = "".join(_score(record, metric, placed[metric.column][index]) for metric in chosen)
        number, used = numbers[record["tracker"]], record["sequences"]
        partial = ' class="partial" title="fewer than others: scores do not compare"' if used < most else ""
        rows.append(
            f'<tr data-t="{number}"><th scope="row">{swatch(number)} {escape(record["tracker"])}</th>{cells}'
            f'<td data-v="{used}"{partial}>{used_of_total(evaluation, used)}</td></tr>'
        )
    return (
        '<div class="scroll"><table class="headline">'
        '<caption>Best three of each column: <b class="first">bold</b>,'
        ' <span class="second">underlined</span>, <i class="third">italic</i>.'
        f"{interval}</caption>"
        f'<thead><tr><th scope="col">Tracker</th>{head}<th scope="col">Sequences</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def sequence_tables(evaluation: Evaluation, numbers: Numbers) -> str:
    """For each metric that sequences have, and each experiment of VOT, a row a sequence."""
    frame = evaluation.by_sequence.assign(key=sequence_keys(evaluation))
    tables: list[str] = []
    for experiment in frame["experiment"].unique() if "experiment" in frame else [""]:
        part = frame[frame["experiment"] == experiment] if experiment else frame
        for metric in sequence_metrics(evaluation):
            if part[metric.column].notna().any():
                title = f"{metric.heading} by sequence" + (f", {experiment}" if experiment else "")
                tables.append(_sequence_table(evaluation, part, metric, title, numbers, first=not tables))
    return "\n".join(tables)


def paper_table(evaluation: Evaluation) -> str:
    """The numbers that the paper prints beside those of raw results; nothing where there are none of both."""
    cells = compare_with_paper([evaluation])
    rows = []
    for cell in cells[cells["verdict"] != "missing"].to_dict("records"):
        known = not math.isnan(cell["low"])
        values = (
            f"{cell['printed']:.{cell['digits']}f}",
            f"{cell['rebuilt']:.3f}",
            f"{cell['difference']:+.3f}",
            f"{cell['low']:.3f}–{cell['high']:.3f}" if known else MISSING,
            f"{cell['verdict']}{': ' * bool(cell['reason'])}{cell['reason']}",
        )
        rows.append(
            f'<tr><th scope="row">{escape(cell["tracker"])}, {escape(cell["column"])}</th>'
            f"{''.join(f'<td>{escape(value)}</td>' for value in values)}</tr>"
        )
    if not rows:
        return ""
    heads = ("Tracker, score", "Printed", "Rebuilt", "Difference", "95 % interval", "Verdict")
    head = "".join(f'<th scope="col">{word}</th>' for word in heads)
    return (
        "<details open><summary>Beside the paper's numbers</summary>"
        '<div class="scroll"><table class="paper">'
        f"<thead><tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def attribute_table(evaluation: Evaluation, numbers: Numbers) -> str:
    """A row an attribute, a column a tracker: the headline score over the sequences that have it."""
    frame = getattr(evaluation, "attributes", None)
    if not isinstance(frame, pd.DataFrame) or evaluation.headline.column not in frame or frame.empty:
        return ""
    part = frame.assign(key=frame["attribute"], sequence=frame["attribute"], frames=frame["sequences"])
    title = f"{evaluation.headline.heading} by attribute"
    heads = ("Attribute", "Sequences")
    return _sequence_table(evaluation, part, evaluation.headline, title, numbers, heads)


def _sequence_table(
    evaluation: Evaluation,
    part: pd.DataFrame,
    metric: Metric,
    title: str,
    numbers: Numbers,
    heads: tuple[str, str] = ("Sequence", "Frames"),
    *,
    first: bool = False,
) -> str:
    """A row a key. part: columns `key`, `sequence` (its name), `frames`, `tracker`, the metric's."""
    trackers = list(evaluation.table["tracker"])
    grid = part.pivot(index="key", columns="tracker", values=metric.column).reindex(columns=trackers)
    frames, names = part.groupby("key")["frames"].max(), part.groupby("key")["sequence"].first()
    share = metric.best == "high" and bool((grid.max().dropna() <= 1).all())
    row = 'data-k="%s"' if heads[0] == "Sequence" else 'data-row="%s"'  # a sequence can be opened
    rows = []
    for key, values in zip(grid.index, grid.to_numpy(dtype=float), strict=True):
        cells = "".join(
            _cell(value, metric, rank, numbers[tracker], share)
            for tracker, value, rank in zip(trackers, values, ranks(list(values), metric), strict=True)
        )
        rows.append(
            f'<tr {row % escape(key)}><th scope="row">{escape(names[key])}</th>'
            f"<td>{frames[key]}</td>{cells}</tr>"
        )
    wide = f' class="wide" style="--columns:{len(trackers)}"' if len(trackers) > _NARROW else ""
    head = "".join(
        f'<th scope="col" data-t="{numbers[name]}">{swatch(numbers[name])} {_breakable(name)}</th>'
        for name in trackers
    )
    return (
        f"<details{' open' if first else ''}{wide}><summary>{escape(title)}</summary>"
        '<div class="scroll tall">'
        '<table class="sequences"><thead><tr>'
        f'<th scope="col" aria-sort="ascending">{heads[0]}</th><th scope="col">{heads[1]}</th>{head}'
        f"</tr></thead><tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _breakable(name: str) -> str:
    return re.sub(r"(?<=[_-])(?=.)", "<wbr>", escape(name))


def _score(record: Mapping[Hashable, Any], metric: Metric, rank: int) -> str:
    value = float(record[metric.column])
    if math.isnan(value):
        return f'<td class="missing">{MISSING}</td>'
    low, high = record.get(f"{metric.column}_low", math.nan), record.get(f"{metric.column}_high", math.nan)
    interval = (
        "" if math.isnan(low) else f"<small>{format_score(low, metric)}–{format_score(high, metric)}</small>"
    )
    return (
        f'<td data-v="{value!r}" data-m="{metric.column}"><span class="{_PLACE.get(rank, "")}">'
        f"{format_score(value, metric)}</span>{interval}</td>"
    )


def _cell(value: float, metric: Metric, rank: int, number: int, share: bool) -> str:
    """share: tint the cell by its value, a share of 1."""
    if math.isnan(value):
        return f'<td data-t="{number}" class="missing">–</td>'
    tint = f' style="--v:{100 * value:.0f}%"' if share else ""
    text = format_score(value, metric)
    return f'<td data-t="{number}"{tint}>{f"<b>{text}</b>" if rank == 1 else text}</td>'


def _sorted(metric: Metric) -> str:
    return f' aria-sort="{"descending" if metric.best == "high" else "ascending"}"'
