import numpy as np
import pytest
from PIL import Image

import roam_tracker
from roam_tracker import RoamTracker
from roam_tracker.errors import BoxError, ConfigError, ImageError, RoamError, WeightsError
from roam_tracker.tracker import to_rgb
from roam_tracker.weights import load_weights

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
