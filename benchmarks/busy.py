"""Frames/s on an idle machine and beside one busy process per core, as a plain user of the library gets them.

    python benchmarks/busy.py --nanotrack path/to/models path/to/Deer [sequence ...]

Each figure comes from a process of its own, which imports torch first and sets no environment variable. It
follows each sequence for at most --limit seconds; decoding and the first two frames do not count. `ROAM` is
the tracker as it comes, with one thread; `unlimited` has as many threads as PyTorch likes. Printed are the
medians of the runs, idle and busy, and their ratio; a tracker whose boxes depend on the load is named.
"""

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TRACKERS = ("ROAM", "unlimited", "CSRT", "NanoTrack v2")


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sequences", nargs="+", type=Path)
    parser.add_argument("--nanotrack", type=Path, help="the folder with NanoTrack's models")
    parser.add_argument("--runs", type=int, default=3, help="of each (default: %(default)s)")
    parser.add_argument(
        "--limit", type=float, default=10.0, help="seconds per sequence (default: %(default)s)"
    )
    parser.add_argument(
        "--load", type=int, default=os.cpu_count(), help="busy processes (default: one per core)"
    )
    parser.add_argument("--tracker", nargs="+", default=TRACKERS, choices=TRACKERS, help="(default: all)")
    parser.add_argument("--measure", choices=TRACKERS, help=argparse.SUPPRESS)  # in a process of its own
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure, options.sequences, options.nanotrack, options.limit)))
        return
    rates = defaultdict(list)
    boxes = defaultdict(set)
    for _ in range(options.runs):
        for load in (0, options.load):
            with busy(load):
                for name in options.tracker:
                    done = subprocess.run(
                        [sys.executable, *sys.argv, "--measure", name], stdout=subprocess.PIPE, check=True
                    )
                    for sequence, rate, digest in json.loads(done.stdout.splitlines()[-1]):
                        rates[name, sequence, load].append(rate)
                        boxes[name, sequence].add(digest)
    print(f"{'':26}{'idle':>8}{'busy':>8}{'ratio':>8}   runs, idle | busy")
    for name, sequence in boxes:
        runs = [rates[name, sequence, load] for load in (0, options.load)]
        idle, loaded = map(statistics.median, runs)
        listed = " | ".join(" ".join(f"{rate:.1f}" for rate in rates_) for rates_ in runs)
        print(f"{name:14}{sequence:12}{idle:8.1f}{loaded:8.1f}{loaded / idle:8.2f}   {listed}")
    for (name, sequence), digests in boxes.items():
        if len(digests - {""}) > 1:
            print(f"The boxes of {name} on {sequence} depend on the load.")


def measure(name: str, sequences: list[Path], nanotrack: Path | None, limit_s: float) -> list[tuple]:
    """For each sequence its name, frames/s, and the SHA-256 of the boxes, "" where the time was over."""
    import torch  # noqa: F401  (first, as in a user's notebook)
    from peers import opencv, ours, read

    if name in ("ROAM", "unlimited"):
        track = ours("default", 1 if name == "ROAM" else None)
    else:
        track = opencv(nanotrack, os.cpu_count() or 1).get(name)
    found = []
    for folder in sequences if track else []:
        images, truth = read(folder)
        boxes = track(images, truth[0])
        tracked, began = [next(boxes)], time.perf_counter()
        for box in boxes:
            tracked.append(box)
            if time.perf_counter() - began > limit_s:
                break
        rate = (len(tracked) - 1) / (time.perf_counter() - began)
        content = b"".join(box.tobytes() for box in tracked)
        whole = len(tracked) == len(images) - 1
        found.append((folder.name, rate, hashlib.sha256(content).hexdigest() if whole else ""))
    return found


@contextmanager
def busy(processes: int) -> Iterator[None]:
    """Within the block so many other processes compute all the time."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(processes)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


if __name__ == "__main__":
    main()
