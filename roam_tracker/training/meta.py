"""The meta-training step: adapt theta on a clip, measure it on future frames (Algorithm 1)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from roam_tracker.core import response
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.model import start_parameters
from roam_tracker.core.optimizers import make_optimizer
from roam_tracker.training.clips import Clip


def meta_losses(
    config: TrackerConfig,
    weights: Mapping[str, Tensor],
    clip: Clip,
    futures: Sequence[int],
    *,
    steps: int,
) -> Tensor:
    """L(1) .. L(T) of eq. (7) for one clip, one theta of its own.

    futures: delta of each of the T meta losses, in [0, tau)
    steps:   recurrent steps an update; the first-frame step is always one
    returns: (T,), differentiable in `theta0`, `lambda0`, `update_rates` and the optimizer's weights

    Gradient flow (section 3.2): the first step keeps its second derivative; in later steps the
    gradient g and the inputs I are constants, theta and the hidden states carry the graph on.
    """
    tau, model = config.update.every_frames, config.model
    features, map_size = clip.features.to(clip.centres_cells.dtype), clip.features.shape[-1]

    def batch(frames: slice, centres: Tensor) -> tuple[Tensor, Tensor, str, response.BoxTargets | None]:
        at, sizes, anchors = centres[frames], clip.sizes_cells[frames], clip.anchors_cells[frames]
        labels = response.gaussian_labels(at, sizes, map_size, model.label_alpha)
        boxes = None
        if model.box_branch:
            boxes = response.box_targets(at, sizes, anchors, map_size, model.box_positives)
        return features[frames], labels, model.loss, boxes

    width, height = clip.sizes_cells[0].tolist()
    begin = start_parameters(config, weights, (width, height), map_size)
    shape = begin.shape
    first_loss = response.update_loss(begin.theta, shape, *batch(slice(0, 1), clip.centres_cells))
    (gradient,) = torch.autograd.grad(first_loss, begin.theta, create_graph=True)
    theta = begin.theta - begin.rates * gradient
    optimizer = make_optimizer(config.optimizer)
    state = optimizer.init(begin.rates, shape.groups(), begin.constant)
    losses = []
    for block, future in enumerate(futures):
        seen = 1 + tau * block  # frames 1 .. seen-1 are past, `seen` is the first of this block
        if block > 0:
            oldest = max(1, seen - config.update.memory_frames)
            newest = max(1, seen - config.update.samples)
            for index in range(steps):
                first = oldest if steps > 1 and index == 0 else newest
                samples = batch(slice(first, first + config.update.samples), clip.noisy_centres_cells)
                value, gradient = response.loss_and_gradient(theta, shape, *samples)
                theta, state = optimizer.step(weights, state, theta, gradient, value)
        test = slice(seen + future, seen + future + 1)
        losses.append(response.update_loss(theta, shape, *batch(test, clip.centres_cells)))
    return torch.stack(losses)
