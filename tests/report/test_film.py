"""Film strips and overlaps over time: which frames, images and values they show."""

import base64

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image
from raw_results import SEQUENCES, truth_of, write_results

from roam_tracker.commands import main
from roam_tracker.errors import DataError, ImageError
from roam_tracker.report import evaluate, film_strip, find_films, load
from roam_tracker.report.page.data import NOT_COUNTED, encode

pytestmark = pytest.mark.slow


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
    with pytest.raises(ImageError, match=r"cannot be read"):
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
    boxes = truth + np.array([[0], [10], [10], [10]]) * [0, 1, 0, 0]
    write_sequence(tmp_path, truth, boxes)
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
