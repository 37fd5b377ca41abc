"""Presets with settings changed, and models of them on the CPU: shared by the tests of core and fast."""

import dataclasses

import numpy as np
import torch

from roam_tracker.core import tracking
from roam_tracker.core.config import load_preset
from roam_tracker.core.engine import Reference
from roam_tracker.core.fast.engine import Fast
from roam_tracker.weights import load_weights

CPU = torch.device("cpu")
ENGINES = {"reference": Reference, "fast": Fast}


def preset(name="default", **changes):
    """A preset in float32; `changes` are tables of settings, or values of the preset itself."""
    config = dataclasses.replace(load_preset(name), precision="float32")
    for key, value in changes.items():
        if isinstance(value, dict):
            value = dataclasses.replace(getattr(config, key), **value)
        config = dataclasses.replace(config, **{key: value})
    return config


def model_of(config, engine="fast", weights=None):
    """A model with shipped weights."""
    weights = load_weights(config.weights) if weights is None else weights
    return tracking.Model(config, weights, CPU, ENGINES[engine]())


def follow(model, frames, box):
    """Rows of x, y, w, h and score in all frames but the first, and the state at the end.

    frames: arrays or tensors (H, W, 3)
    """
    frames = [torch.as_tensor(frame) for frame in frames]
    state, rows = tracking.start(model, frames[0], tuple(float(value) for value in box)), []
    for frame in frames[1:]:
        state, found, score = tracking.step(model, state, frame)
        rows.append((*found, score))
    return np.array(rows), state
