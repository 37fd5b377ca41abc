"""`roam sweep NAME`: run the trackers that a figure of the paper compares."""

import argparse

from roam_tracker.report.paper.sweeps import read_sweep, sweep_names
from roam_tracker.toolkits.got10k.sweeps import run_sweep


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "name", nargs="+", metavar="NAME", help=f"{', '.join(sweep_names())}, or a sweep of yours: FILE.toml"
    )
    parser.add_argument("--root", required=True, metavar="DIR", help="folder that contains the sequences")
    parser.add_argument("--dataset", metavar="DATASET", help="in place of the one that the sweep names")
    parser.add_argument("--sequences", nargs="+", default=[], metavar="SEQ", help="only these sequences")
    parser.add_argument("--results", default="results", metavar="DIR", help="raw results (default: results)")
    parser.add_argument(
        "--reports", default="reports", metavar="DIR", help="the toolkit's own report (default: reports)"
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="processes (default: 1)")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="of each (default: 1)")


def run(args: argparse.Namespace) -> int:
    """Run what is missing; exit status of the first failure."""
    status = 0
    for sweep in [read_sweep(name) for name in args.name]:
        trackers = ", ".join(point.tracker for point in sweep.points)
        print(f"{sweep.name}: {trackers}", flush=True)
        failed = run_sweep(
            sweep,
            args.root,
            args.results,
            dataset=args.dataset,
            sequences=args.sequences,
            device=args.device,
            reports=args.reports,
            workers=args.workers,
            threads=args.threads,
        )
        status = status or failed
    return status
