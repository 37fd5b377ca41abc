"""Metrics against hand calculations, a slower method, and the published evaluators' own numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roam_tracker.core.geometry import overlap
from roam_tracker.report.read.vot import FAILED, INITIALISED, TRACKED, UNKNOWN
from roam_tracker.report.score import got10k, otb, speed, vot_metrics
from roam_tracker.report.score.statistics import bootstrap_interval
from roam_tracker.report.score.vot_overlap import paint, region_overlaps


def made_boxes(seed, frames=60):
    generator = np.random.default_rng(seed)
    truth = np.column_stack([generator.uniform(-10, 60, (frames, 2)), generator.uniform(3, 40, (frames, 2))])
    boxes = truth + generator.normal(0, 4, truth.shape)
    boxes[5, 2] = 0
    boxes[6] = [200, 200, 10, 10]
    boxes[7, 3] = -4
    return boxes, truth


def test_identical_boxes_score_20_of_21_under_the_strict_otb_curve():
    _, truth = made_boxes(0)
    assert otb.auc_otb(otb.success_curve_otb(overlap(truth, truth))) == pytest.approx(20 / 21)


def test_constant_overlap_of_six_tenths_has_12_of_21_thresholds_below():
    # 0, 0.05, ..., 0.55 lie below 0.6; the 13th threshold is 0.6000000000000001, not below
    assert otb.auc_otb(otb.success_curve_otb(np.full(10, 0.6))) == pytest.approx(12 / 21)


def test_centre_error_counts_the_pixel_between_first_and_last():
    # centres (0 + (3-1)/2, 0 + (5-1)/2) = (1, 2) and (4 + 0, 6 + 0) = (4, 6): distance 5
    error = otb.centre_error_otb(np.array([[0.0, 0, 3, 5]]), np.array([[4.0, 6, 1, 1]]))
    assert error == pytest.approx([5.0])
    assert otb.precision_curve_otb(error)[4:6].tolist() == [0.0, 1.0]


def test_a_shift_by_one_pixel_shows_in_the_precision_below_one_pixel():
    _, truth = made_boxes(1)
    curve = otb.precision_curve_otb(otb.centre_error_otb(truth + np.array([1, 0, 0, 0]), truth))
    assert curve[0] == 0 and curve[2] == 1


def test_nan_rows_are_misses_in_both_otb_curves():
    boxes, truth = made_boxes(2, frames=10)
    boxes[:] = truth
    boxes[3] = np.nan
    assert otb.success_curve_otb(overlap(boxes, truth))[0] == pytest.approx(0.9)
    assert otb.precision_curve_otb(otb.centre_error_otb(boxes, truth))[50] == pytest.approx(0.9)
    assert otb.normalised_precision_curve(boxes, truth)[50] == pytest.approx(0.9)


@pytest.mark.parametrize("seed", range(20))
def test_otb_and_got10k_metrics_equal_the_toolkits_own(seed):
    pytest.importorskip("got10k", reason="the GOT-10k toolkit is not installed")
    from got10k.utils.metrics import center_error, rect_iou

    boxes, truth = made_boxes(seed)
    theirs = np.asarray(rect_iou(boxes.copy(), truth.copy()))
    np.testing.assert_allclose(overlap(boxes, truth), theirs, atol=1e-12)
    curve = np.greater(theirs[:, None], np.linspace(0, 1, 21)[None]).mean(axis=0)
    np.testing.assert_allclose(otb.success_curve_otb(overlap(boxes, truth)), curve, atol=1e-12)
    errors = center_error(boxes, truth)
    np.testing.assert_allclose(otb.centre_error_otb(boxes, truth), errors, atol=1e-12)
    bounded = rect_iou(boxes.copy(), truth.copy(), bound=(64, 48))
    np.testing.assert_allclose(got10k.overlap_got10k(boxes, truth, (64, 48)), bounded, atol=1e-12)


def test_got10k_clip_moves_a_box_into_the_image_without_shortening_it():
    box, other = np.array([[-5.0, -5, 20, 20]]), np.array([[0.0, 0, 20, 20]])
    assert got10k.overlap_got10k(box, other, (100, 100)) == pytest.approx([1.0])
    assert got10k.overlap_got10k(box, other, None) == pytest.approx([225 / 575])


def test_got10k_leaves_out_the_first_frame_and_the_hidden_ones():
    iou = np.array([1.0, 0.4, 0.0, 0.8])
    counted = got10k.counted_got10k(iou, np.array([True, True, False, True]))
    assert got10k.average_overlap_got10k(counted) == pytest.approx(0.6)
    assert got10k.success_rate_got10k(counted, 0.5) == 0.5
    assert got10k.success_curve_got10k(np.ones(3)).mean() == pytest.approx(100 / 101)


def test_frames_over_total_time_is_not_the_mean_of_rates():
    times = np.array([0.1, 0.3, np.nan, 0.0])
    assert speed.frames_per_second(times) == pytest.approx(2 / 0.4)
    assert speed.mean_rate(times) == pytest.approx((10 + 10 / 3) / 2)
    assert np.isnan(speed.frames_per_second(np.zeros(2)))


def test_interval_of_equal_values_is_a_point_and_of_one_value_unknown():
    low, high = bootstrap_interval(np.full(9, 0.5))
    assert low == pytest.approx(0.5) and high == pytest.approx(0.5)
    assert np.isnan(bootstrap_interval(np.array([0.5]))[0])


def test_interval_has_the_width_of_the_normal_approximation():
    values = np.random.default_rng(3).normal(0.5, 0.2, 400)
    low, high = bootstrap_interval(values, seed=1)
    # 2 * 1.96 * 0.2 / sqrt(400) = 0.0392
    assert high - low == pytest.approx(3.92 * values.std() / 20, rel=0.1)
    assert bootstrap_interval(values, seed=1) == (low, high)


# ---------------------------------------------------------------- VOT


def painted_by_hand(region, bounds):
    """Pixel by pixel: a pixel of a convex polygon is inside when it is on one side of every edge."""
    x, y, w, h = np.round(region)
    columns, rows = np.arange(bounds[0], bounds[2] + 1), np.arange(bounds[1], bounds[3] + 1)
    return ((rows >= y) & (rows < y + h))[:, None] & ((columns >= x) & (columns < x + w))[None, :]


box_strategy = st.tuples(st.integers(-8, 30), st.integers(-8, 30), st.integers(0, 20), st.integers(0, 20))


@settings(max_examples=200, deadline=None)
@given(a=box_strategy, b=box_strategy)
def test_box_overlap_by_areas_equals_counted_pixels(a, b):
    first, second = np.array(a, dtype=np.float32), np.array(b, dtype=np.float32)
    corners = [(v[0], v[1], v[0] + v[2] - 1, v[1] + v[3] - 1) for v in (a, b)]
    around = (*np.minimum(*corners)[:2], *np.maximum(*corners)[2:])
    cut = (max(around[0], 0), max(around[1], 0), min(around[2], 31), min(around[3], 23))
    if around[0] >= around[2] or around[1] >= around[3]:
        expected = 1.0
    elif cut[0] >= cut[2] or cut[1] >= cut[3]:
        expected = 0.0
    else:
        one, other = painted_by_hand(first, cut), painted_by_hand(second, cut)
        expected = (one & other).sum() / max((one | other).sum(), 1)
        assert (paint(first, np.array(cut)) == one).all()
    assert region_overlaps([first], [second], (32, 24))[0] == pytest.approx(expected)


polygon_strategy = st.lists(st.tuples(st.integers(-8, 40), st.integers(-8, 40)), min_size=3, max_size=6)


@settings(max_examples=300, deadline=None)
@given(box=box_strategy, points=polygon_strategy, swapped=st.booleans())
def test_overlap_of_a_box_and_a_polygon_counted_by_rows_equals_painted_pixels(box, points, swapped):
    pair = [np.array(box, dtype=np.float32), np.array(points, dtype=np.float32)]
    pair = pair[::-1] if swapped else pair
    found = region_overlaps([pair[0]], [pair[1]], (32, 24))[0]
    low = np.minimum(np.min(points, axis=0), box[:2])
    high = np.maximum(np.max(points, axis=0), np.add(box[:2], box[2:]) - 1)
    cut = np.array([*np.maximum(low, 0), *np.minimum(high, [31, 23])])
    if (low >= high).any() or (cut[:2] >= cut[2:]).any():
        assert found == float((low >= high).any())
    else:
        one, other = paint(pair[0], cut), paint(pair[1], cut)
        assert found == pytest.approx((one & other).sum() / max((one | other).sum(), 1))


def test_a_polygon_of_a_box_paints_the_same_pixels_as_the_box():
    box = np.array([3, 4, 10, 6], dtype=np.float32)
    polygon = np.array([[3, 4], [12, 4], [12, 9], [3, 9]], dtype=np.float32)
    assert (paint(box, np.array([0, 0, 20, 20])) == paint(polygon, np.array([0, 0, 20, 20]))).all()
    assert region_overlaps([box], [polygon], (40, 40))[0] == 1


def test_a_diamond_paints_rows_of_1_3_5_3_1_pixels():
    diamond = np.array([[2, 0], [4, 2], [2, 4], [0, 2]], dtype=np.float32)
    assert paint(diamond, np.array([0, 0, 4, 4])).sum(axis=1).tolist() == [1, 3, 5, 3, 1]


def test_a_notched_polygon_leaves_its_notch_unpainted():
    cup = np.array([[0, 0], [2, 0], [2, 4], [6, 4], [6, 0], [8, 0], [8, 6], [0, 6]], dtype=np.float32)
    assert paint(cup, np.array([0, 0, 8, 6]))[2].tolist() == [True] * 3 + [False] * 3 + [True] * 3


def test_no_region_overlaps_nothing():
    assert region_overlaps([None], [np.array([5, 5, 9, 9], dtype=np.float32)], (40, 40))[0] == 0


def run_of(*codes):
    return np.array(codes)


def test_accuracy_leaves_out_burn_in_failures_and_unknown_frames():
    codes = run_of(INITIALISED, TRACKED, TRACKED, FAILED, UNKNOWN, INITIALISED, TRACKED, TRACKED)
    overlaps = np.array([0, 0.9, 0.5, 0, 0, 0, 0.9, 0.7])
    assert vot_metrics.supervised_accuracy(overlaps, codes, burn_in=2) == pytest.approx(0.6)
    assert vot_metrics.supervised_accuracy(overlaps, codes, burn_in=10) == 0
    assert vot_metrics.failures(codes) == 1


def test_eao_pads_failed_pieces_with_zeros_and_drops_finished_ones():
    codes = run_of(INITIALISED, TRACKED, FAILED, UNKNOWN, INITIALISED, TRACKED, TRACKED, TRACKED)
    overlaps = np.array([0, 0.6, 0, 0, 0, 0.8, 0.6, 0.4])
    pieces = vot_metrics.fragments(overlaps, codes)
    assert [(piece.tolist(), failed) for piece, failed in pieces] == [
        ([0, 0.6], True),
        ([0, 0.8, 0.6, 0.4], False),
    ]
    # lengths 1..3: means of (0.6, 0.8), (0.3, 0.7), (0.2, 0.6)
    curve = vot_metrics.eao_curve(pieces)
    assert curve == pytest.approx([0, 0.7, 0.5, 0.4])
    assert vot_metrics.eao(curve, 2, 3) == pytest.approx(0.45)
    assert vot_metrics.eao(curve, 2, 90) == pytest.approx(0.45)
    assert np.isnan(vot_metrics.eao(curve, 4, 9))


def test_robustness_is_failures_per_100_frames():
    assert vot_metrics.failures_per_100_frames([1.5, 0.5], [100, 300]) == pytest.approx(0.5)
    # weighted failures (1.5*100 + 0.5*300)/400 = 0.75, mean length 200: exp(-30 * 0.75 / 200)
    assert vot_metrics.reliability([1.5, 0.5], [100, 300]) == pytest.approx(np.exp(-0.1125))


def test_unsupervised_overlap_ignores_frames_without_annotation():
    codes = run_of(INITIALISED, TRACKED, TRACKED, UNKNOWN, TRACKED)
    overlaps = np.array([0, 0.9, 0.5, 0, 0.3])
    annotated = np.array([True, True, True, True, False])
    assert vot_metrics.unsupervised_overlap(overlaps, codes, annotated, burn_in=2) == pytest.approx(0.5)
