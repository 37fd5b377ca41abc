"""How a command ends: one sentence, one exit status, a traceback only on request."""

import os
import subprocess
import sys

import pytest

from roam_tracker import errors
from roam_tracker.commands import main
from roam_tracker.errors import BoxError, RoamError, RunError, guarded


def failing(error):
    def work():
        raise error

    return work


@pytest.mark.parametrize(
    ("error", "status", "said"),
    [
        (BoxError("No box."), 2, "BoxError: No box."),
        (RunError("It failed."), 1, "RunError: It failed."),
        (RoamError("Not yet."), 1, "RoamError: Not yet."),
        (OSError(28, "No space left on device", "a/b"), 1, "RunError: a/b: No space left on device. Free"),
        (PermissionError(13, "Permission denied", b"a.txt"), 1, "RunError: a.txt: Permission denied. Change"),
        (FileNotFoundError(2, "No such file or directory", "a", None, "b"), 1, "a -> b: No such file"),
        (OSError(24, "Too many open files"), 1, "RunError: Too many open files. Allow more"),
        (OSError(5, "Input/output error", 7), 1, "RunError: Input/output error. Mend"),
        (OSError("tracker process stopped"), 1, "Unexpected OSError: tracker process stopped. This"),
        (MemoryError(), 1, "RunError: There is not enough memory."),
        (type("OutOfMemoryError", (RuntimeError,), {})("CUDA"), 1, "RunError: There is not enough memory."),
        (ValueError("two\nlines."), 1, "Unexpected ValueError: two lines. This is a fault"),
        (KeyError(), 1, "Unexpected KeyError: KeyError. This"),
        (KeyboardInterrupt(), 130, "Interrupted; finished results are kept."),
    ],
)  # fmt: skip
def test_every_error_is_one_sentence_and_a_status(error, status, said, capsys):
    assert guarded(failing(error)) == status
    told = capsys.readouterr().err
    assert said in told and told.count("\n") == 1


def test_with_debug_the_traceback_of_any_error_is_shown():
    for error in (BoxError("No box."), ValueError("what")):
        with pytest.raises(type(error)):
            guarded(failing(error), debug=True)


def test_debug_may_stand_before_and_after_the_command():
    for words in (["--debug", "sample"], ["sample", "--debug"]):
        with pytest.raises(errors.ConfigError, match="at least one frame"):
            main([*words, "out", "--frames", "0"])


def test_a_reader_that_goes_away_ends_the_command_quietly():
    code = (
        "from roam_tracker.errors import guarded\n"
        "def work():\n    for k in range(100000): print('a line of output', k)\n    return 0\n"
        "raise SystemExit(guarded(work))"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr.read() == b""
    assert process.wait(20) == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is always full")  # noqa: PTH110
def test_an_output_that_is_full_is_told(tmp_path):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "roam_tracker", "sample", str(tmp_path / "s"), "--frames", "1"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "RunError: No space left on device. Free space" in done.stderr
    assert "Traceback" not in done.stderr
