"""A preset with its weights, and what it gives a new target: features, theta(0), lambda(0)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from roam_tracker.core import backbone, fourier, response, search
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.fourier import Spectra
from roam_tracker.core.optimizers import make_optimizer
from roam_tracker.core.state import Pair, State
from roam_tracker.core.theta import ThetaShape, filter_size, resize
from roam_tracker.core.views import view_patches, views
from roam_tracker.errors import WeightsError


@dataclass(frozen=True, slots=True)
class Start:
    """theta(0) and lambda(0) resized to a target (N)."""

    theta: Tensor  # (shape.count,)
    rates: Tensor
    shape: ThetaShape
    constant: Tensor | None  # learned update rates, where the weights have some


class Model:
    """A preset with its weights on a device: what all targets share and nothing changes.

    plain: without what only makes it faster: the reference that the fast paths are held to
    """

    def __init__(
        self,
        config: TrackerConfig,
        weights: Mapping[str, Tensor],
        device: torch.device,
        *,
        plain: bool = False,
    ) -> None:
        self.config = config
        self.device = device
        self.plain = plain
        self.weights = {name: tensor.to(device) for name, tensor in weights.items()}
        self.spec = backbone.backbone_spec(config.model.backbone)
        self.patch_px = backbone.patch_size(
            self.spec, config.search.roi_scale * config.search.base_object_size
        )
        self.map_size = backbone.map_size(self.spec, self.patch_px)
        roi = config.box.pyramid_roi or config.search.roi_scale
        self.pyramid_px = backbone.patch_size(self.spec, roi * config.search.base_object_size)
        self.pyramid_map_size = backbone.map_size(self.spec, self.pyramid_px)
        backbone.check_shapes(self.spec, self.weights)
        self.precision = torch.float32 if plain else backbone.choose_precision(config.precision, device)
        self.backbone = self.weights if plain else backbone.packed(self.spec, self.weights, self.precision)
        self.windows = {
            side: search.hann_window(side, self.map_size).to(device)
            for side in (self.map_size, self.pyramid_map_size)
            if config.model.window
        }
        self.views = views(config.update)
        self.canonical = canonical_shape(config)
        self.optimizer = make_optimizer(config.optimizer)
        needed = ("theta0", "lambda0", *(["update_rates"] if config.optimizer.kind == "constant" else []))
        for name in needed:
            shape = tuple(self.weights[name].shape) if name in self.weights else None
            if shape != (self.canonical.count,):
                raise WeightsError(
                    f"The weights have {name} of shape {shape}, the preset needs ({self.canonical.count},). "
                    "Use the preset the weights were trained with."
                )

    @torch.no_grad()
    def features(
        self, frame: Tensor, centre_px: Pair, sides_px: Sequence[float], patch_px: int | None = None
    ) -> Tensor:
        """(n, K, M, M) feature maps of n regions of the frame around one centre, in patches of `patch_px`."""
        centres = torch.tensor([centre_px] * len(sides_px), dtype=torch.float64)
        return self.seen_in(
            search.crop(frame, centres, torch.tensor(sides_px), patch_px or self.patch_px, self.spec)
        )

    @torch.no_grad()
    def first_features(self, frame: Tensor, centre_px: Pair, size_px: Pair) -> Tensor:
        """(n, K, M, M) feature maps of the views of the first frame, see views.py."""
        side = self.region_side(size_px)
        patches = view_patches(frame, centre_px, side, size_px, self.views, self.patch_px, self.spec)
        return self.seen_in(patches)

    def seen_in(self, patches: Tensor) -> Tensor:
        """Feature maps of patches, under the window where the preset has one."""
        features = backbone.extract(self.spec, self.backbone, patches)
        return features * self.windows[features.shape[-1]] if self.windows else features

    def transformed(self, features: Tensor, shape: ThetaShape) -> Tensor | Spectra:
        """Features (n, K, M, M) in the form in which responses are found fastest."""
        if self.plain or not fourier.suits(shape):
            return features
        return fourier.transform(features, shape)

    def respond(self, state: State, seen: Tensor | Spectra) -> Tensor:
        """Response maps (n, M, M) of what `transformed` gave."""
        if isinstance(seen, Spectra):
            return fourier.respond(state.prepared[seen.side], seen)
        return response.respond(state.theta, state.shape, seen)

    def region_side(self, size_px: Pair) -> float:
        """The side in px of the search region of a target of w x h px (section 5)."""
        return self.config.search.roi_scale * math.sqrt(size_px[0] * size_px[1])

    @property
    def patch_cells(self) -> float:
        """Side of the search region's patch in feature cells."""
        return self.patch_px / self.spec.stride

    def cells(self, length_px: float, side_px: float) -> float:
        """A length in px of the frame as feature cells of a patch that shows `side_px` px."""
        return length_px / side_px * self.patch_px / self.spec.stride


def canonical_shape(config: TrackerConfig) -> ThetaShape:
    """The shape of theta(0) and lambda(0) as they are stored."""
    model = config.model
    channels = backbone.backbone_spec(model.backbone).channels
    return ThetaShape(channels, model.reduced_channels, model.filter_height, model.filter_width)


def start_parameters(
    config: TrackerConfig, weights: Mapping[str, Tensor], size_cells: Pair, map_size: int
) -> Start:
    """theta(0) and lambda(0) for a target of (w, h) cells; shared with training."""
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
