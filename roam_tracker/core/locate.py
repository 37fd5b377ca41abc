"""From a response map to a box (section 4, Bounding Box Estimation), by pyramid or by box branch."""

import math

import torch
from torch import Tensor

from roam_tracker.core import response, scale
from roam_tracker.core.model import Model
from roam_tracker.core.state import Pair, State


def search_region(model: Model, state: State) -> Pair:
    """Width and height in px of the search region.

    A square (section 5), but for a tracker that estimates width and height apart: there it is stretched
    as the target is since the first frame, so that the target fills the same cells.
    """
    side = model.region_side(state.size_px)
    if model.config.box.stretch == 1:
        return side, side
    stretch = math.sqrt(state.size_px[0] / state.size_px[1] / state.first_ratio)
    return side * stretch, side / stretch


def _motion_map(model: Model, state: State, region: Pair) -> Tensor:
    """The Gaussian-like map of section 4 that suppresses large movement (J), (M, M)."""
    config, (w, h) = model.config.box, state.size_px
    sigma = config.loose_sigma if state.drifting else config.motion_sigma
    cells = torch.arange(model.map_size, device=model.device) - (model.map_size - 1) / 2
    one = torch.exp(
        -0.5 * (cells / (sigma * model.cells(math.sqrt(w * h), math.sqrt(region[0] * region[1])))) ** 2
    )
    return one[:, None] * one[None, :]


def pyramid_box(model: Model, state: State, frame: Tensor, values: Tensor, region: Pair) -> tuple[Pair, Pair]:
    """Centre and size in px: the peak under the motion map, then what the crops around it say of the size."""
    centre = _to_px(
        model, state, _peak(values * _motion_map(model, state, region), model.config.box.subcell), region
    )
    if model.config.box.filter_share == 1:
        return centre, filtered_size(model, state, frame, centre, state.size_px)
    share = model.pyramid_px / model.patch_px  # one scale of pixels in both patches
    sides = [(across * share, down * share) for across, down in candidate_sides(model, state, region)]
    features = model.features(frame, centre, sides, model.pyramid_px)
    maps = model.respond(state, model.transformed(features, state.shape))
    size = _new_size(model, state, maps, maps, region)
    return centre, size if state.scale is None else filtered_size(model, state, frame, centre, size)


def filtered_size(model: Model, state: State, frame: Tensor, centre: Pair, size: Pair) -> Pair:
    """`size`, of the pyramid, and that of the scale filter, as a geometric mean by `filter_share`."""
    config, (w, h) = model.config.box, state.size_px
    assert state.scale is not None
    seen = scale.columns(frame, centre, state.size_px, config, model.spec)
    share, factor = config.filter_share, float(scale.best_factor(state.scale, seen, config))
    blended = [a ** (1 - share) * (b * factor) ** share for a, b in zip(size, (w, h), strict=True)]
    return blended[0], blended[1]


def learned_scale(model: Model, state: State, frame: Tensor) -> scale.ScaleFilter:
    """The scale filter after it has learned from the state's box in the frame."""
    seen = scale.columns(frame, state.centre_px, state.size_px, model.config.box, model.spec)
    return scale.learn(state.scale, seen, model.config.box)


def is_ambiguous(model: Model, state: State, values: Tensor, region: Pair) -> bool:
    """Whether the response map (M, M) has a second peak so high that the frame is no sample."""
    share = model.config.update.ambiguity
    if share == 1:
        return False
    masked = values * _motion_map(model, state, region)
    cells = model.cells(state.size_px[0], region[0]), model.cells(state.size_px[1], region[1])
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


def joint_box(model: Model, state: State, maps: Tensor, region: Pair) -> tuple[Pair, Pair]:
    """Centre and size in px from the maps (n, M, M) of all candidates, cropped around the old centre (Q)."""
    config, sides = model.config.box, candidate_sides(model, state, region)
    masked = maps * torch.stack([_motion_map(model, state, side) for side in sides])
    best = int(masked.amax((1, 2)).argmax()) if config.estimate == "best" else 0
    centre = _to_px(model, state, _peak(masked[best], config.subcell), sides[best])
    return centre, _new_size(model, state, maps, masked, region)


def candidate_sides(model: Model, state: State, region: Pair) -> list[Pair]:
    """Sides in px of the crops that the size is read from: the search region itself, then its changes."""
    return [(region[0] * math.exp(x), region[1] * math.exp(y)) for x, y in _changes(model, state)]


def _changes(model: Model, state: State) -> list[Pair]:
    """Logarithms of width and height of the candidates over the believed ones; the first are 0.

    With a stretch the pyramid's scales and the wider and higher candidates take turns, frame by frame.
    """
    config = model.config.box
    ratio = math.log(config.stretch) / 2
    if ratio > 0 and state.frames % 2 == 1:
        return [(0.0, 0.0), (-ratio, ratio), (ratio, -ratio)]
    return [(0.0, 0.0), *((math.log(scale),) * 2 for scale in sorted(config.scales) if scale != 1)]


def _new_size(model: Model, state: State, maps: Tensor, masked: Tensor, region: Pair) -> Pair:
    """Width and height in px, moved towards what the candidates' maps (n, M, M) say.

    best:     the candidate with the highest peak
    parabola: the top of the parabola through the scores of three candidates; a score is the peak minus
              `fit_weight` times the misfit to the label around it
    """
    config, changes = model.config.box, _changes(model, state)
    w, h = state.size_px
    if config.estimate == "best":
        x, y = changes[int(masked.amax((1, 2)).argmax())]
        weight = config.size_weight
        return w * (1 + weight * (math.exp(x) - 1)), h * (1 + weight * (math.exp(y) - 1))
    at = masked.flatten(1).argmax(1)
    scores = maps.flatten(1).gather(1, at[:, None])[:, 0]
    if config.fit_weight > 0:
        scores = scores - config.fit_weight * _misfits(model, maps, at, (w, h), region)
    score, lower, higher = scores.tolist()
    top = config.size_weight * _vertex(lower, score, higher)
    x, y = changes[2]
    return w * math.exp(top * x), h * math.exp(top * y)


def _misfits(model: Model, maps: Tensor, at: Tensor, size_px: Pair, region: Pair) -> Tensor:
    """How far each map (n, M, M) is from the label around its peak, at `at` in the flattened map; (n,)."""
    side = maps.shape[-1]
    centres = torch.stack([at % side, at // side], dim=1).to(maps.dtype)
    (w, h), alpha = size_px, model.config.model.label_alpha
    cells = torch.tensor([[model.cells(w, region[0]), model.cells(h, region[1])]], device=model.device)
    labels = response.gaussian_labels(centres, cells, side, alpha)
    near = labels > math.exp(-alpha)  # within one width and height of the peak
    return response.sample_losses(torch.where(near, maps, labels), labels, "energy")


def _vertex(before: float, top: float, after: float) -> float:
    """Where between -1 and 1 the parabola through three scores has its top; an end where it has none."""
    curvature = before - 2 * top + after
    if curvature >= 0:
        return float(after > before) - float(after < before)
    return min(max(0.5 * (before - after) / curvature, -1.0), 1.0)


def regressed_box(
    model: Model, state: State, features: Tensor, values: Tensor, region: Pair
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
    best = values * penalty * _motion_map(model, state, region)
    row, column = divmod(int(best.argmax()), model.map_size)
    tx, ty = offsets[:2, row, column].tolist()
    w, h = state.size_px
    centre_cells = column + tx * model.cells(w, region[0]), row + ty * model.cells(h, region[1])
    share = float(penalty[row, column])
    weight = min(max(config.size_weight * share * share * float(values[row, column]), 0.0), 1.0)
    size = (
        w * (1 + weight * (math.exp(float(across[row, column])) - 1)),
        h * (1 + weight * (math.exp(float(down[row, column])) - 1)),
    )
    return _to_px(model, state, centre_cells, region), size


def _to_px(model: Model, state: State, cell: Pair, region: Pair) -> Pair:
    """A place in feature cells of the searched patch as x, y in px of the frame."""
    middle, px_per_px = (model.map_size - 1) / 2, model.spec.stride / model.patch_px
    return (
        state.centre_px[0] + (cell[0] - middle) * px_per_px * region[0],
        state.centre_px[1] + (cell[1] - middle) * px_per_px * region[1],
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
