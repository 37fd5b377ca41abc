"""What clips are drawn from: videos, stills, or both."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import DataError
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.videos import Video


@dataclass(frozen=True, slots=True)
class Footage:
    """The frames of one clip, files not yet read or arrays, and the target's box in each."""

    name: str
    frames: Sequence[Path | NDArray[np.uint8]]  # (H, W, 3) RGB
    boxes: Boxes  # (N, 4) x, y, w, h px
    hidden: NDArray[np.float64]  # (N,) share of the target that others hide; 0 where it is not known


class ClipSource(Protocol):
    """Anything that footage can be drawn from; all that is random comes from `rng`."""

    def draw(self, rng: np.random.Generator, length: int, training: TrainingConfig) -> Footage:
        """Footage of `length` frames. Raises DataError naming what cannot be used."""
        ...


@dataclass(frozen=True, slots=True)
class FromVideos:
    """A source that plays videos, each as often as the others."""

    videos: Sequence[Video]

    def draw(self, rng: np.random.Generator, length: int, training: TrainingConfig) -> Footage:
        """Draw frames of one video with a visible target, forwards or backwards.

        A video that is too short is played forwards and backwards again.
        """
        if not self.videos:
            raise DataError("No video is left to train on. Hold back fewer.")
        video = self.videos[int(rng.integers(len(self.videos)))]
        visible = np.flatnonzero((video.boxes[:, 2:] > 2).all(axis=1))
        if not len(visible):
            raise DataError(f"Video {video.name} has no box larger than 2 px. Leave it out.")
        stride = 2 if rng.random() < training.skip_share else 1
        there_and_back = np.concatenate([visible, visible[-2:0:-1]])
        first = int(rng.integers(len(there_and_back)))
        chosen = [int(there_and_back[(first + stride * k) % len(there_and_back)]) for k in range(length)]
        chosen = chosen if rng.integers(2) else chosen[::-1]
        frames = tuple(video.frames[number] for number in chosen)
        return Footage(video.name, frames, video.boxes[chosen], np.zeros(length))


@dataclass(frozen=True, slots=True)
class Mixed:
    """A source that takes a share of its clips from the second of two others."""

    first: ClipSource
    second: ClipSource
    share: float  # of the second, 0 to 1

    def draw(self, rng: np.random.Generator, length: int, training: TrainingConfig) -> Footage:
        """Draw from one of the two."""
        source = self.second if rng.random() < self.share else self.first
        return source.draw(rng, length, training)
