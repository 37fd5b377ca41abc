"""Whatever is handed in: a finite box in bounds, or one named error and the target as it was."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import roam_tracker.weights as shipped
from roam_tracker import RoamTracker
from roam_tracker.core.config import load_preset
from roam_tracker.core.fast.many import Batch
from roam_tracker.errors import BoxError, ImageError, RoamError, RunError, WeightsError

pytestmark = pytest.mark.slow

DEFAULT = load_preset("default")
GUARDLESS = dataclasses.replace(
    DEFAULT, update=dataclasses.replace(DEFAULT.update, guard_halvings=0, miss_ratio=0.0)
)
SGD = dataclasses.replace(load_preset("sgd"), weights="default")


@pytest.fixture(scope="module", params=["one by one", "as on CUDA"])
def tracker(request):
    """Both ways in which a target is followed."""
    tracker = RoamTracker(device="cpu")
    if request.param == "as on CUDA":
        tracker._single = Batch(tracker.model, 1, canvas=True)
    return tracker


@pytest.fixture
def started(tracker, moving_square):
    tracker.init(moving_square[0][0], moving_square[1][0])
    return tracker


def assert_sane(box, image):
    height, width = image.shape[:2]
    assert box.shape == (4,) and np.isfinite(box).all()
    x, y, w, h = box
    assert 0 <= x + w / 2 <= width and 0 <= y + h / 2 <= height
    assert 0 < w <= width and 0 < h <= height


def assert_same(state, before):
    assert state.centre_px == before.centre_px and state.size_px == before.size_px
    assert state.frames == before.frames and torch.equal(state.theta, before.theta)


# Frames


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (3, 2), (1600, 1200)])
def test_frames_of_another_size_in_between_give_boxes_inside_them(started, moving_square, size):
    other = np.full((size[1], size[0], 3), 90, np.uint8)
    for image in (other, moving_square[0][1], other, other, other, moving_square[0][2]):
        assert_sane(started.update(image), image)


def test_a_very_large_frame_is_tracked(tracker):
    image = np.full((6000, 8000, 3), 60, np.uint8)
    image[3000:3200, 4000:4200] = 220
    tracker.init(image, (4000, 3000, 200, 200))
    assert_sane(tracker.update(image), image)


def test_a_frame_of_one_pixel_can_be_the_first(tracker):
    image = np.zeros((1, 1, 3), np.uint8)
    tracker.init(image, (0, 0, 1, 1))
    assert_sane(tracker.update(image), image)


def test_an_unusable_frame_leaves_the_target_as_it_was(started, moving_square):
    before = started.state
    for image in ("nowhere.png", np.zeros((0, 3, 3), np.uint8)):
        with pytest.raises(ImageError):
            started.update(image)
    assert_same(started.state, before)
    assert_sane(started.update(moving_square[0][1]), moving_square[0][1])


# Boxes


@pytest.mark.parametrize(
    "box",
    [
        (-10, -10, 20, 20), (190, 150, 40, 40), (199.9, 10, 5, 5),  # partly outside
        (0, 0, 200, 160), (-100, -80, 400, 320), (-300, -200, 800, 640),  # as large as the frame, and larger
        (50, 50, 0.5, 0.5), (50, 0, 1, 160), (0, 50, 200, 0.5), (99, 79, 1, 1),  # a pixel, a line
    ],
)  # fmt: skip
def test_a_box_that_shows_something_is_tracked_in_bounds(tracker, moving_square, box):
    tracker.init(moving_square[0][0], box)
    for image in moving_square[0][1:7]:
        assert_sane(tracker.update(image), image)


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ((200, 10, 5, 5), "lies outside the image of 200 x 160 px"),
        ((-5, -5, 5, 5), "lies outside"),
        ((-1000, 0, 5000, 50), "more than 4 times as large"),
        ((10, 10, 0.4, 9), "too small"),
        ((10, 10, 5e-324, 9), "too small"),
        ((0, 0, 1e300, 1e300), "within a million pixels"),
        ((-1e7, 0, 2e7, 9), "within a million pixels"),
        ((1, 2, 3, -4), "positive"),
        ((1, 2, 0, 4), "positive"),
        ((1, float("nan"), 3, 4), "finite"),
        ((1, 2, float("inf"), 4), "finite"),
        ("1234", "four numbers"),
        (b"1234", "four numbers"),
        ("1,2,3,4", "four numbers"),
        ({1: 0, 2: 0, 3: 0, 4: 0}, "four numbers"),
        (("a", "b", "c", "d"), "four numbers"),
        ((1, 2, 3), "four numbers"),
        ((1, 2, 3, 4, 5), "four numbers"),
        ([[1, 2, 3, 4]], "four numbers"),
        (None, "four numbers"),
        (itertools.count(), "four numbers"),
        (np.zeros((50, 60, 3)), r"four numbers .* \.\.\.$"),
        (7, "four numbers"),
    ],
)
def test_a_box_that_is_none_is_refused_with_the_reason(started, moving_square, box, told):
    before = started.state
    with pytest.raises(BoxError, match=told):
        started.init(moving_square[0][0], box)
    assert_same(started.state, before)


# Targets


def test_a_target_that_leaves_or_shrinks_to_a_pixel_keeps_a_box_in_bounds(tracker):
    ground = np.random.default_rng(1).integers(40, 90, (120, 160, 3), dtype=np.uint8)

    def frame(x, side):
        image = ground.copy()
        image[50 : 50 + side, max(0, x) : max(0, x + side)] = (250, 220, 30)
        return image

    for path in ([(60 - 12 * k, 30) for k in range(12)], [(60, max(1, 30 - 3 * k)) for k in range(15)]):
        tracker.init(frame(*path[0]), (path[0][0], 50, 30, 30))
        for x, side in path[1:]:
            image = frame(x, side)
            assert_sane(tracker.update(image), image)


def test_many_frames_without_a_target_keep_a_box_in_bounds(started):
    generator = np.random.default_rng(2)
    for k in range(60):
        image = generator.integers(0, 256 if k % 3 else 1, (160, 200, 3), dtype=np.uint8)
        assert_sane(started.update(image), image)
        assert 0 <= started.score <= 1


# Updates that are not finite


@pytest.mark.parametrize("preset", [DEFAULT, GUARDLESS, SGD], ids=["guarded", "guardless", "sgd"])
@pytest.mark.parametrize("fault", ["loss and gradient", "gradient", "one coordinate", "infinite"])
def test_a_step_that_is_not_finite_is_undone_with_its_memory_and_counted(
    preset, fault, moving_square, monkeypatch
):
    tracker = RoamTracker(preset, device="cpu")
    tracker.init(moving_square[0][0], moving_square[1][0])
    for image in moving_square[0][1:5]:
        tracker.update(image)
    assert tracker.rejected_steps == 0
    before, engine = tracker.state, tracker.model.engine
    real = engine.loss_and_gradient

    def broken(*arguments):
        loss, gradient = real(*arguments)
        gradient = gradient.clone()
        if fault == "loss and gradient":
            return loss * torch.nan, gradient * torch.nan
        if fault == "one coordinate":
            gradient[-1] = torch.nan
        else:
            gradient[:] = torch.nan if fault == "gradient" else torch.inf
        return loss, gradient

    monkeypatch.setattr(engine, "loss_and_gradient", broken)
    assert_sane(tracker.update(moving_square[0][5]), moving_square[0][5])
    assert tracker.rejected_steps == preset.update.steps
    assert torch.equal(tracker.state.theta, before.theta)
    kept, old = tracker.state.optimizer, before.optimizer
    for part, same in zip(
        (kept.rates, *kept.hidden, *kept.cell), (old.rates, *old.hidden, *old.cell), strict=True
    ):
        assert torch.equal(part, same)
    monkeypatch.undo()
    for image in moving_square[0][6:11]:
        assert_sane(tracker.update(image), image)
    assert tracker.rejected_steps == preset.update.steps


def test_a_model_that_diverged_is_an_error(started, moving_square):
    frames = moving_square[0]
    huge = dataclasses.replace(started.state, theta=torch.full_like(started.state.theta, 1e38), kept=None)
    started._follow(huge, torch.from_numpy(frames[0]))
    with pytest.raises(RunError, match="not finite in this frame: the updates made the model diverge"):
        started.update(frames[1])
    started.init(frames[0], moving_square[1][0])
    assert_sane(started.update(frames[1]), frames[1])


def test_rates_that_make_the_model_diverge_end_in_bounds_or_in_a_named_error(moving_square):
    rates = dataclasses.replace(SGD.optimizer, sgd_rates=(1e6,))
    update = dataclasses.replace(SGD.update, guard_halvings=0, miss_ratio=0.0, every_frames=1)
    tracker = RoamTracker(dataclasses.replace(SGD, optimizer=rates, update=update), device="cpu")
    tracker.init(moving_square[0][0], moving_square[1][0])
    try:
        for image in moving_square[0][1:]:
            assert_sane(tracker.update(image), image)
    except RoamError as error:
        assert "diverge" in str(error)


def test_weights_that_are_not_finite_are_refused_by_name(tmp_path):
    file = next(path for path in shipped.__path__)
    tensors = load_file(f"{file}/default.safetensors")
    tensors["theta0"][3] = torch.nan
    save_file(tensors, tmp_path / "mine.safetensors")
    with pytest.raises(WeightsError, match=r"mine\.safetensors has values in 'theta0' that are not finite"):
        shipped.load_weights(str(tmp_path / "mine.safetensors"))
