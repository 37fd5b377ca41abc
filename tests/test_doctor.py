"""`roam doctor`: what is fine is told so, what is broken is a line with its remedy."""

import hashlib
import json
import shlex
import subprocess
import sys
from importlib import metadata, resources
from pathlib import Path
from types import SimpleNamespace

import layouts
import pytest
from packaging.requirements import Requirement
from PIL import Image

from roam_tracker.commands import main
from roam_tracker.errors import RunError
from roam_tracker.sample.write import write_sample
from roam_tracker.selfcheck import doctor, remedies
from roam_tracker.selfcheck.doctor import NOTE, OK, PROBLEM, TESTED, Finding, check_root, exit_status
from roam_tracker.selfcheck.handshake import talk, write_square

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_this_installation_is_fit(capsys, tmp_path):
    layouts.otb(tmp_path / "otb")
    status = main(["doctor", "--json", "--device", "cpu", "--root", str(tmp_path / "otb")])
    told = json.loads(capsys.readouterr().out)
    findings = {finding["check"]: finding for finding in told["findings"]}
    assert list(findings) == [
        "Python", "libraries", "known bad", "device", "weights", "GOT-10k", "VOT", "TraX", "data set",
    ]  # fmt: skip
    assert {finding["state"] for finding in findings.values()} <= {OK, NOTE}
    assert status == told["status"] == exit_status([Finding(**finding) for finding in told["findings"]])
    assert "20 frames of a square with an overlap of 0." in findings["TraX"]["found"]


def test_a_line_tells_state_check_finding_and_remedy():
    assert str(Finding("TraX", PROBLEM, "no answer.", "Try it.")) == "problem  TraX       no answer. Try it."
    assert str(Finding("TraX", OK, "fine")) == "ok       TraX       fine"


@pytest.mark.parametrize(
    ("states", "status"), [([], 0), ([OK, OK], 0), ([OK, NOTE], 2), ([NOTE, PROBLEM, OK], 1)]
)
def test_the_status_is_0_for_fine_1_for_broken_2_for_usable(states, status):
    assert exit_status([Finding("x", state, "y") for state in states]) == status


def test_the_tested_versions_are_those_of_the_constraints_and_cover_all_requirements():
    pinned = dict(line.lower().split("==") for line in (ROOT / "constraints.txt").read_text().splitlines())
    assert {name: pinned[name] for name in TESTED} == {name: first for name, (first, *_) in TESTED.items()}
    assert set(remedies.requirements()) == set(TESTED)
    required = {name: Requirement(line).specifier for name, line in remedies.requirements().items()}
    assert all(version in required[name] for name, versions in TESTED.items() for version in versions)


# What may be broken


@pytest.mark.parametrize(
    ("torch", "state", "told"),
    [
        (None, PROBLEM, "torch is missing. Run: pip install 'torch>=2.6'"),
        ("1.13.0", PROBLEM, "torch is 1.13.0. Run: pip install 'torch>=2.6'"),
        ("2.99.0", NOTE, f"torch 2.99.0 (tested: {', '.join(TESTED['torch'])}). Should anything fail"),
        (
            TESTED["torch"][-1] + "+cu128",
            OK,
            f"all {len(TESTED)} as tested, torch {TESTED['torch'][-1]}+cu128",
        ),
    ],
)
def test_a_missing_old_or_new_library_is_named(torch, state, told, monkeypatch):
    def version(name):
        if name == "torch" and torch is None:
            raise metadata.PackageNotFoundError(name)
        return torch if name == "torch" else TESTED[name][0]

    monkeypatch.setattr(metadata, "version", version)
    finding = doctor.check_libraries()
    assert finding.state == state and told in str(finding)


def test_an_untested_python_is_a_note(monkeypatch):
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert str(doctor.check_python()).startswith("note     Python     3.99.0; tested are 3.11 to 3.13.")


def test_a_device_that_is_not_there_is_a_problem():
    finding = doctor._safely("device", lambda: doctor.check_device("gpu"))
    assert finding.state == PROBLEM and "use auto, cpu, cuda or cuda:N" in str(finding)
    assert doctor.check_device("cpu").state == OK


def test_changed_and_missing_weights_are_named(tmp_path, monkeypatch):
    (tmp_path / "weights").mkdir()
    digest = hashlib.sha256(b"as published").hexdigest()
    lines = [f"{digest}  {name}\n" for name in ("good", "changed", "gone")]
    (tmp_path / "weights/SHA256SUMS").write_text("".join(lines))
    (tmp_path / "weights/good").write_bytes(b"as published")
    (tmp_path / "weights/changed").write_bytes(b"otherwise")
    monkeypatch.setattr(resources, "files", lambda package: tmp_path)
    finding = doctor.check_weights()
    assert finding.state == PROBLEM
    assert "changed is another file, gone is missing." in str(finding)


def test_a_got10k_without_our_command_is_a_problem(monkeypatch):
    monkeypatch.setattr(doctor.importlib.util, "find_spec", lambda name: None)
    assert "`python -m got10k.experiments` is not ours" in str(doctor.check_got10k())


def test_what_cannot_be_imported_is_a_finding_with_its_remedy():
    def no_graphics():
        raise ImportError("libGL.so.1: cannot open shared object file")

    assert "apt-get install libgl1" in str(doctor._safely("VOT", no_graphics))
    assert "Run: pip install nowhere" in str(doctor._safely("x", lambda: __import__("nowhere")))
    assert "ZeroDivisionError: division by zero." in str(doctor._safely("x", lambda: 1 / 0))


# What mends it. That each command does is seen by `make release-check`, which breaks a real environment


def test_a_version_known_to_break_is_named_with_what_to_install(monkeypatch):
    version = metadata.version
    monkeypatch.setattr(metadata, "version", lambda name: "0.1.10" if name == "attributee" else version(name))
    finding = doctor.check_known_to_break()
    assert finding.state == PROBLEM
    assert finding.found == "with attributee 0.1.10 `import vot` ends with a TypeError."
    assert shlex.split(finding.remedy)[:3] == ["Run:", "pip", "install"]
    assert "0.1.10" not in Requirement(shlex.split(finding.remedy)[3]).specifier
    assert doctor.check_libraries().remedy == remedies.after("TypeError", "vot-toolkit") == finding.remedy


@pytest.mark.parametrize(
    ("name", "version"), [("vot-toolkit", "0.8.0"), ("vot-toolkit", "0.9.0"), ("attributee", "0.1.10")]
)
def test_no_requirement_admits_a_version_known_to_break(name, version):
    known = [Requirement(line) for line in remedies.KNOWN_TO_BREAK]
    assert any(each.name == name and version in each.specifier for each in known)
    assert version not in Requirement(remedies.requirements()[name]).specifier


@pytest.mark.parametrize(
    ("source", "folder", "remedy"),
    [
        ({"url": "file:///there/my%20wheel.whl"}, "x", "Run: pip install --force-reinstall --no-deps '{}'"),
        ({"url": "file:///src", "dir_info": {"editable": True}}, "", "--force-reinstall --no-deps -e /src"),
        ({"url": "file:///src", "dir_info": {"editable": True}}, "a/b", "Run: git -C /src checkout -- a/b"),
        (
            {"url": "file:///gone.whl"},
            "",
            "Install roam-tracker again as you did before; /gone.whl is no longer",
        ),
        (
            {"url": "https://x/y.git", "vcs_info": {}},
            "",
            "Install roam-tracker again as you did before, with",
        ),
        ({}, "", "Run: pip install --force-reinstall --no-deps roam-tracker==0.1.0"),
    ],
)
def test_this_package_is_installed_again_from_where_it_came(source, folder, remedy, tmp_path, monkeypatch):
    if "/there/" in source.get("url", ""):
        (tmp_path / "my wheel.whl").touch()
        source = {"url": (tmp_path / "my wheel.whl").as_uri()}
    content = SimpleNamespace(read_text=lambda name: json.dumps(source) if source else None)
    monkeypatch.setattr(metadata, "distribution", lambda name: content)
    monkeypatch.setattr(metadata, "version", lambda name: "0.1.0")
    assert remedy.format(tmp_path / "my wheel.whl") in remedies.restore_ours(folder)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("ModuleNotFoundError: No module named 'numba'", "pip install --force-reinstall --no-deps numba=="),
        ("No module named 'class_registry.base'", "--force-reinstall --no-deps phx-class-registry=="),
        ("No module named 'vot.utilities.cli'", "--force-reinstall --no-deps vot-toolkit=="),
        ("No module named 'nowhere_at_all'", "Run: pip install nowhere-at-all"),
        ("SyntaxError: invalid syntax", "--force-reinstall --no-deps vot-toolkit=="),
    ],
)
def test_what_the_toolkit_lacks_is_installed_and_nothing_else(said, remedy):
    assert remedy in remedies.after(said, "vot-toolkit")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("raise ImportError('no such thing')", "the toolkit cannot be loaded: ImportError: no such thing."),
        ("raise ImportError('libGL.so.1: cannot open')", "apt-get install libgl1"),
        ("raise SystemExit(3)", "the toolkit cannot be loaded: status 3."),
    ],
)
def test_a_toolkit_that_cannot_be_loaded_is_told_by_its_last_line(code, told, tmp_path):
    with doctor._running(code, tmp_path) as process:
        assert told in str(doctor._check_vot(process))


# The talk


def answer(code, tmp_path):
    images, boxes = write_square(tmp_path, 3)
    with doctor._running(code, tmp_path) as process:
        return talk(process, images, boxes[0])


HELLO = "print('@@TRAX:hello \"trax.version=4\" ')"


@pytest.mark.parametrize(
    ("code", "told"),
    [
        ("print('first'); raise ValueError('no weights here.')", "ValueError: no weights here$"),
        ("pass", "it ended or said nothing"),
        (HELLO + "; print('@@TRAX:quit \"trax.reason=WeightsError: \\\\\"a\\\\\" is damaged.\" ')",
         'WeightsError: "a" is damaged$'),
        (HELLO + "; print('@@TRAX:quit ')", "it quit without a word"),
        (HELLO + "; print('@@TRAX:state \"1,2,3\" ')", "where a box is expected"),
        (HELLO + "; print('@@TRAX:state \"nan,2,3,4\" ')", "where a box is expected"),
    ],
)  # fmt: skip
def test_a_tracker_that_does_not_answer_well_is_told_by_its_own_words(code, told, tmp_path):
    with pytest.raises(RunError, match=told):
        answer(code, tmp_path)


def test_a_tracker_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("roam_tracker.selfcheck.handshake._LIMIT_S", 0.5)
    with pytest.raises(RunError, match="said nothing"):
        answer("import time; time.sleep(100)", tmp_path)


def test_a_tracker_that_stands_still_is_a_problem(tmp_path):
    still = HELLO + "\nfor _ in range(20): print('@@TRAX:state \"40,50,32,32\" ')"
    with doctor._running(still, tmp_path) as process:
        assert "overlap of 0.00 or more, 0.5 is expected" in str(doctor._check_trax(process, tmp_path))
    with doctor._running("raise SystemExit('broken')", tmp_path) as process:
        told = str(doctor._check_trax(process, tmp_path))
    assert "problem  TraX       the tracker does not answer: broken. Try: vot test ROAM" in told


# Data sets


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (layouts.otb, "layout otb, 2 sequences; Deer has 12 images of 96 x 72 px and 12 boxes"),
        (layouts.got10k_set, "layout got10k, 2 sequences"),
        (lambda root: layouts.got10k_set(root, "test"), "12 images of 96 x 72 px and 1 boxes"),
        (layouts.uav, "layout uav, 2 of 123 sequences"),
        (lambda root: layouts.nfs(root, 240), "layout nfs, 2 of 100 sequences"),
        (lambda root: layouts.nfs(root, 30), "layout nfs, 2 of 100 sequences"),
        (layouts.tcolor128, "layout tcolor128, 2 of 128 sequences"),
        (layouts.lasot, "layout lasot, 2 of 280 sequences"),
        (lambda root: layouts.lasot(root, flat=True), "layout lasot, 2 of 280 sequences"),
        (layouts.trackingnet, "layout trackingnet, 2 of 511 sequences"),
    ],
)
def test_the_layout_of_every_data_set_is_recognised(make, told, tmp_path):
    make(tmp_path)
    finding = check_root(str(tmp_path))
    assert finding.state == OK and told in str(finding)


def test_a_folder_in_vots_layout_is_recognised(tmp_path):
    write_sample(tmp_path / "s", frames=2, sequences=2, size=(96, 72))
    assert "layout folder, 2 sequences; motion has 2 images" in str(check_root(str(tmp_path / "s/VOT")))


def test_a_root_that_is_none_and_a_broken_image_are_problems(tmp_path):
    assert "gone is no folder" in str(check_root(str(tmp_path / "gone")))
    assert "the layout of no data set that is known" in str(check_root(str(tmp_path)))
    layouts.otb(tmp_path)
    (tmp_path / "Deer/img/0001.jpg").write_bytes(b"torn")
    finding = doctor._safely("data set", lambda: check_root(str(tmp_path)))
    assert finding.state == PROBLEM and "0001.jpg cannot be read" in str(finding)


def test_the_square_lies_where_its_boxes_say(tmp_path):
    images, boxes = write_square(tmp_path, 4)
    x, y, w, h = (int(value) for value in boxes[3])
    with Image.open(images[3]) as image:
        assert image.getpixel((x, y)) in ((230, 200, 60), (200, 40, 40))
        assert max(image.getpixel((x + w, y + h))) < 90


def test_the_command_loads_no_library_of_its_own():
    code = "import sys, roam_tracker.commands.doctor; raise SystemExit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
