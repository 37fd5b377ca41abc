"""Small synthetic sequences with exact ground truth, drawn with NumPy and Pillow only.

A textured target (a superellipse, |x/a|^4 + |y/b|^4 <= 1) moves over a textured background that
drifts a little. Each kind adds one difficulty of the field. The box is the tight axis-aligned
bound of the whole target, whether it is covered or not, computed from the formula and not from
pixels. Everything follows from the seed: same seed, same bytes.
"""

import math
import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest

KINDS = {
    "motion": "fast along a curve, up to a third of its size in a frame",
    "scale": "comes nearer and goes away",
    "light": "lamps dim and change colour, a shadow sweeps over",
    "occlusion": "passes behind posts",
    "distractor": "a look-alike crosses its way",
    "rotation": "turns in the image plane",
}
_POWER = 4.0  # exponent of the superellipse
_SHARP = 0.35  # peak motion in a frame, of the target's size, for the kind `motion`
_CALM = 0.11  # the same for all others

Frames = NDArray[np.uint8]
Boxes = NDArray[np.float64]
Plane = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sample:
    """One rendered sequence.

    frames:  (N, H, W, 3) uint8, RGB
    boxes:   (N, 4) float64 x, y, w, h in pixels, rounded to 3 decimals, always inside the image
    visible: (N,) float64 in [0, 1], share of the target's area that is not covered
    """

    frames: Frames
    boxes: Boxes
    visible: NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Pose:
    """Where the target is in one frame: centre, half axes in px, angle in radians."""

    x: float
    y: float
    half_w: float
    half_h: float
    angle: float


def make_sequence(
    kind: str, frames: int = 60, seed: int = 0, size: tuple[int, int] = (320, 240)
) -> tuple[Frames, Boxes]:
    """Render a sequence of one kind: (N, H, W, 3) uint8 frames and (N, 4) boxes x, y, w, h in px.

    kind: a key of KINDS; size: (width, height) in px, at least 96 x 72
    """
    sample = render(kind, frames, seed, size)
    return sample.frames, sample.boxes


def true_boxes(kind: str, frames: int = 60, seed: int = 0, size: tuple[int, int] = (320, 240)) -> Boxes:
    """The boxes (N, 4) alone of what `make_sequence` renders, in a fraction of the time."""
    scene = _scene(kind, frames, seed, size)
    return np.array([_bound(scene.pose(t)) for t in range(frames)])


def render(kind: str, frames: int = 60, seed: int = 0, size: tuple[int, int] = (320, 240)) -> Sample:
    """Like `make_sequence`, with the visible share of the target in each frame."""
    return _scene(kind, frames, seed, size).render(frames)


def _scene(kind: str, frames: int, seed: int, size: tuple[int, int]) -> "_Scene":
    if kind not in KINDS:
        raise ConfigError(f"There is no kind of sample sequence named {kind!r}: {nearest(kind, KINDS)}")
    if seed < 0:
        raise ConfigError(f"The seed of a sample must be 0 or more, got {seed}.")
    if frames < 1:
        raise ConfigError(f"A sample sequence needs at least one frame, got {frames}.")
    if size[0] < 96 or size[1] < 72:
        raise ConfigError(f"Sample frames must be at least 96 x 72 pixels, got {size[0]} x {size[1]}.")
    generator = np.random.default_rng([seed, zlib.crc32(kind.encode())])
    return _Scene(kind, generator, size)


class _Scene:
    """Textures and paths of one sequence; a longer rendering begins with the shorter one."""

    def __init__(self, kind: str, generator: np.random.Generator, size: tuple[int, int]) -> None:
        self.kind, self.generator, self.size = kind, generator, size
        self.width, self.height = size
        hue = generator.uniform()
        self.half_h = 0.11 * self.height
        self.half_w = self.half_h * (1.25 if kind == "rotation" else generator.uniform(0.8, 1.15))
        self.background = _background(generator, self.width + 48, self.height + 48, hue)
        look = int(generator.integers(1 << 31))
        self.sprite = _sprite(np.random.default_rng(look), 160, hue + 0.45)
        self.rival = _sprite(generator, 160, hue + 0.50)
        self.post = _background(generator, self.width, self.height, hue + 0.8, rocks=0)
        self.phase = generator.uniform(-0.15, 0.15, 2)

    def render(self, frames: int) -> Sample:
        images = np.empty((frames, self.height, self.width, 3), np.uint8)
        boxes, visible = np.empty((frames, 4)), np.empty(frames)
        for t in range(frames):
            images[t], boxes[t], visible[t] = self.frame(t)
        return Sample(images, boxes, visible)

    def frame(self, t: int) -> tuple[Frames, Boxes, float]:
        drift = 24 + 20 * math.sin(0.031 * t), 24 + 20 * math.sin(0.023 * t + 1.0)
        canvas = _shifted(self.background, drift, self.size)
        pose = self.pose(t)
        if self.kind == "distractor":
            canvas, _ = _paint(canvas, self.rival, self.rival_pose(t))
        canvas, cover = _paint(canvas, self.sprite, pose)
        seen = 1.0
        if self.kind == "occlusion":
            posts = self.posts()
            canvas = canvas + (self.post - canvas) * posts[..., None]
            seen = float((cover * (1 - posts)).sum() / cover.sum())
        if self.kind == "light":
            canvas = canvas * self.light(t)
        canvas = canvas + 2 * self.generator.standard_normal(canvas.shape, np.float32)
        return np.clip(np.rint(canvas), 0, 255).astype(np.uint8), _bound(pose), seen

    def pose(self, t: int) -> _Pose:
        scale = 1.0
        if self.kind == "scale":  # 0.75 .. 1.55, starts at its mean and grows
            scale = 1.15 + 0.4 * math.sin(0.085 * t)
        angle = 0.9 * math.sin(0.06 * t) if self.kind == "rotation" else 0.0
        half_w, half_h = self.half_w * scale, self.half_h * scale
        size = 2 * math.sqrt(self.half_w * self.half_h)
        # room for the largest pose, so that the whole path keeps one shape
        reach = max(self.half_w, self.half_h) * (1.6 if self.kind in ("scale", "rotation") else 1.0) + 6
        span_x, span_y = self.width / 2 - reach, self.height / 2 - reach
        # peak speed of (span_x sin(rate t), span_y sin(1.4 rate t)) is below hypot(span_x, 1.4 span_y) rate
        share = _SHARP if self.kind == "motion" else _CALM
        rate = share * size / math.hypot(span_x, 1.4 * span_y)
        x = self.width / 2 - span_x * math.cos(rate * t + self.phase[0])
        y = self.height / 2 + span_y * math.sin(1.4 * rate * t - 0.9 + self.phase[1])
        return _Pose(x, y, half_w, half_h, angle)

    def rival_pose(self, t: int) -> _Pose:
        """The look-alike mirrors the target's way, so that both meet in the middle, half a size apart."""
        pose = self.pose(t)
        side = 0.9 * self.half_h * (1 + 0.5 * math.sin(0.05 * t))
        x = self.width - pose.x
        y = min(max(pose.y + 1.3 * side, self.half_h + 2), self.height - self.half_h - 2)
        return _Pose(x, y, self.half_w * 1.05, self.half_h * 0.95, 0.0)

    def posts(self) -> Plane:
        """Two upright posts, (H, W) in [0, 1], each narrower than the target."""
        columns = np.arange(self.width, dtype=np.float32) + 0.5
        mask = np.zeros(self.width, np.float32)
        for centre in (0.42, 0.68):
            distance = np.abs(columns - centre * self.width)
            mask = np.maximum(mask, np.clip(0.62 * self.half_w - distance + 0.5, 0, 1))
        return np.broadcast_to(mask, (self.height, self.width))

    def light(self, t: int) -> Plane:
        """Gain of every pixel, (H, W, 3): lamps that dim and turn warm, and a soft shadow that sweeps."""
        level = 0.8 + 0.35 * math.cos(0.11 * t)
        warm = 0.12 * math.sin(0.07 * t)
        colour = np.array([1 + warm, 1.0, 1 - warm], np.float32)
        columns = np.linspace(0, 1, self.width, dtype=np.float32)[None, :]
        rows = np.linspace(0, 1, self.height, dtype=np.float32)[:, None]
        edge = columns + 0.3 * rows - (1.5 - 0.022 * (t % 80))
        shadow = 1 - 0.45 * np.exp(-((edge / 0.18) ** 2))
        return np.asarray((level * shadow)[..., None] * colour, np.float32)


def _bound(pose: _Pose) -> Boxes:
    """The tight box of a turned superellipse, from its support function; (4,) x, y, w, h."""
    dual = _POWER / (_POWER - 1)
    cos, sin = abs(math.cos(pose.angle)), abs(math.sin(pose.angle))
    reach_x = ((pose.half_w * cos) ** dual + (pose.half_h * sin) ** dual) ** (1 / dual)
    reach_y = ((pose.half_w * sin) ** dual + (pose.half_h * cos) ** dual) ** (1 / dual)
    return np.round([pose.x - reach_x, pose.y - reach_y, 2 * reach_x, 2 * reach_y], 3)


def _paint(canvas: Plane, sprite: Plane, pose: _Pose) -> tuple[Plane, Plane]:
    """Lay a sprite (S, S, 3) on the canvas at a pose, at sub-pixel places and with a soft rim.

    returns: the new canvas (H, W, 3), and the share of each pixel that the target covers, (H, W)
    """
    height, width = canvas.shape[:2]
    reach = math.hypot(pose.half_w, pose.half_h) + 2
    left, right = max(0, math.floor(pose.x - reach)), min(width, math.ceil(pose.x + reach))
    top, bottom = max(0, math.floor(pose.y - reach)), min(height, math.ceil(pose.y + reach))
    centre_x, centre_y = pose.x - left, pose.y - top  # within the window that can change
    x, y = np.arange(right - left) + 0.5 - centre_x, (np.arange(bottom - top) + 0.5 - centre_y)[:, None]
    cos, sin = math.cos(pose.angle), math.sin(pose.angle)
    along, across = (cos * x + sin * y) / pose.half_w, (-sin * x + cos * y) / pose.half_h
    radius = (np.abs(along) ** _POWER + np.abs(across) ** _POWER) ** (1 / _POWER)
    soft = np.clip((1 - radius) * min(pose.half_w, pose.half_h) + 0.5, 0, 1).astype(np.float32)
    # shrink the skin first so that the sampling below never skips texels; pad it for the soft rim
    texels, pad = max(8, round(2.2 * max(pose.half_w, pose.half_h))), 4
    skin = np.pad(_resized(sprite, (texels, texels)), ((pad, pad), (pad, pad), (0, 0)), mode="edge")
    to_u, to_v, middle = texels / (2 * pose.half_w), texels / (2 * pose.half_h), texels / 2 + pad
    turn_u, turn_v = (cos * to_u, sin * to_u), (-sin * to_v, cos * to_v)
    shift_u = middle - turn_u[0] * centre_x - turn_u[1] * centre_y
    shift_v = middle - turn_v[0] * centre_x - turn_v[1] * centre_y
    drawn = _mapped(skin, (*turn_u, shift_u, *turn_v, shift_v), (right - left, bottom - top))
    painted, cover = canvas.copy(), np.zeros((height, width), np.float32)
    window = painted[top:bottom, left:right]
    window += (drawn - window) * soft[..., None]
    cover[top:bottom, left:right] = soft
    return painted, cover


def _sprite(generator: np.random.Generator, side: int, hue: float) -> Plane:
    """A target's skin, (side, side, 3): mottled, with a few spots and light from above."""
    skin = _noise(generator, side, side, cells=3, octaves=5)
    main, second = _colour(hue, 0.75, 215), _colour(hue + 0.12, 0.65, 120)
    texture = second + (main - second) * np.clip(0.5 + 0.8 * skin, 0, 1)[..., None]
    axis = np.linspace(-1, 1, side, dtype=np.float32)
    for number in range(5):
        x, y = generator.uniform(-0.65, 0.65, 2)
        radius = generator.uniform(0.14, 0.34)
        distance = np.hypot(axis[None, :] - x, axis[:, None] - y)
        spot = np.clip((radius - distance) * 14 + 0.5, 0, 1)[..., None]
        paint = _colour(hue + (0.5 if number % 2 else 0.08), 0.5, 245 if number % 2 else 50)
        texture = texture + (paint - texture) * spot * 0.9
    rim = np.abs(axis[None, :]) ** _POWER + np.abs(axis[:, None]) ** _POWER
    shade = (1.1 - 0.22 * axis[:, None] - 0.4 * np.clip(rim, 0, 1) ** 3)[..., None]
    return np.asarray(np.clip(texture * shade, 0, 255), np.float32)


def _background(
    generator: np.random.Generator, width: int, height: int, hue: float, rocks: int = 26
) -> Plane:
    """A wall of soft patches with some stones on it, (height, width, 3)."""
    coarse = _noise(generator, width, height, cells=4, octaves=6)
    tint = _noise(generator, width, height, cells=3, octaves=3)
    low, high = _colour(hue, 0.35, 70), _colour(hue + 0.07, 0.28, 180)
    other = _colour(hue + 0.22, 0.30, 140)
    texture = low + (high - low) * np.clip(0.5 + 0.7 * coarse, 0, 1)[..., None]
    texture = texture + (other - texture) * np.clip(0.4 + 0.9 * tint, 0, 0.8)[..., None]
    columns, rows = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    for _ in range(rocks):
        x, y = generator.uniform(0, width), generator.uniform(0, height)
        half_w, half_h = generator.uniform(0.02, 0.075, 2) * width
        turn = generator.uniform(0, math.pi)
        along = (math.cos(turn) * (columns - x) + math.sin(turn) * (rows - y)) / half_w
        across = (-math.sin(turn) * (columns - x) + math.cos(turn) * (rows - y)) / half_h
        mask = np.clip((1 - (along**2 + across**2)) * 5, 0, 1)[..., None]
        stone_hue = hue + generator.uniform(-0.12, 0.2)
        paint = _colour(stone_hue, generator.uniform(0.1, 0.4), generator.uniform(60, 210))
        stone = paint * (1 + 0.45 * coarse[..., None] - 0.2 * across[..., None])
        texture = texture + (stone - texture) * mask
    return np.asarray(np.clip(texture, 0, 255), np.float32)


def _noise(generator: np.random.Generator, width: int, height: int, cells: int, octaves: int) -> Plane:
    """Smooth noise, (height, width), mean 0, standard deviation 0.5: each octave is finer and weaker."""
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        count = cells << octave
        grid = generator.normal(size=(count + 1, count + 1)).astype(np.float32)
        total += _resized(grid, (width, height)) * np.float32(0.62**octave)
    return np.asarray(0.5 * (total - total.mean()) / total.std(), np.float32)


def _colour(hue: float, saturation: float, value: float) -> Plane:
    """RGB (3,) in 0..255 of a hue in turns, a saturation in [0, 1] and a value in 0..255."""
    offsets = np.array([5.0, 3.0, 1.0]) + 6 * (hue % 1.0)
    wheel = np.clip(np.minimum(offsets % 6, 4 - offsets % 6), 0, 1)
    return np.asarray(value * (1 - saturation * wheel), np.float32)


def _resized(plane: Plane, size: tuple[int, int]) -> Plane:
    """(H, W) or (H, W, 3) float32 resampled to (width, height) with a bicubic filter."""
    if plane.ndim == 3:
        return np.stack([_resized(plane[..., c], size) for c in range(plane.shape[2])], axis=-1)
    image = Image.fromarray(np.ascontiguousarray(plane))
    return np.asarray(image.resize(size, Image.Resampling.BICUBIC))


def _mapped(plane: Plane, matrix: tuple[float, ...], size: tuple[int, int]) -> Plane:
    """(H, W, 3) float32 sampled at the affine image of every output pixel's centre."""
    layers = [Image.fromarray(np.ascontiguousarray(plane[..., c])) for c in range(plane.shape[2])]
    mode, filter_ = Image.Transform.AFFINE, Image.Resampling.BICUBIC
    return np.stack([np.asarray(layer.transform(size, mode, matrix, filter_)) for layer in layers], axis=-1)


def _shifted(plane: Plane, offset: tuple[float, float], size: tuple[int, int]) -> Plane:
    """The window of (width, height) px whose corner lies at `offset` (x, y) px, at sub-pixel places."""
    return _mapped(plane, (1, 0, offset[0], 0, 1, offset[1]), size)
