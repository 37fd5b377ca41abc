import math

import pytest
import torch

from roam_tracker.core import response
from roam_tracker.core.theta import ThetaShape, filter_size, resize

SMALL = ThetaShape(channels=3, reduced=2, height=5, width=3)


def random_theta(shape, seed=0):
    return torch.randn(shape.count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_label_has_its_peak_and_width_where_eq_2_says():
    # one target, 4 x 8 cells, centre (3, 5), alpha 20; values by hand from exp(-20 (dx^2/16 + dy^2/64))
    label = response.gaussian_labels(torch.tensor([[3.0, 5.0]]), torch.tensor([[4.0, 8.0]]), 11, 20.0)[0]
    assert divmod(int(label.argmax()), 11) == (5, 3)
    by_hand = {(5, 3): 1.0, (5, 4): math.exp(-1.25), (6, 3): math.exp(-0.3125), (6, 2): math.exp(-1.5625)}
    for (row, column), value in by_hand.items():
        assert label[row, column].item() == pytest.approx(value, rel=1e-6)


def test_label_between_two_cells_gives_both_the_same_value():
    label = response.gaussian_labels(torch.tensor([[2.5, 1.0]]), torch.tensor([[4.0, 4.0]]), 5, 20.0)[0]
    assert label[1, 2] == label[1, 3]
    assert label[1, 2].item() == pytest.approx(math.exp(-20 * 0.25 / 16), rel=1e-6)


def test_response_equals_a_loop_over_cells():
    theta = random_theta(SMALL)
    features = torch.randn(1, 3, 6, 6, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    reduction, reduction_bias, filters, bias = SMALL.split(theta)
    reduced = torch.einsum("ck,kyx->cyx", reduction[:, :, 0, 0], features[0]) + reduction_bias[:, None, None]
    expected = torch.zeros(6, 6, dtype=torch.float64)
    for y in range(6):
        for x in range(6):
            for dy in range(5):
                for dx in range(3):
                    row, column = y + dy - 2, x + dx - 1
                    if 0 <= row < 6 and 0 <= column < 6:
                        expected[y, x] += (filters[0, :, dy, dx] * reduced[:, row, column]).sum()
    torch.testing.assert_close(response.respond(theta, SMALL, features)[0], expected + bias)


def test_theta_of_the_paper_has_48641_coordinates():
    # 512*64 + 64 + 64*13*19 + 1
    assert ThetaShape(channels=512, reduced=64, height=19, width=13).count == 48_641


def test_filter_of_a_12_by_18_target_is_the_canonical_13_by_19():
    assert filter_size((12, 18), 1.0, 87) == (19, 13)
    assert filter_size((0.5, 200), 1.0, 31) == (31, 3)
    assert filter_size((200, 200), 1.0, 30) == (29, 29)


def test_a_filter_resized_to_its_own_size_is_unchanged():
    theta = random_theta(SMALL)
    assert torch.equal(resize(theta, SMALL, SMALL, keep_gain=True), theta)


def test_a_constant_filter_that_keeps_its_gain_keeps_its_sum():
    larger = ThetaShape(channels=3, reduced=2, height=9, width=7)
    theta = torch.ones(SMALL.count)
    grown = larger.split(resize(theta, SMALL, larger, keep_gain=True))[2]
    assert grown.sum().item() == pytest.approx(2 * 5 * 3, rel=1e-6)
    plain = larger.split(resize(theta, SMALL, larger, keep_gain=False))[2]
    assert plain.sum().item() == pytest.approx(2 * 9 * 7, rel=1e-6)


def test_gradient_reaches_the_canonical_filter_through_the_resize():
    larger = ThetaShape(channels=3, reduced=2, height=9, width=7)
    theta = random_theta(SMALL).requires_grad_()
    resize(theta, SMALL, larger, keep_gain=False).sum().backward()
    assert (theta.grad != 0).all()


def test_losses_of_one_cell_are_as_computed_by_hand():
    # cells off by 0.5 at label 1, and by 0.05 and 0 at label 0
    responses, labels = torch.tensor([[[0.5, 0.05], [0.0, 0.0]]]), torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    expected = {
        "masked": math.e * 0.25 / 2,  # one cell is off by 0.1 or more
        "energy": (math.e * 0.25 + 0.0025) / 1.0,
    }
    for name, value in expected.items():
        assert response.sample_losses(responses, labels, name).item() == pytest.approx(value, rel=1e-6), name


def test_energy_loss_of_an_empty_response_does_not_depend_on_the_targets_size():
    sizes = torch.tensor([[6.0, 6.0], [12.0, 9.0]])
    labels = response.gaussian_labels(torch.tensor([[15.0, 15.0], [15.0, 15.0]]), sizes, 31, 20.0)
    first, second = response.sample_losses(torch.zeros_like(labels), labels, "energy").tolist()
    assert first == pytest.approx(second, rel=0.02)
    assert 1.5 < first < 2.5


def test_gradient_of_the_update_loss_agrees_with_finite_differences():
    theta, generator = random_theta(SMALL), torch.Generator().manual_seed(2)
    features = torch.randn(2, 3, 7, 7, generator=generator, dtype=torch.float64)
    centres, sizes = torch.tensor([[3.0, 2.0], [2.0, 4.0]]), torch.tensor([[3.0, 4.0], [3.0, 4.0]])
    labels = response.gaussian_labels(centres.double(), sizes.double(), 7, 20.0)
    _, gradient = response.loss_and_gradient(theta, SMALL, features, labels, "energy")
    for index in (0, 5, 7, 20, SMALL.count - 1):
        step = torch.zeros_like(theta)
        step[index] = 1e-5
        after, before = (
            response.update_loss(response.respond(point, SMALL, features), labels, "energy")
            for point in (theta + step, theta - step)
        )
        assert gradient[index].item() == pytest.approx(((after - before) / 2e-5).item(), rel=1e-5)
