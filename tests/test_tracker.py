import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import roam_tracker
from roam_tracker import RoamTracker
from roam_tracker.core import tracking
from roam_tracker.core.config import load_preset
from roam_tracker.core.fast.many import Batch
from roam_tracker.errors import (
    BoxError,
    ConfigError,
    ImageError,
    InputError,
    RoamError,
    RunError,
    WeightsError,
)
from roam_tracker.images import to_rgb
from roam_tracker.weights import load_weights

ORACLE = dataclasses.replace(load_preset("default"), oracle=True)
RGB = np.random.default_rng(0).integers(0, 256, (24, 32, 3), dtype=np.uint8)


def test_paths_pil_images_and_arrays_give_the_same_box(tmp_path, moving_square):
    frames, boxes = moving_square
    results = []
    for k, frame in enumerate(frames[:2]):
        Image.fromarray(frame).save(tmp_path / f"{k}.png")
    for form in (lambda k: frames[k], lambda k: Image.fromarray(frames[k]), lambda k: tmp_path / f"{k}.png"):
        tracker = RoamTracker(device="cpu")
        tracker.init(form(0), boxes[0])
        results.append(tracker.update(form(1)).tolist())
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("mode", ["L", "RGBA", "CMYK", "P", "1"])
def test_images_of_every_mode_become_rgb(mode):
    assert to_rgb(Image.fromarray(RGB).convert(mode)).shape == (24, 32, 3)


def test_grey_and_rgba_arrays_become_rgb():
    grey = RGB[:, :, 0]
    assert np.array_equal(to_rgb(grey), to_rgb(grey[:, :, None]))
    assert np.array_equal(to_rgb(np.dstack([RGB, grey])), RGB)


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (RGB.astype(float), "uint8"),
        (RGB[:, :, :2], "shape"),
        (np.zeros((0, 4, 3), np.uint8), "not empty"),
        ("nowhere.jpg", "nowhere.jpg does not exist"),
    ],
)
def test_an_unusable_image_is_refused_with_the_reason(image, told):
    with pytest.raises(ImageError, match=told):
        to_rgb(image)


def test_a_damaged_image_file_is_named(tmp_path):
    path = tmp_path / "torn.jpg"
    Image.fromarray(RGB).save(path)
    path.write_bytes(path.read_bytes()[:-300])
    with pytest.raises(ImageError, match=r"torn\.jpg cannot be read"):
        to_rgb(path)
    with pytest.raises(ImageError, match=r"torn\.jpg cannot be read"):
        to_rgb(Image.open(path))


def test_update_before_init_says_what_to_do(moving_square):
    with pytest.raises(RoamError, match="call init"):
        RoamTracker(device="cpu").update(moving_square[0][0])


def test_a_box_without_area_an_unknown_preset_and_an_unknown_device_are_refused(moving_square):
    with pytest.raises(BoxError, match="positive width"):
        RoamTracker(device="cpu").init(moving_square[0][0], (1, 2, 0, 5))
    with pytest.raises(ConfigError, match="did you mean 'default'"):
        RoamTracker(preset="defaults")
    with pytest.raises(ConfigError, match="use auto, cpu"):
        RoamTracker(device="gpu")


def test_missing_and_damaged_weights_are_named(tmp_path):
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(b"\x08\x00\x00\x00\x00\x00\x00\x00notjson!")
    with pytest.raises(WeightsError, match=r"damaged\.safetensors are damaged"):
        load_weights(str(damaged))
    with pytest.raises(WeightsError, match="does not exist"):
        load_weights(str(tmp_path / "gone.safetensors"))
    with pytest.raises(WeightsError, match="No weights named 'gone'"):
        load_weights("gone")


def test_the_package_has_a_version_and_no_other_attributes():
    assert roam_tracker.__version__.count(".") == 2
    with pytest.raises(AttributeError, match="nothing"):
        _ = roam_tracker.nothing


def started(moving_square, preset="default", frames=0, truth=None, **options):
    """A tracker after so many updates."""
    images, boxes = moving_square
    tracker = RoamTracker(preset, device="cpu", **options)
    tracker.init(images[0], boxes[0])
    for k in range(1, frames + 1):
        tracker.update(images[k], None if truth is None else truth[k])
    return tracker


@pytest.mark.parametrize("saved_at", [0, 4, 5, 7])
def test_a_saved_target_goes_on_byte_for_byte(moving_square, tmp_path, saved_at):
    images = moving_square[0]
    tracker = started(moving_square, frames=saved_at)
    tracker.save(tmp_path / "target.safetensors")
    other = RoamTracker(device="cpu")
    other.load(tmp_path / "target.safetensors")
    assert other.score == tracker.score
    for image in images[saved_at + 1 : 17]:
        assert tracker.update(image).tobytes() == other.update(image).tobytes()
        assert tracker.score == other.score
    assert tracker.state.theta.numpy().tobytes() == other.state.theta.numpy().tobytes()


def test_a_loaded_target_equals_the_saved_one_in_every_part(moving_square, tmp_path):
    def parts(value):
        if dataclasses.is_dataclass(value):
            names = [
                field.name for field in dataclasses.fields(value) if field.name != "kept"
            ]  # the engine's
            return [part for name in names for part in parts(getattr(value, name))]
        if isinstance(value, dict):
            return [part for key in sorted(value) for part in (key, *parts(value[key]))]
        if isinstance(value, tuple):
            return [len(value), *(part for entry in value for part in parts(entry))]
        if hasattr(value, "stride"):
            return [value.dtype, value.stride(), value.contiguous().numpy().tobytes()]
        return [type(value), value]

    tracker = started(moving_square, frames=6)
    tracker.save(tmp_path / "target")
    state = tracker.state
    tracker.load(tmp_path / "target")
    assert state is not tracker.state
    assert parts(state) == parts(tracker.state)


def test_a_target_of_another_preset_or_other_weights_is_refused(moving_square, tmp_path):
    started(moving_square).save(tmp_path / "target")
    config = load_preset("default")
    other = dataclasses.replace(config, update=dataclasses.replace(config.update, steps=3))
    with pytest.raises(InputError, match="another preset or other weights"):
        RoamTracker(other, device="cpu").load(tmp_path / "target")
    changed = RoamTracker(device="cpu")
    changed.model.weights["theta0"] = changed.model.weights["theta0"] * 2
    with pytest.raises(InputError, match="another preset or other weights"):
        changed.load(tmp_path / "target")


def test_where_the_weights_lie_does_not_matter_for_a_saved_target(moving_square, tmp_path):
    import roam_tracker.weights as shipped

    content = (Path(shipped.__file__).parent / "default.safetensors").read_bytes()
    (tmp_path / "mine.safetensors").write_bytes(content)
    started(moving_square).save(tmp_path / "target")
    moved = dataclasses.replace(load_preset("default"), weights=str(tmp_path / "mine.safetensors"))
    RoamTracker(moved, device="cpu").load(tmp_path / "target")


def test_a_damaged_or_absent_state_file_is_named(moving_square, tmp_path):
    tracker = started(moving_square)
    tracker.save(tmp_path / "target")
    content = (tmp_path / "target").read_bytes()
    before = tracker.state
    for damaged in (b"", content[:100], content[:-9], b"no tensors at all"):
        (tmp_path / "target").write_bytes(damaged)
        with pytest.raises(InputError, match="target is no whole state file"):
            tracker.load(tmp_path / "target")
    with pytest.raises(InputError, match="gone cannot be read: No such file"):
        tracker.load(tmp_path / "gone")
    weights = Path(roam_tracker.__file__).parent / "weights/default.safetensors"
    with pytest.raises(InputError, match=r"default\.safetensors is no whole state file"):
        tracker.load(weights)
    assert tracker.state is before  # a refused file leaves the target alone


def test_saving_before_init_says_what_to_do_and_a_failed_save_names_the_file(moving_square, tmp_path):
    with pytest.raises(RoamError, match="call init"):
        RoamTracker(device="cpu").save(tmp_path / "target")
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="target could not be written"):
        started(moving_square).save(tmp_path / "file" / "target")


def test_an_oracle_told_its_own_boxes_tracks_as_the_normal_tracker(moving_square):
    images = moving_square[0]
    normal, oracle = (started(moving_square, preset) for preset in ("default", ORACLE))
    for image in images[1:12]:
        own = normal.update(image)
        # float64 round trips through corner and centre may move the label by a last bit
        twin = oracle.update(image, truth=own)
        np.testing.assert_allclose(own, twin, atol=1e-3)


def test_truth_changes_no_box_before_the_first_update_and_every_model_after_it(moving_square):
    images, boxes = moving_square
    away = boxes + np.array([9, -7, 0, 0])
    normal, oracle = started(moving_square), started(moving_square, ORACLE)
    for k in range(1, 6):
        assert normal.update(images[k]).tobytes() == oracle.update(images[k], truth=away[k]).tobytes()
    assert not np.array_equal(normal.state.theta, oracle.state.theta)


def test_an_oracles_samples_are_labelled_with_the_truth(moving_square):
    images, boxes = moving_square
    oracle = started(moving_square, ORACLE)
    before = oracle.state
    oracle.update(images[1], truth=boxes[1])
    sample, model = oracle.state.memory[-1], oracle.model
    side = model.region_side(before.size_px)
    x, y, w, h = boxes[1]
    middle = (model.map_size - 1) / 2
    assert sample.centre_cells[0] == pytest.approx(
        middle + model.cells(x + w / 2 - before.centre_px[0], side)
    )
    assert sample.centre_cells[1] == pytest.approx(
        middle + model.cells(y + h / 2 - before.centre_px[1], side)
    )
    assert sample.size_cells == pytest.approx((model.cells(w, side), model.cells(h, side)))


@pytest.mark.parametrize("absent", [[np.nan] * 4, [0, 0, 0, 0], [3, 4, 0, 9], [np.inf, 0, 3, 3]])
def test_where_the_target_is_absent_an_oracle_learns_from_its_own_box(moving_square, absent):
    images = moving_square[0]
    normal, oracle = started(moving_square), started(moving_square, ORACLE)
    for k in range(1, 7):
        assert normal.update(images[k]).tobytes() == oracle.update(images[k], truth=absent).tobytes()


def test_truth_is_required_of_an_oracle_preset_and_refused_by_any_other(moving_square):
    image = moving_square[0][1]
    with pytest.raises(RoamError, match=r"needs the true box of every frame: update\(image, truth=box\)"):
        started(moving_square, ORACLE).update(image)
    with pytest.raises(RoamError, match="Only an oracle preset may see true boxes"):
        started(moving_square).update(image, truth=(1, 2, 3, 4))
    with pytest.raises(BoxError, match="four numbers"):
        started(moving_square, ORACLE).update(image, truth=(1, 2, 3))


def test_a_target_followed_as_a_batch_of_one_is_the_same_target(moving_square, tmp_path):
    """As on CUDA, where RoamTracker does so by itself."""
    frames, boxes = moving_square
    config = dataclasses.replace(load_preset("default"), precision="float32")
    plain, batched = (RoamTracker(config, device="cpu") for _ in range(2))
    batched._single = Batch(batched.model, 1)
    for tracker in (plain, batched):
        tracker.init(frames[0], boxes[0])
    for frame in frames[1:12]:
        np.testing.assert_allclose(batched.update(frame), plain.update(frame), atol=1e-2)
        assert batched.score == pytest.approx(plain.score, abs=1e-3)
    assert batched.state.frames == plain.state.frames == 11
    batched.save(tmp_path / "target")
    batched.init(frames[3], boxes[3])
    batched.load(tmp_path / "target")
    for frame in frames[12:]:
        np.testing.assert_allclose(batched.update(frame), plain.update(frame), atol=1e-2)


# Threads


@pytest.fixture
def two_threads():
    """PyTorch as it stands in a user's process on two cores."""
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(1)


@pytest.mark.parametrize(("threads", "counted"), [({}, 1), ({"threads": 3}, 3), ({"threads": None}, 2)])
def test_a_tracker_computes_with_its_own_threads_and_leaves_the_callers_number(
    threads, counted, moving_square, two_threads, monkeypatch
):
    seen = []

    def watched(function):
        def call(*args, **kwargs):
            seen.append(torch.get_num_threads())
            return function(*args, **kwargs)

        return call

    for name in ("Model", "start", "step"):
        monkeypatch.setattr(tracking, name, watched(getattr(tracking, name)))
    tracker = started(moving_square, **threads)
    tracker.update(moving_square[0][1])
    assert seen == [counted] * 3
    assert torch.get_num_threads() == 2


def test_the_callers_threads_come_back_after_an_error(moving_square, two_threads, monkeypatch):
    tracker = started(moving_square)
    monkeypatch.setattr(tracking, "step", lambda *args, **kwargs: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        tracker.update(moving_square[0][1])
    assert torch.get_num_threads() == 2


def test_boxes_do_not_depend_on_the_callers_threads(moving_square):
    found = []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        tracker = started(moving_square)
        found.append([tracker.update(frame).tobytes() for frame in moving_square[0][1:12]])
        torch.set_num_threads(1)
    assert found[0] == found[1]


@pytest.mark.parametrize("threads", [0, -1, 1.0, True, "2"])
def test_a_number_of_threads_that_is_none_is_refused(threads):
    with pytest.raises(ConfigError, match="threads must be a whole number from 1 on, or None"):
        RoamTracker(device="cpu", threads=threads)


def test_a_target_in_16_bits_is_saved_with_the_scale_of_its_images(moving_square, tmp_path):
    frames = [frame.astype(np.uint16) * 3 + 7000 for frame in moving_square[0][:8]]
    tracker = RoamTracker()
    tracker.init(frames[0], moving_square[1][0])
    for frame in frames[1:4]:
        tracker.update(frame)
    tracker.save(tmp_path / "a.state")
    again = RoamTracker()
    again.load(tmp_path / "a.state")
    for frame in frames[4:]:
        assert again.update(frame).tolist() == tracker.update(frame).tolist()
