"""Layouts, damaged and missing files, and what the user is told about them."""

import hashlib
import json

import numpy as np
import pytest

from roam_tracker.commands import main
from roam_tracker.errors import ConfigError, DataError, ResultError
from roam_tracker.report import describe, evaluate, load
from roam_tracker.report.benchmarks import BENCHMARKS

pytestmark = pytest.mark.slow

FRAMES = 20


def truth_of(seed, frames=FRAMES):
    generator = np.random.default_rng(seed)
    return np.column_stack([generator.uniform(5, 40, (frames, 2)), generator.uniform(8, 20, (frames, 2))])


def write_boxes(path, boxes, separator=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(f"{value:.3f}" for value in row) + "\n" for row in boxes))


@pytest.fixture
def otb(tmp_path):
    """Three own sequences and two trackers in the toolkit's folders."""
    for seed, name in enumerate(("left", "right", "up")):
        truth = truth_of(seed)
        write_boxes(tmp_path / "data" / name / "groundtruth_rect.txt", truth, "\t")
        for tracker, noise, separator in (("Good", 1.0, ","), ("Poor", 6.0, " ")):
            boxes = truth + np.random.default_rng(seed).normal(0, noise, truth.shape)
            boxes[0] = truth[0]
            folder = tmp_path / "results" / "OTB2015" / tracker
            write_boxes(folder / f"{name}.txt", boxes, separator)
            (folder / "times").mkdir(exist_ok=True)
            (folder / "times" / f"{name}_time.txt").write_text("0.05000000\n" * FRAMES)
    return tmp_path


def report(root, *more):
    return main(
        [
            "report",
            "--results",
            str(root / "results"),
            "--annotations",
            str(root / "data"),
            "--benchmark",
            "OTB2015",
            "--out",
            str(root / "out"),
            *more,
        ]
    )


def test_a_whole_report_is_written_and_exits_with_0(otb, capsys):
    assert report(otb) == 0
    files = {str(path.relative_to(otb / "out")) for path in (otb / "out").rglob("*") if path.is_file()}
    plots = {
        f"plots/otb2015-{plot}.{suffix}"
        for plot in ("success", "precision", "pair")
        for suffix in ("png", "pdf")
    }
    tables = {f"tables/otb2015{end}" for end in (".csv", ".tex", ".md", "-sequences.csv")}
    assert files == {"index.html"} | tables | plots
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "3 of 3" in printed.out and printed.out.index("Good") < printed.out.index("Poor")


def test_the_page_loads_nothing_and_names_every_tracker(otb):
    report(otb)
    page = (otb / "out" / "index.html").read_text()
    assert "http://" not in page and "https://" not in page and "<script src" not in page
    for words in ("Good", "Poor", "3 of 3", "left", "strict", str(otb / "results" / "OTB2015")):
        assert words in page


def test_the_same_input_gives_the_same_files(otb):
    report(otb)
    first = {path: path.read_bytes() for path in (otb / "out").rglob("*") if path.is_file()}
    report(otb)
    assert all(path.read_bytes() == content for path, content in first.items())


def test_latex_marks_the_best_bold_and_leaves_the_worst_plain(otb):
    report(otb)
    tex = (otb / "out" / "tables" / "otb2015.tex").read_text()
    assert tex.splitlines()[5].startswith(r"Good & \textbf{")
    assert tex.splitlines()[6].startswith("Poor & 0.")
    assert "\\underline" not in tex


def test_speed_is_20_frames_per_second_and_missing_without_times(otb):
    table = evaluate(load("OTB2015", otb / "results", otb / "data")).table
    assert table["speed_fps"].tolist() == pytest.approx([20, 20])
    for path in (otb / "results" / "OTB2015" / "Poor" / "times").iterdir():
        path.unlink()
    table = evaluate(load("OTB2015", otb / "results", otb / "data")).table.set_index("tracker")
    assert np.isnan(table.loc["Poor", "speed_fps"])


def test_a_short_result_is_left_out_named_and_exits_with_1(otb, capsys):
    path = otb / "results" / "OTB2015" / "Good" / "right.txt"
    write_boxes(path, truth_of(1)[:-4])
    assert report(otb) == 1
    message = f"{path} has 16 rows, ground truth groundtruth_rect.txt has 20."
    printed = capsys.readouterr()
    assert message in printed.err and "2 of 3" in printed.out
    assert message in (otb / "out" / "index.html").read_text()


def test_a_missing_result_that_another_tracker_has_exits_with_1(otb, capsys):
    (otb / "results" / "OTB2015" / "Poor" / "up.txt").unlink()
    assert report(otb) == 1
    assert (
        "Poor has no result of up, other trackers have. Run it on this sequence." in capsys.readouterr().err
    )
    assert report(otb, "--tracker", "Poor") == 0


def test_a_sequence_no_tracker_ran_is_stated_and_exits_with_0(otb, capsys):
    write_boxes(otb / "data" / "down" / "groundtruth_rect.txt", truth_of(9))
    assert report(otb) == 0
    printed = capsys.readouterr()
    assert "3 of 4" in printed.out and "1 sequences with ground truth were run by no tracker." in printed.out


@pytest.mark.parametrize(
    ("line", "found"),
    [("1,2,3", "found 3 values"), ("1,2,x,4", "finite"), ("1,2,inf,4", "finite"), ("", "found 0 values")],
)
def test_a_damaged_row_is_named_by_file_and_line(otb, line, found):
    path = otb / "results" / "OTB2015" / "Good" / "left.txt"
    lines = path.read_text().splitlines()
    lines[6] = line
    path.write_text("\n".join(lines))
    (problem,) = load("OTB2015", otb / "results", otb / "data").problems
    assert problem.message.startswith(f"{path}, line 7: ") and found in problem.message


def test_a_damaged_time_file_costs_the_speed_and_not_the_sequence(otb):
    path = otb / "results" / "OTB2015" / "Good" / "times" / "left_time.txt"
    path.write_text("0.05\n" * 7)
    loaded = load("OTB2015", otb / "results", otb / "data")
    assert describe(loaded.problems) == [
        f"{path} has 7 usable times, expected 20 frames x 1 runs."
        " Delete it; speed is then reported as missing."
    ]
    assert evaluate(loaded).table["sequences"].tolist() == [3, 3]


def test_an_annotation_row_of_three_values_is_one_sentence_and_exits_with_2(otb, capsys):
    path = otb / "data" / "left" / "groundtruth_rect.txt"
    path.write_text(path.read_text() + "1,2,3\n")
    assert report(otb) == 2
    error = capsys.readouterr().err
    assert error == (
        f"DataError: {path}, line 21: found 3 values, expected 4 (x, y, w, h)."
        " Restore it from the benchmark's download.\n"
    )


def test_nothing_to_score_is_an_error(otb, tmp_path_factory):
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ResultError, match=r"no results of OTB2015, expected <tracker>/<sequence>\.txt"):
        load("OTB2015", empty, otb / "data")
    with pytest.raises(DataError, match="has no truth of OTB2015"):
        load("OTB2015", otb / "results", empty)
    with pytest.raises(DataError, match="does not exist"):
        load("OTB2015", otb / "results", otb / "nowhere")
    with pytest.raises(DataError, match="no ground truth for 'left'"):
        write_boxes(empty / "other" / "groundtruth.txt", truth_of(0))
        load("OTB2015", otb / "results", empty)


def test_unknown_names_are_refused_with_the_nearest_one(otb):
    with pytest.raises(ConfigError, match="did you mean 'OTB2015'"):
        load("OTB2051", otb / "results", otb / "data")
    with pytest.raises(ConfigError, match="did you mean 'Good'"):
        load("OTB2015", otb / "results", otb / "data", ["Goood"])


def test_two_benchmarks_share_one_results_folder(otb, capsys):
    write_boxes(otb / "got" / "a" / "groundtruth.txt", truth_of(4))
    write_boxes(otb / "results" / "GOT-10k" / "Good" / "a" / "a_001.txt", truth_of(4))
    status = report(otb, "--benchmark", "GOT-10k", "--annotations", str(otb / "got"))
    assert status == 0
    assert (otb / "out" / "tables" / "got-10k.csv").read_text().splitlines()[1].startswith("Good,")
    page = (otb / "out" / "index.html").read_text()
    assert 'id="otb2015"' in page and 'id="got-10k"' in page
    assert report(otb, "--benchmark", "GOT-10k", "--results", "a", "--results", "b") == 2


def test_got10k_pools_frames_and_obeys_cover_and_image_size(tmp_path):
    truth = np.array([[10.0, 10, 20, 20]] * 6)
    for name, frames in (("long", 6), ("short", 3)):
        write_boxes(tmp_path / "val" / name / "groundtruth.txt", truth[:frames])
    (tmp_path / "val" / "long" / "cover.label").write_text("8\n8\n0\n8\n8\n8\n")
    (tmp_path / "val" / "long" / "meta_info.ini").write_text("[METAINFO]\nurl: none\nresolution: (100, 80)\n")
    (tmp_path / "val" / "list.txt").write_text("long\nshort\n")
    result = tmp_path / "results" / "GOT-10k" / "T"
    for number in (1, 2):
        missed = truth.copy()
        missed[2] = [80, 60, 5, 5]  # hidden, does not count
        write_boxes(result / "long" / f"long_00{number}.txt", missed)
    (result / "long" / "long_time.txt").write_text("0.1,0.2\n" * 6)
    write_boxes(result / "short" / "short_001.txt", [[10, 10, 20, 20], [0, 0, 1, 1], [0, 0, 1, 1]])
    evaluation = evaluate(load("GOT-10k", tmp_path / "results", tmp_path))
    # frames: 2 runs x 4 of long with overlap 1, 2 of short with overlap 0
    assert evaluation.table["ao"].tolist() == pytest.approx([0.8])
    assert evaluation.table["speed_fps"].tolist() == pytest.approx([12 / 1.8])
    assert evaluation.notes == [
        "No cover.label for short: a frame shows no target where its box has no area.",
        "Image size unknown for short: its boxes are not limited to the image.",
    ]


def test_got10k_test_truth_of_one_row_is_refused_with_the_remedy(tmp_path):
    write_boxes(tmp_path / "a" / "groundtruth.txt", truth_of(0, 1))
    write_boxes(tmp_path / "results" / "GOT-10k" / "T" / "a" / "a_001.txt", truth_of(0))
    with pytest.raises(DataError, match="send its results to the benchmark's server"):
        load("GOT-10k", tmp_path / "results", tmp_path)


def test_two_targets_in_a_video_and_annotated_ranges_follow_the_otb_names(tmp_path):
    truth = truth_of(0, 80)
    write_boxes(tmp_path / "data" / "Jogging" / "groundtruth_rect.1.txt", truth)
    write_boxes(tmp_path / "data" / "Jogging" / "groundtruth_rect.2.txt", truth)
    write_boxes(tmp_path / "data" / "Human4" / "groundtruth_rect.2.txt", truth)
    (tmp_path / "data" / "Human4" / "groundtruth_rect.1.txt").write_text("")
    write_boxes(tmp_path / "data" / "Football1" / "groundtruth_rect.txt", truth)
    folder = tmp_path / "results" / "T"
    for name, rows in (("Jogging-1", 80), ("Jogging.2", 80), ("Human4-2", 80), ("Football1", 74)):
        write_boxes(folder / f"{name}.txt", truth[:rows])
    evaluation = evaluate(load("OTB2015", tmp_path / "results", tmp_path / "data"))
    assert evaluation.problems == []
    assert sorted(evaluation.by_sequence["sequence"]) == ["Football1", "Human4", "Jogging.1", "Jogging.2"]
    assert evaluation.table["auc"].tolist() == pytest.approx([20 / 21])
    assert evaluation.total == 100


def test_the_otb_versions_have_their_published_numbers_of_sequences():
    assert [len(BENCHMARKS[name].sequences) for name in ("OTB2013", "OTB50", "OTB2015")] == [51, 50, 100]


def test_a_result_that_was_changed_since_its_manifest_is_told_of(tmp_path):
    from roam_tracker.report.read.origins import made_by

    (tmp_path / "a.txt").write_text("1,2,3,4\n")
    known = {"rows": 1, "sha256": hashlib.sha256(b"1,2,3,4\n").hexdigest()}
    versions = {"roam-tracker": "1", "commit": "", "torch": "2"}
    run = {
        "versions": versions,
        "threads": 1,
        "device": "cpu",
        "date": "2026-01-01",
        "sequences": {"a": known},
    }
    manifest = {"tracker": tmp_path.name, "preset": None, "weights": None, "runs": [run]}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    assert made_by(tmp_path, ["a"])[1] is None
    (tmp_path / "a.txt").write_text("1,2,3,5\n")
    assert "tells of other contents of a." in made_by(tmp_path, ["a"])[1]
