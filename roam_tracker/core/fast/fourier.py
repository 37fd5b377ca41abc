"""The response model in the Fourier domain, where filters as large as the target cost little.

Reduction and response filter, with no activation between, are one filter of K channels, and the
reduction's bias one more channel seen by a map of ones. Features are transformed once (`transform`)
and serve every response and update that looks at them; a filter is transformed when theta changes
(`prepare`). For models with many features, for which that does not pay, the second convolution alone goes
through the Fourier domain.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core import response
from roam_tracker.core.theta import ThetaShape

Period = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Spectra:
    """Features in the Fourier domain, from `transform`."""

    values: Tensor  # (..., n, K + 1, P, Q) complex; the last map is that of ones, for the reduction's bias
    side: int  # M
    period: Period  # P and the width of which Q is the half

    def __getitem__(self, chosen: slice | list[int]) -> "Spectra":
        """Those of some of the n maps."""
        return replace(self, values=self.values[chosen])


@dataclass(frozen=True, slots=True)
class Prepared:
    """What theta is to spectra of one side, from `prepare`."""

    values: Tensor  # (..., K + 1, P, Q) complex, conjugated
    bias: Tensor  # (..., 1)
    size: tuple[int, int]  # h, w of the filter


def suits(shape: ThetaShape) -> bool:
    """Whether such a model gains: not with many features."""
    return shape.channels <= 2 * shape.reduced


def transform(features: Tensor, shape: ThetaShape) -> Spectra:
    """The spectra of features (n, K, M, M) for filters of that shape."""
    period = _period(features.shape[-1], (shape.height, shape.width))
    maps = torch.cat([features, torch.ones_like(features[:, :1])], dim=1).contiguous()
    return Spectra(torch.fft.rfft2(maps, s=period), features.shape[-1], period)


def join(spectra: Sequence[Spectra]) -> Spectra:
    """Several of one side and period as one."""
    return replace(spectra[0], values=torch.cat([each.values for each in spectra]))


def prepare(theta: Tensor, shape: ThetaShape, side: int) -> Prepared:
    """The filter of theta (..., count) in the Fourier domain, for features of `side` cells."""
    size = shape.height, shape.width
    combined = (_reduction(theta, shape).mT @ _filters(theta, shape)).unflatten(-1, size)
    spectra = torch.fft.rfft2(combined, s=_period(side, size))
    return Prepared(spectra.conj_physical(), theta[..., -1:], size)


def respond(prepared: Prepared, spectra: Spectra) -> Tensor:
    """The same result as `response.respond`, (..., n, M, M)."""
    products = (spectra.values * prepared.values[..., None, :, :, :]).sum(-3)
    return _inverse(products, spectra, prepared.size) + prepared.bias[..., None, None]


def loss_and_gradient(
    theta: Tensor,
    shape: ThetaShape,
    spectra: Spectra,
    labels: Tensor,
    reduction: str,
    shares: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The same result as `response.loss_and_gradient`, by the derivative written out."""
    with torch.no_grad():
        responses = respond(prepare(theta, shape, spectra.side), spectra)
        loss = response.update_loss(responses, labels, reduction, shares)
        falls = slopes(responses, labels, reduction)
        falls = falls / len(responses) if shares is None else falls * shares[:, None, None]
        return loss, gradient(theta, shape, spectra, falls)


def slopes(responses: Tensor, labels: Tensor, reduction: str) -> Tensor:
    """The derivative (n, M, M) of each of `response.sample_losses` in its response."""
    weighted = labels.exp() * (2 * (responses - labels))
    if reduction == "masked":
        off = ((responses - labels) ** 2 >= 0.01).to(weighted.dtype)
        return weighted * off / (off.sum((1, 2), keepdim=True) + 1)
    return weighted / (labels**2).sum((1, 2), keepdim=True)


def gradient(theta: Tensor, shape: ThetaShape, spectra: Spectra, slopes: Tensor) -> Tensor:
    """The gradient (..., count) of a loss in theta, by its slopes (..., n, M, M) in the responses.

    A filter's gradient is the correlation of the features with the slopes; one inverse transform of
    K + 1 maps serves all samples.
    """
    (height, width), (rows, columns) = (shape.height, shape.width), spectra.period
    padded = F.pad(slopes, (0, columns - spectra.side, 0, rows - spectra.side))
    shifted = padded.roll((-(height // 2), -(width // 2)), (-2, -1))
    products = spectra.values * torch.fft.rfft2(shifted).conj_physical()[..., None, :, :]
    combined = torch.fft.irfft2(products.sum(-4), s=spectra.period)[..., :height, :width].flatten(-2)
    both = _filters(theta, shape) @ combined.mT  # (..., C, K + 1)
    filters = _reduction(theta, shape) @ combined
    bias = slopes.sum((-3, -2, -1))[..., None]
    return torch.cat([both[..., :-1].flatten(-2), both[..., -1], filters.flatten(-2), bias], dim=-1)


def correlate(maps: Tensor, filters: Tensor) -> Tensor:
    """The same result as the second `conv2d` of `response.respond`, through the Fourier domain.

    maps: (n, C, M, M); filters: (1, C, h, w), h and w odd, at most M + 1; returns (n, M, M)

    Filters are as large as the target, up to the whole map: direct convolutions and above all their
    gradients cost 5 to 50 times as much on a CPU.
    """
    period = _period(maps.shape[-1], filters.shape[-2:])
    spectra = Spectra(torch.fft.rfft2(maps, s=period), maps.shape[-1], period)
    products = spectra.values[:, None] * torch.fft.rfft2(filters, s=spectra.period).conj()
    return _inverse(products.sum(2), spectra, (filters.shape[-2], filters.shape[-1]))[:, 0]


def _inverse(products: Tensor, spectra: Spectra, size: tuple[int, int]) -> Tensor:
    """Responses (..., M, M) from their spectra (..., P, Q)."""
    maps: Tensor = torch.fft.irfft2(products, s=spectra.period).roll((size[0] // 2, size[1] // 2), (-2, -1))
    return maps[..., : spectra.side, : spectra.side]


def _period(side: int, size: Sequence[int]) -> Period:
    """Half a filter of zeros keeps the correlation from wrapping round; FFTs like factors of 4."""
    height, width = (4 * math.ceil((side + reach // 2) / 4) for reach in size)
    return height, width


def _reduction(theta: Tensor, shape: ThetaShape) -> Tensor:
    """Weights and bias of the reduction, (..., C, K + 1)."""
    reduction, bias, _, _ = shape.split(theta)
    return torch.cat([reduction.flatten(-3), bias[..., None]], dim=-1)


def _filters(theta: Tensor, shape: ThetaShape) -> Tensor:
    """The response filter, (..., C, h * w)."""
    return shape.split(theta)[2].flatten(-2).squeeze(-3)
