"""One knowledge of data sets: run, report, training and doctor give the same answer about the same files."""

import shutil

import numpy as np
import pytest
from layouts import got10k_set, lasot, otb
from PIL import Image

from roam_tracker.datasets import open_dataset
from roam_tracker.datasets.frames import frames_in
from roam_tracker.datasets.layouts import find_sequences, truth_files
from roam_tracker.datasets.text import read_boxes, read_lines, read_names, read_resolution
from roam_tracker.errors import DataError, InputError, ResultError
from roam_tracker.report import evaluate, load
from roam_tracker.report.benchmarks import find_benchmark
from roam_tracker.report.read.truths import read_truths, truth_notes
from roam_tracker.selfcheck.doctor import OK, check_root
from roam_tracker.training.videos import find_videos

BOXES = np.array([[5.0 + k, 6, 14, 10] for k in range(4)])
ROWS = "5,6,14,10\n6,6,14,10\n7,6,14,10\n8,6,14,10\n"


def sequence(root, text=ROWS, *, truth="groundtruth_rect.txt", inner="img", ending="jpg", names=None):
    """A sequence `ball` of four images, each a shade darker than the next."""
    folder = root / "ball"
    (folder / inner).mkdir(parents=True, exist_ok=True)
    for number, name in enumerate(names or [f"{number}.{ending}" for number in range(1, 5)], 1):
        Image.new("L", (60, 50), 40 * number).save(folder / inner / name, None if "." in name else "png")
    data = text if isinstance(text, bytes) else text.encode()
    (folder / truth).write_bytes(data)
    return folder


def all_answers(root):
    """What each reader finds of `ball`: frames' names and boxes, or the sentence by which it refuses."""

    def run():
        images, boxes = open_dataset("folder", str(root))["ball"][:2]
        return [image.rpartition("/")[2] for image in images], boxes.tolist()

    def report():
        rule = "OTB" if list(root.glob("*/groundtruth_rect*")) else "GOT-10k"
        return None, read_truths(find_benchmark(rule), root)["ball"].boxes.tolist()

    def training():
        (video,) = find_videos(root)
        return list(video.frames.names), video.boxes.tolist()

    found = {}
    for read in (run, report, training):
        try:
            found[read.__name__] = read()
        except InputError as error:
            found[read.__name__] = str(error)
    finding = check_doctor(root)
    found["doctor"] = finding
    return found


def check_doctor(root):
    try:
        finding = check_root(str(root))
        return finding.found if finding.state == OK else f"{finding.found} {finding.remedy}"
    except InputError as error:
        return str(error)


def assert_read(root, frames=4, boxes=BOXES):
    found = all_answers(root)
    for reader in ("run", "report", "training"):
        assert not isinstance(found[reader], str), (reader, found[reader])
        np.testing.assert_allclose(found[reader][1], boxes, err_msg=reader)
    assert found["run"][0] == found["training"][0] and len(found["run"][0]) == frames
    assert f"{frames} images of 60 x 50 px and {frames} boxes" in found["doctor"]
    return found["run"][0]


def assert_refused(root, *words):
    for reader, said in all_answers(root).items():
        assert isinstance(said, str), reader
        assert all(word in said for word in words), (reader, said)
        assert "\n" not in said


# Text


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + ROWS.encode(),
        ROWS.replace("\n", "\r\n"),
        ROWS.replace("\n", "\r\r\n"),
        ROWS.replace("\n", "\r"),
        ROWS.rstrip("\n"),
        ROWS + "\n\n  \n",
        ROWS.replace(",", "\t"),
        ROWS.replace(",", " "),
        ROWS.replace(",", "   "),
        ROWS.replace(",", ", "),
        ROWS.replace(",", " , "),
        ROWS.replace(",", ";"),
        ROWS.replace(",", "\t; "),
        ROWS.replace("\n", ",\n"),
        "".join(f"[{line}]\n" for line in ROWS.split()),
        "".join(f"({line.replace(',', ', ')})\n" for line in ROWS.split()),
        ROWS.replace("5,6,14,10", "5.0e0,6.000,1.4E1,+10."),
        ROWS.replace(",", "\u00a0"),
    ],
)
@pytest.mark.parametrize("truth", ["groundtruth_rect.txt", "groundtruth.txt"])
def test_boxes_are_read_alike_whatever_ends_separates_and_surrounds_them(tmp_path, text, truth):
    sequence(tmp_path, text, truth=truth)
    assert_read(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (ROWS.encode("utf-16"), "is a text in UTF-16. Save it as UTF-8."),
        (ROWS.encode("utf-16-le"), "is a text in UTF-16"),
        (ROWS.encode("utf-16-be"), "is a text in UTF-16"),
        (ROWS.encode("utf-32"), "is a text in UTF-32"),
        (b"\xff\x00\x12" + ROWS.encode(), "is not a text file in UTF-8"),
        (ROWS.encode() + "é".encode("latin-1"), "is not a text file in UTF-8"),
        (b"", "is empty"),
        (b" \n\n", "is empty"),
        (
            ROWS.replace(",", " ").replace("5 6", "5,5 6,5").replace("14 10", "14,5 10,5"),
            "which has decimal commas",
        ),
        ("5,3 6,1 14,7 10,9\n" * 4, "which has decimal commas"),
        ("5,3;6,1;14,7;10,9\n" * 4, "which has decimal commas"),
        ("5,3\t6,1\t14,7\t10,9\n" * 4, "which has decimal commas"),
        ("5 6,1 14 10,9\n" * 4, "which has decimal commas"),
        ('"5,3","6,1","14,7","10,9"\n' * 4, "which has decimal commas"),
        ("-5,3; 6,1; 14,7; 10,9\n" * 4, "which has decimal commas"),
        ("x,y,w,h\n" + ROWS, "Delete this head line."),
        ("frame x y w h\n" + ROWS, "Delete this head line."),
        (ROWS.replace("6,6,14,10", "6,6,14"), "line 2: found 3 values"),
        (ROWS.replace("6,6,14,10", "6,6,14,10,0.9"), "line 2: found 5 values"),
        (ROWS.replace("6,6,14,10", "6,6,14,ten"), "line 2: found '6,6,14,ten', expected finite numbers"),
        (ROWS.replace("6,6,14,10", "6,6,14,inf"), "line 2: found '6,6,14,inf', expected finite numbers"),
        (ROWS.replace("6,6,14,10", ""), "line 2: found 0 values"),
        (ROWS.replace("6,6,14,10", "1,234.5,6,7,8"), "line 2: found 5 values"),
    ],
)
@pytest.mark.parametrize("truth", ["groundtruth_rect.txt", "groundtruth.txt"])
def test_a_text_that_cannot_be_meant_is_refused_alike_by_all(tmp_path, text, words, truth):
    sequence(tmp_path, text, truth=truth)
    assert_refused(tmp_path, f"ball/{truth}", words)


CORNERS = "".join(f"{x},6,{x + 14},6,{x + 14},16,{x},16\n" for x in (5, 6, 7, 8))


@pytest.mark.parametrize("text", [CORNERS, CORNERS.replace(",", " "), CORNERS.replace(",", ".0,")])
@pytest.mark.parametrize("truth", ["groundtruth_rect.txt", "groundtruth.txt"])
def test_a_polygon_counts_as_the_box_around_it_for_all(tmp_path, text, truth):
    sequence(tmp_path, text, truth=truth)
    assert read_boxes(tmp_path / "ball" / truth, polygons=True).tolist() == BOXES.tolist()
    found = all_answers(tmp_path)
    assert [found[reader][1] for reader in ("run", "report", "training")] == [BOXES.tolist()] * 3


@pytest.mark.parametrize("text", ["5,3,6,1,14,7,10,9\n", "5,30,6,05,14,75,10,90\n5,10,6,20,14,30,10,00\n"])
def test_eight_whole_numbers_that_can_only_be_four_with_decimal_commas_are_refused(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    with pytest.raises(DataError, match="behind a decimal comma"):
        read_boxes(tmp_path / "a.txt", polygons=True)


@pytest.mark.parametrize("text", ["5,6,19,6,19,16,5,16\n", "105,106,119,106,119,116,105,116\n"])
def test_a_polygon_of_whole_numbers_is_none_with_decimal_commas(tmp_path, text):
    (tmp_path / "a.txt").write_text(text)
    assert read_boxes(tmp_path / "a.txt", polygons=True)[0, 2:].tolist() == [14, 10]


def test_results_are_read_by_the_same_reader_with_the_remedy_of_results(tmp_path):
    (tmp_path / "a.txt").write_bytes(ROWS.encode("utf-16"))
    with pytest.raises(ResultError, match=r"a\.txt is a text in UTF-16\. Save it as UTF-8"):
        read_boxes(tmp_path / "a.txt", ResultError)


# Lists, meta files


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffone\ntwo\n",
        "one \n\ttwo\n",
        "one\r\ntwo\r\n",
        "\n\none\n\ntwo\n\n",
        "one/\ntwo/\n",
        "one\ntwo\none\n",
    ],
)
def test_a_list_of_names_is_read_without_marks_blanks_empty_lines_and_doubles(tmp_path, text):
    (tmp_path / "list.txt").write_text(text, newline="")
    assert read_names(tmp_path / "list.txt") == ["one", "two"]


@pytest.mark.parametrize("mark", ["\ufeff{}", "{} ", "{}\n\n", "\n{}"])
def test_a_list_with_marks_loses_no_sequence_of_a_run(tmp_path, mark):
    got10k_set(tmp_path)
    listed = tmp_path / "val/list.txt"
    first, second = listed.read_text().split()
    listed.write_text(f"{mark.format(first)}\n{second}\n")
    dataset = open_dataset("got10k", str(tmp_path), "val")
    assert dataset.seq_names == [first, second] and dataset.missing == []
    assert list(read_truths(find_benchmark("GOT-10k"), tmp_path)) == [first, second]


def test_a_list_in_utf_16_is_named(tmp_path):
    (tmp_path / "list.txt").write_text("one\n", encoding="utf-16")
    with pytest.raises(DataError, match=r"list\.txt is a text in UTF-16"):
        read_names(tmp_path / "list.txt")


@pytest.mark.parametrize(
    ("line", "size"),
    [
        ("resolution: (96, 72)", (96, 72)),
        ("resolution: (96,72)", (96, 72)),
        ("resolution = ( 96 , 72 )", (96, 72)),
        ("anno_fps: 10Hz", None),
    ],
)
def test_the_size_in_a_meta_file_is_read(tmp_path, line, size):
    (tmp_path / "meta_info.ini").write_text(f"[METAINFO]\nurl: https://x.org/a=b\n{line}\n")
    assert read_resolution(tmp_path / "meta_info.ini") == size


@pytest.mark.parametrize(
    "value",
    ["96 x 72", "(96 x 72)", "(W, H)", "(96, 72, 3)", "96", "", "(0, 72)", "(-96, 72)", "__import__('os')"],
)
def test_a_size_of_another_form_is_named_by_line(tmp_path, value):
    got10k_set(tmp_path)
    meta = tmp_path / "val/GOT-10k_Val_000001/meta_info.ini"
    meta.write_text(f"[METAINFO]\nresolution: {value}\n")
    for read in (
        lambda: read_truths(find_benchmark("GOT-10k"), tmp_path),
        lambda: open_dataset("got10k", str(tmp_path), "val").check(),
    ):
        with pytest.raises(DataError, match=r"meta_info\.ini, line 2: resolution .* is not \(W, H\)"):
            read()


# Frames


@pytest.mark.parametrize("ending", ["jpg", "JPG", "jpeg", "JPEG", "png", "Png", "bmp", "tif", "TIFF", "webp"])
@pytest.mark.parametrize("truth", ["groundtruth_rect.txt", "groundtruth.txt"])
def test_images_of_any_usual_ending_are_frames_for_all(tmp_path, ending, truth):
    sequence(tmp_path, ending=ending, truth=truth)
    assert_read(tmp_path)


@pytest.mark.parametrize(
    "names",
    [
        ["1.png", "2.png", "10.png", "11.png"],
        ["frame1.png", "frame2.png", "frame10.png", "frame20.png"],
        ["Frame_8.PNG", "frame_9.png", "frame_10.Png", "FRAME_11.png"],
        ["0.png", "1.png", "2.png", "3.png"],
        ["clip2_9.png", "clip2_10.png", "clip10_1.png", "clip10_2.png"],
        ["0009.png", "0010.png", "0100.png", "1000.png"],
        ["9.png", "0010.png", "100.png", "00001000.png"],
        ["img (8).png", "img (9).png", "img (10).png", "img (11).png"],
        ["8.jpg", "9.png", "10.bmp", "11.tif"],
    ],
)
@pytest.mark.parametrize(("truth", "inner"), [("groundtruth_rect.txt", "img"), ("groundtruth.txt", ".")])
def test_frames_come_in_the_order_of_their_numbers_for_all(tmp_path, names, truth, inner):
    sequence(tmp_path, names=names, truth=truth, inner=inner)
    assert assert_read(tmp_path) == names


@pytest.mark.parametrize("inner", ["img", "color", "images", "."])
@pytest.mark.parametrize("truth", ["groundtruth_rect.txt", "groundtruth.txt"])
def test_images_are_found_beside_the_annotation_and_in_its_usual_folders(tmp_path, inner, truth):
    sequence(tmp_path, inner=inner, truth=truth)
    assert_read(tmp_path)


@pytest.mark.parametrize("truth", ["groundtruth_rect.txt", "groundtruth.txt"])
def test_what_macos_windows_and_file_managers_leave_behind_is_no_data(tmp_path, truth):
    folder = sequence(tmp_path, truth=truth)
    stem = truth.removesuffix(".txt")
    for place in (folder, folder / "img", tmp_path):
        for name in (".DS_Store", "Thumbs.db", "desktop.ini", f"._{truth}", "._1.jpg", ".hidden.txt"):
            (place / name).write_bytes(b"\0\5\x16\7 not what it seems")
    shutil.copytree(folder, tmp_path / "__MACOSX/ball")
    (tmp_path / ".cache").mkdir()
    for copy in (
        f"{stem} (1).txt",
        f"{stem} - Copy.txt",
        f"{stem} - Copy (2).txt",
        f"{stem} copy.txt",
        f"{stem} copy 2.txt",
    ):
        (folder / copy).write_text("1,2,3,4\n")
    for copy in ("1 (1).jpg", "2 copy.jpg", "3 - Kopie.jpg"):
        shutil.copyfile(folder / "img/1.jpg", folder / "img" / copy)
    assert_read(tmp_path)


def test_a_copy_of_an_annotation_without_the_annotation_itself_is_read(tmp_path):
    sequence(tmp_path, truth="groundtruth (1).txt")
    assert_read(tmp_path)


@pytest.mark.parametrize("other", ["groundtruth_old.txt", "groundtruth.bak.txt", "groundtruth_rect.txt"])
def test_two_annotations_of_one_target_are_refused_with_both_names(tmp_path, other):
    folder = sequence(tmp_path, truth="groundtruth.txt")
    (folder / other).write_text(ROWS)
    assert_refused(tmp_path, other, "groundtruth.txt", "Keep that one.")


def test_numbered_annotations_are_several_targets(tmp_path):
    folder = sequence(tmp_path, truth="groundtruth_rect.1.txt")
    (folder / "groundtruth_rect.2.txt").write_text(ROWS)
    (folder / "groundtruth_rect.3.txt").write_text("")
    assert [path.name for path in truth_files(folder)] == ["groundtruth_rect.1.txt", "groundtruth_rect.2.txt"]
    assert open_dataset("folder", str(tmp_path)).seq_names == ["ball.1", "ball.2"]


@pytest.mark.parametrize("names", [["1.jpg", "01.jpg"], ["1.jpg", "1.png"], ["a1.png", "A1.PNG"]])
def test_two_files_of_one_frame_are_refused_with_both_names(tmp_path, names):
    for name in names:
        Image.new("L", (8, 8)).save(tmp_path / name)
    with pytest.raises(DataError, match="both the same frame") as told:
        frames_in(tmp_path)
    assert all(name in str(told.value) for name in names)


def test_a_missing_image_is_named_by_its_number(tmp_path):
    folder = sequence(tmp_path)
    (folder / "img/3.jpg").unlink()
    for reader in ("run", "training", "doctor"):
        said = all_answers(tmp_path)[reader]
        assert "has 4 boxes, but" in said and "3 .jpg images. The image with number 3 is missing" in said


def test_a_folder_that_is_itself_a_sequence_is_told_apart_from_one_without_sequences(tmp_path):
    folder = sequence(tmp_path, inner=".")
    with pytest.raises(DataError, match=r"is one sequence\. Give the folder that contains it"):
        open_dataset("folder", str(folder))


def test_annotations_alone_may_lie_in_a_folder_of_their_own(tmp_path):
    (tmp_path / "DTB70/att").mkdir(parents=True)
    (tmp_path / "DTB70/Animal1.txt").write_text(ROWS)
    (tmp_path / "DTB70/att/Animal1.txt").write_text("0\n1\n")
    assert [files.name for files in find_sequences("dtb70", tmp_path)] == ["Animal1"]


# Frames without a target, labels


def own(root, rows, labels=None):
    """A sequence in GOT-10k's layout, and results of a tracker that stays where it began."""
    folder = sequence(root / "data", rows, truth="groundtruth.txt", inner=".")
    for name, text in (labels or {}).items():
        (folder / name).write_text(text)
    result = root / "results/T/ball"
    result.mkdir(parents=True)
    (result / "ball_001.txt").write_text("5,6,14,10\n" * 4)


# overlaps with the first box: a shift by 1, 2, 3 of 14 px leaves 13/15, 12/16, 11/17 of both
SHIFTED = (13 / 15, 12 / 16, 11 / 17)


@pytest.mark.parametrize("absent", ["nan,nan,nan,nan", "0,0,0,0", "NaN NaN NaN NaN", "7,6,0,10", "7,6,-3,10"])
def test_a_frame_without_a_box_is_left_out_by_got10ks_rule_and_named_by_run_and_report(tmp_path, absent):
    own(tmp_path, ROWS.replace("7,6,14,10", absent))
    loaded = load("GOT-10k", tmp_path / "results", tmp_path / "data")
    assert evaluate(loaded).table["ao"].tolist() == pytest.approx([(SHIFTED[0] + SHIFTED[2]) / 2])
    dataset = open_dataset("folder", str(tmp_path / "data"))
    dataset.return_meta = True
    assert (dataset["ball"][2]["cover"] > 0).tolist() == [True, True, False, True]
    assert np.isfinite(dataset["ball"][1]).all()
    for said in (loaded.notes, dataset.remarks()):
        assert any("ball (1 of 4): they are left out" in note for note in said)


@pytest.mark.parametrize("label", ["absence.label", "full_occlusion.txt", "out_of_view.txt"])
def test_a_flag_of_absence_leaves_a_frame_out_where_there_is_no_cover(tmp_path, label):
    own(tmp_path, ROWS, {label: "0\n1\n0\n0\n"})
    table = evaluate(load("GOT-10k", tmp_path / "results", tmp_path / "data")).table
    assert table["ao"].tolist() == pytest.approx([(SHIFTED[1] + SHIFTED[2]) / 2])


def test_cover_decides_where_it_is_there_and_a_row_that_is_no_box_cannot_count(tmp_path):
    own(tmp_path, ROWS.replace("7,6,14,10", "nan,nan,nan,nan"), {"cover.label": "8\n0\n8\n8\n"})
    loaded = load("GOT-10k", tmp_path / "results", tmp_path / "data")
    assert evaluate(loaded).table["ao"].tolist() == pytest.approx([SHIFTED[2]])
    assert not any("cover.label" in note for note in loaded.notes)


@pytest.mark.parametrize("text", ["0\n1\n0\n", "0\n1\n0\n0\n0\n", "0\nx\n0\n0\n", "0\nnan\n0\n0\n", ""])
def test_flags_that_do_not_fit_the_frames_are_named(tmp_path, text):
    own(tmp_path, ROWS, {"absence.label": text})
    assert_refused(tmp_path / "data", "ball/absence.label")


def test_misses_by_rule_are_named_where_the_rule_counts_frames_without_a_box(tmp_path):
    sequence(tmp_path, ROWS.replace("7,6,14,10", "0,0,0,0"))
    benchmark = find_benchmark("OTB")
    (note,) = truth_notes(benchmark, read_truths(benchmark, tmp_path))
    assert note == "Frames without a box (NaN or without area) in ball (1 of 4): they count as misses."
    assert open_dataset("folder", str(tmp_path)).remarks() == [note]


@pytest.mark.parametrize(
    "gone", [["full_occlusion.txt"], ["out_of_view.txt"], ["full_occlusion.txt", "out_of_view.txt"]]
)
def test_lasot_without_its_flags_says_so_and_takes_hidden_frames_from_the_boxes(tmp_path, gone):
    lasot(tmp_path, names=("airplane-1",))
    for name in gone:
        (tmp_path / "airplane/airplane-1" / name).unlink()
    benchmark = find_benchmark("LaSOT")
    truths = read_truths(benchmark, tmp_path)
    assert not truths["airplane-1"].visible[7]  # its box is 0,0,0,0
    assert gone[0] in truth_notes(benchmark, truths)[0] and "airplane-1" in truth_notes(benchmark, truths)[0]
    dataset = open_dataset("lasot", str(tmp_path))
    assert dataset.absent(0, 14)[7] and gone[0] in dataset.remarks()[0]


def test_lasot_truth_without_any_flags_says_so_once_for_all(tmp_path):
    for name in ("airplane-1", "zebra-10"):
        (tmp_path / f"{name}.txt").write_text(ROWS)
    benchmark = find_benchmark("LaSOT")
    (note,) = truth_notes(benchmark, read_truths(benchmark, tmp_path))
    assert note.startswith("No absent/<sequence>.txt for airplane-1, zebra-10: ")


def test_own_videos_without_an_annotation_are_named_and_left_out(tmp_path):
    sequence(tmp_path)
    for name in ("second/img", "third"):
        (tmp_path / name).mkdir(parents=True)
        Image.new("L", (60, 50)).save(tmp_path / name / "1.png")
    (tmp_path / "notes").mkdir()
    dataset = open_dataset("folder", str(tmp_path))
    assert dataset.seq_names == ["ball"]
    assert dataset.remarks() == ["Without an annotation (groundtruth.txt), left out: second, third."]


def test_a_whole_copy_has_nothing_to_remark(tmp_path):
    for make, layout in ((otb, "otb"), (lasot, "lasot"), (got10k_set, "got10k")):
        make(tmp_path / layout)
        assert (
            open_dataset(layout, str(tmp_path / layout), "OTB2015" if layout == "otb" else None).remarks()
            == []
        )


def test_lines_are_those_of_the_file_and_not_of_its_odd_characters(tmp_path):
    (tmp_path / "a.txt").write_text("1,2\u20283\x0b,4\n5\n", encoding="utf-8")
    assert len(read_lines(tmp_path / "a.txt")) == 2
