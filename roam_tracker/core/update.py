"""How theta learns, in tracking and in training: which samples a step sees, and the step (section 4).

The paper's memory is a queue of the last 2 tau frames, from which a step sees n samples in a row that all
count alike. With `update.decay` a sample counts less the older it is, with `update.first_share` the samples
of the first frame are in every step.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from roam_tracker.core import response
from roam_tracker.core.config import TrackerConfig, UpdateConfig
from roam_tracker.core.engine import Engine
from roam_tracker.core.optimizers import Optimizer, OptimizerState
from roam_tracker.core.theta import ThetaShape


def is_kept(config: UpdateConfig, frame: int) -> bool:
    """Whether a frame, 1 the first after the start, is one of those that are remembered."""
    return frame % config.memory_stride == 0


def seen_in_step(config: UpdateConfig, remembered: int, step: int, steps: int) -> range:
    """Which of the remembered samples, 0 the oldest, step number `step` of an update of so many steps sees.

    The first step sees the oldest n samples, the last one the newest n (H).
    """
    newest = max(0, remembered - config.samples)
    first = round(newest * step / (steps - 1)) if steps > 1 else newest
    return range(first, min(first + config.samples, remembered))


def shares(config: UpdateConfig, firsts: int, ages: Sequence[int], frames: int) -> list[float] | None:
    """Weight of each sample in the update loss, those of the first frame first; None: all count alike.

    firsts: samples of the first frame that are in the step
    ages:   of the other samples, in frames
    frames: tracked so far; the first frame counts (1 - decay)^frames, but never below `first_share`
    """
    if config.decay == 0 and config.first_share == 0:
        return None
    fresh = [(1 - config.decay) ** age for age in ages]
    first = max(config.first_share, (1 - config.decay) ** frames if config.decay > 0 else 0.0)
    first = 0.0 if not firsts else 1.0 if not fresh else first
    return [first / max(firsts, 1)] * firsts + [(1 - first) * weight / sum(fresh) for weight in fresh]


def lessons(
    config: UpdateConfig, firsts: int, remembered: Sequence[int], frames: int, steps: int
) -> Iterator[tuple[range, list[float] | None]]:
    """For each step of an update: which of the remembered samples it sees, and the shares of all samples.

    remembered: the frames of the samples, the oldest first; frames: tracked so far
    """
    for step in range(steps):
        seen = seen_in_step(config, len(remembered), step, steps)
        yield seen, shares(config, firsts, [frames - remembered[k] for k in seen], frames)


@dataclass(frozen=True, slots=True)
class Lesson:
    """The n samples of one step."""

    seen: Any  # features as `Engine.transform` gave them
    labels: Tensor  # (n, M, M)
    shares: Tensor | None = None  # (n,), see `response.update_loss`


@dataclass(frozen=True, slots=True)
class Learner:
    """What turns a lesson into another theta: an engine, an update rule and its weights."""

    config: TrackerConfig
    engine: Engine
    optimizer: Optimizer
    weights: Mapping[str, Tensor]

    def loss(self, theta: Tensor, shape: ThetaShape, lesson: Lesson) -> Tensor:
        """l of eq. (6), a scalar."""
        responses = self.engine.respond(theta, shape, lesson.seen)
        return response.update_loss(responses, lesson.labels, self.config.model.loss, lesson.shares)

    def loss_and_gradient(self, theta: Tensor, shape: ThetaShape, lesson: Lesson) -> tuple[Tensor, Tensor]:
        """l of eq. (6) and g of eq. (3), both constants."""
        return self.engine.loss_and_gradient(
            theta, shape, lesson.seen, lesson.labels, self.config.model.loss, lesson.shares
        )

    def step(
        self, theta: Tensor, shape: ThetaShape, state: OptimizerState, lesson: Lesson
    ) -> tuple[Tensor | None, OptimizerState, Tensor]:
        """One recurrent step, eqs. (3) to (6).

        returns: theta', None where the guard undoes the step; the optimizer's state; the loss before
        """
        loss, gradient = self.loss_and_gradient(theta, shape, lesson)
        moved, after = self.optimizer.step(self.weights, state, theta, gradient, loss)
        update = self.config.update

        def loss_of(point: Tensor) -> Tensor:
            return self.loss(point, shape, lesson)

        return guarded(theta, moved, loss, loss_of, update.guard_halvings, update.guard_factor), after, loss


def guarded(
    theta: Tensor,
    moved: Tensor,
    loss: Tensor,
    loss_of: Callable[[Tensor], Tensor],
    halvings: int,
    factor: float,
) -> Tensor | None:
    """The guard: `moved`, shortened up to `halvings` times while the loss rises; None where it still does.

    With no halvings only a step that is not finite is undone. The graph of theta and moved is kept.
    """
    if not bool(torch.isfinite(moved).all()):
        return None
    if halvings == 0:
        return moved
    for _ in range(halvings + 1):
        with torch.no_grad():
            if bool(loss_of(moved) <= loss):
                return moved
        moved = theta + factor * (moved - theta)
    return None
