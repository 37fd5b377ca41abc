"""Overlap of boxes and polygons as the VOT challenges measure it: counted on pixels.

A region is rounded to whole coordinates (half to even) and painted as pixels. A box x, y, w, h paints
columns x to x + w - 1, rows y to y + h - 1. Pixels are counted in a frame: the smallest one around both
regions, cut at the image's border where its size is known. Three conventions on the edges of the
definition: a frame around both of one row or column counts as overlap 1 (two empty regions agree); one
that is a single row or column only after the cut, or outside, counts as 0; no region is the pixel (0, 0)
when the frame is found and paints nothing.
"""

from collections.abc import Iterator, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from roam_tracker.report.read.vot import Region

Array = NDArray[np.float64]
Bounds = NDArray[np.float64]  # (4,) or (N, 4): first column, first row, last column, last row, all included


def region_overlaps(
    first: Sequence[Region], second: Sequence[Region], size_px: tuple[int, int] | None
) -> Array:
    """Overlap (N,) in [0, 1] of regions, pair by pair; size_px: image (width, height), None = no cut."""
    overlaps = np.zeros(len(first))
    if not len(first):
        return overlaps
    boxes, others = _bounds(first), _bounds(second)
    around = np.concatenate(
        [np.minimum(boxes[:, :2], others[:, :2]), np.maximum(boxes[:, 2:], others[:, 2:])], 1
    )
    cut = around.copy()
    if size_px is not None:
        cut[:, :2] = np.maximum(cut[:, :2], 0)
        cut[:, 2:] = np.minimum(cut[:, 2:], np.array(size_px) - 1)
    thin = (around[:, :2] >= around[:, 2:]).any(axis=1)
    outside = (cut[:, :2] >= cut[:, 2:]).any(axis=1)
    overlaps[thin] = 1
    shaped = np.array([_is_polygon(a) or _is_polygon(b) for a, b in zip(first, second, strict=True)])
    drawn = np.array([a is not None and b is not None for a, b in zip(first, second, strict=True)])
    plain = drawn & ~thin & ~outside & ~shaped
    overlaps[plain] = _box_overlaps(boxes[plain], others[plain], cut[plain])
    left = drawn & ~thin & ~outside & shaped
    for index in map(int, np.flatnonzero(left)):
        a, b = first[index], second[index]
        if _is_polygon(a) and _is_polygon(b):
            overlaps[index] = _painted_overlap(a, b, cut[index])
            left[index] = False
    # a box and a polygon each, together where the polygons have equally many points
    polygons = [a if _is_polygon(a) else b for a, b in zip(first, second, strict=True)]
    corners = np.array([0 if region is None else len(region) for region in polygons])
    boxes = np.where(np.array([_is_polygon(region) for region in first])[:, None], others, boxes)
    for count in np.unique(corners[left]):
        these = np.flatnonzero(left & (corners == count))
        points = np.round(np.array([polygons[index] for index in these])).astype(np.float64)
        overlaps[these] = _mixed_overlaps(boxes[these], points, cut[these])
    return overlaps


def paint(region: Region, bounds: Bounds) -> NDArray[np.bool_]:
    """The pixels (rows, columns) of a region inside `bounds`, true where painted."""
    left, top, right, bottom = (int(value) for value in bounds)
    if _is_polygon(region):
        return _paint_polygon(
            np.round(region).astype(np.float64) - [left, top], bottom - top + 1, right - left + 1
        )
    pixels = np.zeros((bottom - top + 1, right - left + 1), dtype=bool)
    if region is not None:
        x0, y0, x1, y1 = _bounds([region])[0].astype(int) - [left, top, left, top]
        pixels[max(y0, 0) : max(y1 + 1, 0), max(x0, 0) : max(x1 + 1, 0)] = True
    return pixels


def _paint_polygon(points: Array, rows: int, columns: int) -> NDArray[np.bool_]:
    """Scan-line filling with both borders painted; points (P, 2) whole numbers relative to the frame."""
    row, column = np.arange(rows), np.arange(columns)
    pixels = np.zeros((rows, columns), dtype=bool)
    for start, end in _runs(np.broadcast_to(points, (rows, *points.shape)), row):
        pixels |= (column >= start[:, None]) & (column <= end[:, None])
    return pixels


def _mixed_overlaps(boxes: Bounds, polygons: Array, cut: Bounds) -> Array:
    """Overlap (N,) of boxes (N, 4) with polygons (N, P, 2): pixels counted row by row, none is painted."""
    points = polygons - cut[:, None, :2]
    size = cut[:, 2:] - cut[:, :2]  # last column and row of each frame
    low = np.clip(points[:, :, 1].min(axis=1), 0, None)
    rows = np.clip(np.minimum(points[:, :, 1].max(axis=1), size[:, 1]) - low + 1, 0, None).astype(int)
    owner = np.repeat(np.arange(len(rows)), rows)
    row = low[owner] + np.arange(len(owner)) - (np.cumsum(rows) - rows)[owner]
    near = np.maximum(boxes[:, :2] - cut[:, :2], 0)[owner]
    far = np.minimum(boxes[:, 2:] - cut[:, :2], size)[owner]
    crossed = (row >= near[:, 1]) & (row <= far[:, 1])
    area, both = np.zeros(len(owner)), np.zeros(len(owner))
    painted = np.full(len(owner), -1.0)  # the last column so far
    for start, end in _runs(points[owner], row):
        start, end = np.maximum(start, painted + 1), np.minimum(end, size[owner, 0])
        area += np.clip(end - start + 1, 0, None)
        shared = np.minimum(end, far[:, 0]) - np.maximum(start, near[:, 0]) + 1
        both += np.where(crossed, np.clip(shared, 0, None), 0)
        painted = np.maximum(painted, end)
    count = len(rows)
    shared = np.bincount(owner, both, count)
    union = np.bincount(owner, area, count) + _area(boxes, cut) - shared
    return np.asarray(shared / np.where(union > 0, union, 1))


def _runs(points: Array, row: NDArray[Any]) -> Iterator[tuple[Array, Array]]:
    """First and last column of the painted runs of each row, in order; first > last where there is none.

    points: (N, P, 2) whole numbers, the polygon of each row; row: (N,)
    On each row every edge that touches it gives a crossing (a level edge its own point), cut towards zero.
    In order, crossings pair up; one equal to its successor is dropped unless only that pair is left.
    """
    x, y = points[..., 0], points[..., 1]
    x_before, y_before = np.roll(x, 1, axis=1), np.roll(y, 1, axis=1)
    touches = (np.minimum(y, y_before) <= row[:, None]) & (row[:, None] <= np.maximum(y, y_before))
    rise, run = y_before - y, x_before - x
    crossing = np.trunc(x + (row[:, None] - y) / np.where(rise == 0, 1, rise) * np.where(rise == 0, 0, run))
    crossing = np.sort(np.where(touches, crossing, np.inf), axis=1)
    count = touches.sum(axis=1)
    place = np.zeros(len(row), dtype=int)
    for index in range(points.shape[1] - 1):
        start, end = crossing[:, index], crossing[:, index + 1]
        here = (place == index) & (index < count - 1)
        repeated = here & (start == end) & (index < count - 2)
        filled = here & ~repeated
        place[repeated] = index + 1
        place[filled] = index + 2
        yield np.where(filled, start, 0.0), np.where(filled, end, -1.0)


def _painted_overlap(first: Region, second: Region, bounds: Bounds) -> float:
    a, b = paint(first, bounds), paint(second, bounds)
    union = np.count_nonzero(a | b)
    return np.count_nonzero(a & b) / union if union else 0.0


def _box_overlaps(first: Bounds, second: Bounds, cut: Bounds) -> Array:
    """The same count for boxes (N, 4) by areas."""

    both = _area(first, second, cut)
    union = _area(first, cut) + _area(second, cut) - both
    return np.asarray(both / np.where(union > 0, union, 1))


def _area(*bounds: Bounds) -> Array:
    """Pixels (N,) that lie in all of the bounds."""
    near = np.maximum.reduce([bound[:, :2] for bound in bounds])
    far = np.minimum.reduce([bound[:, 2:] for bound in bounds])
    return np.asarray(np.prod(np.clip(far - near + 1, 0, None), axis=1))


def _bounds(regions: Sequence[Region]) -> Bounds:
    bounds = np.zeros((len(regions), 4))
    for index, region in enumerate(regions):
        if region is None:
            continue
        whole = np.round(region).astype(np.float64)
        bounds[index] = (
            [*whole.min(axis=0), *whole.max(axis=0)]
            if whole.ndim == 2
            else [*whole[:2], *(whole[:2] + whole[2:] - 1)]
        )
    return bounds


def _is_polygon(region: Region) -> TypeGuard[NDArray[np.float32]]:
    return region is not None and region.ndim == 2
