"""The tables of a report as files: CSV, LaTeX, Markdown; the paper's beside the rebuilt numbers."""

from collections.abc import Sequence
from pathlib import Path

from roam_tracker.report.formats import TexStyle, markdown_table, tex_table, to_markdown, to_tex
from roam_tracker.report.paper import TITLES, compare_with_paper, paper_benchmarks, paper_rows
from roam_tracker.report.scores import Evaluation
from roam_tracker.report.tables import to_csv


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
