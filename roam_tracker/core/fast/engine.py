"""The engine that is chosen unless the reference is asked for."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.core import response
from roam_tracker.core.backbone import BackboneSpec, Weights
from roam_tracker.core.fast import backbone, crop, fourier, lstm
from roam_tracker.core.fast.fourier import Prepared, Spectra
from roam_tracker.core.theta import ThetaShape

Seen = Tensor | Spectra


class Fast:
    """The same numbers as `engine.Reference`, sooner; see there and `engine.Engine` for each function."""

    make_optimizer = staticmethod(lstm.make_optimizer)
    crop = staticmethod(crop.crop)
    extract = staticmethod(backbone.extract)

    def pack(
        self, spec: BackboneSpec, weights: Weights, precision: str, device: torch.device
    ) -> tuple[Weights, torch.dtype]:
        """Weights in the device's own layout and the preset's precision; see `backbone.packed`."""
        chosen = backbone.choose_precision(precision, device)
        return backbone.packed(spec, weights, chosen), chosen

    def transform(self, features: Tensor, shape: ThetaShape) -> Seen:
        """Their spectra, for a model that gains by it."""
        return fourier.transform(features, shape) if fourier.suits(shape) else features

    def join(self, seen: Sequence[Seen]) -> Seen:
        """All maps in a row."""
        spectra = [each for each in seen if isinstance(each, Spectra)]
        return fourier.join(spectra) if spectra else torch.cat([e for e in seen if isinstance(e, Tensor)])

    def prepare(self, theta: Tensor, shape: ThetaShape, sides: Sequence[int]) -> dict[int, Prepared]:
        """The filter in the Fourier domain, by side of the map."""
        if not fourier.suits(shape):
            return {}
        return {side: fourier.prepare(theta, shape, side) for side in sides}

    def respond(
        self, theta: Tensor, shape: ThetaShape, seen: Seen, prepared: dict[int, Prepared] | None = None
    ) -> Tensor:
        """The same result as `response.respond`."""
        if isinstance(seen, Spectra):
            known = (prepared or {}).get(seen.side)
            return fourier.respond(known or fourier.prepare(theta, shape, seen.side), seen)
        reduction, reduction_bias, filters, bias = shape.split(theta)
        return fourier.correlate(F.conv2d(seen, reduction, reduction_bias), filters) + bias

    def loss_and_gradient(
        self,
        theta: Tensor,
        shape: ThetaShape,
        seen: Seen,
        labels: Tensor,
        reduction: str,
        shares: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """The same result as `response.loss_and_gradient`."""
        if isinstance(seen, Spectra):
            return fourier.loss_and_gradient(theta, shape, seen, labels, reduction, shares)
        return response.loss_and_gradient(theta, shape, seen, labels, reduction, shares, self.respond)
