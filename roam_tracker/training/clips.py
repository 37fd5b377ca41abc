"""The training clips: footage as the model sees it."""

import functools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roam_tracker.core import backbone
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.fast.backbone import extract, packed
from roam_tracker.core.fast.crop import crop
from roam_tracker.core.views import view_patches, views
from roam_tracker.errors import DataError, ImageError
from roam_tracker.images import Levels, levels_of, to_rgb
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.sources import ClipSource, Footage, FromVideos
from roam_tracker.training.videos import Video, find_videos

__all__ = ["Clip", "Video", "draw_clip", "find_videos"]

_WRONG_FRAMES = 3, 8  # how long a run of wrong labels is
_WRONG_SIDES = 0.5, 1.5  # how far beside the target they lie, in target sides


@dataclass(frozen=True, slots=True)
class Clip:
    """A training clip as the model sees it; the first `first` samples show its first frame."""

    features: Tensor  # (n, K, M, M), n = first + T*tau; float16 in the store
    centres_cells: Tensor  # (n, 2) x, y of the target in feature cells
    noisy_centres_cells: Tensor  # the same as a tracker would label update samples; the first are exact
    sizes_cells: Tensor  # (n, 2) w, h
    noisy_sizes_cells: Tensor  # w, h as a tracker would label; the first are exact
    hidden: Tensor  # (n,) share of the target behind others, 0 to 1
    first: int = 1

    def to(self, device: torch.device) -> "Clip":
        """The clip on a device."""
        tensors = {name: getattr(self, name) for name in self.__dataclass_fields__ if name != "first"}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})


def draw_clip(
    source: ClipSource | Sequence[Video],
    rng: np.random.Generator,
    config: TrackerConfig,
    training: TrainingConfig,
    weights: backbone.Weights,
    *,
    length: int,
) -> Clip:
    """Draw one clip: footage from a source or from videos, a flip and the search scale s_V of eq. (9).

    The first frame is there once for each crop that the tracker would start on. Raises DataError
    naming the video and its frame when one cannot be read.
    """
    if isinstance(source, Sequence):
        source = FromVideos(source)
    footage = source.draw(rng, length, training)
    patches, clip = draw_patches(footage, list(range(length)), rng, config, training)
    with torch.no_grad():
        features = features_of(patches, config, training, weights)
    return replace(clip, features=features.half().contiguous())


def features_of(
    patches: Tensor, config: TrackerConfig, training: TrainingConfig, weights: backbone.Weights
) -> Tensor:
    """The patches' features (n, K, M, M), float32, by a backbone in the training's precision."""
    spec = backbone.backbone_spec(config.model.backbone)
    precision = torch.bfloat16 if training.precision == "bfloat16" else torch.float32
    return extract(spec, packed(spec, weights, precision), patches)


def draw_patches(
    footage: Footage,
    chosen: Sequence[int],
    rng: np.random.Generator,
    config: TrackerConfig,
    training: TrainingConfig,
) -> tuple[Tensor, Clip]:
    """Crop the chosen frames of footage; returns the patches (n, 3, S, S) and their clip without features.

    The first frame is seen in the views that the tracker starts on. Each later one is cropped around its
    box, moved and scaled at random within the search region, so that the label is not always central.
    """
    spec = backbone.backbone_spec(config.model.backbone)
    size = backbone.patch_size(spec, config.search.roi_scale * config.search.base_object_size)
    low, high = config.search.roi_scale - training.scale_range, config.search.roi_scale + training.scale_range
    search_scale = float(rng.uniform(low, high))
    last_cell = backbone.map_size(spec, size) - 1
    flip = bool(rng.integers(2))
    patches, centres, sizes = [], [], []
    limit = min(training.shift, (search_scale - 1) / 2)
    frames, chosen_views = _frames(footage, chosen), views(config.update)
    first = len(chosen_views)
    x, y, w, h = footage.boxes[chosen[0]].tolist()
    side, cells = search_scale * math.sqrt(w * h), size / spec.stride
    patches.append(
        view_patches(frames[chosen[0]], (x + w / 2, y + h / 2), side, (w, h), chosen_views, size, spec, crop)
    )
    for view in chosen_views:
        place, extent = view.label(side, (w, h), last_cell + 1, cells)
        centres.append(place)
        sizes.append(extent)
    for number in chosen[1:]:
        x, y, w, h = footage.boxes[number].tolist()
        side = math.sqrt(w * h)
        shift = rng.uniform(-limit, limit, 2) * side
        region = search_scale * side * np.exp(rng.normal(0, training.size_jitter))
        middle = torch.tensor([[x + w / 2 + shift[0], y + h / 2 + shift[1]]], dtype=torch.float64)
        region_px = torch.tensor([region], dtype=torch.float64)
        patches.append(crop(frames[number], middle, region_px, size, spec))
        per_px = cells / region
        centres.append(tuple(last_cell / 2 - shift * per_px))
        sizes.append((w * per_px, h * per_px))
    together = torch.cat(patches)
    exact, exact_sizes = np.array(centres), np.array(sizes)
    if flip:
        together, exact[:, 0] = together.flip(3), last_cell - exact[:, 0]
    noisy, noisy_sizes = _labels_of_a_tracker(exact, exact_sizes, last_cell, first, rng, training)
    hidden = footage.hidden[[chosen[0]] * first + list(chosen[1:])]
    together = together.to(memory_format=torch.channels_last)
    numbers = (exact, noisy, exact_sizes, noisy_sizes, hidden)
    c, nc, s, ns, h = (torch.tensor(each, dtype=torch.float32) for each in numbers)
    return together, Clip(together[:, :0], c, nc, s, ns, h, first)


def _labels_of_a_tracker(
    centres: NDArray[np.float64],
    sizes: NDArray[np.float64],
    last_cell: int,
    exact: int,
    rng: np.random.Generator,
    training: TrainingConfig,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centres and sizes (N, 2) in cells as a tracker would label its samples; the first `exact` are.

    All have noise. In a share of the clips a run of frames is labelled beside the target, farther and
    farther in one direction, as a tracker does that drifts away; those labels stay on the map.
    """
    sides = np.sqrt(sizes.prod(axis=1, keepdims=True))
    noise = rng.normal(0, training.label_noise, centres.shape) * sides
    stretch = np.exp(rng.normal(0, training.size_label_noise, sizes.shape))
    shortest, longest = _WRONG_FRAMES
    if rng.random() < training.wrong_labels and len(centres) >= exact + shortest:
        count = int(rng.integers(shortest, min(longest, len(centres) - exact) + 1))
        first = int(rng.integers(exact, len(centres) - count + 1))
        run = slice(first, first + count)
        angle, reach = rng.uniform(0, 2 * np.pi), np.sort(rng.uniform(*_WRONG_SIDES, 2))
        away = (
            np.linspace(reach[0], reach[1], count)[:, None]
            * np.array([np.cos(angle), np.sin(angle)])
            * sides[run]
        )
        noise[run] += np.clip(centres[run] + away, 0, last_cell) - centres[run]
    noise[:exact], stretch[:exact] = 0, 1
    return centres + noise, sizes * stretch


def _frames(footage: Footage, chosen: Sequence[int]) -> dict[int, Tensor]:
    """The footage's chosen frames, (H, W, 3) uint8 each."""
    frames = {}
    first = footage.frames[0]
    try:
        levels = levels_of(first) if isinstance(first, Path) else None
        for number in chosen:
            frame = footage.frames[number]
            frames[number] = _frame(frame, levels) if isinstance(frame, Path) else torch.from_numpy(frame)
    except ImageError as error:
        raise DataError(f"Video {footage.name}: {error}") from None
    return frames


@functools.lru_cache(maxsize=128)  # a clip may show a frame twice
def _frame(path: Path, levels: Levels | None) -> Tensor:
    return torch.from_numpy(to_rgb(path, levels))
