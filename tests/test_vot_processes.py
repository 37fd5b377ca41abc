"""Processes that end or never begin under the real VOT toolkit: one true sentence, no hang, no orphan."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from roam_tracker.commands import main
from roam_tracker.sample.write import write_sample

pytestmark = pytest.mark.slow

OURS = "from roam_tracker.toolkits.vot import main; raise SystemExit(main(['{tracker}']))"
SLOW = (
    "import os, time, pathlib; from roam_tracker.toolkits import registry; "
    "from roam_tracker.toolkits.vot import server as vot; "
    "vot.warm_up = lambda follower: pathlib.Path('{pid}').write_text(str(os.getpid())); "
    "registry.StaticTracker.update = lambda self, image: (time.sleep({sleep}), self.box)[1]; "
    "raise SystemExit(vot.main(['Static']))"
)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=40, sequences=1, size=(96, 72))
    return folder / "VOT"


def workspace(place, sample, command, extra=""):
    ini = place / "mine.ini"
    ini.write_text(f"[Ours]\nlabel = Ours\nprotocol = traxpython\ncommand = {command}\ntimeout = 20\n{extra}")
    words = ["workspace", "init", place / "w", "--sequences", sample, "--registry", ini]
    assert main([str(word) for word in words]) == 0
    return place / "w"


def evaluation(directory):
    command = [sys.executable, "-m", "vot", "evaluate", "Ours", "--workspace", str(directory)]
    return subprocess.Popen(
        [*command, "--experiments", "unsupervised"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, env=os.environ | {"https_proxy": "http://127.0.0.1:9"}, start_new_session=True,
    )  # fmt: skip


def wait_for(condition, seconds=60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.05)
    return False


def gone(pid):
    """Whether a process has ended; one that nobody has collected yet counts."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True


def log(directory):
    return "".join(path.read_text(errors="replace") for path in (directory / "logs").glob("*.log"))


@pytest.mark.parametrize(
    ("module", "tracker", "screen", "in_log"),
    [
        ("torch", "ROAM", "ImportError: torch is broken", "Traceback"),
        ("trax", "Static", "Unable to connect to tracker", "RunError: TraX is not installed here"),
        ("numpy", "Static", "Unable to connect to tracker", "ImportError: numpy is broken"),
        ("none", "Statik", "ConfigError: There is no tracker named 'Statik': did you mean", "ConfigError: "),
    ],
)
def test_a_tracker_that_cannot_be_imported(sample, tmp_path, capsys, module, tracker, screen, in_log):
    (tmp_path / "broken").mkdir()
    (tmp_path / f"broken/{module}.py").write_text(f"raise ImportError('{module} is broken')")
    directory = workspace(tmp_path, sample, OURS.format(tracker=tracker), f"paths = {tmp_path}/broken\n")
    said = evaluation(directory).communicate(timeout=90)[0]
    assert screen in said
    assert in_log in log(directory)
    capsys.readouterr()
    assert main(["workspace", "check", str(directory)]) == 2
    assert "has no results yet" in capsys.readouterr().err


@pytest.mark.parametrize("sleep", [0.3, 100])
def test_a_toolkit_that_is_killed_takes_the_tracker_with_it(sample, tmp_path, sleep):
    pid = tmp_path / "pid"
    directory = workspace(tmp_path, sample, SLOW.format(pid=pid, sleep=sleep))
    toolkit = evaluation(directory)
    try:
        assert wait_for(lambda: pid.is_file() and pid.read_text())
        tracker = int(pid.read_text())
        time.sleep(1)
        assert not gone(tracker)
        toolkit.send_signal(signal.SIGKILL)
        assert wait_for(lambda: gone(tracker), 20)  # also one that hangs in a frame
    finally:
        toolkit.kill()
        toolkit.communicate()


def test_a_tracker_that_is_killed_is_told_by_screen_log_and_check(sample, tmp_path, capsys):
    pid = tmp_path / "pid"
    directory = workspace(tmp_path, sample, SLOW.format(pid=pid, sleep=0.3))
    toolkit = evaluation(directory)
    assert wait_for(lambda: pid.is_file() and pid.read_text())
    time.sleep(1)
    os.kill(int(pid.read_text()), signal.SIGKILL)
    said = toolkit.communicate(timeout=60)[0]
    assert "Tracker Ours encountered an error at sequence motion: " in said
    assert "Process exited with code (-9)" in log(directory)
    capsys.readouterr()
    assert main(["workspace", "check", str(directory)]) != 0
    told = capsys.readouterr()
    assert "is missing" in told.out or "has no results yet" in told.err
