"""Images of every kind become RGB, or are refused with the reason."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from roam_tracker.errors import ImageError
from roam_tracker.images import Levels, levels_of, size_of, to_rgb

RAMP = (np.arange(64 * 48, dtype=np.uint32) * 21).astype(np.uint16).reshape(48, 64)


@pytest.mark.parametrize("ending", ["png", "tiff", "pgm"])
def test_of_16_bits_the_upper_8_are_kept_in_files_and_arrays(ending, tmp_path):
    path = tmp_path / f"grey.{ending}"
    Image.fromarray(RAMP).save(path)
    expected = np.repeat((RAMP // 256).astype(np.uint8)[:, :, None], 3, axis=2)
    for form in (path, Image.open(path), RAMP, RAMP.astype(">u2")):
        assert np.array_equal(to_rgb(form), expected)


def test_16_bits_in_colour_are_scaled_too():
    colour = np.dstack([RAMP, RAMP[::-1], RAMP[:, ::-1]])
    assert np.array_equal(to_rgb(colour), colour // 256)


@pytest.mark.parametrize("mode", ["LA", "PA", "RGBX", "RGBa", "YCbCr", "HSV", "LAB", "I;16B"])
def test_images_of_rarer_modes_become_rgb(mode):
    assert to_rgb(Image.new(mode, (6, 4))).shape == (4, 6, 3)


def test_the_first_picture_of_an_animation_counts(tmp_path):
    pictures = [Image.new("RGB", (8, 6), colour) for colour in ("red", "blue")]
    pictures[0].save(tmp_path / "a.gif", save_all=True, append_images=pictures[1:])
    assert to_rgb(tmp_path / "a.gif")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (Image.new("F", (4, 4)), "floating-point pixels have no known scale"),
        (Image.fromarray(np.full((4, 4), -1, np.int32)), "no known scale"),
        (Image.new("RGB", (0, 4)), "not empty"),
        (Image.new("La", (4, 4)), "cannot be read"),
        (None, "uint8 or uint16"),
        ([[1, 2], [3]], "must be a path, a PIL image or an array"),
        (np.array(["a"]), "uint8 or uint16"),
        (np.zeros((2, 2, 2, 2), np.uint8), "shape"),
        (np.zeros((4, 4), bool), "uint8 or uint16"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(image, told):
    with pytest.raises(ImageError, match=told):
        to_rgb(image)


def test_an_image_too_large_to_be_true_is_refused(tmp_path, monkeypatch):
    Image.new("1", (300, 300)).save(tmp_path / "bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    with pytest.raises(ImageError, match=r"bomb\.png cannot be read .*decompression bomb"):
        to_rgb(tmp_path / "bomb.png")


@pytest.mark.parametrize("form", ["jpeg", "png", "gif", "tiff", "webp", "bmp"])
def test_a_file_cut_short_or_overwritten_is_named_or_read(form, tmp_path):
    buffer = io.BytesIO()
    Image.fromarray(RAMP).convert("L").save(buffer, form)
    whole = buffer.getvalue()
    for content in (b"", whole[:1], whole[: len(whole) // 2], whole[:20] + b"\xff" * 40 + whole[60:]):
        (tmp_path / "torn").write_bytes(content)
        try:
            assert to_rgb(tmp_path / "torn").dtype == np.uint8
        except ImageError as error:
            assert "torn cannot be read" in str(error)


def test_a_folder_is_no_image(tmp_path):
    with pytest.raises(ImageError, match="cannot be read"):
        to_rgb(tmp_path)


# More than 8 bits: one scale for a whole sequence

COUNTS = np.arange(48 * 64).reshape(48, 64) % 256  # every value from 0 to 255


def test_the_narrow_range_of_a_thermal_camera_is_spread_over_all_levels(tmp_path):
    for ending in ("png", "tiff", "pgm"):
        path = tmp_path / f"thermal.{ending}"
        Image.fromarray((7000 + COUNTS).astype(np.uint16)).save(path)
        assert levels_of(path) == Levels(7000, 7255)
        assert np.array_equal(to_rgb(path, levels_of(path))[:, :, 0], COUNTS)


def test_colour_of_16_bits_is_spread_too(tmp_path):
    colour = np.dstack([7000 + COUNTS, 7000 + COUNTS[::-1], 7000 + COUNTS[:, ::-1]]).astype(np.uint16)
    for ending in ("png", "tiff"):
        path = tmp_path / f"colour.{ending}"
        cv2.imwrite(str(path), colour[:, :, ::-1])
        assert np.array_equal(to_rgb(path, levels_of(path)), colour - 7000)


@pytest.mark.parametrize("values", [COUNTS / 255, COUNTS / 255 - 4, COUNTS * 1000.0])
def test_floats_of_any_range_are_spread_from_their_least_to_their_greatest(tmp_path, values):
    Image.fromarray(values.astype(np.float32)).save(tmp_path / "f.tiff")
    for form in (tmp_path / "f.tiff", values, values.astype(np.float16) if values.max() < 9 else values):
        assert np.abs(to_rgb(form, levels_of(form))[:, :, 0].astype(int) - COUNTS).max() <= 1


def test_later_images_keep_the_scale_of_the_first_and_are_cut_at_its_ends():
    levels = levels_of(np.array([[100, 200]], np.uint16))
    # 150 lies half way from 100 to 200: 127.5
    assert to_rgb(np.array([[50, 100, 150, 200, 900]], np.uint16), levels)[0, :, 0].tolist() == [
        0,
        0,
        128,
        255,
        255,
    ]


def test_single_pixels_far_from_all_others_do_not_set_the_scale():
    image = (7000 + COUNTS).astype(np.uint16)
    image[0, 0], image[5, 5] = 0, 65535
    levels = levels_of(image)
    # of 3072 pixels a thousandth may lie beyond, by a quarter of the others' range of 253 or so
    assert 7000 - 64 <= levels.low <= 7000 and 7255 <= levels.high <= 7255 + 64


def test_nan_is_black_and_an_image_of_nothing_else_is_refused():
    image = np.array([[0.0, np.nan, 1.0]])
    assert to_rgb(image, levels_of(image))[0, :, 0].tolist() == [0, 0, 255]
    with pytest.raises(ImageError, match="no finite pixel"):
        levels_of(np.full((2, 2), np.nan))


def test_images_of_8_bits_have_no_levels_and_stay_as_they_are(tmp_path):
    Image.fromarray(COUNTS.astype(np.uint8)).save(tmp_path / "grey.png")
    assert levels_of(tmp_path / "grey.png") is None
    assert np.array_equal(to_rgb(tmp_path / "grey.png", Levels(100, 200))[:, :, 2], COUNTS)


def test_an_even_image_is_black_and_no_fault():
    image = np.full((3, 4), 500, np.uint16)
    assert to_rgb(image, levels_of(image)).max() == 0


# Orientation


@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_is_turned_as_its_exif_orientation_says(tmp_path, orientation):
    upright = np.zeros((8, 16, 3), np.uint8)
    upright[:, :8, 0] = 255
    upright[:4, :, 1] = 255
    # what a camera stores so that a viewer, which turns it, shows `upright`
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.transpose(1, 0, 2),
        6: np.rot90(upright),
        7: upright[::-1, ::-1].transpose(1, 0, 2),
        8: np.rot90(upright, -1),
    }[orientation]
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / "a.png", exif=exif)
    assert np.array_equal(to_rgb(tmp_path / "a.png"), upright)
    assert size_of(tmp_path / "a.png") == (16, 8)
