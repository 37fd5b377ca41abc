"""What several tests share: a moving target made in memory."""

import os

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, settings

from roam_tracker.core.fast.backbone import bfloat16_on_cpu

# ROAM_FUZZ=20 tries twenty times as many cases, and new ones each time; see fuzz.py
settings.register_profile(
    "roam",
    deadline=None,
    database=None,
    derandomize="ROAM_FUZZ" not in os.environ,
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("roam")

# a mark of tests that compute in bfloat16 on the processor
NEEDS_BFLOAT16 = pytest.mark.skipif(not bfloat16_on_cpu(), reason="this processor lacks bfloat16")

# small tensors: more threads only wait for each other, above all beside other work
torch.set_num_threads(1)


@pytest.fixture(scope="session")
def moving_square():
    """Twenty frames of a chequered square that drifts over a dark speckled ground, and its boxes."""
    rng = np.random.default_rng(0)
    ground = rng.integers(30, 90, (160, 200, 3), dtype=np.uint8)
    ground[::2], ground[:, ::2] = ground[1::2], ground[:, 1::2]
    side = 32
    rows, columns = np.mgrid[:side, :side] // 8
    square = np.where(((rows + columns) % 2)[:, :, None], [230, 200, 60], [200, 40, 40]).astype(np.uint8)
    frames, boxes = [], []
    for k in range(20):
        x, y = 40 + 4 * k, 50 + round(12 * np.sin(k / 4))
        frame = ground.copy()
        frame[y : y + side, x : x + side] = square
        frames.append(frame)
        boxes.append((x, y, side, side))
    return frames, np.array(boxes, dtype=float)
