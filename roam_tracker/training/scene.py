"""What a made clip shows: a background, the target, things beside it and things in front of it."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import DataError
from roam_tracker.training import motion
from roam_tracker.training.config import SyntheticConfig
from roam_tracker.training.rendering import Frame, Layer, index_map, recoloured
from roam_tracker.training.stills import Cutout, Still, cut_out, photo_piece, read_photo, resized

_TRIES = 30  # stills looked at for a usable object
_SMALLEST = 10.0  # px, width and height of the target's box at least, in every frame
_LARGEST = 0.8  # of the frame's sides at most
_MARGIN = 0.35  # least distance of the target's centre from the frame's edge, in widths of its box


@dataclass(frozen=True, slots=True)
class Scene:
    """What a clip's parts share."""

    stills: Sequence[Still]
    backgrounds: Sequence[Still]
    rng: np.random.Generator
    length: int
    width: int  # px of the frame
    height: int
    exposure: float  # share of a frame's time that the shutter is open
    settings: SyntheticConfig

    def happens(self, share: float) -> bool:
        """Whether something of this probability happens."""
        return bool(self.rng.random() < share)

    def log_uniform(self, low: float, high: float) -> float:
        """A number between two positive ones, its logarithm uniform."""
        return float(np.exp(self.rng.uniform(np.log(max(low, 1e-6)), np.log(max(high, 1e-6)))))


@dataclass(frozen=True, slots=True)
class View:
    """A background and the camera that looks at it."""

    image: Frame
    matrices: NDArray[np.float64]  # (N, 2, 3) from the image to frame N, for OpenCV
    light: NDArray[np.float64]  # (3,) mean colour, 0 to 1

    def trail(self, number: int, exposure: float) -> NDArray[np.float64]:
        """(2,) px that the background's corner moves while the shutter is open."""
        last = len(self.matrices) - 1
        before, after = max(number - 1, 0), min(number + 1, last)
        step = self.matrices[after, :, 2] - self.matrices[before, :, 2]
        return np.asarray(step * exposure / max(1, after - before))


def draw_view(scene: Scene) -> View:
    """A photo that covers the frame with room to pan over it; beyond its edges it is mirrored."""
    rng, count = scene.rng, scene.length
    image = read_photo(scene.backgrounds[int(rng.integers(len(scene.backgrounds)))].image)
    height, width = image.shape[:2]
    factor = max(scene.width / width, scene.height / height) * rng.uniform(1.0, 1.3)
    size = max(scene.width, round(width * factor)), max(scene.height, round(height * factor))
    image = cv2.resize(image, size, interpolation=cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC)
    if scene.happens(0.5):
        image = image[:, ::-1].copy()
    speed = scene.settings.camera * scene.width * rng.uniform(0, 1) ** 2
    turns = motion.folded(motion.drift(rng, count, np.radians(0.3)), -0.12, 0.12)
    zooms = motion.folded(motion.drift(rng, count, 0.006), -0.2, 0.2)
    maps = motion.linear_maps(np.exp(zooms), turns, np.zeros(count), np.zeros(count))
    room = np.array([size[0] - scene.width, size[1] - scene.height]) / 2
    start = rng.uniform(-room, room)
    pans = np.stack([motion.drift(rng, count, speed), motion.drift(rng, count, speed)], axis=1) + start
    middle = np.array(size) / 2
    shifts = np.array([scene.width, scene.height]) / 2 + pans - maps @ middle
    matrices = np.stack([index_map(a, b) for a, b in zip(maps, shifts, strict=True)])
    return View(image, matrices, image.mean(axis=(0, 1)) / 255)


def draw_object(scene: Scene) -> Cutout:
    """A cut-out of a random still. Raises DataError when none of many has a large enough object."""
    if scene.stills:
        for _ in range(_TRIES):
            still = scene.stills[int(scene.rng.integers(len(scene.stills)))]
            found = cut_out(still, scene.rng, scene.settings.smallest_cut)
            if found is not None:
                return found
    raise DataError(
        f"None of {_TRIES} stills drawn out of {len(scene.stills)} has an outlined object of "
        f"{scene.settings.smallest_cut:g} px. Give larger photos, or masks, polygons or boxes with them."
    )


def in_the_light_of(cutout: Cutout, view: View, scene: Scene) -> Cutout:
    """The cut-out with its brightness and colour moved a random way towards the background's."""
    inside = cutout.alpha > 127
    own = cutout.colours[inside].mean(axis=0) / 255
    gain = ((view.light.mean() + 0.1) / (own.mean() + 0.1)) ** scene.rng.uniform(0, 0.5)
    tint = (view.light / (view.light.mean() + 1e-3) + 0.2) / (own / (own.mean() + 1e-3) + 0.2)
    gain = np.clip(gain * tint ** scene.rng.uniform(0, 0.3) * np.exp(scene.rng.normal(0, 0.1)), 0.5, 1.8)
    return recoloured(cutout, gain, float(np.exp(scene.rng.normal(0, 0.15))))


def draw_target(scene: Scene, cutout: Cutout) -> Layer:
    """The target on its way through the frame, most of it always inside."""
    settings, rng, count = scene.settings, scene.rng, scene.length
    maps = _deformation(scene, settings.growth)
    extents = motion.extents(maps, _about_middle(cutout))
    sizes = extents[:, 2:] - extents[:, :2]  # px, were the cut-out not enlarged
    first = float(np.sqrt(sizes[0].prod()))
    side = scene.log_uniform(settings.side[0], min(settings.side[1], first * settings.enlarge))
    factor = max(side / first, _SMALLEST / sizes.min())
    factor = min(factor, _LARGEST * float((np.array([scene.width, scene.height]) / sizes).min()))
    cutout, maps = _prescaled(cutout, maps * factor)
    extents = motion.extents(maps, _about_middle(cutout))
    sizes = extents[:, 2:] - extents[:, :2]
    side = float(np.sqrt(sizes.prod(axis=1)).mean())
    speed = scene.log_uniform(*settings.speed) * side
    leaps = np.zeros((count, 2))
    if scene.happens(settings.jump_share):
        leaps = motion.jumps(rng, count, settings.jump * side)
    ways = []
    for axis, length in enumerate((scene.width, scene.height)):
        low = _MARGIN * sizes[:, axis]
        start = rng.uniform(low[0], length - low[0])
        ways.append(
            motion.folded(start + motion.drift(rng, count, speed) + leaps[:, axis], low, length - low)
        )
    # what stays inside is the box's centre
    centres = np.stack(ways, axis=1) - (extents[:, :2] + extents[:, 2:]) / 2
    return _layer(scene, cutout, maps, centres)


def draw_distractors(scene: Scene, own: Cutout, target: Layer) -> list[Layer]:
    """Up to three others that move beside the target, half of them its doubles."""
    rng, count = scene.rng, scene.length
    others: list[Layer] = []
    if not scene.happens(scene.settings.distractor_share):
        return others
    boxes = target.boxes()
    sides, centres = np.sqrt(boxes[:, 2:].prod(axis=1)), boxes[:, :2] + boxes[:, 2:] / 2
    for _ in range(int(rng.integers(1, 4))):
        cutout = own if scene.happens(0.5) else draw_object(scene)
        cutout = recoloured(cutout, np.exp(rng.normal(0, 0.08, 3)), float(np.exp(rng.normal(0, 0.08))))
        scale = sides.mean() * np.exp(rng.normal(-0.1, 0.25)) / _side(cutout)
        cutout, maps = _prescaled(cutout, _deformation(scene, scene.settings.growth) * scale)
        # around the target at 0.8 to 3 of its sides, on a way of its own
        distance = motion.folded(rng.uniform(0.8, 3) + motion.drift(rng, count, 0.05), 0.8, 3) * sides
        angle = rng.uniform(0, 2 * np.pi) + motion.drift(rng, count, 0.04)
        around = distance[:, None] * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        others.append(_layer(scene, cutout, maps, centres + around))
    return others


def draw_occluder(scene: Scene, target: Layer) -> Layer | None:
    """Something that passes over the target, not in the first frames; None where the clip is too short."""
    rng, count = scene.rng, scene.length
    if count < 8:
        return None
    boxes = target.boxes()
    side = float(np.sqrt(boxes[:, 2:].prod(axis=1)).mean())
    if scene.stills and scene.happens(0.5):
        cutout, stretch = draw_object(scene), 0.0
    else:  # a piece of a photo, often a post or a bar
        cutout, stretch = _piece(scene), float(rng.normal(0, 0.8))
    scale = side * rng.uniform(0.6, 1.6) / _side(cutout)
    still = np.zeros(count)
    maps = motion.linear_maps(
        np.full(count, scale), rng.uniform(-0.3, 0.3) + still, np.full(count, stretch), still
    )
    cutout, maps = _prescaled(cutout, maps)
    own = motion.extents(maps[:1], _about_middle(cutout))[0]
    reach = float(np.hypot(*(own[2:] - own[:2]))) / 2 + float(np.hypot(*boxes[0, 2:])) / 2
    meeting = float(rng.uniform(0.25, 0.9)) * (count - 1)
    # fast enough to be away in the first frame; where the target stays, it passes slowly enough to be seen
    speed = max(side * scene.log_uniform(0.08, 0.5), reach / meeting)
    angle, miss = rng.uniform(0, 2 * np.pi), side * rng.normal(0, 0.2)
    along, across = np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)])
    ways = (np.arange(count) - meeting)[:, None] * speed * along + miss * across
    return _layer(scene, cutout, maps, boxes[:, :2] + boxes[:, 2:] / 2 + ways)


def _piece(scene: Scene) -> Cutout:
    for _ in range(_TRIES):
        image = read_photo(scene.backgrounds[int(scene.rng.integers(len(scene.backgrounds)))].image)
        found = photo_piece(image, scene.rng, min(image.shape[:2]) // 2)
        if found is not None:
            return found
    raise DataError(f"No background is large enough: the last of {_TRIES} had {image.shape[:2]} px.")


def _deformation(scene: Scene, growth: float) -> NDArray[np.float64]:
    """(N, 2, 2) scale, turn, stretch and shear, mirrored or not; the first scale is 1."""
    settings, rng, count = scene.settings, scene.rng, scene.length
    scales = motion.folded(
        motion.drift(rng, count, growth * 2 * rng.random()), -settings.largest_growth, settings.largest_growth
    )
    turns = rng.normal(0, 0.12) + motion.drift(rng, count, np.radians(settings.turn) * rng.random())
    if scene.happens(settings.strong_turn_share):
        rate = np.radians(settings.strong_turn) * rng.uniform(0.3, 1) * rng.choice((-1, 1))
        turns = turns + rate * np.arange(count)
    most, lean = settings.stretch, settings.shear
    stretches = motion.folded(rng.uniform(-most, most) / 2 + motion.drift(rng, count, 0.015), -most, most)
    shears = motion.folded(rng.uniform(-lean, lean) / 2 + motion.drift(rng, count, 0.01), -lean, lean)
    return motion.linear_maps(np.exp(scales), turns, stretches, shears, mirrored=scene.happens(0.5))


def _prescaled(cutout: Cutout, maps: NDArray[np.float64]) -> tuple[Cutout, NDArray[np.float64]]:
    """The cut-out at its largest size of the clip, so that no frame shrinks it much, and maps to suit."""
    largest = float(np.sqrt(np.abs(np.linalg.det(maps))).max())
    smaller = resized(cutout, largest) if largest < 1 else None
    if smaller is None:
        return cutout, maps
    return smaller, maps * (_side(cutout) / _side(smaller))


def _layer(scene: Scene, cutout: Cutout, maps: NDArray[np.float64], centres: NDArray[np.float64]) -> Layer:
    steps = np.gradient(centres, axis=0) if scene.length > 1 else np.zeros_like(centres)
    return Layer(cutout, _middle(cutout), maps, centres, steps * scene.exposure)


def _middle(cutout: Cutout) -> NDArray[np.float64]:
    """(2,) centre of the outline's box."""
    return np.asarray((cutout.hull.min(0) + cutout.hull.max(0)) / 2)


def _about_middle(cutout: Cutout) -> NDArray[np.float64]:
    return np.asarray(cutout.hull - _middle(cutout))


def _side(cutout: Cutout) -> float:
    """Root of the area of the outline's box, px."""
    return float(np.sqrt(np.prod(cutout.hull.max(0) - cutout.hull.min(0))))
