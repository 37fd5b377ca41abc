"""Online tracking (section 4): `start` on the first frame, `step` on every later one.

A frame is an (H, W, 3) uint8 RGB tensor. Boxes are x, y, w, h in px of the frame, positions
continuous as in core/geometry.py. All that changes from frame to frame is in the `State`.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from roam_tracker.core import backbone, box_head, locate, response, search
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.engine import Engine, Reference
from roam_tracker.core.state import Box, Observer, Pair, Sample, State, StepRecord
from roam_tracker.core.theta import ThetaShape, canonical_shape, start_parameters
from roam_tracker.core.update import Learner, Lesson, is_kept, lessons
from roam_tracker.core.views import view_patches, views
from roam_tracker.errors import WeightsError

__all__ = ["Box", "Model", "Observer", "Sample", "State", "StepRecord", "start", "step", "update"]


class Model:
    """A preset with its weights on a device: what all targets share and nothing changes.

    engine: how it computes; None: the reference
    Raises WeightsError for weights that are not the preset's.
    """

    def __init__(
        self,
        config: TrackerConfig,
        weights: Mapping[str, Tensor],
        device: torch.device,
        engine: Engine | None = None,
    ) -> None:
        self.config, self.device = config, device
        self.engine: Engine = engine or Reference()
        self.weights = {name: tensor.to(device) for name, tensor in weights.items()}
        self.canonical = canonical_shape(config)
        for name in ("theta0", "lambda0", *(["update_rates"] if config.optimizer.kind == "constant" else [])):
            shape = tuple(self.weights[name].shape) if name in self.weights else None
            if shape != (self.canonical.count,):
                raise WeightsError(
                    f"The weights have {name} of shape {shape}, the preset needs ({self.canonical.count},). "
                    "Use the preset the weights were trained with."
                )
        self.spec = backbone.backbone_spec(config.model.backbone)
        backbone.check_shapes(self.spec, self.weights)
        self.backbone, self.precision = self.engine.pack(self.spec, self.weights, config.precision, device)
        base, roi = config.search.base_object_size, config.search.roi_scale
        self.patch_px = backbone.patch_size(self.spec, roi * base)
        self.map_size = backbone.map_size(self.spec, self.patch_px)
        self.pyramid_px = backbone.patch_size(self.spec, (config.box.pyramid_roi or roi) * base)
        self.pyramid_map_size = backbone.map_size(self.spec, self.pyramid_px)
        self.views = views(config.update)
        if config.box.head:
            box_head.check(self.weights, self.spec.channels, self.map_size)
        self.learner = Learner(
            config, self.engine, self.engine.make_optimizer(config.optimizer), self.weights
        )

    def region_side(self, size_px: Pair) -> float:
        """The side in px of the search region of a target of w x h px (section 5)."""
        return self.config.search.roi_scale * math.sqrt(size_px[0] * size_px[1])

    def cells(self, length_px: float, side_px: float) -> float:
        """A length in px of the frame as feature cells of a search patch that shows `side_px` px."""
        return length_px / side_px * self.patch_px / self.spec.stride

    @torch.no_grad()
    def features(
        self, frame: Tensor, centre_px: Pair, sides_px: Sequence[float], patch_px: int | None = None
    ) -> Tensor:
        """(n, K, M, M) feature maps of n regions of the frame around one centre, in patches of `patch_px`."""
        centres = torch.tensor([centre_px] * len(sides_px), dtype=torch.float64)
        size = patch_px or self.patch_px
        return self.features_of(self.engine.crop(frame, centres, torch.tensor(sides_px), size, self.spec))

    def features_of(self, patches: Tensor) -> Tensor:
        """(n, K, M, M) feature maps of patches, under a Hann window where the preset has one."""
        features = self.engine.extract(self.spec, self.backbone, patches)
        if self.config.model.window:
            features = features * search.hann_window(features.shape[-1], self.map_size, self.device)
        return features

    def look(self, features: Tensor, place_cells: Pair, size_cells: Pair) -> Tensor:
        """What the box head makes of features (1, K, M, M) with a box in them, see `box_head.look`."""
        windows, places = box_head.window(features, features.new_tensor([place_cells]))
        return box_head.look(self.weights, windows, places, features.new_tensor([size_cells]))

    def prepare(self, theta: Tensor, shape: ThetaShape) -> object:
        """Theta in the engine's own form."""
        return self.engine.prepare(theta, shape, (self.map_size, self.pyramid_map_size))

    def lesson(
        self, samples: Sequence[Sample], shape: ThetaShape, shares: Sequence[float] | None = None
    ) -> Lesson:
        """What a step learns from these samples, labelled by eq. (2)."""
        engine, config = self.engine, self.config.model
        seen = [
            engine.transform(sample.features[None], shape) if sample.kept is None else sample.kept
            for sample in samples
        ]
        centres, sizes = (
            torch.tensor(pairs, device=self.device)
            for pairs in ([s.centre_cells for s in samples], [s.size_cells for s in samples])
        )
        labels = response.gaussian_labels(centres, sizes, self.map_size, config.label_alpha)
        weights = None if shares is None else torch.tensor(shares, device=self.device)
        return Lesson(engine.join(seen), labels, weights)


@torch.no_grad()
def start(model: Model, frame: Tensor, box: Box, observe: Observer | None = None) -> State:
    """Build theta(1) from the first frame by one step of eq. (3) with theta(0) and lambda(0).

    frame: (H, W, 3) uint8; box: x, y, w, h in px with positive size, may reach out of the frame
    """
    x, y, w, h = (float(value) for value in box)
    centre, size, learner = (x + w / 2, y + h / 2), (w, h), model.learner
    side, patch_cells = model.region_side(size), model.patch_px / model.spec.stride
    size_cells = model.cells(w, side), model.cells(h, side)
    begin = start_parameters(model.config, model.weights, size_cells, model.map_size)
    shape, groups = begin.shape, begin.shape.groups(model.device)
    patches = view_patches(
        frame, centre, side, size, model.views, model.patch_px, model.spec, crop=model.engine.crop
    )
    features = model.features_of(patches)
    seen = model.engine.transform(features, shape)
    samples = tuple(
        Sample(features[k], *view.label(side, size, model.map_size, patch_cells), kept=seen[k : k + 1])
        for k, view in enumerate(model.views)
    )
    lesson = model.lesson(samples, shape)
    loss, gradient = learner.loss_and_gradient(begin.theta, shape, lesson)
    moved = begin.theta - begin.rates * gradient  # as long as lambda(0) says: no guard
    accepted = bool(torch.isfinite(moved).all())
    theta = moved if accepted else begin.theta
    if observe is not None:
        after = float(learner.loss(theta, shape, lesson))
        observe(StepRecord(0, 0, float(loss), after, begin.rates, groups, accepted))
    return State(
        centre_px=centre,
        size_px=size,
        frames=0,
        theta=theta,
        shape=shape,
        optimizer=learner.optimizer.init(begin.rates, groups, begin.constant),
        memory=(),
        first_peak=float(model.engine.respond(theta, shape, lesson.seen).amax()),
        first_samples=samples if model.config.update.first_share > 0 else (),
        first_look=model.look(features[:1], samples[0].centre_cells, size_cells)
        if model.config.box.head
        else None,
        kept=model.prepare(theta, shape),
    )


@torch.no_grad()
def step(
    model: Model, state: State, frame: Tensor, truth: Box | None = None, observe: Observer | None = None
) -> tuple[State, Box, float]:
    """Find the target in the next frame; every tau frames the model learns.

    truth:   x, y, w, h in px; the sample kept for updates is labelled with it (the Oracle of section 6.2)
    observe: called for each gradient step
    returns: the new state; the predicted box x, y, w, h in px; the score, the peak of the response map
    before the motion map (about 1 where the target looks as expected, 0 where nothing does)
    """
    config, engine, (w, h) = model.config, model.engine, state.size_px

    # the response in the search region (sections 3.1 and 5)
    side = model.region_side(state.size_px)
    features = model.features(frame, state.centre_px, [side])
    seen = engine.transform(features, state.shape)
    values = engine.respond(state.theta, state.shape, seen, state.kept)[0]
    score = float(values.amax())

    # the place: the peak under the motion map
    middle, px_per_px = (model.map_size - 1) / 2, model.spec.stride / model.patch_px
    std = config.box.motion_sigma * model.cells(math.sqrt(w * h), side)
    masked = values * locate.motion_map((middle, middle), std, values)
    column, row = locate.peak(masked, config.box.subcell)
    x = state.centre_px[0] + (column - middle) * px_per_px * side
    y = state.centre_px[1] + (row - middle) * px_per_px * side
    wider = higher = 1.0
    if state.first_look is not None:  # not in the paper: the box head corrects the box
        now_look = model.look(features, (column, row), (model.cells(w, side), model.cells(h, side)))
        answer = box_head.corrections(model.weights, state.first_look, now_look)[0].tolist()
        right, down, wider, higher = box_head.followed(config.box, answer)
        x, y = x + right * w, y + down * h

    # the size: the peaks in crops of several scales around that place
    share = model.pyramid_px / model.patch_px  # one scale of pixels in both patches
    sides = [side * scale * share for scale in locate.pyramid_scales(config.box)]
    crops = engine.transform(model.features(frame, (x, y), sides, model.pyramid_px), state.shape)
    peaks = engine.respond(state.theta, state.shape, crops, state.kept).amax((1, 2))
    growth = locate.growth(config.box, peaks)

    height, width = frame.shape[:2]
    least = config.box.min_side_px
    centre = min(max(x, 0.0), float(width)), min(max(y, 0.0), float(height))
    w, h = w * growth * wider, h * growth * higher
    size = min(max(w, least), float(width)), min(max(h, least), float(height))

    # the memory: frames in which the target is seen, and no other as well
    sure = score >= config.update.miss_ratio * state.first_peak
    if sure and config.update.ambiguity < 1:
        cells = model.cells(state.size_px[0], side), model.cells(state.size_px[1], side)
        sure = locate.second_peak(values, int(masked.argmax()), cells) <= config.update.ambiguity
    now = replace(state, centre_px=centre, size_px=size, frames=state.frames + 1)
    if sure and is_kept(config.update, now.frames):
        left, top, w, h = truth or now.box
        place = left + w / 2 - state.centre_px[0], top + h / 2 - state.centre_px[1]
        sample = Sample(
            features[0],
            (middle + model.cells(place[0], side), middle + model.cells(place[1], side)),
            (model.cells(w, side), model.cells(h, side)),
            now.frames,
            seen,
        )
        now = replace(now, memory=(*state.memory, sample)[-config.update.memory_frames :])
    if now.frames % config.update.every_frames == 0 and now.memory:
        now = update(model, now, observe)
    return now, now.box, score


def update(model: Model, state: State, observe: Observer | None = None) -> State:
    """Update theta by recurrent steps on the remembered samples (eqs. 3-6)."""
    config, shape, learner = model.config.update, state.shape, model.learner
    frames, firsts = [sample.frame for sample in state.memory], len(state.first_samples)
    for index, (places, shares) in enumerate(lessons(config, firsts, frames, state.frames, config.steps)):
        samples = (*state.first_samples, *(state.memory[place] for place in places))
        lesson = model.lesson(samples, shape, shares)
        theta, optimizer, loss = learner.step(state.theta, shape, state.optimizer, lesson)
        if theta is None:
            state = replace(state, rejected_steps=state.rejected_steps + 1)
        else:
            state = replace(state, theta=theta, optimizer=optimizer)
        if observe is not None:
            after, rates, groups = learner.loss(state.theta, shape, lesson), optimizer.rates, optimizer.groups
            observe(
                StepRecord(state.frames, index, float(loss), float(after), rates, groups, theta is not None)
            )
    return replace(state, kept=model.prepare(state.theta, shape))
