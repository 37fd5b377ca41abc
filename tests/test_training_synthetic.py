"""Clips made of stills: a red disc, a grey bar and grounds that the tests draw themselves."""

import dataclasses

import numpy as np
import pytest
from PIL import Image

from roam_tracker.errors import ConfigError, DataError
from roam_tracker.training.config import SyntheticConfig, TrainingConfig
from roam_tracker.training.rendering import Layer, Painted, paint
from roam_tracker.training.stills import Cutout, Still, cut_out, find_stills, read_photo, resized
from roam_tracker.training.synthetic import FromStills, synthetic_frames

pytestmark = pytest.mark.slow

# nothing but a target that moves: every effect off
CALM = SyntheticConfig(
    jump_share=0,
    light_share=0,
    shadow_share=0,
    trail_share=0,
    defocus_share=0,
    occluder_share=0,
    distractor_share=0,
    grain_share=0,
    jpeg_share=0,
)
BUSY = dataclasses.replace(
    CALM,
    **{field.name: 1.0 for field in dataclasses.fields(CALM) if field.name.endswith("_share")}
    | {"part_share": 0.0},
)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **({"quality": 95} if path.suffix == ".jpg" else {}))


def disc(width=160, height=120):
    """A red disc of radius 40 at (70, 60) on white, and its mask."""
    rows, columns = np.mgrid[:height, :width] + 0.5
    inside = (columns - 70) ** 2 + (rows - 60) ** 2 < 40**2
    return np.where(inside[..., None], (220, 20, 20), (250, 250, 250)).astype(np.uint8), inside


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("stills")
    picture, mask = disc()
    for name in ("a", "b"):
        save(root / "things" / "images" / f"{name}.jpg", picture)
        save(root / "things" / "masks" / f"{name}.png", mask)
    grey = np.random.default_rng(0).integers(60, 120, (150, 200, 1), dtype=np.uint8).repeat(3, axis=2)
    save(root / "grounds" / "grey.jpg", grey)
    bar = np.zeros((80, 160), bool)
    bar[30:50, 30:130] = True
    save(root / "bars" / "bar.jpg", np.where(bar[..., None], 200, 20).repeat(3, axis=2).astype(np.uint8))
    save(root / "bars" / "bar.png", bar)
    return root


@pytest.fixture(scope="module")
def made(root):
    """Makes a clip of discs over grey from a seed."""
    stills, grounds = find_stills(root / "things"), find_stills(root / "grounds")

    def make(seed, settings=CALM, length=12):
        return synthetic_frames(stills, grounds, np.random.default_rng(seed), length, settings)

    return make


def red_box(frame):
    """x, y, w, h of the pixels that are more red than the grey ground can be."""
    red = frame[..., 0].astype(int) - frame[..., 1] > 60
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    return np.array([columns[0], rows[0], np.ptp(columns) + 1, np.ptp(rows) + 1])


@pytest.mark.parametrize("seed", range(6))
def test_the_box_of_every_frame_is_tight_around_the_target(made, seed):
    frames, boxes, _ = made(seed)
    for frame, (x, y, w, h) in zip(frames, boxes, strict=True):
        height, width = frame.shape[:2]
        # the part of the box inside the frame
        left, top, right, bottom = max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)
        np.testing.assert_allclose(red_box(frame), (left, top, right - left, bottom - top), atol=2.5)


def test_targets_stay_mostly_inside_and_of_a_usable_size(made):
    for seed in range(12):
        frames, boxes, _ = made(seed, BUSY, length=31)
        height, width = frames[0].shape[:2]
        assert all(frame.shape == (height, width, 3) and frame.dtype == np.uint8 for frame in frames)
        assert boxes.shape == (31, 4) and (boxes[:, 2:] > 8).all()
        assert (boxes[:, 2:] < (0.85 * width, 0.85 * height)).all()
        low = np.maximum(boxes[:, :2], 0)
        high = np.minimum(boxes[:, :2] + boxes[:, 2:], (width, height))
        assert (np.prod(high - low, axis=1) > 0.6 * np.prod(boxes[:, 2:], axis=1)).all()


def test_one_seed_makes_one_clip(made):
    first, second, other = made(3, BUSY), made(3, BUSY), made(4, BUSY)
    assert all(np.array_equal(a, b) for a, b in zip(first[0], second[0], strict=True))
    assert np.array_equal(first[1], second[1]) and np.array_equal(first[2], second[2])
    assert not np.array_equal(first[1], other[1])


def test_an_occluder_hides_the_target_for_a_while_but_never_in_the_first_frame(made):
    with_occluder = dataclasses.replace(CALM, occluder_share=1)
    shares = np.array([made(seed, with_occluder, length=31)[2] for seed in range(10)])
    assert (shares >= 0).all() and (shares <= 1).all()
    assert shares[:, 0].max() < 0.05
    assert (shares.max(axis=1) > 0.3).mean() > 0.7
    assert shares.max() > 0.9
    assert not made(0)[2].any()


def test_strong_turns_reach_the_target(root):
    calm = dataclasses.replace(CALM, strong_turn_share=0, turn=0, growth=0, stretch=0, shear=0)
    bars, grounds = find_stills(root / "bars"), find_stills(root / "grounds")

    def ratios(settings):
        """The box's width over its height, by frame."""
        boxes = synthetic_frames(bars, grounds, np.random.default_rng(0), 31, settings)[1]
        return boxes[:, 2] / boxes[:, 3]

    assert np.ptp(ratios(calm)) < 1e-6
    # 100 x 20 px lying, and 30 frames at 2 to 7 degrees turn it by 63 degrees at least
    turning = ratios(dataclasses.replace(calm, strong_turn_share=1))
    assert turning.max() > 2 * turning.min()


def test_a_cut_out_shows_no_rim_of_its_old_surroundings(root):
    still = find_stills(root / "things")[0]
    cutout = cut_out(still, np.random.default_rng(0), 20)
    frame = np.zeros((120, 160, 3), np.uint8)
    middle = (cutout.hull.min(0) + cutout.hull.max(0)) / 2
    layer = Layer(cutout, middle, np.eye(2)[None], np.array([[80.3, 60.4]]), np.zeros((1, 2)))
    paint(frame, layer, 0)
    # red on black: a rim of white would have green and blue in it
    assert frame[..., 1:].max() < 70


def test_a_painted_outline_fills_its_box():
    hull = np.array([[6.0, 6], [26, 6], [26, 16], [6, 16]])
    alpha = np.zeros((22, 32), np.uint8)
    alpha[6:16, 6:26] = 255
    cutout = Cutout(np.full((22, 32, 3), 200, np.uint8), alpha, hull)
    turn = np.array([[0.8, -0.6], [0.6, 0.8]]) * 2  # twice as large and turned by 37 degrees
    layer = Layer(cutout, np.array([16.0, 11]), turn[None], np.array([[50.25, 40.5]]), np.zeros((1, 2)))
    painted = paint(np.zeros((80, 100, 3), np.uint8), layer, 0)
    rows, columns = np.nonzero(painted.alpha[..., 0] > 0.5)
    found = columns.min() + painted.left, rows.min() + painted.top, np.ptp(columns) + 1, np.ptp(rows) + 1
    # by hand: half extents 2 (0.8 * 10 + 0.6 * 5) = 22 and 2 (0.6 * 10 + 0.8 * 5) = 20
    np.testing.assert_allclose(layer.boxes()[0], (28.25, 20.5, 44, 40))
    np.testing.assert_allclose(found, (28.25, 20.5, 44, 40), atol=2)


def test_the_hidden_share_is_that_of_the_covered_area():
    whole = Painted(10, 20, np.ones((10, 20, 1), np.float32))
    quarter = Painted(25, 0, np.ones((200, 5, 1), np.float32))
    half_seen_through = Painted(0, 0, np.full((300, 300, 1), 0.5, np.float32))
    aside = Painted(100, 100, np.ones((5, 5, 1), np.float32))
    assert whole.covered_by([aside]) == 0
    assert whole.covered_by([quarter]) == pytest.approx(0.25)
    assert whole.covered_by([quarter, half_seen_through]) == pytest.approx(1 - 0.75 * 0.5)
    assert whole.covered_by([whole, aside]) == pytest.approx(1)


def test_a_cut_out_made_smaller_keeps_its_colour_and_shape(root):
    cutout = cut_out(find_stills(root / "things")[0], np.random.default_rng(0), 20)
    small = resized(cutout, 0.25)
    large, little = (np.ptp(each.hull, axis=0) for each in (cutout, small))
    np.testing.assert_allclose(little, large / 4, atol=1.5)
    np.testing.assert_allclose(small.colours[small.alpha > 200].mean(0), (220, 20, 20), atol=12)


def test_stills_are_found_in_each_layout(tmp_path):
    picture, mask = disc()
    save(tmp_path / "beside" / "a.jpg", picture)
    save(tmp_path / "beside" / "a.png", mask)
    save(tmp_path / "folders" / "images" / "b.jpg", picture)
    save(tmp_path / "folders" / "masks" / "b.png", (mask * 255).astype(np.uint8))
    for name, row in (
        ("boxes", "7 0.4375 0.5 0.5 0.6667"),
        ("polygons", "7 0.2 0.2 0.7 0.2 0.7 0.8 0.2 0.8"),
    ):
        save(tmp_path / name / "images" / "c.jpg", picture)
        (tmp_path / name / name).mkdir()
        (tmp_path / name / name / "c.txt").write_text(row + "\n")
    save(tmp_path / "plain" / "d.jpg", picture)
    save(tmp_path / "video" / "00001.jpg", picture)
    (tmp_path / "video" / "groundtruth.txt").write_text("1,2,3,4\n")
    found = {
        still.image.stem: still for still in find_stills(tmp_path) if still.image.parent.name != "images"
    }
    assert set(found) == {"a", "d"} and found["d"].outline is None
    assert len(find_stills(tmp_path)) == 5
    rng = np.random.default_rng(0)
    for name, size in (
        ("beside", (80, 80)),
        ("folders", (80, 80)),
        ("boxes", (80, 80)),
        ("polygons", (80, 72)),
    ):
        (still,) = find_stills(tmp_path / name)
        cutout = cut_out(still, rng, 20)
        np.testing.assert_allclose(np.ptp(cutout.hull, axis=0), size, atol=4)


def test_objects_of_a_palette_mask_are_cut_apart(tmp_path):
    save(tmp_path / "a.jpg", disc()[0])
    ids = np.zeros((120, 160), np.uint8)
    ids[10:50, 10:50], ids[60:110, 80:150] = 1, 2
    mask = Image.fromarray(ids, mode="P")
    mask.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    mask.save(tmp_path / "a.png")
    (still,) = find_stills(tmp_path)
    sizes = {tuple(np.ptp(cut_out(still, np.random.default_rng(s), 20).hull, axis=0) // 10) for s in range(8)}
    assert sizes == {(3, 3), (6, 4)}  # 40 x 40 and 70 x 50, a pixel inside their edges


def test_a_large_photo_is_shrunk_with_its_mask(tmp_path):
    picture, mask = disc()
    save(tmp_path / "a.jpg", picture.repeat(8, axis=0).repeat(8, axis=1))
    save(tmp_path / "a.png", mask.repeat(8, axis=0).repeat(8, axis=1))
    (still,) = find_stills(tmp_path)
    assert read_photo(still.image).shape == (480, 640, 3)
    cutout = cut_out(still, np.random.default_rng(0), 20)
    np.testing.assert_allclose(np.ptp(cutout.hull, axis=0), (320, 320), atol=6)


def test_photos_that_cannot_be_used_are_named(tmp_path, root):
    with pytest.raises(DataError, match="has no photo"):
        find_stills(tmp_path)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(b"not a picture")
    with pytest.raises(DataError, match=r"broken\.jpg cannot be read"):
        read_photo(broken)
    torn = tmp_path / "torn.txt"
    torn.write_text("1 0.5 0.5 0.2\n")
    still = Still(find_stills(root / "things")[0].image, torn)
    with pytest.raises(DataError, match=r"torn\.txt: a row has a class and 3 numbers"):
        cut_out(still, np.random.default_rng(0), 20)
    huge = dataclasses.replace(CALM, smallest_cut=500)
    things, grounds = find_stills(root / "things"), find_stills(root / "grounds")
    with pytest.raises(DataError, match="has an outlined object of 500 px"):
        synthetic_frames(things, grounds, np.random.default_rng(0), 4, huge)


def test_settings_out_of_range_are_refused():
    with pytest.raises(ConfigError, match=r"synthetic\.jpeg_share.*got 1\.5"):
        SyntheticConfig(jpeg_share=1.5)
    with pytest.raises(ConfigError, match=r"synthetic\.width"):
        SyntheticConfig(width=(480, 320))


def test_a_source_of_stills_gives_footage(root):
    source = FromStills(find_stills(root / "things") + find_stills(root / "grounds"), CALM)
    footage = source.draw(np.random.default_rng(0), 5, TrainingConfig())
    assert len(footage.frames) == len(footage.boxes) == len(footage.hidden) == 5


def test_a_part_of_an_object_moves_with_it_and_lies_in_its_box(root):
    things = find_stills(root / "things")
    whole, parts = (
        synthetic_frames(things, things, np.random.default_rng(3), 6, SyntheticConfig(part_share=share))[1]
        for share in (1e-12, 1.0)
    )
    middle = parts[:, :2] + parts[:, 2:] / 2
    assert (middle > whole[:, :2]).all() and (middle < whole[:, :2] + whole[:, 2:]).all()
    assert (parts[:, 2:].prod(1) < 0.95 * whole[:, 2:].prod(1)).all()
