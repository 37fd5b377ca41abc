"""Every preset: its shapes, and that choosing it changes no line elsewhere."""

import dataclasses
from importlib import resources

import numpy as np
import pytest
import torch

from roam_tracker import RoamTracker
from roam_tracker.core import locate, tracking
from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import load_preset, preset_names
from roam_tracker.core.model import Model, canonical_shape, start_parameters
from roam_tracker.errors import WeightsError
from roam_tracker.weights import load_weights

SHIPPED = [
    name
    for name in preset_names()
    if resources.files("roam_tracker")
    .joinpath("weights", f"{load_preset(name).weights}.safetensors")
    .is_file()
]
# those whose backbone ships too
COMPLETE = [name for name in SHIPPED if backbone_spec(load_preset(name).model.backbone).file is None]


def bare_model(name):
    """The preset's model with start parameters of zeros and no backbone."""
    config = load_preset(name)
    zeros = torch.zeros(canonical_shape(config).count)
    return Model(config, {"theta0": zeros, "lambda0": zeros, "update_rates": zeros}, torch.device("cpu"))


def test_the_papers_preset_has_the_papers_shapes():
    model = bare_model("paper")
    assert model.canonical.count == 48_641
    assert (model.patch_px, model.map_size) == (348, 87)  # S = 5 * 70, stride 4, a cell at the centre
    begin = start_parameters(model.config, model.weights, (12, 18), model.map_size)
    assert (begin.shape.height, begin.shape.width) == (19, 13)
    begin = start_parameters(model.config, model.weights, (30.2, 10.1), model.map_size)
    assert (begin.shape.height, begin.shape.width) == (13, 33)
    assert begin.theta.shape == begin.rates.shape == (32_768 + 64 + 64 * 13 * 33 + 1,)


def test_the_released_variant_has_206789_coordinates_and_keeps_them_for_every_target():
    model = bare_model("release")
    assert model.canonical.group_sizes == (32_768, 64, 28_224, 1, 32_768, 64, 112_896, 4)
    assert model.canonical.count == 61_057 + 145_732 == 206_789
    begin = start_parameters(model.config, model.weights, (10, 16), model.map_size)
    assert begin.shape.applied == (25, 17) and begin.theta.shape == (206_789,)


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


@pytest.fixture
def box_model():
    """The box branch on the small backbone with a small random start."""
    config = load_preset("release-small")
    generator = torch.Generator().manual_seed(0)
    weights = load_weights("default")
    weights["theta0"] = torch.randn(canonical_shape(config).count, generator=generator) * 1e-3
    weights["lambda0"] = torch.full_like(weights["theta0"], 1e-4)
    weights["output.bias"] = weights["output.bias"].repeat(2)
    return Model(config, weights, torch.device("cpu"))


def test_the_first_frame_is_seen_in_three_scales_and_three_aspect_ratios(
    box_model, moving_square, monkeypatch
):
    seen = []
    whole = tracking._batch
    monkeypatch.setattr(
        tracking, "_batch", lambda model, samples: seen.append(samples) or whole(model, samples)
    )
    tracking.start(box_model, torch.from_numpy(moving_square[0][0]), (40, 50, 32, 32))
    sizes = {(round(s.size_cells[0], 2), round(s.size_cells[1], 2)) for s in seen[0]}
    assert len(seen[0]) == len(sizes) == 9
    # a crop that shows 1.2 times as much makes the target smaller by that
    side = 48 / 8 * box_model.patch_px / 240
    assert (round(side / 1.2, 2), round(side / 1.2, 2)) in sizes


def test_the_box_branch_moves_and_stretches_the_box_it_is_told_to(box_model, moving_square):
    frames, _ = moving_square
    state = tracking.start(box_model, torch.from_numpy(frames[0]), (40, 50, 32, 32))
    theta = torch.zeros_like(state.theta)
    theta[-4:] = torch.tensor([0.25, -0.5, 0.2, 0.0])  # the biases: every cell says the same
    state = dataclasses.replace(state, theta=theta, drifting=False)
    values = torch.zeros(box_model.map_size, box_model.map_size)
    middle = box_model.map_size // 2
    values[middle, middle] = 1.0
    features = torch.zeros(1, 40, box_model.map_size, box_model.map_size)
    side = box_model.region_side(state.size_px)
    (x, y), (w, h) = locate.regressed_box(box_model, state, features, values, (side, side))
    assert (x, y) == pytest.approx((56 + 0.25 * 32, 66 - 0.5 * 32), abs=1e-3)
    # penalty exp(-0.05 (e^(0.2/2 + 0.2) - 1)), weight 0.6 * penalty^2
    weight = 0.6 * np.exp(-0.05 * (np.exp(0.3) - 1)) ** 2
    assert (w, h) == pytest.approx((32 * (1 + weight * (np.exp(0.2) - 1)), 32), rel=1e-4)


def test_after_a_miss_the_search_is_wide_until_a_reliable_peak(box_model, moving_square):
    state = tracking.start(box_model, torch.from_numpy(moving_square[0][0]), (40, 50, 32, 32))
    state = dataclasses.replace(state, first_peak=1.0)
    assert state.drifting  # the first search is wide
    seen = []
    for score in (0.7, 0.5, 0.05, 0.5, 0.65, 0.5):
        state = dataclasses.replace(state, drifting=tracking._is_drifting(box_model, state, score))
        seen.append(state.drifting)
    assert seen == [False, False, True, True, False, False]


def test_several_first_steps_bring_the_loss_down_further_than_one(moving_square):
    config = load_preset("default")
    frame, records = torch.from_numpy(moving_square[0][0]), []
    several = dataclasses.replace(config, update=dataclasses.replace(config.update, first_steps=4))
    model = Model(several, load_weights("default"), torch.device("cpu"))
    tracking.start(model, frame, (40, 50, 32, 32), observe=records.append)
    assert [record.step for record in records] == [0, 1, 2, 3]
    assert records[-1].loss_after < records[0].loss_after
