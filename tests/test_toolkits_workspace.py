"""Workspaces of the VOT toolkit: made offline, evaluated, checked."""

import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from roam_tracker.commands import main
from roam_tracker.errors import ConfigError
from roam_tracker.sample.write import write_sample
from roam_tracker.selfcheck import remedies
from roam_tracker.toolkits.vot.workspace import init_workspace

pytestmark = pytest.mark.slow

FRAMES = 8
EXPERIMENTS = ("baseline", "realtime", "unsupervised")


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=FRAMES, sequences=2, size=(96, 72))
    return folder / "VOT"


@pytest.fixture
def sequences(sample, tmp_path):
    """A private copy in VOT layout: motion, scale."""
    shutil.copytree(sample, tmp_path / "sequences")
    return tmp_path / "sequences"


def init(directory, sequences, *options):
    return main(["workspace", "init", str(directory), "--sequences", str(sequences), *options])


def vot(verb, directory, *options):
    command = [sys.executable, "-m", "vot", verb, "Static", "--workspace", str(directory), *options]
    # a proxy that does not exist: an attempt to download fails at once
    environment = os.environ | {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


@pytest.fixture(scope="module")
def evaluated(sample, tmp_path_factory):
    """A workspace with all results of the static tracker, and what the toolkit said."""
    directory = tmp_path_factory.mktemp("workspace") / "w"
    assert init(directory, sample) == 0
    return directory, vot("evaluate", directory)


@pytest.fixture
def workspace(evaluated, tmp_path):
    shutil.copytree(evaluated[0], tmp_path / "w", symlinks=True)
    return tmp_path / "w"


def test_a_toolkit_that_cannot_run_the_experiments_is_named_when_a_workspace_is_made(
    sequences, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(remedies, "installed", lambda distribution: "0.9.0")
    assert init(tmp_path / "w", sequences) == 0
    told = capsys.readouterr().err
    assert "of VOT's experiments only unsupervised ones run, without realtime. Run: pip install" in told
    monkeypatch.setattr(remedies, "installed", lambda distribution: "0.7.4")
    assert init(tmp_path / "other", sequences) == 0
    assert capsys.readouterr().err == ""


def test_the_toolkit_evaluates_a_workspace_of_ours_offline(evaluated):
    directory, done = evaluated
    assert "Evaluation concluded successfuly" in done.stdout + done.stderr
    for experiment in EXPERIMENTS:
        assert (directory / f"results/Static/{experiment}/scale/scale_001.bin").is_file()
    values = (
        (directory / "results/Static/unsupervised/scale/scale_001_confidence.value").read_text().split("\n")
    )
    assert len(values[:-1]) == FRAMES
    assert float(values[1]) == 1


def test_a_deterministic_tracker_is_complete_after_three_equal_repetitions(evaluated, capsys):
    directory, _ = evaluated
    folder = directory / "results/Static/baseline/motion"
    assert sorted(path.name for path in folder.glob("*.bin")) == [f"motion_00{i}.bin" for i in (1, 2, 3)]
    assert main(["workspace", "check", str(directory)]) == 0
    assert "All results of Static are complete" in capsys.readouterr().out


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_a_missing_result_is_named(workspace, capsys, experiment):
    (workspace / f"results/Static/{experiment}/motion/motion_001.bin").unlink()
    assert main(["workspace", "check", str(workspace), "--tracker", "Static"]) == 1
    assert f"Static, {experiment}, motion: repetition 1 of" in capsys.readouterr().out


def test_a_short_result_is_named_with_both_counts(workspace, capsys):
    # the toolkit's binary layout: int16 version 1, uint32 rows, a row = byte 1 and four float32
    row = struct.pack("<Bffff", 1, 1, 2, 3, 4)
    path = workspace / "results/Static/unsupervised/scale/scale_001.bin"
    path.write_bytes(struct.pack("<hI", 1, FRAMES - 1) + row * (FRAMES - 1))
    assert main(["workspace", "check", str(workspace)]) == 1
    assert (
        "Static, unsupervised, scale: repetition 1 has 7 rows, ground truth has 8" in capsys.readouterr().out
    )


def test_a_result_cut_in_the_middle_of_a_row_is_named(workspace, capsys):
    path = workspace / "results/Static/realtime/scale/scale_001.bin"
    path.write_bytes(path.read_bytes()[:-3])
    assert main(["workspace", "check", str(workspace)]) == 1
    assert "Static, realtime, scale: repetition 1 is damaged" in capsys.readouterr().out


def test_a_text_result_counts_as_well_as_a_binary_one(workspace):
    path = workspace / "results/Static/unsupervised/scale/scale_001.bin"
    path.unlink()
    path.with_suffix(".txt").write_text("1\n" + "1,2,3,4\n" * (FRAMES - 1))
    assert main(["workspace", "check", str(workspace)]) == 0


def test_three_repetitions_that_differ_are_not_enough(workspace, capsys):
    path = workspace / "results/Static/baseline/motion/motion_002.bin"
    path.unlink()
    path.with_suffix(".txt").write_text("1\n" + "50,60,3,4\n" * (FRAMES - 1))
    assert main(["workspace", "check", str(workspace)]) == 1
    assert "Static, baseline, motion: repetition 4 of 15 is missing" in capsys.readouterr().out


def test_a_workspace_without_results_is_refused(sample, tmp_path, capsys):
    assert init(tmp_path / "w", sample) == 0
    assert main(["workspace", "check", str(tmp_path / "w")]) == 2
    assert "vot evaluate ROAM" in capsys.readouterr().err


def test_a_tracker_without_results_is_refused(workspace, capsys):
    assert main(["workspace", "check", str(workspace), "--tracker", "Statik"]) == 2
    assert "'Static'" in capsys.readouterr().err


def test_a_folder_that_is_no_workspace_is_refused(tmp_path, capsys):
    assert main(["workspace", "check", str(tmp_path)]) == 2
    assert "no config.yaml" in capsys.readouterr().err


def test_making_a_workspace_twice_changes_nothing(sample, tmp_path, capsys):
    assert init(tmp_path / "w", sample) == 0
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "w").rglob("*") if path.is_file()}
    assert init(tmp_path / "w", sample) == 0
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert "nothing to do" in capsys.readouterr().out


def test_another_workspace_in_the_same_folder_is_refused(sample, tmp_path, capsys):
    assert init(tmp_path / "w", sample) == 0
    assert init(tmp_path / "w", sample, "--config", "vot2016") == 2
    assert "another workspace" in capsys.readouterr().err


def test_a_challenges_stack_runs_offline_on_local_sequences(sample, tmp_path, capsys):
    assert init(tmp_path / "w", sample, "--config", "vot2017") == 0
    done = vot("evaluate", tmp_path / "w", "--experiments", "unsupervised")
    assert "Evaluation concluded successfuly" in done.stdout + done.stderr
    # the check reads the stack that the toolkit ships: of its three experiments one has been run
    assert main(["workspace", "check", str(tmp_path / "w")]) == 1
    out = capsys.readouterr().out
    assert out.count("repetition 1 of 15 is missing") == 2
    assert out.count("repetition 1 of 1 is missing") == 2


@pytest.mark.parametrize("config", ["vot2016", "vot2017"])
def test_the_toolkit_ships_the_stacks_that_our_configurations_name(sample, tmp_path, capsys, config):
    assert init(tmp_path / "w", sample, "--config", config) == 0
    (tmp_path / "w/results/Static").mkdir(parents=True)
    assert main(["workspace", "check", str(tmp_path / "w")]) == 1
    assert "Static, baseline, motion: repetition 1 of 15 is missing" in capsys.readouterr().out


def test_a_flat_sequence_of_the_older_challenges_is_taken(sequences, tmp_path):
    folder = sequences / "motion"
    (folder / "sequence").unlink()
    for path in (folder / "color").iterdir():
        path.rename(folder / path.name)
    assert init(tmp_path / "w", sequences) == 0
    assert (tmp_path / "w/sequences/motion/00000001.jpg").is_file()


def test_polygons_are_taken_and_the_list_chooses_the_sequences(sequences, tmp_path):
    (sequences / "scale/groundtruth.txt").write_text("1,2,30,2,30,40,1,40\n" * FRAMES)
    (sequences / "list.txt").write_text("scale\n")
    assert init(tmp_path / "w", sequences) == 0
    assert (tmp_path / "w/sequences/list.txt").read_text() == "scale\n"


def test_a_stack_of_ones_own_is_copied_in(sample, tmp_path):
    (tmp_path / "mine.yaml").write_text("experiments:\n  once:\n    type: unsupervised\n")
    assert init(tmp_path / "w", sample, "--config", str(tmp_path / "mine.yaml")) == 0
    vot("evaluate", tmp_path / "w")
    assert main(["workspace", "check", str(tmp_path / "w")]) == 0
    assert (tmp_path / "w/results/Static/once/motion/motion_001.bin").is_file()


def test_another_registry_is_named_by_its_absolute_path(sample, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("mine.ini").write_text("[Mine]\nprotocol = traxpython\ncommand = mine\n")
    assert init("w", sample, "--registry", "mine.ini") == 0
    assert f"registry: ['{tmp_path}/mine.ini']" in Path("w/config.yaml").read_text()
    assert not Path("w/trackers.ini").exists()


def refused(capsys, status, *parts):
    error = capsys.readouterr().err
    assert status == 2
    assert error.count("\n") == 1
    for part in parts:
        assert part in error
    return True


def test_sequences_that_do_not_exist_are_refused(tmp_path, capsys):
    assert refused(capsys, init(tmp_path / "w", tmp_path / "nowhere"), "DataError", "nowhere")
    assert not (tmp_path / "w").exists()


def test_sequences_in_another_layout_are_refused(sample, tmp_path, capsys):
    assert refused(capsys, init(tmp_path / "w", sample.parent / "OTB"), "DataError", "groundtruth.txt")


def test_a_row_of_three_values_is_refused_with_file_and_line(sequences, tmp_path, capsys):
    truth = sequences / "scale/groundtruth.txt"
    truth.write_text("1,2,3,4\n1,2,3\n" + "1,2,3,4\n" * (FRAMES - 2))
    assert refused(
        capsys, init(tmp_path / "w", sequences), "DataError", "scale/groundtruth.txt, line 2", "3 values"
    )


@pytest.mark.parametrize("row", ["1,2,0,4", "1,2,30,2,60,2,90,2", "nan,nan,nan,nan", "0"])
def test_a_first_region_without_area_is_refused(sequences, tmp_path, capsys, row):
    (sequences / "scale/groundtruth.txt").write_text(f"{row}\n" + "1,2,3,4\n" * (FRAMES - 1))
    assert refused(capsys, init(tmp_path / "w", sequences), "BoxError", "scale/groundtruth.txt, line 1")


def test_a_missing_frame_is_refused_with_both_counts(sequences, tmp_path, capsys):
    (sequences / "scale/color/00000005.jpg").unlink()
    assert refused(capsys, init(tmp_path / "w", sequences), "DataError", "8 boxes", "4 .jpg images")


def test_frames_in_a_subfolder_that_nothing_announces_are_refused(sequences, tmp_path, capsys):
    (sequences / "scale/sequence").unlink()
    assert refused(capsys, init(tmp_path / "w", sequences), "DataError", "channels.color=color/%08d.jpg")


def test_an_unknown_configuration_is_answered_with_the_nearest_name(sample, tmp_path, capsys):
    assert refused(capsys, init(tmp_path / "w", sample, "--config", "vot2107"), "ConfigError", "'vot2017'")


@pytest.mark.parametrize("text", ["- a list", "experiments: [", "title: nothing"])
def test_a_configuration_that_is_none_is_refused(sample, tmp_path, capsys, text):
    (tmp_path / "c.yaml").write_text(text)
    assert refused(
        capsys, init(tmp_path / "w", sample, "--config", str(tmp_path / "c.yaml")), "ConfigError", "c.yaml"
    )


def test_a_registry_that_does_not_exist_is_refused(sample, tmp_path, capsys):
    assert refused(capsys, init(tmp_path / "w", sample, "--registry", "no.ini"), "ConfigError", "no.ini")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stak: vot2018/shortterm\n", "key 'stak' is unknown; did you mean 'stack'?"),
        ("experiments: {}\ntitel: mine\n", "key 'titel' is unknown; did you mean 'title'?"),
        ("experiments: {baseline: 3}\n", "The experiment baseline must be a mapping"),
        (f"stack: {'long' * 200}\n", "There is no stack 'longlong"),
        ("stack: 2001-99-99\n", "is not YAML: month must be in 1..12"),
    ],
)
def test_a_configuration_with_a_wrong_key_or_value_is_refused(sample, tmp_path, text, told):
    (tmp_path / "mine.yaml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        init_workspace(tmp_path / "w", sample, str(tmp_path / "mine.yaml"))
    assert told in str(caught.value)


def test_a_configuration_that_is_no_text_is_refused(sample, tmp_path):
    (tmp_path / "mine.yaml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"mine\.yaml is no YAML file in UTF-8"):
        init_workspace(tmp_path / "w", sample, str(tmp_path / "mine.yaml"))
