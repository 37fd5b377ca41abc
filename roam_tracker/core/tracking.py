"""Online tracking (section 4): `start` on the first frame, `step` on every later one.

A frame is an (H, W, 3) uint8 RGB tensor. Boxes are x, y, w, h in px of the frame, positions
continuous as in core/geometry.py. All that changes from frame to frame is in the `State`.
"""

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from roam_tracker.core import fourier, locate, memory, response
from roam_tracker.core.fourier import Spectra
from roam_tracker.core.model import Model, start_parameters
from roam_tracker.core.state import Box, Observer, Pair, Sample, State, StepRecord
from roam_tracker.core.theta import ThetaShape

__all__ = ["Box", "Model", "Observer", "Sample", "State", "StepRecord", "start", "step", "update"]


@torch.no_grad()
def start(model: Model, frame: Tensor, box: Box, observe: Observer | None = None) -> State:
    """Build theta(1) from the first frame by one step of eq. (3) with theta(0) and lambda(0).

    frame: (H, W, 3) uint8; box: x, y, w, h in px with positive size, may reach out of the frame
    """
    x, y, w, h = (float(value) for value in box)
    config, centre, size = model.config, (x + w / 2, y + h / 2), (w, h)
    side = model.region_side(size)
    size_cells = model.cells(w, side), model.cells(h, side)
    begin = start_parameters(config, model.weights, size_cells, model.map_size)
    features = model.first_features(frame, centre, size)
    spectra = _spectra(model.transformed(features, begin.shape))
    samples = [
        Sample(maps, *view.label(side, size, model.map_size, model.patch_cells), spectrum)
        for maps, spectrum, view in zip(features, spectra, model.views, strict=True)
    ]
    batch, groups = _batch(model, samples), begin.shape.groups(model.device)
    loss, gradient = response.loss_and_gradient(begin.theta, begin.shape, *batch)
    moved = begin.theta - begin.rates * gradient  # as long as lambda(0) says: no guard
    theta, accepted = _shortened(model, begin.shape, begin.theta, moved, loss, batch, 0)
    if observe is not None:
        after = float(response.update_loss(theta, begin.shape, *batch))
        observe(StepRecord(0, 0, float(loss), after, begin.rates, groups, accepted))
    peak = float(response.respond(theta, begin.shape, batch[0]).amax())
    optimizer = model.optimizer.init(begin.rates, groups, begin.constant)
    firsts = tuple(samples) if config.update.first_share > 0 else ()
    state = State(centre, size, 0, theta, begin.shape, optimizer, (), peak, first_samples=firsts)
    return prepared(model, state)


@torch.no_grad()
def step(
    model: Model, state: State, frame: Tensor, truth: Box | None = None, observe: Observer | None = None
) -> tuple[State, Box, float]:
    """Find the target in the next frame and, every tau frames, update the model.

    truth:   x, y, w, h in px; the sample kept for updates is labelled with it (the Oracle of section 6.2)
    observe: called for each gradient step
    returns: the new state; the predicted box x, y, w, h in px; the score, the peak of the response map
    before the motion map (about 1 where the target looks as expected, 0 where nothing does)
    """
    config, region = model.config, model.region_side(state.size_px)
    features = model.features(frame, state.centre_px, [region])
    seen = model.transformed(features, state.shape)
    maps = model.respond(state, seen)
    score = float(maps[0].amax())
    centre, size = locate.pyramid_box(model, state, frame, maps[0], region)
    height, width = frame.shape[:2]
    smallest = config.box.min_side_px
    centre = min(max(centre[0], 0.0), float(width)), min(max(centre[1], 0.0), float(height))
    size = min(max(size[0], smallest), float(width)), min(max(size[1], smallest), float(height))
    box = truth or (*_corner(centre, size), *size)
    sample = _sample(model, state, features[0], _spectra(seen)[0], box, region)
    sure = score >= config.update.miss_ratio * state.first_peak
    sure = sure and not locate.is_ambiguous(model, state, maps[0], region)
    state = replace(state, centre_px=centre, size_px=size, frames=state.frames + 1)
    if sure and memory.is_kept(config.update, state.frames):
        state = replace(state, memory=(*state.memory, sample)[-config.update.memory_frames :])
    if state.frames % config.update.every_frames == 0 and state.memory:
        state = update(model, state, observe)
    return state, state.box, score


def prepared(model: Model, state: State) -> State:
    """The state with all that fourier.py makes of its theta and its samples, for `step` to find."""
    if model.plain or not fourier.suits(state.shape):
        return state

    def transformed(sample: Sample) -> Sample:
        if sample.spectra is not None:
            return sample
        return replace(sample, spectra=fourier.transform(sample.features[None], state.shape))

    sides = (model.map_size, model.pyramid_map_size)
    return replace(
        state,
        memory=tuple(map(transformed, state.memory)),
        first_samples=tuple(map(transformed, state.first_samples)),
        prepared={side: fourier.prepare(state.theta, state.shape, side) for side in sides},
    )


def update(model: Model, state: State, observe: Observer | None = None) -> State:
    """Update theta by recurrent steps on the remembered samples (eqs. 3-6).

    The first step sees the oldest n samples, the last one the newest n (H).
    """
    config = model.config.update
    for index in range(config.steps):
        seen = [state.memory[k] for k in memory.seen_in_step(config, len(state.memory), index, config.steps)]
        ages = [state.frames - sample.frame for sample in seen]
        counts = memory.shares(config, len(state.first_samples), ages, state.frames)
        batch = _batch(model, (*state.first_samples, *seen), counts)
        state = _guarded_step(model, state, batch, index, observe)
    return prepared(model, state)


Batch = tuple[Tensor | Spectra, Tensor, str, Tensor | None]  # features, labels, loss, shares of the samples


def _guarded_step(
    model: Model, state: State, batch: Batch, index: int = 0, observe: Observer | None = None
) -> State:
    """One step of eq. (3). With the guard, a step that raises the loss is shortened, at last undone."""
    loss, gradient = response.loss_and_gradient(state.theta, state.shape, *batch)
    moved, optimizer = model.optimizer.step(model.weights, state.optimizer, state.theta, gradient, loss)
    halvings = model.config.update.guard_halvings
    theta, accepted = _shortened(model, state.shape, state.theta, moved, loss, batch, halvings)
    if observe is not None:
        after = float(response.update_loss(theta, state.shape, *batch))
        rates, groups = optimizer.rates, optimizer.groups
        observe(StepRecord(state.frames, index, float(loss), after, rates, groups, accepted))
    if not accepted:
        return replace(state, rejected_steps=state.rejected_steps + 1)
    return replace(state, theta=theta, optimizer=optimizer)


def _shortened(
    model: Model, shape: ThetaShape, theta: Tensor, moved: Tensor, loss: Tensor, batch: Batch, halvings: int
) -> tuple[Tensor, bool]:
    """`moved`, shortened up to `halvings` times while the loss rises, or `theta` and False."""
    if not bool(torch.isfinite(moved).all()):
        return theta, False
    if halvings == 0:
        return moved, True
    for _ in range(halvings + 1):
        if bool(response.update_loss(moved, shape, *batch) <= loss):
            return moved, True
        moved = theta + model.config.update.guard_factor * (moved - theta)
    return theta, False


def _batch(model: Model, samples: Sequence[Sample], shares: Sequence[float] | None = None) -> Batch:
    def pairs(values: list[Pair]) -> Tensor:
        return torch.tensor(values, device=model.device)

    config = model.config.model
    centres, sizes = pairs([s.centre_cells for s in samples]), pairs([s.size_cells for s in samples])
    labels = response.gaussian_labels(centres, sizes, model.map_size, config.label_alpha)
    spectra = [s.spectra for s in samples if s.spectra is not None]
    features = fourier.stack(spectra) if spectra else torch.stack([s.features for s in samples])
    counts = None if shares is None else torch.tensor(shares, device=model.device)
    return features, labels, config.loss, counts


def _spectra(seen: Tensor | Spectra) -> Sequence[Spectra | None]:
    """The spectra of each map, None where there are none."""
    return fourier.unstack(seen) if isinstance(seen, Spectra) else [None] * len(seen)


def _sample(
    model: Model, state: State, features: Tensor, spectra: Spectra | None, box: Box, region: float
) -> Sample:
    """A box x, y, w, h in px as the label of the patch that was searched around the state's centre."""
    (x, y, w, h), middle = box, (model.map_size - 1) / 2
    centre = (
        middle + model.cells(x + w / 2 - state.centre_px[0], region),
        middle + model.cells(y + h / 2 - state.centre_px[1], region),
    )
    size = model.cells(w, region), model.cells(h, region)
    return Sample(features, centre, size, spectra, state.frames + 1)


def _corner(centre: Pair, size: Pair) -> Pair:
    return centre[0] - size[0] / 2, centre[1] - size[1] / 2
