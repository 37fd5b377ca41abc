import dataclasses

import numpy as np
import pytest
import torch

from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import UpdateConfig
from roam_tracker.core.views import View, view_patches, views

SPEC = dataclasses.replace(backbone_spec("lite0"), mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))
SIZE, CELLS, MAP = 161, 161 / 8, 21
CENTRE, TARGET, SIDE = (200.0, 150.0), (30.0, 20.0), 161.0  # a px of the patch is one of the frame


def dot(x, y, width=400, height=300):
    """A frame with one soft bright dot, its centre at x, y in px."""
    across, down = np.arange(width) + 0.5 - x, (np.arange(height) + 0.5 - y)[:, None]
    return torch.from_numpy(
        (250 * np.exp(-(across**2 + down**2) / 18)).astype(np.uint8)[..., None].repeat(3, axis=2)
    )


def patch_of(view, frame):
    return view_patches(frame, CENTRE, SIDE, TARGET, [view], SIZE, SPEC)[0, 0]


def middle_of(patch):
    """Centre of mass x, y in px of the patch."""
    cells = torch.arange(SIZE) + 0.5
    return float((patch.sum(0) * cells).sum() / patch.sum()), float(
        (patch.sum(1) * cells).sum() / patch.sum()
    )


@pytest.mark.parametrize(
    "view",
    [
        View(),
        View(scale=1.2),
        View(scale=0.85),
        View(degrees=35.0),
        View(degrees=-35.0),
        View(shift=(0.5, -0.25)),
        View(shift=(0.5, -0.25), flip=True),
        View(flip=True),
        View(blur=2.0),
    ],
    ids=str,
)
def test_the_label_of_a_view_lies_where_the_target_is_seen(view):
    x, y = middle_of(patch_of(view, dot(*CENTRE)))
    (column, row), size = view.label(SIDE, TARGET, MAP, CELLS)
    # cell i of the map looks at pixel 8 i of the patch, whose centre is 8 i + 1/2
    assert (8 * column + 0.5, 8 * row + 0.5) == pytest.approx((x, y), abs=0.15)
    assert size == pytest.approx([length / (SIDE * view.scale) * CELLS for length in TARGET])


def test_a_turned_view_shows_what_lies_right_of_the_target_above_or_below_it():
    frame = dot(CENTRE[0] + 40, CENTRE[1])
    for degrees in (90.0, -90.0):
        x, y = middle_of(patch_of(View(degrees=degrees), frame))
        assert x == pytest.approx(SIZE / 2, abs=0.3)
        assert abs(y - SIZE / 2) == pytest.approx(40, abs=0.3)


def test_a_blurred_view_is_smoother_and_as_bright():
    sharp, blurred = (patch_of(View(blur=blur), dot(*CENTRE)) for blur in (0.0, 2.0))
    assert float(blurred.sum()) == pytest.approx(float(sharp.sum()), rel=1e-3)
    assert blurred.max() < 0.8 * sharp.max()


def test_the_settings_name_the_views_and_the_unchanged_one_is_the_first():
    config = UpdateConfig(
        first_scales=(1.0, 0.8),
        first_rotations=(-30.0, 30.0),
        first_shift=0.2,
        first_flip=True,
        first_blurs=(1.5,),
    )
    found = views(config)
    assert found[0] == View()
    assert len(set(found)) == len(found) == 2 + 2 + 4 + 1 + 1
    assert views(UpdateConfig()) == (View(),)
