"""Writes a report's files, each whole or not at all."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest, write_atomic
from roam_tracker.report.evaluation import Evaluation
from roam_tracker.report.page.page import Films, build_page
from roam_tracker.report.paper.tables import TITLES, compare_with_paper, paper_benchmarks, paper_rows
from roam_tracker.report.score.pairs import pair_scores
from roam_tracker.report.show.comparisons import plot_attributes, plot_pair
from roam_tracker.report.show.film import film_strip
from roam_tracker.report.show.plots import Style, draw, legend_room, new_figure, render, tracker_styles
from roam_tracker.report.show.tables import TexStyle, markdown_table, tex_table, to_csv, to_markdown, to_tex


def write_report(
    evaluations: Sequence[Evaluation],
    out: str | Path,
    *,
    films: Films | None = None,
    strips: Sequence[str] = (),
    pair: tuple[str, str] | None = None,
    tex_style: TexStyle = "plain",
) -> list[Path]:
    """Write `tables/`, `plots/` (PNG and PDF) and last `index.html` under `out`; returns the files written.

    films:  film strips for the page, by benchmark and sequence
    strips: sequences of these whose strip is also a plot; ConfigError for one without images
    pair:   the trackers that are compared sequence by sequence; None = the best two
    tex_style: how LaTeX marks the best three, "plain" or "colour"
    """
    out = Path(out)
    styles = tracker_styles(name for evaluation in evaluations for name in evaluation.table["tracker"])
    contents: dict[Path, str | bytes] = {**table_files(evaluations, out / "tables", tex_style)}
    for evaluation in evaluations:
        slug = evaluation.benchmark.slug
        for name, figure in _figures(evaluation, styles, pair):
            contents |= _rendered(out, f"{slug}-{name}", figure)
    for name, figure in _strips(films or {}, strips, evaluations, styles):
        contents |= _rendered(out, name, figure)
    contents[out / "index.html"] = build_page(evaluations, styles, films, pair)
    for path, content in contents.items():
        write_atomic(path, content)
    return list(contents)


def _rendered(out: Path, name: str, figure: Figure) -> dict[Path, bytes]:
    return {out / "plots" / f"{name}.{suffix}": render(figure, suffix) for suffix in ("png", "pdf")}


def _figures(
    evaluation: Evaluation, styles: Mapping[str, Style], pair: tuple[str, str] | None
) -> Iterator[tuple[str, Figure]]:
    """The plots of one benchmark with their names."""
    for plot in evaluation.curves:
        yield plot, draw(evaluation, plot, styles)
    attributes = getattr(evaluation, "attributes", None)
    if isinstance(attributes, pd.DataFrame) and len(attributes) and "auc" in attributes:
        width, height = legend_room(attributes["tracker"].unique(), inside=0)
        figure = new_figure(5.4 + width, max(height, 0.9 + 0.3 * attributes["attribute"].nunique()))
        plot_attributes(figure.add_subplot(), attributes, styles)
        yield "attributes", figure
    scores = pair_scores(evaluation, pair)
    if scores is not None:
        figure = new_figure(4.6, 4.8)
        first, second = (side.rename(lambda key: key.rpartition("/")[2]) for side in scores[:2])
        plot_pair(figure.add_subplot(), first, second, label=scores[2].heading)
        yield "pair", figure


def _strips(
    films: Films, strips: Sequence[str], evaluations: Sequence[Evaluation], styles: Mapping[str, Style]
) -> Iterator[tuple[str, Figure]]:
    """The film strips asked for, with the best six trackers of each benchmark."""
    known = {film.sequence for by_key in films.values() for film in by_key.values()}
    for sequence in strips:
        if sequence not in known:
            raise ConfigError(f"There are no images of sequence {sequence!r}; {nearest(sequence, known)}")
        for evaluation in evaluations:
            for film in films.get(evaluation.benchmark.name, {}).values():
                if film.sequence == sequence:
                    name = f"{evaluation.benchmark.slug}-film-{sequence}"
                    yield name, film_strip(film, styles, evaluation.table["tracker"][:6])


def table_files(
    evaluations: Sequence[Evaluation], folder: Path, style: TexStyle = "plain"
) -> dict[Path, str]:
    """Path -> content: `<benchmark>.csv/.tex/.md`, `<benchmark>-sequences.csv`, and `paper.*`.

    The paper's tables are written when one of the benchmarks is in them. `style` is how LaTeX marks the best
    three.
    """
    contents = {}
    for evaluation in evaluations:
        slug = evaluation.benchmark.slug
        contents[folder / f"{slug}.csv"] = to_csv(evaluation.table)
        contents[folder / f"{slug}.tex"] = to_tex(evaluation, style)
        contents[folder / f"{slug}.md"] = to_markdown(evaluation)
        contents[folder / f"{slug}-sequences.csv"] = to_csv(evaluation.by_sequence)
        if evaluation.attributes is not None:
            contents[folder / f"{slug}-attributes.csv"] = to_csv(evaluation.attributes)
    if any(evaluation.benchmark.name in paper_benchmarks() for evaluation in evaluations):
        cells = compare_with_paper(evaluations)
        titles = {number: f"Table {number}: {title}, printed / rebuilt" for number, title in TITLES.items()}
        contents[folder / "paper.csv"] = to_csv(cells)
        contents[folder / "paper.tex"] = "\n".join(
            tex_table(paper_rows(cells, number), title, style) for number, title in titles.items()
        )
        contents[folder / "paper.md"] = "\n".join(
            f"{title}\n\n{markdown_table(paper_rows(cells, number))}" for number, title in titles.items()
        )
    return contents
