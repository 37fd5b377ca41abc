"""Damaged results in three layouts: each fault is named, the rest is scored, the exit status is not 0.

What is legitimate (no times, a frame without box) leaves it at 0 and is no problem.
"""

import json
import zipfile

import numpy as np
import pytest

from roam_tracker.commands import main

pytestmark = pytest.mark.slow

FRAMES = 12
TRUTH = np.array([[10.0 + i, 20, 30, 40] for i in range(FRAMES)])
LAYOUTS = {
    "OTB": ("OTB", "T/{0}.txt", "{0}/groundtruth_rect.txt", "T/times/{0}_time.txt"),
    "GOT-10k": ("GOT-10k", "T/{0}/{0}_001.txt", "{0}/groundtruth.txt", "T/{0}/{0}_time.txt"),
    "VOT": (
        "VOT2018",
        "T/baseline/{0}/{0}_001.txt",
        "{0}/groundtruth.txt",
        "T/baseline/{0}/{0}_001_time.value",
    ),
}


def rows_of(boxes):
    return [",".join(f"{value:.3f}" for value in box) for box in boxes]


def write(path, lines):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n" if lines else "")


@pytest.fixture(params=LAYOUTS)
def place(request, tmp_path):
    """Two trackers on two sequences; T's result of `bad` is about to be damaged."""
    benchmark, result, truth, times = LAYOUTS[request.param]
    for name in ("good", "bad"):
        write(tmp_path / "data" / truth.format(name), rows_of(TRUTH))
        for tracker in ("T", "U"):
            rows = rows_of(TRUTH)
            rows[0] = "1" if request.param == "VOT" else rows[0]
            write(tmp_path / "results" / result.format(name).replace("T/", f"{tracker}/", 1), rows)
    return Place(request.param, benchmark, tmp_path, result.format("bad"), times.format("bad"))


class Place:
    """Where the damage is done."""

    def __init__(self, layout, benchmark, root, result, times):
        self.layout, self.benchmark, self.root = layout, benchmark, root
        self.result, self.times = root / "results" / result, root / "results" / times

    def lines(self):
        return self.result.read_text().splitlines()

    def report(self, capsys, results="results"):
        command = ["report", "--benchmark", self.benchmark, "--out", str(self.root / "out")]
        command += ["--results", str(self.root / results), "--annotations", str(self.root / "data")]
        status = main(command)
        return status, capsys.readouterr()


def replaced(index, text):
    return lambda lines: [*lines[:index], text, *lines[index + 1 :]]


DAMAGE = {
    "empty": (lambda lines: [], "is empty"),
    "letters": (replaced(5, "a,b,c,d"), "line 6"),
    "infinite": (replaced(5, "1,2,inf,4"), "line 6"),
    "too short": (lambda lines: lines[:-3], "has 9 rows"),
    "too long": (lambda lines: [*lines, lines[-1]], "has 13 rows"),
    "other separator": (lambda lines: [line.replace(",", "|") for line in lines], "line"),
    "a column missing": (replaced(5, "1,2,3"), "line 6"),
    "a column more": (replaced(5, "1,2,3,4,5"), "line 6"),
    "a blank line": (replaced(5, ""), "line 6"),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_a_damaged_file_is_named_left_out_and_the_rest_is_scored(place, fault, capsys):
    change, says = DAMAGE[fault]
    write(place.result, change(place.lines()))
    status, printed = place.report(capsys)
    assert status == 1
    assert str(place.result) in printed.err and says in printed.err
    table = (place.root / "out" / "tables" / f"{place.benchmark.lower()}.csv").read_text()
    assert "\nT," in table and "\nU," in table and (place.root / "out" / "index.html").is_file()


def test_a_missing_sequence_is_named(place, capsys):
    place.result.unlink()
    status, printed = place.report(capsys)
    assert status == 1 and "T has no result of" in printed.err and "bad" in printed.err


def test_missing_times_are_no_fault(place, capsys):
    status, printed = place.report(capsys)
    assert status == 0 and printed.err == ""


@pytest.mark.parametrize("lines", [["0.1"] * (FRAMES - 2), ["0.1"] * (FRAMES + 2), [], ["x"] * FRAMES])
def test_a_time_file_of_another_length_or_of_letters_is_named(place, lines, capsys):
    write(place.times, lines)
    status, printed = place.report(capsys)
    assert status == 1 and str(place.times) in printed.err


@pytest.mark.parametrize("row", ["nan,nan,nan,nan", "5,5,0,0", "5,5,-3,4"])
def test_a_box_that_is_none_is_a_miss_and_no_fault(place, row, capsys):
    if place.layout == "VOT" and "nan" in row:
        pytest.skip("the trajectory files of VOT say `0` for a frame without a region")
    write(place.result, replaced(7, row)(place.lines()))
    status, printed = place.report(capsys)
    assert status == 0 and printed.err == ""


@pytest.mark.parametrize("content", ["{", json.dumps({"name": "a web page"}), json.dumps([1])])
def test_a_foreign_manifest_is_named_and_the_results_are_scored(place, content, capsys):
    (place.root / "results" / "T" / "manifest.json").write_text(content)
    status, printed = place.report(capsys)
    assert status == 1 and "is no manifest of roam-tracker" in printed.err


def test_missing_repetitions_are_named(place, capsys):
    if place.layout == "OTB":
        pytest.skip("OTB results have no repetitions")
    other = place.result.parent.parent / "good"
    for number in (2, 3):
        lines = (other / "good_001.txt").read_text()
        (other / f"good_00{number}.txt").write_text(lines.replace("20.000", f"2{number}.000"))
    status, printed = place.report(capsys)
    assert status == 1 and "T has 1 of 3 repetitions of" in printed.err


def test_two_files_of_one_sequence_are_named(place, capsys):
    twin = place.result.parent / "BAD.txt" if place.layout == "OTB" else place.result.parent.parent / "BAD"
    if place.layout == "OTB":
        twin.write_text(place.result.read_text())
    else:
        write(twin / "BAD_001.txt", place.lines())
    status, printed = place.report(capsys)
    assert status == 1 and "T has 2 results of bad" in printed.err


@pytest.mark.parametrize("member", ["../T/x.txt", "/T/x.txt", "a/../../x.txt"])
def test_a_zip_file_that_climbs_out_is_refused_by_the_members_name(place, member, capsys):
    with zipfile.ZipFile(place.root / "results.zip", "w") as archive:
        archive.writestr(member, place.result.read_text())
    status, printed = place.report(capsys, "results.zip")
    assert status == 2 and repr(member) in printed.err and not (place.root / "out").exists()
