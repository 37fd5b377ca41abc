"""Report: raw results and ground truth in; tables, plots and a page out.

    loaded = load("OTB2015", results="results", annotations="data/OTB2015")
    evaluation = evaluate(loaded)
    print(evaluation.table)
    draw(evaluation, "success").savefig("success.png")
    drawn, missing = draw_figures(Material(Path("results"), Path("data/OTB2015")))

NumPy, pandas and Matplotlib only: neither torch nor a benchmark toolkit is loaded.
"""

from roam_tracker.report.ablations import Line, plot_losses, plot_rates, plot_setting, plot_trace
from roam_tracker.report.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from roam_tracker.report.comparisons import plot_attributes, plot_pair
from roam_tracker.report.evaluate import evaluate
from roam_tracker.report.figures import FIGURES, PaperFigure, draw_figures, write_figures
from roam_tracker.report.film import Film, film_strip, find_films
from roam_tracker.report.formats import to_markdown, to_tex
from roam_tracker.report.load import LoadedBoxes, LoadedVot, Problem, describe, load
from roam_tracker.report.material import Material
from roam_tracker.report.page import build_page
from roam_tracker.report.paper import compare_with_paper, paper_lines
from roam_tracker.report.plots import draw, plot_curves, render, tracker_styles
from roam_tracker.report.scores import Curve, Evaluation, Metric
from roam_tracker.report.tables import to_csv, to_text
from roam_tracker.report.write import write_report

__all__ = [
    "BENCHMARKS",
    "FIGURES",
    "Benchmark",
    "Curve",
    "Evaluation",
    "Film",
    "Line",
    "LoadedBoxes",
    "LoadedVot",
    "Material",
    "Metric",
    "PaperFigure",
    "Problem",
    "build_page",
    "compare_with_paper",
    "describe",
    "draw",
    "draw_figures",
    "evaluate",
    "film_strip",
    "find_benchmark",
    "find_films",
    "load",
    "paper_lines",
    "plot_attributes",
    "plot_curves",
    "plot_losses",
    "plot_pair",
    "plot_rates",
    "plot_setting",
    "plot_trace",
    "render",
    "to_csv",
    "to_markdown",
    "to_tex",
    "to_text",
    "tracker_styles",
    "write_figures",
    "write_report",
]
