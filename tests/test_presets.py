"""Every preset: its shapes, and that choosing it changes no line elsewhere."""

from importlib import resources

import numpy as np
import pytest
import torch

from roam_tracker import RoamTracker
from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import load_preset, preset_names
from roam_tracker.core.theta import canonical_shape, start_parameters
from roam_tracker.core.tracking import Model
from roam_tracker.errors import WeightsError
from roam_tracker.weights import with_head

SHIPPED = [
    name
    for name in preset_names()
    if resources.files("roam_tracker")
    .joinpath("weights", f"{load_preset(name).weights}.safetensors")
    .is_file()
]
# those whose backbone ships too
COMPLETE = [name for name in SHIPPED if not backbone_spec(load_preset(name).model.backbone).apart]


def bare_model(name):
    """The preset's model with start parameters of zeros and no backbone."""
    config = load_preset(name)
    zeros = torch.zeros(canonical_shape(config).count)
    weights = {"theta0": zeros, "lambda0": zeros, "update_rates": zeros}
    return Model(config, with_head(config, weights), torch.device("cpu"))


def test_the_papers_preset_has_the_papers_shapes():
    model = bare_model("paper")
    assert model.canonical.count == 48_641
    assert (model.patch_px, model.map_size) == (348, 87)  # S = 5 * 70, stride 4, a cell at the centre
    begin = start_parameters(model.config, model.weights, (12, 18), model.map_size)
    assert (begin.shape.height, begin.shape.width) == (19, 13)
    begin = start_parameters(model.config, model.weights, (30.2, 10.1), model.map_size)
    assert (begin.shape.height, begin.shape.width) == (13, 33)
    assert begin.theta.shape == begin.rates.shape == (32_768 + 64 + 64 * 13 * 33 + 1,)


@pytest.mark.parametrize("name", preset_names())
def test_every_preset_builds_a_model(name):
    assert bare_model(name).map_size % 2 == 1


@pytest.mark.parametrize("name", COMPLETE)
def test_every_preset_with_weights_tracks(name, moving_square):
    frames, boxes = moving_square
    tracker = RoamTracker(name, device="cpu")
    tracker.init(frames[0], boxes[0])
    truth = boxes if tracker.config.oracle else [None] * len(boxes)
    tracked = np.array([tracker.update(frames[k], truth=truth[k]) for k in range(1, 8)])
    centres, expected = (b[:, :2] + b[:, 2:] / 2 for b in (tracked, boxes[1:8]))
    assert np.linalg.norm(centres - expected, axis=1).max() < 12


def test_a_preset_without_weights_says_how_to_get_some():
    absent = [name for name in preset_names() if name not in SHIPPED]
    for name in absent:
        with pytest.raises(WeightsError, match="roam train"):
            RoamTracker(name, device="cpu")
