"""`roam doctor`: is this installation fit to track and to be evaluated?"""

import argparse

from roam_tracker.selfcheck.doctor import examine, exit_status, to_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument(
        "--root",
        action="append",
        default=[],
        metavar="DIR",
        help="look at this data set, too; may be repeated",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Print a line for each check; exit status 0 fine, 1 broken, 2 usable with notes."""
    findings = []
    for finding in examine(args.root, args.device):
        findings.append(finding)
        if not args.json:
            print(finding, flush=True)
    if args.json:
        print(to_json(findings))
    return exit_status(findings)
