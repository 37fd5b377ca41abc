"""`roam fetch NAME`: download the published weights of a backbone."""

import argparse
from pathlib import Path

from roam_tracker.weights.backbones import VARIABLE, fetch_backbone


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("backbone", metavar="NAME", help="vgg16 (528 MB) or vgg16-torchvision (528 MB)")
    parser.add_argument(
        "--to", type=Path, metavar="FILE", help="where to put it (default: roam-tracker/ in ~/.cache)"
    )


def run(args: argparse.Namespace) -> int:
    """Fetch the file unless it is there already, tell its size and place; exit status 0."""
    file = fetch_backbone(args.backbone, args.to)
    print(f"{args.backbone}: {file.stat().st_size / 1e6:.1f} MB at {file}")
    if args.to is not None:
        print(f"It is found there with {VARIABLE}={file}")
    return 0
