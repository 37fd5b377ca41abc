"""1,000 made result sets with edge boxes against got10k's own functions; what any result set must obey."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from roam_tracker.core.geometry import overlap
from roam_tracker.report import evaluate, load
from roam_tracker.report.score import got10k, otb
from roam_tracker.report.score.lasot import lasot_curves
from roam_tracker.report.score.otb import otb_curves, uav_curves
from roam_tracker.report.score.trackingnet import trackingnet_curves, trackingnet_score

pytestmark = pytest.mark.slow

BLOCKS, SETS = range(10), 100
SIZE = (64, 48)


def edge_set(seed, frames=40):
    """Truth and boxes that touch, lie outside, have zero or negative size, are NaN; hidden frames."""
    generator = np.random.default_rng(seed)
    truth = np.column_stack([generator.uniform(-10, 60, (frames, 2)), generator.uniform(2, 40, (frames, 2))])
    boxes = truth + generator.normal(0, 4, truth.shape)
    if seed % 2:
        truth, boxes = np.round(truth), np.round(boxes)
    touching, equal, *others = generator.permutation(np.arange(1, frames))
    boxes[touching] = truth[touching] + [truth[touching, 2], 0, 0, 0]
    boxes[equal] = truth[equal]
    places = iter(others)
    boxes[next(places)] = [200, 200, 10, 10]
    boxes[next(places)] = [-90, -90, 30, 30]
    boxes[next(places), 2] = 0
    boxes[next(places), 3] = -4
    boxes[next(places), 2:] = [-3, -4]
    nan = next(places)
    visible = generator.random(frames) > 0.2
    return boxes, truth, visible, nan


@pytest.mark.parametrize("block", BLOCKS)
def test_otb_and_uav_curves_equal_the_toolkits_own_on_1000_sets(block):
    pytest.importorskip("got10k", reason="the GOT-10k toolkit is not installed")
    from got10k.experiments import ExperimentOTB, ExperimentUAV123

    for toolkit, ours in ((ExperimentOTB, otb_curves), (ExperimentUAV123, uav_curves)):
        experiment = object.__new__(toolkit)  # its constructor would look for the data set
        experiment.nbins_iou, experiment.nbins_ce = 21, 51
        for seed in range(SETS * block, SETS * (block + 1)):
            boxes, truth, _, nan = edge_set(seed)
            boxes[nan] = np.nan
            if toolkit is ExperimentUAV123:
                truth[(nan + 1) % 39 + 1] = np.nan
            theirs = boxes.copy()
            theirs[0] = truth[0]
            success, precision = experiment._calc_curves(*experiment._calc_metrics(theirs, truth.copy()))
            found = ours(boxes, truth)
            np.testing.assert_allclose(found[0], success, atol=1e-12, rtol=0)
            np.testing.assert_allclose(found[1], precision, atol=1e-12, rtol=0)


@pytest.mark.parametrize("block", BLOCKS)
def test_ao_and_sr_equal_the_toolkits_own_on_1000_sets(block):
    pytest.importorskip("got10k", reason="the GOT-10k toolkit is not installed")
    from got10k.experiments import ExperimentGOT10k
    from got10k.utils.metrics import rect_iou

    experiment = object.__new__(ExperimentGOT10k)
    for seed in range(SETS * block, SETS * (block + 1)):
        boxes, truth, visible, _ = edge_set(seed)
        theirs = rect_iou(boxes[1:].copy(), truth[1:].copy(), bound=SIZE)[visible[1:]]
        ao, sr, _, _ = experiment._evaluate(theirs, np.array([1.0]))
        ours = got10k.counted_got10k(got10k.overlap_got10k(boxes, truth, SIZE), visible)
        assert got10k.average_overlap_got10k(ours) == pytest.approx(ao, abs=1e-12)
        assert got10k.success_rate_got10k(ours, 0.5) == pytest.approx(sr, abs=1e-12)


@pytest.mark.parametrize("block", BLOCKS)
def test_the_otb_scores_equal_a_frame_by_frame_count_on_1000_sets(block):
    for seed in range(SETS * block, SETS * (block + 1)):
        boxes, truth, _, nan = edge_set(seed, frames=20)
        boxes[nan if nan < 20 else 1] = np.nan
        boxes[0] = truth[0]
        success, hits = 0, 0
        for (x, y, w, h), (a, b, c, d) in zip(boxes.tolist(), truth.tolist(), strict=True):
            wide, high = max(0.0, min(x + w, a + c) - max(x, a)), max(0.0, min(y + h, b + d) - max(y, b))
            union = w * h + c * d - wide * high
            iou = min(wide * high / union, 1.0) if union > 0 else 0.0
            success += sum(iou > step * 0.05 for step in range(21))
            across, down = x + (w - 1) / 2 - a - (c - 1) / 2, y + (h - 1) / 2 - b - (d - 1) / 2
            hits += across**2 + down**2 <= 400
        found = otb_curves(boxes, truth)
        assert otb.auc_otb(found[0]) == pytest.approx(success / 21 / 20, abs=1e-12)
        assert otb.precision_otb(found[1]) == pytest.approx(hits / 20, abs=1e-12)


@pytest.mark.parametrize("block", BLOCKS)
def test_ao_and_both_sr_equal_a_frame_by_frame_count_on_1000_sets(block):
    def inside(x, y, w, h):
        """Moved into the image without getting shorter, then limited on the right and below."""
        x, y = min(max(x, 0), SIZE[0]), min(max(y, 0), SIZE[1])
        return x, y, min(max(w, 0), SIZE[0] - x), min(max(h, 0), SIZE[1] - y)

    for seed in range(SETS * block, SETS * (block + 1)):
        boxes, truth, visible, _ = edge_set(seed, frames=20)
        found = []
        for index in range(1, 20):
            if not visible[index]:
                continue
            (x, y, w, h), (a, b, c, d) = inside(*boxes[index]), inside(*truth[index])
            wide, high = max(0.0, min(x + w, a + c) - max(x, a)), max(0.0, min(y + h, b + d) - max(y, b))
            union = w * h + c * d - wide * high
            found.append(min(wide * high / union, 1.0) if union > 0 else 0.0)
        ours = got10k.counted_got10k(got10k.overlap_got10k(boxes, truth, SIZE), visible)
        assert got10k.average_overlap_got10k(ours) == pytest.approx(sum(found) / len(found), abs=1e-12)
        for threshold in (0.5, 0.75):
            share = sum(iou > threshold for iou in found) / len(found)
            assert got10k.success_rate_got10k(ours, threshold) == pytest.approx(share, abs=1e-12)


# ---------------------------------------------------------------- what any result set must obey

side = st.integers(1, 50)
place = st.integers(1, 80)
box = st.tuples(place, place, side, side)
sequence = st.lists(st.tuples(box, box), min_size=2, max_size=12).map(
    lambda pairs: np.array(pairs, dtype=float).transpose(1, 0, 2)
)
RULES = {
    "OTB": otb_curves,
    "UAV": uav_curves,
    "LaSOT": lasot_curves,
    "TrackingNet": trackingnet_curves,
}
BEST = {"OTB": 20 / 21, "UAV": 20 / 21, "LaSOT": 20 / 21, "TrackingNet": 1}


def score(rule, curve):
    return trackingnet_score(curve) if rule == "TrackingNet" else otb.auc_otb(curve)


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60, deadline=None)
@given(pair=sequence)
def test_curves_are_shares_and_monotonous(rule, pair):
    success, precision, normalised = RULES[rule](*pair)
    for curve in (success, precision, normalised):
        assert (curve >= 0).all() and (curve <= 1).all()
    assert (np.diff(success) <= 0).all()
    assert (np.diff(precision) >= 0).all() and (np.diff(normalised) >= 0).all()


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60, deadline=None)
@given(pair=sequence)
def test_the_truth_itself_scores_the_rules_maximum_and_nothing_scores_more(rule, pair):
    boxes, truth = pair
    assert score(rule, RULES[rule](truth, truth)[0]) == pytest.approx(BEST[rule])
    assert score(rule, RULES[rule](boxes, truth)[0]) <= BEST[rule] + 1e-12


@pytest.mark.parametrize("rule", RULES)
@settings(max_examples=60, deadline=None)
@given(pair=sequence, shift=st.tuples(st.integers(0, 300), st.integers(0, 300)))
def test_shifting_boxes_and_truth_together_changes_nothing(rule, pair, shift):
    moved = pair + np.array([*shift, 0, 0])
    for here, there in zip(RULES[rule](*pair)[:2], RULES[rule](*moved)[:2], strict=True):
        np.testing.assert_array_equal(here, there)


@settings(max_examples=100, deadline=None)
@given(pair=sequence)
def test_overlap_is_a_share_and_the_same_both_ways(pair):
    iou = overlap(*pair)
    assert (iou >= 0).all() and (iou <= 1).all()
    np.testing.assert_array_equal(iou, overlap(*pair[::-1]))


@pytest.mark.parametrize("benchmark", ["OTB", "LaSOT", "TrackingNet"])
def test_scores_do_not_depend_on_the_order_of_sequences(tmp_path, benchmark):
    tables = []
    for order in (range(5), reversed(range(5))):
        root = tmp_path / str(len(tables))
        for rank, seed in enumerate(order):
            boxes, truth, _, _ = edge_set(seed)
            for folder, rows in (("data", truth), ("results/T", boxes)):
                (root / folder).mkdir(parents=True, exist_ok=True)
                np.savetxt(root / folder / f"s{rank}.txt", rows, delimiter=",")
        tables.append(evaluate(load(benchmark, root / "results", root / "data")).table)
    for column in ("auc", "precision", "normalised_precision"):
        assert tables[0][column][0] == pytest.approx(tables[1][column][0], abs=1e-15)
