"""Whatever images and boxes are handed in, however many: finite boxes in bounds, or one named error."""

import io

import numpy as np
import pytest
from fuzz import cases, damaged
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from PIL import Image

from roam_tracker import RoamTracker
from roam_tracker.errors import BoxError, ImageError
from roam_tracker.images import to_rgb
from roam_tracker.tracker import to_box
from roam_tracker.video.drawing import annotate

pytestmark = pytest.mark.slow

MODES = ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa",
         "La", "I;16", "I;16L", "I;16B"]  # fmt: skip
numbers = st.floats(allow_nan=True, allow_infinity=True) | st.integers(-(10**30), 10**30)
anything = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=6) | st.binary(max_size=6) | st.complex_numbers(),
    lambda parts: st.lists(parts, max_size=5) | st.dictionaries(st.text(max_size=2), parts, max_size=4)
    | st.tuples(parts, parts, parts, parts) | st.sets(st.integers(), max_size=5),
    max_leaves=8,
)  # fmt: skip


@pytest.fixture(scope="module")
def tracker():
    return RoamTracker(device="cpu")


@cases(300)
@given(box=anything | st.tuples(numbers, numbers, numbers, numbers) | npst.arrays(float, npst.array_shapes()))
def test_any_object_is_a_finite_box_or_a_box_error(box):
    try:
        found = to_box(box)
    except BoxError as error:
        assert 10 < len(str(error)) < 500
    else:
        assert found.shape == (4,) and np.isfinite(found).all() and np.abs(found).max() <= 1e6
        assert (found[2:] > 0).all()


@cases(300)
@given(
    image=anything
    | npst.arrays(
        npst.integer_dtypes() | npst.unsigned_integer_dtypes() | npst.scalar_dtypes(),
        npst.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
    )
)  # fmt: skip
def test_any_object_is_an_image_or_an_image_error(image):
    try:
        found = to_rgb(image)
    except ImageError as error:
        assert str(error).count("\n") == 0
    else:
        assert found.dtype == np.uint8 and found.ndim == 3 and found.shape[2] == 3 and found.size


@cases(150)
@given(
    mode=st.sampled_from(MODES),
    size=st.tuples(st.integers(0, 6), st.integers(0, 6)),
    fill=st.binary(min_size=0, max_size=200),
)
def test_pil_images_of_any_mode_become_rgb_or_are_refused(mode, size, fill):
    image = Image.new(mode, size)
    with_content = fill.ljust(1000, b"\x80")
    try:
        image.frombytes(with_content[: len(image.tobytes())])
        found = to_rgb(image)
    except (ImageError, ValueError, ZeroDivisionError) as error:
        assert isinstance(error, ImageError) or not all(size)  # Pillow has no bytes of an image without area
    else:
        assert found.shape == (size[1], size[0], 3) and found.dtype == np.uint8


def _file(form, mode="RGB", **options):
    buffer = io.BytesIO()
    pixels = np.random.default_rng(0).integers(0, 256, (12, 16, 3), dtype=np.uint8)
    Image.fromarray(pixels).convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


FILES = {
    "jpeg": _file("JPEG"),
    "progressive": _file("JPEG", progressive=True),
    "cmyk": _file("JPEG", "CMYK"),
    "png": _file("PNG"),
    "palette": _file("PNG", "P"),
    "grey16": _file("PNG", "I;16"),
    "gif": _file("GIF"),
    "bmp": _file("BMP"),
    "tiff": _file("TIFF"),
    "lzw": _file("TIFF", compression="tiff_lzw"),
    "webp": _file("WEBP"),
    "ppm": _file("PPM"),
    "tga": _file("TGA"),
    "ico": _file("ICO"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "file"


@pytest.mark.parametrize("form", FILES)
@pytest.mark.filterwarnings("ignore")
def test_damaged_image_files_are_read_or_named(form, place):
    @cases(30)
    @given(content=damaged(FILES[form]))
    def try_it(content):
        place.write_bytes(content)
        try:
            found = to_rgb(place)
        except ImageError as error:
            assert str(place) in str(error) and str(error).count("\n") == 0
        else:
            assert found.dtype == np.uint8 and found.ndim == 3

    try_it()


side = st.integers(1, 60) | st.integers(1, 400)
coordinate = st.floats(-300, 600) | st.floats(allow_nan=True, allow_infinity=True)
length = st.floats(0.1, 900) | st.floats(allow_nan=True, allow_infinity=True)


@cases(40)
@given(
    sizes=st.lists(st.tuples(side, side), min_size=2, max_size=8),
    box=st.tuples(coordinate, coordinate, length, length)
    | st.tuples(st.floats(0, 50), st.floats(0, 50), st.floats(0.5, 60), st.floats(0.5, 60)),
    seed=st.integers(0, 2**32 - 1),
    levels=st.integers(1, 256),
)
def test_any_box_in_frames_of_any_size_stays_finite_and_in_bounds(tracker, sizes, box, seed, levels):
    generator = np.random.default_rng(seed)
    frames = [generator.integers(0, levels, (*size, 3), dtype=np.uint8) for size in sizes]
    try:
        tracker.init(frames[0], box)
    except BoxError:
        return
    for frame in frames[1:]:
        found = tracker.update(frame)
        height, width = frame.shape[:2]
        assert np.isfinite(found).all() and 0 <= tracker.score <= 1
        x, y, w, h = found
        assert 0 < w <= width and 0 < h <= height
        assert -1e-6 <= x + w / 2 <= width + 1e-6 and -1e-6 <= y + h / 2 <= height + 1e-6


@cases(60)
@given(
    size=st.tuples(side, side),
    box=st.tuples(*[st.floats(-1e6, 1e6)] * 2, *[st.floats(0.1, 1e6)] * 2),
    score=st.floats(0, 1),
)
def test_any_box_can_be_drawn(size, box, score):
    canvas = annotate(np.zeros((*size, 3), np.uint8), np.array(box), score, 1)
    assert canvas.shape[0] % 2 == canvas.shape[1] % 2 == 0 and canvas.dtype == np.uint8
