"""Our presets beside OpenCV's trackers on the same frames: AUC, precision, speed without decoding.

    python benchmarks/peers.py --nanotrack path/to/models path/to/Deer [sequence ...]
    python benchmarks/peers.py --tracker default --tracker my.toml path/to/Deer

A sequence is a folder with `img/` and `groundtruth_rect.txt` as OTB has it. `--nanotrack` is a folder
with nanotrackv2_backbone.onnx and nanotrackv2_head.onnx. CSRT needs the package opencv-contrib-python.
"""

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from roam_tracker.core.geometry import Boxes, overlap
from roam_tracker.toolkits.oracle import find_truth


def main() -> None:
    """Run every tracker on every sequence and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("sequences", nargs="+", type=Path)
    parser.add_argument("--tracker", action="append", help="a preset's name or TOML file; repeatable")
    parser.add_argument("--nanotrack", type=Path, help="the folder with NanoTrack's models")
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    makers = {preset: ours(preset, options.threads) for preset in options.tracker or ["default"]}
    makers.update(opencv(options.nanotrack, options.threads))
    print(f"{'':24}" + "".join(f"{name[-22:]:>26}" for name in makers))
    print(f"{'':24}" + f"{'AUC':>12}{'P20':>7}{'fps':>7}" * len(makers))
    rows = []
    for folder in options.sequences:
        images, truth = read(folder)
        rows.append([score(make, images, truth) for make in makers.values()])
        print_row(f"{folder.name} ({len(images)})", np.array(rows[-1]))
    table = np.array(rows)
    print_row("mean, fps over all", np.hstack([table[..., :2].mean(0), table[..., 2:].sum(0)]))


def print_row(name: str, row: Any) -> None:
    """AUC, precision and frames/s of each tracker, from what `score` returns for each."""
    cells = (f"{auc:12.3f}{near:7.3f}{frames / seconds:7.1f}" for auc, near, frames, seconds in row)
    print(f"{name:24}" + "".join(cells), flush=True)


def read(folder: Path) -> tuple[list[Any], Boxes]:
    """The decoded images (RGB) and their boxes, (n, 4)."""
    from roam_tracker.tracker import to_rgb

    files = sorted(file for file in (folder / "img").iterdir() if file.suffix.lower() in (".jpg", ".png"))
    row = (folder / "groundtruth_rect.txt").read_text().splitlines()[0].replace(",", " ").split()
    truth = find_truth(files[0], np.array(row, dtype=float))  # knows which images OTB annotates
    return [to_rgb(file) for file in truth], np.array(list(truth.values()))


Track = Callable[
    [list[Any], Any], Iterator[Boxes]
]  # images, first box -> the box of each image but the first


def score(track: Track, images: list[Any], truth: Boxes) -> tuple[float, float, int, float]:
    """AUC of OTB (21 thresholds, strictly greater), share of centres within 20 px, frames and their seconds.

    The first frame counts in the accuracy and, with the second, which warms up, not in the speed.
    """
    boxes = track(images, truth[0])
    tracked, began = [truth[0], next(boxes)], time.perf_counter()
    tracked += list(boxes)
    elapsed_s = time.perf_counter() - began
    found = np.array(tracked)
    iou = overlap(found, truth)
    away = np.linalg.norm((found - truth)[:, :2] + (found - truth)[:, 2:] / 2, axis=1)
    auc = np.mean(iou[:, None] > np.linspace(0, 1, 21))
    return float(auc), float(np.mean(away <= 20)), len(images) - 2, elapsed_s


def ours(preset: str, threads: int | None) -> Track:
    """RoamTracker with a preset."""
    from roam_tracker import RoamTracker

    tracker = RoamTracker(preset=preset, device="cpu", threads=threads)

    def track(images: list[Any], box: Any) -> Iterator[Boxes]:
        tracker.init(images[0], box)
        for image in images[1:]:
            yield tracker.update(image)

    return track


def opencv(nanotrack: Path | None, threads: int) -> dict[str, Track]:
    """Those of CSRT and NanoTrack v2 that this OpenCV and the folder offer; says what is missing."""
    try:
        import cv2
    except ImportError:
        print("No OpenCV here, so no CSRT and no NanoTrack: pip install opencv-contrib-python-headless")
        return {}
    cv2.setNumThreads(threads)
    found: dict[str, Track] = {}
    place = cv2 if hasattr(cv2, "TrackerCSRT_create") else getattr(cv2, "legacy", None)
    if hasattr(place, "TrackerCSRT_create"):
        found["CSRT"] = opencv_track(place.TrackerCSRT_create)
    else:
        print(f"OpenCV {cv2.__version__} has no CSRT here; opencv-contrib-python-headless 4 has it.")
    if nanotrack is None:
        print("No --nanotrack folder, so no NanoTrack.")
    elif not hasattr(cv2, "TrackerNano_create"):
        print(f"OpenCV {cv2.__version__} has no NanoTrack.")
    else:
        settings = cv2.TrackerNano_Params()
        settings.backbone = str(nanotrack / "nanotrackv2_backbone.onnx")
        settings.neckhead = str(nanotrack / "nanotrackv2_head.onnx")
        found["NanoTrack v2"] = opencv_track(lambda: cv2.TrackerNano_create(settings))
    return found


def opencv_track(create: Callable[[], Any]) -> Track:
    """An OpenCV tracker; it wants BGR and whole pixels, and keeps its last box when it reports a loss."""

    def track(images: list[Any], box: Any) -> Iterator[Boxes]:
        tracker = create()
        # what it is given is made before it asks, for its speed to be its own
        flipped = [np.ascontiguousarray(image[:, :, ::-1]) for image in images]
        last = np.asarray(box, dtype=float)
        tracker.init(flipped[0], tuple(round(value) for value in last))
        for image in flipped[1:]:
            seen, found = tracker.update(image)
            last = np.array(found, dtype=float) if seen else last
            yield last

    return track


if __name__ == "__main__":
    main()
