"""`roam bench`: frames a second, where the time of a frame goes, how far it is from the backbone alone."""

import argparse
import json
import platform
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from roam_tracker.errors import DataError, WeightsError
from roam_tracker.files import write_atomic
from roam_tracker.provenance import versions


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's options."""
    add = parser.add_argument
    add("--preset", default="default", help="a name or a TOML file (default: default)")
    add("--sequence", type=Path, metavar="DIR", help="in OTB's layout (default: a made one, 320x240)")
    add("--frames", type=int, default=300, help="at most so many (default 300)")
    add("--warm-up", type=int, default=20, help="updates before the clock starts (default 20)")
    add("--threads", type=int, default=1, metavar="N", help="of PyTorch; 0: as PyTorch likes (default: 1)")
    add("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    add("--precision", help="of the backbone: auto, float32, bfloat16, float16 (default: the preset's)")
    add("--batch", type=int, nargs="+", default=[], metavar="B", help="also so many targets at once")
    add(
        "--random-weights",
        action="store_true",
        help="for a preset without weights: the boxes mean nothing, the times are the same",
    )
    add("--no-reference", action="store_true", help="without the plain tracker beside the fast one")
    add(
        "--other",
        nargs="+",
        default=[],
        metavar="MODULE:CLASS",
        help="further trackers with init and update, e.g. roam_tracker.toolkits.opencv:CSRT",
    )
    add("--json", type=Path, metavar="FILE", help="also write what was measured")


def run(args: argparse.Namespace) -> int:
    """Measure and print a table."""
    import torch

    from roam_tracker.core.config import load_preset
    from roam_tracker.selfcheck.bench import measure, measure_batch, measure_other, plain, random_weights
    from roam_tracker.toolkits.registry import create
    from roam_tracker.tracker import RoamTracker

    images, boxes, decode_ms = sequence(args.sequence, args.frames)
    box = boxes[0]
    config = load_preset(args.preset)
    if args.precision:
        config = replace(config, precision=args.precision)
    weights = random_weights(config) if args.random_weights else None
    try:
        tracker = RoamTracker(config, args.device, weights=weights, threads=args.threads or None)
    except WeightsError as error:
        raise WeightsError(f"{error} To measure, made-up ones will do: --random-weights") from None
    found = [measure(tracker, images, box, warm_up=args.warm_up, name=args.preset)]
    found += [measure_batch(tracker, images, box, slots, warm_up=args.warm_up) for slots in args.batch]
    if not args.no_reference:
        name = f"{args.preset}, plain"
        found.append(measure(plain(tracker), images, box, warm_up=args.warm_up, name=name))
    for other in args.other:
        name = other.rpartition(":")[2]
        found.append(measure_other(create(other), images, box, warm_up=args.warm_up, name=name))
    device = "cpu" if tracker.device.type == "cpu" else torch.cuda.get_device_name(tracker.device)
    what = {
        "preset": args.preset,
        "sequence": args.sequence.name if args.sequence else "made",
        "size_px": list(images[0].shape[1::-1]),
        "device": device,
        "processor": _processor(),
        "threads": tracker.threads or torch.get_num_threads(),
        "precision": str(tracker.model.precision).removeprefix("torch."),
        "versions": versions(),
    }
    size = "x".join(map(str, what["size_px"]))
    print(f"{what['sequence']}, {len(images)} frames of {size} px; {device}, {what['processor']}, ", end="")
    print(f"{what['threads']} threads, {what['precision']}; decoding {decode_ms:.1f} ms a frame, not counted")
    _print(found)
    if args.json:
        main = found[0].as_dict()
        main["split_ms"] = {"decode": decode_ms, **main["split_ms"]}
        content = main | what | {"beside": [each.as_dict() for each in found[1:]]}
        write_atomic(args.json, json.dumps(content, indent=1) + "\n")
    return 0


def _print(found: list[Any]) -> None:
    columns = ("fps", "frame_ms", "median_ms", "p95_ms", "first_ms", "floor_ms", "ratio", "peak_mib")
    width = max(8, *(len(each.tracker) for each in found))
    print(" " * width + "".join(f"{column:>11}" for column in columns))
    for each in found:
        values = [getattr(each, column) for column in columns]
        cells = ("-" if value is None else f"{value:.2f}" for value in values)
        print(each.tracker.ljust(width) + "".join(f"{cell:>11}" for cell in cells))
    split = found[0].split_ms
    print("\nms a frame  " + "".join(f"{part:>11}" for part in split))
    print("            " + "".join(f"{value:>11.2f}" for value in split.values()))
    print(
        f"{found[0].forwards:.2f} forwards a frame; frames that learn {_ms(found[0].updating_ms)}, ", end=""
    )
    print(f"others {_ms(found[0].ordinary_ms)} (medians)")


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} ms"


def sequence(folder: Path | None, frames: int) -> tuple[list[Any], list[Any], float]:
    """Images in memory, their boxes, milliseconds to decode one."""
    from roam_tracker.datasets.frames import first_with_frames
    from roam_tracker.datasets.layouts import truth_files
    from roam_tracker.datasets.text import read_boxes
    from roam_tracker.images import levels_of, to_rgb
    from roam_tracker.sample.render import render

    if folder is None:
        sample = render("motion", frames)
        return list(sample.frames), list(sample.boxes), 0.0
    files = first_with_frames([folder / "img", folder / "color", folder])[:frames]
    truths = truth_files(folder)
    if not files or not truths:
        raise DataError(
            f"{folder} has no images or no groundtruth_rect.txt. Give a sequence in OTB's layout."
        )
    began = time.perf_counter()
    levels = levels_of(files[0])
    images = [to_rgb(file, levels) for file in files]
    return (
        images,
        list(read_boxes(truths[0], polygons=True)),
        1e3 * (time.perf_counter() - began) / len(files),
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()
