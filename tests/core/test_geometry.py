import numpy as np
import pytest

from roam_tracker.core.geometry import check_box, overlap
from roam_tracker.errors import BoxError


def test_overlap_of_half_shifted_boxes_is_one_third():
    # intersection 5x10 = 50, union 100 + 100 - 50 = 150
    assert overlap([0, 0, 10, 10], [5, 0, 10, 10]) == pytest.approx(1 / 3, abs=1e-15)


def test_overlap_is_zero_for_touching_empty_and_nan_boxes():
    a = np.array([[0, 0, 10, 10], [0, 0, 0, 0], [np.nan, 0, 5, 5]])
    b = np.array([[10, 0, 10, 10], [0, 0, 0, 0], [0, 0, 5, 5]])
    assert overlap(a, b).tolist() == [0, 0, 0]


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ([1, 2, 3], "four numbers"),
        ("1,2,3,4", "four numbers"),
        (None, "four numbers"),
        ([1, 2, float("nan"), 4], "finite"),
        ([1, 2, 0, 4], "positive"),
        ([1, 2, 3, -4], "positive"),
    ],
)
def test_a_box_that_is_none_is_refused_with_the_reason(box, told):
    with pytest.raises(BoxError, match=told):
        check_box(box)
