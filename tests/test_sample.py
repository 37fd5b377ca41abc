"""The sample generator: what its sequences promise to a tracker and to the layouts' readers."""

import filecmp

import numpy as np
import pytest

from roam_tracker.commands import main
from roam_tracker.core.geometry import overlap
from roam_tracker.sample import render as sample_module
from roam_tracker.sample.render import KINDS, make_sequence, render, true_boxes
from roam_tracker.sample.write import sample_names, write_sample

pytestmark = pytest.mark.slow

TINY = (96, 72)


@pytest.fixture(scope="module")
def samples():
    return {kind: render(kind, 60, seed=0, size=TINY) for kind in KINDS}


@pytest.mark.parametrize("kind", KINDS)
def test_a_box_that_stays_put_overlaps_less_than_a_quarter(samples, kind):
    boxes = samples[kind].boxes
    assert overlap(np.repeat(boxes[:1], len(boxes), axis=0), boxes).mean() < 0.25


@pytest.mark.parametrize("kind", KINDS)
def test_the_target_moves_less_than_two_fifths_of_its_size_in_a_frame(samples, kind):
    boxes = samples[kind].boxes
    centres = boxes[:, :2] + boxes[:, 2:] / 2
    steps = np.hypot(*np.diff(centres, axis=0).T)
    assert (steps < 0.4 * np.sqrt(boxes[1:, 2] * boxes[1:, 3])).all()


@pytest.mark.parametrize("kind", KINDS)
def test_the_boxes_alone_are_those_of_the_rendering(samples, kind):
    assert (true_boxes(kind, 60, seed=0, size=TINY) == samples[kind].boxes).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("size", [TINY, (320, 240)])
def test_every_box_lies_inside_the_image(kind, size):
    # boxes alone, for two periods of every path
    scene = sample_module._Scene(kind, np.random.default_rng(3), size)
    boxes = np.array([sample_module._bound(scene.pose(t)) for t in range(300)])
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, :2] + boxes[:, 2:] <= size).all()


@pytest.mark.parametrize("kind", ["motion", "scale", "rotation"])
def test_the_box_is_the_bound_of_the_painted_pixels(kind):
    # second method: paint the target on grey with no noise and look where the grey changed
    scene = sample_module._Scene(kind, np.random.default_rng(1), (160, 120))
    for t in (0, 7, 21):
        pose = scene.pose(t)
        _, cover = sample_module._paint(np.full((120, 160, 3), 127, np.float32), scene.sprite, pose)
        rows, columns = np.nonzero(cover >= 0.5)
        x, y, w, h = sample_module._bound(pose)
        found = np.array([columns.min(), rows.min(), columns.max() + 1, rows.max() + 1])
        assert np.abs(found - [x, y, x + w, y + h]).max() <= 1.0


def test_the_same_seed_gives_the_same_pixels_and_another_seed_others():
    first, again, other = (make_sequence("light", 4, seed, TINY) for seed in (5, 5, 6))
    assert np.array_equal(first[0], again[0])
    assert np.array_equal(first[1], again[1])
    assert not np.array_equal(first[0], other[0])


def test_a_longer_sequence_begins_with_the_shorter_one():
    short, long = make_sequence("scale", 3, 0, TINY), make_sequence("scale", 6, 0, TINY)
    assert np.array_equal(short[0], long[0][:3])


def test_only_the_posts_hide_the_target_and_never_all_of_it(samples):
    assert samples["occlusion"].visible.min() < 0.6
    assert samples["occlusion"].visible.min() > 0.1
    assert all((samples[kind].visible == 1).all() for kind in KINDS if kind != "occlusion")


def test_scale_and_light_change_by_more_than_a_third(samples):
    areas = samples["scale"].boxes[:, 2] * samples["scale"].boxes[:, 3]
    assert np.sqrt(areas.max() / areas.min()) > 1.35
    brightness = samples["light"].frames.mean(axis=(1, 2, 3))
    assert brightness.max() / brightness.min() > 1.35


def test_the_three_layouts_hold_the_same_frames_and_boxes(tmp_path):
    write_sample(tmp_path / "s", frames=3, sequences=2, size=TINY)
    for name in ("motion", "scale"):
        otb, got, vot = (tmp_path / "s" / part / name for part in ("OTB", "GOT-10k/val", "VOT"))
        for number in (1, 2, 3):
            frame = otb / f"img/{number:04d}.jpg"
            assert filecmp.cmp(frame, got / f"{number:08d}.jpg", shallow=False)
            assert filecmp.cmp(frame, vot / f"color/{number:08d}.jpg", shallow=False)
        text = (otb / "groundtruth_rect.txt").read_text()
        assert text == (got / "groundtruth.txt").read_text() == (vot / "groundtruth.txt").read_text()
        boxes = make_sequence(name, 3, 0, TINY)[1]
        assert np.array_equal(np.loadtxt(otb / "groundtruth_rect.txt", delimiter=","), boxes)


def test_writing_twice_gives_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write_sample(tmp_path / name, seed=2, frames=2, sequences=1, size=TINY)
    files = sorted(path.relative_to(tmp_path / "a") for path in (tmp_path / "a").rglob("*") if path.is_file())
    assert len(files) > 8
    assert all((tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes() for file in files)


def test_no_name_is_one_whose_frames_the_toolkits_cut():
    cut = {"david", "football1", "freeman3", "freeman4", "diving"}
    assert not cut & {name.lower() for name in sample_names(20)}
    assert len(sample_names(20)) == 20


def test_the_command_writes_once_and_then_says_that_nothing_is_to_do(tmp_path, capsys):
    command = ["sample", str(tmp_path / "s"), "--frames", "2", "--sequences", "1"]
    assert main(command) == 0
    before = (tmp_path / "s/OTB/motion/img/0001.jpg").stat().st_mtime_ns
    assert main(command) == 0
    assert "nothing to do" in capsys.readouterr().out
    assert (tmp_path / "s/OTB/motion/img/0001.jpg").stat().st_mtime_ns == before


@pytest.mark.parametrize("option", ["--seed=1", "--frames=3"])
def test_a_sample_with_other_settings_is_not_overwritten(tmp_path, capsys, option):
    write_sample(tmp_path / "s", frames=2, sequences=1)
    assert main(["sample", str(tmp_path / "s"), "--frames=2", "--sequences=1", option]) == 2
    assert "other settings" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--seed=-1", "--frames=0", "--sequences=0"])
def test_an_impossible_setting_is_one_sentence_and_leaves_no_folder(tmp_path, capsys, option):
    assert main(["sample", str(tmp_path / "s"), option]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_a_folder_with_other_files_is_left_alone(tmp_path, capsys):
    (tmp_path / "mine.txt").write_text("mine")
    assert main(["sample", str(tmp_path), "--frames=2", "--sequences=1"]) == 2
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
