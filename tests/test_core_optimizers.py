import math

import pytest
import torch

from roam_tracker.core.config import OptimizerConfig
from roam_tracker.core.optimizers import LstmOptimizer
from roam_tracker.errors import WeightsError

CONFIG = OptimizerConfig(group_bias=True, log_rate_input=True, log_loss_input=True)


@pytest.fixture
def problem():
    """An optimizer with its weights and state, theta, gradient and loss, over 40 coordinates."""
    generator = torch.Generator().manual_seed(0)
    optimizer = LstmOptimizer(CONFIG)
    weights = optimizer.new_weights(generator)
    weights["output.bias"] = torch.tensor([-4.0, -4.0, -8.0, -8.0])
    theta = torch.randn(40, generator=generator)
    gradient = torch.randn(40, generator=generator) * torch.logspace(-8, 2, 40)
    state = optimizer.init(torch.full((40,), 1e-3), torch.arange(40) // 10)
    return optimizer, weights, state, theta, gradient, torch.tensor(0.7)


def test_theta_moves_by_rate_times_gradient_with_rates_between_0_and_1(problem):
    optimizer, weights, state, theta, gradient, loss = problem
    moved, after = optimizer.step(weights, state, theta, gradient, loss)
    assert ((after.rates > 0) & (after.rates < 1)).all()
    torch.testing.assert_close(moved, theta - after.rates * gradient)


def test_the_cells_equal_torchs_own_lstm(problem):
    optimizer, weights, state, theta, gradient, loss = problem
    reference = torch.nn.LSTM(5, CONFIG.hidden, CONFIG.layers)
    for layer in range(CONFIG.layers):
        reference.get_parameter(f"weight_ih_l{layer}").data = weights[f"lstm{layer}.input"].T
        reference.get_parameter(f"weight_hh_l{layer}").data = weights[f"lstm{layer}.recurrent"].T
        reference.get_parameter(f"bias_ih_l{layer}").data = weights[f"lstm{layer}.bias"]
        reference.get_parameter(f"bias_hh_l{layer}").data.zero_()
    memory = None
    for _ in range(3):
        inputs = optimizer._inputs(state.rates, gradient, theta, loss)
        output, memory = reference(inputs[None], memory)
        theta, state = optimizer.step(weights, state, theta, gradient, loss)
        torch.testing.assert_close(torch.stack(state.hidden), memory[0])
        torch.testing.assert_close(torch.stack(state.cell), memory[1])
        logits = output[0] @ weights["output.weight"] + weights["output.bias"][state.groups]
        torch.testing.assert_close(state.rates, torch.sigmoid(logits))


def test_permuting_the_coordinates_permutes_the_rates(problem):
    optimizer, weights, state, theta, gradient, loss = problem
    order = torch.randperm(40, generator=torch.Generator().manual_seed(3))
    shuffled = optimizer.init(state.rates[order], state.groups[order])
    _, straight = optimizer.step(weights, state, theta, gradient, loss)
    _, permuted = optimizer.step(weights, shuffled, theta[order], gradient[order], loss)
    torch.testing.assert_close(permuted.rates, straight.rates[order])


def test_gradient_features_are_logarithm_and_sign_above_the_knee_and_linear_below():
    optimizer = LstmOptimizer(OptimizerConfig())
    gradient = torch.tensor([1.0, -0.01, 1e-6])
    inputs = optimizer._inputs(torch.ones(3), gradient, torch.zeros(3), torch.tensor(1.0))
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
    del weights["lstm1.input"]
    with pytest.raises(WeightsError, match="do not fit"):
        optimizer.step(weights, state, theta, gradient, loss)
