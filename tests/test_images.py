"""Images of every kind become RGB, or are refused with the reason."""

import io

import numpy as np
import pytest
from PIL import Image

from roam_tracker.errors import ImageError
from roam_tracker.images import to_rgb

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
