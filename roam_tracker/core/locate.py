"""From response maps to a place and a size (section 4, Bounding Box Estimation)."""

import math

import torch
from torch import Tensor

from roam_tracker.core.config import BoxConfig
from roam_tracker.core.state import Pair


def motion_map(centre_cells: Pair, std_cells: float, like: Tensor) -> Tensor:
    """The Gaussian-like map of section 4 that suppresses large movement (J), (M, M).

    centre_cells: x, y of its top; like: a response map (M, M)
    """
    cells = torch.arange(like.shape[-1], device=like.device)
    across, down = (torch.exp(-0.5 * ((cells - middle) / std_cells) ** 2) for middle in centre_cells)
    return down[:, None] * across[None, :]


def peak(values: Tensor, subcell: bool) -> Pair:
    """Column and row of the maximum of a map (M, M).

    subcell: move it to the top of the parabola through its neighbours along each axis
    """
    row, column = divmod(int(values.argmax()), values.shape[1])
    if not subcell:
        return float(column), float(row)
    return column + _offset(values[row], column), row + _offset(values[:, column], row)


def second_peak(values: Tensor, at: int, size_cells: Pair) -> float:
    """The highest response (M, M) outside the surroundings of a peak, over that peak.

    at: the peak's place in the flattened map; its surroundings are 0.6 target sides along both axes
    """
    row, column = divmod(at, values.shape[1])
    across, down = (math.ceil(0.6 * length) for length in size_cells)
    others = values.clone()
    others[max(0, row - down) : row + down + 1, max(0, column - across) : column + across + 1] = 0
    return float(others.amax()) / max(float(values[row, column]), 1e-6)


def pyramid_scales(config: BoxConfig) -> list[float]:
    """The scales of the crops that the size is read from, the believed one first."""
    return [1.0, *sorted(scale for scale in config.scales if scale != 1)]


def growth(config: BoxConfig, peaks: Tensor) -> float:
    """The new size over the believed one, from the peaks (n,) of the response at `pyramid_scales` (I, R).

    best:     towards the scale with the highest peak
    parabola: towards the top of the parabola through the peaks of three scales
    """
    scales = pyramid_scales(config)
    if config.estimate == "best":
        return 1 + config.size_weight * (scales[int(peaks.argmax())] - 1)
    believed, lower, higher = peaks.tolist()
    return math.exp(config.size_weight * vertex(lower, believed, higher) * math.log(scales[-1]))


def vertex(before: float, top: float, after: float) -> float:
    """Where between -1 and 1 the parabola through three scores has its top; an end where it has none."""
    curvature = before - 2 * top + after
    if curvature >= 0:
        return float(after > before) - float(after < before)
    return min(max(0.5 * (before - after) / curvature, -1.0), 1.0)


def _offset(line: Tensor, index: int) -> float:
    """How far the top of the parabola through three neighbours lies from the middle one; 0 at an end."""
    if not 0 < index < len(line) - 1:
        return 0.0
    before, top, after = line[index - 1 : index + 2].tolist()
    curvature = before - 2 * top + after
    return 0.5 * (before - after) / curvature if curvature < 0 else 0.0
