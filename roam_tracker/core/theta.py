"""One flat parameter vector theta: where its groups lie, and how it is fitted to a target (sections 3.3, 5).

theta lists, in this order, the four groups of the response branch
    0  reduction weight  (C, K, 1, 1)      K feature channels -> C reduced channels
    1  reduction bias    (C,)
    2  response filter   (1, C, h, w)      h x w follows the target's size, both odd
    3  response bias     (1,)
and, for a model with a box branch, the same four (4-7) with a box filter (4, C, h, w).
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Branch = tuple[Tensor, Tensor, Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class ThetaShape:
    """Where the groups lie in theta."""

    channels: int
    reduced: int
    height: int
    width: int
    box: bool = False
    applied: tuple[int, int] | None = None  # (h, w) to which filters are resized in every forward pass

    @property
    def group_sizes(self) -> tuple[int, ...]:
        """Coordinates of each group, 4 or 8 groups."""
        area = self.reduced * self.height * self.width
        response = (self.channels * self.reduced, self.reduced, area, 1)
        return (*response, *response[:2], 4 * area, 4) if self.box else response

    @property
    def count(self) -> int:
        """All coordinates, |theta|."""
        return sum(self.group_sizes)

    def groups(self, device: torch.device | str = "cpu") -> Tensor:
        """(count,) int64: the group, from 0, of each coordinate."""
        sizes = enumerate(self.group_sizes)
        return torch.cat([torch.full((size,), number, device=device) for number, size in sizes])

    def split(self, theta: Tensor) -> Branch:
        """The response branch as convolution weights and biases (views of theta)."""
        return self.branches(theta)[0]

    def branches(self, theta: Tensor) -> list[Branch]:
        """The response branch, and the box branch where there is one, of theta (..., count)."""
        parts = theta.split(self.group_sizes, dim=-1)
        return [
            (
                reduction.unflatten(-1, (self.reduced, self.channels, 1, 1)),
                reduction_bias,
                filters.unflatten(-1, (-1, self.reduced, self.height, self.width)),
                bias,
            )
            for reduction, reduction_bias, filters, bias in (
                parts[k : k + 4] for k in range(0, len(parts), 4)
            )
        ]


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
    return torch.cat(
        [
            part.flatten()
            for reduction, reduction_bias, filters, bias in canonical.branches(theta)
            for part in (reduction, reduction_bias, resize_filter(filters, size) * gain, bias)
        ]
    )


def resize_filter(filters: Tensor, size: tuple[int, int]) -> Tensor:
    """Filters (n, C, h, w) at another size; bilinear with aligned corners."""
    return F.interpolate(filters, size=size, mode="bilinear", align_corners=True)
