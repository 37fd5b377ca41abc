"""`roam workspace init`, `check` and `registry`: VOT workspaces from sequences on disk, trackers by name."""

import argparse
import sys

from roam_tracker.selfcheck import remedies
from roam_tracker.toolkits.registry import trackers_ini
from roam_tracker.toolkits.vot.check import check_workspace, stale_cache
from roam_tracker.toolkits.vot.workspace import init_workspace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    init = actions.add_parser("init", help="make a workspace that needs no download")
    init.add_argument("directory", metavar="DIR", help="folder of the workspace")
    init.add_argument(
        "--sequences", required=True, metavar="FOLDER", help="folder of sequences in VOT layout"
    )
    init.add_argument(
        "--config",
        default="short",
        metavar="NAME",
        help="vot2016, vot2017, vot2018, vot2022, short or a YAML file (default short)",
    )
    init.add_argument(
        "--registry", metavar="FILE", help="a trackers.ini (default: the trackers of this package)"
    )
    init.add_argument(
        "--anchors",
        type=int,
        default=0,
        metavar="N",
        help="vot2022: start every N frames in sequences without anchor.value; the challenge has 50",
    )
    check = actions.add_parser("check", help="name missing and short results after `vot evaluate`")
    check.add_argument("directory", metavar="DIR", help="folder of the workspace")
    check.add_argument("trackers", nargs="*", metavar="TRACKER", help="default: all with results")
    check.add_argument("--tracker", nargs="+", action="extend", metavar="NAME", help="the same")
    actions.add_parser(
        "registry", help="print the trackers.ini that `vot test` reads from the folder it is in"
    )


def run(args: argparse.Namespace) -> int:
    """Make or check a workspace, or print the registry; exit status 1 if a check finds results missing."""
    if args.action == "registry":
        print(trackers_ini(), end="")
        return 0
    if args.action == "init":
        made = init_workspace(args.directory, args.sequences, args.config, args.registry, args.anchors)
        print(f"{args.directory} is {'ready' if made else 'this workspace already, nothing to do'}.")
        print(f"Next: vot evaluate ROAM --workspace {args.directory}")
        if effect := remedies.known_to_break().get("vot-toolkit"):
            remedy = remedies.install([remedies.requirements()["vot-toolkit"]])
            print(f"With the vot-toolkit installed here {effect}. {remedy}", file=sys.stderr)
        return 0
    trackers, problems = check_workspace(args.directory, args.trackers + (args.tracker or []))
    for problem in problems:
        print(problem)
    stale = stale_cache(args.directory)
    if stale:
        print(stale)
    if problems:
        again = f"vot evaluate {' '.join(trackers)} --workspace {args.directory}"
        print(f"{len(problems)} results are missing or unusable; {args.directory}/logs may tell why.")
        print(f"Delete what is damaged and run again: {again}")
        return 1
    print(f"All results of {', '.join(trackers)} are complete.")
    return 0
