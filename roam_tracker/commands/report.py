"""`roam report`: tables, plots and a page from raw results and ground truth."""

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import pandas as pd

from roam_tracker.datasets.truth import some
from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest, write_atomic
from roam_tracker.report import (
    BENCHMARKS,
    Evaluation,
    compare_with_paper,
    describe,
    evaluate,
    find_benchmark,
    find_films,
    load,
    paper_lines,
    to_csv,
    to_text,
    write_report,
)
from roam_tracker.report.paper.tables import paper_benchmarks
from roam_tracker.report.score.attributes import read_attributes, scores_by_attribute
from roam_tracker.report.score.pairs import compare_trackers
from roam_tracker.report.score.vot_program import with_program
from roam_tracker.report.show.lines import comparison_lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    parser.add_argument(
        "--results",
        action="append",
        required=True,
        type=Path,
        metavar="DIR",
        help="raw results of a toolkit, or a VOT workspace; repeat it to go with each --benchmark",
    )
    parser.add_argument(
        "--annotations",
        action="append",
        required=True,
        type=Path,
        metavar="PATH",
        help="the data set's folder or a folder of <sequence>.txt; repeat it likewise",
    )
    parser.add_argument(
        "--benchmark",
        action="append",
        required=True,
        metavar="NAME",
        help=f"one of {', '.join(BENCHMARKS)}; may be repeated",
    )
    parser.add_argument("--out", required=True, type=Path, metavar="DIR", help="where the report is written")
    parser.add_argument(
        "--frames",
        action="append",
        type=Path,
        metavar="DIR",
        help="the data set's folder with the images, for film strips in the page; repeat it likewise",
    )
    parser.add_argument(
        "--film",
        nargs="+",
        default=[],
        metavar="SEQ",
        help="film strips of these sequences as PNG and PDF too",
    )
    parser.add_argument(
        "--pair", nargs=2, metavar="NAME", help="trackers to compare by sequence (default: the best two)"
    )
    parser.add_argument("--tracker", action="append", nargs="+", metavar="NAME", help="only these trackers")
    parser.add_argument(
        "--zero-based",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="trackers whose boxes count pixels from 0: 1 is added to x and y",
    )
    parser.add_argument(
        "--any-start",
        action="extend",
        nargs="+",
        default=[],
        metavar="NAME",
        help="trackers that are scored though their results do not begin with the given box",
    )
    parser.add_argument(
        "--lengths",
        choices=("whole", "benchmark"),
        default="whole",
        help="leave out a result of another length than its truth, or score it as the benchmark's tool does",
    )
    parser.add_argument(
        "--attributes",
        type=Path,
        metavar="PATH",
        help="scores by attribute: a folder of <sequence>/attrs.txt, a JSON or a CSV file",
    )
    parser.add_argument(
        "--compare",
        nargs=2,
        metavar="NAME",
        help="test the difference of two trackers over the sequences both have",
    )
    parser.add_argument(
        "--vot-analysis",
        action="store_true",
        help="also what the VOT toolkit's own program says of a workspace, beside our numbers",
    )
    parser.add_argument("--paper", action="store_true", help="print every number of the paper's tables")
    parser.add_argument(
        "--tex-style",
        choices=("plain", "colour"),
        default="plain",
        help="how LaTeX marks the best three: bold and underlined, or red, green and blue as in the paper",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="draws the resamples of the intervals (default 0)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the report; 1 if something is left out of it that should be mended, else 0."""
    names = [find_benchmark(name).name for name in args.benchmark]
    if len(set(names)) != len(names):
        raise ConfigError(f"--benchmark names {', '.join(names)}: each benchmark may be given once.")
    results = _one_each("--results", args.results, len(names))
    annotations = _one_each("--annotations", args.annotations, len(names))
    trackers = [name for group in args.tracker or [] for name in group]
    loaded = [
        load(
            name,
            results[index],
            annotations[index],
            trackers,
            zero_based=args.zero_based,
            any_start=args.any_start,
            lengths=args.lengths,
        )
        for index, name in enumerate(names)
    ]
    evaluations = [evaluate(one, seed=args.seed) for one in loaded]
    if args.vot_analysis:
        evaluations = [
            with_program(one, folder) if one.benchmark.family == "vot" else one
            for one, folder in zip(evaluations, results, strict=True)
        ]
    if args.attributes:
        attributes = read_attributes(args.attributes)
        evaluations = [replace(one, attributes=scores_by_attribute(one, attributes)) for one in evaluations]
    films = {}
    for one, folder in zip(loaded, _one_each("--frames", args.frames or [], len(names)), strict=False):
        films[one.benchmark.name], notes = find_films(one, folder)
        print(*notes, sep="\n", end="\n" if notes else "", file=sys.stderr)
    pair = _known_pair(args.pair or args.compare, evaluations) if args.pair or args.compare else None
    write_report(evaluations, args.out, films=films, strips=args.film, pair=pair, tex_style=args.tex_style)
    for evaluation in evaluations:
        print(f"\n{evaluation.benchmark.name}\n{to_text(evaluation)}")
        for sentence in describe(evaluation.problems):
            print(f"{evaluation.benchmark.name}: {sentence}", file=sys.stderr)
        for note in evaluation.notes:
            print(note)
        if evaluation.not_run:
            count, unrun = len(evaluation.not_run), some(evaluation.not_run, 10)
            print(f"{count} sequences with ground truth were run by no tracker. Not run: {unrun}.")
    if args.compare:
        first, second = _known_pair(args.compare, evaluations)
        compared = [compare_trackers(one, first, second, seed=args.seed) for one in evaluations]
        write_atomic(args.out / "tables" / "comparison.csv", to_csv(pd.concat(compared)))
        print("", *comparison_lines(compared), sep="\n")
    if args.paper or any(evaluation.benchmark.name in paper_benchmarks() for evaluation in evaluations):
        print("", *paper_lines(compare_with_paper(evaluations), everything=args.paper), sep="\n")
    print(f"\nReport: {args.out / 'index.html'}")
    return int(any(evaluation.problems or _unrun(evaluation) for evaluation in evaluations))


def _unrun(evaluation: Evaluation) -> bool:
    """Whether sequences that the benchmark publishes were run by no tracker."""
    return bool(evaluation.benchmark.sequences & set(evaluation.not_run))


def _known_pair(pair: list[str], evaluations: list[Evaluation]) -> tuple[str, str]:
    names = {name for evaluation in evaluations for name in evaluation.table["tracker"]}
    for name in pair:
        if name not in names:
            raise ConfigError(f"There are no results of tracker {name!r}; {nearest(name, names)}")
    return pair[0], pair[1]


def _one_each(option: str, paths: list[Path], count: int) -> list[Path]:
    if len(paths) not in (1, count) and (paths or option != "--frames"):
        raise ConfigError(
            f"{option} is given {len(paths)} times for {count} benchmarks, expected once or {count} times."
        )
    return paths * count if len(paths) == 1 else paths
