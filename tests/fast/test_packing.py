"""The backbone in the device's own layout and number formats."""

import dataclasses

import pytest
import torch
from conftest import NEEDS_BFLOAT16

from roam_tracker.core import backbone
from roam_tracker.core.config import load_preset
from roam_tracker.core.fast import backbone as fast
from roam_tracker.errors import ConfigError
from roam_tracker.tracker import RoamTracker
from roam_tracker.weights import load_weights


def test_packing_leaves_weights_alone_where_torch_cannot(monkeypatch):
    spec, weights = backbone.backbone_spec("lite0"), load_weights("default")
    monkeypatch.setattr(fast, "_FUSED", None)
    packed = fast.packed(spec, weights)
    assert all(torch.equal(packed[name], tensor) for name, tensor in weights.items())


@NEEDS_BFLOAT16
def test_bfloat16_moves_features_by_less_than_a_fortieth():
    spec, weights = backbone.backbone_spec("lite0"), load_weights("default")
    patch = search_like_patch()
    exact = backbone.extract(spec, weights, patch)
    half = fast.extract(spec, fast.packed(spec, weights, torch.bfloat16), patch)
    assert half.dtype == torch.float32
    assert 0 < ((half - exact).norm() / exact.norm()).item() < 0.025
    # without the layers that stay in float32 it would be more
    all_half = dataclasses.replace(
        spec,
        blocks=tuple(
            dataclasses.replace(b, layers=tuple(dataclasses.replace(x, exact=False) for x in b.layers))
            for b in spec.blocks
        ),
    )
    worse = fast.extract(spec, fast.packed(all_half, weights, torch.bfloat16), patch)
    assert (worse - exact).norm() > 1.3 * (half - exact).norm()


def test_bfloat16_is_refused_on_a_processor_without_it(monkeypatch):
    monkeypatch.setattr(fast, "bfloat16_on_cpu", lambda: False)
    with pytest.raises(ConfigError, match=r"precision bfloat16 needs AVX-512.* Use auto or float32"):
        RoamTracker(dataclasses.replace(load_preset("default"), precision="bfloat16"), "cpu")
    RoamTracker(device="cpu")


def search_like_patch():
    """A smooth picture, as a search region shows it: (1, 3, 129, 129) in the units of lite0."""
    coarse = torch.randn(1, 3, 17, 17, generator=torch.Generator().manual_seed(0))
    return torch.nn.functional.interpolate(coarse, size=(129, 129), mode="bicubic") * 0.5


def test_precisions_follow_the_device_and_float16_is_refused_on_a_cpu():
    cpu = torch.device("cpu")
    assert fast.choose_precision("float32", cpu) == torch.float32
    assert fast.choose_precision("bfloat16", cpu) == torch.bfloat16
    assert fast.choose_precision("auto", cpu) in (torch.float32, torch.bfloat16)
    with pytest.raises(ConfigError, match="float16 needs CUDA"):
        fast.choose_precision("float16", cpu)
