"""The meta-training step: adapt theta on a clip, measure it on future frames (Algorithm 1)."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from roam_tracker.core import fourier, response
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.model import start_parameters
from roam_tracker.core.optimizers import OptimizerState, make_optimizer
from roam_tracker.core.theta import ThetaShape
from roam_tracker.training.clips import Clip

Features = Tensor | fourier.Spectra
Batch = tuple[
    Features, Tensor, str, response.BoxTargets | None
]  # features, labels, loss, targets of the boxes


def meta_losses(
    config: TrackerConfig,
    weights: Mapping[str, Tensor],
    clip: Clip,
    futures: Sequence[int],
    *,
    steps: int,
    observe: Callable[[OptimizerState], None] | None = None,
) -> Tensor:
    """L(1) .. L(T) of eq. (7) for one clip, one theta of its own.

    futures: delta of each of the T meta losses, in [0, tau)
    steps:   recurrent steps an update; the first-frame step is always one
    observe: called with the optimizer's state after each recurrent step
    returns: (T,), differentiable in `theta0`, `lambda0`, `update_rates` and the optimizer's weights, and
             in the clip's features where they have a graph

    The guard of the preset is at work as in tracking, its factor a constant: without it some clips
    diverge, and what they would teach is lost.

    Gradient flow (section 3.2): the first step keeps its second derivative; in later steps the
    gradient g and the inputs I are constants, theta and the hidden states carry the graph on.
    """
    tau, model, start = config.update.every_frames, config.model, clip.first
    features, map_size = clip.features.to(clip.centres_cells.dtype), clip.features.shape[-1]

    def batch(samples: list[int], centres: Tensor, sizes: Tensor, *, repeated: bool = False) -> Batch:
        labels = response.gaussian_labels(centres[samples], sizes[samples], map_size, model.label_alpha)
        boxes = None
        if model.box_branch:
            boxes = response.box_targets(
                centres[samples], sizes[samples], clip.anchors_cells[samples], map_size, model.box_positives
            )
        maps = features[samples]
        transformed = repeated and fourier.suits(shape)
        return fourier.transform(maps, shape) if transformed else maps, labels, model.loss, boxes

    width, height = clip.anchors_cells[0].tolist()
    begin = start_parameters(config, weights, (width, height), map_size)
    shape = begin.shape
    first_batch = batch(list(range(start)), clip.centres_cells, clip.sizes_cells)
    first_loss = response.update_loss(begin.theta, shape, *first_batch)
    (gradient,) = torch.autograd.grad(first_loss, begin.theta, create_graph=True)
    theta = begin.theta - begin.rates * gradient
    optimizer = make_optimizer(config.optimizer)
    state = optimizer.init(begin.rates, shape.groups(theta.device), begin.constant)
    losses = []
    for block, future in enumerate(futures):
        seen = start + tau * block  # samples start .. seen-1 are past, `seen` is the first of this block
        if block > 0:
            oldest = max(start, seen - config.update.memory_frames)
            newest = max(oldest, seen - config.update.samples)
            if config.optimizer.reset:
                state = optimizer.forget(state)
            for index in range(steps):  # the same samples as in tracking.update
                first = oldest + round((newest - oldest) * index / (steps - 1)) if steps > 1 else newest
                chosen = list(range(first, min(first + config.update.samples, seen)))
                if config.update.keep_first:
                    chosen.insert(0, 0)
                samples = batch(chosen, clip.noisy_centres_cells, clip.noisy_sizes_cells, repeated=True)
                value, gradient = response.loss_and_gradient(theta, shape, *samples)
                moved, after = optimizer.step(weights, state, theta, gradient, value)
                share = guarded_share(config, shape, theta.detach(), moved.detach(), value, samples)
                if share > 0:
                    theta, state = theta + share * (moved - theta), after
                if observe is not None:
                    observe(state)
        test = batch([seen + future], clip.centres_cells, clip.sizes_cells)
        losses.append(response.update_loss(theta, shape, *test))
    return torch.stack(losses)


def guarded_share(
    config: TrackerConfig, shape: ThetaShape, theta: Tensor, moved: Tensor, loss: Tensor, batch: Batch
) -> float:
    """The share of the step from theta to `moved` that the guard lets pass, 0 for none (see tracking.py)."""
    share, halvings = 1.0, config.update.guard_halvings
    if halvings == 0:
        return share
    with torch.no_grad():
        for _ in range(halvings + 1):
            if response.update_loss(theta + share * (moved - theta), shape, *batch) <= loss:
                return share
            share *= config.update.guard_factor
    return 0.0
