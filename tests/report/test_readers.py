"""What people hand in: other separators, other names, JSON, archives, other lengths, other first pixels."""

import json
import zipfile

import numpy as np
import pytest

from roam_tracker.datasets.names import Spelling
from roam_tracker.errors import ConfigError, DataError, ResultError
from roam_tracker.report import describe, evaluate, load
from roam_tracker.report.score.pixel_origin import origin_note

FRAMES = 12
TRUTH = np.array([[10.0 + i, 20 - i / 2, 30, 40] for i in range(FRAMES)])


def put(path, boxes, separator=",", digits=".3f"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(f"{value:{digits}}" for value in row) + "\n" for row in boxes))
    return path


def scored(root, benchmark="OTB2015", **options):
    loaded = load(benchmark, root / "results", root / "data", **options)
    return evaluate(loaded).table.set_index("tracker"), loaded


@pytest.fixture
def car(tmp_path):
    """Truth of one sequence, no results yet."""
    put(tmp_path / "data" / "CarDark.txt", TRUTH)
    return tmp_path


@pytest.mark.parametrize("separator", [",", "\t", " ", ", ", "   "])
def test_any_usual_separator_gives_the_same_boxes(car, separator):
    put(car / "results" / "T" / "CarDark.txt", TRUTH, separator)
    table, _ = scored(car)
    assert table.loc["T", "auc"] == pytest.approx(20 / 21)


def test_whole_numbers_and_nan_are_boxes_too(car):
    boxes = np.round(TRUTH)
    path = put(car / "results" / "T" / "CarDark.txt", boxes, digits=".0f")
    path.write_text(path.read_text().replace("\n", "\r\n"))
    assert scored(car)[0].loc["T", "precision"] == 1
    boxes[3] = np.nan
    put(path, boxes)
    assert scored(car)[0].loc["T", "precision"] == pytest.approx(1 - 1 / FRAMES)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("Jogging-1", "Jogging.1"),
        ("Jogging_1", "Jogging.1"),
        ("jogging.1", "Jogging.1"),
        ("Skating2-2", "Skating2.2"),
        ("Human4_2", "Human4"),
        ("human4-2", "Human4"),
        ("basketball", "Basketball"),
        ("BasketBall", "Basketball"),
        ("Jogging", "Jogging"),
        ("mine", "mine"),
    ],
)
def test_a_sequence_is_found_by_any_spelling(written, meant):
    assert Spelling(["Jogging.1", "Jogging.2", "Skating2.2", "Human4", "Basketball"])(written) == meant


def test_spellings_that_could_mean_two_sequences_are_left_as_they_are():
    spelling = Spelling(["bike_1", "bike1"])
    assert [spelling(name) for name in ("bike1", "bike_1", "bike-1")] == ["bike1", "bike_1", "bike-1"]


def test_two_files_of_one_sequence_are_both_named_and_neither_is_scored(car):
    put(car / "data" / "Jogging.1.txt", TRUTH)
    folder = car / "results" / "T"
    for name in ("CarDark", "Jogging-1", "Jogging.1"):
        put(folder / f"{name}.txt", TRUTH)
    table, loaded = scored(car)
    assert table.loc["T", "sequences"] == 1
    (message,) = describe(loaded.problems)
    assert message == (
        f"T has 2 results of Jogging.1: {folder / 'Jogging-1.txt'} and {folder / 'Jogging.1.txt'}."
        " Keep one of them."
    )


def benchmark_json(boxes, **changes):
    run = {
        "tracker": "T",
        "seqName": "CarDark",
        "startFrame": 1,
        "endFrame": len(boxes),
        "evalType": "OPE",
        "fps": 25.0,
        "resType": "rect",
        "res": [list(box) for box in boxes],
    }
    return run | changes


def put_json(car, content):
    path = car / "results" / "T" / "CarDark.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def test_json_of_tracker_benchmark_is_read_with_its_speed(car):
    put_json(car, [benchmark_json(TRUTH)])
    table, _ = scored(car)
    assert table.loc["T", "auc"] == pytest.approx(20 / 21)
    assert table.loc["T", "speed_fps"] == pytest.approx(25)


def test_json_with_type_and_len_in_place_of_frames_is_read(car):
    put_json(car, [{"res": TRUTH.tolist(), "type": "rect", "len": FRAMES}])
    assert scored(car)[0].loc["T", "precision"] == 1


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[{", "is no JSON"),
        ("[]", "has no runs with 'res'"),
        ([{"boxes": []}], "has no runs with 'res'"),
        ([benchmark_json(TRUTH)] * 20, "has 20 runs, expected 1"),
        ([benchmark_json(TRUTH, resType="ivtAff")], "regions of type 'ivtAff'"),
        ([benchmark_json(TRUTH, endFrame=99)], "has 12 finite rows, its own header says 99"),
        ([benchmark_json(TRUTH[:, :3])], "rows of 4 numbers"),
        ([benchmark_json(TRUTH, res=[["x"] * 4] * 12)], "rows of 4 numbers"),
    ],
)
def test_json_that_cannot_be_scored_is_named_with_its_reason(car, content, says):
    put_json(car, content)
    with pytest.raises(ResultError, match="no usable result of OTB2015") as caught:
        scored(car)
    assert says in str(caught.value) and "CarDark.json" in str(caught.value)


# ---------------------------------------------------------------- archives


def pack(path, members):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)


def text_of(boxes):
    return "".join(",".join(map(str, row)) + "\n" for row in boxes.tolist())


@pytest.mark.parametrize(
    ("place", "member", "tracker"),
    [
        ("results.zip", "OTB2015/T/CarDark.txt", "T"),
        ("results.zip", "T/CarDark.txt", "T"),
        ("results.zip", "everything/T/CarDark.txt", "T"),
        ("T.zip", "CarDark.txt", "T"),
        ("results/T.zip", "CarDark.txt", "T"),
        ("results/OTB2015/T.zip", "T/CarDark.txt", "T"),
    ],
)
def test_results_in_a_zip_file_are_found_and_named_by_their_place_in_it(car, place, member, tracker):
    pack(car / place, {member: text_of(TRUTH)})
    results = car / "results" if place.startswith("results/") else car / place
    loaded = load("OTB2015", results, car / "data")
    evaluation = evaluate(loaded)
    assert evaluation.table["tracker"].tolist() == [tracker]
    assert evaluation.table["auc"].tolist() == pytest.approx([20 / 21])
    assert evaluation.by_sequence["source"].tolist() == [str(car / place / member)]


def test_a_damaged_row_in_a_zip_file_is_named_by_archive_member_and_line(car):
    pack(car / "all.zip", {"T/CarDark.txt": text_of(TRUTH) + "1,2,3\n"})
    with pytest.raises(ResultError, match=rf"{car / 'all.zip'}/T/CarDark.txt, line 13: found 3 values"):
        evaluate(load("OTB2015", car / "all.zip", car / "data"))


def test_truth_in_a_zip_file_is_read(car):
    put(car / "results" / "T" / "CarDark.txt", TRUTH)
    pack(car / "truth.zip", {"CarDark/groundtruth_rect.txt": text_of(TRUTH), "CarDark/img/0001.jpg": "x"})
    assert evaluate(load("OTB2015", car / "results", car / "truth.zip")).table["precision"].tolist() == [1]


def test_lasot_truth_is_read_from_a_zip_file_of_boxes_and_absent(tmp_path):
    absent = "\n".join("01"[i == 3] for i in range(FRAMES))
    members = {
        "x/boxes/cat-1.txt": text_of(TRUTH),
        "x/absent/cat-1.txt": absent,
        "x/testing_set.txt": "cat-1",
    }
    pack(tmp_path / "x.zip", members)
    put(tmp_path / "results" / "T" / "cat-1.txt", TRUTH)
    table = evaluate(load("LaSOT", tmp_path / "results", tmp_path / "x.zip")).table
    assert table["auc"].tolist() == pytest.approx([20 / 21 * 11 / 12])


@pytest.mark.parametrize(
    "member", ["../CarDark.txt", "/tmp/CarDark.txt", "T/../../x.txt", "C:/x.txt", "C:\\x.txt", "..\\x.txt"]
)
def test_a_zip_member_that_climbs_out_is_refused_by_name(car, member):
    pack(car / "all.zip", {member: text_of(TRUTH)})
    with pytest.raises(ResultError, match="leads out of the archive") as caught:
        load("OTB2015", car / "all.zip", car / "data")
    assert repr(member) in str(caught.value)


def test_a_link_in_a_zip_file_is_refused(car):
    link = zipfile.ZipInfo("T/CarDark.txt")
    link.external_attr = 0o120777 << 16
    with zipfile.ZipFile(car / "all.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(ResultError, match="leads out of the archive"):
        load("OTB2015", car / "all.zip", car / "data")


def test_a_damaged_zip_file_is_refused(car):
    pack(car / "all.zip", {"T/CarDark.txt": text_of(TRUTH)})
    content = (car / "all.zip").read_bytes()
    (car / "all.zip").write_bytes(content[:40])
    with pytest.raises(ResultError, match=r"all\.zip cannot be unpacked"):
        load("OTB2015", car / "all.zip", car / "data")
    with pytest.raises(DataError, match=r"all\.zip cannot be unpacked"):
        load("OTB2015", car, car / "all.zip")


# ---------------------------------------------------------------- lengths, first pixel


@pytest.mark.parametrize("rows", [FRAMES - 4, FRAMES + 3])
def test_another_length_is_refused_unless_the_benchmarks_tool_is_asked_for(car, rows):
    boxes = np.concatenate([TRUTH, TRUTH])[:rows]
    put(car / "results" / "T" / "CarDark.txt", boxes)
    with pytest.raises(ResultError, match=f"CarDark.txt has {rows} rows, ground truth CarDark.txt has 12"):
        scored(car)
    table, loaded = scored(car, lengths="benchmark")
    assert table.loc["T", "auc"] == pytest.approx(20 / 21)
    assert table.loc["T", "frames"] == min(rows, FRAMES)
    (note,) = loaded.notes
    assert f"CarDark has {rows} rows, its truth 12" in note and "benchmark's" in note


def test_trackingnet_counts_missing_rows_as_misses_and_lasot_refuses_them_in_either_way(tmp_path):
    put(tmp_path / "data" / "cat-1.txt", TRUTH)
    put(tmp_path / "results" / "T" / "cat-1.txt", TRUTH[:9])
    table, _ = scored(tmp_path, "TrackingNet", lengths="benchmark")
    # 9 of 12 frames reach every threshold, and a missing row reaches none
    assert table.loc["T", "auc"] == pytest.approx(0.75)
    with pytest.raises(ResultError, match="has 9 rows"):
        scored(tmp_path, "LaSOT", lengths="benchmark")


def test_tiger1_counts_from_frame_6_when_its_result_begins_there(tmp_path):
    put(tmp_path / "data" / "Tiger1.txt", TRUTH)
    put(tmp_path / "results" / "T" / "Tiger1.txt", TRUTH[5:])
    table, loaded = scored(tmp_path)
    assert (table.loc["T", "auc"], table.loc["T", "frames"]) == (pytest.approx(20 / 21), 7)
    assert loaded.notes == [
        "T: Tiger1 has 7 rows: its benchmark starts it at frame 6, so that frames 6 to 12 count."
    ]


def test_a_remark_that_holds_for_many_trackers_is_one_line(tmp_path):
    put(tmp_path / "data" / "Tiger1.txt", TRUTH)
    for tracker in "ABCDEF":
        put(tmp_path / "results" / tracker / "Tiger1.txt", TRUTH[5:])
    (note,) = scored(tmp_path)[1].notes
    assert note.startswith("6 trackers (A, B, C, ...): Tiger1 has 7 rows")


def test_boxes_counted_from_0_are_raised_by_one_where_asked_and_the_report_says_so(car):
    put(car / "results" / "T" / "CarDark.txt", TRUTH - [1, 1, 0, 0])
    shifted, loaded = scored(car, zero_based=["T"])
    assert shifted.loc["T", "auc"] == pytest.approx(20 / 21)
    assert scored(car)[0].loc["T", "auc"] < 20 / 21
    assert loaded.notes == ["T: its boxes count pixels from 0, so that 1 is added to x and y."]
    with pytest.raises(ConfigError, match="no results of tracker 'U'"):
        scored(car, zero_based=["U"])


def pairs(offset, noise, seed=0):
    generator = np.random.default_rng(seed)
    made = []
    for _ in range(10):
        truth = np.column_stack([generator.uniform(0, 90, (80, 2)), generator.uniform(9, 40, (80, 2))])
        boxes = truth + generator.normal(0, noise, truth.shape) + [offset, offset, 0, 0]
        made.append((boxes, truth))
    return made


def test_the_alarm_rings_for_boxes_off_by_one_and_names_the_cure_for_those_from_0():
    assert "--zero-based T" in origin_note("T", pairs(-1, 0.8))
    note = origin_note("T", pairs(1, 0.8))
    assert "-1 px" in note and "--zero-based" not in note


@pytest.mark.parametrize("sequences", [1, 2, 5, 9])
def test_the_alarm_is_silent_on_few_sequences(sequences):
    assert origin_note("T", pairs(-1, 0.8)[:sequences]) is None


def test_of_two_hundred_unbiased_trackers_hardly_one_is_suspected():
    suspected = [seed for seed in range(200) if origin_note("T", pairs(0, 3, seed))]
    assert len(suspected) <= 2


@pytest.mark.parametrize("noise", [0.0, 0.3, 1.0, 5.0, 60.0])
def test_the_alarm_is_silent_for_boxes_around_the_truth(noise):
    assert origin_note("T", pairs(0, noise)) is None


# ---------------------------------------------------------------- repetitions, manifests


def test_missing_repetitions_are_named_and_the_others_count(tmp_path):
    for name in ("a", "b"):
        put(tmp_path / "data" / name / "groundtruth.txt", TRUTH)
        for number in (1, 2, 3):
            put(tmp_path / "results" / "T" / name / f"{name}_00{number}.txt", TRUTH + number)
    (tmp_path / "results" / "T" / "b" / "b_002.txt").unlink()
    table, loaded = scored(tmp_path, "GOT-10k")
    assert table.loc["T", "frames"] == 5 * (FRAMES - 1)
    assert describe(loaded.problems) == [
        "T has 2 of 3 repetitions of b, which count alone. Run the others, or delete those beyond."
    ]


def test_three_equal_repetitions_of_many_are_enough(tmp_path):
    for name, count in (("a", 5), ("b", 3)):
        put(tmp_path / "data" / name / "groundtruth.txt", TRUTH)
        for number in range(1, count + 1):
            boxes = TRUTH + number * (name == "a")
            boxes[0] = TRUTH[0]
            put(tmp_path / "results" / "T" / name / f"{name}_00{number}.txt", boxes)
    assert scored(tmp_path, "GOT-10k")[1].problems == []


def manifest(tracker, sequences):
    run = {
        "date": "2030-01-02T03:04:05+00:00",
        "device": "cpu",
        "threads": 1,
        "versions": {"roam-tracker": "0.1.0", "commit": None, "torch": "2.9"},
        "sequences": sequences,
    }
    return json.dumps({"tracker": tracker, "preset": None, "weights": None, "runs": [run]})


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (manifest("U", ["CarDark"]), "belongs to tracker 'U', expected 'T'"),
        (manifest("T", ["CarDark", "Gone"]), "lists results that are not there: Gone"),
        ('{"name": "a web page"}', "is no manifest of roam-tracker"),
        ("{", "is no manifest of roam-tracker"),
    ],
)
def test_a_manifest_that_does_not_fit_is_named_and_the_results_are_scored(car, content, says):
    put(car / "results" / "T" / "CarDark.txt", TRUTH)
    (car / "results" / "T" / "manifest.json").write_text(content)
    table, loaded = scored(car)
    assert table.loc["T", "sequences"] == 1
    (problem,) = loaded.problems
    assert says in problem.message and problem.sequence == "manifest.json"


def test_a_manifest_that_fits_is_no_problem(car):
    put(car / "results" / "T" / "CarDark.txt", TRUTH)
    (car / "results" / "T" / "manifest.json").write_text(manifest("T", ["CarDark"]))
    assert scored(car)[1].problems == []
