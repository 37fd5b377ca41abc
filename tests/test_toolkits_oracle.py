"""Oracles under the toolkits: the true box of every frame, found from the image's file."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roam_tracker.errors import DataError
from roam_tracker.recording import read_recording
from roam_tracker.sample.render import make_sequence
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits import registry
from roam_tracker.toolkits.experiments import main
from roam_tracker.toolkits.got10k.tracker import RoamGot10k
from roam_tracker.toolkits.oracle import OracleTracker, find_truth
from roam_tracker.tracker import RoamTracker

pytestmark = pytest.mark.slow

FRAMES, SIZE = 7, (96, 72)
BOXES = make_sequence("motion", FRAMES, 0, SIZE)[1]
LAYOUTS = {"OTB": "OTB/motion/img", "GOT-10k": "GOT-10k/val/motion", "VOT": "VOT/motion/color"}


class Told(registry.StaticTracker):
    """In place of RoamTracker: keeps the truth it is told."""

    def __init__(self):
        self.told = []

    def update(self, image, truth=None):
        self.told.append(truth)
        return super().update(image)


@pytest.fixture
def sample(tmp_path):
    write_sample(tmp_path / "s", frames=FRAMES, sequences=1, size=SIZE)
    return tmp_path / "s"


@pytest.fixture
def preset(tmp_path):
    """The default tracker as an oracle, in a file."""
    path = tmp_path / "mine.toml"
    path.write_text('extends = "default"\noracle = true\n')
    return str(path)


def images(folder):
    return sorted(Path(folder).glob("*.jpg"))


def follow(folder, box=BOXES[0], form=str, first=0):
    """What an oracle is told on the images from `first` on."""
    tracker = OracleTracker(Told())
    files = images(folder)[first:]
    tracker.init(form(files[0]), box)
    for file in files[1:]:
        tracker.update(form(file))
    return np.array(tracker.tracker.told)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("form", [str, Path, Image.open])
def test_the_truth_is_found_from_paths_and_pil_images_in_every_layout(sample, layout, form):
    assert np.array_equal(follow(sample / LAYOUTS[layout], form=form), BOXES[1:])


def test_a_restart_in_the_middle_finds_the_rows_of_its_own_images(sample):
    assert np.array_equal(follow(sample / LAYOUTS["VOT"], first=3), BOXES[4:])


def test_a_polygon_is_taken_by_its_bounding_box(sample):
    x, y, w, h = BOXES.T
    # a rhombus that touches the middle of each side
    corners = np.stack([x + w / 2, y, x + w, y + h / 2, x + w / 2, y + h, x, y + h / 2], axis=1)
    np.savetxt(sample / "VOT/motion/groundtruth.txt", corners, delimiter=",")
    np.testing.assert_allclose(follow(sample / LAYOUTS["VOT"]), BOXES[1:])


def test_a_row_without_numbers_tells_of_an_absent_target(sample):
    truth = sample / "VOT/motion/groundtruth.txt"
    lines = truth.read_text().splitlines()
    truth.write_text("\n".join([*lines[:2], "nan,nan,nan,nan", *lines[3:]]) + "\n")
    told = follow(sample / LAYOUTS["VOT"])
    assert np.isnan(told[1]).all()
    assert np.array_equal(told[[0, 2, 3, 4, 5]], BOXES[[1, 3, 4, 5, 6]])


def test_of_two_annotated_targets_the_one_of_the_first_box_is_followed(sample):
    folder, beside = sample / "OTB/motion", np.array([30, 0, 0, 0])
    (folder / "groundtruth_rect.txt").rename(folder / "groundtruth_rect.2.txt")
    np.savetxt(folder / "groundtruth_rect.1.txt", BOXES + beside, delimiter="\t")
    assert np.array_equal(follow(folder / "img"), BOXES[1:])
    np.testing.assert_allclose(follow(folder / "img", BOXES[0] + beside), BOXES[1:] + beside)


def test_the_ranges_that_otb_annotates_are_known(sample):
    folder = sample / "OTB/David"
    (sample / "OTB/motion").rename(folder)
    for number in range(FRAMES + 1, 771):
        os.link(folder / "img/0001.jpg", folder / f"img/{number:04d}.jpg")
    rows = np.arange(471)[:, None] + np.array([1, 2, 3, 4])
    np.savetxt(folder / "groundtruth_rect.txt", rows, delimiter=",", fmt="%d")
    truth = find_truth(folder / "img/0300.jpg", rows[0])
    assert len(truth) == 471
    assert truth[folder / "img/0300.jpg"].tolist() == rows[0].tolist()
    assert truth[folder / "img/0770.jpg"].tolist() == rows[-1].tolist()
    with pytest.raises(DataError, match=r"annotates other images than .*0001\.jpg"):
        find_truth(folder / "img/0001.jpg", rows[0])


def test_an_annotation_of_the_first_frame_only_is_refused_with_both_counts(sample):
    (sample / "GOT-10k/val/motion/groundtruth.txt").write_text("1,2,3,4\n")
    with pytest.raises(DataError, match=r"groundtruth\.txt has 1 boxes, but .* has 7 .jpg images"):
        follow(sample / LAYOUTS["GOT-10k"])


def test_a_row_that_is_neither_box_nor_polygon_is_refused_with_file_and_line(sample):
    truth = sample / "VOT/motion/groundtruth.txt"
    truth.write_text(truth.read_text().replace("\n", ",5\n", 1))
    with pytest.raises(DataError, match=r"groundtruth\.txt, line 1: found 5 values, expected 4 .* or 6, 8"):
        follow(sample / LAYOUTS["VOT"])


def test_images_without_annotation_or_without_file_are_refused(sample):
    (sample / "OTB/motion/groundtruth_rect.txt").unlink()
    with pytest.raises(DataError, match=r"No groundtruth\*\.txt lies beside .*0001\.jpg or one folder up"):
        follow(sample / LAYOUTS["OTB"])
    with pytest.raises(DataError, match="give it paths, not pixels"):
        OracleTracker(Told()).init(np.zeros((9, 9, 3), np.uint8), BOXES[0])
    tracker = OracleTracker(Told())
    tracker.init(str(images(sample / LAYOUTS["VOT"])[0]), BOXES[0])
    with pytest.raises(DataError, match=r"0002\.jpg has no true box beside those of the first image"):
        tracker.update(str(images(sample / LAYOUTS["GOT-10k"])[1]))


def test_the_got10k_toolkits_oracle_tracks_as_the_library_told_the_same_boxes(sample, preset):
    files = images(sample / LAYOUTS["OTB"])
    boxes, _ = RoamGot10k(preset, "cpu").track(list(map(str, files)), BOXES[0])
    oracle = RoamTracker(preset, device="cpu")
    oracle.init(files[0], BOXES[0])
    expected = [oracle.update(file, truth=box) for file, box in zip(files[1:], BOXES[1:], strict=True)]
    assert np.array_equal(boxes[1:], expected)


def test_a_run_of_an_oracle_leaves_boxes_and_what_the_updates_did(sample, preset, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    options = [
        "--dataset",
        "GOT-10k",
        "--root",
        str(sample / "GOT-10k"),
        "--device",
        "cpu",
        "--record",
        "seen",
    ]
    assert main(["--tracker", preset, "Static", *options]) == 0
    assert np.loadtxt("results/GOT-10k/mine/motion/motion_001.txt", delimiter=",").shape == (FRAMES, 4)
    (sequence,) = read_recording("seen/GOT-10k/mine/motion.json").sequences
    assert sequence.frame.tolist() == [0, 5, 5]
    assert not Path("seen/GOT-10k/Static").exists()  # nothing is learned there


def refused(capsys, status, *parts):
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    assert all(part in error for part in parts), error


def test_got10k_tells_of_missing_truth_and_missing_weights_in_one_sentence(
    sample, preset, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    options = ["--dataset", "folder", "--root", str(sample / "OTB"), "--device", "cpu"]
    shutil.copytree(sample / "OTB/motion", tmp_path / "other/motion")
    tracker = RoamGot10k(preset, "cpu")
    (tmp_path / "other/motion/groundtruth_rect.txt").unlink()
    with pytest.raises(DataError, match=r"No groundtruth\*\.txt"):
        tracker.track(list(map(str, images(tmp_path / "other/motion/img"))), BOXES[0])
    Path(preset).write_text('extends = "default"\nweights = "gone"\n')
    refused(
        capsys, main(["--tracker", preset, *options]), "WeightsError", "No weights named 'gone' come with"
    )


# a tracker's process without torch: it answers with the truth it is told
SERVED = """
from roam_tracker.errors import WeightsError
from roam_tracker.toolkits import registry
from roam_tracker.toolkits.vot import server as vot
class Told(registry.StaticTracker):
    def update(self, image, truth): return truth
def make(device): {made}
registry.TRACKERS["Told"] = make
raise SystemExit(vot.main(["Told"]))
"""


def vot(*lines, made="return registry.OracleTracker(Told())"):
    """A tracker's process, and what it says over TraX to these lines."""
    return subprocess.run(
        [sys.executable, "-c", SERVED.format(made=made)],
        input="".join(f"@@TRAX:{line} \n" for line in lines),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60,
    )  # fmt: skip


def test_the_vot_wrapper_serves_an_oracle_with_the_true_boxes(sample):
    first, *others = (f'frame "file://{file}"' for file in images(sample / LAYOUTS["VOT"]))
    said = vot('initialize "{},{},{},{}"'.format(*BOXES[0]), first, *others, "quit").stdout
    states = [line.split('"')[1] for line in said.splitlines() if line.startswith("@@TRAX:state ")]
    np.testing.assert_allclose([list(map(float, state.split(","))) for state in states], BOXES, atol=1e-4)


def test_vot_tells_of_missing_truth_in_one_sentence(sample):
    (sample / "VOT/motion/groundtruth.txt").unlink()
    file = images(sample / LAYOUTS["VOT"])[0]
    done = vot('initialize "10,12,20,16"', f'frame "file://{file}"')
    assert done.returncode == 2
    assert "Traceback" not in done.stdout
    assert done.stdout.endswith("\n") and "\nDataError: No groundtruth*.txt lies beside" in done.stdout


def test_vot_tells_of_missing_weights_in_one_sentence():
    done = vot(made="raise WeightsError('No weights.')")
    assert done.returncode == 2
    words = [line for line in done.stdout.splitlines() if not line.startswith("@@TRAX:")]
    assert words == ["", "WeightsError: No weights."]
