"""Report: raw results and ground truth in; tables, plots and a page out.

    loaded = load("OTB2015", results="results", annotations="data/OTB2015")
    evaluation = evaluate(loaded)
    print(evaluation.table)
    draw(evaluation, "success").savefig("success.png")
    drawn, missing = draw_figures(Material(Path("results"), Path("data/OTB2015")))

NumPy, pandas and Matplotlib only: neither torch nor a benchmark toolkit is loaded.
"""

from roam_tracker.report.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from roam_tracker.report.evaluation import Curve, Evaluation, Metric
from roam_tracker.report.page.page import build_page
from roam_tracker.report.paper.ablations import Line, plot_losses, plot_rates, plot_setting, plot_trace
from roam_tracker.report.paper.figures import FIGURES, PaperFigure, draw_figures, write_figures
from roam_tracker.report.paper.material import Material
from roam_tracker.report.paper.tables import compare_with_paper, paper_lines
from roam_tracker.report.read.load import load
from roam_tracker.report.runs import LoadedBoxes, LoadedVot, Problem, describe
from roam_tracker.report.score.evaluate import evaluate
from roam_tracker.report.show.comparisons import plot_attributes, plot_pair
from roam_tracker.report.show.film import Film, film_strip, find_films
from roam_tracker.report.show.plots import draw, plot_curves, render, tracker_styles
from roam_tracker.report.show.tables import to_csv, to_markdown, to_tex, to_text
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
