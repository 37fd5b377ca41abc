"""What the tracker knows of one target, as frozen data; all that changes from frame to frame."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from roam_tracker.core.optimizers import OptimizerState
from roam_tracker.core.theta import ThetaShape

Box = tuple[float, float, float, float]
Pair = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """A patch to learn from: its features and where the target lies in them, in feature cells."""

    features: Tensor  # (K, M, M)
    centre_cells: Pair
    size_cells: Pair
    frame: int = 0  # when it was seen
    kept: Any = None  # the engine's own form of the features, from `Engine.transform`; None: to be made


@dataclass(frozen=True, slots=True)
class StepRecord:
    """One gradient step, as an observer gets it."""

    frame: int  # 0 is the first
    step: int  # within the update
    loss_before: float
    loss_after: float  # of the same samples, with the theta that was kept
    rates: Tensor  # (count,)
    groups: Tensor  # (count,) int64, see theta.py
    accepted: bool


Observer = Callable[[StepRecord], None]


@dataclass(frozen=True, slots=True)
class State:
    """One target being tracked."""

    centre_px: Pair
    size_px: Pair
    frames: int  # tracked so far, the first one not counted
    theta: Tensor  # (shape.count,)
    shape: ThetaShape
    optimizer: OptimizerState
    memory: tuple[Sample, ...]  # oldest first
    first_peak: float  # of the response on the first frame, after theta(1)
    first_samples: tuple[Sample, ...] = ()  # views of the first frame, where every step sees them
    rejected_steps: int = 0  # steps undone because the loss rose or was not finite
    kept: Any = None  # the engine's own form of theta, from `Engine.prepare`; None: to be made

    @property
    def box(self) -> Box:
        """x, y, w, h in px."""
        (x, y), (w, h) = self.centre_px, self.size_px
        return x - w / 2, y - h / 2, w, h
