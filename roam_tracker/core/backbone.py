"""Image patch to feature map: networks as data, one function that runs them.

A spec lists the layers; the weights are a dictionary of tensors `<layer>.weight` and
`<layer>.bias`. All convolutions pad by half their kernel, so with a patch of side `patch_size(...)`
the centre of the map, (map_size - 1) / 2 in cells, is the patch's centre:

    strided convolutions  the side is 1 more than a multiple of the stride; cell (0, 0) looks at the
                          patch's first pixel, the last cell at its last one
    pools                 the side is an odd multiple of the stride; cell i looks at its own pixels
                          stride*i .. stride*i + stride - 1. Odd, so that a cell lies at the centre.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor

from roam_tracker.errors import ConfigError, WeightsError
from roam_tracker.files import nearest

Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution (bias included) and what follows it, or one pool, which has no weights."""

    name: str
    stride: int = 1
    activation: str = "none"  # none, relu, relu6
    kind: str = "conv"  # conv; pool: the largest of each 2x2 cells, stride 2
    exact: bool = False  # in float32 whatever the precision: what rounding would do here grows further on


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
    mean: tuple[float, float, float]  # of pixels in 0..255
    std: tuple[float, float, float]
    # root mean square of the features of 24 photographs (BSDS500, the central square of each at
    # 350 px); None: not measured
    feature_rms: float | None
    source: str
    licence: str
    apart: bool = False  # whether its tensors lie in a file of their own, not in the tracker's weights file

    @property
    def layers(self) -> tuple[Layer, ...]:
        """All layers in the order in which they run."""
        return tuple(layer for block in self.blocks for layer in block.layers)

    @property
    def pooled(self) -> bool:
        """Whether pools make the stride."""
        return any(layer.kind == "pool" for layer in self.layers)


def _inverted(name: str, stride: int, *, residual: bool = False) -> Block:
    layers = (
        Layer(f"{name}.expand", activation="relu6"),
        Layer(f"{name}.depthwise", stride, "relu6"),
        Layer(f"{name}.project"),
    )
    return Block(layers, residual)


def _vgg16(convolutions: int) -> tuple[Block, ...]:
    """The first convolutions of VGG-16, each with its ReLU, and of its pools the first two only."""
    names = [f"conv{group}_{k + 1}" for group, count in enumerate((2, 2, 3, 3, 3), 1) for k in range(count)]
    layers = []
    for name in names[:convolutions]:
        layers.append(Layer(name, activation="relu"))
        if name in ("conv1_2", "conv2_2"):
            layers.append(Layer(f"pool{name[4]}", stride=2, kind="pool"))
    return (Block(tuple(layers)),)


# The paper's "first 12 convolution layers" are conv1_1 to conv5_2, rectified. Values of the original
# (Caffe) training: pixels in 0..255 minus the mean, no division.
_VGG16 = BackboneSpec(
    blocks=_vgg16(12),
    stride=4,
    channels=512,
    mean=(123.68, 116.779, 103.939),
    std=(1.0, 1.0, 1.0),
    feature_rms=9.1,
    source="VGG-16 of the Visual Geometry Group, Oxford, trained on ImageNet (arXiv:1409.1556)",
    licence="CC-BY-4.0",
    apart=True,
)
_VGG16_TORCHVISION = replace(
    _VGG16,
    mean=(0.485 * 255, 0.456 * 255, 0.406 * 255),
    std=(0.229 * 255, 0.224 * 255, 0.225 * 255),
    feature_rms=None,
    source="VGG-16 as torchvision trained it on ImageNet",
    licence="BSD-3-Clause",
)

BACKBONES = {
    # Blocks 0-4, then a 1x1 layer that whitens the 40 channels with fixed statistics of the
    # training clips, so that gradients of all channels are of one size.
    "lite0": BackboneSpec(
        blocks=(
            # differences of neighbours: in bfloat16 these two alone would move the features by 6 %, all
            # the others by 2.5 %
            Block((Layer("stem", 2, "relu6", exact=True),)),
            Block((Layer("block0.depthwise", 1, "relu6", exact=True), Layer("block0.project"))),
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
        feature_rms=1.7,
        source="EfficientNet-Lite0, trained on ImageNet, batch norms folded",
        licence="Apache-2.0",
    ),
    "vgg16": _VGG16,
    "vgg16-conv4_3": replace(_VGG16, blocks=_vgg16(10), feature_rms=39.5),
    "vgg16-torchvision": _VGG16_TORCHVISION,
    "vgg16-torchvision-conv4_3": replace(_VGG16_TORCHVISION, blocks=_vgg16(10)),
}


def backbone_spec(name: str) -> BackboneSpec:
    """The network of that name; raises ConfigError with the nearest known name."""
    if name not in BACKBONES:
        raise ConfigError(f"Backbone {name!r} is unknown; {nearest(name, BACKBONES)}")
    return BACKBONES[name]


def patch_size(spec: BackboneSpec, side_px: float) -> int:
    """The side in px nearest to `side_px` at which the map's cells are centred on the patch."""
    if spec.pooled:
        return spec.stride * (2 * max(1, round((side_px / spec.stride - 1) / 2)) + 1)
    return spec.stride * max(2, round(side_px / spec.stride)) + 1


def map_size(spec: BackboneSpec, patch_px: int) -> int:
    """Feature cells along a side of the map of a patch with `patch_px` px along its side."""
    return patch_px // spec.stride if spec.pooled else (patch_px - 1) // spec.stride + 1


def tensors_of(layer: Layer, weights: Weights) -> tuple[Tensor, Tensor]:
    """The layer's kernel and bias. Raises WeightsError naming the one that is missing."""
    try:
        return weights[f"{layer.name}.weight"], weights[f"{layer.name}.bias"]
    except KeyError as error:
        raise WeightsError(f"The weights have no tensor {error.args[0]!r} of the backbone.") from None


def convolve(x: Tensor, kernel: Tensor, bias: Tensor, layer: Layer) -> Tensor:
    """The layer with its activation on maps x (n, inputs, side, side)."""
    x = F.conv2d(x, kernel, bias, layer.stride, kernel.shape[-1] // 2, groups=x.shape[1] // kernel.shape[1])
    if layer.activation == "none":
        return x
    return F.relu6(x) if layer.activation == "relu6" else F.relu(x)


def extract(spec: BackboneSpec, weights: Weights, patches: Tensor) -> Tensor:
    """Feature maps of normalised patches.

    weights: of the layers; WeightsError names one that is missing
    patches: (n, 3, S, S) float, RGB, as `search.crop` returns them; S from `patch_size`
    returns: (n, channels, M, M) with M = map_size(spec, S)
    """
    x = patches
    for block in spec.blocks:
        entry = x
        for layer in block.layers:
            x = (
                F.max_pool2d(x, 2)
                if layer.kind == "pool"
                else convolve(x, *tensors_of(layer, weights), layer)
            )
        x = x + entry if block.residual else x
    return x


def check_shapes(spec: BackboneSpec, weights: Weights) -> None:
    """Raise WeightsError naming the first layer that does not fit the one before it, or the spec.

    A kernel is (outputs, inputs, side, side) with an odd side, or (outputs, 1, side, side) where each
    channel has its own; a layer without weights ends the check, `extract` names it.
    """
    channels = 3
    for layer in spec.layers:
        if layer.kind == "pool":
            continue
        kernel, bias = weights.get(f"{layer.name}.weight"), weights.get(f"{layer.name}.bias")
        if kernel is None or bias is None:
            return
        shape = tuple(kernel.shape)
        fits = len(shape) == 4 and shape[2] == shape[3] and shape[2] % 2 == 1
        if not (fits and shape[1] in (channels, 1) and tuple(bias.shape) == shape[:1]):
            raise WeightsError(
                f"Layer {layer.name!r} of the weights (kernel {shape}, bias {tuple(bias.shape)}) does not "
                f"follow {channels} channels. Use weights that were made for this backbone."
            )
        channels = shape[0]
    if channels != spec.channels:
        raise WeightsError(f"The weights' backbone ends in {channels} channels, not in {spec.channels}.")
