"""Weights and saved targets with other bytes or values: refused by name, or tracking in bounds."""

import dataclasses
import io
from pathlib import Path

import numpy as np
import pytest
import torch
from fuzz import cases, damaged, refused_or
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save

import roam_tracker.weights as shipped
from roam_tracker import RoamTracker
from roam_tracker.core.config import load_preset
from roam_tracker.errors import InputError, RunError, WeightsError
from roam_tracker.weights import load_weights
from roam_tracker.weights.backbones import load_backbone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


SHIPPED = Path(shipped.__path__[0]) / "default.safetensors"
SMALL = save({"conv1_1.weight": torch.zeros(64, 3, 3, 3), "conv1_1.bias": torch.zeros(64)})


def _pth():
    buffer = io.BytesIO()
    torch.save({"features.0.weight": torch.zeros(64, 3, 3, 3), "features.0.bias": torch.zeros(64)}, buffer)
    return buffer.getvalue()


@cases(100)
@given(content=damaged(SHIPPED.read_bytes()))
def test_weights_whose_bytes_changed(folder, content, moving_square):
    path = folder / "mine.safetensors"
    path.write_bytes(content)
    tensors = refused_or(lambda: load_weights(str(path)), WeightsError)
    assert tensors is None or all(torch.isfinite(tensor).all() for tensor in tensors.values())


@cases(25)
@given(
    name=st.sampled_from(sorted(load_file(SHIPPED))),
    place=st.floats(0, 1, exclude_max=True),
    value=st.floats(width=32, allow_nan=True, allow_infinity=True),
)
def test_weights_with_one_other_value_track_in_bounds_or_end_in_a_named_error(
    folder, moving_square, name, place, value
):
    tensors = load_file(SHIPPED)
    tensors[name].view(-1)[int(place * tensors[name].numel())] = value
    path = folder / "other.safetensors"
    path.write_bytes(save(tensors))
    config = dataclasses.replace(load_preset("default"), weights=str(path))
    try:
        tracker = RoamTracker(config, device="cpu")
        tracker.init(moving_square[0][0], moving_square[1][0])
        for image in moving_square[0][1:7]:
            box = tracker.update(image)
            assert np.isfinite(box).all() and (box[2:] > 0).all() and 0 <= tracker.score <= 1
    except (WeightsError, RunError) as error:
        assert "not finite" in str(error)


@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
@pytest.mark.filterwarnings("ignore")
def test_backbones_whose_bytes_changed(folder, ending):
    path = folder / f"vgg{ending}"

    @cases(100)
    @given(content=damaged(SMALL if ending == ".safetensors" else _pth()))
    def try_it(content):
        path.write_bytes(content)
        assert refused_or(lambda: load_backbone("vgg16", path), WeightsError) is None  # it lacks layers

    try_it()


@pytest.fixture(scope="module")
def target(folder, moving_square):
    tracker = RoamTracker(device="cpu")
    tracker.init(moving_square[0][0], moving_square[1][0])
    tracker.save(folder / "target")
    return tracker, (folder / "target").read_bytes()


@cases(60)
@given(data=st.data())
def test_saved_targets_whose_bytes_changed(folder, target, moving_square, data):
    tracker, whole = target
    (folder / "changed").write_bytes(data.draw(damaged(whole)))
    try:
        tracker.load(folder / "changed")
        box = tracker.update(moving_square[0][1])
    except (InputError, RunError) as error:
        assert str(error).count("\n") == 0
    else:
        assert np.isfinite(box).all() and (box[2:] > 0).all()
