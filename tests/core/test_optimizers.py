import dataclasses
import math

import pytest
import torch

from roam_tracker.core.config import OptimizerConfig
from roam_tracker.core.optimizers import KINDS, make_optimizer
from roam_tracker.errors import WeightsError

CONFIG = OptimizerConfig(
    group_bias=True, log_rate_input=True, log_loss_input=True, sgd_rates=(1e-2, 1e-2, 1e-4, 1e-4)
)


def make_problem(kind, **changes):
    """An optimizer with its weights and state, theta, gradient and loss, over 40 coordinates."""
    generator = torch.Generator().manual_seed(0)
    optimizer = make_optimizer(dataclasses.replace(CONFIG, kind=kind, **changes))
    weights = optimizer.new_weights(generator)
    if "output.bias" in weights:
        weights["output.bias"] = torch.tensor([-4.0, -4.0, -8.0, -8.0])
    theta = torch.randn(40, generator=generator)
    gradient = torch.randn(40, generator=generator) * torch.logspace(-8, 2, 40)
    constant = torch.rand(40, generator=generator) * 1e-2
    state = optimizer.init(torch.full((40,), 1e-3), torch.arange(40) // 10, constant)
    return optimizer, weights, state, theta, gradient, torch.tensor(0.7)


@pytest.fixture
def problem():
    return make_problem("lstm")


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_every_optimizer_keeps_the_contract(kind):
    optimizer, weights, state, theta, gradient, loss = make_problem(kind)
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    again = optimizer.init(state.rates, state.groups, state.rates)
    shuffled = optimizer.init(state.rates[order], state.groups[order], state.rates[order])
    state = again
    for _ in range(3):
        moved, after = optimizer.step(weights, state, theta, gradient, loss)
        # eq. (3), rates in (0, 1), one for each coordinate
        assert after.rates.shape == theta.shape and ((after.rates > 0) & (after.rates < 1)).all()
        torch.testing.assert_close(moved, theta - after.rates * gradient)
        # nothing is changed in place: the same call gives the same answer
        assert torch.equal(optimizer.step(weights, state, theta, gradient, loss)[0], moved)
        # coordinates share one rule: permuting them permutes the outcome
        other, shuffled = optimizer.step(weights, shuffled, theta[order], gradient[order], loss)
        torch.testing.assert_close(other, moved[order])
        # the old theta reaches the new one by the identity path alone
        point = theta.clone().requires_grad_()
        (slope,) = torch.autograd.grad(optimizer.step(weights, state, point, gradient, loss)[0].sum(), point)
        assert torch.equal(slope, torch.ones(40))
        theta, state = moved, after


def test_sgd_takes_one_rate_for_all_or_one_for_each_group():
    optimizer, weights, state, theta, gradient, loss = make_problem("sgd")
    rates = optimizer.step(weights, state, theta, gradient, loss)[1].rates
    assert rates[::10].tolist() == pytest.approx([1e-2, 1e-2, 1e-4, 1e-4])
    optimizer, *rest = make_problem("sgd", sgd_rates=(7e-6,))
    assert set(optimizer.step(*rest)[1].rates.tolist()) == {torch.tensor(7e-6).item()}


def test_a_constant_optimizer_needs_its_rates_and_keeps_them():
    optimizer, weights, state, theta, gradient, loss = make_problem("constant")
    assert torch.equal(optimizer.step(weights, state, theta, gradient, loss)[1].rates, state.rates)
    with pytest.raises(WeightsError, match="update_rates"):
        optimizer.init(state.rates, state.groups)


def test_the_gru_cells_equal_torchs_own_gru():
    optimizer, weights, state, theta, gradient, loss = make_problem("gru")
    reference = torch.nn.GRU(5, CONFIG.hidden, CONFIG.layers)
    for layer in range(CONFIG.layers):
        reference.get_parameter(f"weight_ih_l{layer}").data = weights[f"layer{layer}.input"].T
        reference.get_parameter(f"weight_hh_l{layer}").data = weights[f"layer{layer}.recurrent"].T
        reference.get_parameter(f"bias_ih_l{layer}").data = weights[f"layer{layer}.bias"]
        reference.get_parameter(f"bias_hh_l{layer}").data.zero_()
    memory = None
    for _ in range(3):
        _, memory = reference(optimizer.inputs(state.rates, gradient, theta, loss)[None], memory)
        theta, state = optimizer.step(weights, state, theta, gradient, loss)
        torch.testing.assert_close(torch.stack(state.hidden), memory)


def test_the_fc_optimizer_is_two_linear_layers_with_tanh_and_no_memory():
    optimizer, weights, state, theta, gradient, loss = make_problem("fc")
    x = optimizer.inputs(state.rates, gradient, theta, loss)
    for layer in range(2):
        x = torch.tanh(x @ weights[f"layer{layer}.input"] + weights[f"layer{layer}.bias"])
    expected = torch.sigmoid(x @ weights["output.weight"] + weights["output.bias"][state.groups])
    after = optimizer.step(weights, state, theta, gradient, loss)[1]
    torch.testing.assert_close(after.rates, expected)
    assert not any("recurrent" in name for name in weights)


def test_the_cells_equal_torchs_own_lstm(problem):
    optimizer, weights, state, theta, gradient, loss = problem
    reference = torch.nn.LSTM(5, CONFIG.hidden, CONFIG.layers)
    for layer in range(CONFIG.layers):
        reference.get_parameter(f"weight_ih_l{layer}").data = weights[f"layer{layer}.input"].T
        reference.get_parameter(f"weight_hh_l{layer}").data = weights[f"layer{layer}.recurrent"].T
        reference.get_parameter(f"bias_ih_l{layer}").data = weights[f"layer{layer}.bias"]
        reference.get_parameter(f"bias_hh_l{layer}").data.zero_()
    memory = None
    for _ in range(3):
        inputs = optimizer.inputs(state.rates, gradient, theta, loss)
        output, memory = reference(inputs[None], memory)
        theta, state = optimizer.step(weights, state, theta, gradient, loss)
        torch.testing.assert_close(torch.stack(state.hidden), memory[0])
        torch.testing.assert_close(torch.stack(state.cell), memory[1])
        logits = output[0] @ weights["output.weight"] + weights["output.bias"][state.groups]
        torch.testing.assert_close(state.rates, torch.sigmoid(logits))


def test_gradient_features_are_logarithm_and_sign_above_the_knee_and_linear_below():
    optimizer = make_optimizer(OptimizerConfig())
    gradient = torch.tensor([1.0, -0.01, 1e-6])
    inputs = optimizer.inputs(torch.ones(3), gradient, torch.zeros(3), torch.tensor(1.0))
    # e^-10 = 4.54e-5: the first two lie above it
    assert inputs[:, 1].tolist() == pytest.approx([0.0, math.log(0.01) / 10, -1.0], abs=1e-4)
    assert inputs[:, 2].tolist() == pytest.approx([1.0, -1.0, 1e-6 * math.exp(10)], rel=1e-4)


def test_inputs_are_constants_and_the_weights_get_a_gradient(problem):
    optimizer, weights, state, theta, gradient, loss = problem
    theta, gradient = theta.requires_grad_(), gradient.requires_grad_()
    output = weights["output.weight"].requires_grad_()
    moved, after = optimizer.step(weights, state, theta, gradient, loss)
    moved.sum().backward()
    assert torch.equal(theta.grad, torch.ones(40))  # only the identity path of eq. (3)
    assert gradient.grad is None
    # d theta' / d output.weight = -g * rate * (1 - rate) * h of the last layer
    slope = (-gradient * after.rates * (1 - after.rates)).detach()
    torch.testing.assert_close(output.grad, (slope[:, None] * after.hidden[-1]).sum(0))


def test_weights_of_another_optimizer_are_refused(problem):
    optimizer, weights, state, theta, gradient, loss = problem
    del weights["layer1.input"]
    with pytest.raises(WeightsError, match="do not fit"):
        optimizer.step(weights, state, theta, gradient, loss)
