"""What may go wrong with a run of the VOT toolkit: told in the log or by `roam workspace check`, never quiet.

`vot evaluate` ends with status 0 whatever happened, so the check is what people rely on.
"""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from roam_tracker.commands import main
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits.vot.workspace import place_anchors

pytestmark = pytest.mark.slow

FRAMES = 8
COMMAND = (
    "import sys; sys.path.insert(0, {tests!r}); import trackers; "
    "from roam_tracker.toolkits import registry; from roam_tracker.toolkits.vot import server as vot; "
    "vot.warm_up = lambda follower: None; "
    "registry.TRACKERS['Faulty'] = lambda device: trackers.Faulty(); raise SystemExit(vot.main(['Faulty']))"
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=FRAMES, sequences=2, size=(96, 72))
    return folder / "VOT"


def init(directory, sequences, *options):
    return main(["workspace", "init", str(directory), "--sequences", str(sequences), *options])


def evaluate(directory, tracker="Static", *options):
    command = [sys.executable, "-m", "vot", "evaluate", tracker, "--workspace", str(directory), *options]
    environment = os.environ | {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment)


def check(directory, *options):
    return main(["workspace", "check", str(directory), *options])


def logs(directory):
    return "".join(path.read_text(errors="replace") for path in (directory / "logs").glob("*.log"))


# What the tracker does


SAID = {
    "raise": "ValueError: lost my mind",
    "nan": "which is not finite or has no area",
    "infinite": "which is not finite or has no area",
    "zero": "which is not finite or has no area",
    "negative": "which is not finite or has no area",
    "short": "which is not finite or has no area",
    "text": "could not convert string to float: 'left'",
    "hang": "did not reply in 2 seconds",
    "killed": "Process exited with code (-9)",
}


@pytest.mark.parametrize("fault", SAID)
def test_a_tracker_that_does_wrong(sample, tmp_path, capsys, fault):
    ini = tmp_path / "mine.ini"
    command = COMMAND.format(tests=str(Path(__file__).parent))
    ini.write_text(
        f"[Faulty]\nlabel = Faulty\nprotocol = traxpython\ncommand = {command}\ntimeout = 2\n"
        f"env_FAULT = {fault}\n"
    )
    assert init(tmp_path / "w", sample, "--registry", str(ini)) == 0
    done = evaluate(tmp_path / "w", "Faulty", "--persist", "--experiments", "unsupervised")
    assert done.returncode == 0  # the toolkit's own status says nothing
    assert SAID[fault] in logs(tmp_path / "w") + done.stdout + done.stderr
    assert "Tracker Faulty encountered an error at sequence motion: " in done.stdout + done.stderr
    capsys.readouterr()
    assert check(tmp_path / "w") == 1
    said = capsys.readouterr().out
    assert "Faulty, unsupervised, motion: repetition 1 of 1 is missing" in said
    assert "Faulty, unsupervised, scale" not in said


def test_a_tracker_whose_program_cannot_be_imported(sample, tmp_path, capsys):
    ini = tmp_path / "mine.ini"
    ini.write_text("[Gone]\nlabel = Gone\nprotocol = traxpython\ncommand = import nowhere\ntimeout = 5\n")
    assert init(tmp_path / "w", sample, "--registry", str(ini)) == 0
    evaluate(tmp_path / "w", "Gone", "--experiments", "unsupervised")
    assert check(tmp_path / "w") == 2
    assert "has no results yet" in capsys.readouterr().err
    assert "No module named 'nowhere'" in logs(tmp_path / "w")


# What lies in the workspace


@pytest.fixture(scope="module")
def evaluated(sample, tmp_path_factory):
    directory = tmp_path_factory.mktemp("workspace") / "w"
    assert init(directory, sample) == 0
    evaluate(directory)
    return directory


@pytest.fixture
def workspace(evaluated, tmp_path):
    shutil.copytree(evaluated, tmp_path / "w", symlinks=True)
    return tmp_path / "w"


def binary(rows, box=(1, 2, 3, 4)):
    """The toolkit's layout: int16 version 1, uint32 rows, a row = byte 1 and four float32."""
    return struct.pack("<hI", 1, rows) + struct.pack("<Bffff", 1, *box) * rows


def as_text(path, line, rows=FRAMES):
    path.unlink()
    path.with_suffix(".txt").write_text("1\n" + f"{line}\n" * (rows - 1))


FAULTS = {
    "too short": (lambda path: path.write_bytes(binary(FRAMES - 1)), "has 7 rows, ground truth has 8"),
    "too long": (lambda path: path.write_bytes(binary(FRAMES + 1)), "has 9 rows, ground truth has 8"),
    "half a row": (lambda path: path.write_bytes(path.read_bytes()[:-3]), "is damaged"),
    "empty": (lambda path: path.write_bytes(b""), "is damaged"),
    "of another format": (lambda path: path.write_bytes(b"\x07" + path.read_bytes()[1:]), "is damaged"),
    "missing": (lambda path: path.unlink(), "of 1 is missing"),
    "letters": (lambda path: as_text(path, "one,2,3,4"), "is damaged"),
    "semicolons": (lambda path: as_text(path, "1;2;3;4"), "is damaged"),
    "a column less": (lambda path: as_text(path, "1,2,3"), "is damaged"),
    "not a number": (lambda path: as_text(path, "nan,2,3,4"), "has no region in row 2"),
    "unknown": (lambda path: as_text(path, "0"), "has no region in row 2"),
    "infinite": (lambda path: as_text(path, "inf,2,3,4"), "is damaged"),
    "no width": (
        lambda path: path.write_bytes(binary(FRAMES, (1, 2, 0, 4))),
        "has a box without area in row 1",
    ),
    "negative": (lambda path: as_text(path, "1,2,3,-4"), "has a box without area in row 2"),
    "no times": (lambda path: path.with_name(f"{path.stem}_time.value").unlink(), "has no times"),
    "other times": (
        lambda path: path.with_name(f"{path.stem}_time.value").write_text("0.1\n" * 3),
        "or those of another run",
    ),
    "no folder": (lambda path: shutil.rmtree(path.parent), "of 1 is missing"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_result_that_is_not_whole(workspace, capsys, fault):
    damage, said = FAULTS[fault]
    damage(workspace / "results/Static/unsupervised/scale/scale_001.bin")
    assert check(workspace) == 1
    told = capsys.readouterr().out
    assert "Static, unsupervised, scale: repetition 1 " in told and said in told
    assert "1 results are missing or unusable" in told


def test_seven_of_fifteen_repetitions_that_differ(workspace, capsys):
    folder = workspace / "results/Static/baseline/motion"
    for number in range(1, 8):
        (folder / f"motion_{number:03d}.bin").write_bytes(binary(FRAMES, (number, 2, 30, 40)))
        (folder / f"motion_{number:03d}_time.value").write_text("0.1\n" * FRAMES)
    assert check(workspace) == 1
    assert "Static, baseline, motion: repetition 8 of 15 is missing" in capsys.readouterr().out


def test_numbers_of_results_that_are_gone_are_told_of(workspace, capsys):
    cached = workspace / "cache/analysis/x"
    cached.parent.mkdir(parents=True)
    cached.write_text("old")
    os.utime(cached, (1, 1))
    assert check(workspace) == 0
    assert "is older than some results, and `vot analysis` does not notice" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: next(folder.glob("color/00000003.jpg")).unlink(), "has 8 boxes, but "),
        (lambda folder: (folder / "groundtruth.txt").write_text(""), "groundtruth.txt is empty"),
        (lambda folder: (folder / "groundtruth.txt").write_text("1,2,3\n" * 8), "line 1: found 3 values"),
        (shutil.rmtree, "motion/groundtruth.txt does not exist"),
    ],
)
def test_data_half_downloaded(sample, tmp_path, capsys, damage, said):
    shutil.copytree(sample, tmp_path / "half")
    damage(tmp_path / "half/motion")
    assert init(tmp_path / "w", tmp_path / "half") == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "w").exists()


# What made the results


def test_a_run_leaves_a_manifest_beside_its_results(evaluated):
    manifest = json.loads((evaluated / "results/Static/manifest.json").read_text())
    assert manifest["tracker"] == "Static"
    names = [name for run in manifest["runs"] for name in run["sequences"]]
    assert sorted(names) == ["motion", "scale"]
    assert all(run["versions"]["vot-toolkit"] and run["device"] == "cpu" for run in manifest["runs"])


def test_results_of_other_settings_in_the_folder_end_the_run_with_a_sentence(evaluated, workspace):
    for name in ("config.yaml", "trackers.ini"):  # a workspace knows where it lies
        file = workspace / name
        file.write_text(file.read_text().replace(str(evaluated), str(workspace)))
    path = workspace / "results/Static/manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"tracker": "Other"}))
    (workspace / "results/Static/unsupervised/scale/scale_001.bin").unlink()
    done = evaluate(workspace)
    assert 'tracker was "Other", it is "Static" now. Delete the folder' in done.stdout + done.stderr
    assert "ResultError: " in logs(workspace) and 'tracker was "Other"' in logs(workspace)
    assert not (workspace / "results/Static/unsupervised/scale/scale_001.bin").exists()


# Runs from anchors, as the challenges have them since 2020


def test_a_stack_with_anchors_runs_and_is_checked(sample, tmp_path, capsys):
    assert init(tmp_path / "w", sample, "--config", "vot2022") == 2
    assert "has no anchor.value" in capsys.readouterr().err
    assert init(tmp_path / "w", sample, "--config", "vot2022", "--anchors", "4") == 0
    assert init(tmp_path / "w", sample, "--config", "vot2022", "--anchors", "4") == 0
    assert not (sample / "motion/anchor.value").exists()
    evaluate(tmp_path / "w")
    assert check(tmp_path / "w", "Static") == 0
    capsys.readouterr()
    folder = tmp_path / "w/results/Static/baseline/motion"
    assert sorted(path.name for path in folder.glob("*.bin")) == [
        f"motion_0000000{frame}.bin" for frame in (0, 4, 7)
    ]
    (folder / "motion_00000004.bin").write_bytes(binary(4))
    (folder / "motion_00000007.bin").unlink()
    assert check(tmp_path / "w") == 1
    told = capsys.readouterr().out
    # from frame 4 it runs backwards: frames 4, 3, ..., 0
    assert "Static, baseline, motion: the run from frame 4 has 4 rows, ground truth has 5" in told
    assert "Static, baseline, motion: the run from frame 7 is missing" in told


def test_anchors_look_towards_the_farther_end_and_skip_frames_without_truth(tmp_path):
    lines = ["1,2,3,4"] * 11
    lines[4], lines[6] = "nan,nan,nan,nan", "1,2,0,4"
    (tmp_path / "groundtruth.txt").write_text("\n".join(lines) + "\n")
    # wanted at 0, 2, 4, 6, 8, 10; 4 goes to 3 and 6 to 5, from where both ends are as far
    assert place_anchors(tmp_path, 2).split() == ["1", "0", "1", "1", "0", "1", "0", "0", "-1", "0", "-1"]


def test_a_long_term_stack_is_refused(sample, tmp_path, capsys):
    (tmp_path / "long.yaml").write_text("stack: vot2018/longterm\nsequences: sequences\n")
    assert init(tmp_path / "w", sample, "--config", str(tmp_path / "long.yaml")) == 2
    assert "only short-term ones for one box" in capsys.readouterr().err
