"""A few random cases of each promise; promises.py tries as many as one likes."""

import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent


@pytest.mark.parametrize(
    "promise",
    [
        "killed --count 4",
        "written --count 60",
        "same --count 2 --frames 4",
        "causal --count 6",
        "independent --count 1 --workers 0",
    ],
)
def test_a_promise_is_kept_in_every_case(promise):
    argv = [sys.executable, str(HERE / "promises.py"), *promise.split()]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    count = promise.split()[2]
    assert f"kept in {count} of {count}" in done.stdout, done.stdout + done.stderr
    assert done.returncode == 0


def test_memory_and_open_files_stay_as_they_are_over_300_frames():
    argv = [sys.executable, str(HERE.parent / "benchmarks/endurance.py"), "--frames", "300", "--every", "100"]
    # other tests may be running: the time is judged by the long form
    done = subprocess.run([*argv, "--slowdown", "5"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASS") == 3
