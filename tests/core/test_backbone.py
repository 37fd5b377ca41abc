import os

import pytest
import torch
from torch import nn

from roam_tracker.core import backbone
from roam_tracker.errors import ConfigError, WeightsError
from roam_tracker.weights import load_weights
from roam_tracker.weights.backbones import load_backbone

VGG = [name for name in backbone.BACKBONES if name.startswith("vgg16")]


def random_weights(spec, *, symmetric=False):
    """Kernels that keep the size of what passes; `symmetric` ones are their own mirror images."""
    generator = torch.Generator().manual_seed(0)
    weights, channels = {}, 3
    for layer in spec.layers:
        if layer.kind == "conv":
            width = (64, 128, 256, 512, 512)[int(layer.name[4]) - 1]
            kernel = torch.randn(width, channels, 3, 3, generator=generator) * (2 / (9 * channels)) ** 0.5
            weights[f"{layer.name}.weight"] = kernel
            weights[f"{layer.name}.bias"] = torch.randn(width, generator=generator) / 10
            channels = width
    return mirrored(weights) if symmetric else weights


def mirrored(weights):
    """The weights with the 3x3 kernels averaged over their mirror images."""
    flips = ((), (-1,), (-2,), (-1, -2))
    return {
        name: torch.stack([tensor.flip(flip) for flip in flips]).mean(0) if tensor.ndim == 4 else tensor
        for name, tensor in weights.items()
    }


def torchvision_layers(convolutions):
    """VGG-16 as torchvision lays it out, without the pools that this project leaves out."""
    layers, channels = [], 3
    for width, count in zip((64, 128, 256, 512, 512), (2, 2, 3, 3, 3), strict=True):
        for _ in range(count):
            layers += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            channels = width
        if width < 256:
            layers.append(nn.MaxPool2d(2))
    end = [k for k, layer in enumerate(layers) if isinstance(layer, nn.ReLU)][convolutions - 1]
    return nn.Sequential(*layers[: end + 1])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "convolutions"), [("vgg16", 12), ("vgg16-conv4_3", 10)])
@torch.no_grad()
def test_vgg16_equals_torchs_own_layers_in_a_row(name, convolutions):
    spec = backbone.backbone_spec(name)
    weights = random_weights(spec)
    plain = torchvision_layers(convolutions)
    for ours, theirs in zip(weights.values(), plain.parameters(), strict=True):
        theirs.copy_(ours)
    patch = torch.randn(1, 3, 28, 28, generator=torch.Generator().manual_seed(1))
    features = backbone.extract(spec, weights, patch)
    assert features.shape == (1, 512, 7, 7)
    torch.testing.assert_close(features, plain(patch), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", VGG)
def test_vgg16_is_cut_after_the_named_convolution_with_two_pools(name):
    spec = backbone.backbone_spec(name)
    convolutions = [layer.name for layer in spec.layers if layer.kind == "conv"]
    assert (len(convolutions), convolutions[-1]) == (
        (10, "conv4_3") if "conv4_3" in name else (12, "conv5_2")
    )
    assert [layer.name for layer in spec.layers if layer.kind == "pool"] == ["pool1", "pool2"]
    assert (spec.stride, spec.channels) == (4, 512)


def test_patches_of_350_px_have_maps_of_87_cells_of_vgg16_and_45_of_lite0():
    # 348 = 4 * 87, the odd multiple of 4 nearest to 350; 353 = 8 * 44 + 1
    for name, patch_px, cells in (("vgg16", 348, 87), ("lite0", 353, 45)):
        spec = backbone.backbone_spec(name)
        assert backbone.patch_size(spec, 350) == patch_px
        assert backbone.map_size(spec, patch_px) == cells


@pytest.mark.parametrize("name", ["vgg16", "lite0"])
def test_a_patch_size_is_near_the_wish_and_its_own_nearest(name):
    spec = backbone.backbone_spec(name)
    for wish in range(40, 400):
        patch_px = backbone.patch_size(spec, wish)
        assert abs(patch_px - wish) <= spec.stride + 1
        assert backbone.patch_size(spec, patch_px) == patch_px
        assert name == "lite0" or backbone.map_size(spec, patch_px) % 2 == 1


@pytest.mark.parametrize("name", list(backbone.BACKBONES))
@torch.no_grad()
def test_a_spot_in_the_middle_of_the_patch_is_in_the_middle_of_the_map(name):
    # with kernels that are their own mirror images, a lopsided map could only come from the geometry
    spec = backbone.backbone_spec(name)
    weights = mirrored(load_weights("default")) if name == "lite0" else random_weights(spec, symmetric=True)
    patch_px = backbone.patch_size(spec, 50)
    patch = torch.zeros(1, 3, patch_px, patch_px)
    middle = slice((patch_px - 4) // 2, patch_px - (patch_px - 4) // 2)  # 4 or 5 px
    patch[:, :, middle, middle] = 1
    features = backbone.extract(spec, weights, patch)
    cells = backbone.map_size(spec, patch_px)
    assert features.shape == (1, spec.channels, cells, cells)
    energy = (features**2).sum(1)[0]
    assert energy.std() > 0.001 * energy.mean()
    for flip in ((0,), (1,)):
        torch.testing.assert_close(energy, energy.flip(flip), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("name", list(backbone.BACKBONES))
@torch.no_grad()
def test_the_map_of_a_mirrored_patch_is_the_mirrored_map(name):
    spec = backbone.backbone_spec(name)
    weights = mirrored(load_weights("default")) if name == "lite0" else random_weights(spec, symmetric=True)
    patch_px = backbone.patch_size(spec, 50)
    patch = torch.randn(1, 3, patch_px, patch_px, generator=torch.Generator().manual_seed(2))
    there = backbone.extract(spec, weights, patch).flip(3)
    torch.testing.assert_close(there, backbone.extract(spec, weights, patch.flip(3)), rtol=1e-3, atol=1e-4)


def test_preprocessing_is_in_pixels_of_0_to_255():
    # red 255: (255 - 123.68) / 1 for the original training, (1 - 0.485) / 0.229 for torchvision's
    for name, expected in (("vgg16", 131.32), ("vgg16-torchvision", 2.2489)):
        spec = backbone.backbone_spec(name)
        assert (255 - spec.mean[0]) / spec.std[0] == pytest.approx(expected, abs=1e-4)


def test_every_backbone_tells_where_it_comes_from():
    for spec in backbone.BACKBONES.values():
        assert spec.source and spec.licence


def test_an_unknown_backbone_is_refused_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'vgg16'"):
        backbone.backbone_spec("vgg-16")


def test_a_missing_tensor_is_named():
    spec = backbone.backbone_spec("vgg16")
    weights = {name: tensor for name, tensor in random_weights(spec).items() if name != "conv1_2.bias"}
    with pytest.raises(WeightsError, match=r"'conv1_2\.bias'"):
        backbone.extract(spec, weights, torch.zeros(1, 3, 12, 12))


@pytest.mark.skipif(
    not os.environ.get("ROAM_BACKBONE"), reason="ROAM_BACKBONE names no file of real VGG-16 weights"
)
@torch.no_grad()
def test_real_weights_find_stronger_features_in_edges_than_in_a_grey_patch():
    spec = backbone.backbone_spec("vgg16")
    weights = load_backbone("vgg16")
    grey = torch.zeros(1, 3, 92, 92)
    stripes = grey.clone()
    stripes[:, :, :, ::16] = 100.0
    weak, strong = (backbone.extract(spec, weights, patch)[..., 6:-6, 6:-6] for patch in (grey, stripes))
    assert strong.square().mean() > 4 * weak.square().mean()
