"""Our VOT numbers against those of the `vot` program, run as a program on a made workspace."""

import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from roam_tracker.commands import main
from roam_tracker.report import evaluate, load

pytestmark = pytest.mark.slow

SIZE, LENGTHS = (120, 90), {"alpha": 45, "beta": 60, "gamma": 33}
PROGRAM = Path(sys.executable).with_name("vot")
STACK = {
    "title": "made",
    "experiments": {
        "baseline": {
            "type": "supervised",
            "repetitions": 3,
            "skip_initialize": 5,
            "analyses": [
                {"type": "supervised_average_ar", "sensitivity": 30},
                {"type": "supervised_eao_score", "low": 8, "high": 40},
                {"type": "cumulative_failures"},
            ],
        },
        "realtime": {
            "type": "supervised",
            "realtime": {"grace": 3},
            "repetitions": 1,
            "skip_initialize": 5,
            "analyses": [
                {"type": "supervised_average_ar", "sensitivity": 30},
                {"type": "supervised_eao_score", "low": 8, "high": 40},
            ],
        },
        "unsupervised": {
            "type": "unsupervised",
            "repetitions": 1,
            "analyses": [{"type": "average_accuracy"}],
        },
    },
}


def made_truth(generator, frames, polygons):
    """Boxes that wander over the image's border, or rotated rectangles around the same path."""
    path = np.cumsum(generator.normal(0, 4, (frames, 2)), axis=0) + np.array([50, 35])
    path = np.clip(path, [-15, -15], [SIZE[0] - 15, SIZE[1] - 15])
    sizes = generator.uniform(12, 30, (frames, 2))
    if not polygons:
        return np.hstack([path, sizes])
    corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1]]) - 0.5
    angle = np.cumsum(generator.normal(0, 0.1, frames))
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]).transpose(2, 0, 1)
    return ((corners * sizes[:, None]) @ turn + path[:, None] + sizes[:, None] / 2).reshape(frames, 8)


def made_run(generator, truth, supervised):
    """Rows of a result: the truth's box with noise, some unknown frames and, if supervised, failures."""
    boxes = truth if truth.shape[1] == 4 else bounding_boxes(truth)
    rows = []
    while len(rows) < len(truth):
        rows.append("1")
        piece = generator.integers(4, 25) if supervised else len(truth)
        while len(rows) < len(truth) and piece > 0:
            piece -= 1
            noisy = boxes[len(rows)] + generator.normal(0, 3, 4)
            rows.append("0" if generator.random() < 0.04 else [*noisy[:2], *np.maximum(noisy[2:], 0.2)])
        if supervised and len(rows) < len(truth):
            rows += ["2"] + ["0"] * 4
    return rows[: len(truth)]


def bounding_boxes(polygons):
    x, y = polygons[:, ::2], polygons[:, 1::2]
    return np.column_stack([x.min(1), y.min(1), np.ptp(x, 1), np.ptp(y, 1)])


def write_run(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".txt":
        path.write_text(
            "".join(
                (row if isinstance(row, str) else ",".join(f"{v:.4f}" for v in row)) + "\n" for row in rows
            )
        )
        return
    content = struct.pack("<hI", 1, len(rows))
    for row in rows:
        content += struct.pack("<BI", 0, int(row)) if isinstance(row, str) else struct.pack("<B4f", 1, *row)
    path.write_bytes(content)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    root = tmp_path_factory.mktemp("workspace")
    generator = np.random.default_rng(7)
    (root / "config.yaml").write_text(yaml.safe_dump({"registry": ["./trackers.ini"], "stack": "made.yaml"}))
    (root / "made.yaml").write_text(yaml.safe_dump(STACK))
    trackers = {"First": ".bin", "Second": ".txt"}
    (root / "trackers.ini").write_text(
        "".join(f"[{name}]\nlabel = {name}\nprotocol = traxpython\ncommand = none\n" for name in trackers)
    )
    for name, frames in LENGTHS.items():
        folder = root / "sequences" / name
        folder.mkdir(parents=True)
        truth = made_truth(generator, frames, polygons=name == "beta")
        lines = [",".join(f"{value:.3f}" for value in row) for row in truth]
        lines[20] = "nan,nan,nan,nan"
        (folder / "groundtruth.txt").write_text("\n".join(lines) + "\n")
        (folder / "sequence").write_text(
            f"channels.color=color/%08d.jpg\nfps=30\nformat=default\nname={name}\n"
            f"width={SIZE[0]}\nheight={SIZE[1]}\nlength={frames}\n"
        )
        for tracker, suffix in trackers.items():
            for experiment, entry in STACK["experiments"].items():
                for number in range(1, entry["repetitions"] + 1):
                    rows = made_run(generator, truth, entry["type"] == "supervised")
                    result = root / "results" / tracker / experiment / name / f"{name}_{number:03d}{suffix}"
                    write_run(result, rows)
                    times = ["" if row in ("0", "2") else "0.0250" for row in rows]
                    result.with_name(f"{result.stem}_time.value").write_text("\n".join(times) + "\n")
    (root / "sequences" / "list.txt").write_text("\n".join(LENGTHS) + "\n")
    return root


@pytest.mark.skipif(not PROGRAM.is_file(), reason="the VOT toolkit is not installed")
def test_accuracy_failures_eao_and_ao_equal_the_vot_program(workspace):
    command = [str(PROGRAM), "analysis", "--workspace", str(workspace), "--name", "theirs", "First", "Second"]
    environment = {**os.environ, "VOT_WORKER_POOL_SIZE": "1"}
    done = subprocess.run(
        command, cwd=workspace, capture_output=True, text=True, timeout=300, env=environment
    )
    written = workspace / "analysis" / "theirs.json"
    assert written.is_file(), done.stderr
    theirs = json.loads(written.read_text())
    assert list(theirs["trackers"]) == ["First", "Second"]
    table = evaluate(load("VOT", workspace, workspace)).table.set_index("tracker")
    for index, tracker in enumerate(("First", "Second")):
        for experiment, prefix in (("baseline", ""), ("realtime", "realtime_")):
            found = theirs["results"][experiment]["results"]
            accuracy, failures, _, _ = found[0][index]
            ours = table.loc[tracker]
            assert ours[f"{prefix}accuracy"] == pytest.approx(accuracy, abs=1e-12)
            assert ours[f"{prefix}weighted_failures"] == pytest.approx(failures, abs=1e-12)
            # the toolkit sums this one in single precision
            assert ours[f"{prefix}eao"] == pytest.approx(found[1][index][0], abs=1e-7)
        baseline = theirs["results"]["baseline"]["results"]
        assert table.loc[tracker, "failures"] == pytest.approx(baseline[2][index][0], abs=1e-12)
        unsupervised = theirs["results"]["unsupervised"]["results"]
        assert table.loc[tracker, "ao"] == pytest.approx(unsupervised[0][index][0], abs=1e-12)


def test_reliability_and_speed_come_from_the_same_runs(workspace):
    evaluation = evaluate(load("VOT", workspace / "results", workspace / "sequences"))
    assert evaluation.table["speed_fps"].tolist() == pytest.approx([40, 40])
    assert evaluation.benchmark.eao_bounds == (8, 40)
    table = evaluation.table.set_index("tracker")
    for point in evaluation.curves["accuracy-robustness"]:
        row = table.loc[point.tracker]
        length = sum(LENGTHS.values()) / 3
        assert point.x[0] == pytest.approx(np.exp(-30 * row["weighted_failures"] / length))


def test_named_benchmark_has_no_eao_on_sequences_shorter_than_its_bounds(workspace):
    evaluation = evaluate(load("VOT2018", workspace, workspace))
    assert evaluation.table["eao"].isna().all()
    assert "EAO is missing where no sequence is as long as its lower bound." in evaluation.notes


def test_a_cut_binary_trajectory_is_named_and_left_out(workspace, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(workspace, copy)
    broken = copy / "results" / "First" / "baseline" / "alpha" / "alpha_002.bin"
    broken.write_bytes(broken.read_bytes()[:-7])
    loaded = load("VOT", copy, copy)
    assert ("First", "baseline", "alpha") not in [
        (run.tracker, run.experiment, run.sequence) for run in loaded.runs
    ]
    assert [problem.message for problem in loaded.problems] == [
        f"{broken} ends after 44 whole rows. The run was cut short: Run the tracker again on this sequence."
    ]


def test_a_mask_or_a_foreign_version_is_refused(tmp_path):
    from roam_tracker.errors import ResultError
    from roam_tracker.report.read.vot import read_trajectory

    path = tmp_path / "a_001.bin"
    path.write_bytes(struct.pack("<hIBhhHHH", 1, 1, 3, 0, 0, 2, 2, 0))
    with pytest.raises(ResultError, match="row 1: found a mask, expected a box or polygon"):
        read_trajectory(path)
    path.write_bytes(struct.pack("<hI", 2, 0))
    with pytest.raises(ResultError, match="found format version 2"):
        read_trajectory(path)


@pytest.mark.skipif(not PROGRAM.is_file(), reason="the VOT toolkit is not installed")
def test_the_command_shows_the_programs_numbers_beside_ours(workspace, tmp_path, capsys):
    argv = ["report", "--benchmark", "VOT", "--results", str(workspace), "--annotations", str(workspace)]
    assert main([*argv, "--out", str(tmp_path / "out"), "--vot-analysis"]) == 0
    assert "toolkit EAO" in capsys.readouterr().out
    table = pd.read_csv(tmp_path / "out/tables/vot.csv").set_index("tracker")
    for column in ("accuracy", "failures", "realtime_accuracy", "ao"):
        np.testing.assert_allclose(table[column], table[f"toolkit_{column}"], atol=1e-12)
    np.testing.assert_allclose(table["eao"], table["toolkit_eao"], atol=1e-7)
    assert not list((workspace / "analysis").glob("report-*"))


def test_a_folder_that_is_no_workspace_has_no_program_to_ask(workspace, tmp_path, capsys):
    argv = ["report", "--benchmark", "VOT", "--results", str(workspace / "results")]
    argv += ["--annotations", str(workspace), "--out", str(tmp_path / "out"), "--vot-analysis"]
    assert main(argv) == 2
    assert "has no config.yaml, so `vot analysis` cannot read it" in capsys.readouterr().err
