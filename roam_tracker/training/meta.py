"""The meta-training step: adapt theta on a clip, measure it on future frames (Algorithm 1)."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from roam_tracker.core import response
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.optimizers import LstmOptimizer
from roam_tracker.core.response import ThetaShape
from roam_tracker.core.tracking import start_parameters
from roam_tracker.training.clips import Clip


def meta_losses(
    config: TrackerConfig,
    canonical: ThetaShape,
    weights: Mapping[str, Tensor],
    clip: Clip,
    futures: Sequence[int],
    *,
    steps: int,
) -> Tensor:
    """L(1) .. L(T) of eq. (7) for one clip, one theta of its own.

    futures: delta of each of the T meta losses, in [0, tau)
    steps:   recurrent steps an update; the first-frame step is always one
    returns: (T,), differentiable in `theta0`, `lambda0` and the optimizer's weights

    Gradient flow (section 3.2): the first step keeps its second derivative; in later steps the
    gradient g and the inputs I are constants, theta and the hidden states carry the graph on.
    """
    tau, alpha, loss = config.update.every_frames, config.model.label_alpha, config.model.loss
    optimizer = LstmOptimizer(config.optimizer)
    features, map_size = clip.features.to(clip.centres_cells.dtype), clip.features.shape[-1]
    exact = response.gaussian_labels(clip.centres_cells, clip.sizes_cells, map_size, alpha)
    noisy = response.gaussian_labels(clip.noisy_centres_cells, clip.sizes_cells, map_size, alpha)
    width, height = clip.sizes_cells[0].tolist()
    theta, rates, shape = start_parameters(config, canonical, weights, (width, height), map_size)

    first_loss = response.update_loss(theta, shape, features[:1], exact[:1], loss)
    (gradient,) = torch.autograd.grad(first_loss, theta, create_graph=True)
    theta = theta - rates * gradient
    state = optimizer.init(rates, shape.groups())
    losses = []
    for block, future in enumerate(futures):
        seen = 1 + tau * block  # frames 1 .. seen-1 are past, `seen` is the first of this block
        if block > 0:
            oldest = max(1, seen - config.update.memory_frames)
            for index in range(steps):
                first = oldest if steps > 1 and index == 0 else max(1, seen - config.update.samples)
                batch = slice(first, first + config.update.samples)
                value, gradient = response.loss_and_gradient(
                    theta, shape, features[batch], noisy[batch], loss
                )
                theta, state = optimizer.step(weights, state, theta, gradient, value)
        test = slice(seen + future, seen + future + 1)
        losses.append(response.update_loss(theta, shape, features[test], exact[test], loss))
    return torch.stack(losses)
