"""From a response map to a box (section 4, Bounding Box Estimation)."""

import math

import torch
from torch import Tensor

from roam_tracker.core.model import Model
from roam_tracker.core.state import Pair, State


def motion_map(model: Model, state: State, region: float) -> Tensor:
    """The Gaussian-like map of section 4 that suppresses large movement (J), (M, M)."""
    w, h = state.size_px
    cells = torch.arange(model.map_size, device=model.device) - (model.map_size - 1) / 2
    one = torch.exp(
        -0.5 * (cells / (model.config.box.motion_sigma * model.cells(math.sqrt(w * h), region))) ** 2
    )
    return one[:, None] * one[None, :]


def pyramid_box(
    model: Model, state: State, frame: Tensor, values: Tensor, region: float
) -> tuple[Pair, Pair]:
    """Centre and size in px: the peak under the motion map, then what the crops around it say of the size."""
    config = model.config.box
    centre = _to_px(model, state, _peak(values * motion_map(model, state, region), config.subcell), region)
    share = model.pyramid_px / model.patch_px  # one scale of pixels in both patches
    sides = [region * scale * share for scale in _scales(model)]
    features = model.features(frame, centre, sides, model.pyramid_px)
    maps = model.respond(state, model.transformed(features, state.shape))
    return centre, _new_size(model, state, maps.amax((1, 2)))


def is_ambiguous(model: Model, state: State, values: Tensor, region: float) -> bool:
    """Whether the response map (M, M) has a second peak so high that the frame is no sample."""
    share = model.config.update.ambiguity
    if share == 1:
        return False
    masked = values * motion_map(model, state, region)
    cells = model.cells(state.size_px[0], region), model.cells(state.size_px[1], region)
    return second_peak(values, int(masked.argmax()), cells) > share


def second_peak(values: Tensor, at: int, size_cells: Pair) -> float:
    """The highest response (M, M) outside the surroundings of a peak, over that peak.

    at: the peak's place in the flattened map; its surroundings are 0.6 target sides along both axes
    """
    row, column = divmod(at, values.shape[1])
    across, down = (math.ceil(0.6 * length) for length in size_cells)
    others = values.clone()
    others[max(0, row - down) : row + down + 1, max(0, column - across) : column + across + 1] = 0
    return float(others.amax()) / max(float(values[row, column]), 1e-6)


def _scales(model: Model) -> list[float]:
    """The scales whose crops the size is read from, the believed one first."""
    return [1.0, *sorted(scale for scale in model.config.box.scales if scale != 1)]


def _new_size(model: Model, state: State, peaks: Tensor) -> Pair:
    """Width and height in px, moved towards what the peaks (n,) at the scales say.

    best:     the scale with the highest peak
    parabola: the top of the parabola through the peaks of three scales
    """
    config, (w, h) = model.config.box, state.size_px
    if config.estimate == "best":
        growth = 1 + config.size_weight * (_scales(model)[int(peaks.argmax())] - 1)
    else:
        top, lower, higher = peaks.tolist()
        growth = math.exp(config.size_weight * vertex(lower, top, higher) * math.log(max(config.scales)))
    return w * growth, h * growth


def vertex(before: float, top: float, after: float) -> float:
    """Where between -1 and 1 the parabola through three scores has its top; an end where it has none."""
    curvature = before - 2 * top + after
    if curvature >= 0:
        return float(after > before) - float(after < before)
    return min(max(0.5 * (before - after) / curvature, -1.0), 1.0)


def _to_px(model: Model, state: State, cell: Pair, region: float) -> Pair:
    """A place in feature cells of the searched patch as x, y in px of the frame."""
    middle, px_per_px = (model.map_size - 1) / 2, model.spec.stride / model.patch_px
    return (
        state.centre_px[0] + (cell[0] - middle) * px_per_px * region,
        state.centre_px[1] + (cell[1] - middle) * px_per_px * region,
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
