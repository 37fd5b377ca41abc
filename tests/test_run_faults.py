"""What may go wrong with a run, injected in the layouts of OTB and GOT-10k: named, never quietly wrong."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits.experiments import main

pytestmark = pytest.mark.slow

FRAMES = 8
LAYOUTS = {"OTB": "folder", "GOT-10k": "GOT-10k"}


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sample") / "s"
    write_sample(folder, frames=FRAMES, sequences=2, size=(96, 72))
    return folder


@pytest.fixture(params=LAYOUTS)
def layout(request):
    return request.param


@pytest.fixture
def run(sample, tmp_path, monkeypatch, layout):
    """Runs the command in a scratch folder; gives its exit status."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))

    def run(*options, tracker="trackers:Still", workers="0"):
        argv = ["--dataset", LAYOUTS[layout], "--root", str(sample / layout), "--tracker", tracker]
        return main([*argv, "--workers", workers, *options])

    return run


def places(layout, tracker="Still", sequence="motion"):
    """The files of boxes and of times of a sequence."""
    root = Path("results", layout, tracker)
    if layout == "OTB":
        return root / f"{sequence}.txt", root / "times" / f"{sequence}_time.txt"
    return root / sequence / f"{sequence}_001.txt", root / sequence / f"{sequence}_time.txt"


# What the tracker does: the sequence fails with a sentence and status 1, the others are done.

SAID = {
    "raise": "ValueError: lost my mind",
    "nan": "which is not finite or has no area",
    "infinite": "which is not finite or has no area",
    "zero": "which is not finite or has no area",
    "negative": "which is not finite or has no area",
    "short": "is not x, y, w, h",
    "none": "the box None is not x, y, w, h",
    "text": "could not convert string to float: 'left'",
}


@pytest.mark.parametrize("fault", SAID)
def test_a_tracker_that_does_wrong(run, layout, capsys, fault):
    Path("fault").write_text(fault)
    assert run(tracker="trackers:Faulty") == 1
    said = capsys.readouterr().err
    assert said.startswith("RunError: ") and said.count("\n") == 1
    assert SAID[fault] in said and ("0004.jpg" in said)
    assert not places(layout, "Faulty")[0].exists()
    assert places(layout, "Faulty", "scale")[0].exists()
    assert not Path("reports").exists()


@pytest.mark.parametrize(("fault", "word"), [("hang", "no answer on"), ("killed", "killed by SIGKILL")])
def test_a_tracker_that_hangs_or_dies(run, layout, capsys, fault, word):
    Path("fault").write_text(fault)
    assert run("--timeout", "1.5", "--retries", "0", tracker="trackers:Faulty", workers="1") == 1
    said = capsys.readouterr().err
    assert said.startswith("RunError: trackers:Faulty on motion: ") and word in said
    assert not places(layout, "Faulty")[0].exists()
    assert places(layout, "Faulty", "scale")[0].exists()


# What lies in the folder: it is found, named and made again; the same bytes come out.


def half_a_line(boxes, times):
    boxes.write_text(boxes.read_text()[:-5])


def too_short(boxes, times):
    boxes.write_text("".join(boxes.read_text().splitlines(True)[:-2]))


def too_long(boxes, times):
    boxes.write_text(boxes.read_text() + "1.000,2.000,3.000,4.000\n")


def empty(boxes, times):
    boxes.write_text("")


def letters(boxes, times):
    boxes.write_text(boxes.read_text().replace(".", "x", 1))


def other_separator(boxes, times):
    boxes.write_text(boxes.read_text().replace(",", "\t"))


def a_column_less(boxes, times):
    boxes.write_text("".join(line.rpartition(",")[0] + "\n" for line in boxes.read_text().splitlines()))


def columns_in_another_order(boxes, times):
    table = np.loadtxt(boxes, delimiter=",")[:, [1, 0, 3, 2]]
    np.savetxt(boxes, table, fmt="%.3f", delimiter=",")


def a_nan(boxes, times):
    boxes.write_text("nan" + boxes.read_text()[boxes.read_text().index(",") :])


def shifted_by_a_pixel(boxes, times):
    np.savetxt(boxes, np.loadtxt(boxes, delimiter=",") + np.array([1, 1, 0, 0]), fmt="%.3f", delimiter=",")


def no_times(boxes, times):
    times.unlink()


def times_of_another_run(boxes, times):
    times.write_text("0.1\n" * (FRAMES + 1))


def binary(boxes, times):
    boxes.write_bytes(b"\xff\xfe\x00" * 50)


def manifest_gone(boxes, times):
    next(Path("results").rglob("manifest.json")).unlink()


def sequence_gone(boxes, times):
    boxes.unlink()


FILES = [
    *(half_a_line, too_short, too_long, empty, letters, other_separator, a_column_less, binary),
    *(columns_in_another_order, a_nan, shifted_by_a_pixel, no_times, times_of_another_run, manifest_gone),
    sequence_gone,
]


@pytest.mark.parametrize("fault", FILES)
def test_a_result_that_is_not_whole_is_found_and_made_again(run, layout, capsys, fault):
    assert run() == 0
    boxes, times = places(layout)
    content = boxes.read_bytes()
    fault(boxes, times)
    capsys.readouterr()
    assert run() == 0
    said = capsys.readouterr().out
    if fault is not sequence_gone:
        assert "Still motion: the result found " in said and ", run again" in said
    assert "Still motion: 8 frames" in said
    assert boxes.read_bytes() == content
    assert np.loadtxt(times, delimiter=",").shape == (FRAMES,)


def test_a_repetition_that_is_missing_is_made_again(run, layout, capsys):
    if layout == "OTB":
        pytest.skip("OTB has no repetitions")
    assert run(tracker="trackers:Drunk") == 0
    boxes = places(layout, "Drunk")[0].with_name("motion_002.txt")
    content = boxes.read_bytes()
    boxes.unlink()
    assert run(tracker="trackers:Drunk") == 0
    assert "the result found has no motion_002.txt, run again" in capsys.readouterr().out
    assert boxes.read_bytes() == content


# What lies in the folder and must not be touched: refused with status 2.


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"preset": "somebody:Still"}, 'preset was "somebody:Still"'),
        ({"tracker": "Other"}, 'tracker was "Other"'),
        ({"format": "roam-tracker manifest 99"}, "is no manifest of this version"),
        ({"runs": [{}]}, "is no manifest of this version"),
    ],
)
def test_a_manifest_of_something_else_is_refused(run, layout, capsys, change, word):
    assert run() == 0
    path = next(Path("results").rglob("manifest.json"))
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    before = places(layout)[0].stat().st_mtime_ns
    assert run() == 2
    said = capsys.readouterr().err
    assert said.startswith("ResultError: ") and word in said and "Delete" in said
    assert places(layout)[0].stat().st_mtime_ns == before


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="no full disk to be had")
def test_a_disk_that_is_full_is_named_with_the_file(run, layout, capsys, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    assert run() == 1
    said = capsys.readouterr().err
    assert "could not be written: No space left on device" in said and "motion" in said
    assert not places(layout)[0].exists()


def test_data_half_downloaded_is_named(run, sample, layout, tmp_path, capsys):
    shutil.copytree(sample / layout, tmp_path / "half")
    sorted((tmp_path / "half").rglob("*.jpg"))[-1].unlink()
    argv = ["--dataset", LAYOUTS[layout], "--root", str(tmp_path / "half"), "--tracker", "trackers:Still"]
    assert main([*argv, "--workers", "0"]) == 2
    assert "has 8 boxes, but " in (said := capsys.readouterr().err) and "7 .jpg images" in said
