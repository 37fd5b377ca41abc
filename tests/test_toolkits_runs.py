"""Runs in several processes, on Ray, killed and resumed: the same bytes come out whatever happens."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from roam_tracker.errors import ConfigError
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits.experiments import _pool
from roam_tracker.toolkits.got10k.settings import RunSettings, dataset_names, read_settings
from roam_tracker.toolkits.registry import deterministic, label

pytestmark = pytest.mark.slow

FRAMES, SEQUENCES = 12, 4


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=FRAMES, sequences=SEQUENCES, size=(96, 72))
    return folder


@pytest.fixture
def run(sample, tmp_path):
    """Runs the command in a scratch folder of its own process; gives what `subprocess.run` gives."""

    def run(*options, tracker="trackers:Still", dataset="folder", wait=True):
        root = sample / ("OTB" if dataset == "folder" else "GOT-10k")
        argv = [sys.executable, "-m", "got10k.experiments", "--dataset", dataset, "--root", str(root)]
        argv += ["--tracker", tracker, *options]
        environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
        if wait:
            return subprocess.run(
                argv, cwd=tmp_path, capture_output=True, text=True, env=environment, check=False
            )
        return subprocess.Popen(
            argv, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )

    return run


def files(folder, tracker="Still", dataset="OTB"):
    """Name -> content of what a run left, but for times and what names the run."""
    root = folder / "results" / dataset / tracker
    found = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    manifest = json.loads(found.pop("manifest.json"))
    made = {name: known for run in manifest["runs"] for name, known in run["sequences"].items()}
    return {name: content for name, content in found.items() if "_time" not in name}, made


def move(source, target):
    target.mkdir()
    for name in ("results", "reports"):
        (source / name).rename(target / name)


def test_two_workers_leave_the_same_bytes_as_one_and_as_none(run, tmp_path):
    for workers in ("0", "1", "2"):
        assert run("--workers", workers).returncode == 0
        move(tmp_path, tmp_path / workers)
    expected = files(tmp_path / "0")
    assert len(expected[0]) == len(expected[1]) == SEQUENCES
    assert files(tmp_path / "1") == files(tmp_path / "2") == expected
    manifest = json.loads((tmp_path / "2/results/OTB/Still/manifest.json").read_text())
    assert manifest["runs"][0]["workers"] == 2
    assert manifest["preset"] == "trackers:Still"


def test_roam_itself_finds_the_same_boxes_in_two_processes(run, tmp_path):
    for workers in ("0", "2"):
        done = run("--workers", workers, "--device", "cpu", "--sequences", "motion", "scale", tracker="ROAM")
        assert done.returncode == 0, done.stderr
        move(tmp_path, tmp_path / workers)
    assert files(tmp_path / "0", "ROAM") == files(tmp_path / "2", "ROAM")
    assert json.loads((tmp_path / "2/results/OTB/ROAM/manifest.json").read_text())["runs"][0]["threads"] == 1


def test_long_sequences_start_first_and_each_has_its_line(run, sample, tmp_path):
    done = run("--workers", "1")
    lines = [line for line in done.stdout.splitlines() if line.startswith("[")]
    assert len(lines) == SEQUENCES
    assert all(" frames/s, " in line and line.endswith(" left") for line in lines)
    assert lines[0].startswith(f"[1/{SEQUENCES}] Still ")


def test_a_sequence_whose_process_is_killed_is_begun_again(run, tmp_path):
    assert run(tracker="trackers:Suicidal").returncode == 0
    move(tmp_path, tmp_path / "undisturbed")
    (tmp_path / "lives").write_text("xx")  # two deaths, two retries
    done = run("--workers", "2", tracker="trackers:Suicidal")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path, "Suicidal") == files(tmp_path / "undisturbed", "Suicidal")
    assert (tmp_path / "lives").read_text() == ""


def test_a_sequence_that_kills_its_process_each_time_is_named_and_the_others_are_done(run, tmp_path):
    (tmp_path / "lives").write_text("xx")
    done = run("--workers", "1", "--retries", "1", tracker="trackers:Suicidal")
    assert done.returncode == 1
    assert "RunError: trackers:Suicidal on " in done.stderr
    assert "its process was killed by SIGKILL (out of memory? take fewer workers) 2 times." in done.stderr
    assert len(files(tmp_path, "Suicidal")[0]) == SEQUENCES - 1


def children(process):
    listed = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in listed}
    return [pid for pid, command in commands.items() if b"spawn_main" in command]


def wait_until(condition, limit_s=60):
    end = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def test_workers_killed_from_outside_cost_their_sequences_only(run, tmp_path):
    assert run(tracker="trackers:Slow").returncode == 0
    move(tmp_path, tmp_path / "undisturbed")
    (tmp_path / "at-work").unlink()
    process = run("--workers", "2", tracker="trackers:Slow", wait=False)
    wait_until((tmp_path / "at-work").exists)
    killed = children(process)
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    assert killed
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 0, said
    assert files(tmp_path, "Slow") == files(tmp_path / "undisturbed", "Slow")


@pytest.mark.parametrize("moment", [0, 2, 4])
def test_a_run_killed_as_a_whole_is_finished_by_the_next_one(run, tmp_path, moment):
    process = run("--workers", "2", tracker="trackers:Slow", wait=False)
    wait_until((tmp_path / "at-work").exists)
    workers = children(process)
    assert workers
    time.sleep(0.1 * moment)
    process.kill()
    process.communicate()
    wait_until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), 5)
    assert not any("tmp" in path.name for path in tmp_path.rglob("*.txt"))
    before = {path: path.stat().st_mtime_ns for path in tmp_path.glob("results/OTB/Slow/*.txt")}
    done = run("--workers", "2", tracker="trackers:Slow")
    assert done.returncode == 0, done.stderr
    again = sum(path.stat().st_mtime_ns != time_ns for path, time_ns in before.items())
    assert again <= 1  # at most the one whose line in the manifest was missing
    assert len(files(tmp_path, "Slow")[0]) == SEQUENCES
    move(tmp_path, tmp_path / "resumed")
    assert run("--workers", "0", tracker="trackers:Slow").returncode == 0
    assert files(tmp_path, "Slow") == files(tmp_path / "resumed", "Slow")


def test_a_tracker_that_hangs_is_ended_within_the_limit_and_the_others_are_done(run, tmp_path):
    (tmp_path / "hang").write_text("scale")
    start = time.monotonic()
    done = run("--workers", "1", "--timeout", "2", tracker="trackers:Hanging")
    assert time.monotonic() - start < 20
    assert done.returncode == 1
    assert "no answer on " in done.stderr and "scale/img/0002.jpg within 2 s" in done.stderr
    assert len(files(tmp_path, "Hanging")[0]) == SEQUENCES - 1


def test_a_stochastic_tracker_runs_three_times_on_got10k_with_three_seeds(run, tmp_path):
    for folder in ("first", "second"):
        done = run("--sequences", "motion", tracker="trackers:Drunk", dataset="GOT-10k")
        assert done.returncode == 0, done.stderr
        move(tmp_path, tmp_path / folder)
    found, made = files(tmp_path / "first", "Drunk", "GOT-10k")
    assert sorted(found) == [f"motion/motion_00{number}.txt" for number in (1, 2, 3)]
    assert len(set(found.values())) == 3
    assert (found, made) == files(tmp_path / "second", "Drunk", "GOT-10k")
    times = np.loadtxt(tmp_path / "first/results/GOT-10k/Drunk/motion/motion_time.txt", delimiter=",")
    assert times.shape == (FRAMES, 3)
    assert not deterministic("trackers:Drunk") and deterministic("ROAM")


def test_a_tracker_of_others_is_found_by_module_and_class(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    assert label("trackers:Still") == "Still"
    with pytest.raises(ConfigError, match="no tracker 'nowhere:Still' to import"):
        label("nowhere:Still")
    with pytest.raises(ConfigError, match=r"needs the methods init\(image, box\)"):
        label("trackers:Path")


# Ray


def tasks_of_ray():
    found = []
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):  # it may be gone by now
            if b"ray::_perform" in file.read_bytes():
                found.append(int(file.parent.name))
    return found


def test_a_ray_cluster_leaves_the_same_bytes_also_when_its_workers_are_killed(run, tmp_path):
    pytest.importorskip("ray", reason="Ray is not installed: pip install ray")
    assert run(tracker="trackers:Slow").returncode == 0
    move(tmp_path, tmp_path / "undisturbed")
    (tmp_path / "at-work").unlink()
    process = run("--ray", "--workers", "2", tracker="trackers:Slow", wait=False)
    wait_until((tmp_path / "at-work").exists)
    killed = tasks_of_ray()
    for worker in killed:
        os.kill(worker, signal.SIGKILL)
    said, _ = process.communicate(timeout=120)
    assert killed
    if process.returncode:  # the sequences whose tasks died too often: a second run does what is missing
        assert "its process died" in said
    done = run("--ray", "--workers", "2", tracker="trackers:Slow")
    assert done.returncode == 0, done.stderr
    assert files(tmp_path, "Slow") == files(tmp_path / "undisturbed", "Slow")


# Settings


def test_every_benchmark_has_a_file_of_settings():
    names = {
        "OTB2013",
        "OTB50",
        "OTB2015",
        "GOT-10k",
        "GOT-10k-test",
        "UAV123",
        "UAV20L",
        "NfS240",
        "NfS30",
    }
    assert dataset_names().keys() == names | {"DTB70", "TColor128", "LaSOT", "TrackingNet", "folder"}


def test_a_file_of_ones_own_extends_a_data_set_and_the_command_line_wins(run, sample, tmp_path):
    (tmp_path / "mine.toml").write_text(
        f'extends = "folder"\nroot = "{sample}/OTB"\ntracker = "trackers:Still"\n'
        'workers = 2\nsequences = ["scale"]\n'
    )
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    argv = [sys.executable, "-m", "got10k.experiments", "--dataset", "mine.toml", "--workers", "0"]
    done = subprocess.run(argv, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert files(tmp_path)[0].keys() == {"scale.txt"}
    assert json.loads((tmp_path / "results/OTB/Still/manifest.json").read_text())["runs"][0]["workers"] == 1


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('extends = "OTB2015"\nworker = 2', "did you mean 'workers'?"),
        ('extends = "OTB2015"\nworkers = "two"', "workers = 'two' is no whole number"),
        ('extends = "OTB2015"\nworkers = -1', "workers must be at least 0, got -1"),
        ('extends = "OTB2016"', "There is no data set named 'OTB2016'"),
        ('name = "mine"', "needs the key 'layout'"),
        ('name = "mine"\nlayout = "otp"', "did you mean 'otb'?"),
        ("x = = 1", "is not valid TOML"),
    ],
)
def test_settings_that_cannot_be_used_are_named(tmp_path, text, said):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError, match=said.replace("?", r"\?")):
        read_settings(str(tmp_path / "mine.toml"))


def test_without_a_root_the_command_says_which_option_is_missing(tmp_path):
    argv = [sys.executable, "-m", "got10k.experiments", "--dataset", "OTB2015"]
    done = subprocess.run(argv, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Say where the sequences of OTB2015 are: --root DIR" in done.stderr


def test_a_result_that_was_changed_is_not_trusted(run, tmp_path):
    assert run("--workers", "0").returncode == 0
    expected = files(tmp_path)
    file = tmp_path / "results/OTB/Still/motion.txt"
    file.write_text(file.read_text().replace("0.", "1.", 1))
    done = run("--workers", "0")
    assert (
        "motion: the result found is not trusted (it was changed since manifest.json was written)"
        in done.stdout
    )
    assert files(tmp_path) == expected
    shutil.rmtree(tmp_path / "results/OTB/Still/times")
    assert (
        f"{SEQUENCES}"
        and run("--workers", "0").stdout.count("has no times, or those of another run") == SEQUENCES
    )


def test_workers_are_spread_over_all_visible_gpus(monkeypatch):
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    settings = RunSettings(name="x", layout="otb", workers=5)
    assert _pool(settings, None).devices == ["cuda:0", "cuda:1", "cuda:2"]
    assert _pool(replace(settings, device="cuda:1"), None).devices == ["cuda:1"]
    assert _pool(replace(settings, tracker=("Static",)), None).devices == ["auto"]  # needs none
