"""Image patch to feature map: networks as data, one function that runs them.

A spec lists the layers; the weights are a dictionary of tensors `<layer>.weight` and
`<layer>.bias`. All convolutions pad by half their kernel, so with a patch of side
`patch_size(...)`, which is 1 more than a multiple of the stride, feature cell (0, 0) looks at the
patch's first pixel, the last cell at its last one, and the centre of the map is the patch's centre.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from roam_tracker.errors import ConfigError, WeightsError
from roam_tracker.files import nearest

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution (bias included) and what follows it."""

    name: str
    stride: int = 1
    activation: str = "none"  # none, relu6


@dataclass(frozen=True, slots=True)
class Block:
    """Layers in a row; with `residual` their input is added to their output."""

    layers: tuple[Layer, ...]
    residual: bool = False


@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """A feature extractor: its layers, its preprocessing (pixel - mean) / std in RGB, its origin."""

    blocks: tuple[Block, ...]
    stride: int  # px of the patch per feature cell
    channels: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    source: str
    licence: str


def _inverted(name: str, stride: int, *, expand: bool = True, residual: bool = False) -> Block:
    first = (Layer(f"{name}.expand", activation="relu6"),) if expand else ()
    return Block((*first, Layer(f"{name}.depthwise", stride, "relu6"), Layer(f"{name}.project")), residual)


BACKBONES = {
    # Blocks 0-4, then a 1x1 layer that whitens the 40 channels with fixed statistics of the
    # training clips, so that gradients of all channels are of one size.
    "lite0": BackboneSpec(
        blocks=(
            Block((Layer("stem", 2, "relu6"),)),
            _inverted("block0", 1, expand=False),
            _inverted("block1", 2),
            _inverted("block2", 1, residual=True),
            _inverted("block3", 2),
            _inverted("block4", 1, residual=True),
            Block((Layer("whiten"),)),
        ),
        stride=8,
        channels=40,
        mean=(127.0, 127.0, 127.0),
        std=(128.0, 128.0, 128.0),
        source="EfficientNet-Lite0, trained on ImageNet, batch norms folded",
        licence="Apache-2.0",
    ),
}


def backbone_spec(name: str) -> BackboneSpec:
    """The network of that name; raises ConfigError with the nearest known name."""
    if name not in BACKBONES:
        raise ConfigError(f"Backbone {name!r} is unknown; {nearest(name, BACKBONES)}")
    return BACKBONES[name]


def patch_size(spec: BackboneSpec, side_px: float) -> int:
    """The side in px nearest to `side_px` at which the map's cells are centred on the patch."""
    return spec.stride * max(2, round(side_px / spec.stride)) + 1


def extract(spec: BackboneSpec, weights: Weights, patches: Tensor) -> Tensor:
    """Feature maps of normalised patches.

    patches: (n, 3, S, S) float, RGB, as `crop` returns them; S from `patch_size`
    returns: (n, channels, M, M) float with M = (S - 1) / stride + 1
    """
    x = patches
    for block in spec.blocks:
        entry = x
        for layer in block.layers:
            try:
                kernel, bias = weights[f"{layer.name}.weight"], weights[f"{layer.name}.bias"]
            except KeyError as error:
                raise WeightsError(f"The weights have no tensor {error.args[0]!r} of the backbone.") from None
            x = F.conv2d(
                x, kernel, bias, layer.stride, kernel.shape[-1] // 2, groups=x.shape[1] // kernel.shape[1]
            )
            if layer.activation == "relu6":
                x = F.relu6(x, inplace=not torch.is_grad_enabled())
        x = x + entry if block.residual else x
    return x
