import pytest
import torch

from roam_tracker.core import update
from roam_tracker.core.config import UpdateConfig


def test_without_decay_and_first_share_all_samples_count_alike():
    assert update.shares(UpdateConfig(), 0, [4, 3, 2, 1, 0], 5) is None


@pytest.mark.parametrize("frames", [1, 10, 500])
@pytest.mark.parametrize("decay", [0.0, 0.05])
def test_the_shares_of_a_step_are_one_in_all(decay, frames):
    found = update.shares(UpdateConfig(decay=decay, first_share=0.2), 3, [frames - 1, 0], frames)
    assert sum(found) == pytest.approx(1)
    assert found[0] == found[1] == found[2]


def test_the_first_frame_fades_as_the_others_do_but_never_below_its_share():
    config = UpdateConfig(decay=0.1, first_share=0.2)
    # 0.9^5 = 0.59049; the others share what is left as 0.9 : 1
    first, older, newer = update.shares(config, 1, [1, 0], 5)
    assert first == pytest.approx(0.59049)
    assert older / newer == pytest.approx(0.9)
    assert update.shares(config, 1, [1, 0], 100)[0] == pytest.approx(0.2)


def test_without_other_samples_the_first_frame_is_all_there_is():
    assert update.shares(UpdateConfig(first_share=0.2), 4, [], 5) == [0.25] * 4


def test_the_first_step_sees_the_oldest_samples_and_the_last_one_the_newest():
    config = UpdateConfig(samples=5)
    assert [list(update.seen_in_step(config, 10, step, 3)) for step in range(3)] == [
        [0, 1, 2, 3, 4],
        [2, 3, 4, 5, 6],
        [5, 6, 7, 8, 9],
    ]
    assert list(update.seen_in_step(config, 3, 1, 2)) == [0, 1, 2]
    assert list(update.seen_in_step(config, 10, 0, 1)) == [5, 6, 7, 8, 9]


def test_every_second_frame_is_kept_with_a_stride_of_two():
    config = UpdateConfig(memory_stride=2)
    assert [frame for frame in range(1, 8) if update.is_kept(config, frame)] == [2, 4, 6]


def test_the_lessons_of_an_update_are_the_samples_and_shares_of_its_steps():
    config = UpdateConfig(samples=2, decay=0.1)
    # frames 3 to 6 are remembered in frame 7: the first step sees 3 and 4, aged 4 and 3
    (first, counts), (last, _) = update.lessons(config, 0, [3, 4, 5, 6], 7, 2)
    assert (list(first), list(last)) == ([0, 1], [2, 3])
    assert counts == pytest.approx([0.9 / 1.9, 1 / 1.9])


def parabola(at, start, moved, **guard):
    """Where the guard lets a step from `start` to `moved` end, for the loss (x - at)^2."""
    loss_of = lambda point: (point - at).square().sum()  # noqa: E731
    start, moved = torch.tensor([start]), torch.tensor([moved])
    found = update.guarded(start, moved, loss_of(start), loss_of, **guard)
    return None if found is None else found.item()


def test_the_guard_shortens_a_step_until_the_loss_falls():
    # from 0 towards 10 with the minimum at 1: 10 and 4 raise the loss of 1, 1.6 lowers it
    assert parabola(1.0, 0.0, 10.0, halvings=4, factor=0.4) == pytest.approx(1.6)
    assert parabola(1.0, 0.0, 1.5, halvings=4, factor=0.4) == 1.5


def test_the_guard_undoes_a_step_that_raises_the_loss_however_short():
    assert parabola(1.0, 0.0, -1.0, halvings=4, factor=0.4) is None
    assert parabola(1.0, 0.0, 10.0, halvings=1, factor=0.4) is None


def test_without_halvings_only_a_step_that_is_not_finite_is_undone():
    assert parabola(1.0, 0.0, 10.0, halvings=0, factor=0.4) == 10.0
    assert parabola(1.0, 0.0, float("nan"), halvings=0, factor=0.4) is None


def test_a_shortened_step_keeps_its_derivative():
    theta, step = torch.tensor([0.0]), torch.tensor([10.0], requires_grad=True)
    found = update.guarded(theta, theta + step, torch.tensor(1.0), lambda x: (x - 1).square().sum(), 4, 0.4)
    (slope,) = torch.autograd.grad(found.sum(), step)
    assert slope.item() == pytest.approx(0.16)
