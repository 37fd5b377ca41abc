"""LaSOT and TrackingNet by their own rules: hand calculations, the oddities kept, a second slow method."""

import math

import numpy as np
import pytest

from roam_tracker.report import evaluate, load
from roam_tracker.report.score.lasot import lasot_curves, lasot_measures, with_previous_boxes
from roam_tracker.report.score.trackingnet import (
    trackingnet_curves,
    trackingnet_measures,
    trackingnet_score,
)

pytestmark = pytest.mark.slow

NAN = float("nan")


def edge_boxes(seed, frames=30):
    """Whole, half and odd coordinates; boxes that touch, lie outside, have no size, are NaN, hide."""
    generator = np.random.default_rng(seed)
    size = generator.integers(1, 40, (frames, 2))
    truth = np.column_stack([generator.integers(1, 60, (frames, 2)), size]).astype(float)
    boxes = truth + generator.integers(-8, 9, truth.shape) / generator.choice([1, 2, 3])
    places = generator.permutation(np.arange(1, frames))
    boxes[places[0]] = truth[places[0]] + [truth[places[0], 2], 0, 0, 0]  # touches
    boxes[places[1]] = [400, 300, 10, 10]
    boxes[places[2], 2] = 0
    boxes[places[3], 3] = -4
    boxes[places[4]] = NAN
    boxes[places[5]] = [-20, -30, 25, 35]
    boxes[places[6]] = truth[places[6]]
    truth[places[7], 0] = 0
    truth[places[8], 2:] = -1
    absent = generator.random(frames) < 0.2
    if generator.random() < 0.2:
        boxes[0] = [NAN, 1, 1, 1]
    return boxes, truth, absent


def slow_lasot(boxes, truth, absent):
    boxes = [list(map(float, box)) for box in boxes]
    for i in range(1, len(boxes)):
        if any(map(math.isnan, boxes[i])) or boxes[i][2] <= 0 or boxes[i][3] <= 0:
            boxes[i] = boxes[i - 1]
    boxes[0] = list(truth[0])
    rows = []
    for (x, y, w, h), (a, b, c, d), hidden in zip(boxes, truth, absent, strict=True):
        if hidden:
            continue
        if min(a, b, c, d) <= 0:
            rows.append((-1.0, -1.0, -1.0))
            continue
        wide = max(0.0, min(x + w - 1, a + c - 1) - max(x, a) + 1)
        high = max(0.0, min(y + h - 1, b + d - 1) - max(y, b) + 1)
        iou = wide * high / (w * h + c * d - wide * high)
        mine, theirs = (x + (w - 1) / 2, y + (h - 1) / 2), (a + (c - 1) / 2, b + (d - 1) / 2)
        pixels = math.sqrt((mine[0] - theirs[0]) ** 2 + (mine[1] - theirs[1]) ** 2)
        shares = math.sqrt((mine[0] / c - theirs[0] / c) ** 2 + (mine[1] / d - theirs[1] / d) ** 2)
        rows.append((iou, pixels, shares))
    count = len(truth)
    return (
        [
            sum(row[0] > (i * 0.05 if i <= 10 else 1 - (20 - i) * 0.05) for row in rows) / count
            for i in range(21)
        ],
        [sum(row[1] <= i for row in rows) / count for i in range(51)],
        [sum(row[2] <= i / 100 for row in rows) / count for i in range(51)],
    )


def slow_trackingnet(boxes, truth):
    rows = []
    for index, (box, true) in enumerate(zip(boxes, truth, strict=True)):
        a, b, c, d = (round(float(value)) for value in true)
        if index and any(map(math.isnan, box)):
            rows.append((NAN, NAN, NAN))
            continue
        x, y, w, h = (round(float(value)) for value in box) if index else (a, b, c, d)
        wide = max(0, min(x + w - 1, a + c - 1) - max(x, a) + 1)
        high = max(0, min(y + h - 1, b + d - 1) - max(y, b) + 1)
        union = w * h + c * d - wide * high
        across, down = a + (c + 1) / 2 - x - (w + 1) / 2, b + (d + 1) / 2 - y - (h + 1) / 2
        shares = math.sqrt(across / c * across / c + down / d * down / d) if c and d else NAN
        rows.append((wide * high / union if union else NAN, math.hypot(across, down), shares))
    limits = np.linspace(0, 1, 21), np.linspace(0, 50, 21), np.linspace(0, 0.5, 21)
    return (
        [sum(row[0] >= limit for row in rows) / len(rows) for limit in limits[0]],
        [sum(row[1] <= limit for row in rows) / len(rows) for limit in limits[1]],
        [sum(row[2] <= limit for row in rows) / len(rows) for limit in limits[2]],
    )


@pytest.mark.parametrize("block", range(10))
def test_lasot_curves_equal_a_slow_frame_by_frame_count_on_1000_made_sets(block):
    for seed in range(100 * block, 100 * block + 100):
        boxes, truth, absent = edge_boxes(seed)
        for ours, slow in zip(
            lasot_curves(boxes, truth, absent), slow_lasot(boxes, truth, absent), strict=True
        ):
            np.testing.assert_allclose(ours, slow, atol=1e-12, rtol=0)


@pytest.mark.parametrize("block", range(10))
def test_trackingnet_curves_equal_a_slow_frame_by_frame_count_on_1000_made_sets(block):
    for seed in range(100 * block, 100 * block + 100):
        boxes, truth, _ = edge_boxes(seed)
        for ours, slow in zip(trackingnet_curves(boxes, truth), slow_trackingnet(boxes, truth), strict=True):
            np.testing.assert_allclose(ours, slow, atol=1e-12, rtol=0)


def still(frames, box=(10.0, 20, 8, 6)):
    return np.tile(box, (frames, 1))


def test_a_lasot_frame_with_the_target_absent_stays_in_the_denominator():
    absent = np.array([False, False, True, False])
    success, precision, normalised = lasot_curves(still(4), still(4), absent)
    assert success.mean() == pytest.approx(20 / 21 * 3 / 4)
    assert precision[20] == normalised[20] == 3 / 4


def test_a_lasot_truth_without_size_is_a_miss_in_success_and_a_hit_in_precision_as_in_its_toolkit():
    truth = still(4)
    truth[2] = [1, 1, 0, 0]
    boxes = still(4)
    boxes[2] = [900, 900, 5, 5]
    success, precision, normalised = lasot_curves(boxes, truth)
    assert success[0] == 3 / 4
    assert precision[0] == normalised[0] == 1


def test_a_lasot_box_without_size_takes_the_box_before_it_and_the_first_is_the_truth():
    boxes = np.array([[1.0, 1, 2, 2], [5, 5, 0, 3], [NAN, 1, 1, 1], [7, 7, 2, 2], [8, 8, 2, -1]])
    kept = with_previous_boxes(boxes, still(5))
    assert kept.tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [1, 1, 2, 2], [7, 7, 2, 2], [7, 7, 2, 2]]
    iou, _, _ = lasot_measures(boxes, still(5), None)
    assert iou.tolist() == [1, 0, 0, 0, 0]


def test_lasot_results_longer_than_the_truth_are_cut():
    assert lasot_curves(still(9), still(4))[1][0] == 1


def test_lasot_normalises_each_axis_by_the_truths_own_side():
    # 2 px of 8 and 3 px of 6: sqrt(0.25^2 + 0.5^2) = 0.559; 2 px of 8 alone is exactly 0.25
    _, pixels, shares = lasot_measures(still(2) + np.array([[0, 0, 0, 0], [2, 3, 0, 0]]), still(2), None)
    assert pixels[1] == pytest.approx(math.sqrt(13)) and shares[1] == pytest.approx(math.sqrt(0.3125))


def test_a_tracker_equal_to_the_truth_scores_1_on_trackingnet():
    for curve in trackingnet_curves(still(5), still(5)):
        assert trackingnet_score(curve) == pytest.approx(1)


def test_trackingnet_rounds_half_to_even_before_it_measures():
    # 10.5 -> 10, 11.5 -> 12: two pixels apart of a width of 8: 6 of 10 columns shared
    truth, boxes = still(2, (10.5, 20, 8, 6)), still(2, (11.5, 20, 8, 6))
    iou, pixels, shares = trackingnet_measures(boxes, truth)
    assert (iou[1], pixels[1], shares[1]) == (pytest.approx(0.6), 2, 0.25)


def test_trackingnet_precision_is_the_area_and_not_the_value_at_20_px():
    truth = still(2)
    boxes = truth + np.array([[0, 0, 0, 0], [24, 0, 0, 0]])
    curve = trackingnet_curves(boxes, truth)[1]
    # half of the frames hit up to 22.5 px, all from 25 px on: 0.5 * 0.45 + 0.75 * 0.05 + 1 * 0.5 = 0.7625
    assert curve[8] == 0.5
    assert trackingnet_score(curve) == pytest.approx(0.7625)


def test_an_overlap_equal_to_the_threshold_counts_on_trackingnet_and_not_on_lasot():
    truth = still(2, (10, 20, 10, 10))
    boxes = still(2, (10, 20, 5, 10))
    assert trackingnet_curves(boxes, truth)[0][10] == 1
    assert lasot_curves(boxes, truth)[0][10] == 0.5


# ---------------------------------------------------------------- from files


def write(path, rows, separator=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(separator.join(map(str, row)) + "\n" for row in rows))


def run_and_score(root, benchmark, folder, boxes, name):
    write(root / "results" / folder / "T" / f"{name}.txt", boxes.tolist())
    evaluation = evaluate(load(benchmark, root / "results", root / "data"))
    (row,) = evaluation.table.to_dict("records")
    return row, evaluation


def test_lasot_is_read_from_its_class_folders_with_both_kinds_of_absence(tmp_path):
    place = tmp_path / "data" / "airplane" / "airplane-1"
    write(place / "groundtruth.txt", still(4).astype(int).tolist())
    (place / "full_occlusion.txt").write_text("0,1,0,0\n")
    (place / "out_of_view.txt").write_text("0,0,1,0\n")
    row, evaluation = run_and_score(tmp_path, "LaSOT", "LaSOT", still(4), "airplane-1")
    assert row["auc"] == pytest.approx(10 / 21)
    assert (row["sequences"], evaluation.total) == (1, 280)


def test_lasot_is_read_from_its_toolkits_annotations(tmp_path):
    write(tmp_path / "data" / "airplane-1.txt", still(4).tolist())
    (tmp_path / "data" / "absent").mkdir()
    (tmp_path / "data" / "absent" / "airplane-1.txt").write_text("0\n0\n0\n1\n")
    row, _ = run_and_score(tmp_path, "LaSOT", "LaSOT", still(4), "airplane-1")
    assert row["precision"] == pytest.approx(3 / 4)


def test_trackingnet_is_read_from_its_test_folder(tmp_path):
    write(tmp_path / "data" / "TEST" / "anno" / "abc_1.txt", still(4).tolist())
    row, evaluation = run_and_score(tmp_path, "TrackingNet", "TrackingNet", still(4), "abc_1")
    assert row["auc"] == row["precision"] == row["normalised_precision"] == pytest.approx(1)
    assert evaluation.total == 511


@pytest.mark.parametrize(("benchmark", "expected"), [("UAV123", 20 / 21), ("DTB70", 20 / 21 * 3 / 4)])
def test_a_frame_without_annotation_is_left_out_on_uav123_and_a_miss_on_dtb70(tmp_path, benchmark, expected):
    truth = still(4)
    truth[2] = NAN
    place = {"UAV123": "anno/UAV123/bike1.txt", "DTB70": "bike1/groundtruth_rect.txt"}[benchmark]
    write(tmp_path / "data" / place, truth.tolist())
    row, _ = run_and_score(tmp_path, benchmark, benchmark, still(4), "bike1")
    assert row["auc"] == pytest.approx(expected)


def test_nfs_takes_corners_of_every_eighth_row_where_the_images_are_an_eighth(tmp_path):
    corners = still(16)
    corners[:, 2:] += corners[:, :2]
    corners[1:8] += 300
    folder = tmp_path / "data" / "biker" / "30"
    write(folder / "biker.txt", [[0, *row, 0, 0, 0, 0, '"x"'] for row in corners.tolist()], " ")
    (folder / "biker").mkdir()
    for number in (1, 2):
        (folder / "biker" / f"{number:05d}.jpg").touch()
    row, _ = run_and_score(tmp_path, "NfS30", "NfS/30", still(2), "biker")
    assert row["auc"] == pytest.approx(20 / 21)


def test_tcolor128_is_read_from_files_named_after_the_sequence(tmp_path):
    write(tmp_path / "data" / "Ball_ce1" / "Ball_ce1_gt.txt", still(3).tolist())
    row, evaluation = run_and_score(tmp_path, "TColor128", "TColor128", still(3), "Ball_ce1")
    assert row["precision"] == 1 and evaluation.total == 128
