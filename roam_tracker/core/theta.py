"""One flat parameter vector theta: where its groups lie, and how it is fitted to a target (sections 3.3, 5).

theta lists, in this order, four groups
    0  reduction weight  (C, K, 1, 1)      K feature channels -> C reduced channels
    1  reduction bias    (C,)
    2  response filter   (1, C, h, w)      h x w follows the target's size, both odd
    3  response bias     (1,)
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import TrackerConfig

Parts = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class ThetaShape:
    """Where the groups lie in theta."""

    channels: int
    reduced: int
    height: int
    width: int

    @property
    def group_sizes(self) -> tuple[int, int, int, int]:
        """Coordinates of each group."""
        return self.channels * self.reduced, self.reduced, self.reduced * self.height * self.width, 1

    @property
    def count(self) -> int:
        """All coordinates, |theta|."""
        return sum(self.group_sizes)

    def groups(self, device: torch.device | str = "cpu") -> Tensor:
        """(count,) int64: the group, from 0, of each coordinate."""
        sizes = enumerate(self.group_sizes)
        return torch.cat([torch.full((size,), number, device=device) for number, size in sizes])

    def split(self, theta: Tensor) -> Parts:
        """The groups of theta (..., count) as convolution weights and biases (views of theta)."""
        reduction, reduction_bias, filters, bias = theta.split(self.group_sizes, dim=-1)
        return (
            reduction.unflatten(-1, (self.reduced, self.channels, 1, 1)),
            reduction_bias,
            filters.unflatten(-1, (1, self.reduced, self.height, self.width)),
            bias,
        )


def canonical_shape(config: TrackerConfig) -> ThetaShape:
    """The shape of theta(0) and lambda(0) as they are stored."""
    model = config.model
    channels = backbone_spec(model.backbone).channels
    return ThetaShape(channels, model.reduced_channels, model.filter_height, model.filter_width)


def filter_size(size_cells: tuple[float, float], factor: float, limit: int) -> tuple[int, int]:
    """Height and width of the response filter for a target (odd, between 3 and `limit` cells).

    size_cells: (w, h) of the target in feature cells. A factor of 1 gives the canonical 19 x 13
    for a target 12 cells wide and 18 high (choice B).
    """
    largest = limit if limit % 2 == 1 else limit - 1
    width, height = (min(max(2 * math.ceil(factor * side / 2) + 1, 3), largest) for side in size_cells)
    return height, width


def resize(theta: Tensor, canonical: ThetaShape, shape: ThetaShape, *, keep_gain: bool) -> Tensor:
    """Resize the response filter inside theta(0) or lambda(0) to a target's size (sections 3.3, 5).

    theta: (canonical.count,); returns (shape.count,). Bilinear with aligned corners; the gradient
    reaches `theta`. With `keep_gain` the filter is divided by the growth of its area, so that the
    response to a uniform target keeps its size.
    """
    if (canonical.height, canonical.width) == (shape.height, shape.width):
        return theta
    size = (shape.height, shape.width)
    gain = canonical.height * canonical.width / (shape.height * shape.width) if keep_gain else 1.0
    reduction, reduction_bias, filters, bias = canonical.split(theta)
    resized = F.interpolate(filters, size=size, mode="bilinear", align_corners=True) * gain
    return torch.cat([reduction.flatten(), reduction_bias, resized.flatten(), bias])


@dataclass(frozen=True, slots=True)
class Start:
    """theta(0) and lambda(0) resized to a target (N)."""

    theta: Tensor  # (shape.count,)
    rates: Tensor
    shape: ThetaShape
    constant: Tensor | None  # learned update rates, where the weights have some


def start_parameters(
    config: TrackerConfig, weights: Mapping[str, Tensor], size_cells: tuple[float, float], map_size: int
) -> Start:
    """theta(0) and lambda(0) for a target of (w, h) cells; used by tracking and by training."""
    model, canonical = config.model, canonical_shape(config)
    height, width = filter_size(size_cells, model.filter_factor, map_size)
    shape = replace(canonical, height=height, width=width)
    constant = weights.get("update_rates")
    return Start(
        resize(weights["theta0"], canonical, shape, keep_gain=model.keep_gain),
        resize(weights["lambda0"], canonical, shape, keep_gain=False),
        shape,
        None if constant is None else resize(constant, canonical, shape, keep_gain=False),
    )
