"""Ground truth of the box benchmarks in the folders of their downloads, or as plain `<sequence>.txt`."""

import ast
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import DataError
from roam_tracker.report.benchmarks import Benchmark, Layout, otb_name
from roam_tracker.report.read.readers import RESTORE, BoxTruth, number, read_boxes, read_text
from roam_tracker.sequences import OTB_RANGES

Files = dict[str, Path]


def read_truths(benchmark: Benchmark, root: Path) -> dict[str, BoxTruth]:
    """Sequence -> ground truth of a benchmark's folder; empty where nothing of it is found.

    Besides the benchmark's own folders, every benchmark takes a folder of `<sequence>.txt` with x, y, w, h.
    DataError names a damaged file and its line.
    """
    return _READERS[benchmark.layout](root, benchmark)


def _otb(root: Path, _: Benchmark) -> dict[str, BoxTruth]:
    """`<video>/groundtruth*.txt`; rows outside a video's annotated range are cut.

    A video with several truth files gives `<video>.1`, `<video>.2`; empty files are passed over.
    """
    files: Files = {}
    for folder in _folders(root):
        truths = [path for path in sorted(folder.glob("groundtruth*.txt")) if path.stat().st_size]
        for index, path in enumerate(truths, 1):
            files[otb_name(folder.name) if len(truths) == 1 else f"{folder.name}.{index}"] = path
    found: dict[str, BoxTruth] = {}
    for name, path in (files or {otb_name(path.stem): path for path in _plain(root).values()}).items():
        boxes = read_boxes(path, DataError)
        first, last = OTB_RANGES.get(name, (1, len(boxes)))
        if len(boxes) > last - first + 1:
            boxes = boxes[first - 1 : last] if len(boxes) >= last else boxes[: last - first + 1]
        found[name] = BoxTruth(boxes, path)
    return found


def _uav(root: Path, benchmark: Benchmark) -> dict[str, BoxTruth]:
    """`anno/<UAV123 or UAV20L>/<sequence>.txt`; NaN where the target is not annotated."""
    inside = root / "anno" / benchmark.name
    return _read(_plain(inside if inside.is_dir() else root))


def _nfs(root: Path, benchmark: Benchmark) -> dict[str, BoxTruth]:
    """`<video>/<240 or 30>/<video>.txt` with x1 y1 x2 y2 in columns 2 to 5, images in a folder beside it.

    Of eight times as many rows as images every eighth counts; one more or less than the images is cut.
    """
    frames_per_second = benchmark.name.removeprefix("NfS")
    files = {path.stem: path for path in sorted(root.glob(f"*/{frames_per_second}/*.txt"))}
    if not files:
        return _read(_plain(root))
    found = {}
    for name, path in files.items():
        rows = [line.split() for line in read_text(path, DataError)]
        for line, row in enumerate(rows, 1):
            if len(row) < 5 or not np.isfinite([number(word) for word in row[1:5]]).all():
                raise DataError(
                    f"{path}, line {line}: found {' '.join(row)!r}, expected x1 y1 x2 y2 in columns 2 to 5."
                    f" {RESTORE}"
                )
        corners = np.array([row[1:5] for row in rows], dtype=np.float64)
        boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
        images = len(list((path.parent / name).glob("*.jpg")))
        if images and len(boxes) != images:
            boxes = boxes[::8] if abs(len(boxes) / images - 8) < 1 else boxes
            boxes = boxes[:images] if len(boxes) - images == 1 else boxes
        found[name] = BoxTruth(boxes, path)
    return found


def _dtb70(root: Path, _: Benchmark) -> dict[str, BoxTruth]:
    """`<sequence>/groundtruth_rect.txt`."""
    return _read({path.parent.name: path for path in root.glob("*/groundtruth_rect.txt")} or _plain(root))


def _tcolor128(root: Path, _: Benchmark) -> dict[str, BoxTruth]:
    """`<sequence>/<sequence>_gt.txt`, a row for each frame of the range in `<sequence>_frames.txt`."""
    nested = {path.parent.name: path for path in root.glob("*/*_gt.txt")}
    return _read(nested or {name.removesuffix("_gt"): path for name, path in _plain(root).items()})


def _lasot(root: Path, _: Benchmark) -> dict[str, BoxTruth]:
    """`<class>/<sequence>/groundtruth.txt` or `<sequence>/groundtruth.txt`, or the toolkit's annotations.

    A frame is absent where full_occlusion.txt or out_of_view.txt has a 1. The toolkit's annotations are
    `<sequence>.txt` with `absent/<sequence>.txt` beside them, or in `boxes` beside `absent`.
    """
    files = {
        path.parent.name: path
        for pattern in ("*/groundtruth.txt", "*/*/groundtruth.txt")
        for path in sorted(root.glob(pattern))
    }
    if files:
        return {
            name: _with_absent(
                BoxTruth(read_boxes(path, DataError), path),
                [path.with_name("full_occlusion.txt"), path.with_name("out_of_view.txt")],
            )
            for name, path in files.items()
        }
    folder = next((inner for inner in (root, *_folders(root)) if (inner / "absent").is_dir()), root)
    boxes = folder / "boxes"
    return {
        name: _with_absent(truth, [folder / "absent" / f"{name}.txt"])
        for name, truth in _read(_plain(boxes if boxes.is_dir() else folder)).items()
    }


def _with_absent(truth: BoxTruth, flags: list[Path]) -> BoxTruth:
    hidden = [_flags(path, len(truth.boxes)) for path in flags if path.is_file()]
    visible = ~np.any(hidden, axis=0) if hidden else None
    return BoxTruth(truth.boxes, truth.source, visible)


def _trackingnet(root: Path, _: Benchmark) -> dict[str, BoxTruth]:
    """`TEST/anno/<sequence>.txt` or `anno/<sequence>.txt`."""
    inside = [path for path in (root / "TEST" / "anno", root / "anno") if path.is_dir()]
    truths = _read(_plain((inside or [root])[0]))
    for truth in truths.values():
        _refuse_first_frame_only(truth)
    return truths


def _got10k(root: Path, _: Benchmark) -> dict[str, BoxTruth]:
    """`<sequence>/groundtruth.txt` in the root or in its `val`.

    `cover.label` tells the visible frames, `meta_info.ini` the image's size, where they are there.
    """
    root = root / "val" if (root / "val" / "list.txt").is_file() else root
    files = {
        folder.name: folder / "groundtruth.txt"
        for folder in _folders(root)
        if (folder / "groundtruth.txt").is_file()
    }
    nested = bool(files)
    truths: dict[str, BoxTruth] = {}
    for name, path in (files or _plain(root)).items():
        truth = BoxTruth(read_boxes(path, DataError), path)
        _refuse_first_frame_only(truth)
        if nested:
            cover = path.with_name("cover.label")
            visible = _flags(cover, len(truth.boxes)) if cover.is_file() else None
            truth = BoxTruth(truth.boxes, path, visible, _resolution(path.with_name("meta_info.ini")))
        truths[name] = truth
    return truths


def _refuse_first_frame_only(truth: BoxTruth) -> None:
    if len(truth.boxes) < 2:
        raise DataError(
            f"{truth.source} has 1 row, expected a row for each frame. The test set's truth is not public:"
            " send its results to the benchmark's server."
        )


def _read(files: Files) -> dict[str, BoxTruth]:
    return {name: BoxTruth(read_boxes(path, DataError), path) for name, path in sorted(files.items())}


def _plain(folder: Path) -> Files:
    return {path.stem: path for path in sorted(folder.glob("*.txt")) if path.stem != "list"}


def _flags(path: Path, frames: int) -> NDArray[np.bool_]:
    """Which of the frames have a label above 0."""
    labels = np.array(
        [number(word) for word in " ".join(read_text(path, DataError)).replace(",", " ").split()]
    )
    if len(labels) != frames or not np.isfinite(labels).all():
        raise DataError(f"{path} has {len(labels)} labels, expected {frames} numbers. {RESTORE}")
    return labels > 0


def _resolution(path: Path) -> tuple[int, int] | None:
    if not path.is_file():
        return None
    for line in read_text(path, DataError):
        found = re.match(r"\s*resolution\s*[:=]\s*(\(.*\))", line)
        if found:
            width, height = ast.literal_eval(found[1])
            return int(width), int(height)
    return None


def _folders(root: Path) -> list[Path]:
    return sorted(path for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))


_READERS: dict[Layout, Callable[[Path, Benchmark], dict[str, BoxTruth]]] = {
    "otb": _otb,
    "uav": _uav,
    "nfs": _nfs,
    "dtb70": _dtb70,
    "tcolor128": _tcolor128,
    "lasot": _lasot,
    "trackingnet": _trackingnet,
    "got10k": _got10k,
}
