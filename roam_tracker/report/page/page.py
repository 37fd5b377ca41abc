"""The page: one self-contained HTML file with tables, plots and the origin of every number.

Tables and plots are whole in the HTML; page.js adds what keys and pointer do with them.
"""

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from roam_tracker.report.evaluation import Evaluation
from roam_tracker.report.page.data import film_id, page_data
from roam_tracker.report.page.plots import Numbers, figure_of_curves, figure_of_pair, film_figure, look
from roam_tracker.report.page.tables import attribute_table, headline_table, paper_table, sequence_tables
from roam_tracker.report.runs import describe
from roam_tracker.report.show.film import Film
from roam_tracker.report.show.plots import Style, tracker_styles
from roam_tracker.report.show.tables import used_of_total
from roam_tracker.version import __version__

_BOXES = 6  # trackers whose boxes are always seen in a film strip
Films = Mapping[str, Mapping[str, Film]]  # benchmark -> key of a sequence -> film


def build_page(
    evaluations: Sequence[Evaluation],
    styles: Mapping[str, Style] | None = None,
    films: Films | None = None,
    pair: tuple[str, str] | None = None,
) -> str:
    """HTML of all benchmarks. Nothing is loaded from elsewhere; plots and film strips are in the page.

    pair: the trackers that are compared sequence by sequence; None = the best two
    """
    trackers = sorted({name for evaluation in evaluations for name in evaluation.table["tracker"]})
    styles, numbers = styles or tracker_styles(trackers), {name: index for index, name in enumerate(trackers)}
    names = ", ".join(evaluation.benchmark.name for evaluation in evaluations)
    links = " ".join(
        f'<a href="#{_slug(evaluation)}">{escape(evaluation.benchmark.name)}</a>'
        for evaluation in evaluations
    )
    strips = [(films or {}).get(evaluation.benchmark.name, {}) for evaluation in evaluations]
    ids = {film_id(one, key) for one, by_key in zip(evaluations, strips, strict=True) for key in by_key}
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            '<head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            '<link rel="icon" href="data:,">',
            f"<title>Tracking report: {escape(names)}</title>",
            f"<style>{_file('page.css')}{look(styles, numbers)}</style></head>",
            f'<body><header><h1>Tracking report</h1><nav aria-label="Benchmarks">{links}</nav>',
            f"{_TOOLS}</header>",
            "<main>",
            *(_section(one, numbers, by_key, pair) for one, by_key in zip(evaluations, strips, strict=True)),
            "</main>",
            f"<footer>Made by roam-tracker {escape(__version__)}.</footer>",
            '<dialog id="sequence" aria-labelledby="sequence-title"></dialog><div id="why" popover></div>',
            '<div id="tip" hidden></div>',
            f'<script type="application/json" id="data">{page_data(evaluations, numbers, ids)}</script>',
            f"<script>{_file('page.js')}</script></body></html>",
            "",
        ]
    )


# Nothing here works without the script, which takes `hidden` away.
_TOOLS = """<form id="tools" role="search" hidden>
<label>Trackers <input id="find-trackers" type="search" placeholder="filter" autocomplete="off"></label>
<label>Sequences <input id="find-sequences" type="search" placeholder="filter" autocomplete="off"></label>
<button type="button" id="all-on">all on</button><button type="button" id="all-off">all off</button>
<output id="count"></output></form>"""


def _section(
    evaluation: Evaluation, numbers: Numbers, films: Mapping[str, Film], pair: tuple[str, str] | None
) -> str:
    slug, best = _slug(evaluation), list(evaluation.table["tracker"][:_BOXES])
    strips = [film_figure(key, film_id(evaluation, key), film, numbers, best) for key, film in films.items()]
    return "\n".join(
        [
            f'<section id="{slug}" aria-labelledby="{slug}-title">',
            f'<h2 id="{slug}-title">{escape(evaluation.benchmark.name)}</h2>',
            f"<p>{_counts(evaluation)}</p>",
            headline_table(evaluation, numbers),
            paper_table(evaluation),
            _remarks(evaluation),
            '<div class="plots">',
            *(figure_of_curves(evaluation, plot, numbers) for plot in evaluation.curves),
            figure_of_pair(evaluation, pair),
            "</div>",
            _films(strips, len(evaluation.table) > _BOXES),
            attribute_table(evaluation, numbers),
            sequence_tables(evaluation, numbers),
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


def _remarks(evaluation: Evaluation) -> str:
    """What was left out, and notes, each behind one line."""
    count = len(evaluation.problems)
    left_out = f"{count} result{'s are' if count != 1 else ' is'} left out or incomplete"
    blocks = []
    for kind, title, sentences in (
        ("problems", left_out, describe(evaluation.problems)),
        ("notes", "Notes", evaluation.notes),
    ):
        if sentences:
            items = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
            blocks.append(f'<details class="{kind}"><summary>{title}</summary><ul>{items}</ul></details>')
    return "\n".join(blocks)


def _films(strips: Sequence[str], more: bool) -> str:
    if not strips:
        return ""
    text = "White: the truth." + (
        f" The best {_BOXES} trackers; others when they are pointed at." if more else ""
    )
    return (
        f"<details open><summary>Frames with boxes ({len(strips)} sequences)</summary><p>{text}</p>"
        f"{''.join(strips)}</details>"
    )


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


def _file(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")
