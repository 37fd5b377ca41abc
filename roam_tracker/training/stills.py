"""Photos, and the objects that can be cut out of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from roam_tracker.datasets.frames import folders_in, frames_in
from roam_tracker.datasets.text import read_rows
from roam_tracker.errors import DataError, ImageError
from roam_tracker.images import to_rgb

# uint8 of a shape told where it is used; OpenCV's types say no more
Plane = NDArray[Any]

LONGEST_SIDE = 640  # px; larger photos are shrunk when they are read
_FRAME = 6  # px of room around a cut-out, so that a blurred edge ends inside


@dataclass(frozen=True, slots=True)
class Still:
    """A photo; its objects can be cut out where an outline is known, else it is only a background."""

    image: Path
    outline: Path | None = None  # a mask (.png), or rows of polygons or boxes (.txt)


@dataclass(frozen=True, slots=True)
class Cutout:
    """An object without its surroundings."""

    colours: Plane  # (h, w, 3) RGB; beyond the object its edge's colours go on
    alpha: Plane  # (h, w) 0 outside to 255 inside, with a soft edge
    hull: NDArray[np.float64]  # (n, 2) x, y of corners of the pixels with alpha > 1/2, convex hull, px


def find_stills(root: Path) -> list[Still]:
    """Photos in `root` or, when it holds none, in the folders in it; nothing is read yet.

    Known layouts: masks `<name>.png` beside `<name>.jpg`; `images/` and `masks/`; `images/` and
    `polygons/` or `boxes/` with rows of a class and numbers from 0 to 1 (YOLO: x y x y ... or
    centre x, y, width, height); photos alone, which serve as backgrounds. Folders of videos, those
    with a groundtruth.txt, are passed over. Raises DataError when there is no photo.
    """
    root = Path(root)
    folders = [root, *folders_in(root)]
    stills = []
    for folder in folders:
        if not (folder / "groundtruth.txt").exists():
            stills += _stills_of(folder)
        if stills and folder == root:
            break
    if not stills:
        raise DataError(f"{root} has no photo: neither it nor a folder in it holds .jpg files or images/.")
    return stills


def _stills_of(folder: Path) -> list[Still]:
    images = folder / "images" if (folder / "images").is_dir() else folder
    outlines = [("masks", ".png"), ("polygons", ".txt"), ("boxes", ".txt")]
    places = (
        [(folder / name, ending) for name, ending in outlines] if images != folder else [(folder, ".png")]
    )
    known: dict[str, Path] = {}
    for place, ending in reversed(places):  # the finest outline last, to stand
        known |= {path.stem: path for path in place.glob(f"*{ending}")}
    return [Still(path, known.get(path.stem)) for path in frames_in(images, (".jpg", ".jpeg"))]


def read_photo(path: Path) -> Plane:
    """(H, W, 3) RGB, shrunk to LONGEST_SIDE px. Raises DataError naming a file that cannot be read."""
    try:
        with Image.open(path) as opened:
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            image = Image.fromarray(to_rgb(opened))
            image.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
            return np.array(image)
    except (ImageError, OSError, SyntaxError, ValueError) as error:
        raise DataError(f"Image {path} cannot be read ({error}). Replace or remove it.") from None


def cut_out(still: Still, rng: np.random.Generator, smallest: float) -> Cutout | None:
    """One object of a still at random; None when none has a box of `smallest` px (root of the area).

    Raises DataError naming a file that cannot be read.
    """
    if still.outline is None:
        return None
    image = read_photo(still.image)
    height, width = image.shape[:2]
    masks = (
        _text_masks(still.outline, width, height, rng)
        if still.outline.suffix == ".txt"
        else _image_masks(still.outline, width, height, rng)
    )
    for mask, soft in masks:
        x, y, w, h = cv2.boundingRect(mask)
        filled = np.count_nonzero(mask) / max(1, w * h)
        whole = w < 0.98 * width or h < 0.98 * height
        if np.sqrt(w * h) >= smallest and min(w, h) >= 8 and filled > 0.12 and whole:
            cutout = _cut(image, mask, (x, y, w, h), soft)
            if cutout is not None:
                return cutout
    return None


def resized(cutout: Cutout, factor: float) -> Cutout | None:
    """The cut-out at another size, averaged over pixels when smaller; None when nothing is left of it."""
    height, width = cutout.alpha.shape
    size = max(2, round(width * factor)), max(2, round(height * factor))
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    colours, alpha = (cv2.resize(plane, size, interpolation=kind) for plane in (cutout.colours, cutout.alpha))
    return _finished(colours, alpha)


def photo_piece(image: Plane, rng: np.random.Generator, side: int) -> Cutout | None:
    """A rounded piece of any photo, about `side` px, for occluders where nothing is outlined."""
    height, width = image.shape[:2]
    w, h = (int(np.clip(side * np.exp(rng.normal(0, 0.4)), 8, most)) for most in (width, height))
    x, y = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
    mask = np.zeros((height, width), np.uint8)
    mask[y : y + h, x : x + w] = _rounded(w, h, rng)
    return _cut(image, mask, (x, y, w, h), soft=True)


def _text_masks(
    path: Path, width: int, height: int, rng: np.random.Generator
) -> Iterable[tuple[Plane, bool]]:
    """The masks of a text file's rows in random order, (H, W) 0 or 255, and whether they are guesses."""
    remedy = "Each row is a class and numbers."
    rows = read_rows(path, remedy=remedy, columns=slice(1, None)) if path.stat().st_size else []
    for index in rng.permutation(len(rows)):
        values = np.array(rows[index])
        mask = np.zeros((height, width), np.uint8)
        if len(values) == 4:
            left, top = (values[:2] - values[2:] / 2) * (width, height)
            right, bottom = (values[:2] + values[2:] / 2) * (width, height)
            x, y = max(0, round(left)), max(0, round(top))
            w, h = min(width, round(right)) - x, min(height, round(bottom)) - y
            if w > 0 and h > 0:
                mask[y : y + h, x : x + w] = _rounded(w, h, rng)
        elif len(values) >= 6 and len(values) % 2 == 0:
            points = (values.reshape(-1, 2) * (width, height) - 0.5) * 16
            cv2.fillPoly(mask, [points.round().astype(np.int32)], 255, shift=4)
        else:
            raise DataError(
                f"{path}: a row has a class and {len(values)} numbers; a box has 4, a polygon pairs."
            )
        yield mask, len(values) == 4


def _image_masks(
    path: Path, width: int, height: int, rng: np.random.Generator
) -> Iterable[tuple[Plane, bool]]:
    """The objects of a mask file in random order, (H, W) 0 or 255; those of a palette are apart."""
    try:
        with Image.open(path) as opened:
            values = np.array(opened if opened.mode in ("P", "1") else opened.convert("L"))
            palette = opened.mode == "P"
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"Mask {path} cannot be read ({error}). Replace or remove it.") from None
    values = cv2.resize(values.astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    apart = np.setdiff1d(values, (0, 255)) if palette else np.array([])  # 255: edges that belong to nobody
    if not len(apart):
        yield np.where(values > values.max() / 2, 255, 0).astype(np.uint8), False
    for number in rng.permutation(apart):
        yield np.where(values == number, 255, 0).astype(np.uint8), False


def _rounded(width: int, height: int, rng: np.random.Generator) -> Plane:
    """(height, width) 0 or 255: an ellipse, or a box with round corners."""
    power = rng.uniform(2, 6)
    columns = np.abs((np.arange(width) + 0.5) / width * 2 - 1) ** power
    rows = np.abs((np.arange(height) + 0.5) / height * 2 - 1) ** power
    return np.where(columns[None, :] + rows[:, None] <= 1, 255, 0).astype(np.uint8)


def _cut(image: Plane, mask: Plane, box: tuple[int, int, int, int], soft: bool) -> Cutout | None:
    """Cut along a mask, a pixel inside it, since edge pixels hold some of the surroundings."""
    x, y, w, h = box
    window = (slice(y, y + h), slice(x, x + w))
    mask, colours = (
        cv2.copyMakeBorder(plane[window], *(_FRAME,) * 4, border, value=0)
        for plane, border in ((mask, cv2.BORDER_CONSTANT), (image, cv2.BORDER_REPLICATE))
    )
    side = min(w, h)
    if side > 16:
        mask = cv2.erode(mask, np.ones((3, 3), np.uint8))
    blur = 0.03 * side if soft else 0.7
    alpha = cv2.GaussianBlur(mask, (0, 0), max(0.5, min(blur, _FRAME / 2)))
    # what the object's edge looks like goes on beyond it, so that a soft edge shows no halo
    weight = (mask > 0).astype(np.float32)[:, :, None]
    spread, total = (cv2.GaussianBlur(plane, (0, 0), 2.5) for plane in (colours * weight, weight))
    outside = spread / np.maximum(total[:, :, None], 1e-3)
    return _finished(np.where(weight > 0, colours, outside).astype(np.uint8), alpha)


def _finished(colours: Plane, alpha: Plane) -> Cutout | None:
    points = cv2.findNonZero((alpha > 127).astype(np.uint8))
    if points is None:
        return None
    hull = cv2.convexHull(points).reshape(-1, 2).astype(np.float64)
    corners = np.concatenate([hull + corner for corner in ((0, 0), (1, 0), (0, 1), (1, 1))])
    return Cutout(colours, alpha, corners)
