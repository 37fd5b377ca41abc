"""What must hold for the package as a whole: its rooms, its command, its files."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from roam_tracker.commands import COMMANDS, main
from roam_tracker.errors import RunError
from roam_tracker.files import nearest, write_atomic

pytestmark = pytest.mark.slow

BLOCKED_IMPORT = """
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ImportError(f"{{name}} is blocked")
sys.meta_path.insert(0, Blocked())
import {modules}
"""


@pytest.mark.parametrize(
    ("modules", "blocked"),
    [
        (
            "roam_tracker.core.tracking, roam_tracker.core.backbone",
            ["PIL", "matplotlib", "pandas", "got10k", "trax", "vot", "cv2", "safetensors"],
        ),
        ("roam_tracker.core.geometry", ["torch", "PIL", "matplotlib", "pandas", "got10k", "trax"]),
        (
            "roam_tracker.tracker, roam_tracker.training.loop",
            ["matplotlib", "pandas", "got10k", "trax", "vot"],
        ),
        (
            "roam_tracker.video.follow, roam_tracker.commands.track",
            ["matplotlib", "pandas", "got10k", "trax", "vot"],
        ),
        (
            "roam_tracker.images, roam_tracker.video.frames",
            ["torch", "matplotlib", "pandas", "got10k", "trax"],
        ),
        ("roam_tracker.selfcheck.doctor", ["torch", "numpy", "PIL", "cv2", "got10k", "trax", "vot"]),
        ("roam_tracker, roam_tracker.commands", ["torch", "PIL", "matplotlib", "pandas", "got10k", "trax"]),
    ],
)
def test_a_room_works_without_the_packages_of_the_others(modules, blocked):
    code = BLOCKED_IMPORT.format(modules=modules, blocked=set(blocked))
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def test_got10k_experiments_is_a_command_that_lists_trackers_and_data_sets():
    run = subprocess.run(
        [sys.executable, "-m", "got10k.experiments", "--help"], capture_output=True, text=True
    )
    assert run.returncode == 0, run.stderr
    assert "OTB2015" in run.stdout and "ROAM" in run.stdout


def test_help_lists_every_command(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    told = capsys.readouterr().out
    assert all(name in told for name in COMMANDS)


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command, capsys):
    with pytest.raises(SystemExit) as stop:
        main([command, "--help"])
    assert stop.value.code == 0
    assert f"roam {command}" in capsys.readouterr().out


def test_a_written_file_is_whole_and_leaves_nothing_beside_it(tmp_path):
    write_atomic(tmp_path / "deep" / "a.txt", "one\n")
    write_atomic(tmp_path / "deep" / "a.txt", "two\n")
    assert (tmp_path / "deep" / "a.txt").read_text() == "two\n"
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["a.txt"]


def test_a_failed_write_names_the_file_and_keeps_the_old_one(tmp_path, monkeypatch):
    target = tmp_path / "a.txt"
    write_atomic(target, "old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match=r"a\.txt could not be written: No space left"):
        write_atomic(target, "new")
    assert target.read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_the_nearest_name_or_all_of_them_end_an_error():
    assert nearest("RAOM", ["ROAM", "SGD"]) == "did you mean 'ROAM'?"
    assert nearest("xyz", ["b", "a"]) == "known are a, b."


def test_the_version_is_in_one_place():
    from importlib.metadata import version

    import roam_tracker

    assert version("roam-tracker") == roam_tracker.__version__


def test_trackers_ini_is_at_the_top_level():
    ini = Path(__file__).parents[1] / "trackers.ini"
    assert "[ROAM]" in ini.read_text()
