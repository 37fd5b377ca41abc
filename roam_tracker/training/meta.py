"""The meta-training step: adapt theta on a clip, measure it on future frames (Algorithm 1)."""

from collections.abc import Callable, Mapping, Sequence

import torch
from torch import Tensor

from roam_tracker.core import locate, response, search
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.engine import Engine
from roam_tracker.core.fast.engine import Fast
from roam_tracker.core.optimizers import OptimizerState
from roam_tracker.core.theta import start_parameters
from roam_tracker.core.update import Learner, Lesson, is_kept, lessons
from roam_tracker.training.clips import Clip

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
    engine: Engine | None = None,
) -> Tensor:
    """L(1) .. L(T) of eq. (7) for one clip, one theta of its own.

    futures:    delta of each of the T meta losses, in [0, tau)
    steps:      recurrent steps per update
    own_labels: update samples are labelled where the responses to them peak, and kept or not, as in
                tracking; otherwise they have the clip's noisy true labels. No gradient goes that way
    observe:    called with the optimizer's state after each recurrent step
    engine:     how it is computed; None: the fast one
    returns:    (T,), differentiable in `theta0`, `lambda0`, `update_rates` and the optimizer's weights

    The guard of the preset is at work as in tracking, its factor a constant: without it some clips
    diverge, and what they would teach is lost.

    Gradient flow (section 3.2): steps on the first frame keep their second derivative; in later steps the
    gradient g and the inputs I are constants, theta and the hidden states carry the graph on.
    """
    tau, model, start = config.update.every_frames, config.model, clip.first
    engine = engine or Fast()
    learner = Learner(config, engine, engine.make_optimizer(config.optimizer), weights)
    features, map_size = clip.features.to(clip.centres_cells.dtype), clip.features.shape[-1]
    if model.window:
        features = features * search.hann_window(map_size, map_size, features.device)
    width, height = clip.sizes_cells[0].tolist()  # the first view shows the target as it is
    begin = start_parameters(config, weights, (width, height), map_size)
    shape = begin.shape
    seen = engine.transform(features, shape)  # once for all that looks at them

    def lesson(
        samples: list[int], centres: Tensor, sizes: Tensor, shares: Sequence[float] | None = None
    ) -> Lesson:
        labels = response.gaussian_labels(centres[samples], sizes[samples], map_size, model.label_alpha)
        counts = None if shares is None else torch.tensor(shares, device=features.device)
        return Lesson(seen[samples], labels, counts)

    first_loss = learner.loss(
        begin.theta, shape, lesson([*range(start)], clip.centres_cells, clip.sizes_cells)
    )
    (gradient,) = torch.autograd.grad(first_loss, begin.theta, create_graph=True)
    theta = begin.theta - begin.rates * gradient  # as long as lambda(0) says: no guard
    state = learner.optimizer.init(begin.rates, shape.groups(theta.device), begin.constant)
    with torch.no_grad():
        first_peak = float(engine.respond(theta, shape, seen[[0]]).amax())
    labels = _OwnLabels(config, clip, first_peak)
    firsts = list(range(start)) if config.update.first_share > 0 else []
    kept: list[int] = []  # frames that are remembered, 1 the first after the start
    losses = []
    for block, future in enumerate(futures):
        frames = tau * block  # tracked so far
        if block > 0:
            latest = list(range(frames - tau + 1, frames + 1))
            if own_labels:
                maps = engine.respond(theta.detach(), shape, seen[[start + f - 1 for f in latest]])
                latest = labels.found(latest, maps)
            kept = [*kept, *(f for f in latest if is_kept(config.update, f))]
            kept = kept[-config.update.memory_frames :]
            for places, counts in lessons(config.update, len(firsts), kept, frames, steps if kept else 0):
                chosen = firsts + [start + kept[k] - 1 for k in places]
                samples = lesson(chosen, labels.centres, clip.noisy_sizes_cells, counts)
                moved, after, _ = learner.step(theta, shape, state, samples)
                if moved is not None:
                    theta, state = moved, after
                if observe is not None:
                    observe(state)
        test = lesson([start + frames + future], clip.centres_cells, clip.sizes_cells)
        losses.append(learner.loss(theta, shape, test))
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
        sure = []
        for frame, values in zip(frames, maps, strict=True):
            number = clip.first + frame - 1
            truth, size = clip.centres_cells[number], clip.sizes_cells[number]
            # the tracker looks around its last place, which is off as the last label was
            x, y = (truth + self.off * size).tolist()
            std = self.config.box.motion_sigma * float(size.prod().sqrt())
            at = int((values * locate.motion_map((x, y), std, values)).argmax())
            row, column = divmod(at, maps.shape[-1])
            place = truth.new_tensor([float(column), float(row)])
            self.centres[number] = place
            self.off = ((place - truth) / size).clamp(-_FARTHEST, _FARTHEST)
            w, h = size.tolist()
            clear = update.ambiguity == 1 or locate.second_peak(values, at, (w, h)) <= update.ambiguity
            if clear and float(values.amax()) >= update.miss_ratio * self.first_peak:
                sure.append(frame)
        return sure
