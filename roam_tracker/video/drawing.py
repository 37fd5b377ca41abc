"""What the tracker sees, drawn into a frame: box, score, frame number, response."""

import functools
import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from roam_tracker.core.geometry import Boxes
from roam_tracker.images import Rgb

_SHORT_PX = 360  # smaller frames are enlarged so that text can be read
_SURE, _UNSURE = np.array([70, 225, 150.0]), np.array([255, 140, 50.0])  # RGB of the box
_SURE_FROM, _UNSURE_TO = 0.6, 0.2  # scores
_SHIFT = 4  # OpenCV's fixed point for places between pixels


@dataclass(frozen=True, slots=True)
class ResponseView:
    """The response map of a frame, (M, M), and the part of the frame that it covers, x, y, w, h in px."""

    values: NDArray[np.float32]
    place: tuple[float, float, float, float]


def annotate(frame: Rgb, box: Boxes, score: float, number: int, response: ResponseView | None = None) -> Rgb:
    """A drawn copy of a frame, enlarged by a whole factor if it is small; its sides are even."""
    zoom = max(1, math.ceil(_SHORT_PX / min(frame.shape[:2])))
    width, height = (2 * max(1, round(side * zoom / 2)) for side in frame.shape[1::-1])
    canvas = resized(frame, (width, height))
    scale = np.array([width / frame.shape[1], height / frame.shape[0]] * 2)
    if response is not None:
        canvas = _glow(canvas, response, np.asarray(response.place) * scale)
    unit = max(1.0, min(width, height) / 480)
    _frame_box(canvas, np.asarray(box) * scale, _colour(score), unit)
    return _labelled(canvas, np.asarray(box) * scale, score, number, unit)


def resized(image: Rgb, size: tuple[int, int]) -> Rgb:
    """A copy of the image (H, W, 3) with another width and height."""
    if image.shape[1::-1] == size:
        return image.copy()
    way = cv2.INTER_CUBIC if size[0] > image.shape[1] else cv2.INTER_AREA
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def _colour(score: float) -> tuple[int, int, int]:
    sure = min(max((score - _UNSURE_TO) / (_SURE_FROM - _UNSURE_TO), 0.0), 1.0)
    red, green, blue = (int(value) for value in sure * _SURE + (1 - sure) * _UNSURE)
    return red, green, blue


def _glow(canvas: Rgb, response: ResponseView, place: NDArray[np.float64]) -> Rgb:
    """The map in colour where it is high, and a faint line around the region that was searched."""
    height, width = canvas.shape[:2]
    x, y, w, h = place
    side = response.values.shape[0]
    to_map = np.array([[side / w, 0, -x * side / w], [0, side / h, -y * side / h]])
    to_map[:, 2] += 0.5 * (to_map[:, 0] + to_map[:, 1]) - 0.5  # centres of pixels to centres of cells
    values = cv2.warpAffine(
        np.clip(response.values, 0, 1),
        to_map,
        (width, height),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_CONSTANT,
    ).clip(0, 1)
    heat = cv2.applyColorMap((255 * values).astype(np.uint8), cv2.COLORMAP_INFERNO)[:, :, ::-1]  # is BGR
    share = (0.75 * np.sqrt(values))[..., None]
    canvas = (canvas * (1 - share) + heat * share).astype(np.uint8)
    lined = canvas.copy()
    _rectangle(lined, place, (255, 255, 255), 1)
    return np.asarray(cv2.addWeighted(lined, 0.35, canvas, 0.65, 0), np.uint8)


def _frame_box(canvas: Rgb, box: NDArray[np.float64], colour: tuple[int, int, int], unit: float) -> None:
    """A thin line of the colour on a slightly wider dark one, which shows on any ground."""
    thin = max(1, round(2 * unit))
    dark = canvas.copy()
    _rectangle(dark, box, (0, 0, 0), thin + 2)
    cv2.addWeighted(dark, 0.5, canvas, 0.5, 0, dst=canvas)
    _rectangle(canvas, box, colour, thin)


def _rectangle(canvas: Rgb, box: NDArray[np.float64], colour: tuple[int, int, int], width: int) -> None:
    x, y, w, h = box - np.array([0.5, 0.5, 0, 0])  # OpenCV counts from the centre of a pixel
    limit = 2 * max(canvas.shape)  # beyond it nothing shows, and OpenCV's whole numbers end
    corners = np.clip([[x, y], [x + w, y + h]], -limit, limit)
    near, far = ((round(a * 2**_SHIFT), round(b * 2**_SHIFT)) for a, b in corners.tolist())
    cv2.rectangle(canvas, near, far, colour, width, cv2.LINE_AA, _SHIFT)


def _labelled(canvas: Rgb, box: NDArray[np.float64], score: float, number: int, unit: float) -> Rgb:
    image = Image.fromarray(canvas)
    draw = ImageDraw.Draw(image, "RGBA")
    gap, font = round(8 * unit), _font(round(15 * unit))
    _tag(draw, (gap, gap), f"frame {number}", font, (255, 255, 255), (0, 0, 0, 140))
    width, height = _tag_size(f"{score:.2f}", font)
    x, y = box[0], box[1] - height - 3 * unit
    if y < 0:  # no room above: below, or inside
        y = box[1] + box[3] + 3 * unit
        y = y if y + height <= canvas.shape[0] else max(box[1], 0.0) + 3 * unit
    x = min(max(x, 0.0), canvas.shape[1] - width)
    y = min(max(y, 0.0), canvas.shape[0] - height)
    _tag(draw, (x, y), f"{score:.2f}", font, (10, 20, 15), (*_colour(score), 225))
    return np.array(image)


def _tag_size(text: str, font: ImageFont.FreeTypeFont) -> tuple[float, float]:
    pad = font.size * 0.4
    return font.getlength(text) + 2 * pad, font.size * 1.45


def _tag(
    draw: ImageDraw.ImageDraw,
    at: tuple[float, float],
    text: str,
    font: ImageFont.FreeTypeFont,
    ink: tuple[int, int, int],
    ground: tuple[int, int, int, int],
) -> None:
    width, height = _tag_size(text, font)
    x, y = at
    draw.rounded_rectangle((x, y, x + width, y + height), radius=height * 0.25, fill=ground)
    draw.text((x + width / 2, y + height / 2), text, fill=ink, font=font, anchor="mm")


@functools.cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):  # a Pillow without FreeType
        raise RuntimeError("Pillow has no FreeType here, which draws the labels; install Pillow from PyPI")
    return font
