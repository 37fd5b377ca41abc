"""Plots for papers: what they show, that grey print tells their lines apart, film strips, traces."""

import base64
import itertools
from dataclasses import fields

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image
from raw_results import SEQUENCES, truth_of, write_results

from roam_tracker.commands import main
from roam_tracker.errors import DataError, ImageError
from roam_tracker.report import (
    Curve,
    Evaluation,
    draw,
    evaluate,
    film_strip,
    find_films,
    load,
    plot_attributes,
    plot_curves,
    plot_pair,
    write_report,
)
from roam_tracker.report.page_data import NOT_COUNTED, encode
from roam_tracker.report.plots import new_figure, styles_in_order


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


class WithAttributes(Evaluation):
    """An evaluation with scores by attribute."""

    attributes = pd.DataFrame(
        [
            {"attribute": name, "tracker": tracker, "auc": score, "precision": 0.5, "sequences": 2}
            for name in ("motion blur", "occlusion")
            for tracker, score in (("Good", 0.71234), ("Poor", 0.5))
        ]
    )


def test_scores_by_attribute_are_a_plot_and_a_table_of_the_report(tmp_path):
    for tracker, shift in (("Good", 1), ("Poor", 6)):
        write_results(tmp_path, tracker, shift)
    plain = evaluate(loaded(tmp_path))
    evaluation = WithAttributes(**{one.name: getattr(plain, one.name) for one in fields(plain)})
    for one, drawn in ((plain, False), (evaluation, True)):
        written = {path.name for path in write_report([one], tmp_path / "out")}
        assert ({"otb2015-attributes.png", "otb2015-attributes.pdf"} <= written) == drawn
        page = (tmp_path / "out/index.html").read_text()
        assert ("AUC by attribute" in page and "motion blur" in page and "<b>0.712</b>" in page) == drawn


# Film strips


@pytest.fixture
def otb(tmp_path):
    """Two trackers on three sequences, of which two have images."""
    for tracker, shift in (("Good", 1), ("Poor", 6)):
        write_results(tmp_path, tracker, shift)
    for name in SEQUENCES[:2]:
        folder = tmp_path / "data" / name / "img"
        folder.mkdir()
        for number in range(1, 21):
            Image.new("RGB", (96, 64), (number * 10, 90, 60)).save(folder / f"{number:04d}.jpg")
    return tmp_path


def loaded(root):
    return load("OTB2015", root / "results", root / "data")


def test_a_film_takes_frames_at_equal_distances_with_their_boxes(otb):
    films, notes = find_films(loaded(otb), otb / "data", count=5)
    assert set(films) == set(SEQUENCES[:2]) and notes == []
    film = films[SEQUENCES[0]]
    assert film.frames == (0, 5, 10, 14, 19)  # 0, 4.75, 9.5, 14.25, 19, halves to even
    assert [path.name for path in film.images] == ["0001.jpg", "0006.jpg", "0011.jpg", "0015.jpg", "0020.jpg"]
    x, y, w, h = truth_of(SEQUENCES[0])[5].round(3)
    np.testing.assert_allclose(film.truth[1], [[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
    np.testing.assert_allclose(film.trackers["Poor"][1] - film.truth[1], [[6, 0]] * 4, atol=1e-9)


def test_a_strip_has_an_axes_a_frame_and_an_outline_a_tracker(otb):
    films, _ = find_films(loaded(otb), otb / "data")
    figure = film_strip(films[SEQUENCES[0]], trackers=["Poor"])
    assert isinstance(figure, Figure) and len(figure.axes) == 6
    assert [len(ax.patches) for ax in figure.axes] == [2] * 6  # truth and Poor
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["truth", "Poor"]


def test_images_that_do_not_fit_the_truth_are_named_and_left_out(otb):
    (otb / "data" / SEQUENCES[1] / "img" / "0020.jpg").unlink()
    films, (note,) = find_films(loaded(otb), otb / "data")
    assert set(films) == {SEQUENCES[0]}
    assert f"{SEQUENCES[1]}/img has 19 images, the ground truth 20 frames" in note


def test_a_folder_without_images_and_a_damaged_image_are_refused(otb):
    films, _ = find_films(loaded(otb), otb / "data")
    films[SEQUENCES[0]].images[2].write_bytes(b"no image")
    with pytest.raises(ImageError, match=r"cannot be read as an image"):
        film_strip(films[SEQUENCES[0]])
    with pytest.raises(DataError, match="has no images of OTB2015"):
        find_films(loaded(otb), otb / "results")


def test_the_cut_range_of_an_otb_video_takes_its_own_images(tmp_path):
    truth = np.tile([10.0, 10, 5, 5], (471, 1))
    for path in (tmp_path / "data/David/groundtruth_rect.txt", tmp_path / "results/T/David.txt"):
        path.parent.mkdir(parents=True)
        np.savetxt(path, truth, fmt="%.1f", delimiter=",")
    folder = tmp_path / "data/David/img"
    folder.mkdir()
    for number in range(1, 771):
        (folder / f"{number:04d}.jpg").touch()
    films, notes = find_films(loaded(tmp_path), tmp_path / "data", count=2)
    assert notes == []
    assert [path.name for path in films["David"].images] == ["0300.jpg", "0770.jpg"]


def report(root, *more):
    argv = ["report", "--results", str(root / "results"), "--annotations", str(root / "data")]
    return main([*argv, "--benchmark", "OTB2015", "--out", str(root / "out"), *more])


def test_the_command_puts_films_into_the_page_and_writes_those_asked_for(otb):
    assert report(otb, "--frames", str(otb / "data"), "--film", SEQUENCES[0]) == 0
    page = (otb / "out/index.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 12  # two films of six frames
    strips = {path.name for path in (otb / "out/plots").glob("*film*")}
    assert strips == {f"otb2015-film-{SEQUENCES[0]}.{suffix}" for suffix in ("png", "pdf")}


def test_a_film_of_an_unknown_sequence_and_an_unknown_pair_are_refused(otb, capsys):
    assert report(otb, "--frames", str(otb / "data"), "--film", "Basketbal") == 2
    assert "did you mean 'Basketball'" in capsys.readouterr().err
    assert report(otb, "--pair", "Good", "Por") == 2
    assert "did you mean 'Poor'" in capsys.readouterr().err
    assert not (otb / "out").exists()


# Overlaps over time


def test_the_trace_of_each_sequence_gives_its_score_back(otb):
    evaluation = evaluate(loaded(otb))
    rows = evaluation.by_sequence.set_index(["tracker", "sequence"])
    for tracker, by_sequence in evaluation.overlaps.items():
        for sequence, trace in by_sequence.items():
            score = np.mean([(trace > threshold).mean() for threshold in np.linspace(0, 1, 21)])
            assert rows.loc[(tracker, sequence), "auc"] == pytest.approx(score)


def test_a_trace_has_a_gap_where_got10k_does_not_count(tmp_path):
    truth = np.tile([10.0, 10, 20, 20], (5, 1))
    for path in (tmp_path / "val/a/groundtruth.txt", tmp_path / "results/GOT-10k/T/a/a_001.txt"):
        path.parent.mkdir(parents=True)
        np.savetxt(path, truth, fmt="%.1f", delimiter=",")
    (tmp_path / "val/list.txt").write_text("a\n")
    (tmp_path / "val/a/cover.label").write_text("8\n8\n0\n8\n8\n")
    trace = evaluate(load("GOT-10k", tmp_path / "results", tmp_path)).overlaps["T"]["a"]
    np.testing.assert_array_equal(trace, [np.nan, 1, np.nan, 1, 1])


def test_a_trace_of_vot_is_0_at_a_failure_and_has_a_gap_until_the_restart(tmp_path):
    sequence = tmp_path / "truth/a"
    sequence.mkdir(parents=True)
    (sequence / "groundtruth.txt").write_text("10,10,20,20\n" * 6)
    result = tmp_path / "results/T/baseline/a"
    result.mkdir(parents=True)
    (result / "a_001.txt").write_text("1\n10,10,20,20\n2\n0\n1\n10,10,20,20\n")
    evaluation = evaluate(load("VOT2018", tmp_path / "results", tmp_path / "truth"))
    trace = evaluation.overlaps["T"]["baseline/a"]
    np.testing.assert_array_equal(trace, [np.nan, 1, 0, np.nan, np.nan, 1])


def test_a_trace_is_a_byte_a_frame_in_hundredths():
    values = base64.b64decode(encode(np.array([0, 0.504, 0.506, 1, np.nan])))
    assert list(values) == [0, 50, 51, 100, NOT_COUNTED]


def write_sequence(root, truth, boxes, name="a-1"):
    for path, rows in ((root / "truth" / f"{name}.txt", truth), (root / "results/T" / f"{name}.txt", boxes)):
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savetxt(path, rows, fmt="%.1f", delimiter=",")


def test_a_trace_has_a_gap_where_uav123_is_not_annotated_and_is_0_there_for_dtb70(tmp_path):
    boxes = np.tile([10.0, 10, 20, 20], (4, 1))
    truth = boxes.copy()
    truth[2] = np.nan
    write_sequence(tmp_path, truth, boxes)
    for benchmark, expected in (("UAV123", [1, 1, np.nan, 1]), ("DTB70", [1, 1, 0, 1])):
        trace = evaluate(load(benchmark, tmp_path / "results", tmp_path / "truth")).overlaps["T"]["a-1"]
        np.testing.assert_array_equal(trace, expected)


def test_a_trace_of_lasot_has_a_gap_where_the_target_is_absent(tmp_path):
    truth = np.tile([10.0, 10, 20, 20], (4, 1))
    write_sequence(tmp_path, truth, truth + np.array([0, 10, 0, 0]))
    (tmp_path / "truth/absent").mkdir()
    (tmp_path / "truth/absent/a-1.txt").write_text("0,0,1,0\n")
    trace = evaluate(load("LaSOT", tmp_path / "results", tmp_path / "truth")).overlaps["T"]["a-1"]
    np.testing.assert_allclose(trace, [1, 1 / 3, np.nan, 1 / 3])  # 20 x 10 of 20 x 30, the first is set


def test_a_trace_of_trackingnet_rounds_to_whole_pixels(tmp_path):
    truth = np.tile([10.0, 10, 20, 20], (3, 1))
    write_sequence(tmp_path, truth, truth + np.array([0, 0.4, 0, 0]))
    trace = evaluate(load("TrackingNet", tmp_path / "results", tmp_path / "truth")).overlaps["T"]["a-1"]
    np.testing.assert_array_equal(trace, [1, 1, 1])


@pytest.mark.parametrize(
    ("benchmark", "folder"),
    [
        ("LaSOT", "a/a-1/img"),
        ("TrackingNet", "frames/a-1"),
        ("NfS240", "a-1/240/a-1"),
        ("UAV123", "data_seq/UAV123/a-1"),
        ("DTB70", "a-1/img"),
        ("GOT-10k", "a-1"),
    ],
)
def test_images_are_found_in_the_benchmarks_own_layout_and_in_the_order_of_numbers(
    tmp_path, benchmark, folder
):
    truth = np.tile([10.0, 10, 20, 20], (11, 1))
    write_sequence(tmp_path, truth, truth)
    if benchmark == "GOT-10k":
        (tmp_path / "results/T/a-1").mkdir()
        (tmp_path / "results/T/a-1.txt").rename(tmp_path / "results/T/a-1/a-1_001.txt")
    (tmp_path / "images" / folder).mkdir(parents=True)
    for number in range(11):
        (tmp_path / "images" / folder / f"{number}.jpg").touch()
    found = load(benchmark, tmp_path / "results", tmp_path / "truth")
    films, notes = find_films(found, tmp_path / "images", count=3)
    assert notes == []
    assert [path.name for path in films["a-1"].images] == ["0.jpg", "5.jpg", "10.jpg"]


def test_the_line_at_20_px_is_drawn_only_where_the_score_is_the_curves_height_there():
    x = np.linspace(0, 50, 51)
    for score, lines in ((0.4, 2), (0.5, 1)):  # the height at 20 px is 0.4
        ax = plot_curves(canvas(), "precision", [Curve("T", x, x / 50, score)])
        assert len(ax.get_lines()) == lines
