"""The response model as pure functions of theta: response, label, losses (eqs. 1, 2, 6)."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core.theta import ThetaShape

Respond = Callable[[Tensor, ThetaShape, Tensor], Tensor]


def respond(theta: Tensor, shape: ThetaShape, features: Tensor) -> Tensor:
    """The response map R(F; theta): 1x1 reduction, then the response filter; no activation between.

    theta: (shape.count,); features: (n, K, M, M); returns (n, M, M)
    """
    reduction, reduction_bias, filters, bias = shape.split(theta)
    reduced = F.conv2d(features, reduction, reduction_bias)
    return F.conv2d(reduced, filters, bias, padding=(shape.height // 2, shape.width // 2))[:, 0]


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

    masked: cells that are off by 0.1 or more, weighted e^M, over their number plus 1
    energy: all cells, weighted e^M, over the label's own sum of squares; 2 means "nothing predicted"

    responses, labels: (n, M, M); returns (n,)
    """
    squared = (responses - labels) ** 2
    weighted = labels.exp() * squared
    if reduction == "masked":
        off = (squared.detach() >= 0.01).to(squared.dtype)
        return (weighted * off).sum((1, 2)) / (off.sum((1, 2)) + 1)
    if reduction == "energy":
        return weighted.sum((1, 2)) / (labels**2).sum((1, 2))
    raise ValueError(f"unknown loss {reduction!r}")


def update_loss(responses: Tensor, labels: Tensor, reduction: str, shares: Tensor | None = None) -> Tensor:
    """The update loss l of eq. (6): the mean of eq. (1) over n samples (a scalar).

    responses, labels: (n, M, M)
    shares: (n,) weights of the samples, 1 in all; None: each counts 1/n
    """
    losses = sample_losses(responses, labels, reduction)
    return losses.mean() if shares is None else losses @ shares


def loss_and_gradient(
    theta: Tensor,
    shape: ThetaShape,
    features: Tensor,
    labels: Tensor,
    reduction: str,
    shares: Tensor | None = None,
    respond: Respond = respond,
) -> tuple[Tensor, Tensor]:
    """l of eq. (6) and its gradient g of eq. (3), (shape.count,), both constants: no graph is kept."""
    with torch.enable_grad():
        point = theta.detach().requires_grad_()
        loss = update_loss(respond(point, shape, features), labels, reduction, shares)
        (gradient,) = torch.autograd.grad(loss, point)
    return loss.detach(), gradient
