"""A result begins with the given box, or what its columns seem to hold is named; further columns."""

import numpy as np
import pytest
from made import NAMES, put, put_results, put_truth, result_of, run, scored, text_of, truth_of

pytestmark = pytest.mark.slow

IMAGE = np.array([320, 240, 320, 240])


@pytest.fixture
def place(tmp_path):
    put_truth(tmp_path)
    put_results(tmp_path / "results" / "Good")
    return tmp_path


def corners(boxes):
    return np.concatenate([boxes[:, :2], boxes[:, :2] + boxes[:, 2:]], axis=1)


def centre(boxes):
    return np.concatenate([boxes[:, :2] + boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)


MEANINGS = {
    "corners x1, y1, x2, y2": corners,
    "corners, both ends counted": lambda boxes: corners(boxes) - [0, 0, 1, 1],
    "centre x, centre y, w, h": centre,
    "y, x, h, w": lambda boxes: boxes[:, [1, 0, 3, 2]],
    "y, x, w, h": lambda boxes: boxes[:, [1, 0, 2, 3]],
    "x, y, h, w": lambda boxes: boxes[:, [0, 1, 3, 2]],
    "corners y1, x1, y2, x2": lambda boxes: corners(boxes)[:, [1, 0, 3, 2]],
    "fractions of the image": lambda boxes: boxes / IMAGE,
    "corners x1, y1, x2, y2 as fractions of the image": lambda boxes: corners(boxes) / IMAGE,
    "centre x, centre y, w, h as fractions of the image": lambda boxes: centre(boxes) / IMAGE,
    "another size of the image": lambda boxes: boxes * [2, 1.5, 2, 1.5],
    "a row too late": lambda boxes: np.concatenate([np.zeros((1, 4)), boxes[:-1]]),
    "a row too early, without the given box": lambda boxes: np.concatenate([boxes[1:], boxes[-1:]]),
    "2 rows too late": lambda boxes: np.concatenate([np.ones((2, 4)), boxes[:-2]]),
}


@pytest.mark.parametrize("meaning", MEANINGS)
def test_columns_of_another_meaning_are_named_and_not_scored(place, capsys, meaning):
    for name in NAMES:
        rows = MEANINGS[meaning](result_of(name))
        put(
            place / "results" / "Odd" / f"{name}.txt",
            "".join(",".join(f"{v:.6f}" for v in row) + "\n" for row in rows),
        )
    status, printed = run(place, capsys)
    named = {"corners, both ends counted": "corners x1, y1, x2, y2"}.get(meaning, meaning)
    assert status == 1 and scored(place) == {"Good": 4}
    assert f"Odd: row 1 of 4 of 4 results is not the given box: they look like {named}." in printed
    assert run(place, capsys, "--any-start", "Odd")[0] == 0
    assert scored(place) == {"Good": 4, "Odd": 4}


@pytest.mark.parametrize(
    "change",
    [
        lambda boxes: boxes - [1, 1, 0, 0],
        np.round,
        lambda boxes: boxes.astype(int),
        lambda boxes: boxes - [-1, -1, 0, 0],
    ],
)
def test_rounding_and_counting_from_0_are_no_other_box(place, capsys, change):
    for name in NAMES:
        put(place / "results" / "Fine" / f"{name}.txt", change(result_of(name)))
    status, printed = run(place, capsys)
    assert status == 0 and "given box" not in printed and scored(place)["Fine"] == 4


@pytest.mark.parametrize("first", [[0, 0, 0, 0], [np.nan] * 4, [80, 80, 20, 20]])
def test_an_odd_first_row_alone_is_told_and_the_rest_is_scored(place, capsys, first):
    for name in NAMES:
        boxes = result_of(name)
        boxes[0] = first
        put(place / "results" / "Odd" / f"{name}.txt", boxes)
    status, printed = run(place, capsys)
    assert status == 0 and scored(place)["Odd"] == 4
    assert "Odd: row 1 of 4 of 4 results is not the given box, but the rows after it follow it." in printed


@pytest.mark.parametrize("offset", [2, 3, 5])
def test_a_constant_offset_along_the_motion_is_not_taken_for_a_missing_row(place, capsys, offset):
    for name in NAMES:
        put(place / "results" / "Beside" / f"{name}.txt", truth_of(name) - [-offset, 0, 0, 0])
    status, printed = run(place, capsys)
    assert status == 0 and scored(place)["Beside"] == 4 and "but the rows after it follow it" in printed


def test_corners_in_the_first_row_alone_do_not_condemn_the_boxes_after_it(place, capsys):
    for name in NAMES:
        boxes = result_of(name)
        boxes[0] = corners(boxes)[0]
        put(place / "results" / "Odd" / f"{name}.txt", boxes)
    status, printed = run(place, capsys)
    assert status == 0 and scored(place)["Odd"] == 4 and "but the rows after it follow it" in printed


def test_a_result_of_another_video_is_left_out_and_the_others_are_scored(place, capsys):
    for name in NAMES:
        put(
            place / "results" / "Mixed" / f"{name}.txt",
            result_of("Other" if name == "Bolt" else name) + 150 * (name == "Bolt"),
        )
    status, printed = run(place, capsys)
    assert status == 1 and scored(place) == {"Good": 4, "Mixed": 3}
    assert "Mixed: row 1 of 1 of 4 results (Bolt) is not the given box." in printed


def test_got10k_and_lasot_compare_the_first_row_too(tmp_path, capsys):
    for name, benchmark in (("GOT-10k_Val_000001", "GOT-10k"), ("cat-1", "LaSOT")):
        root = tmp_path / benchmark
        put(root / "truth" / name / "groundtruth.txt", truth_of(name))
        put(root / "results" / "Good" / f"{name}.txt", result_of(name))
        put(root / "results" / "Odd" / f"{name}.txt", corners(result_of(name)))
        status, printed = run(root, capsys, benchmark=benchmark)
        assert status == 1 and scored(root, benchmark.lower()) == {"Good": 1}
        assert "they look like corners x1, y1, x2, y2" in printed


# ---------------------------------------------------------------- further columns


def with_columns(before, after, head=""):
    """The boxes with further columns before and after them."""

    def text(boxes):
        rows = [[*before(index), *box, *after(index)] for index, box in enumerate(boxes)]
        return head + "".join(",".join(f"{value:g}" for value in row) + "\n" for row in rows)

    return text


NONE = lambda index: ()  # noqa: E731
FURTHER = {
    "score": with_columns(NONE, lambda index: (0.9,)),
    "frame": with_columns(lambda index: (index + 1,), NONE),
    "frame and score": with_columns(lambda index: (index,), lambda index: (0.5,)),
    "frame, identity, score": with_columns(lambda index: (index, 1), lambda index: (0.5, -1, -1)),
    "head": with_columns(NONE, NONE, "x,y,w,h\n"),
    "head with score": with_columns(NONE, lambda index: (0.9,), "left,top,width,height,score\n"),
    "head of roam track": with_columns(lambda index: (index,), lambda index: (0.9,), "frame,x,y,w,h,score\n"),
    "head with an index": with_columns(lambda index: (index,), NONE, ",x,y,w,h\n"),
    "brackets": lambda boxes: "".join("[" + " ".join(f"{v:.2f}" for v in box) + "]\n" for box in boxes),
    "head of corners": lambda boxes: "x1,y1,x2,y2\n" + text_of(corners(boxes)),
}


@pytest.mark.parametrize("kind", FURTHER)
def test_boxes_among_further_columns_are_read_where_their_place_is_certain(place, capsys, kind):
    for name in NAMES:
        put(place / "results" / "Same" / f"{name}.txt", FURTHER[kind](truth_of(name)))
    status, printed = run(place, capsys)
    assert status == 0, printed
    row = next(line for line in (place / "out/tables/otb2015.csv").read_text().splitlines() if "Same" in line)
    assert float(row.split(",")[1]) == pytest.approx(20 / 21)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (with_columns(NONE, lambda index: (0.9,)), "does not tell which four are the box"),
        (with_columns(NONE, NONE, "a,b,c,d\n"), "has a head line 'a,b,c,d', expected x, y, w, h in it"),
    ],
)
def test_columns_whose_place_is_not_certain_are_named_once_with_a_remedy_that_helps(
    place, capsys, text, says
):
    for name in NAMES:
        put(place / "results" / "Odd" / f"{name}.txt", text(result_of(name) + 40))
    status, printed = run(place, capsys)
    assert status == 1 and printed.count(says) == 1 and "Keep the four columns" in printed
    assert "Likewise 3 more results of Odd" in printed and "Run the tracker again" not in printed
