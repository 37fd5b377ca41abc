"""The page: one self-contained HTML file with tables, plots and the origin of every number."""

import base64
import math
from collections.abc import Hashable, Mapping, Sequence
from html import escape
from typing import Any

from roam_tracker.report.load import describe
from roam_tracker.report.page_style import CSS
from roam_tracker.report.plots import Style, draw, plot_title, render
from roam_tracker.report.scores import Evaluation, Metric
from roam_tracker.report.tables import MISSING, format_score, ranks, shown_metrics, used_of_total
from roam_tracker.version import __version__

_ARROW = {"high": "↑", "low": "↓"}
_PLACE = {1: "first", 2: "second", 3: "third"}


def build_page(evaluations: Sequence[Evaluation], styles: Mapping[str, Style] | None = None) -> str:
    """HTML of all benchmarks. Nothing is loaded from elsewhere; plots are drawn into the page."""
    names = [evaluation.benchmark.name for evaluation in evaluations]
    links = " ".join(
        f'<a href="#{_slug(evaluation)}">{escape(evaluation.benchmark.name)}</a>'
        for evaluation in evaluations
    )
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>Tracking report: {escape(', '.join(names))}</title>",
            f"<style>{CSS}</style></head>",
            f"<body><header><h1>Tracking report</h1><nav>{links}</nav></header>",
            "<main>",
            *(_section(evaluation, styles) for evaluation in evaluations),
            "</main>",
            f"<footer>Made by roam-tracker {escape(__version__)}.</footer></body></html>",
            "",
        ]
    )


def _section(evaluation: Evaluation, styles: Mapping[str, Style] | None) -> str:
    slug = _slug(evaluation)
    return "\n".join(
        [
            f'<section id="{slug}" aria-labelledby="{slug}-title">',
            f'<h2 id="{slug}-title">{escape(evaluation.benchmark.name)}</h2>',
            f"<p>{_counts(evaluation)}</p>",
            _problems(evaluation),
            _headline(evaluation),
            '<div class="plots">',
            *(_figure(evaluation, plot, styles) for plot in evaluation.curves),
            "</div>",
            _sequences(evaluation),
            _coverage(evaluation),
            _origin(evaluation),
            "</section>",
        ]
    )


def _counts(evaluation: Evaluation) -> str:
    used = len(evaluation.by_sequence["sequence"].unique())
    count = len(evaluation.table)
    text = f"{count} tracker{'s' * (count != 1)}, {used_of_total(evaluation, used)} sequences."
    partial = evaluation.table["sequences"] < evaluation.table["sequences"].max()
    if partial.any():
        names = ", ".join(evaluation.table["tracker"][partial])
        text += f" Scores over different sequences do not compare: {names} used fewer."
    return escape(text)


def _problems(evaluation: Evaluation) -> str:
    sentences = describe(evaluation.problems)
    blocks = []
    if sentences:
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
        blocks.append(f'<aside class="problems" role="note"><h3>Left out</h3><ul>{items}</ul></aside>')
    if evaluation.notes:
        items = "".join(f"<li>{escape(note)}</li>" for note in evaluation.notes)
        blocks.append(f'<aside role="note"><h3>Notes</h3><ul>{items}</ul></aside>')
    return "\n".join(blocks)


def _headline(evaluation: Evaluation) -> str:
    chosen = shown_metrics(evaluation)
    records = evaluation.table.to_dict("records")
    placed = {
        metric.column: ranks([record[metric.column] for record in records], metric) for metric in chosen
    }
    head = "".join(
        f'<th scope="col" title="{escape(metric.rule)}">{escape(metric.heading)}'
        f' <span class="arrow" aria-label="{metric.best} is better">{_ARROW[metric.best]}</span>'
        "</th>"
        for metric in chosen
    )
    with_interval = any(f"{metric.column}_low" in evaluation.table for metric in chosen)
    interval = " Small figures: 95 % interval over sequences." if with_interval else ""
    rows = []
    for index, record in enumerate(records):
        cells = "".join(_score(record, metric, placed[metric.column][index]) for metric in chosen)
        rows.append(
            f'<tr><th scope="row">{escape(record["tracker"])}</th>{cells}'
            f"<td>{used_of_total(evaluation, record['sequences'])}</td></tr>"
        )
    return (
        '<div class="scroll"><table class="headline">'
        '<caption>Best three of each column: <b class="first">bold</b>,'
        ' <span class="second">underlined</span>, <i class="third">italic</i>.'
        f"{interval}</caption>"
        f'<thead><tr><th scope="col">Tracker</th>{head}<th scope="col">Sequences</th></tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table></div>"
    )


def _score(record: Mapping[Hashable, Any], metric: Metric, rank: int) -> str:
    value = float(record[metric.column])
    if math.isnan(value):
        return f'<td class="missing">{MISSING}</td>'
    low, high = record.get(f"{metric.column}_low", math.nan), record.get(f"{metric.column}_high", math.nan)
    interval = (
        "" if math.isnan(low) else f"<small>{format_score(low, metric)}–{format_score(high, metric)}</small>"
    )
    return f'<td><span class="{_PLACE.get(rank, "")}">{format_score(value, metric)}</span>{interval}</td>'


def _figure(evaluation: Evaluation, plot: str, styles: Mapping[str, Style] | None) -> str:
    picture = base64.b64encode(render(draw(evaluation, plot, styles), "svg")).decode()
    name = f"{evaluation.benchmark.name}, {plot_title(plot)}"
    return (
        f'<figure><img src="data:image/svg+xml;base64,{picture}" width="520" height="410"'
        f' alt="Plot: {escape(name)}">'
        f"<figcaption>{escape(name)}</figcaption></figure>"
    )


def _sequences(evaluation: Evaluation) -> str:
    """The headline metric's counterpart by sequence, a column a tracker; for VOT of each experiment."""
    frame = evaluation.by_sequence
    parts = []
    experiments = frame["experiment"].unique() if "experiment" in frame else [""]
    trackers = list(evaluation.table["tracker"])
    for experiment in experiments:
        part = frame[frame["experiment"] == experiment] if experiment else frame
        for metric in _sequence_metrics(evaluation):
            if metric.column not in part or part[metric.column].isna().all():
                continue
            grid = part.pivot(index="sequence", columns="tracker", values=metric.column).reindex(
                columns=trackers
            )
            frames = part.groupby("sequence")["frames"].max()
            rows = []
            for sequence, values in zip(grid.index, grid.to_numpy(dtype=float), strict=True):
                cells = "".join(
                    _cell(value, metric, rank)
                    for value, rank in zip(values, ranks(list(values), metric), strict=True)
                )
                rows.append(
                    f'<tr><th scope="row">{escape(sequence)}</th><td>{frames[sequence]}</td>{cells}</tr>'
                )
            title = f"{metric.heading} by sequence" + (f", {experiment}" if experiment else "")
            head = "".join(f'<th scope="col">{escape(tracker)}</th>' for tracker in trackers)
            parts.append(
                f'<details><summary>{escape(title)}</summary><div class="scroll"><table><thead><tr>'
                f'<th scope="col">Sequence</th><th scope="col">Frames</th>{head}</tr></thead>'
                f"<tbody>{''.join(rows)}</tbody></table></div></details>"
            )
    return "\n".join(parts)


def _sequence_metrics(evaluation: Evaluation) -> list[Metric]:
    plain = [
        metric
        for metric in evaluation.metrics
        if metric.column in ("auc", "precision", "ao", "accuracy", "failures")
    ]
    return plain or list(evaluation.metrics[:1])


def _cell(value: float, metric: Metric, rank: int) -> str:
    if math.isnan(value):
        return '<td class="missing">–</td>'
    return f'<td><span class="{"first" if rank == 1 else ""}">{format_score(value, metric)}</span></td>'


def _coverage(evaluation: Evaluation) -> str:
    used = sorted(evaluation.by_sequence["sequence"].unique())
    absent = evaluation.total - len(used) - len(evaluation.not_run)
    items = [("Used", used), ("With ground truth, run by no tracker", evaluation.not_run)]
    rows = "".join(
        f"<dt>{title} ({len(names)})</dt><dd>{escape(', '.join(names)) or 'none'}</dd>"
        for title, names in items
    )
    if absent > 0:
        rows += f"<dt>Not in the ground truth given, or left out for every tracker</dt><dd>{absent}</dd>"
    return f"<details><summary>Sequences used and not used</summary><dl>{rows}</dl></details>"


def _origin(evaluation: Evaluation) -> str:
    rules = "".join(
        f"<dt>{escape(metric.heading)} <code>{metric.column}</code></dt><dd>{escape(metric.rule)}</dd>"
        for metric in evaluation.metrics
    )
    sources = "".join(
        f"<dt>{escape(what)}</dt><dd><code>{escape(path)}</code></dd>"
        for what, path in evaluation.sources.items()
    )
    files = (
        f"Full digits: <code>tables/{evaluation.benchmark.slug}.csv</code>; sequences and their files:"
        f" <code>tables/{evaluation.benchmark.slug}-sequences.csv</code>."
    )
    return (
        f"<details><summary>Where every number comes from</summary><dl>{sources}{rules}</dl><p>{files}</p>"
        "<p>Intervals: 2,000 resamples of the sequences, 2.5 % cut on either side.</p></details>"
    )


def _slug(evaluation: Evaluation) -> str:
    return escape(evaluation.benchmark.slug)
