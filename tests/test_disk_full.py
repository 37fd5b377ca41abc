"""Disks that are full: the error names the file, what was there stays, nothing half remains."""

import os
import resource
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from roam_tracker.errors import RunError
from roam_tracker.files import write_atomic
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits.experiments import main

pytestmark = pytest.mark.slow

PAGE = resource.getpagesize()


@pytest.fixture
def disk(tmp_path):
    """A function that makes a folder hold so many KiB; skips where no file system can be mounted."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def hold(kib):
        done = ["-o", f"{'remount,' if os.path.ismount(folder) else ''}size={kib}k", "tmpfs", str(folder)]
        try:
            subprocess.run(["mount", "-t", "tmpfs", *done], check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError):
            pytest.skip("a small disk can only be mounted by root")
        return folder

    yield hold
    if os.path.ismount(folder):
        subprocess.run(["umount", str(folder)], check=True)


def test_a_file_that_does_not_fit_is_named_and_the_old_one_stays(disk):
    folder = disk(64)
    write_atomic(folder / "a.txt", "old")
    for size in (61, 64, 200, 1000):  # KiB; the old file takes a page
        with pytest.raises(
            RunError, match=r"a\.txt could not be written: No space left on device\. Free space"
        ):
            write_atomic(folder / "a.txt", bytes(1024 * size))
        assert [path.name for path in folder.iterdir()] == ["a.txt"]
        assert (folder / "a.txt").read_text() == "old"


def test_a_file_beyond_the_limit_of_its_process_is_named_and_the_old_one_stays(tmp_path):
    code = (
        "import resource, signal, sys\n"
        "from roam_tracker.files import write_atomic\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))\n"
        "write_atomic(sys.argv[1], b'x' * 5000)\n"
        "write_atomic(sys.argv[1], b'y' * 5001)\n"
    )
    argv = [sys.executable, "-c", code, str(tmp_path / "a.txt")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert (
        "RunError" in done.stderr and f"{tmp_path}/a.txt could not be written: File too large" in done.stderr
    )
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]
    assert (tmp_path / "a.txt").read_bytes() == b"x" * 5000


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=6, sequences=5, size=(96, 72))
    return folder / "OTB"


@pytest.fixture
def run(sample, tmp_path, monkeypatch):
    """Runs Still on the sample with a folder for results; gives the exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))

    def run(results):
        argv = ["--dataset", "folder", "--root", str(sample), "--tracker", "trackers:Still", "--workers", "0"]
        return main([*argv, "--result-dir", str(results)])

    return run


def boxes(folder):
    return {path.name: path.read_bytes() for path in (folder / "OTB/Still").glob("*.txt")}


@pytest.mark.parametrize("pages", [2, 3, 4, 5, 6, 8, 11])
def test_a_run_on_a_full_disk_ends_with_a_sentence_and_goes_on_when_there_is_room(
    run, disk, tmp_path, capsys, pages
):
    folder = disk(pages * PAGE // 1024)
    assert run(folder) == 1
    said = capsys.readouterr().err
    assert said.startswith("RunError: ") and said.count("\n") == 1, said
    assert "could not be written: No space left on device. Free space or choose another folder." in said
    assert not list(folder.rglob(".*"))
    left = boxes(folder)
    disk(1024)
    assert run(folder) == 0
    assert run(tmp_path / "elsewhere") == 0
    whole = boxes(tmp_path / "elsewhere")
    assert boxes(folder) == whole and left.items() <= whole.items()


def test_a_sample_that_does_not_fit_leaves_nothing(disk):
    folder = disk(64)
    with pytest.raises(RunError, match="could not be written: No space left on device"):
        write_sample(folder / "sample", frames=6, sequences=5, size=(96, 72))
    assert list(folder.iterdir()) == []
    assert shutil.disk_usage(folder).used == 0
