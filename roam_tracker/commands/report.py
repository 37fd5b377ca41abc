"""`roam report`: tables, plots and a page from raw results and ground truth."""

import argparse
import sys
from pathlib import Path

from roam_tracker.errors import ConfigError
from roam_tracker.report import BENCHMARKS, describe, evaluate, find_benchmark, load, to_text, write_report


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
    parser.add_argument("--tracker", action="append", nargs="+", metavar="NAME", help="only these trackers")
    parser.add_argument(
        "--seed", type=int, default=0, help="draws the resamples of the intervals (default 0)"
    )


def run(args: argparse.Namespace) -> int:
    """Write the report; 1 when a result is damaged or missing, else 0."""
    names = [find_benchmark(name).name for name in args.benchmark]
    if len(set(names)) != len(names):
        raise ConfigError(f"--benchmark names {', '.join(names)}: each benchmark may be given once.")
    results = _one_each("--results", args.results, len(names))
    annotations = _one_each("--annotations", args.annotations, len(names))
    trackers = [name for group in args.tracker or [] for name in group]
    evaluations = [
        evaluate(load(name, results[index], annotations[index], trackers), seed=args.seed)
        for index, name in enumerate(names)
    ]
    write_report(evaluations, args.out)
    for evaluation in evaluations:
        print(f"\n{evaluation.benchmark.name}\n{to_text(evaluation)}")
        for sentence in describe(evaluation.problems):
            print(f"{evaluation.benchmark.name}: {sentence}", file=sys.stderr)
        for note in evaluation.notes:
            print(note)
        if evaluation.not_run:
            print(f"{len(evaluation.not_run)} sequences with ground truth were run by no tracker.")
    print(f"\nReport: {args.out / 'index.html'}")
    return int(any(evaluation.problems for evaluation in evaluations))


def _one_each(option: str, paths: list[Path], count: int) -> list[Path]:
    if len(paths) not in (1, count):
        raise ConfigError(
            f"{option} is given {len(paths)} times for {count} benchmarks, expected once or {count} times."
        )
    return paths * count if len(paths) == 1 else paths
