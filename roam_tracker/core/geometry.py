"""Boxes and overlaps in NumPy; the one place where the pixel convention is stated.

Coordinates are continuous: pixel (column i, row j) covers [i, i+1) x [j, j+1). A box is
(x, y, w, h) in pixels, covers [x, x+w) x [y, y+h) and has its centre at (x + w/2, y + h/2).
Benchmarks that count otherwise (centre at x + (w-1)/2, first pixel 1) keep their rule in their
own metric; tracker and ground truth share the annotation's origin, so the tracker needs no shift.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import BoxError

Boxes = NDArray[np.float64]


def check_box(box: Any) -> Boxes:
    """The box as float64 array (4,) x, y, w, h in pixels.

    Raises BoxError unless it is four finite numbers with positive width and height.
    """
    if isinstance(box, (str, bytes)):  # which would be taken apart into digits
        raise BoxError(f"A box must be four numbers x, y, w, h in pixels, got {box!r}.")
    try:
        array = np.asarray(list(box) if isinstance(box, Iterable) else box, dtype=np.float64)
    except (TypeError, ValueError):
        raise BoxError(f"A box must be four numbers x, y, w, h in pixels, got {box!r}.") from None
    if array.shape != (4,):
        raise BoxError(f"A box must be four numbers x, y, w, h in pixels, got {box!r}.")
    if not np.isfinite(array).all():
        raise BoxError(
            f"A box must be finite, got {array.tolist()}. Start on a frame where the target is visible."
        )
    if array[2] <= 0 or array[3] <= 0:
        raise BoxError(f"A box must have positive width and height, got w={array[2]:g}, h={array[3]:g}.")
    return array


def overlap(a: Boxes, b: Boxes) -> Boxes:
    """Intersection over union of boxes, row by row.

    a, b:    (..., 4) x, y, w, h in pixels
    returns: (...) in [0, 1]; 0 where either box has no area or a coordinate is NaN
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    near = np.maximum(a[..., :2], b[..., :2])
    far = np.minimum(a[..., :2] + a[..., 2:], b[..., :2] + b[..., 2:])
    intersection = np.prod(np.clip(far - near, 0, None), axis=-1)
    union = np.prod(a[..., 2:], axis=-1) + np.prod(b[..., 2:], axis=-1) - intersection
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = np.where(union > 0, intersection / union, 0.0)
    clipped: Boxes = np.clip(np.nan_to_num(ratio), 0.0, 1.0)
    return clipped
