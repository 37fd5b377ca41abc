"""The target's scale by a filter over a pyramid of small patches, in the manner of DSST (not in the paper).

Gradient histograms of the target at n scales make n columns; one correlation filter along the scales answers
which column looks like the target did, and learns from each frame that is trusted (Danelljan et al.,
Accurate Scale Estimation for Robust Visual Tracking, 2014). It reads size from the target's inside, where
the response map is nearly flat; the pyramid of response maps reads it from the surroundings.
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core import search
from roam_tracker.core.backbone import BackboneSpec
from roam_tracker.core.config import BoxConfig

Pair = tuple[float, float]
PATCH = 24  # px, side of the patches, whatever the target's shape
_CELL = 4  # px, side of a cell of the histograms
_BINS = 9  # of unsigned gradient directions, and twice as many of signed ones
_RIDGE = 1e-2  # beside the spectra's energy, which is 1 for a patch of unit features


@dataclass(frozen=True, slots=True)
class ScaleFilter:
    """Numerator and denominator of the filter in the Fourier domain along the scales."""

    top: Tensor  # (..., D, n/2 + 1) complex
    energy: Tensor  # (..., n/2 + 1)


def factors(config: BoxConfig) -> list[float]:
    """The n scales that are looked at, over the believed one, the middle one 1."""
    reach = config.filter_scales // 2
    return [config.filter_step**k for k in range(-reach, reach + 1)]


def columns(frame: Tensor, centre_px: Pair, size_px: Pair, config: BoxConfig, spec: BackboneSpec) -> Tensor:
    """Features (D, n) of the target at n scales, weighted by a Hann window along the scales.

    frame: (H, W, 3) uint8; centre x, y and size w, h in px
    """
    sides = torch.tensor([(size_px[0] * f, size_px[1] * f) for f in factors(config)])
    centres = torch.tensor([centre_px], dtype=torch.float64).expand(len(sides), 2)
    return columns_of(search.crop(frame, centres, sides, PATCH, spec, alike=True))


def columns_of(patches: Tensor) -> Tensor:
    """Features (..., D, n) of patches (..., n, 3, S, S) of the target at n scales."""
    grey = patches.mean(-3)
    features = histograms(grey.flatten(0, -3)).flatten(1)
    features = features / (features.norm(dim=1, keepdim=True) + 1e-6)
    features = features.unflatten(0, grey.shape[:-2])
    window = torch.hann_window(grey.shape[-3] + 2, periodic=False, device=features.device)[1:-1]
    weighted: Tensor = features.mT * window
    return weighted


def histograms(grey: Tensor) -> Tensor:
    """Gradient histograms (n, 27, S/4, S/4) of grey patches (n, S, S), normalised by neighbours."""
    padded = F.pad(grey[:, None], (1, 1, 1, 1), "replicate")[:, 0]
    dx = padded[:, 1:-1, 2:] - padded[:, 1:-1, :-2]
    dy = padded[:, 2:, 1:-1] - padded[:, :-2, 1:-1]
    size, place = torch.hypot(dx, dy), torch.atan2(dy, dx) * (_BINS / math.pi)  # -9 .. 9
    bins = torch.arange(2 * _BINS, device=grey.device)[:, None, None]
    off = (place[:, None] - bins).remainder(2 * _BINS)  # linear between the two nearest directions
    signed = (1 - torch.minimum(off, 2 * _BINS - off)).clamp_min(0) * size[:, None]
    cells = F.avg_pool2d(signed, _CELL)
    unsigned = cells[:, :_BINS] + cells[:, _BINS:]
    energy = unsigned.square().sum(1, keepdim=True)
    around = F.avg_pool2d(F.pad(energy, (1, 1, 1, 1), "replicate"), 3, 1)
    both = torch.cat([cells, unsigned], 1) / (around.sqrt() + 1e-3)
    histogram: Tensor = both.clamp_max(0.8)
    return histogram


def learn(known: ScaleFilter | None, seen: Tensor, config: BoxConfig) -> ScaleFilter:
    """The filter after it has also learned that the middle one of the columns (..., D, n) is right."""
    count = seen.shape[-1]
    off = torch.arange(count, device=seen.device) - count // 2
    wanted = torch.exp(-0.5 * (off / config.filter_sigma) ** 2)
    spectra = torch.fft.rfft(seen)
    top = torch.fft.rfft(wanted) * spectra.conj()
    energy = spectra.abs().square().sum(-2)
    if known is None:
        return ScaleFilter(top, energy)
    rate = config.filter_rate
    return ScaleFilter(known.top + rate * (top - known.top), known.energy + rate * (energy - known.energy))


def best_factor(known: ScaleFilter, seen: Tensor, config: BoxConfig) -> Tensor:
    """The scale (...,), over the believed one, at the top of the parabola through the highest answer."""
    count = seen.shape[-1]
    answer = torch.fft.irfft((known.top * torch.fft.rfft(seen)).sum(-2) / (known.energy + _RIDGE), count)
    best = answer.argmax(-1, keepdim=True)
    middle = best.clamp(1, count - 2)
    around = middle + torch.arange(-1, 2, device=seen.device)
    before, top, after = answer.gather(-1, around).double().unbind(-1)
    curvature = before - 2 * top + after
    inside = (curvature < 0) & (middle == best)[..., 0]
    shift = torch.where(inside, 0.5 * (before - after) / torch.where(inside, curvature, -1.0), 0.0)
    factor: Tensor = torch.exp(math.log(config.filter_step) * (best[..., 0] + shift - count // 2))
    return factor
