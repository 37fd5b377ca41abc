"""Videos with boxes, and the training clips drawn from them."""

import functools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from roam_tracker.core import backbone, search
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import DataError
from roam_tracker.tracker import to_rgb
from roam_tracker.training.config import TrainingConfig


@dataclass(frozen=True, slots=True)
class Video:
    """Frames and the target's box in each, x, y, w, h in px; zero size where it is absent."""

    name: str
    frames: tuple[Path, ...]
    boxes: Boxes  # (N, 4)


@dataclass(frozen=True, slots=True)
class Clip:
    """A training clip as the model sees it."""

    features: Tensor  # (1 + T*tau, K, M, M), float16 in the cache
    centres_cells: Tensor  # (1 + T*tau, 2) x, y of the target in feature cells
    noisy_centres_cells: Tensor  # the same with the label noise of update samples; frame 0 exact
    sizes_cells: Tensor  # (1 + T*tau, 2) w, h
    anchors_cells: Tensor  # (1 + T*tau, 2) w, h that a tracker would believe in


def find_videos(root: Path) -> list[Video]:
    """Folders `<video>/` with `groundtruth.txt` and JPEG frames there or in images/, img/ or color/.

    Raises DataError naming the folder when there is none or rows and frames differ in number.
    """
    videos = []
    for truth in sorted(Path(root).glob("*/groundtruth.txt")):
        folder = next(
            (truth.parent / sub for sub in ("images", "img", "color") if (truth.parent / sub).is_dir()), None
        )
        frames = tuple(sorted((folder or truth.parent).glob("*.jpg")))
        boxes = np.loadtxt(truth, delimiter=",", ndmin=2)
        if len(frames) != len(boxes):
            raise DataError(
                f"{truth} has {len(boxes)} rows for {len(frames)} frames. Complete the video or remove it."
            )
        videos.append(Video(truth.parent.name, frames, boxes))
    if not videos:
        raise DataError(f"{root} has no video: no folder in it holds a groundtruth.txt.")
    return videos


@functools.lru_cache(maxsize=2048)
def _frame(path: Path) -> Tensor:
    return torch.from_numpy(to_rgb(path))


def draw_clip(
    videos: list[Video],
    rng: np.random.Generator,
    config: TrackerConfig,
    training: TrainingConfig,
    weights: backbone.Weights,
    *,
    length: int,
) -> Clip:
    """Draw one clip: a random video, start, direction, flip and search scale s_V of eq. (9).

    Each frame is cropped around its box, moved and scaled at random within the search region, so
    that the label is not always central.
    """
    spec = backbone.backbone_spec(config.model.backbone)
    size = backbone.patch_size(spec, config.search.roi_scale * config.search.base_object_size)
    low, high = config.search.roi_scale - training.scale_range, config.search.roi_scale + training.scale_range
    search_scale = float(rng.uniform(low, high))
    last_cell = backbone.map_size(spec, size) - 1
    video, chosen = _choose_frames(videos, rng, length, training.skip_share)
    flip = bool(rng.integers(2))
    patches, centres, sizes, anchors = [], [], [], []
    limit = min(training.shift, (search_scale - 1) / 2)
    for number in chosen:
        x, y, w, h = video.boxes[number]
        side = np.sqrt(w * h)
        shift = rng.uniform(-limit, limit, 2) * side
        region = search_scale * side * np.exp(rng.normal(0, training.size_jitter))
        middle = np.array([[x + w / 2, y + h / 2]]) + shift
        patch = search.crop(
            _frame(video.frames[number]),
            torch.from_numpy(middle),
            torch.tensor([[region, region]]),
            size,
            spec,
        )
        per_px = size / region / spec.stride
        centre = last_cell / 2 - shift * per_px
        if flip:
            patch, centre[0] = patch.flip(3), last_cell - centre[0]
        patches.append(patch)
        centres.append(centre)
        sizes.append((w * per_px, h * per_px))
        # the box branch learns to correct a belief whose area the crop has, and whose aspect ratio is off
        stretch = np.exp(rng.normal(0, training.size_jitter)) if config.model.box_branch else 1.0
        believed = region / search_scale * per_px * np.sqrt([w / h, h / w])
        anchors.append((believed[0] * stretch, believed[1] / stretch))
    with torch.no_grad():
        features = backbone.extract(spec, weights, torch.cat(patches).to(memory_format=torch.channels_last))
    noise = rng.normal(0, training.label_noise, (len(chosen), 2)) * np.sqrt(
        np.prod(sizes, axis=1, keepdims=True)
    )
    noise[0] = 0
    exact = torch.tensor(np.array(centres), dtype=torch.float32)
    return Clip(
        features.half().contiguous(),
        exact,
        exact + torch.tensor(noise, dtype=torch.float32),
        torch.tensor(np.array(sizes), dtype=torch.float32),
        torch.tensor(np.array(anchors), dtype=torch.float32),
    )


def _choose_frames(
    videos: list[Video], rng: np.random.Generator, length: int, skip_share: float
) -> tuple[Video, list[int]]:
    """A video and `length` frame numbers of it with a visible target, forwards or backwards.

    A video that is too short is played forwards and backwards again.
    """
    video = videos[int(rng.integers(len(videos)))]
    visible = np.flatnonzero((video.boxes[:, 2:] > 2).all(axis=1))
    stride = 2 if rng.random() < skip_share else 1
    there_and_back = np.concatenate([visible, visible[-2:0:-1]])
    first = int(rng.integers(len(there_and_back)))
    chosen = [int(there_and_back[(first + stride * k) % len(there_and_back)]) for k in range(length)]
    return video, chosen if rng.integers(2) else chosen[::-1]
