"""`roam figures RESULTS`: the paper's ablation figures from raw results."""

import argparse
import sys
from pathlib import Path

from roam_tracker.report.paper.figures import FIGURES, draw_figures, write_figures
from roam_tracker.report.paper.material import Material


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "results", type=Path, metavar="RESULTS", help="raw results, as `roam sweep` leaves them"
    )
    parser.add_argument("--truth", required=True, type=Path, metavar="DIR", help="the data set's folder")
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="where the figures are written"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help=f"some of {', '.join(FIGURES)}; default: all"
    )
    parser.add_argument("--dataset", metavar="DATASET", help="in place of the one that a sweep names")
    parser.add_argument(
        "--sequence", metavar="SEQ", help="shown in figure 9 and in the trace; default: the longest"
    )


def run(args: argparse.Namespace) -> int:
    """Draw what can be drawn; 1 when that is nothing, else 0."""
    drawn, missing = draw_figures(Material(args.results, args.truth, args.dataset, args.sequence), args.only)
    write_figures(drawn, args.out)
    for one in drawn:
        print(f"{one.name}: {args.out / one.name}.png")
        for note in one.notes:
            print(f"{one.name}: {note}", file=sys.stderr)
    for name, reason in missing.items():
        print(f"{name} is missing: {reason}", file=sys.stderr)
    return int(not drawn)
