"""Runs with the GOT-10k toolkit's real classes, on tiny sample sequences and without a network."""

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from got10k.experiments import ExperimentOTB
from got10k.trackers import Tracker
from PIL import Image

from roam_tracker.core.geometry import overlap
from roam_tracker.datasets import open_dataset
from roam_tracker.errors import ImageError
from roam_tracker.sample.render import make_sequence
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits import registry
from roam_tracker.toolkits.experiments import main
from roam_tracker.toolkits.got10k.onepass import FilePerSequence, table
from roam_tracker.toolkits.got10k.tracker import RoamGot10k, read_ahead

pytestmark = pytest.mark.slow

FRAMES = 8


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=FRAMES, sequences=2, size=(96, 72))
    return folder


@pytest.fixture
def otb(sample, tmp_path):
    """A private copy in OTB layout: motion, scale."""
    shutil.copytree(sample / "OTB", tmp_path / "OTB")
    return tmp_path / "OTB"


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the command in a scratch folder; gives its exit status."""
    monkeypatch.chdir(tmp_path)

    def run(root, *options, dataset="folder", tracker="Static"):
        argv = ["--tracker", tracker, "--dataset", dataset, "--root", str(root), "--workers", "0", *options]
        return main(argv)

    return run


def results(tmp_path, name="motion", tracker="Static", dataset="OTB"):
    return tmp_path / "results" / dataset / tracker / f"{name}.txt"


def test_a_run_leaves_boxes_times_and_the_toolkits_report(otb, run, tmp_path, capsys):
    assert run(otb) == 0
    boxes = np.loadtxt(results(tmp_path), delimiter=",")
    assert boxes.shape == (FRAMES, 4)
    times = np.loadtxt(tmp_path / "results/OTB/Static/times/motion_time.txt")
    assert times.shape == (FRAMES,)
    report = tmp_path / "reports/OTB/Static"
    assert {path.name for path in report.iterdir()} == {
        "performance.json",
        "success_plots.png",
        "precision_plots.png",
    }
    overall = json.loads((report / "performance.json").read_text())["Static"]["overall"]
    # second method: share of frames above each of 21 thresholds, averaged over sequences
    curves = []
    for name in ("motion", "scale"):
        truth = make_sequence(name, FRAMES, 0, (96, 72))[1]
        iou = overlap(np.repeat(truth[:1], FRAMES, axis=0), truth)
        curves.append(np.mean([(iou > threshold).mean() for threshold in np.linspace(0, 1, 21)]))
    assert overall["success_score"] == pytest.approx(np.mean(curves), abs=1e-9)
    assert f"{overall['success_score']:.3f}" in capsys.readouterr().out


def test_the_files_are_byte_for_byte_what_the_toolkit_itself_would_write(tmp_path):
    boxes, times = np.array([[1, 2.0004, 3, 4], [-5.5, 6, 7e3, 8]]), np.array([0.1, 1e-7])
    stock = ExperimentOTB.__new__(ExperimentOTB)
    stock._record(str(tmp_path / "x.txt"), boxes, times)
    assert (tmp_path / "x.txt").read_text() == table(boxes, "%.3f")
    assert (tmp_path / "times/x_time.txt").read_text() == table(times[:, None], "%.8f")


def test_got10k_val_runs_once_and_reports(sample, run, tmp_path, capsys):
    assert run(sample / "GOT-10k", dataset="GOT-10k") == 0
    folder = tmp_path / "results/GOT-10k/Static/motion"
    assert {path.name for path in folder.iterdir()} == {"motion_001.txt", "motion_time.txt"}
    assert np.loadtxt(folder / "motion_time.txt", delimiter=",").shape == (FRAMES,)
    assert "AO" in capsys.readouterr().out
    overall = json.loads((tmp_path / "reports/GOT-10k/Static/performance.json").read_text())["Static"][
        "overall"
    ]
    assert 0 < overall["ao"] < 1


def test_got10k_leaves_out_listed_sequences_that_are_missing(sample, run, tmp_path, capsys):
    shutil.copytree(sample / "GOT-10k", tmp_path / "got")
    shutil.rmtree(tmp_path / "got/val/scale")
    assert run(tmp_path / "got", dataset="GOT-10k") == 0
    out = capsys.readouterr().out
    assert "left out: scale" in out
    assert "1 of 2 sequences" in out


def test_a_second_run_does_nothing_but_the_report(otb, run, tmp_path, capsys):
    assert run(otb) == 0
    before = results(tmp_path).stat().st_mtime_ns
    assert run(otb) == 0
    assert results(tmp_path).stat().st_mtime_ns == before
    assert "Static: 2 of 2 sequences finished before" in capsys.readouterr().out


@pytest.mark.parametrize("left", ["", "1.000,2.000,3.000,4.000\n1.000,2.0", "x\n" * FRAMES])
def test_a_result_cut_short_by_a_kill_is_found_and_run_again(otb, run, tmp_path, capsys, left):
    results(tmp_path).parent.mkdir(parents=True)
    results(tmp_path).write_text(left)
    assert run(otb) == 0
    assert "of 8 rows, run again" in capsys.readouterr().out
    assert np.loadtxt(results(tmp_path), delimiter=",").shape == (FRAMES, 4)


def test_a_partial_copy_of_otb_runs_offline_and_says_what_is_missing(otb, run, monkeypatch, capsys):
    def no_network(*args, **kwargs):
        raise AssertionError("the run asked for the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    (otb / "motion").rename(otb / "Deer")
    assert run(otb, dataset="OTB2015") == 0
    out = capsys.readouterr().out
    assert "left out: Basketball, Biker" in out
    assert "Deer," not in out
    assert "1 of 100 sequences" in out  # `scale` is no name of OTB2015 and does not count


def test_chosen_sequences_alone_are_run_and_reported(otb, run, tmp_path, capsys):
    assert run(otb, "--sequences", "scale") == 0
    assert results(tmp_path, "scale").exists()
    assert not results(tmp_path, "motion").exists()
    assert "1 of 2 sequences" in capsys.readouterr().out


def test_a_sequence_that_is_not_there_is_answered_with_the_nearest_name(otb, run, capsys):
    assert run(otb, "--sequences", "scall") == 2
    assert "'scale'" in capsys.readouterr().err


def test_two_targets_in_a_folder_give_two_sequences(otb, run, tmp_path):
    truth = otb / "motion/groundtruth_rect.txt"
    shutil.copy(truth, otb / "motion/groundtruth_rect.2.txt")
    truth.rename(otb / "motion/groundtruth_rect.1.txt")
    assert run(otb) == 0
    assert results(tmp_path, "motion.1").exists()
    assert results(tmp_path, "motion.2").exists()


def test_jogging_with_one_of_its_two_annotations_is_refused(otb, run, capsys):
    (otb / "motion").rename(otb / "Jogging")
    assert run(otb, dataset="OTB2015") == 2
    assert "one annotation file of two" in capsys.readouterr().err


def test_a_sequence_whose_range_the_toolkit_cuts_is_cut_only_if_its_annotation_is(otb, run, tmp_path):
    # Football1: the toolkit takes images 1-74 for the 74 annotated rows
    folder = otb / "Football1"
    (otb / "motion").rename(folder)
    for number in range(FRAMES + 1, 82):
        shutil.copy(folder / "img/0001.jpg", folder / f"img/{number:04d}.jpg")
    row = (folder / "groundtruth_rect.txt").read_text().splitlines()[0]
    (folder / "groundtruth_rect.txt").write_text(f"{row}\n" * 74)
    assert run(otb, "--sequences", "Football1", dataset="OTB2015") == 0
    assert np.loadtxt(results(tmp_path, "Football1", dataset="OTB2015"), delimiter=",").shape == (74, 4)


# Bad input: one sentence with the culprit, exit status 2, no traceback.


def refused(capsys, status, *parts):
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    assert "Traceback" not in error
    for part in parts:
        assert part in error
    return True


def test_a_root_that_does_not_exist_is_refused(run, tmp_path, capsys):
    assert refused(capsys, run(tmp_path / "nowhere"), "DataError", "nowhere", "does not exist")


def test_a_root_without_sequences_is_refused(run, tmp_path, capsys):
    assert refused(capsys, run(tmp_path, dataset="OTB2015"), "DataError", "holds no sequence", "`folder`")


def test_got10k_without_its_list_is_refused(run, tmp_path, capsys):
    assert refused(capsys, run(tmp_path, dataset="GOT-10k"), "DataError", "val/list.txt")


@pytest.mark.parametrize("label", ["cover.label", "meta_info.ini"])
def test_got10k_without_a_label_file_is_refused_before_the_run(sample, run, tmp_path, capsys, label):
    shutil.copytree(sample / "GOT-10k", tmp_path / "got")
    (tmp_path / "got/val/scale" / label).unlink()
    assert refused(capsys, run(tmp_path / "got", dataset="GOT-10k"), "DataError", f"scale/{label}")
    assert not (tmp_path / "results").exists()


def change_line(file, number, line):
    lines = file.read_text().splitlines()
    lines[number - 1] = line
    file.write_text("\n".join(lines) + "\n")


def test_a_row_of_three_values_is_refused_with_file_and_line(otb, run, tmp_path, capsys):
    change_line(otb / "scale/groundtruth_rect.txt", 5, "1,2,3")
    assert refused(capsys, run(otb), "DataError", "scale/groundtruth_rect.txt, line 5", "3 values", "4")
    assert not (tmp_path / "results").exists()  # everything is checked before anything runs


def test_a_row_that_is_no_numbers_is_refused_with_file_and_line(otb, run, capsys):
    change_line(otb / "scale/groundtruth_rect.txt", 2, "1,2,3,wide")
    assert refused(capsys, run(otb), "DataError", "groundtruth_rect.txt, line 2", "wide")


@pytest.mark.parametrize("row", ["10,10,0,12", "10,10,5,-1", "nan,nan,nan,nan"])
def test_a_first_box_without_area_is_refused(otb, run, capsys, row):
    change_line(otb / "scale/groundtruth_rect.txt", 1, row)
    assert refused(capsys, run(otb), "BoxError", "scale/groundtruth_rect.txt, line 1", "no area")


def test_a_missing_image_is_refused_with_both_counts(otb, run, capsys):
    (otb / "scale/img/0003.jpg").unlink()
    assert refused(capsys, run(otb), "DataError", "8 boxes", "7 .jpg images")


@pytest.mark.parametrize("content", [b"", b"no image", None])
def test_an_unreadable_image_is_refused_by_name_and_finished_sequences_stay(
    otb, run, tmp_path, capsys, content
):
    image = otb / "scale/img/0003.jpg"
    image.write_bytes(image.read_bytes()[:400] if content is None else content)
    assert refused(capsys, run(otb), "ImageError", "scale/img/0003.jpg")
    assert results(tmp_path, "motion").exists()
    assert not results(tmp_path, "scale").exists()
    assert not (tmp_path / "reports").exists()


def test_an_unknown_tracker_is_refused(otb, run, capsys):
    assert refused(capsys, run(otb, tracker="Statik"), "ConfigError", "'Static'")


def test_an_unknown_data_set_is_refused(otb, run, capsys):
    assert refused(capsys, run(otb, dataset="OTB2051"), "ConfigError", "'OTB2015'")


class Failing(registry.StaticTracker):
    """Fails in the fourth frame in the way it is told."""

    def __init__(self, way):
        self.way, self.count = way, 0

    def update(self, image):
        self.count += 1
        if self.count == 3:
            if self.way == "raise":
                raise ValueError("lost my mind")
            return np.array([1, np.nan, 3, 4])
        return super().update(image)


@pytest.mark.parametrize(("way", "word"), [("raise", "ValueError: lost my mind"), ("nan", "not finite")])
def test_a_tracker_that_fails_ends_with_status_1_and_the_next_one_still_runs(
    otb, run, tmp_path, monkeypatch, capsys, way, word
):
    monkeypatch.setitem(registry.TRACKERS, "Failing", lambda device: Failing(way))
    assert run(otb, "--tracker", "Static", tracker="Failing") == 1
    captured = capsys.readouterr()
    assert word in captured.err
    assert "motion/img/0004.jpg" in captured.err
    assert not results(tmp_path, tracker="Failing").exists()
    assert results(tmp_path, "scale", "Static").exists()
    assert (tmp_path / "reports/OTB/Static/performance.json").exists()


def test_a_kill_in_the_middle_leaves_no_half_written_file(otb, tmp_path):
    code = (
        "import os, signal, numpy as np; from roam_tracker.toolkits import registry, experiments\n"
        "class Deadly(registry.StaticTracker):\n"
        "    def update(self, image):\n"
        "        self.n = getattr(self, 'n', 0) + 1\n"
        "        if self.n == 10: os.kill(os.getpid(), signal.SIGKILL)\n"
        "        return super().update(image)\n"
        "registry.TRACKERS['Deadly'] = lambda device: Deadly()\n"
        "experiments.main(['--tracker', 'Deadly', '--dataset', 'OTB-folder', '--workers', '0',\n"
        f"    '--root', {str(otb)!r}])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == -9
    files = {path.name for path in (tmp_path / "results").rglob("*") if path.is_file()}
    assert files == {"motion.txt", "motion_time.txt", "manifest.json"}


def test_the_adapter_serves_the_toolkits_own_experiment(otb, tmp_path, monkeypatch):
    # the stock class, its download made impossible and its folder list made ours
    experiment = FilePerSequence(
        open_dataset("folder", str(otb)), "Stock", str(tmp_path / "r"), str(tmp_path / "p")
    )
    tracker = RoamGot10k("Static")
    assert isinstance(tracker, Tracker)
    assert tracker.is_deterministic
    ExperimentOTB.run(experiment, tracker)
    assert np.loadtxt(tmp_path / "r/Stock/Static/scale.txt", delimiter=",").shape == (FRAMES, 4)


def test_a_grey_image_reaches_the_tracker_as_rgb(otb, monkeypatch):
    seen = []

    class Looking(registry.StaticTracker):
        def update(self, image):
            seen.append(image.mode)
            return super().update(image)

    monkeypatch.setitem(registry.TRACKERS, "Looking", lambda device: Looking())
    files = [str(otb / f"motion/img/{number:04d}.jpg") for number in (1, 2)]
    with Image.open(files[1]) as image:
        image.convert("L").save(files[1])
    boxes, times = RoamGot10k("Looking").track(files, np.array([1.0, 2, 3, 4]))
    assert seen == ["RGB"]
    assert boxes.shape == (2, 4)
    assert (times > 0).all()


@pytest.mark.parametrize("module", ["got10k.experiments", "roam_tracker.toolkits.experiments"])
def test_the_help_names_data_sets_and_trackers(module, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", module, "--help"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert all(word in done.stdout for word in ("OTB2013", "OTB50", "OTB2015", "GOT-10k", "ROAM, Static"))


def test_without_the_toolkit_the_command_says_what_to_install(otb, tmp_path):
    code = (
        "import sys; sys.modules['got10k'] = None\n"
        "from roam_tracker.toolkits.experiments import main\n"
        f"sys.exit(main(['--tracker', 'Static', '--dataset', 'OTB-folder', '--root', {str(otb)!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "pip install got10k==0.1.3" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("ahead", [0, 1, 3, 9])
def test_images_read_ahead_come_in_their_order_and_an_unreadable_one_in_its_place(tmp_path, ahead):
    files = [str(tmp_path / f"{number}.png") for number in range(6)]
    for number, file in enumerate(files):
        Image.new("RGB", (4, 4), (number, 0, 0)).save(file)
    assert [image.getpixel((0, 0))[0] for image in read_ahead(files, ahead)] == [0, 1, 2, 3, 4, 5]
    Path(files[3]).write_bytes(b"no image")
    images = read_ahead(files, ahead)
    assert [next(images).filename for _ in range(3)] == files[:3]
    with pytest.raises(ImageError, match=r"3\.png cannot be read"):
        next(images)


@pytest.mark.parametrize("ahead", [0, 2])
def test_all_images_of_a_sequence_are_spread_by_the_range_of_the_first(tmp_path, ahead):
    files = []
    for number, values in enumerate(([7000, 7255], [7000, 7051], [7000, 9000])):
        files.append(str(tmp_path / f"{number}.png"))
        Image.fromarray(np.array([values], np.uint16)).save(files[-1])
    # 7000 is black and 7255 white; 7051 is a fifth of the way, 9000 beyond
    assert [np.asarray(image)[0, 1, 0] for image in read_ahead(files, ahead)] == [255, 51, 255]
