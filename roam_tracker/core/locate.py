"""From a response map to a box (section 4, Bounding Box Estimation), by pyramid or by box branch."""

import math

import torch
from torch import Tensor

from roam_tracker.core import response
from roam_tracker.core.model import Model
from roam_tracker.core.state import Pair, State


def _motion_map(model: Model, state: State, side_px: float) -> Tensor:
    """The Gaussian-like map of section 4 that suppresses large movement (J), (M, M)."""
    config, (w, h) = model.config.box, state.size_px
    sigma = config.loose_sigma if state.drifting else config.motion_sigma
    cells = torch.arange(model.map_size, device=model.device) - (model.map_size - 1) / 2
    one = torch.exp(-0.5 * (cells / (sigma * model.cells(math.sqrt(w * h), side_px))) ** 2)
    return one[:, None] * one[None, :]


def pyramid_box(
    model: Model, state: State, frame: Tensor, features: Tensor, values: Tensor, side_px: float
) -> tuple[Pair, Pair]:
    """Centre and size in px: the peak under the motion map, then the best of the pyramid's scales."""
    config = model.config.box
    column, row = _peak(values * _motion_map(model, state, side_px), config.subcell)
    centre = _to_px(model, state, (column, row), side_px)
    sides = [(side_px * scale, side_px * scale) for scale in config.scales]
    peaks = response.respond(state.theta, state.shape, model.features(frame, centre, sides)).amax((1, 2))
    return centre, _rescaled(model, state, int(peaks.argmax()))


def joint_box(model: Model, state: State, maps: Tensor, side_px: float) -> tuple[Pair, Pair]:
    """Centre and size in px: the highest peak of all scales' maps (n, M, M) under their motion maps (Q)."""
    config = model.config.box
    sides = [side_px * scale for scale in config.scales]
    maps = maps * torch.stack([_motion_map(model, state, side) for side in sides])
    best = int(maps.amax((1, 2)).argmax())
    return _to_px(model, state, _peak(maps[best], config.subcell), sides[best]), _rescaled(model, state, best)


def _rescaled(model: Model, state: State, index: int) -> Pair:
    """Width and height in px moved towards the scale of that index."""
    factor = 1 + model.config.box.size_weight * (model.config.box.scales[index] - 1)
    return state.size_px[0] * factor, state.size_px[1] * factor


def regressed_box(
    model: Model, state: State, frame: Tensor, features: Tensor, values: Tensor, side_px: float
) -> tuple[Pair, Pair]:
    """Centre and size in px from the box branch at the best cell (release family).

    A cell counts less the more its box changes scale and aspect ratio; the size is interpolated by
    `size_weight` times that penalty times the penalised response.
    """
    config = model.config.box
    offsets = response.regress(state.theta, state.shape, features)[0]
    across, down = offsets[2].clamp(-1, 1), offsets[3].clamp(-1, 1)
    change = torch.exp((across + down).abs() / 2 + (across - down).abs())  # of scale, times of ratio
    penalty = torch.exp(-config.size_penalty * (change - 1))
    best = values * penalty * _motion_map(model, state, side_px)
    row, column = divmod(int(best.argmax()), model.map_size)
    tx, ty = offsets[:2, row, column].tolist()
    w, h = state.size_px
    centre_cells = column + tx * model.cells(w, side_px), row + ty * model.cells(h, side_px)
    share = float(penalty[row, column])
    weight = min(max(config.size_weight * share * share * float(values[row, column]), 0.0), 1.0)
    size = (
        w * (1 + weight * (math.exp(float(across[row, column])) - 1)),
        h * (1 + weight * (math.exp(float(down[row, column])) - 1)),
    )
    return _to_px(model, state, centre_cells, side_px), size


def _to_px(model: Model, state: State, cell: Pair, side_px: float) -> Pair:
    """A place in feature cells of the searched patch as x, y in px of the frame."""
    middle, px_per_cell = (model.map_size - 1) / 2, model.spec.stride * side_px / model.patch_px
    return (
        state.centre_px[0] + (cell[0] - middle) * px_per_cell,
        state.centre_px[1] + (cell[1] - middle) * px_per_cell,
    )


def _peak(values: Tensor, subcell: bool) -> Pair:
    """Column and row of the maximum; `subcell` moves it to the top of a parabola along each axis."""
    row, column = divmod(int(values.argmax()), values.shape[1])
    if not subcell:
        return float(column), float(row)
    return column + _parabola(values[row], column), row + _parabola(values[:, column], row)


def _parabola(line: Tensor, index: int) -> float:
    if not 0 < index < len(line) - 1:
        return 0.0
    before, top, after = line[index - 1 : index + 2].tolist()
    curvature = before - 2 * top + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0
