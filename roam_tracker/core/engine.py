"""The few functions that may be computed in another way, and the reference: the core's own ones."""

from collections.abc import Sequence
from typing import Any, Protocol

import torch
from torch import Tensor

from roam_tracker.core import backbone, optimizers, response, search
from roam_tracker.core.backbone import BackboneSpec, Weights
from roam_tracker.core.config import OptimizerConfig
from roam_tracker.core.optimizers import Optimizer
from roam_tracker.core.theta import ThetaShape


class Engine(Protocol):
    """How a model computes. Whoever makes a model chooses one; all give the same numbers, up to rounding.

    `Seen` features are features in the engine's own form, n maps that `seen[[...]]` chooses from.
    """

    def pack(
        self, spec: BackboneSpec, weights: Weights, precision: str, device: torch.device
    ) -> tuple[Weights, torch.dtype]:
        """The backbone's weights as `extract` wants them, and the number format it then computes in."""

    def make_optimizer(self, config: OptimizerConfig) -> Optimizer:
        """See `optimizers.make_optimizer`."""

    def crop(
        self, frame: Tensor, centres_px: Tensor, sides_px: Tensor, size: int, spec: BackboneSpec
    ) -> Tensor:
        """See `search.crop`."""

    def extract(self, spec: BackboneSpec, weights: Weights, patches: Tensor) -> Tensor:
        """See `backbone.extract`; with weights from `pack`."""

    def transform(self, features: Tensor, shape: ThetaShape) -> Any:
        """Features (n, K, M, M) in the engine's own form, for a theta of that shape."""

    def join(self, seen: Sequence[Any]) -> Any:
        """Several features in the engine's own form as one."""

    def prepare(self, theta: Tensor, shape: ThetaShape, sides: Sequence[int]) -> Any:
        """Theta in the engine's own form, for features of so many cells along a side; None: as it is."""

    def respond(self, theta: Tensor, shape: ThetaShape, seen: Any, prepared: Any = None) -> Tensor:
        """See `response.respond`; `prepared` is what `prepare` made of this theta."""

    def loss_and_gradient(
        self,
        theta: Tensor,
        shape: ThetaShape,
        seen: Any,
        labels: Tensor,
        reduction: str,
        shares: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """See `response.loss_and_gradient`."""


class Reference:
    """The core's own functions; features and theta stay as they are, and all is float32."""

    make_optimizer = staticmethod(optimizers.make_optimizer)
    crop = staticmethod(search.crop)
    extract = staticmethod(backbone.extract)
    loss_and_gradient = staticmethod(response.loss_and_gradient)

    def pack(
        self, spec: BackboneSpec, weights: Weights, precision: str, device: torch.device
    ) -> tuple[Weights, torch.dtype]:
        """The weights, and float32 whatever the preset's precision."""
        return weights, torch.float32

    def transform(self, features: Tensor, shape: ThetaShape) -> Tensor:
        """The features."""
        return features

    def join(self, seen: Sequence[Tensor]) -> Tensor:
        """All maps in a row."""
        return torch.cat(list(seen))

    def prepare(self, theta: Tensor, shape: ThetaShape, sides: Sequence[int]) -> None:
        """Nothing."""

    def respond(self, theta: Tensor, shape: ThetaShape, seen: Tensor, prepared: None = None) -> Tensor:
        """`response.respond`."""
        return response.respond(theta, shape, seen)
