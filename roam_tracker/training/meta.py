"""The meta-training step: adapt theta on a clip, measure it on future frames (Algorithm 1)."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from roam_tracker.core import fourier, locate, memory, response, search
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.model import start_parameters
from roam_tracker.core.optimizers import OptimizerState, make_optimizer
from roam_tracker.core.theta import ThetaShape
from roam_tracker.training.clips import Clip

Features = Tensor | fourier.Spectra
Batch = tuple[Features, Tensor, str, Tensor | None]  # features, labels, loss, shares of the samples
_FARTHEST = 2.0  # target sides that a tracker's own label may be off


def meta_losses(
    config: TrackerConfig,
    weights: Mapping[str, Tensor],
    clip: Clip,
    futures: Sequence[int],
    *,
    steps: int,
    own_labels: bool = False,
    observe: Callable[[OptimizerState], None] | None = None,
) -> Tensor:
    """L(1) .. L(T) of eq. (7) for one clip, one theta of its own.

    futures:    delta of each of the T meta losses, in [0, tau)
    steps:      recurrent steps per update; those on the first frame are the preset's
    own_labels: update samples are labelled where the responses to them peak, and kept or not, as in
                tracking; otherwise they have the clip's noisy true labels. No gradient goes that way
    observe:    called with the optimizer's state after each recurrent step
    returns:    (T,), differentiable in `theta0`, `lambda0`, `update_rates` and the optimizer's weights

    The guard of the preset is at work as in tracking, its factor a constant: without it some clips
    diverge, and what they would teach is lost.

    Gradient flow (section 3.2): steps on the first frame keep their second derivative; in later steps the
    gradient g and the inputs I are constants, theta and the hidden states carry the graph on.
    """
    tau, model, start = config.update.every_frames, config.model, clip.first
    features, map_size = clip.features.to(clip.centres_cells.dtype), clip.features.shape[-1]
    if model.window:
        features = features * search.hann_window(map_size, map_size).to(features.device)
    width, height = clip.sizes_cells[0].tolist()  # the first view's is the target's own
    begin = start_parameters(config, weights, (width, height), map_size)
    shape = begin.shape
    seen: Features = features
    if fourier.suits(shape):
        seen = fourier.transform(features, shape)  # once for all that looks at them

    def batch(
        samples: list[int], centres: Tensor, sizes: Tensor, shares: Sequence[float] | None = None
    ) -> Batch:
        labels = response.gaussian_labels(centres[samples], sizes[samples], map_size, model.label_alpha)
        counts = None if shares is None else torch.tensor(shares, device=features.device)
        return chosen_of(seen, samples), labels, model.loss, counts

    first_batch = batch(list(range(start)), clip.centres_cells, clip.sizes_cells)
    first_loss = response.update_loss(begin.theta, shape, *first_batch)
    (gradient,) = torch.autograd.grad(first_loss, begin.theta, create_graph=True)
    theta = begin.theta - begin.rates * gradient  # as long as lambda(0) says: no guard
    optimizer = make_optimizer(config.optimizer)
    state = optimizer.init(begin.rates, shape.groups(theta.device), begin.constant)
    with torch.no_grad():
        first_peak = float(response.respond(theta, shape, chosen_of(seen, [0])).amax())
    labels = _OwnLabels(config, clip, first_peak)
    firsts = list(range(start)) if config.update.first_share > 0 else []
    kept: list[int] = []  # frames that are remembered, 1 the first after the start
    losses = []
    for block, future in enumerate(futures):
        frames = tau * block  # tracked so far
        if block > 0:
            latest = range(frames - tau + 1, frames + 1)
            if own_labels:
                maps = response.respond(
                    theta.detach(), shape, chosen_of(seen, [start + f - 1 for f in latest])
                )
                sure = labels.found(latest, maps)
            else:
                sure = list(latest)
            kept = [*kept, *(f for f in sure if memory.is_kept(config.update, f))]
            kept = kept[-config.update.memory_frames :]
            for index in range(steps if kept else 0):  # the same samples as in tracking.update
                those = [kept[k] for k in memory.seen_in_step(config.update, len(kept), index, steps)]
                counts = memory.shares(config.update, len(firsts), [frames - f for f in those], frames)
                chosen = firsts + [start + f - 1 for f in those]
                samples = batch(chosen, labels.centres, clip.noisy_sizes_cells, counts)
                value, gradient = response.loss_and_gradient(theta, shape, *samples)
                moved, after = optimizer.step(weights, state, theta, gradient, value)
                share = guarded_share(config, shape, theta.detach(), moved.detach(), value, samples)
                if share > 0:
                    theta, state = theta + share * (moved - theta), after
                if observe is not None:
                    observe(state)
        test = batch([start + frames + future], clip.centres_cells, clip.sizes_cells)
        losses.append(response.update_loss(theta, shape, *test))
    return torch.stack(losses)


class _OwnLabels:
    """Labels of a clip's update samples, at first the noisy true ones, then where the responses peak."""

    def __init__(self, config: TrackerConfig, clip: Clip, first_peak: float) -> None:
        self.config, self.clip, self.first_peak = config, clip, first_peak
        self.centres = clip.noisy_centres_cells.clone()
        self.off = torch.zeros_like(clip.centres_cells[0])  # the last label from the truth, in target sides

    def found(self, frames: Sequence[int], maps: Tensor) -> list[int]:
        """Label the frames by their response maps (n, M, M); those that tracking would keep."""
        clip, update = self.clip, self.config.update
        cells = torch.arange(maps.shape[-1], device=maps.device)
        sure = []
        for frame, values in zip(frames, maps, strict=True):
            number = clip.first + frame - 1
            truth, size = clip.centres_cells[number], clip.sizes_cells[number]
            # the tracker looks around its last place, which is off as the last label was
            x, y = (truth + self.off * size).tolist()
            std = self.config.box.motion_sigma * float(size.prod().sqrt())
            motion = [torch.exp(-0.5 * ((cells - middle) / std) ** 2) for middle in (y, x)]
            at = int((values * motion[0][:, None] * motion[1][None, :]).argmax())
            row, column = divmod(at, maps.shape[-1])
            place = truth.new_tensor([float(column), float(row)])
            self.centres[number] = place
            self.off = ((place - truth) / size).clamp(-_FARTHEST, _FARTHEST)
            w, h = size.tolist()
            clear = update.ambiguity == 1 or locate.second_peak(values, at, (w, h)) <= update.ambiguity
            if clear and float(values.amax()) >= update.miss_ratio * self.first_peak:
                sure.append(frame)
        return sure


def chosen_of(features: Features, samples: list[int]) -> Features:
    """Some of the features or spectra."""
    return fourier.chosen(features, samples) if isinstance(features, fourier.Spectra) else features[samples]


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
