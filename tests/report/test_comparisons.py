"""The paper's numbers beside rebuilt ones, paired tests, attributes, and the tables' formats."""

import json

import numpy as np
import pandas as pd
import pytest

from roam_tracker.commands import main
from roam_tracker.errors import DataError
from roam_tracker.report import compare_with_paper, evaluate, load, paper_lines
from roam_tracker.report.paper.tables import paper_rows, printed_cells
from roam_tracker.report.score.attributes import read_attributes, scores_by_attribute
from roam_tracker.report.score.pairs import compare_trackers, sign_flip_p
from roam_tracker.report.show.tables import markdown_table, tex_table, to_markdown, to_tex

FRAMES = 8
TRUTH = np.array([[10.0 + i, 20, 30, 40] for i in range(FRAMES)])


def put(path, boxes):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(",".join(map(str, row)) + "\n" for row in boxes.tolist()))


def made(root, benchmark="TrackingNet", sequences=6, trackers=(("ROAM", 0), ("SiamFC", 9))):
    for index in range(sequences):
        put(root / "data" / f"s{index}.txt", TRUTH)
        for name, shift in trackers:
            put(root / "results" / name / f"s{index}.txt", TRUTH + np.array([shift + index / 9, 0, 0, 0]))
    return evaluate(load(benchmark, root / "results", root / "data"))


def test_every_printed_number_of_tables_1_to_3_is_there_once():
    cells = printed_cells()
    assert cells.groupby("table").size().to_dict() == {1: 71, 2: 24, 3: 24}
    assert not cells.duplicated(["table", "benchmark", "tracker", "metric"]).any()
    row = cells.set_index(["benchmark", "tracker", "metric"])["printed"]
    assert row["VOT2016", "ROAM", "eao"] == 0.384 and row["VOT2017", "ROAM", "robustness"] == 0.226
    assert row["GOT-10k", "ROAM", "sr75"] == 0.164
    assert row["TrackingNet", "ROAM", "normalised_precision"] == 0.695


def test_what_has_no_raw_results_is_missing_with_its_reason_and_never_filled_in(tmp_path):
    cells = compare_with_paper([made(tmp_path)]).set_index(["benchmark", "tracker", "metric"])
    for key, reason in (
        (("VOT2016", "ECO", "eao"), "no raw results of VOT2016 were given"),
        (("TrackingNet", "MDNet", "auc"), "no raw results of MDNet"),
    ):
        assert cells.loc[key, "verdict"] == "missing" and cells.loc[key, "reason"] == reason
        assert cells.loc[key, ["rebuilt", "difference", "low", "high"]].isna().all()


def test_some_of_the_sequences_are_partial_and_told_by_their_number(tmp_path):
    cells = compare_with_paper([made(tmp_path)]).set_index(["benchmark", "tracker", "metric"])
    cell = cells.loc["TrackingNet", "ROAM", "auc"]
    assert (cell["verdict"], cell["reason"]) == ("partial", "6 of 511 sequences")
    assert cell["difference"] == pytest.approx(cell["rebuilt"] - 0.620)


@pytest.mark.parametrize(
    ("rebuilt", "low", "high", "verdict"),
    [
        (0.62, 0.60, 0.64, "agrees"),
        (0.65, 0.6204, 0.68, "agrees"),  # 0.620 stands for anything up to 0.6205
        (0.65, 0.6206, 0.68, "above"),
        (0.60, 0.58, 0.6194, "below"),
        (0.60, 0.58, 0.6196, "agrees"),
    ],
)
def test_a_number_agrees_when_the_printed_one_lies_in_the_interval_give_or_take_its_rounding(
    tmp_path, rebuilt, low, high, verdict
):
    evaluation = made(tmp_path)
    evaluation.table.loc[
        evaluation.table["tracker"] == "ROAM", ["auc", "auc_low", "auc_high", "sequences"]
    ] = [rebuilt, low, high, 511]
    cells = compare_with_paper([evaluation]).set_index(["benchmark", "tracker", "metric"])
    assert cells.loc["TrackingNet", "ROAM", "auc"]["verdict"] == verdict


def test_the_validation_set_of_got10k_is_not_compared_with_the_papers_test_set(tmp_path):
    put(tmp_path / "data" / "GOT-10k_Val_000001" / "groundtruth.txt", TRUTH)
    put(tmp_path / "results" / "ROAM" / "GOT-10k_Val_000001" / "GOT-10k_Val_000001_001.txt", TRUTH)
    cells = compare_with_paper([evaluate(load("GOT-10k", tmp_path / "results", tmp_path / "data"))])
    (cell,) = cells[(cells["tracker"] == "ROAM") & (cells["metric"] == "ao")].to_dict("records")
    assert cell["verdict"] == "missing" and "not the test set's sequences" in cell["reason"]
    assert np.isnan(cell["rebuilt"])


def test_the_papers_tables_keep_its_form_in_text_latex_and_markdown(tmp_path):
    cells = compare_with_paper([made(tmp_path)])
    rows = paper_rows(cells, 3)
    assert rows[0] == ["tracker", "TrackingNet AUC", "TrackingNet Precision", "TrackingNet Norm. precision"]
    assert rows[-1][0] == "ROAM" and rows[-1][1].startswith("0.620 / ") and rows[-1][1].endswith("*")
    assert rows[1][1] == "0.528 / missing"
    assert paper_rows(cells, 1)[3][3] == "\N{EN DASH}"  # MetaTracker has no robustness
    assert r"Staple & 0.528 / missing" in tex_table(
        rows, "t"
    ) and "| Staple | 0.528 / missing" in markdown_table(rows)
    text = "\n".join(paper_lines(cells))
    assert "partial: 6 of 511 sequences" in text and "Missing for want of raw results: 18 of 24" in text
    assert len(paper_lines(cells, everything=True)) > 119


# ---------------------------------------------------------------- paired tests


def test_p_of_a_few_sequences_is_counted_by_hand():
    # 3 equal signs of 2**3 patterns: +++ and --- are as far from 0, 2 of 8
    assert sign_flip_p(np.array([1.0, 2.0, 3.0])) == 2 / 8
    # 1 - 2 + 3 = 2: of |+-1+-2+-3| = 6, 4, 2, 0 twice each, 6 of 8 reach 2
    assert sign_flip_p(np.array([1.0, -2.0, 3.0])) == 6 / 8
    assert sign_flip_p(np.zeros(4)) == 1
    assert np.isnan(sign_flip_p(np.zeros(0)))


def test_p_of_many_sequences_is_small_for_a_difference_and_uniform_for_none():
    generator = np.random.default_rng(0)
    assert sign_flip_p(generator.normal(0.5, 0.5, 60)) < 1e-3
    values = [sign_flip_p(generator.normal(0, 1, 30), draws=500) for _ in range(200)]
    assert 0.4 < np.mean(values) < 0.6 and 0.01 < np.mean(np.array(values) < 0.05) < 0.11


def test_two_trackers_are_compared_over_the_sequences_both_have(tmp_path):
    made(tmp_path)
    (tmp_path / "results" / "SiamFC" / "s5.txt").unlink()
    evaluation = evaluate(load("TrackingNet", tmp_path / "results", tmp_path / "data"))
    table = compare_trackers(evaluation, "ROAM", "SiamFC").set_index("metric")
    row = table.loc["auc"]
    scores = evaluation.by_sequence.pivot(index="sequence", columns="tracker", values="auc").dropna()
    assert row["difference"] == pytest.approx((scores["ROAM"] - scores["SiamFC"]).mean(), abs=1e-15)
    assert (row["sequences"], row["first_wins"], row["second_wins"]) == (5, 5, 0)
    assert row["low"] <= row["difference"] <= row["high"] and row["p"] == 2 / 32
    swapped = compare_trackers(evaluation, "SiamFC", "ROAM").set_index("metric").loc["auc"]
    assert swapped["difference"] == -row["difference"] and swapped["p"] == row["p"]


# ---------------------------------------------------------------- attributes, the command


def test_attributes_are_read_from_folders_json_and_csv_alike(tmp_path):
    for name, words in (("s0", "IV, SV"), ("s1", "SV")):
        (tmp_path / "a" / name).mkdir(parents=True)
        (tmp_path / "a" / name / "attrs.txt").write_text(words)
    (tmp_path / "a.json").write_text(json.dumps({"s0": ["IV", "SV"], "s1": "SV"}))
    (tmp_path / "a.csv").write_text("sequence,IV,SV\ns0,1,1\ns1,0,1\n")
    for place in ("a", "a.json", "a.csv"):
        assert read_attributes(tmp_path / place) == {"s0": ["IV", "SV"], "s1": ["SV"]}


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.json", "[1]", "has another form"),
        ("a.json", "{", "has another form"),
        ("a.csv", "sequence,IV\ns0,2\n", "line 2"),
        ("a.csv", "sequence,IV\ns0\n", "line 2"),
        ("a.csv", "sequence,IV\n", "has no attributes"),
        ("a.txt", "IV", "a folder, a .json or a .csv"),
    ],
)
def test_damaged_attributes_are_named(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=says):
        read_attributes(tmp_path / name)


def test_scores_by_attribute_are_means_over_its_sequences_with_their_number(tmp_path):
    evaluation = made(tmp_path, "OTB")
    table = scores_by_attribute(evaluation, {"S0": ["IV", "SV"], "s1": ["SV"], "other": ["IV"]})
    rows = table.set_index(["attribute", "tracker"])
    scores = evaluation.by_sequence.set_index(["tracker", "sequence"])["auc"]
    assert rows.loc[("SV", "ROAM"), "sequences"] == 2 and rows.loc[("IV", "ROAM"), "sequences"] == 1
    assert rows.loc[("SV", "ROAM"), "auc"] == pytest.approx(scores["ROAM"][["s0", "s1"]].mean())


@pytest.mark.slow
def test_the_command_writes_comparison_attributes_paper_markdown_and_coloured_latex(tmp_path, capsys):
    made(tmp_path)
    (tmp_path / "a.csv").write_text("sequence,IV\ns0,1\ns1,1\n")
    options = ["report", "--benchmark", "TrackingNet", "--results", str(tmp_path / "results")]
    options += ["--annotations", str(tmp_path / "data"), "--out", str(tmp_path / "out")]
    options += [
        "--compare",
        "ROAM",
        "SiamFC",
        "--attributes",
        str(tmp_path / "a.csv"),
        "--tex-style",
        "colour",
    ]
    assert main(options) == 0
    printed = capsys.readouterr().out
    assert "sequences won" in printed and "6 : 0 of 6" in printed and "Table 3 of the paper" in printed
    tables = tmp_path / "out" / "tables"
    assert {path.name for path in tables.iterdir()} >= {
        *(f"trackingnet{end}" for end in (".csv", ".tex", ".md", "-sequences.csv", "-attributes.csv")),
        *("comparison.csv", "paper.csv", "paper.tex", "paper.md"),
    }
    assert len(pd.read_csv(tables / "paper.csv")) == 119
    assert r"ROAM & \textcolor{red}{" in (tables / "trackingnet.tex").read_text()


def test_markdown_marks_the_best_three_and_latex_escapes_names(tmp_path):
    evaluation = made(tmp_path, trackers=[("A_1", 0), ("B|2", 3), ("C%3", 6), ("D", 9)])
    lines = to_markdown(evaluation).splitlines()
    assert lines[2].startswith("| A_1 | **") and lines[3].startswith(r"| B\|2 | <u>")
    assert lines[4].startswith("| C%3 | *") and lines[5].startswith("| D | 0.")
    tex = to_tex(evaluation)
    assert r"A\_1 & \textbf{" in tex and r"C\%3 & \textit{" in tex and r"AUC $\uparrow$" in tex
