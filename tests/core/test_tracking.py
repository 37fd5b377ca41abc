import dataclasses

import numpy as np
import pytest
import torch
from small import CPU, model_of, preset

from roam_tracker.core import locate, tracking
from roam_tracker.core.config import load_preset
from roam_tracker.core.geometry import overlap
from roam_tracker.errors import WeightsError
from roam_tracker.tracker import RoamTracker
from roam_tracker.weights import load_weights

pytestmark = pytest.mark.slow

CONFIG = load_preset("default")


def with_box(**changes):
    return dataclasses.replace(CONFIG, box=dataclasses.replace(CONFIG.box, **changes))


def with_update(**changes):
    return dataclasses.replace(CONFIG, update=dataclasses.replace(CONFIG.update, **changes))


def track(frames, box, config=CONFIG):
    tracker = RoamTracker(config, device="cpu")
    tracker.init(frames[0], box)
    return np.array([tracker.update(frame) for frame in frames[1:]]), tracker


PARABOLA = {"estimate": "parabola", "scales": (0.9091, 1.0, 1.1), "size_weight": 0.5}
SIZES = {"the preset's": {}, "half of the parabola": PARABOLA, "best": {"estimate": "best"}}


@pytest.mark.parametrize("size", SIZES)
def test_the_tracker_follows_a_moving_square(moving_square, size):
    frames, boxes = moving_square
    tracked, _ = track(frames, boxes[0], with_box(**SIZES[size]))
    assert overlap(tracked, boxes[1:]).mean() > 0.7


@pytest.mark.parametrize("size", SIZES)
def test_the_box_grows_with_the_target(moving_square, size):
    frames, boxes = moving_square
    patch = frames[0][50:82, 40:72]
    grown, truth = [frames[0]], [boxes[0]]
    for k in range(1, 25):
        side = round(32 * 1.02**k)
        index = (np.arange(side) * 32) // side
        frame = frames[0].copy()
        frame[50:82, 40:72] = frames[-1][50:82, 40:72]
        frame[40 : 40 + side, 40 : 40 + side] = patch[index][:, index]
        grown.append(frame)
        truth.append((40, 40, side, side))
    tracked, _ = track(grown[:1] + grown[1:], truth[0], with_box(**SIZES[size]))
    assert tracked[-1][2] > 40
    assert overlap(tracked[-1], np.array(truth[-1])) > 0.55


def test_the_top_of_a_parabola_through_three_scores():
    # -(t - 0.25)^2 at -1, 0, 1; a valley has its top at the higher end
    assert locate.vertex(-1.5625, -0.0625, -0.5625) == pytest.approx(0.25)
    assert locate.vertex(3.0, 0.0, 1.0) == -1.0
    assert locate.vertex(1.0, 1.0, 1.0) == 0.0


def test_crops_of_the_pyramid_show_the_middle_of_the_search_region(moving_square, monkeypatch):
    frames, boxes = moving_square
    tracker, crops = RoamTracker(CONFIG, device="cpu"), []
    crop = tracker.model.engine.crop
    monkeypatch.setattr(
        tracker.model.engine, "crop", lambda *args: (crops.append((args[1:4], crop(*args))), crops[-1][1])[1]
    )
    tracker.init(frames[0], boxes[0])
    tracker.update(frames[1])
    (centres, sides, size), patches = crops[-1]
    assert size == 145 and len(patches) == 3  # 3 x 48 px and one, of all scales
    # the believed scale comes first; the whole region around that centre shows the same in its middle
    whole = crop(torch.from_numpy(frames[1]), centres[:1], sides[:1] * 241 / 145, 241, tracker.model.spec)
    torch.testing.assert_close(patches[0], whole[0, :, 48:-48, 48:-48], atol=1e-3, rtol=0)


def test_the_same_sequence_gives_the_same_bytes_twice(moving_square):
    frames, boxes = moving_square
    first, second = track(frames[:12], boxes[0])[0], track(frames[:12], boxes[0])[0]
    assert first.tobytes() == second.tobytes()


def test_frames_after_the_current_one_change_no_box(moving_square):
    frames, boxes = moving_square
    noise = np.random.default_rng(1).integers(0, 256, frames[0].shape, dtype=np.uint8)
    whole = track(frames[:12], boxes[0])[0]
    cut = track([*frames[:8], noise, noise, noise, noise], boxes[0])[0]
    assert whole[:7].tobytes() == cut[:7].tobytes()
    assert whole[7:].tobytes() != cut[7:].tobytes()


def test_theta_changes_every_tau_frames_and_only_then(moving_square):
    frames, boxes = moving_square
    model = model_of(preset())
    state = tracking.start(model, torch.from_numpy(frames[0]), tuple(boxes[0]))
    changed = []
    for number, frame in enumerate(frames[1:12], start=1):
        after, _, _ = tracking.step(model, state, torch.from_numpy(frame))
        if not torch.equal(after.theta, state.theta):
            changed.append(number)
        state = after
    assert changed == [5, 10]


def test_no_steps_leave_the_first_frames_model_alone(moving_square):
    frames, boxes = moving_square
    _, tracker = track(frames, boxes[0], with_update(steps=0))
    _, briefly = track(frames[:2], boxes[0], with_update(steps=0))
    assert torch.equal(tracker.state.theta, briefly.state.theta)


def test_memory_keeps_the_previous_two_tau_frames(moving_square):
    frames, boxes = moving_square
    _, tracker = track(frames, boxes[0])
    assert len(tracker.state.memory) == 10


def test_a_guarded_step_never_raises_the_loss_of_its_batch(moving_square):
    frames, boxes = moving_square
    found = {}
    for halvings in (4, 0):
        weights, records = load_weights("default"), []
        weights["output.bias"] = weights["output.bias"] + 6  # rates far too large
        model = model_of(preset(update={"guard_halvings": halvings}), weights=weights)
        state = tracking.start(model, torch.from_numpy(frames[0]), tuple(boxes[0]))
        for frame in frames[1:6]:
            state, _, _ = tracking.step(model, state, torch.from_numpy(frame), observe=records.append)
        found[halvings] = [step.loss_after - step.loss_before for step in records]
    assert len(found[4]) == 2 and max(found[4]) <= 0
    assert max(found[0]) > 0


def test_a_target_that_leaves_the_frame_keeps_a_finite_box_near_it(moving_square):
    frames, boxes = moving_square
    empty = np.zeros_like(frames[0])
    tracked, tracker = track([*frames[:6], *[empty] * 40], boxes[0])
    assert np.isfinite(tracked).all()
    centres = tracked[:, :2] + tracked[:, 2:] / 2
    assert (centres >= 0).all() and (centres <= [200, 160]).all()
    assert tracker.score < 0.5


@pytest.mark.parametrize(
    "box", [(-20, -10, 40, 30), (180, 140, 60, 60), (-50, -50, 400, 400), (90, 80, 1, 1), (199, 159, 9, 9)]
)
def test_boxes_at_and_beyond_the_frames_edge_are_tracked_without_failure(moving_square, box):
    tracked, _ = track(moving_square[0][:7], box)
    assert np.isfinite(tracked).all() and (tracked[:, 2:] > 0).all()


def test_weights_of_another_preset_are_refused_with_both_shapes():
    smaller = dataclasses.replace(CONFIG, model=dataclasses.replace(CONFIG.model, filter_width=9))
    with pytest.raises(WeightsError, match=r"theta0 of shape \(5185,\).*needs \(4481,\)"):
        tracking.Model(smaller, load_weights("default"), CPU)
