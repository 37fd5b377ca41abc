"""Plots for papers: what they show, and that grey print tells their lines apart."""

import itertools
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from raw_results import write_results

from roam_tracker.report import (
    Curve,
    draw,
    evaluate,
    load,
    plot_attributes,
    plot_curves,
    plot_pair,
    write_report,
)
from roam_tracker.report.show.plots import new_figure, styles_in_order


def luma(colour):
    """Grey of a colour as printers and screens make it, 0 to 1."""
    red, green, blue = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


def canvas(width=5.2, height=4.1):
    return new_figure(width, height).add_subplot()


def ink(ax):
    """The figure drawn, in grey: (rows, columns), 0 black to 1 white."""
    ax.figure.canvas.draw()
    pixels = Image.fromarray(np.asarray(ax.figure.canvas.buffer_rgba())[..., :3]).convert("L")
    return np.asarray(pixels) / 255


def steps(count):
    """Curves a tenth apart."""
    x = np.linspace(0, 1, 21)
    return [Curve(f"T{k}", x, np.full(21, 0.9 - k / 12), 0.9 - k / 12) for k in range(count)]


# Grey


def test_of_ten_trackers_no_two_share_dash_and_grey():
    styles = styles_in_order(f"T{k}" for k in range(10)).values()
    for one, other in itertools.combinations(styles, 2):
        assert one.dash != other.dash or abs(luma(one.colour) - luma(other.colour)) > 0.1


def test_every_colour_is_dark_enough_for_white_paper():
    assert all(luma(style.colour) < 0.7 for style in styles_in_order(f"T{k}" for k in range(10)).values())


def test_ten_lines_are_all_seen_in_a_picture_without_colour():
    ax = plot_curves(canvas(), "success", steps(10))
    ax.get_legend().remove()
    ax.grid(False)
    grey = ink(ax)
    for curve in steps(10):
        # along the line there is ink; halfway to the next there is none
        places = ax.transData.transform([(0.05, curve.y[0]), (0.95, curve.y[0]), (0.5, curve.y[0] - 1 / 24)])
        row, gap = (len(grey) - 1 - round(y) for y in (places[0, 1], places[2, 1]))
        columns = slice(int(places[0, 0]), int(places[1, 0]))
        assert grey[row - 1 : row + 2, columns].min() < 0.75
        assert grey[gap, columns].min() > 0.95


# Curves


def test_the_legend_ranks_by_score_and_the_title_is_the_one_people_know(tmp_path):
    for tracker, shift in (("Poor", 9), ("Good", 1)):
        write_results(tmp_path, tracker, shift)
    evaluation = evaluate(load("OTB2015", tmp_path / "results", tmp_path / "data"))
    (ax,) = draw(evaluation, "success").axes
    assert ax.get_title() == "Success plots of OPE on OTB2015"
    score = evaluation.table.set_index("tracker").loc["Good", "auc"]
    assert ax.get_legend().get_texts()[0].get_text() == f"Good [{score:.3f}]"


def test_a_plot_nobody_described_is_drawn_and_named_by_its_own_name():
    ax = plot_curves(canvas(), "some-new", [Curve("T", np.array([0.0, 0.4]), np.array([0.2, 0.7]), 0.5)])
    assert ax.get_ylabel() == "some new"
    assert ax.get_xlim() == (0, 0.4)


def test_a_legend_of_more_than_ten_lines_stands_beside_the_axes():
    for count, inside in ((10, True), (11, False)):
        ax = plot_curves(canvas(), "success", steps(count))
        ax.figure.canvas.draw()
        legend, axes = ax.get_legend().get_window_extent(), ax.get_window_extent()
        assert (legend.x0 < axes.x1) == inside
        assert legend.x1 <= ax.figure.bbox.x1


ODD_NAMES = (
    "_leading",
    "a$b$c",
    "50%",
    "A&B",
    "\\slash{}^",
    "\u8ddf\u8e2a",
    "\u8ddf",
    "n" * 90,
    "m_" * 45,
    "<b>",
)


def entries(ax):
    """Texts of the legend as they are seen."""
    return [text.get_text() for text in ax.get_legend().get_texts()]


@pytest.mark.parametrize("count", [11, 60, 90])
def test_a_legend_of_many_trackers_is_whole_and_the_axes_keep_their_size(tmp_path, count):
    figure = draw(scored_as(tmp_path, [f"Tracker_{index:02d}_v2" for index in range(count)]), "success")
    figure.canvas.draw()
    (ax,) = figure.axes
    legend, axes = ax.get_legend().get_window_extent(), ax.get_window_extent()
    assert len(entries(ax)) == count
    assert legend.y0 >= 0 and legend.y1 <= figure.bbox.y1 and legend.x1 <= figure.bbox.x1
    assert axes.width > 4 * figure.dpi and axes.height > 3 * figure.dpi and legend.x0 >= axes.x1


def test_of_more_trackers_than_a_figure_holds_the_best_are_drawn_and_it_says_so(tmp_path):
    (ax,) = draw(scored_as(tmp_path, [f"T{index:03d}" for index in range(95)]), "success").axes
    assert len(entries(ax)) == 90 and len(ax.get_lines()) == 90
    assert "the best 90 of 95 trackers" in ax.get_title()
    assert entries(ax)[0].startswith("T000") and not any("T094" in entry for entry in entries(ax))


@pytest.mark.filterwarnings("error")
def test_any_name_is_in_the_legend_and_in_the_files(tmp_path):
    evaluation = scored_as(tmp_path, ODD_NAMES)
    figure = draw(evaluation, "success")
    figure.canvas.draw()
    (ax,) = figure.axes
    shown = ["".join(entry.split()) for entry in entries(ax)]
    assert len(set(shown)) == len(ODD_NAMES)
    for name in ODD_NAMES:
        if name.isascii():
            assert any(entry.startswith(name.replace("$", r"\$")) for entry in shown)
    legend = ax.get_legend().get_window_extent()
    assert legend.y0 >= 0 and legend.x1 <= figure.bbox.x1
    write_report([evaluation], tmp_path / "out", pair=("a$b$c", "_leading"))
    assert r"\_leading" in (tmp_path / "out/tables/otb2015.md").read_text()


def scored_as(root, names):
    """An evaluation of one result under many names, the first of them the best."""
    write_results(root, "T", 1)
    evaluation = evaluate(load("OTB2015", root / "results", root / "data"))
    (curve,) = evaluation.curves["success"]
    curves = [replace(curve, tracker=name, score=0.9 - k / 200) for k, name in enumerate(names)]
    table = pd.concat([evaluation.table.assign(tracker=name) for name in names], ignore_index=True)
    rows = pd.concat([evaluation.by_sequence.assign(tracker=name) for name in names], ignore_index=True)
    return replace(evaluation, table=table, by_sequence=rows, curves={"success": curves})


def test_accuracy_and_robustness_zoom_to_the_points():
    points = [Curve("T", np.array([0.91]), np.array([0.58]), 0.58)]
    ax = plot_curves(canvas(), "accuracy-robustness", points)
    assert ax.get_xlim() == pytest.approx((0.8, 1.0))
    assert ax.get_ylim() == pytest.approx((0.5, 0.7))


# Pairs and attributes


def test_a_pair_counts_the_sequences_on_either_side_and_names_the_outliers():
    first = pd.Series({"a": 0.1, "b": 0.5, "c": 0.9, "d": 0.4, "e": 0.7}, name="One")
    second = pd.Series({"a": 0.8, "b": 0.6, "c": 0.2, "d": 0.4, "f": 0.3}, name="Two")
    ax = plot_pair(canvas(4.6, 4.8), first, second, label="AUC", named=2)
    # a and b above, c below, d equal; e and f are no pair
    assert ax.get_title() == "Two better in 2,\nOne in 1 of 4 sequences"
    assert [len(dots.get_offsets()) for dots in ax.collections] == [2, 1, 1]
    assert {text.get_text() for text in ax.texts} == {"a", "c"}


def test_no_two_names_in_a_pair_plot_overlap():
    generator = np.random.default_rng(3)
    values = generator.uniform(0, 1, (2, 80))
    names = [f"Sequence{k}" for k in range(80)]
    first, second = (pd.Series(row, index=names, name=name) for row, name in zip(values, "AB", strict=True))
    ax = plot_pair(canvas(4.6, 4.8), first, second, label="AUC")
    ax.figure.canvas.draw()
    boxes = [text.get_window_extent() for text in ax.texts]
    assert len(boxes) == 8
    assert not any(one.overlaps(other) for one, other in itertools.combinations(boxes, 2))


def test_attributes_are_rows_from_easy_to_hard_with_their_number_of_sequences():
    rows = [("occlusion", 0.3, 12), ("fast motion", 0.5, 7)]
    frame = pd.DataFrame(
        [
            {"attribute": name, "tracker": tracker, "auc": score + more, "precision": 0, "sequences": count}
            for name, score, count in rows
            for tracker, more in (("Good", 0.1), ("Poor", 0))
        ]
    )
    ax = plot_attributes(canvas(), frame)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["fast motion (7)", "occlusion (12)"]
    best = ax.get_lines()[0]
    assert best.get_label() == "Good"
    np.testing.assert_allclose(best.get_xdata(), [0.6, 0.4])


ATTRIBUTES = pd.DataFrame(
    [
        {"attribute": name, "tracker": tracker, "auc": score, "precision": 0.5, "sequences": 2}
        for name in ("motion blur", "occlusion")
        for tracker, score in (("Good", 0.71234), ("Poor", 0.5))
    ]
)


@pytest.mark.slow
def test_scores_by_attribute_are_a_plot_and_a_table_of_the_report(tmp_path):
    for tracker, shift in (("Good", 1), ("Poor", 6)):
        write_results(tmp_path, tracker, shift)
    plain = evaluate(load("OTB2015", tmp_path / "results", tmp_path / "data"))
    evaluation = replace(plain, attributes=ATTRIBUTES)
    for one, drawn in ((plain, False), (evaluation, True)):
        written = {path.name for path in write_report([one], tmp_path / "out")}
        assert ({"otb2015-attributes.png", "otb2015-attributes.pdf"} <= written) == drawn
        page = (tmp_path / "out/index.html").read_text()
        assert ("AUC by attribute" in page and "motion blur" in page and "<b>0.712</b>" in page) == drawn


def test_the_line_at_20_px_is_drawn_only_where_the_score_is_the_curves_height_there():
    x = np.linspace(0, 50, 51)
    for score, lines in ((0.4, 2), (0.5, 1)):  # the height at 20 px is 0.4
        ax = plot_curves(canvas(), "precision", [Curve("T", x, x / 50, score)])
        assert len(ax.get_lines()) == lines
