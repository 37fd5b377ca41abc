"""The box head: a small network that corrects the box by what the target looked like in the first frame.

Not in the paper. It is trained offline, like the backbone, and is the same for every target: nothing of it
is updated while tracking. It compares the features around the found place with those of the first frame
and answers where the target's box lies. Its weights are `head.*` of a weights file.
"""

import math
from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.config import BoxConfig
from roam_tracker.errors import ConfigError, WeightsError

SIDE = 16  # cells of the windows that are compared
CHANNELS = 32
HIDDEN = 128
_EDGE = 2.0  # steepness of a box's edge in the mask, per cell
_LARGEST = 1.0  # of the logarithm of a side's change


def weight_shapes(channels: int) -> dict[str, tuple[int, ...]]:
    """The tensors of a head for features of so many channels, by name, with their shapes."""
    shapes = {
        "head.look": (CHANNELS, channels + 1, 3, 3),
        "head.compare": (CHANNELS, 3 * CHANNELS, 3, 3),
        "head.shrink": (CHANNELS, CHANNELS, 3, 3),
        "head.gather": (HIDDEN, CHANNELS * (SIDE // 4) ** 2),
        "head.answer": (4, HIDDEN),
    }
    return {
        f"{name}.{part}": shape if part == "weight" else shape[:1]
        for name, shape in shapes.items()
        for part in ("weight", "bias")
    }


def check(weights: Mapping[str, Tensor], channels: int, map_size: int) -> None:
    """Raise WeightsError for weights without a head for so many channels, ConfigError for too small a map."""
    for name, shape in weight_shapes(channels).items():
        if name not in weights or tuple(weights[name].shape) != shape:
            raise WeightsError(
                f"The weights of the box head have no {name} of shape {shape}. Use a head that was trained "
                "for this backbone, or set box.head to an empty text."
            )
    if map_size < SIDE:
        raise ConfigError(
            f"A box head needs a search region of at least {SIDE} cells along a side, this one has "
            f"{map_size}. Raise search.base_object_size, or set box.head to an empty text."
        )


def window(features: Tensor, places_cells: Tensor) -> tuple[Tensor, Tensor]:
    """Cut SIDE x SIDE cells around a place out of each feature map.

    features:     (n, K, M, M), M >= SIDE
    places_cells: (n, 2) x, y in feature cells from the centre of cell (0, 0)
    returns:      (n, K, SIDE, SIDE); (n, 2) the places in cells from the middle of the windows
    """
    n, channels, side, _ = features.shape
    first = (places_cells - (SIDE - 1) / 2).round().clamp(0, side - SIDE).long()
    along = torch.arange(SIDE, device=features.device)
    columns, rows = first[:, :1] + along, first[:, 1:] + along
    tall = features.gather(2, rows[:, None, :, None].expand(n, channels, SIDE, side))
    cut = tall.gather(3, columns[:, None, None, :].expand(n, channels, SIDE, SIDE))
    return cut, places_cells - first - (SIDE - 1) / 2


def look(weights: Mapping[str, Tensor], windows: Tensor, places_cells: Tensor, sizes_cells: Tensor) -> Tensor:
    """What the head makes of windows with a box in each.

    windows:      (n, K, SIDE, SIDE)
    places_cells: (n, 2) x, y of the box's centre in cells from the middle of the window
    sizes_cells:  (n, 2) w, h
    returns:      (n, CHANNELS, SIDE, SIDE)
    """
    cells = torch.arange(SIDE, device=windows.device, dtype=windows.dtype) - (SIDE - 1) / 2
    inside = torch.sigmoid(_EDGE * (sizes_cells[..., None] / 2 - (cells - places_cells[..., None]).abs()))
    mask = inside[:, None, 1, :, None] * inside[:, None, 0, None, :]
    seen = torch.cat([windows, mask], dim=1)
    return F.relu(F.conv2d(seen, weights["head.look.weight"], weights["head.look.bias"], padding=1))


def corrections(weights: Mapping[str, Tensor], first: Tensor, now: Tensor) -> Tensor:
    """How the boxes of `now` must change.

    first, now: (n, CHANNELS, SIDE, SIDE) from `look`, of the first frame and of the present one
    returns:    (n, 4) shift in x over the box's w, in y over its h; logarithms of the changes of w and h
    """

    def halved(maps: Tensor, name: str) -> Tensor:
        weight, bias = weights[f"head.{name}.weight"], weights[f"head.{name}.bias"]
        return F.relu(F.conv2d(maps, weight, bias, stride=2, padding=1))

    maps = halved(halved(torch.cat([first, now, first * now], dim=1), "compare"), "shrink")
    hidden = F.relu(F.linear(maps.flatten(1), weights["head.gather.weight"], weights["head.gather.bias"]))
    answer = F.linear(hidden, weights["head.answer.weight"], weights["head.answer.bias"])
    return torch.cat([answer[:, :2], answer[:, 2:].clamp(-_LARGEST, _LARGEST)], dim=1)


def followed(config: BoxConfig, answer: Sequence[float]) -> tuple[float, float, float, float]:
    """What is done of a head's answer: shifts over w and h, and factors of w and h."""
    right, down, wide, high = answer
    size, aspect = config.head_size * (wide + high) / 2, config.head_aspect * (wide - high) / 2
    place = config.head_place
    return place * right, place * down, math.exp(size + aspect), math.exp(size - aspect)
