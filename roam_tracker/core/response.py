"""The response model as pure functions of theta: response, label, losses (eqs. 1, 2, 6).

Features come as they are, (n, K, M, M), or as `fourier.transform` makes them; then the same numbers
are found faster.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core import fourier
from roam_tracker.core.fourier import Spectra
from roam_tracker.core.theta import ThetaShape


def respond(theta: Tensor, shape: ThetaShape, features: Tensor | Spectra) -> Tensor:
    """The response map R(F; theta): 1x1 reduction, then the response filter; no activation between.

    features: (n, K, M, M), or what `fourier.transform` made of them; returns (n, M, M)
    """
    if isinstance(features, Spectra):
        return fourier.respond(fourier.prepare(theta, shape, features.side), features)
    reduction, reduction_bias, filters, bias = shape.split(theta)
    reduced = F.conv2d(features, reduction, reduction_bias)
    return (fourier.correlate(reduced, filters) + bias[:, None, None])[:, 0]


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

    masked:    cells that are off by 0.1 or more, weighted e^M, over their number plus 1
    energy:    all cells, weighted e^M, over the label's own sum of squares; 2 means "nothing predicted"

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


def slopes(responses: Tensor, labels: Tensor, reduction: str) -> Tensor:
    """The derivative (n, M, M) of each of `sample_losses` in its response."""
    double = 2 * (responses - labels)
    weighted = labels.exp() * double
    if reduction == "masked":
        off = ((responses - labels) ** 2 >= 0.01).to(double.dtype)
        return weighted * off / (off.sum((1, 2), keepdim=True) + 1)
    return weighted / (labels**2).sum((1, 2), keepdim=True)


def update_loss(
    theta: Tensor,
    shape: ThetaShape,
    features: Tensor | Spectra,
    labels: Tensor,
    reduction: str,
    shares: Tensor | None = None,
) -> Tensor:
    """The update loss l of eq. (6): the mean of eq. (1) over n samples (a scalar).

    shares: (n,) weights of the samples, 1 in all; None: each counts 1/n
    """
    losses = sample_losses(respond(theta, shape, features), labels, reduction)
    return losses.mean() if shares is None else losses @ shares


def loss_and_gradient(
    theta: Tensor,
    shape: ThetaShape,
    features: Tensor | Spectra,
    labels: Tensor,
    reduction: str,
    shares: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """l of eq. (6) and its gradient g of eq. (3), both constants (no graph is kept).

    Of features by automatic differentiation, of their spectra by the same derivative written out.
    """
    if isinstance(features, Spectra):
        with torch.no_grad():
            responses = respond(theta, shape, features)
            losses, falls = (how(responses, labels, reduction) for how in (sample_losses, slopes))
            if shares is None:
                loss, falls = losses.mean(), falls / len(responses)
            else:
                loss, falls = losses @ shares, falls * shares[:, None, None]
            return loss, fourier.gradient(theta, shape, features, falls)
    with torch.enable_grad():
        point = theta.detach().requires_grad_()
        loss = update_loss(point, shape, features, labels, reduction, shares)
        (gradient,) = torch.autograd.grad(loss, point)
    return loss.detach(), gradient
