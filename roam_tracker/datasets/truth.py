"""The ground truth of one sequence: its boxes, the frames that count, the images of its rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.datasets.frames import FrameFiles, first_with_frames, number_of
from roam_tracker.datasets.layouts import SequenceFiles
from roam_tracker.datasets.lists import EMPTY_ROWS, OTB_ANNOTATED
from roam_tracker.datasets.text import CORRECT, has_area, read_boxes, read_flags, read_resolution, read_rows
from roam_tracker.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Ground truth of one sequence.

    boxes:   (N, 4) x, y, w, h in pixels; NaN or without area where the target is not annotated
    visible: (N,) bool, false where the benchmark leaves the frame out; None = all count
    size_px: (width, height) of the image, None where unknown
    lacking: names of the label files that the layout has and the sequence has not
    """

    boxes: Boxes
    source: Path
    visible: NDArray[np.bool_] | None = None
    size_px: tuple[int, int] | None = None
    lacking: tuple[str, ...] = ()


def read_truth(files: SequenceFiles, images: int = 0, remedy: str = CORRECT) -> Truth:
    """The truth of a sequence with all its rows, or those that its benchmark annotates.

    images: how many there are, 0 where unknown; of NfS's rows at 30 frames/s it decides which ones count
    remedy: ends the error about a damaged row
    Where a file of labels is missing, a frame without a box counts as one without a target.
    """
    if files.corners:
        boxes = _from_corners(files.truth, images, remedy)
    else:
        boxes = read_boxes(files.truth, remedy=remedy, polygons=files.polygons)
    if files.annotated is not None:
        first, last = files.annotated
        if len(boxes) > last - first + 1:
            boxes = boxes[first - 1 : last] if len(boxes) >= last else boxes[: last - first + 1]
    labels = files.absent if files.cover is None else (files.cover,)
    lacking = tuple(_label(path, files.truth) for path in labels if not path.is_file())
    if files.cover is not None and not lacking:
        # the share is in eighths; a row that is no box cannot be overlapped, whatever the share says
        known = np.isfinite(boxes).all(axis=1)
        visible: NDArray[np.bool_] | None = known & (read_flags(files.cover, len(boxes)) > 0)
    else:
        visible = shown(files, len(boxes))
    if lacking and not has_area(boxes).all():
        visible = has_area(boxes) & (True if visible is None else visible)
    size = None if files.meta is None or not files.meta.is_file() else read_resolution(files.meta)
    return Truth(boxes, files.truth, visible, size, lacking)


def _label(path: Path, truth: Path) -> str:
    """The name of a file of labels, the same for all sequences."""
    return path.name if path.parent == truth.parent else f"{path.parent.name}/<sequence>.txt"


def shown(files: SequenceFiles, frames: int) -> NDArray[np.bool_] | None:
    """Where no file of flags says that the target is absent, (frames,); None where there is no such file."""
    flags = [read_flags(path, frames) for path in files.absent if path.is_file()]
    return ~np.any(np.array(flags) > 0, axis=0) if flags else None


def read_frames(files: SequenceFiles) -> FrameFiles:
    """The images of a sequence that its truth annotates, in their order."""
    frames = first_with_frames(files.frames)
    if files.span is None:
        return frames
    first, last = files.span
    inside = (name for name in frames.names if first <= (number_of(name) or 0) <= last)
    return FrameFiles(frames.folder, tuple(inside))


def read_pair(files: SequenceFiles, remedy: str = CORRECT) -> tuple[FrameFiles, Truth]:
    """Images and truth of a sequence, as many of both. Raises DataError where they do not fit."""
    frames = read_frames(files)
    truth = read_truth(files, len(frames), remedy)
    frames = annotated_frames(files.name, frames, len(truth.boxes))
    if files.corners and len(frames) - len(truth.boxes) == 1:
        frames = frames[:-1]  # as the benchmark's own tool does
    check_count(files.truth, len(truth.boxes), frames)
    return frames, truth


def annotated_frames(name: str, frames: FrameFiles, rows: int) -> FrameFiles:
    """Those frames of an OTB video that its rows annotate; all of any other."""
    first, last = OTB_ANNOTATED.get(name, (1, len(frames)))
    if len(frames) >= last and len(frames) > rows == last - first + 1:
        return frames[first - 1 : last]
    return frames


def check_count(truth: Path, rows: int, frames: FrameFiles) -> None:
    """Raise DataError unless there is one row per image, naming a missing image where that can be seen."""
    if rows == len(frames):
        return
    numbers = [number_of(name) for name in frames.names]
    gap = next((a + 1 for a, b in pairwise(numbers) if a is not None and b != a + 1), None)
    if gap is not None and len(frames) < rows:
        advice = f"The image with number {gap} is missing: unpack the sequence again."
    else:
        advice = "Every image needs its line: unpack the sequence again, or correct the annotation."
    images = f"{len(frames)} {frames.kinds} images" if frames else "no images"
    raise DataError(f"{truth} has {rows} boxes, but {frames.folder} has {images}. {advice}")


def remarks(truths: Mapping[str, Truth], layout: str, *, labels: bool = True) -> list[str]:
    """A sentence for each way in which frames without a box or missing labels decide what counts.

    labels: whether missing ones are named, too; somebody's own videos need none
    """
    told = []
    lacking = {name: truth.lacking for name, truth in truths.items() if truth.lacking and labels}
    for missing in sorted(set(lacking.values())):
        names = [name for name, found in lacking.items() if found == missing]
        told.append(
            f"No {' and no '.join(missing)} for {some(names)}: "
            "a frame shows no target where its box has no area."
        )
    without = {}
    for name, truth in truths.items():
        if truth.lacking or truth.visible is None:
            by_rule = np.isnan(truth.boxes).any(axis=1) if layout == "uav" else False
            count = int((~has_area(truth.boxes) & ~np.asarray(by_rule)).sum())
            if count not in (0, EMPTY_ROWS.get(name)):
                without[name] = f"{name} ({count} of {len(truth.boxes)})"
    if without:
        rule = _RULES.get(layout, "they count as misses")
        told.append(f"Frames without a box (NaN or without area) in {some(list(without.values()))}: {rule}.")
    return told


_RULES = {
    "got10k": "they are left out, as GOT-10k leaves out absent targets",
    "lasot": "they count as hidden, which LaSOT's rule cannot hit",
}


def some(names: Sequence[str], most: int = 5) -> str:
    """The names, or the first few of many and how many more there are."""
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"


def _from_corners(path: Path, images: int, remedy: str) -> Boxes:
    """NfS's rows: a number, x1 y1 x2 y2, other words. Of eight times as many as images every eighth counts.

    One row more than there are images is cut, as the benchmark's own tool does.
    """
    rows = read_rows(path, remedy=remedy, columns=slice(1, 5))
    for line, row in enumerate(rows, 1):
        if len(row) < 4:
            raise DataError(f"{path}, line {line}: expected x1 y1 x2 y2 in columns 2 to 5. {remedy}")
    corners = np.array(rows)
    boxes = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    if images and len(boxes) != images:
        boxes = boxes[::8] if abs(len(boxes) / images - 8) < 1 else boxes
        boxes = boxes[:images] if len(boxes) - images == 1 else boxes
    return boxes
