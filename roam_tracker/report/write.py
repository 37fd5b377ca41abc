"""Writes a report's files, each whole or not at all."""

from collections.abc import Sequence
from pathlib import Path

from roam_tracker.files import write_atomic
from roam_tracker.report.page import build_page
from roam_tracker.report.plots import draw, render, tracker_styles
from roam_tracker.report.scores import Evaluation
from roam_tracker.report.tables import to_csv, to_tex


def write_report(evaluations: Sequence[Evaluation], out: str | Path) -> list[Path]:
    """Write `tables/`, `plots/` and last `index.html` under `out`; returns the files written."""
    out = Path(out)
    styles = tracker_styles(name for evaluation in evaluations for name in evaluation.table["tracker"])
    contents: dict[Path, str | bytes] = {}
    for evaluation in evaluations:
        slug = evaluation.benchmark.slug
        contents[out / "tables" / f"{slug}.csv"] = to_csv(evaluation.table)
        contents[out / "tables" / f"{slug}.tex"] = to_tex(evaluation)
        contents[out / "tables" / f"{slug}-sequences.csv"] = to_csv(evaluation.by_sequence)
        for plot in evaluation.curves:
            figure = draw(evaluation, plot, styles)
            for suffix in ("png", "pdf"):
                contents[out / "plots" / f"{slug}-{plot}.{suffix}"] = render(figure, suffix)
    contents[out / "index.html"] = build_page(evaluations, styles)
    for path, content in contents.items():
        write_atomic(path, content)
    return list(contents)
