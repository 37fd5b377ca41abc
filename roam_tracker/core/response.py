"""The response model as pure functions of one flat parameter vector theta (eqs. 1, 2, 6).

theta lists, in this order, the four groups
    0  reduction weight  (C, K, 1, 1)      K feature channels -> C reduced channels
    1  reduction bias    (C,)
    2  response filter   (1, C, h, w)      h x w follows the target's size, both odd
    3  response bias     (1,)
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

GROUPS = ("reduction weight", "reduction bias", "response filter", "response bias")


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
        """(count,) int64: the group, 0 to 3, of each coordinate."""
        sizes = torch.tensor(self.group_sizes, device=device)
        return torch.repeat_interleave(torch.arange(4, device=device), sizes)

    def split(self, theta: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """The four groups as convolution weights and biases (views of theta)."""
        reduction, reduction_bias, filters, bias = theta.split(self.group_sizes)
        return (
            reduction.view(self.reduced, self.channels, 1, 1),
            reduction_bias,
            filters.view(1, self.reduced, self.height, self.width),
            bias,
        )


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
    reduction, reduction_bias, filters, bias = canonical.split(theta)
    if (canonical.height, canonical.width) != (shape.height, shape.width):
        size = (shape.height, shape.width)
        filters = F.interpolate(filters, size=size, mode="bilinear", align_corners=True)
        if keep_gain:
            filters = filters * (canonical.height * canonical.width / (shape.height * shape.width))
    return torch.cat([reduction.flatten(), reduction_bias, filters.flatten(), bias])


def respond(theta: Tensor, shape: ThetaShape, features: Tensor) -> Tensor:
    """The response map R(F; theta): 1x1 reduction, then the response filter; no activation between.

    features: (n, K, M, M); returns (n, M, M)
    """
    reduction, reduction_bias, filters, bias = shape.split(theta)
    return correlate(F.conv2d(features, reduction, reduction_bias), filters) + bias


def correlate(maps: Tensor, filters: Tensor) -> Tensor:
    """The response filter's convolution, `correlate_directly` through the Fourier domain.

    Filters are as large as the target, up to the whole map: direct convolutions and above all their
    gradients cost 5 to 50 times as much on a CPU.
    """
    side, (height, width) = maps.shape[-1], filters.shape[-2:]
    # half a filter of zeros keeps the circular correlation from wrapping round; FFTs like factors of 4
    period = [4 * math.ceil((side + reach // 2) / 4) for reach in (height, width)]
    spectrum = torch.fft.rfft2(maps, s=period) * torch.fft.rfft2(filters, s=period).conj()
    response = torch.fft.irfft2(spectrum.sum(1), s=period)
    return response.roll((height // 2, width // 2), (1, 2))[:, :side, :side]


def correlate_directly(maps: Tensor, filters: Tensor) -> Tensor:
    """What `correlate` computes, as one convolution with zero padding.

    maps: (n, C, M, M); filters: (1, C, h, w), h and w odd, at most M + 1; returns (n, M, M)
    """
    padding = filters.shape[-2] // 2, filters.shape[-1] // 2
    return F.conv2d(maps, filters, padding=padding)[:, 0]


def gaussian_labels(centres_cells: Tensor, sizes_cells: Tensor, map_size: int, alpha: float) -> Tensor:
    """Label maps of eq. (2): exp(-alpha * ((x-x0)^2/sx^2 + (y-y0)^2/sy^2)).

    centres_cells: (n, 2) x0, y0 in feature cells from the centre of cell (0, 0)
    sizes_cells:   (n, 2) sx, sy = target's w, h over the stride
    returns:       (n, M, M) in (0, 1], rows are y
    """
    cells = torch.arange(map_size, device=centres_cells.device, dtype=centres_cells.dtype)
    across = (cells[None, :] - centres_cells[:, :1]) / sizes_cells[:, :1]
    down = (cells[None, :] - centres_cells[:, 1:]) / sizes_cells[:, 1:]
    return torch.exp(-alpha * (down[:, :, None] ** 2 + across[:, None, :] ** 2))


def sample_losses(responses: Tensor, labels: Tensor, reduction: str) -> Tensor:
    """||R - M||^2 of eq. (1) for each sample; the paper leaves open what it sums and divides by (F).

    sum, mean: over the cells
    masked:    cells that are off by 0.1 or more, weighted e^M, over their number plus 1
    energy:    all cells, weighted e^M, over the label's own sum of squares; 2 means "nothing predicted"

    responses, labels: (n, M, M); returns (n,)
    """
    squared = (responses - labels) ** 2
    if reduction == "sum":
        return squared.sum((1, 2))
    if reduction == "mean":
        return squared.mean((1, 2))
    weighted = labels.exp() * squared
    if reduction == "masked":
        off = (squared.detach() >= 0.01).to(squared.dtype)
        return (weighted * off).sum((1, 2)) / (off.sum((1, 2)) + 1)
    if reduction == "energy":
        return weighted.sum((1, 2)) / (labels**2).sum((1, 2))
    raise ValueError(f"unknown loss {reduction!r}")


def update_loss(theta: Tensor, shape: ThetaShape, features: Tensor, labels: Tensor, reduction: str) -> Tensor:
    """The update loss l of eq. (6): the mean of eq. (1) over n samples (a scalar)."""
    return sample_losses(respond(theta, shape, features), labels, reduction).mean()


def loss_and_gradient(
    theta: Tensor, shape: ThetaShape, features: Tensor, labels: Tensor, reduction: str
) -> tuple[Tensor, Tensor]:
    """l of eq. (6) and its gradient g of eq. (3), both constants (no graph is kept)."""
    with torch.enable_grad():
        point = theta.detach().requires_grad_()
        loss = update_loss(point, shape, features, labels, reduction)
        (gradient,) = torch.autograd.grad(loss, point)
    return loss.detach(), gradient
