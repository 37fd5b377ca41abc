import pytest

from roam_tracker.core import memory
from roam_tracker.core.config import UpdateConfig


def test_without_decay_and_first_share_all_samples_count_alike():
    assert memory.shares(UpdateConfig(), 0, [4, 3, 2, 1, 0], 5) is None


@pytest.mark.parametrize("frames", [1, 10, 500])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_the_shares_of_a_step_are_one_in_all(decay, frames):
    found = memory.shares(UpdateConfig(decay=decay, first_share=0.2), 3, [frames - 1, 0], frames)
    assert sum(found) == pytest.approx(1)
    assert found[0] == found[1] == found[2]


def test_the_first_frame_fades_as_the_others_do_but_never_below_its_share():
    config = UpdateConfig(decay=0.1, first_share=0.2)
    # 0.9^5 = 0.59049; the others share what is left as 0.9 : 1
    first, older, newer = memory.shares(config, 1, [1, 0], 5)
    assert first == pytest.approx(0.59049)
    assert older / newer == pytest.approx(0.9)
    assert memory.shares(config, 1, [1, 0], 100)[0] == pytest.approx(0.2)


def test_without_other_samples_the_first_frame_is_all_there_is():
    assert memory.shares(UpdateConfig(first_share=0.2), 4, [], 5) == [0.25] * 4


def test_the_first_step_sees_the_oldest_samples_and_the_last_one_the_newest():
    config = UpdateConfig(samples=5)
    assert [list(memory.seen_in_step(config, 10, step, 3)) for step in range(3)] == [
        [0, 1, 2, 3, 4],
        [2, 3, 4, 5, 6],
        [5, 6, 7, 8, 9],
    ]
    assert list(memory.seen_in_step(config, 3, 1, 2)) == [0, 1, 2]
    assert list(memory.seen_in_step(config, 10, 0, 1)) == [5, 6, 7, 8, 9]


def test_every_second_frame_is_kept_with_a_stride_of_two():
    config = UpdateConfig(memory_stride=2)
    assert [frame for frame in range(1, 8) if memory.is_kept(config, frame)] == [2, 4, 6]
