"""Update rules behind `init` and `step` (eqs. 3-5).

Here h, c are the hidden and cell states of an LSTM layer, lambda the rates, g the gradient,
l the update loss; every coordinate of theta is one row of the batch and all share the weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from roam_tracker.core.config import OptimizerConfig
from roam_tracker.errors import WeightsError

P = 10.0  # gradients below e^-P are told apart linearly, above it by logarithm and sign


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """What the rule remembers between steps, one row for each coordinate of theta."""

    rates: Tensor  # (count,) lambda of the previous step; lambda(0) at the start
    hidden: tuple[Tensor, ...]  # h of each layer, (count, hidden)
    cell: tuple[Tensor, ...]  # c of each layer, (count, hidden)
    groups: Tensor  # (count,) int64, the parameter group of each coordinate


class LstmOptimizer:
    """The coordinate-wise LSTM O(.; omega) of eqs. (4)-(5), its cells written out.

    Weights: `lstm<k>.input` (inputs, 4*hidden), `lstm<k>.recurrent` (hidden, 4*hidden), `lstm<k>.bias`
    (4*hidden,), gates in the order input, forget, cell, output; `output.weight` (hidden,),
    `output.bias` (4,), one for each parameter group (all equal when the preset has one bias).
    """

    inputs = 5  # previous rate, two columns for the gradient, theta, loss

    def __init__(self, config: OptimizerConfig) -> None:
        self.config = config

    def new_weights(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Untrained weights; the forget gate starts open, the output at `output_bias`."""
        hidden, weights = self.config.hidden, {}
        for layer in range(self.config.layers):
            width = self.inputs if layer == 0 else hidden
            bound = hidden**-0.5
            for name, rows in (("input", width), ("recurrent", hidden)):
                uniform = torch.rand(rows, 4 * hidden, generator=generator)
                weights[f"lstm{layer}.{name}"] = (2 * uniform - 1) * bound
            bias = torch.zeros(4 * hidden)
            bias[hidden : 2 * hidden] = 1.0
            weights[f"lstm{layer}.bias"] = bias
        weights["output.weight"] = (2 * torch.rand(hidden, generator=generator) - 1) * hidden**-0.5
        weights["output.bias"] = torch.full((4 if self.config.group_bias else 1,), self.config.output_bias)
        return weights

    def init(self, rates: Tensor, groups: Tensor) -> OptimizerState:
        """The state before the first recurrent update: h = c = 0, previous rate lambda(0) (G)."""
        zeros = tuple(rates.new_zeros(rates.shape[0], self.config.hidden) for _ in range(self.config.layers))
        return OptimizerState(rates, zeros, zeros, groups)

    def step(
        self,
        weights: Mapping[str, Tensor],
        state: OptimizerState,
        theta: Tensor,
        gradient: Tensor,
        loss: Tensor,
    ) -> tuple[Tensor, OptimizerState]:
        """One recurrent update: theta' = theta - lambda * g with lambda = sigmoid(O(I)) in (0, 1).

        theta, gradient: (count,); loss: scalar. The inputs I are constants (section 3.2); the
        gradient of theta' reaches `weights`, the hidden states and, by eq. (3), `theta`.
        """
        x = self._inputs(state.rates, gradient, theta, loss).detach()
        hidden, cell = [], []
        try:
            for layer in range(self.config.layers):
                gates = torch.addmm(weights[f"lstm{layer}.bias"], x, weights[f"lstm{layer}.input"])
                gates = torch.addmm(gates, state.hidden[layer], weights[f"lstm{layer}.recurrent"])
                enter, forget, candidate, leave = gates.chunk(4, dim=1)
                c = forget.sigmoid() * state.cell[layer] + enter.sigmoid() * candidate.tanh()
                x = leave.sigmoid() * c.tanh()
                hidden.append(x)
                cell.append(c)
            bias = weights["output.bias"]
            bias = bias[state.groups] if self.config.group_bias else bias
            rates = torch.sigmoid(x @ weights["output.weight"] + bias)
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"The weights do not fit the optimizer of the preset: {error}.") from None
        new_state = OptimizerState(rates, tuple(hidden), tuple(cell), state.groups)
        return theta - rates * gradient.detach(), new_state

    def _inputs(self, rates: Tensor, gradient: Tensor, theta: Tensor, loss: Tensor) -> Tensor:
        """I of eq. (4) as (count, 5); the gradient takes two columns, its size and its sign."""
        size = gradient.abs()
        large = size > torch.exp(torch.tensor(-P))
        log_size = torch.where(large, torch.log(size + 1e-6) / P, -1.0)
        sign = torch.where(large, gradient.sign(), gradient * torch.exp(torch.tensor(P)))
        rate = torch.log(rates.clamp_min(1e-12)) / P if self.config.log_rate_input else rates
        loss = torch.log(loss + 1e-6) if self.config.log_loss_input else loss
        return torch.stack([rate, log_size, sign, theta, loss.expand_as(theta)], dim=1)
