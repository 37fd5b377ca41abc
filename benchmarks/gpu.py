"""All that must be measured on a GPU, in one go: parity, precisions, floors, many targets at once.

    python benchmarks/gpu.py                            a made sequence, random VGG-16 weights
    python benchmarks/gpu.py --sequence path/to/Deer --out gpu.json

Prints a line a check with its figure and PASS or FAIL, a table of speeds, and ends with status 1 if a
check failed. It is made to end within 8 minutes. `--device cpu --frames 12 --presets default` tries the
script itself where there is no GPU; its times then mean nothing.
"""

import argparse
import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from roam_tracker.commands.bench import sequence
from roam_tracker.core.config import load_preset
from roam_tracker.core.geometry import overlap
from roam_tracker.errors import ConfigError
from roam_tracker.selfcheck.bench import measure, measure_batch, plain, random_weights
from roam_tracker.tracker import RoamTracker

# what is asked of each preset: ratio to the floor, times the plain tracker, frames/s of one target, times
# that with 32 at once; None: not asked
WANTED = {"default": (None, None, 300.0, 3.0), "paper": (1.5, 8.0, None, None)}
BATCHES = {"default": (8, 32, 64), "paper": (2, 4)}


def main() -> int:
    """Measure, print, write; 0 if every check passed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sequence", type=Path, help="in OTB's layout (default: a made one)")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--frames", type=int, default=220)
    parser.add_argument("--presets", nargs="+", default=list(WANTED))
    parser.add_argument("--batches", type=int, nargs="+", default=[], help="targets at once")
    parser.add_argument("--out", type=Path, help="also write all figures as JSON")
    options = parser.parse_args()
    if options.device != "cpu" and not torch.cuda.is_available():
        raise SystemExit("torch finds no CUDA here. Run this on a machine with a GPU.")
    began, checks, rows = time.monotonic(), [], []
    images, truth, _ = sequence(options.sequence, options.frames)
    warm_up = min(30, len(images) // 3)
    for preset in options.presets:
        found, passed = examine(preset, options.device, images, truth, warm_up, options.batches)
        rows += found
        checks += passed
    name = torch.cuda.get_device_name() if options.device != "cpu" else "cpu"
    print(
        f"\n{name}, torch {torch.__version__}, {len(images)} frames, {time.monotonic() - began:.0f} s in all"
    )
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    if options.out:
        content = {"device": name, "torch": torch.__version__, "checks": checks, "rows": rows}
        options.out.write_text(json.dumps(content, indent=1) + "\n")
    return int(not all(check["passed"] for check in checks))


def examine(
    preset: str, device: str, images: list[Any], truth: list[Any], warm_up: int, batches: list[int]
) -> tuple[list[Any], list[Any]]:
    """Rows of speeds and checks of one preset."""
    config, checks, rows = load_preset(preset), [], []

    def check(what: str, value: float, passed: bool) -> None:
        checks.append({"preset": preset, "what": what, "value": value, "passed": passed})
        print(f"{'PASS' if passed else 'FAIL'}  {preset}: {what}: {value:.4g}", flush=True)

    weights = random_weights(config) if preset == "paper" else None
    fast = RoamTracker(config, device, weights=weights)
    reference = plain(fast)
    few, box = images[: 60 if preset == "paper" else len(images)], truth[0]

    # parity: the same boxes as the plain tracker in float32, whose arithmetic is the readable one
    torch.backends.cudnn.allow_tf32 = False
    wanted = follow(reference, few, box)
    for precision in ("float32", "bfloat16", "float16"):
        try:
            tracker = RoamTracker(replace(config, precision=precision), device, weights=fast.model.weights)
        except ConfigError:  # float16 on a CPU, bfloat16 on an older one
            continue
        torch.backends.cudnn.allow_tf32 = precision != "float32"
        boxes = follow(tracker, few, box)
        off = float(np.median(np.abs(boxes - wanted).max(1)))
        scores = [overlap(found, np.array(truth[1 : len(few)])).mean() for found in (boxes, wanted)]
        moved = float(abs(scores[0] - scores[1]))
        if preset == "default":  # random weights follow nothing, so nothing keeps two runs together
            check(f"{precision}: median box difference, px, below 0.5", off, off < 0.5)
            check(f"{precision}: difference of mean overlap, below 0.005", moved, moved < 0.005)
        speed = measure(tracker, few, box, warm_up=min(warm_up, len(few) // 3), name=precision)
        rows.append(summary(preset, speed))
    waits = host_waits(fast, images[:12], box)
    check("waits for the device a frame, at most 1", waits, waits <= 1)

    ratio, times_plain, alone, together = WANTED.get(preset, (None, None, None, None))
    speed = measure(fast, few, box, warm_up=min(warm_up, len(few) // 3), name=f"{fast.model.precision}"[6:])
    slow = measure(reference, few[: len(few) // 2], box, warm_up=min(warm_up, len(few) // 6), name="plain")
    rows += [summary(preset, speed), summary(preset, slow)]
    if ratio is not None and speed.ratio is not None:
        check(f"frame over floor, at most {ratio}", speed.ratio, speed.ratio <= ratio)
    if times_plain is not None:
        gain = speed.fps / slow.fps
        check(f"times the plain tracker's frames/s, at least {times_plain}", gain, gain >= times_plain)
    if alone is not None:
        check(f"frames/s of one target, at least {alone}", speed.fps, speed.fps >= alone)
    for slots in batches or BATCHES.get(preset, ()):
        many = measure_batch(fast, few, box, slots, warm_up=min(warm_up, len(few) // 3))
        rows.append(summary(preset, many))
        if together is not None and slots == 32:
            gain = many.fps / speed.fps
            check(f"32 at once: times one target's frames/s, at least {together}", gain, gain >= together)
    return rows, checks


def follow(tracker: RoamTracker, images: list[Any], box: Any) -> Any:
    """The boxes (N, 4) of all frames but the first."""
    tracker.init(images[0], box)
    return np.array([tracker.update(image) for image in images[1:]])


def host_waits(tracker: RoamTracker, images: list[Any], box: Any) -> float:
    """How often the processor waits for the device in a frame, as PyTorch itself counts it."""
    if tracker.device.type != "cuda":
        return 0.0
    import warnings

    follow(tracker, images, box)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            for image in images[1:]:
                tracker.update(image)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    return sum("synchroniz" in str(each.message) for each in caught) / (len(images) - 1)


def summary(preset: str, speed: Any) -> dict[str, Any]:
    """The figures of a row that people read."""
    names = ("fps", "frame_ms", "median_ms", "p95_ms", "floor_ms", "ratio", "peak_mib")
    values = {name: getattr(speed, name) for name in names}
    return {"preset": preset, "row": speed.tracker} | {
        name: round(value, 3) for name, value in values.items() if value is not None
    }


if __name__ == "__main__":
    raise SystemExit(main())
