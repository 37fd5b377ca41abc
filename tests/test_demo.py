"""The whole way: sample, both toolkits, report."""

import json

import pytest

from roam_tracker.commands import main

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    out = tmp_path_factory.mktemp("demo") / "d"
    command = ["demo", "--out", str(out), "--tracker", "Static", "--frames", "24", "--sequences", "1"]
    return out, command, main(command)


def test_the_demo_runs_both_toolkits_and_builds_the_page(demo):
    out, _, status = demo
    assert status == 0
    assert (out / "workspace/reports/demo/report.html").is_file()
    experiments = json.loads((out / "workspace/analysis/demo.json").read_text())["results"]
    assert set(experiments) == {"baseline", "realtime", "unsupervised"}  # the toolkit read our stack
    assert (out / "reports/OTB/Static/performance.json").is_file()
    assert (out / "reports/GOT-10k/Static/performance.json").is_file()
    assert (out / "report/index.html").is_file()


def test_a_second_demo_runs_no_tracker_again(demo, capfd):
    out, command, _ = demo
    raw = [path for path in out.rglob("*") if path.is_file() and "results" in path.parts]
    assert len(raw) > 10
    before = {path: path.stat().st_mtime_ns for path in raw}
    assert main(command) == 0
    assert {path: path.stat().st_mtime_ns for path in raw} == before
    said = capfd.readouterr().out
    assert "all results are there already" in said
    assert said.count("finished before") == 2
    assert "Mean overlap" in said


def test_an_unknown_tracker_ends_the_demo_before_anything_is_made(tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path / "d"), "--tracker", "Statik"]) == 2
    assert "'Static'" in capsys.readouterr().err
    assert not (tmp_path / "d").exists()
