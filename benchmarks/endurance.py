"""Does a tracker stay as it is for hours? Memory, open files and time a frame over many frames.

    python benchmarks/endurance.py                      20,000 frames of the default preset on the CPU
    python benchmarks/endurance.py --frames 2000 --every 500 --preset sgd

A made sequence is read from its files forwards and backwards again and again. The first block warms up; the
exit status is 1 if a later one is beyond a bound that is stated at the end.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Iterator
from itertools import chain, cycle
from pathlib import Path

MEBIBYTE = 2**20


def main() -> int:
    """Track, print a line a block, judge; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    add = parser.add_argument
    add("--frames", type=int, default=20_000, help="in all (default: %(default)s)")
    add("--every", type=int, default=1000, help="frames a block (default: %(default)s)")
    add("--preset", default="default", help="a preset's name or TOML file (default: %(default)s)")
    add("--device", default="cpu", help="cpu, cuda, ... (default: %(default)s)")
    add("--kind", default="motion", help="of the made sequence (default: %(default)s)")
    add("--growth-mib", type=float, default=32.0, help="bound of the memory's growth (default: %(default)s)")
    add("--slowdown", type=float, default=1.25, help="bound of the time's ratio (default: %(default)s)")
    options = parser.parse_args()
    if options.frames < 2 * options.every:
        parser.error("--frames must be at least twice --every: the first block only warms up")

    from roam_tracker import RoamTracker

    print(f"{'frames':>8}{'RSS MiB':>10}{'files':>8}{'ms a frame':>12}")
    blocks: list[tuple[float, int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        images, box = write_sequence(Path(folder), options.kind)
        # with one thread the time of the process is the time of the work
        tracker = RoamTracker(options.preset, options.device, threads=1)
        tracker.init(images[0], box)
        times: list[float] = []
        for number, image in enumerate(to_and_fro(images, options.frames), start=1):
            start = time.process_time()  # another program's time is not ours
            tracker.update(image)
            times.append(1000 * (time.process_time() - start))
            if number % options.every == 0:
                blocks.append((resident_bytes() / MEBIBYTE, open_files(), statistics.median(times)))
                times.clear()
                print("{:>8}{:>10.1f}{:>8}{:>12.2f}".format(number, *blocks[-1]), flush=True)
    (first_memory, first_files, first_time), later = blocks[0], blocks[1:]
    memory = max(block[0] for block in later) - first_memory
    files = max(block[1] for block in later) - first_files
    slower = max(block[2] for block in later) / first_time
    verdicts = [
        (memory <= options.growth_mib, f"memory grew by {memory:.1f} MiB, at most {options.growth_mib:g}"),
        (files <= 0, f"open files grew by {files}, at most 0"),
        (slower <= options.slowdown, f"slowest over first block {slower:.2f}, at most {options.slowdown:g}"),
    ]
    for fine, line in verdicts:
        print("PASS" if fine else "FAIL", line)
    return 0 if all(fine for fine, _ in verdicts) else 1


def write_sequence(folder: Path, kind: str) -> tuple[list[Path], tuple[float, ...]]:
    """The files of a made sequence's frames and the first box."""
    from PIL import Image

    from roam_tracker.sample.render import make_sequence

    frames, boxes = make_sequence(kind)
    files = [folder / f"{number:04d}.png" for number in range(len(frames))]
    for file, frame in zip(files, frames, strict=True):
        Image.fromarray(frame).save(file)
    return files, tuple(boxes[0].tolist())


def to_and_fro(images: list[Path], count: int) -> Iterator[Path]:
    """So many images after the first: to the last one, back to the first, and so on."""
    endless = cycle(chain(images[1:], images[-2::-1]))
    return (next(endless) for _ in range(count))


def resident_bytes() -> int:
    """Memory of this process, as Linux counts it."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def open_files() -> int:
    """File descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


if __name__ == "__main__":
    raise SystemExit(main())
