"""The TraX wrapper, spoken to as the toolkit does and through `vot test`."""

import os
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import pytest

from roam_tracker.sample.write import write_sample

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]

# defines trackers by what they do in an update; `self.n` counts the updates
FAKE = """
import os, sys, numpy as np
from roam_tracker.toolkits import registry
from roam_tracker.toolkits.vot import server as vot
class Fake(registry.StaticTracker):
    n = 0
    def __init__(self): {made}
    def update(self, image):
        self.n += 1
        {update}
        return super().update(image)
registry.TRACKERS["Fake"] = lambda device: Fake()
raise SystemExit(vot.main(["Fake"]))
"""


@pytest.fixture(scope="module")
def image(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=1, sequences=1, size=(96, 72))
    return str(folder / "VOT/motion/color/00000001.jpg")


class Toolkit:
    """The toolkit's side of the protocol: lines of text over a pipe."""

    def __init__(self, process):
        self.process = process
        self.said = []  # every line of the process
        self.hello = self.listen("hello")

    def listen(self, *kinds):
        """The next protocol line of one of these kinds; other lines are harmless."""
        for line in iter(self.process.stdout.readline, b""):
            self.said.append(line.decode())
            if self.said[-1].startswith(tuple(f"@@TRAX:{kind} " for kind in kinds)):
                return self.said[-1]
        raise EOFError("".join(self.said))

    def tell(self, *lines):
        self.process.stdin.write("".join(f"@@TRAX:{line} \n" for line in lines).encode())

    def start(self, image, box="10,12,20,16"):
        self.tell(f'initialize "{box}"', f'frame "file://{image}"')
        return self.listen("state", "quit")

    def step(self, image):
        self.tell(f'frame "file://{image}"')
        return self.listen("state", "quit")

    def end(self):
        """Exit status, after everything else has been said."""
        self.said += [line.decode() for line in self.process.stdout.readlines()]
        return self.process.wait(5)


@contextmanager
def served(made="pass", update="pass", environment=None):
    """A tracker's process as the VOT toolkit starts it: stderr in the same pipe."""
    command = [sys.executable, "-c", FAKE.format(made=made, update=update)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=0,
        env=os.environ | (environment or {}),
    )  # fmt: skip
    guard = threading.Timer(20, process.kill)
    guard.start()
    try:
        yield Toolkit(process)
    finally:
        guard.cancel()
        process.kill()
        process.wait()


SAME = '@@TRAX:state "10.0000,12.0000,20.0000,16.0000" "confidence=1.0" \n'


def test_every_frame_is_answered_with_box_and_confidence(image):
    with served(update="self.score = 0.25") as toolkit:
        assert '"trax.region=rectangle;"' in toolkit.hello
        assert "vot=" not in toolkit.hello  # with it the toolkit would start the process for each restart
        assert toolkit.start(image) == SAME
        for _ in range(2):
            assert toolkit.step(image) == SAME.replace("1.0", "0.25")
        toolkit.tell("initialize")  # so a new start after a failure begins
        assert '"1.0000,2.0000,30.0000,40.0000"' in toolkit.start(image, "1,2,30,40")
        toolkit.tell("quit")
        assert toolkit.end() == 0
        assert [line for line in toolkit.said if not line.startswith("@@TRAX:")] == []


@pytest.mark.parametrize(
    "box", ["[np.nan, 1, 2, 3]", "[1, 2, np.inf, 3]", "[1, 2, 0, 3]", "[1, 2, 3, -4]", "[1, 2, 1e-7, 3]"]
)
def test_a_box_that_is_none_is_no_answer_but_an_error_that_reaches_the_toolkit(image, box):
    update = f"if self.n == 3: return np.array({box})"  # 1 is the warm-up's
    with served(update=update) as toolkit:
        assert [toolkit.start(image), toolkit.step(image)] == [SAME] * 2
        said = toolkit.step(image)
        assert said.startswith('@@TRAX:quit "trax.reason=RunError: Fake returned the box [')
        assert "which is not finite or has no area" in said
        assert toolkit.end() == 1


def test_a_confidence_that_is_no_number_is_sent_as_zero(image):
    with served(update="self.score = float('nan')") as toolkit:
        toolkit.start(image)
        assert toolkit.step(image) == SAME.replace("1.0", "0.0")


@pytest.mark.parametrize("where", ["made", "update"])
def test_half_lines_on_both_outputs_do_not_reach_the_protocol(image, where):
    noise = (
        "print('progress 10 %', end='', flush=True); sys.stderr.write('half a line'); sys.stderr.flush(); "
        "os.write(2, b'from C')"
    )
    if where == "made":
        noise += "; os.write(1, b'@@TRAX:hello from C while loading')"
    with served(**{where: noise}) as toolkit:
        assert [toolkit.start(image), toolkit.step(image)] == [SAME] * 2
        toolkit.tell("quit")
        assert toolkit.end() == 0
        assert len(toolkit.said) == 3  # hello, two states


def test_what_is_printed_can_be_kept_in_a_file(image, tmp_path):
    with served(update="print('seen')", environment={"ROAM_VOT_LOG": str(tmp_path / "log")}) as toolkit:
        toolkit.start(image)
        toolkit.step(image)
        toolkit.tell("quit")
        toolkit.end()
    assert (tmp_path / "log").read_text().count("seen") == 2  # the warm-up and the frame


def test_a_file_that_cannot_be_written_is_told_to_the_toolkit(image, tmp_path):
    with served(environment={"ROAM_VOT_LOG": str(tmp_path)}) as toolkit:
        assert f"RunError: ROAM_VOT_LOG={tmp_path}: Is a directory." in toolkit.start(image)
        assert toolkit.end() == 1


def test_an_exception_reaches_the_toolkit_and_its_log_as_text(image):
    update = "if self.n == 2: print('last words'); raise ValueError('lost\\nmy mind')"
    with served(update=update) as toolkit:
        toolkit.start(image)
        assert "lost my mind" in toolkit.step(image)  # the reason that goes with quit
        assert toolkit.end() == 1
        said = "".join(toolkit.said)
    assert "last words" in said
    assert "Traceback" in said


def test_an_exception_about_a_file_whose_name_is_no_unicode_reaches_the_toolkit(image):
    with served(update="raise ValueError('caf\\udce9.jpg')") as toolkit:
        assert toolkit.start(image).startswith('@@TRAX:quit "trax.reason=ValueError: caf')
        assert toolkit.end() == 1


def test_a_box_without_area_is_refused_in_words(image):
    with served() as toolkit:
        answer = toolkit.start(image, "5,5,0,8")
        assert answer.startswith("@@TRAX:quit ")
        assert "positive width" in answer
        assert toolkit.end() == 2
        assert "Traceback" not in "".join(toolkit.said)


def test_an_error_before_the_protocol_is_shown_as_whole_lines():
    done = subprocess.run(
        [sys.executable, "-m", "roam_tracker.toolkits.vot", "Statik"], stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=20,
    )  # fmt: skip
    assert done.returncode == 2
    hello, *said = done.stdout.splitlines()
    assert hello.startswith("@@TRAX:hello ")
    words = [line for line in said if not line.startswith("@@TRAX:quit")]
    assert words == ["", "ConfigError: There is no tracker named 'Statik': did you mean 'Static'?"]


def test_an_error_before_the_protocol_is_the_answer_to_the_first_request(image):
    with served(made="raise ValueError('no such\\nweights')") as toolkit:
        answer = toolkit.start(image)
        assert answer.startswith('@@TRAX:quit "trax.reason=ValueError: no such weights"')
        assert toolkit.end() == 1
        assert "Traceback" in "".join(toolkit.said)


def test_quit_ends_the_process_with_status_0():
    with served() as toolkit:
        toolkit.tell("quit")
        assert toolkit.end() == 0


@pytest.mark.parametrize("begun", [False, True])
@pytest.mark.parametrize("both", [False, True])
def test_a_toolkit_that_disappears_ends_the_process(image, begun, both):
    with served() as toolkit:
        if begun:
            toolkit.start(image)
        toolkit.process.stdin.close()
        if both:
            toolkit.process.stdout.close()
        assert toolkit.process.wait(5) == 1


def test_vot_test_passes_from_the_project_root():
    done = subprocess.run(
        [sys.executable, "-m", "vot", "test", "Static"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0
    assert "Test concluded successfuly" in done.stdout + done.stderr
