"""`roam sample OUT`: small synthetic sequences in the layouts of OTB, GOT-10k and VOT."""

import argparse

from roam_tracker.sample.write import write_sample


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to its parser."""
    parser.add_argument("out", metavar="OUT", help="folder to make; gets the folders OTB, GOT-10k and VOT")
    parser.add_argument("--seed", type=int, default=0, help="same seed, same bytes (default 0)")
    parser.add_argument("--frames", type=int, default=60, help="frames a sequence (default 60)")
    parser.add_argument("--sequences", type=int, default=6, help="number of sequences (default 6)")


def run(args: argparse.Namespace) -> int:
    """Write the sample; exit status 0."""
    written = write_sample(args.out, args.seed, args.frames, args.sequences, progress=print)
    print(f"{args.out} is ready" if written else f"{args.out} holds this sample already, nothing to do")
    return 0
