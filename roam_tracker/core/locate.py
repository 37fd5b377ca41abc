"""From a response map to a box (section 4, Bounding Box Estimation), by pyramid or by box branch."""

import math

import torch
import torch.nn.functional as F
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


def resampled_box(
    model: Model, state: State, features: Tensor, values: Tensor, side_px: float
) -> tuple[Pair, Pair]:
    """Centre and size in px from one patch: its features (1, K, M, M), resampled, stand for other crops (Q).

    Candidates are larger and smaller, wider and higher than the target is believed to be. Each scores
    its peak minus `fit_weight` times the misfit of its map to the label; the top of the parabola
    through three candidates gives the change of size, and of aspect ratio.
    """
    config = model.config.box
    column, row = _peak(values * _motion_map(model, state, side_px), config.subcell)
    scale, ratio = math.log(max(config.scales)), math.log(config.stretch) / 2
    changes = [(0.0, 0.0), (-scale, -scale), (scale, scale)]
    if ratio > 0:
        changes += [(-ratio, ratio), (ratio, -ratio)]
    maps = response.respond(state.theta, state.shape, _resampled(features, (column, row), changes[1:]))
    maps = torch.cat([values[None], maps])
    w, h = state.size_px
    cells = torch.tensor([[model.cells(w, side_px), model.cells(h, side_px)]], device=model.device)
    at = torch.tensor([[column, row]], device=model.device)
    label = response.gaussian_labels(at, cells, model.map_size, model.config.model.label_alpha)
    top, left = max(round(row) - 1, 0), max(round(column) - 1, 0)
    peaks = maps[:, top : top + 3, left : left + 3].amax((1, 2))
    misfits = response.sample_losses(maps, label, "energy")
    scores: list[float] = (peaks - config.fit_weight * misfits).tolist()
    grown = config.size_weight * scale * _vertex(scores[1], scores[0], scores[2])
    stretched = config.stretch_weight * ratio * _vertex(scores[3], scores[0], scores[4]) if ratio > 0 else 0.0
    size = w * math.exp(grown + stretched), h * math.exp(grown - stretched)
    return _to_px(model, state, (column, row), side_px), size


def _resampled(features: Tensor, centre_cells: Pair, changes: list[Pair]) -> Tensor:
    """(n, K, M, M): around a centre, each cell's distance grown by the exponents of n changes in x and y."""
    side = features.shape[-1]
    cells = torch.arange(side, device=features.device, dtype=features.dtype)
    factors = torch.tensor(changes, device=features.device, dtype=features.dtype).exp()
    middle = torch.tensor(centre_cells, device=features.device, dtype=features.dtype)
    # (n, 2, M) positions in cells, then from -1 at the first cell's centre to 1 at the last one's
    positions = middle[None, :, None] + factors[:, :, None] * (cells - middle[:, None])
    positions = 2 * positions / (side - 1) - 1
    shape = (len(changes), side, side)
    grid = torch.stack(
        [positions[:, 0, None, :].expand(shape), positions[:, 1, :, None].expand(shape)], dim=3
    )
    return F.grid_sample(
        features.expand(len(changes), -1, -1, -1), grid, padding_mode="border", align_corners=True
    )


def _vertex(before: float, top: float, after: float) -> float:
    """Where between -1 and 1 the parabola through three scores has its top; an end where it has none."""
    curvature = before - 2 * top + after
    if curvature >= 0:
        return float(after > before) - float(after < before)
    return min(max(0.5 * (before - after) / curvature, -1.0), 1.0)


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
