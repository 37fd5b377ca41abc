"""Online tracking (section 4): `start` on the first frame, `step` on every later one.

A frame is an (H, W, 3) uint8 RGB tensor. Boxes are x, y, w, h in px of the frame, positions
continuous as in core/geometry.py. All that changes from frame to frame is in the `State`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from roam_tracker.core import backbone, response, search
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.optimizers import LstmOptimizer, OptimizerState
from roam_tracker.core.response import ThetaShape
from roam_tracker.errors import WeightsError

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sample:
    """A stored frame: its features and where the tracker saw the target in them."""

    features: Tensor  # (K, M, M)
    centre_cells: tuple[float, float]
    size_cells: tuple[float, float]


@dataclass(frozen=True, slots=True)
class State:
    """One target being tracked."""

    centre_px: tuple[float, float]
    size_px: tuple[float, float]
    frames: int  # tracked so far, the first one not counted
    theta: Tensor  # (shape.count,)
    shape: ThetaShape
    optimizer: OptimizerState
    memory: tuple[Sample, ...]  # oldest first
    first_peak: float  # of the response on the first frame, after theta(1)
    rejected_steps: int = 0  # updates undone because the loss rose or was not finite

    @property
    def box(self) -> Box:
        """x, y, w, h in px."""
        (x, y), (w, h) = self.centre_px, self.size_px
        return x - w / 2, y - h / 2, w, h


class Model:
    """A preset with its weights on a device: what all targets share and nothing changes."""

    def __init__(self, config: TrackerConfig, weights: Mapping[str, Tensor], device: torch.device) -> None:
        self.config = config
        self.device = device
        self.weights = {name: tensor.to(device) for name, tensor in weights.items()}
        self.spec = backbone.backbone_spec(config.model.backbone)
        self.patch_px = backbone.patch_size(
            self.spec, config.search.roi_scale * config.search.base_object_size
        )
        self.map_size = (self.patch_px - 1) // self.spec.stride + 1
        model = config.model
        self.canonical = ThetaShape(
            self.spec.channels, model.reduced_channels, model.filter_height, model.filter_width
        )
        self.optimizer = LstmOptimizer(config.optimizer)
        for name in ("theta0", "lambda0"):
            shape = tuple(self.weights[name].shape) if name in self.weights else None
            if shape != (self.canonical.count,):
                raise WeightsError(
                    f"The weights have {name} of shape {shape}, the preset needs ({self.canonical.count},). "
                    "Use the preset the weights were trained with."
                )

    def features(self, frame: Tensor, centre_px: tuple[float, float], sides_px: list[float]) -> Tensor:
        """(n, K, M, M) feature maps of n squares of the frame around one centre."""
        centres = torch.tensor([centre_px] * len(sides_px), dtype=torch.float64)
        patches = search.crop(frame, centres, torch.tensor(sides_px).repeat(2, 1).T, self.patch_px, self.spec)
        patches = patches.to(memory_format=torch.channels_last)
        return backbone.extract(self.spec, self.weights, patches)

    def cells(self, length_px: float, side_px: float) -> float:
        """A length in px of the frame as feature cells of a patch that shows `side_px` px."""
        return length_px / side_px * self.patch_px / self.spec.stride

    def start_parameters(self, size_cells: tuple[float, float]) -> tuple[Tensor, Tensor, ThetaShape]:
        """theta(0) and lambda(0) resized to a target's size (N), and their shape."""
        return start_parameters(self.config, self.canonical, self.weights, size_cells, self.map_size)


def start_parameters(
    config: TrackerConfig,
    canonical: ThetaShape,
    weights: Mapping[str, Tensor],
    size_cells: tuple[float, float],
    map_size: int,
) -> tuple[Tensor, Tensor, ThetaShape]:
    """theta(0) and lambda(0) resized to a target of (w, h) cells; shared with training."""
    model = config.model
    height, width = response.filter_size(size_cells, model.filter_factor, map_size)
    shape = replace(canonical, height=height, width=width)
    theta = response.resize(weights["theta0"], canonical, shape, keep_gain=model.keep_gain)
    rates = response.resize(weights["lambda0"], canonical, shape, keep_gain=False)
    return theta, rates, shape


@torch.no_grad()
def start(model: Model, frame: Tensor, box: Box) -> State:
    """Build theta(1) from the first frame by one step of eq. (3) with theta(0) and lambda(0).

    frame: (H, W, 3) uint8; box: x, y, w, h in px with positive size, may reach out of the frame
    """
    x, y, w, h = (float(value) for value in box)
    centre, size = (x + w / 2, y + h / 2), (w, h)
    side = _region_side(model, size)
    size_cells = model.cells(w, side), model.cells(h, side)
    theta0, rates0, shape = model.start_parameters(size_cells)
    middle = (model.map_size - 1) / 2
    sample = Sample(model.features(frame, centre, [side])[0], (middle, middle), size_cells)
    features, labels = _batch(model, [sample])
    _, gradient = response.loss_and_gradient(theta0, shape, features, labels, model.config.model.loss)
    theta = theta0 - rates0 * gradient
    if not bool(torch.isfinite(theta).all()):
        theta = theta0
    peak = float(response.respond(theta, shape, features).amax())
    optimizer = model.optimizer.init(rates0, shape.groups(model.device))
    return State(centre, size, 0, theta, shape, optimizer, (), peak)


@torch.no_grad()
def step(model: Model, state: State, frame: Tensor) -> tuple[State, Box, float]:
    """Find the target in the next frame and, every tau frames, update the model.

    returns: the new state; the box x, y, w, h in px; the score, the peak of the response map
    before the motion map (about 1 where the target looks as expected, 0 where nothing does)
    """
    config = model.config.box
    side = _region_side(model, state.size_px)
    features = model.features(frame, state.centre_px, [side])
    responses = response.respond(state.theta, state.shape, features)
    score = float(responses.amax())
    x_cells, y_cells = _peak(responses[0] * _motion_map(model, state.size_px, side), config.subcell)
    middle = (model.map_size - 1) / 2
    px_per_cell = model.spec.stride * side / model.patch_px
    height, width = frame.shape[:2]
    centre = (
        min(max(state.centre_px[0] + (x_cells - middle) * px_per_cell, 0.0), float(width)),
        min(max(state.centre_px[1] + (y_cells - middle) * px_per_cell, 0.0), float(height)),
    )
    size = _new_size(model, state, frame, centre, side)
    state = replace(state, centre_px=centre, size_px=size, frames=state.frames + 1)
    if score >= model.config.update.miss_ratio * state.first_peak:
        # the label sits where the target was found, in the patch that the search used
        seen = Sample(
            features[0], (x_cells, y_cells), (model.cells(size[0], side), model.cells(size[1], side))
        )
        state = replace(state, memory=(*state.memory, seen)[-model.config.update.memory_frames :])
    if state.frames % model.config.update.every_frames == 0 and state.memory:
        state = update(model, state)
    return state, state.box, score


def update(model: Model, state: State) -> State:
    """Update theta by recurrent steps on the remembered samples (eqs. 3-6).

    The first step sees the oldest n samples, the last one the newest n (H).
    """
    config = model.config.update
    for index in range(config.steps):
        last_start = max(0, len(state.memory) - config.samples)
        first = round(last_start * index / max(1, config.steps - 1)) if config.steps > 1 else last_start
        features, labels = _batch(model, state.memory[first : first + config.samples])
        state = _guarded_step(model, state, features, labels)
    return state


def _guarded_step(model: Model, state: State, features: Tensor, labels: Tensor) -> State:
    """One step of eq. (3). With the guard, a step that raises the loss is shortened, at last undone."""
    reduction, config = model.config.model.loss, model.config.update
    loss, gradient = response.loss_and_gradient(state.theta, state.shape, features, labels, reduction)
    theta, optimizer = model.optimizer.step(model.weights, state.optimizer, state.theta, gradient, loss)
    accepted = bool(torch.isfinite(theta).all())
    if accepted and config.guard_halvings:
        for _ in range(config.guard_halvings + 1):
            accepted = bool(response.update_loss(theta, state.shape, features, labels, reduction) <= loss)
            if accepted:
                break
            theta = state.theta + config.guard_factor * (theta - state.theta)
    if not accepted:
        return replace(state, rejected_steps=state.rejected_steps + 1)
    return replace(state, theta=theta, optimizer=optimizer)


def _batch(model: Model, samples: list[Sample] | tuple[Sample, ...]) -> tuple[Tensor, Tensor]:
    features = torch.stack([sample.features for sample in samples])
    centres = torch.tensor([sample.centre_cells for sample in samples], device=model.device)
    sizes = torch.tensor([sample.size_cells for sample in samples], device=model.device)
    return features, response.gaussian_labels(centres, sizes, model.map_size, model.config.model.label_alpha)


def _region_side(model: Model, size_px: tuple[float, float]) -> float:
    return model.config.search.roi_scale * math.sqrt(size_px[0] * size_px[1])


def _motion_map(model: Model, size_px: tuple[float, float], side_px: float) -> Tensor:
    """The Gaussian-like map of section 4 that suppresses large movement (J), (M, M)."""
    sigma = model.config.box.motion_sigma * model.cells(math.sqrt(size_px[0] * size_px[1]), side_px)
    cells = torch.arange(model.map_size, device=model.device) - (model.map_size - 1) / 2
    one = torch.exp(-0.5 * (cells / sigma) ** 2)
    return one[:, None] * one[None, :]


def _peak(values: Tensor, subcell: bool) -> tuple[float, float]:
    """Column and row of the maximum; `subcell` moves it to the top of a parabola along each axis."""
    columns = values.shape[1]
    row, column = divmod(int(values.argmax()), columns)
    if not subcell:
        return float(column), float(row)
    return column + _parabola(values[row], column), row + _parabola(values[:, column], row)


def _parabola(line: Tensor, index: int) -> float:
    if not 0 < index < len(line) - 1:
        return 0.0
    before, top, after = line[index - 1 : index + 2].tolist()
    curvature = before - 2 * top + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0


def _new_size(
    model: Model, state: State, frame: Tensor, centre_px: tuple[float, float], side_px: float
) -> tuple[float, float]:
    """The best of the pyramid's scales, interpolated with the old size, kept within the frame."""
    config = model.config.box
    features = model.features(frame, centre_px, [side_px * scale for scale in config.scales])
    peaks = response.respond(state.theta, state.shape, features).amax((1, 2))
    factor = 1 + config.size_weight * (config.scales[int(peaks.argmax())] - 1)
    (w, h), (height, width) = state.size_px, frame.shape[:2]
    return min(max(w * factor, config.min_side_px), width), min(max(h * factor, config.min_side_px), height)
