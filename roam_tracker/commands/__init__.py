"""`roam COMMAND`: one file a command, no logic of its own.

Each command's module has `add_arguments(parser)` and `run(args) -> int` (the exit status). Modules are
imported only when their command is chosen, so `roam report` never loads torch.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

from roam_tracker.errors import guarded
from roam_tracker.version import __version__

COMMANDS = {
    "track": "follow an object through a video, a folder of images or what a camera sees",
    "doctor": "check Python, libraries, device, weights and toolkits, and data sets on request",
    "demo": "make sample data, run both toolkits on it, build the report",
    "sample": "write small synthetic sequences with exact ground truth",
    "report": "tables, plots and a page from raw results and ground truth",
    "sweep": "run the trackers that a figure of the paper compares",
    "figures": "draw the paper's ablation figures from raw results",
    "workspace": "prepare a VOT workspace from sequences on disk, or check its results",
    "bench": "measure frames a second, the parts of a frame and the backbone alone",
    "validate": "compare presets by tracking the same targets from the same starts",
    "fetch": "download the published weights of a backbone",
    "train": "train the start, its rates and the recurrent optimizer on videos with boxes",
    "train-head": "train a box head, the small network of the preset roam-head",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; return its exit status (0 fine, 1 failed work, 2 bad input)."""
    argv = list(sys.argv[1:] if argv is None else argv)
    chosen = next((word for word in argv if not word.startswith("-")), None)
    parser = argparse.ArgumentParser(
        prog="roam", description="ROAM, the Recurrently Optimizing Tracking Model"
    )
    parser.add_argument("--version", action="version", version=f"roam-tracker {__version__}")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    subparsers = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, line in COMMANDS.items():
        subparser = subparsers.add_parser(name, help=line, description=line)
        subparser.add_argument(
            "--debug", action="store_true", default=argparse.SUPPRESS, help=argparse.SUPPRESS
        )
        if name == chosen:
            command = importlib.import_module(f"roam_tracker.commands.{name.replace('-', '_')}")
            command.add_arguments(subparser)
            argv = command.arranged(argv) if hasattr(command, "arranged") else argv
    args = parser.parse_args(argv)
    return guarded(lambda: int(command.run(args)), debug=args.debug)
