"""Report: raw results and ground truth in; tables, plots and a page out.

    loaded = load("OTB2015", results="results", annotations="data/OTB2015")
    evaluation = evaluate(loaded)
    print(evaluation.table)
    draw(evaluation, "success").savefig("success.png")

NumPy, pandas and Matplotlib only: neither torch nor a benchmark toolkit is loaded.
"""

from roam_tracker.report.benchmarks import BENCHMARKS, Benchmark, find_benchmark
from roam_tracker.report.evaluate import evaluate
from roam_tracker.report.load import LoadedBoxes, LoadedVot, Problem, describe, load
from roam_tracker.report.page import build_page
from roam_tracker.report.plots import draw, render, tracker_styles
from roam_tracker.report.scores import Curve, Evaluation, Metric
from roam_tracker.report.tables import to_csv, to_tex, to_text
from roam_tracker.report.write import write_report

__all__ = [
    "BENCHMARKS",
    "Benchmark",
    "Curve",
    "Evaluation",
    "LoadedBoxes",
    "LoadedVot",
    "Metric",
    "Problem",
    "build_page",
    "describe",
    "draw",
    "evaluate",
    "find_benchmark",
    "load",
    "render",
    "to_csv",
    "to_tex",
    "to_text",
    "tracker_styles",
    "write_report",
]
