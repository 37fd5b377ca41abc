"""How a made frame is painted: layers over a background, then light, blur, grain and compression."""

import dataclasses
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from roam_tracker.training.stills import Cutout, Plane

Frame = Plane  # (H, W, 3) RGB
_LONGEST_TRAIL = 15  # px


@dataclass(frozen=True, slots=True)
class Layer:
    """A cut-out and where it goes in each of N frames: p = map (q - middle) + centre, all in px."""

    cutout: Cutout
    middle: NDArray[np.float64]  # (2,) the point of the cut-out that lies on the centre
    maps: NDArray[np.float64]  # (N, 2, 2)
    centres: NDArray[np.float64]  # (N, 2)
    trails: NDArray[np.float64]  # (N, 2) way covered while the shutter is open, px
    part: NDArray[np.float64] | None = None  # (n, 2) outline of the target, where it is a part of the cut-out

    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) x, y, w, h of the transformed outline, hidden or not, inside the frame or not."""
        outline = self.cutout.hull if self.part is None else self.part
        points = (outline - self.middle) @ self.maps.transpose(0, 2, 1) + self.centres[:, None]
        low, high = points.min(1), points.max(1)
        return np.concatenate([low, high - low], axis=1)


@dataclass(frozen=True, slots=True)
class Painted:
    """What a layer covers of a frame."""

    left: int
    top: int
    alpha: NDArray[np.float32]  # (h, w, 1) 0 to 1

    def covered_by(self, others: list["Painted"]) -> float:
        """The share of it, 0 to 1, that layers painted later hide."""
        height, width = self.alpha.shape[:2]
        seen = self.alpha.copy()
        for other in others:
            x, y = other.left - self.left, other.top - self.top
            rows = slice(max(0, y), max(0, min(height, y + other.alpha.shape[0])))
            columns = slice(max(0, x), max(0, min(width, x + other.alpha.shape[1])))
            part = other.alpha[max(0, -y) :, max(0, -x) :][
                : rows.stop - rows.start, : columns.stop - columns.start
            ]
            if part.size and rows.stop > rows.start and columns.stop > columns.start:
                seen[rows, columns] *= 1 - part
        return float(1 - seen.sum() / max(float(self.alpha.sum()), 1e-6))


def paint(frame: Frame, layer: Layer, number: int) -> Painted | None:
    """Paint a layer's place of frame `number` into `frame`; None when it lies outside."""
    height, width = frame.shape[:2]
    cutout, matrix = layer.cutout, layer.maps[number]
    shift = layer.centres[number] - matrix @ layer.middle
    h, w = cutout.alpha.shape
    corners = np.array([[0, 0], [w, 0], [0, h], [w, h]]) @ matrix.T + shift
    room = np.abs(layer.trails[number]) / 2 + 1
    left, top = np.maximum(0, np.floor(corners.min(0) - room)).astype(int).tolist()
    right, bottom = np.minimum((width, height), np.ceil(corners.max(0) + room)).astype(int).tolist()
    if right <= left or bottom <= top:
        return None
    place = index_map(matrix, shift - (left, top))
    size = (right - left, bottom - top)
    colours = cv2.warpAffine(cutout.colours, place, size, borderMode=cv2.BORDER_REPLICATE)
    alpha: NDArray[Any] = cv2.warpAffine(cutout.alpha, place, size)[:, :, None] / np.float32(255)
    ink: NDArray[Any] = colours * alpha
    kernel = trail_kernel(layer.trails[number])
    if kernel is not None:
        ink = cv2.filter2D(ink, -1, kernel, borderType=cv2.BORDER_CONSTANT)
        alpha = cv2.filter2D(alpha, -1, kernel, borderType=cv2.BORDER_CONSTANT)[:, :, None]
    window = frame[top:bottom, left:right]
    window[:] = np.clip(window * (1 - alpha) + ink + 0.5, 0, 255).astype(np.uint8)
    return Painted(left, top, alpha)


def index_map(matrix: NDArray[np.float64], shift: NDArray[np.float64]) -> NDArray[np.float64]:
    """(2, 3) for OpenCV, where a pixel's centre has whole coordinates, of p = matrix q + shift."""
    return np.column_stack([matrix, shift + matrix @ (0.5, 0.5) - 0.5])


def trail_kernel(trail: NDArray[np.float64]) -> NDArray[np.float32] | None:
    """Motion blur along `trail` (2,) px, at most 15 long; None when it is not worth it."""
    reach = float(np.hypot(*trail))
    if reach < 1.5:
        return None
    reach, direction = min(reach, _LONGEST_TRAIL), trail / reach
    half = int(np.ceil(reach / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    for along in np.linspace(-reach / 2, reach / 2, 2 * half + 1):
        x, y = np.rint(half + along * direction).astype(int)
        kernel[y, x] += 1
    return np.asarray(kernel / kernel.sum())


def recoloured(cutout: Cutout, gain: NDArray[np.float64], gamma: float) -> Cutout:
    """The cut-out in another light: 255 (c / 255)^gamma times a gain (3,)."""
    return dataclasses.replace(cutout, colours=cv2.LUT(cutout.colours, light_table(gain, gamma)))


def light_table(gain: NDArray[np.float64], gamma: float) -> Plane:
    """(1, 256, 3) for cv2.LUT."""
    values = 255 * np.linspace(0, 1, 256)[:, None] ** gamma * gain
    return np.clip(values + 0.5, 0, 255).astype(np.uint8)[None]


def shade(frame: Frame, normal: tuple[float, float], edge: float, softness: float, depth: float) -> Frame:
    """Darken one side of a soft straight edge: `depth` is lost where x normal > edge (px)."""
    height, width = frame.shape[:2]
    coarse = 8
    columns, rows = np.arange(0, width, coarse), np.arange(0, height, coarse)
    beyond = (columns * normal[0] + (rows * normal[1])[:, None] - edge) / softness
    left = (1 - depth / (1 + np.exp(-np.clip(beyond, -30, 30)))).astype(np.float32)
    return np.asarray((frame * cv2.resize(left, (width, height))[:, :, None]).astype(np.uint8))


def compressed(frame: Frame, quality: int) -> Frame:
    """The frame after JPEG compression at a quality from 1 to 100."""
    _, data = cv2.imencode(".jpg", frame, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(data, cv2.IMREAD_COLOR))
