"""The loop of Algorithm 1, in two stages: theta(0) and lambda(0), then the updates too.

Each outer step draws its clips from the seed and its own number, so that a run which was stopped at
any moment, or is spread over several processes, does what an undisturbed one does.
"""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.optimizers import OptimizerState
from roam_tracker.core.theta import canonical_shape
from roam_tracker.training.checkpoint import History, Progress, load_checkpoint, restore, save_checkpoint
from roam_tracker.training.clips import Clip
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.distributed import World
from roam_tracker.training.meta import meta_losses
from roam_tracker.training.parameters import (
    START,
    Parameters,
    model_weights,
    names_by_kind,
    outer_optimizer,
    set_rates,
)

Log = Callable[[str], None]
Draw = Callable[[int, np.random.Generator], Clip]  # of a number below `clips`
DIVERGED = 100.0  # a meta loss beyond this; 2 means "nothing predicted"
HIDDEN = 0.7  # share of the target behind others from which on a frame is no test
SAVE_EVERY = 20  # outer steps between two checkpoints
GROUPS = ("reduction", "reduction_bias", "filter", "filter_bias")


@dataclass(frozen=True, slots=True)
class Run:
    """Where a run keeps itself, whom it tells, and with whom it works."""

    settings: str  # JSON of all that must not change when it is resumed
    checkpoint: Path | None = None  # None: keep nothing
    log: Log = lambda line: None
    on_row: Callable[[dict[str, float]], None] = lambda row: None  # each outer step's figures
    world: World = field(default_factory=World)


@dataclass(frozen=True, slots=True)
class Stage:
    """One part of the training."""

    name: str  # start, update
    iterations: int
    steps: int  # recurrent steps an update; 0: theta(1) is measured on all future frames
    validate: Callable[[Parameters, int], float] | None = None  # the parameters' score after that many steps


def run_stage(
    stage: Stage,
    config: TrackerConfig,
    training: TrainingConfig,
    parameters: Parameters,
    clips: int,
    draw: Draw,
    run: Run,
    history: History,
) -> History:
    """Change `parameters` in place by the stage's outer steps; returns the history with its rows.

    draw: clip k of `clips`; the generator is for what differs between two looks at the same clip
    """
    fixed = START if training.keep_start and stage.steps > 0 else ()
    adam, done = outer_optimizer(parameters, training), 0
    resumed = _resumed(stage, run, history)
    if resumed is not None:
        progress, tensors = resumed
        restore(tensors, parameters, adam)
        history, done = progress.history, progress.steps
        run.log(f"{stage.name}: resumed at step {done}")
    began, first = time.monotonic(), done
    for iteration in range(done, stage.iterations):
        set_rates(adam, iteration / stage.iterations)
        row = {"iteration": float(len(history))}
        row |= outer_gradient(stage, config, training, parameters, clips, draw, iteration, run.world)
        for name in fixed:
            parameters[name].grad = None
        adam.step()
        row |= spreads("lambda0", parameters["log_lambda0"].exp(), canonical_shape(config).groups())
        last = iteration + 1 == stage.iterations
        if stage.validate is not None and (last or (iteration + 1) % training.validate_every == 0):
            row["validation"] = stage.validate(parameters, iteration + 1)
        history.append(row)
        if run.world.rank == 0:
            run.on_row(row)
            if run.checkpoint is not None and (last or (iteration + 1) % SAVE_EVERY == 0):
                progress = Progress(stage.name, iteration + 1, history)
                save_checkpoint(run.checkpoint, run.settings, progress, parameters, adam)
        if last or (iteration + 1) % 20 == 0:
            left = (time.monotonic() - began) / (iteration + 1 - first) * (stage.iterations - iteration - 1)
            run.log(
                f"{stage.name} {iteration + 1}/{stage.iterations}  "
                f"meta loss {_recent(history, 'meta_loss'):.3f}  after the first step "
                f"{_recent(history, 'start_loss'):.3f}  {left / 60:.1f} min left"
            )
    return history


def outer_gradient(
    stage: Stage,
    config: TrackerConfig,
    training: TrainingConfig,
    parameters: Parameters,
    clips: int,
    draw: Draw,
    iteration: int,
    world: World,
) -> dict[str, float]:
    """Leave the gradient of eq. (8) in the parameters; each clip's part is bounded in norm, kind by kind.

    `batch` clips a process; with several processes the gradient is the mean over all their clips.
    """
    number = sum(ord(letter) for letter in stage.name)
    together = training.batch * world.size
    order = np.random.default_rng([training.seed, number, iteration])
    chosen = order.choice(clips, together, replace=clips < together)
    sums = {name: torch.zeros_like(value) for name, value in parameters.items()}
    zero = torch.zeros((), device=parameters["unit_theta0"].device)
    figures = {name: zero.clone() for name in ("meta_loss", "start_loss", "last_loss")}
    rates: dict[str, float] = {}
    for place in range(world.rank, together, world.size):
        rng = np.random.default_rng([training.seed, number, iteration, place])
        clip = draw(int(chosen[place]), rng).to(parameters["unit_theta0"].device)
        kept: list[OptimizerState] = []
        losses, gradients = clip_gradient(stage, config, training, parameters, clip, rng, kept.append)
        for name, gradient in gradients.items():
            sums[name] += gradient / together
        told = losses.nan_to_num(DIVERGED).clamp(max=DIVERGED)
        for name, value in zip(figures, (told.mean(), told[0], told[-1]), strict=True):
            figures[name] += value / together
        if kept:
            rates = spreads("rate", kept[-1].rates, kept[-1].groups)
    sums, figures = world.sum(sums), world.sum(figures)
    for name, value in parameters.items():
        value.grad = sums[name] if sums[name].any() else None
    return {name: float(value) for name, value in figures.items()} | rates


def clip_gradient(
    stage: Stage,
    config: TrackerConfig,
    training: TrainingConfig,
    parameters: Parameters,
    clip: Clip,
    rng: np.random.Generator,
    observe: Callable[[OptimizerState], None],
) -> tuple[Tensor, dict[str, Tensor]]:
    """The meta losses of one clip, (T,) without graph, and the gradient, each kind within `clip_norm`."""
    futures = choose_futures(
        clip.hidden[clip.first :].reshape(-1, config.update.every_frames).cpu().numpy(), rng
    )
    weights = model_weights(config, training, parameters)
    own = stage.steps > 0 and rng.random() < training.own_labels
    losses = meta_losses(config, weights, clip, futures, steps=stage.steps, own_labels=own, observe=observe)
    # once an adaptation has diverged, what follows teaches nothing
    alive = (losses.detach() < DIVERGED).long().cumprod(0).bool()
    names = list(parameters)
    gradients = torch.autograd.grad(
        losses[alive].sum() / len(losses), [parameters[name] for name in names], allow_unused=True
    )
    known = {name: g for name, g in zip(names, gradients, strict=True) if g is not None}
    clipped: dict[str, Tensor] = {}
    for kind in names_by_kind(parameters):
        found = {name: known[name] for name in kind if name in known}
        if not found:
            continue
        norm = float(torch.stack([g.norm() for g in found.values()]).norm())
        if not math.isfinite(norm):
            return losses.detach(), {}
        share = min(1.0, training.clip_norm / (norm + 1e-12))
        clipped |= {name: share * gradient for name, gradient in found.items()}
    return losses.detach(), clipped


def choose_futures(hidden: NDArray[np.floating], rng: np.random.Generator) -> list[int]:
    """delta of each meta loss, in [0, tau): of each block a frame that shows the target, where one does.

    hidden: (T, tau) share of the target behind others
    """
    futures = []
    for block in hidden:
        seen = np.flatnonzero(block < HIDDEN)
        futures.append(int(rng.choice(seen if len(seen) else len(block))))
    return futures


def spreads(name: str, rates: Tensor, groups: Tensor) -> dict[str, float]:
    """Median of the rates of each group, and their 90th over their 10th percentile."""
    told: dict[str, float] = {}
    for number, group in enumerate(GROUPS):
        low, middle, high = np.quantile(rates.detach()[groups == number].cpu().numpy(), (0.1, 0.5, 0.9))
        told |= {f"{name}_{group}": float(middle), f"{name}_{group}_spread": float(high / max(low, 1e-30))}
    return told


def _recent(history: Sequence[dict[str, float]], name: str) -> float:
    return float(np.mean([row[name] for row in history[-20:]]))


def _resumed(stage: Stage, run: Run, history: History) -> tuple[Progress, dict[str, Tensor]] | None:
    if run.checkpoint is None or not run.checkpoint.exists():
        return None
    progress, tensors = load_checkpoint(run.checkpoint, run.settings)
    # a checkpoint of an earlier stage was used up by it, one of a later stage holds this one's end
    return (progress, tensors) if progress.stage == stage.name else None
