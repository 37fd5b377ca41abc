"""Where the time of one frame goes: crop, backbone, response, update, the rest; without decoding.

    python benchmarks/frame.py --threads 2 path/to/Deer/img [folder ...]

A folder holds images in order, and `groundtruth_rect.txt` beside it or in it gives the first box.
Milliseconds are sums over a frame; updating frames come once in `every_frames`.
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from roam_tracker.toolkits.registry import calm_threads

PARTS = ("crop", "backbone", "response", "update")


def main() -> None:
    """Print the split of each folder's frames."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--preset", default="default", help="a name or a TOML file (default: default)")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--frames", type=int, default=120, help="at most so many of a folder (default 120)")
    parser.add_argument("--warm-up", type=int, default=20, help="frames before the clock starts (default 20)")
    options = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = str(options.threads)  # read when torch is loaded
    calm_threads()
    import torch

    from roam_tracker import RoamTracker
    from roam_tracker.tracker import to_rgb

    torch.set_num_threads(options.threads)
    tracker, clock = RoamTracker(preset=options.preset, device="cpu"), Clock()
    clock.watch()
    print(
        "ms a frame    " + "".join(f"{part:>10}" for part in (*PARTS, "other", "all")) + "       fps   CPU ms"
    )
    for folder in options.folders:
        files = sorted(file for file in folder.rglob("*") if file.suffix.lower() in (".jpg", ".png"))
        images = [to_rgb(file) for file in files[: options.frames]]
        tracker.init(images[0], first_box(folder))
        rows, used = [], 0.0
        for index, image in enumerate(images[1:]):
            clock.spent.clear()
            began, cpu = time.perf_counter(), time.process_time()
            tracker.update(image)
            whole = time.perf_counter() - began
            if index >= options.warm_up:
                used += time.process_time() - cpu
                rows.append([clock.spent[part] for part in PARTS] + [whole])
        table = 1e3 * np.array(rows)
        table = np.insert(table, len(PARTS), table[:, -1] - table[:, :-1].sum(1), axis=1)
        every = tracker.config.update.every_frames
        print(f"{folder.parent.name if folder.name == 'img' else folder.name}, {len(rows)} frames")
        updating = table[:, PARTS.index("update")] > 0.1
        for name, chosen in (("ordinary", table[~updating]), ("updating", table[updating])):
            if len(chosen):
                print(f"  {name:<12}" + "".join(f"{value:10.2f}" for value in np.median(chosen, axis=0)))
        # medians of both kinds, weighted: robust against other jobs
        typical = [np.median(chosen, axis=0) for chosen in (table[~updating], table[updating]) if len(chosen)]
        middle = typical[0] + (typical[-1] - typical[0]) / every
        cpu_ms = 1e3 * used / len(rows)
        print(
            "  median      "
            + "".join(f"{v:10.2f}" for v in middle)
            + f"{1e3 / middle[-1]:10.1f}{cpu_ms:9.1f}"
        )
        mean = table.mean(0)
        print("  mean        " + "".join(f"{v:10.2f}" for v in mean) + f"{1e3 / mean[-1]:10.1f}")


def first_box(folder: Path) -> Any:
    """The first row of the annotation in the folder or above it."""
    for place in (folder, folder.parent):
        if (place / "groundtruth_rect.txt").is_file():
            line = (place / "groundtruth_rect.txt").read_text().splitlines()[0]
            return [float(value) for value in line.replace(",", " ").split()]
    raise SystemExit(f"No groundtruth_rect.txt in {folder} or above.")


class Clock:
    """Seconds spent in each part since `spent` was cleared; a part within a part counts for the outer one."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.running = False

    def watch(self) -> None:
        """Wrap the tracker's functions in the places where it looks them up."""
        from roam_tracker.core import backbone, response, search, tracking

        for module, name, part in (
            (search, "crop", "crop"),
            (backbone, "extract", "backbone"),
            (response, "respond", "response"),
            (response, "regress", "response"),
            (tracking, "update", "update"),
        ):
            setattr(module, name, self.timed(part, getattr(module, name)))

    def timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, with its time added to `spent[part]`."""

        def call(*args: Any, **kwargs: Any) -> Any:
            if self.running:
                return function(*args, **kwargs)
            self.running, began = True, time.perf_counter()
            try:
                return function(*args, **kwargs)
            finally:
                self.running = False
                self.spent[part] += time.perf_counter() - began

        return call


if __name__ == "__main__":
    main()
