"""The ablation figures: the numbers they show, what they leave out, and how they look."""

import json
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from raw_results import SEQUENCES, drawn, moved, truth_of, write_recordings, write_results

from roam_tracker.commands import main
from roam_tracker.core.geometry import overlap
from roam_tracker.errors import ConfigError
from roam_tracker.report import FIGURES, Line, evaluate, load, plot_setting, to_tex, to_text
from roam_tracker.report.paper.seeds import merge_seeds
from roam_tracker.report.paper.sweeps import read_sweep

pytestmark = pytest.mark.slow


def auc(shift):
    """Second method: mean over 21 thresholds, the first frame being the truth."""
    scores = []
    for name in SEQUENCES:
        truth = truth_of(name).round(3)
        iou = overlap(moved(truth, shift), truth)
        iou[0] = 1
        scores.append(np.mean([(iou > threshold).mean() for threshold in np.linspace(0, 1, 21)]))
    return np.mean(scores)


@pytest.fixture
def recorded(tmp_path):
    write_recordings(tmp_path)
    return tmp_path


# Figures 6 to 8: boxes


def test_figure_7_shows_auc_and_speed_of_each_size(tmp_path):
    points = read_sweep("figure7").points
    for shift, point in enumerate(points):
        write_results(tmp_path, point.tracker, shift, (shift + 1) / 10)
    (figure,), missing = drawn(tmp_path, "figure7")
    assert not missing
    assert figure.table["value"].tolist() == [point.value for point in points]
    np.testing.assert_allclose(figure.table["auc"], [auc(k) for k in range(len(points))], atol=1e-9)
    np.testing.assert_allclose(figure.table["speed_fps"], 10 / np.arange(1, len(points) + 1))
    upper, lower = figure.figure.axes
    np.testing.assert_allclose(upper.get_lines()[0].get_ydata(), figure.table["auc"])
    np.testing.assert_allclose(lower.get_lines()[0].get_ydata(), figure.table["speed_fps"])
    assert not figure.notes


def test_a_point_that_lacks_a_sequence_is_left_out_and_named(tmp_path):
    trackers = [point.tracker for point in read_sweep("figure7").points]
    for tracker in trackers[:3]:
        write_results(tmp_path, tracker, 1)
    write_results(tmp_path, trackers[3], 1, sequences=SEQUENCES[:2])
    write_results(tmp_path, "Another", 1, sequences=(*SEQUENCES, "Car1"))  # asks nothing of the sweep
    (figure,), _ = drawn(tmp_path, "figure7")
    assert figure.table["tracker"].tolist() == trackers[:3]
    assert f"{trackers[3]} (2 of 3 sequences)" in figure.notes[0]
    assert f"{trackers[4]} (0 of 3 sequences)" in figure.notes[0]


def test_figure_8_has_a_line_a_series_and_ranks_them_by_their_best_point(tmp_path):
    for series, shift in zip(read_sweep("figure8").series, (2, 1, 3), strict=True):
        for point in series.points:
            write_results(tmp_path, point.tracker, shift + point.value / 10)
    (figure,), _ = drawn(tmp_path, "figure8")
    (ax,) = figure.figure.axes
    shown = [text.get_text() for text in ax.get_legend().get_texts()]
    assert [text.split(" [")[0] for text in shown] == ["SGD", "ROAM", "SGD, a tenth of the rates"]
    assert shown[0] == f"SGD [{auc(1.0):.3f} at 0]"
    assert len(ax.get_lines()) == 3


def test_figure_6_draws_the_variants_that_are_there_and_names_the_others(tmp_path):
    for tracker, shift in (("ROAM", 1), ("SGD", 2), ("Another", 0)):
        write_results(tmp_path, tracker, shift)
    (figure,), _ = drawn(tmp_path, "figure6")
    assert figure.table["tracker"].tolist() == ["ROAM", "SGD"]
    assert "ROAM-GRU (0 of 3 sequences)" in figure.notes[0]
    success, precision = figure.figure.axes
    for ax in (success, precision):
        texts = [text.get_text().split(" [")[0] for text in ax.get_legend().get_texts()]
        assert texts == ["ROAM", "SGD"]


def test_several_trainings_become_their_mean_and_standard_deviation(tmp_path):
    for tracker, shift in (("ROAM", 1), ("ROAM-seed1", 2), ("ROAM-seed2", 3), ("SGD", 2)):
        write_results(tmp_path, tracker, shift)
    merged = merge_seeds(
        evaluate(load("OTB2015", tmp_path / "results", tmp_path / "data")), {"ROAM": "ROAM", "SGD": "plain"}
    )
    scores = np.array([auc(1), auc(2), auc(3)])
    mean = scores.mean()
    deviation = np.sqrt(((scores - mean) ** 2).sum() / 2)
    row = merged.table.set_index("tracker").loc["ROAM"]
    assert row["trainings"] == 3
    np.testing.assert_allclose([row["auc"], row["auc_std"]], [mean, deviation], atol=1e-9)
    assert f"{mean:.3f} ± {deviation:.3f}" in to_text(merged)
    assert rf"{mean:.3f} $\pm$ {deviation:.3f}" in to_tex(merged)
    (curve,) = [curve for curve in merged.curves["success"] if curve.tracker == "ROAM"]
    assert curve.deviation == pytest.approx(deviation)
    plain = merged.table.set_index("tracker").loc["plain"]
    assert plain["auc"] == pytest.approx(auc(2))
    assert np.isnan(plain["auc_std"])


def test_figure_6_takes_further_trainings_by_their_names(tmp_path):
    for tracker, shift in (("ROAM-seed1", 1), ("ROAM-seed2", 3), ("SGD", 2), ("SGD-seed1", 2)):
        write_results(tmp_path, tracker, shift)
    (figure,), _ = drawn(tmp_path, "figure6")
    table = figure.table.set_index("tracker")
    assert table["trainings"].to_dict() == {"ROAM": 2, "SGD": 2}
    assert table.loc["SGD", "auc_std"] == pytest.approx(0)
    assert "±" in figure.figure.axes[0].get_legend().get_texts()[0].get_text()


# Drawing


def test_the_values_of_a_setting_are_the_ticks():
    line = Line("a", np.array([1.0, 2, 12]), np.array([0.1, 0.3, 0.2]))
    ax = plot_setting(Figure().add_subplot(), [line], x_label="x", y_label="y", octaves=True)
    assert ax.get_xticks().tolist() == [1, 2, 12]
    assert ax.get_legend() is None


def test_a_tracker_keeps_its_look_in_all_figures(recorded):
    for tracker, shift in (("ROAM", 1), ("SGD", 2)):
        write_results(recorded, tracker, shift)
    (six, nine), _ = drawn(recorded, "figure6", "figure9")

    def looks(ax):
        lines = [line for line in ax.get_lines() if " [" in line.get_label()]
        return {line.get_label().split(" [")[0]: (line.get_color(), line.get_linestyle()) for line in lines}

    assert looks(six.figure.axes[0]) == looks(nine.figure.axes[0])


# The command


def figures(root, *more):
    out = ["--truth", str(root / "data"), "--out", str(root / "out")]
    return main(["figures", str(root / "results"), *out, *more])


def test_what_is_there_is_written_and_what_is_missing_is_named_with_the_command(recorded, capsys):
    assert figures(recorded) == 0
    written = {path.name for path in (recorded / "out").iterdir()}
    names = ("figure3", "figure9", "figure10", "trace")
    assert written == {f"{name}.{suffix}" for name in names for suffix in ("png", "pdf", "csv")}
    said = capsys.readouterr().err
    for name in ("figure6", "figure7", "figure8"):
        assert f"{name} is missing: " in said


def test_a_missing_recording_names_the_tracker_and_the_sweep(recorded, capsys):
    for path in (recorded / "results/recordings/OTB2015/SGD").iterdir():
        path.unlink()
    assert figures(recorded, "--only", "figure9") == 1
    said = capsys.readouterr().err
    assert "no recordings of SGD" in said
    assert "roam sweep figure9" in said


def test_the_same_material_gives_the_same_bytes(recorded, capsys):
    assert figures(recorded, "--only", "figure10") == 0
    first = {path.name: path.read_bytes() for path in (recorded / "out").iterdir()}
    assert figures(recorded, "--only", "figure10") == 0
    assert {path.name: path.read_bytes() for path in (recorded / "out").iterdir()} == first


def test_the_csv_holds_the_numbers_of_the_figure(recorded):
    assert figures(recorded, "--only", "trace") == 0
    table = pd.read_csv(recorded / "out/trace.csv")
    assert table["loss"].tolist() == [1.5, 2.5, 3.5, 4.5]
    np.testing.assert_allclose(table["response filter median"], 2e-4)


def test_an_unknown_figure_is_answered_with_the_nearest_name(tmp_path):
    with pytest.raises(ConfigError, match="did you mean 'figure10'"):
        drawn(tmp_path, "figure100")


def test_each_figure_has_a_sweep():
    for sweep, _ in FIGURES.values():
        read_sweep(sweep)


def test_the_figures_need_neither_torch_nor_a_toolkit():
    blocked = "torch", "got10k", "vot", "trax"
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({blocked}))\n"
        "import roam_tracker.commands.figures, roam_tracker.report.paper.sweeps\n"
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


# Where results come from


def manifest(**changes):
    run = {
        "date": "2030-01-02T03:04:05+00:00",
        "device": "cpu",
        "threads": 1,
        "versions": {"roam-tracker": "0.1.0", "commit": "0123456789+", "torch": "2.9"},
        "sequences": ["Biker"],
    }
    weights = {"name": "default", "sha256": "a" * 64}
    return {"tracker": "ROAM", "preset": "default", "weights": weights, "runs": [run]} | changes


@pytest.mark.parametrize(
    ("content", "line"),
    [
        (
            json.dumps(manifest()),
            "preset default, weights default (SHA-256 aaaaaaaa), roam-tracker 0.1.0 at 01234567+, torch 2.9,"
            " cpu, 1 thread, 2030-01-02",
        ),
        (
            json.dumps(manifest(preset=None, weights=None)),
            "roam-tracker 0.1.0 at 01234567+, torch 2.9, cpu, 1 thread, 2030-01-02",
        ),
        ("{}", "manifest.json cannot be read"),
    ],
)
def test_the_report_tells_what_made_a_trackers_results(tmp_path, content, line):
    write_results(tmp_path, "ROAM", 1)
    write_results(tmp_path, "Unknown", 2)
    (tmp_path / "results/OTB2015/ROAM/manifest.json").write_text(content)
    sources = evaluate(load("OTB2015", tmp_path / "results", tmp_path / "data")).sources
    assert sources["ROAM"] == line
    assert "Unknown" not in sources
