import dataclasses

import numpy as np
import pytest
import torch

from roam_tracker.core import locate, scale
from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import BoxConfig
from roam_tracker.sample.render import make_sequence

SPEC, CONFIG = backbone_spec("lite0"), BoxConfig(filter_share=1.0)


@pytest.fixture(scope="module")
def first():
    """The first frame of a made sequence, centre and size of its target."""
    frames, boxes = make_sequence("scale", 1)
    x, y, w, h = boxes[0].tolist()
    return torch.from_numpy(frames[0]), (x + w / 2, y + h / 2), (w, h)


@pytest.mark.parametrize("factor", [0.92, 0.97, 1.0, 1.04, 1.1])
def test_the_filter_tells_how_far_a_believed_size_is_off(first, factor):
    frame, centre, (w, h) = first
    known = scale.learn(None, scale.columns(frame, centre, (w, h), CONFIG, SPEC), CONFIG)
    believed = w / factor, h / factor
    found = float(scale.best_factor(known, scale.columns(frame, centre, believed, CONFIG, SPEC), CONFIG))
    assert found == pytest.approx(factor, rel=0.02)


def test_a_filter_that_learns_slowly_keeps_what_it_knew(first):
    frame, centre, size = first
    seen = scale.columns(frame, centre, size, CONFIG, SPEC)
    other = scale.columns(frame, (60.0, 60.0), size, CONFIG, SPEC)
    known = scale.learn(None, seen, CONFIG)
    slow, at_once = (
        scale.learn(known, other, dataclasses.replace(CONFIG, filter_rate=rate)) for rate in (0.01, 1.0)
    )
    torch.testing.assert_close(slow.top, known.top + 0.01 * (at_once.top - known.top))
    fresh = scale.learn(None, other, CONFIG)
    torch.testing.assert_close(at_once.top, fresh.top)


def test_many_targets_at_once_have_the_filters_of_each_alone(first):
    frame, centre, size = first
    seen = [scale.columns(frame, place, size, CONFIG, SPEC) for place in (centre, (90.0, 80.0))]
    both = scale.learn(None, torch.stack(seen), CONFIG)
    alone = [scale.learn(None, each, CONFIG) for each in seen]
    torch.testing.assert_close(both.top, torch.stack([each.top for each in alone]))
    factors = scale.best_factor(both, torch.stack(seen[::-1]), CONFIG)
    expected = [float(scale.best_factor(a, s, CONFIG)) for a, s in zip(alone, seen[::-1], strict=True)]
    assert factors.tolist() == pytest.approx(expected)


def test_the_histogram_of_a_ramp_has_its_direction_in_one_bin():
    # grey rises to the right: the gradient points along +x, signed bin 0, unsigned bin 0
    ramp = torch.arange(24.0).expand(1, 24, 24)
    found = scale.histograms(ramp)[0, :, 2, 2]
    assert found.argmax() in (0, 18)
    assert float(found[[0, 18]].min()) > 0.3
    assert float(found.sum() - found[0] - found[18]) == pytest.approx(0, abs=1e-4)


def test_a_second_peak_is_told_only_outside_the_surroundings_of_the_first():
    values = torch.zeros(21, 21)
    values[10, 10], values[10, 13], values[3, 10] = 1.0, 0.9, 0.6
    at = 10 * 21 + 10
    # surroundings: 0.6 * (5, 5) cells, rounded up, on each side
    assert locate.second_peak(values, at, (5.0, 5.0)) == pytest.approx(0.6)
    assert locate.second_peak(values, at, (2.0, 2.0)) == pytest.approx(0.9)
    assert np.isclose(locate.second_peak(values, at, (30.0, 30.0)), 0.0)
