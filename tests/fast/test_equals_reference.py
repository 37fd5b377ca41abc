"""The contract of an engine: it gives the numbers of the reference, piece by piece and box by box."""

import numpy as np
import pytest
import torch
from small import ENGINES, follow, model_of, preset

from roam_tracker.core import backbone
from roam_tracker.core.config import OptimizerConfig, preset_names
from roam_tracker.core.engine import Reference
from roam_tracker.core.fast import fourier
from roam_tracker.core.optimizers import KINDS
from roam_tracker.core.theta import ThetaShape
from roam_tracker.sample.render import render
from roam_tracker.weights import load_weights
from roam_tracker.weights.backbones import random_backbone

OTHERS = [name for name in ENGINES if name != "reference"]
REFERENCE = Reference()


@pytest.fixture(params=OTHERS)
def engine(request):
    return ENGINES[request.param]()


def random(*size, seed=0):
    return torch.randn(*size, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# Its pieces. The last shape has so many features that their spectra would not pay.

SHAPES = [ThetaShape(6, 4, *size) for size in ((1, 1), (5, 3), (9, 7), (9, 9))] + [ThetaShape(9, 4, 5, 3)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("prepared", [True, False])
def test_responses_are_those_of_the_reference(engine, shape, prepared):
    theta, features = random(shape.count), random(3, shape.channels, 9, 9, seed=1)
    seen = engine.transform(features, shape)
    form = engine.prepare(theta, shape, (9, 7)) if prepared else None
    expected = REFERENCE.respond(theta, shape, features)
    torch.testing.assert_close(engine.respond(theta, shape, seen, form), expected)
    # of some of the maps, and of maps that were apart
    torch.testing.assert_close(engine.respond(theta, shape, seen[[2, 0]], form), expected[[2, 0]])
    joined = engine.join([seen[1:2], seen[0:1]])
    torch.testing.assert_close(engine.respond(theta, shape, joined, form), expected[[1, 0]])


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("loss", ["masked", "energy"])
@pytest.mark.parametrize(
    "shares", [None, torch.tensor([0.5, 0.2, 0.3], dtype=torch.float64)], ids=["", "shares"]
)
def test_losses_and_gradients_are_those_of_the_reference(engine, shape, loss, shares):
    theta, features = random(shape.count), random(3, shape.channels, 9, 9, seed=1)
    labels = random(3, 9, 9, seed=2).sigmoid()
    found = engine.loss_and_gradient(theta, shape, engine.transform(features, shape), labels, loss, shares)
    expected = REFERENCE.loss_and_gradient(theta, shape, features, labels, loss, shares)
    torch.testing.assert_close(found, expected)
    assert not any(part.requires_grad for part in found)


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("logarithms", [True, False])
def test_steps_of_each_optimizer_are_those_of_the_reference(engine, kind, logarithms):
    config = OptimizerConfig(
        kind=kind, log_rate_input=logarithms, log_loss_input=logarithms, group_bias=logarithms
    )
    ours, theirs = engine.make_optimizer(config), REFERENCE.make_optimizer(config)
    weights = {
        name: value.double() for name, value in theirs.new_weights(torch.Generator().manual_seed(0)).items()
    }
    rates, groups, constant = random(40).sigmoid(), torch.arange(40) // 10, random(40, seed=1).sigmoid()
    states = [rule.init(rates, groups, constant) for rule in (ours, theirs)]
    thetas = [random(40, seed=2)] * 2
    for step in range(3):
        gradient = random(40, seed=3 + step) * torch.logspace(-8, 2, 40, dtype=torch.float64)
        moved = [
            rule.step(weights, state, theta, gradient, torch.tensor(0.7, dtype=torch.float64))
            for rule, state, theta in zip((ours, theirs), states, thetas, strict=True)
        ]
        thetas, states = zip(*moved, strict=True)
        torch.testing.assert_close(*thetas)
        torch.testing.assert_close(states[0].hidden, states[1].hidden)
        torch.testing.assert_close(states[0].cell, states[1].cell)


@pytest.mark.parametrize("side", [12.0, 30.5, 70.0, 200.0])
@pytest.mark.parametrize("centre", [(30.3, 20.7), (2.0, 39.0), (53.0, 41.0), (-200.0, 10.0)])
def test_crops_are_those_of_the_reference(engine, side, centre):
    spec = backbone.backbone_spec("vgg16-torchvision")  # means and deviations differ between channels
    frame = torch.randint(0, 256, (41, 53, 3), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    regions = torch.tensor([side, 1.05 * side, 0.8 * side])
    centres = torch.tensor([centre] * 3, dtype=torch.float64)
    found, expected = (each.crop(frame, centres, regions, 21, spec) for each in (engine, REFERENCE))
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["lite0", "vgg16"])
@torch.no_grad()
def test_features_are_those_of_the_reference(engine, name):
    spec = backbone.backbone_spec(name)
    generator = torch.Generator().manual_seed(3)
    weights = load_weights("default") if name == "lite0" else random_backbone(name, generator)
    size = backbone.patch_size(spec, 60)
    patches = torch.randn(2, 3, size, size, generator=generator).to(memory_format=torch.channels_last)
    packed, precision = engine.pack(spec, weights, "float32", torch.device("cpu"))
    found, expected = engine.extract(spec, packed, patches), REFERENCE.extract(spec, weights, patches)
    assert precision == found.dtype == torch.float32
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5 * float(expected.abs().max()))


def test_models_that_would_gain_nothing_stay_out_of_the_fourier_domain():
    assert fourier.suits(ThetaShape(6, 4, 5, 3))
    assert not fourier.suits(ThetaShape(6, 2, 5, 3))


# Its boxes

SHIPPED = [name for name in preset_names() if name not in ("paper", "roam-vgg-small")]
SETTINGS = {
    "window": {"model": {"window": True}},
    "views": {
        "update": {
            "first_scales": (1.0, 0.85),
            "first_rotations": (-20.0, 20.0),
            "first_shift": 0.2,
            "first_flip": True,
            "first_blurs": (1.5,),
        }
    },
    "memory": {"update": {"memory_stride": 2, "decay": 0.05, "samples": 3, "memory_frames": 7}},
    "masked": {"model": {"loss": "masked"}},
    "cells": {"box": {"subcell": False, "pyramid_roi": 0.0}},
    "three steps without a guard": {"update": {"steps": 3, "guard_halvings": 0}},
}


def boxes_of_both(config, name):
    scene = render("motion", 14)
    return (follow(model_of(config, each), scene.frames, scene.boxes[0]) for each in (name, "reference"))


@pytest.mark.slow
@pytest.mark.parametrize("engine_name", OTHERS)
@pytest.mark.parametrize("name", SHIPPED)
def test_each_preset_finds_the_boxes_of_the_reference(engine_name, name):
    (ours, state), (theirs, expected) = boxes_of_both(preset(name), engine_name)
    np.testing.assert_allclose(ours, theirs, atol=2e-2)
    assert [sample.frame for sample in state.memory] == [sample.frame for sample in expected.memory]
    assert np.ptp(theirs[:, 0]) > 5  # the target does move


@pytest.mark.slow
@pytest.mark.parametrize("engine_name", OTHERS)
@pytest.mark.parametrize("settings", SETTINGS)
def test_each_setting_finds_the_boxes_of_the_reference(engine_name, settings):
    (ours, state), (theirs, expected) = boxes_of_both(preset(**SETTINGS[settings]), engine_name)
    np.testing.assert_allclose(ours, theirs, atol=2e-2)
    assert state.rejected_steps == expected.rejected_steps
