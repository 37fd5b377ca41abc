"""Clips made of stills: an object cut out of one photo moves over another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.training import motion
from roam_tracker.training.config import SyntheticConfig, TrainingConfig
from roam_tracker.training.rendering import Frame, compressed, light_table, paint, shade, trail_kernel
from roam_tracker.training.scene import (
    Scene,
    draw_distractors,
    draw_object,
    draw_occluder,
    draw_target,
    draw_view,
    in_the_light_of,
)
from roam_tracker.training.sources import Footage
from roam_tracker.training.stills import Cutout, Plane, Still

_PART_SIDES = ((0.3, 0.2), (0.9, 0.7))  # least and largest w, h of a part over the object's
_PART_FILLED = 0.62
_PART_TRIES = 40


@dataclass(frozen=True, slots=True)
class FromStills:
    """A source of clips made of stills; those without an outline are backgrounds only."""

    stills: Sequence[Still]
    settings: SyntheticConfig = field(default_factory=SyntheticConfig)

    def draw(self, rng: np.random.Generator, length: int, training: TrainingConfig) -> Footage:
        """Make a clip. Raises DataError as `synthetic_frames` does."""
        outlined = [still for still in self.stills if still.outline is not None]
        plain = [still for still in self.stills if still.outline is None] or self.stills
        # photos with objects of their own are backgrounds too, now and then
        backgrounds = plain if rng.random() < 0.8 else self.stills
        frames, boxes, hidden = synthetic_frames(outlined, backgrounds, rng, length, self.settings)
        return Footage("stills", tuple(frames), boxes, hidden)


def synthetic_frames(
    stills: Sequence[Still],
    backgrounds: Sequence[Still],
    rng: np.random.Generator,
    length: int,
    settings: SyntheticConfig,
) -> tuple[list[Frame], Boxes, NDArray[np.float64]]:
    """Make a clip of `length` frames.

    stills:      photos with outlines, of whose objects one is the target and others are in its way
    backgrounds: any photos
    returns: frames (H, W, 3) uint8 RGB; the tight box of the target's outline in each, (length, 4)
             x, y, w, h px, hidden or not; the share of the target that others hide, (length,) 0 to 1

    All that is random comes from `rng`. Raises DataError naming a photo that cannot be read, and when
    none of the stills tried has a large enough object.
    """
    width = round(rng.uniform(*settings.width))
    height = round(width * rng.uniform(*settings.aspect))
    exposure = rng.uniform(0.3, 0.9) if rng.random() < settings.trail_share else 0.0
    scene = Scene(stills, backgrounds, rng, length, width, height, exposure, settings)
    view = draw_view(scene)
    cutout = in_the_light_of(draw_object(scene), view, scene)
    target = draw_target(scene, cutout)
    if settings.part_share > 0 and scene.happens(settings.part_share):
        target = replace(target, part=_part(target.cutout, rng))
    others = draw_distractors(scene, cutout, target)
    in_front = len(others) // 2 if scene.happens(0.5) else 0
    before, behind = others[:in_front], others[in_front:]
    occluder = draw_occluder(scene, target) if scene.happens(settings.occluder_share) else None
    if occluder is not None:
        before.append(occluder)
    finish = _finish(scene)
    frames, hidden = [], np.zeros(length)
    for number in range(length):
        frame = cv2.warpAffine(
            view.image,
            view.matrices[number],
            (width, height),
            flags=cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REFLECT_101,
        )
        kernel = trail_kernel(view.trail(number, exposure))
        if kernel is not None:
            frame = cv2.filter2D(frame, -1, kernel)
        for layer in behind:
            paint(frame, layer, number)
        shown = paint(frame, target, number)
        over = [paint(frame, layer, number) for layer in before]
        if shown is not None:
            hidden[number] = shown.covered_by([each for each in over if each is not None])
        frames.append(finish(frame, number))
    return frames, target.boxes(), hidden


def _part(cutout: Cutout, rng: np.random.Generator) -> NDArray[np.float64] | None:
    """Corners (4, 2) of an upright rectangle that the object mostly fills, or None when none was found."""
    low, high = cutout.hull.min(0), cutout.hull.max(0)
    for _ in range(_PART_TRIES):
        size = (high - low) * rng.uniform(*_PART_SIDES)
        corner = low + (high - low - size) * rng.uniform(0, 1, 2)
        (x, y), (right, bottom) = corner, corner + size
        inside = cutout.alpha[int(y) : int(bottom) + 1, int(x) : int(right) + 1]
        if inside.size and float((inside > 127).mean()) > _PART_FILLED:
            return np.array([[x, y], [right, y], [x, bottom], [right, bottom]])
    return None


def _finish(scene: Scene) -> Callable[[Frame, int], Frame]:
    """Light, shadow, defocus, grain and compression of a clip, as a function of frame and number."""
    settings, rng, count = scene.settings, scene.rng, scene.length
    tables: list[Plane] | None = None
    if scene.happens(settings.light_share):
        most, speed = settings.light, settings.light * 0.15 * rng.random()
        start = rng.uniform(-most, most, 2) / 2
        gains = motion.folded(start[0] + motion.drift(rng, count, speed), -most, most)
        gammas = motion.folded(start[1] + motion.drift(rng, count, speed), -most, most)
        tint = rng.normal(0, 0.06, 3)
        tables = [
            light_table(np.exp(gain + tint), float(np.exp(gamma)))
            for gain, gamma in zip(gains, gammas, strict=True)
        ]
    shadow = None
    if scene.happens(settings.shadow_share):
        angle, size = rng.uniform(0, 2 * np.pi), max(scene.width, scene.height)
        normal = float(np.cos(angle)), float(np.sin(angle))
        middle = normal[0] * scene.width / 2 + normal[1] * scene.height / 2
        edges = middle + size * (rng.uniform(-0.4, 0.4) + motion.drift(rng, count, 0.02))
        shadow = normal, edges, float(rng.uniform(3, 40)), float(rng.uniform(0.2, 0.6))
    blurs = np.zeros(count)
    if scene.happens(settings.defocus_share):
        drawn = rng.uniform(-1, 1) + motion.drift(rng, count, 0.15)
        blurs = motion.folded(drawn * settings.defocus, -settings.defocus, settings.defocus)
    grain = None
    if scene.happens(settings.grain_share):
        shape = scene.height, scene.width, 3
        level = settings.grain * rng.random()
        grain = np.rint(rng.standard_normal(shape, dtype=np.float32) * level).astype(np.int16)
    offsets = rng.integers(0, (scene.height, scene.width), (count, 2))
    quality = int(rng.integers(30, 91)) if scene.happens(settings.jpeg_share) else None

    def finish(frame: Frame, number: int) -> Frame:
        if shadow is not None:
            normal, edges, softness, depth = shadow
            frame = shade(frame, normal, float(edges[number]), softness, depth)
        if blurs[number] > 0.3:
            frame = cv2.GaussianBlur(frame, (0, 0), float(blurs[number]))
        if tables is not None:
            frame = cv2.LUT(frame, tables[number])
        if grain is not None:
            moved = np.roll(grain, tuple(offsets[number]), axis=(0, 1))
            frame = cv2.add(frame, moved, dtype=cv2.CV_8U)
        return frame if quality is None else compressed(frame, quality)

    return finish
