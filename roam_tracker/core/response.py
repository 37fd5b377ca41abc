"""The response model as pure functions of one flat parameter vector theta (eqs. 1, 2, 6).

theta lists, in this order, the four groups of the response branch
    0  reduction weight  (C, K, 1, 1)      K feature channels -> C reduced channels
    1  reduction bias    (C,)
    2  response filter   (1, C, h, w)      h x w follows the target's size, both odd
    3  response bias     (1,)
and, for a model with a box branch, the same four (4-7) with a box filter (4, C, h, w).
"""

import math
from collections.abc import Sequence
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
        sizes = torch.tensor(self.group_sizes, device=device)
        return torch.repeat_interleave(torch.arange(len(sizes), device=device), sizes)

    def split(self, theta: Tensor) -> Branch:
        """The response branch as convolution weights and biases (views of theta)."""
        return self.branches(theta)[0]

    def branches(self, theta: Tensor) -> list[Branch]:
        """The response branch, and the box branch where there is one."""
        parts = theta.split(self.group_sizes)
        return [
            (
                reduction.view(self.reduced, self.channels, 1, 1),
                reduction_bias,
                filters.view(-1, self.reduced, self.height, self.width),
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
            for part in (reduction, reduction_bias, _resize_filter(filters, size) * gain, bias)
        ]
    )


def _resize_filter(filters: Tensor, size: tuple[int, int]) -> Tensor:
    return F.interpolate(filters, size=size, mode="bilinear", align_corners=True)


@dataclass(frozen=True, slots=True)
class Spectra:
    """Features in the Fourier domain, from `transform`."""

    values: Tensor  # (n, K + 1, P, Q) complex; the last map is that of ones, for the reduction's bias
    period: list[int]  # P and the width of which Q is the half
    side: int  # M


def transform(features: Tensor, shape: ThetaShape) -> Tensor | Spectra:
    """Features (n, K, M, M) in the form in which `respond` is quickest when it is asked again and again.

    Reduction and filter, with no activation between, are one filter of K channels, whose gradient costs
    no transform of a sample. With many features it would cost more.
    """
    if shape.box or shape.applied is not None or shape.channels > 2 * shape.reduced:
        return features
    period = _period(features.shape[-1], (shape.height, shape.width))
    maps = torch.cat([features, torch.ones_like(features[:, :1])], dim=1).contiguous()
    return Spectra(torch.fft.rfft2(maps, s=period), period, features.shape[-1])


def respond(theta: Tensor, shape: ThetaShape, features: Tensor | Spectra) -> Tensor:
    """The response map R(F; theta): 1x1 reduction, then the response filter; no activation between.

    features: (n, K, M, M), or what `transform` made of them; returns (n, M, M)
    """
    if isinstance(features, Spectra):
        reduction, reduction_bias, filters, bias = shape.split(theta)
        both = torch.cat([reduction.flatten(1), reduction_bias[:, None]], dim=1)  # (C, K + 1)
        combined = (both.t() @ filters.view(shape.reduced, -1)).view(1, -1, shape.height, shape.width)
        return _correlate_spectra(features.values, combined, features.period, features.side)[:, 0] + bias
    return _forward(shape.split(theta), shape, features)[:, 0]


def regress(theta: Tensor, shape: ThetaShape, features: Tensor) -> Tensor:
    """The box branch: from each cell the box (tx, ty, tw, th) relative to the cell's anchor.

    features: (n, K, M, M); returns (n, 4, M, M), see `box_targets`
    """
    return _forward(shape.branches(theta)[1], shape, features)


def _forward(branch: Branch, shape: ThetaShape, features: Tensor) -> Tensor:
    reduction, reduction_bias, filters, bias = branch
    if shape.applied is not None:
        filters = _resize_filter(filters, shape.applied)
    reduced = F.conv2d(features, reduction, reduction_bias)
    return correlate(reduced, filters) + bias[:, None, None]


def correlate(maps: Tensor, filters: Tensor) -> Tensor:
    """The second layer's convolution, `correlate_directly` through the Fourier domain.

    Filters are as large as the target, up to the whole map: direct convolutions and above all their
    gradients cost 5 to 50 times as much on a CPU.
    """
    side, period = maps.shape[-1], _period(maps.shape[-1], filters.shape[-2:])
    return _correlate_spectra(torch.fft.rfft2(maps, s=period), filters, period, side)


def _period(side: int, size: Sequence[int]) -> list[int]:
    """Half a filter of zeros keeps the correlation from wrapping round; FFTs like factors of 4."""
    return [4 * math.ceil((side + reach // 2) / 4) for reach in size]


def _correlate_spectra(spectra: Tensor, filters: Tensor, period: list[int], side: int) -> Tensor:
    products = spectra[:, None] * torch.fft.rfft2(filters, s=period).conj()
    response = torch.fft.irfft2(products.sum(2), s=period)
    return response.roll((filters.shape[-2] // 2, filters.shape[-1] // 2), (2, 3))[..., :side, :side]


def correlate_directly(maps: Tensor, filters: Tensor) -> Tensor:
    """What `correlate` computes, as one convolution with zero padding.

    maps: (n, C, M, M); filters: (O, C, h, w), h and w odd, at most M + 1; returns (n, O, M, M)
    """
    return F.conv2d(maps, filters, padding=(filters.shape[-2] // 2, filters.shape[-1] // 2))


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


@dataclass(frozen=True, slots=True)
class BoxTargets:
    """What the box branch learns from n samples."""

    boxes: Tensor  # (n, 4, M, M), see `box_targets`
    positive: Tensor  # (n, M, M) bool, the cells that learn


def box_targets(
    centres_cells: Tensor, sizes_cells: Tensor, anchors_cells: Tensor, map_size: int, positives: int
) -> BoxTargets:
    """Targets (tx, ty, tw, th) of every cell: offset over the anchor's side, log of side over anchor's.

    Each cell has one anchor around it, of the size the tracker believed in when it cropped. The
    `positives` cells whose anchors overlap the target most learn.

    centres_cells, sizes_cells, anchors_cells: (n, 2) x, y or w, h in feature cells
    """
    cells = torch.arange(map_size, device=centres_cells.device, dtype=centres_cells.dtype)
    across = (centres_cells[:, :1] - cells) / anchors_cells[:, :1]  # (n, M)
    down = (centres_cells[:, 1:] - cells) / anchors_cells[:, 1:]
    logs = torch.log(sizes_cells / anchors_cells)
    shape = (-1, map_size, map_size)
    boxes = torch.stack(
        [
            across[:, None, :].expand(shape),
            down[:, :, None].expand(shape),
            logs[:, :1, None].expand(shape),
            logs[:, 1:, None].expand(shape),
        ],
        dim=1,
    )
    sides = [
        # intervals of lengths a and s with centres |t| a apart share (a + s)/2 - |t| a, at most the shorter
        ((a + s) / 2 - t.abs() * a).clamp(min=0).minimum(torch.minimum(a, s))
        for t, a, s in (
            (across, anchors_cells[:, :1], sizes_cells[:, :1]),
            (down, anchors_cells[:, 1:], sizes_cells[:, 1:]),
        )
    ]
    shared = sides[1][:, :, None] * sides[0][:, None, :]
    union = (anchors_cells.prod(1) + sizes_cells.prod(1))[:, None, None] - shared
    best = (shared / union).flatten(1).topk(min(positives, map_size**2), dim=1).indices
    positive = torch.zeros(len(best), map_size**2, dtype=torch.bool, device=best.device)
    return BoxTargets(boxes, positive.scatter_(1, best, True).view(shape))


def update_loss(
    theta: Tensor,
    shape: ThetaShape,
    features: Tensor | Spectra,
    labels: Tensor,
    reduction: str,
    boxes: BoxTargets | None = None,
) -> Tensor:
    """The update loss l of eq. (6): the mean of eq. (1) over n samples (a scalar).

    With `boxes` the box branch adds its smooth L1 loss, summed over the four numbers and averaged
    over the positive cells.
    """
    loss = sample_losses(respond(theta, shape, features), labels, reduction).mean()
    if boxes is None or isinstance(features, Spectra):  # which are not made for a model with boxes
        return loss
    off = F.smooth_l1_loss(regress(theta, shape, features), boxes.boxes, reduction="none").sum(1)
    return loss + (off * boxes.positive).sum() / boxes.positive.sum()


def loss_and_gradient(
    theta: Tensor,
    shape: ThetaShape,
    features: Tensor | Spectra,
    labels: Tensor,
    reduction: str,
    boxes: BoxTargets | None = None,
) -> tuple[Tensor, Tensor]:
    """l of eq. (6) and its gradient g of eq. (3), both constants (no graph is kept)."""
    with torch.enable_grad():
        point = theta.detach().requires_grad_()
        loss = update_loss(point, shape, features, labels, reduction, boxes)
        (gradient,) = torch.autograd.grad(loss, point)
    return loss.detach(), gradient
