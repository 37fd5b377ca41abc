"""Update rules behind `init` and `step` (eqs. 3-5 and the variants of section 6.2).

Here h, c are the hidden and cell states of a layer, lambda the rates, g the gradient, l the update
loss; every coordinate of theta is one row of the batch and all rows share the weights omega.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from roam_tracker.core.config import OptimizerConfig
from roam_tracker.errors import WeightsError

P = 10.0  # gradients below e^-P are told apart linearly, above it by logarithm and sign
Weights = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class OptimizerState:
    """What a rule remembers between steps, one row for each coordinate of theta."""

    rates: Tensor  # (count,) lambda of the previous step; lambda(0) at the start
    groups: Tensor  # (count,) int64, the parameter group of each coordinate
    hidden: tuple[Tensor, ...] = ()  # h of each layer, (count, hidden)
    cell: tuple[Tensor, ...] = ()  # c of each layer, (count, hidden)


class Optimizer(ABC):
    """An update rule theta' = theta - lambda * g (eq. 3) whose rates lambda the subclass gives."""

    def __init__(self, config: OptimizerConfig) -> None:
        self.config = config

    def new_weights(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Untrained weights omega."""
        return {}

    def init(self, rates: Tensor, groups: Tensor, constant: Tensor | None = None) -> OptimizerState:
        """The state before the first recurrent update.

        rates:    (count,) lambda(0), which stands for the previous rate (G)
        groups:   (count,) int64
        constant: (count,) learned update rates resized to the target, where the rule has such
        """
        return OptimizerState(rates, groups)

    def step(
        self, weights: Weights, state: OptimizerState, theta: Tensor, gradient: Tensor, loss: Tensor
    ) -> tuple[Tensor, OptimizerState]:
        """One update; theta, gradient: (count,), loss: scalar.

        Gradient and inputs are constants (section 3.2); the derivative of theta' reaches `weights`, the
        hidden states and, by eq. (3), `theta`.
        """
        try:
            after = self.rates(weights, state, theta, gradient, loss)
        except (KeyError, RuntimeError) as error:
            raise WeightsError(f"The weights do not fit the optimizer of the preset: {error}.") from None
        return theta - after.rates * gradient.detach(), after

    @abstractmethod
    def rates(
        self, weights: Weights, state: OptimizerState, theta: Tensor, gradient: Tensor, loss: Tensor
    ) -> OptimizerState:
        """The state with the rates of this step."""


class SgdOptimizer(Optimizer):
    """Fixed rates, one or one for each parameter group."""

    def rates(
        self, weights: Weights, state: OptimizerState, theta: Tensor, gradient: Tensor, loss: Tensor
    ) -> OptimizerState:
        """The preset's rates."""
        rates = torch.full_like(theta, self.config.sgd_rates[0])
        for group, rate in enumerate(self.config.sgd_rates):
            rates = torch.where(state.groups == group, rate, rates)
        return OptimizerState(rates, state.groups)


class ConstantOptimizer(Optimizer):
    """A learned constant rate for each coordinate (ROAM-ConstLR)."""

    def init(self, rates: Tensor, groups: Tensor, constant: Tensor | None = None) -> OptimizerState:
        """The state holds the learned update rates from the start."""
        if constant is None:
            raise WeightsError("The weights have no tensor 'update_rates', which a constant optimizer needs.")
        return OptimizerState(constant, groups)

    def rates(
        self, weights: Weights, state: OptimizerState, theta: Tensor, gradient: Tensor, loss: Tensor
    ) -> OptimizerState:
        """The same rates at every step."""
        return state


class LearnedOptimizer(Optimizer):
    """Layers that see I of eq. (4), then lambda = sigmoid(O(I)) in (0, 1), eq. (5).

    Weights: `layer<k>.input` (inputs, gates * hidden), `layer<k>.recurrent` (hidden, gates * hidden),
    `layer<k>.bias` (gates * hidden,), `output.weight` (hidden,), `output.bias` (1,) or (groups,).
    """

    gates = 1
    recurrent = True

    def new_weights(self, generator: torch.Generator) -> dict[str, Tensor]:
        """Uniform weights within hidden^-1/2, biases of 0; training sets where the output starts."""
        hidden, weights = self.config.hidden, {}
        for layer in range(self.config.layers):
            width = 5 if layer == 0 else hidden
            shapes = {"input": width, "recurrent": hidden} if self.recurrent else {"input": width}
            for name, rows in shapes.items():
                uniform = torch.rand(rows, self.gates * hidden, generator=generator)
                weights[f"layer{layer}.{name}"] = (2 * uniform - 1) * hidden**-0.5
            weights[f"layer{layer}.bias"] = torch.zeros(self.gates * hidden)
        weights["output.weight"] = (2 * torch.rand(hidden, generator=generator) - 1) * hidden**-0.5
        weights["output.bias"] = torch.zeros(4 if self.config.group_bias else 1)
        return weights

    def init(self, rates: Tensor, groups: Tensor, constant: Tensor | None = None) -> OptimizerState:
        """h = c = 0 (G)."""
        zeros = tuple(rates.new_zeros(rates.shape[0], self.config.hidden) for _ in range(self.config.layers))
        return OptimizerState(rates, groups, zeros, zeros)

    def rates(
        self, weights: Weights, state: OptimizerState, theta: Tensor, gradient: Tensor, loss: Tensor
    ) -> OptimizerState:
        """Eq. (5)."""
        x = self.inputs(state.rates, gradient, theta, loss).detach()
        hidden, cell = [], []
        for layer in range(self.config.layers):
            names = ("input", "recurrent", "bias") if self.recurrent else ("input", "bias")
            part = [weights[f"layer{layer}.{name}"] for name in names]
            x, c = self.cell(part, x, state.hidden[layer], state.cell[layer])
            hidden.append(x)
            cell.append(c)
        bias = weights["output.bias"]
        bias = bias[state.groups] if self.config.group_bias else bias
        rates = torch.sigmoid(x @ weights["output.weight"] + bias)
        return OptimizerState(rates, state.groups, tuple(hidden), tuple(cell))

    @abstractmethod
    def cell(self, weights: list[Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """One layer: x (count, width), h and c (count, hidden); returns the new h and c."""

    def inputs(self, rates: Tensor, gradient: Tensor, theta: Tensor, loss: Tensor) -> Tensor:
        """I of eq. (4), (count, 5): previous rate, gradient (two columns), parameter, loss."""
        size, knee = gradient.abs(), math.exp(-P)
        columns = {
            "rate": torch.log(rates.clamp_min(1e-12)) / P if self.config.log_rate_input else rates,
            "gradient_size": torch.where(size > knee, torch.log(size + 1e-6) / P, -1.0),
            "gradient_sign": torch.where(size > knee, gradient.sign(), gradient / knee),
            "theta": theta,
            "loss": (torch.log(loss + 1e-6) if self.config.log_loss_input else loss).expand_as(theta),
        }
        return torch.stack(list(columns.values())).t()


class LstmOptimizer(LearnedOptimizer):
    """The coordinate-wise LSTM of eqs. (4)-(5), gates in the order input, forget, cell, output."""

    gates = 4

    def new_weights(self, generator: torch.Generator) -> dict[str, Tensor]:
        """As the base, but the forget gate starts open."""
        weights, hidden = super().new_weights(generator), self.config.hidden
        for layer in range(self.config.layers):
            weights[f"layer{layer}.bias"][hidden : 2 * hidden] = 1.0
        return weights

    def cell(self, weights: list[Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """Eqs. (4) and (5): c' = f c + i tanh(candidate), h' = o tanh(c')."""
        from_input, recurrent, bias = weights
        enter, forget, candidate, leave = (x @ from_input + h @ recurrent + bias).chunk(4, dim=1)
        c = forget.sigmoid() * c + enter.sigmoid() * candidate.tanh()
        return leave.sigmoid() * c.tanh(), c


class GruOptimizer(LearnedOptimizer):
    """Gated recurrent units in place of the LSTM (ROAM-GRU), gates in the order reset, update, candidate."""

    gates = 3

    def cell(self, weights: list[Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """h' = (1 - z) tanh(n + r U h) + z h."""
        from_input, recurrent, bias = weights
        reset, keep, candidate = (x @ from_input + bias).chunk(3, dim=1)
        from_reset, from_keep, from_candidate = (h @ recurrent).chunk(3, dim=1)
        z = (keep + from_keep).sigmoid()
        new = torch.tanh(candidate + (reset + from_reset).sigmoid() * from_candidate)
        return (1 - z) * new + z * h, c


class FcOptimizer(LearnedOptimizer):
    """Linear layers, each followed by tanh, without memory (ROAM-FC)."""

    recurrent = False

    def cell(self, weights: list[Tensor], x: Tensor, h: Tensor, c: Tensor) -> tuple[Tensor, Tensor]:
        """tanh(W x + b)."""
        from_input, bias = weights
        return torch.tanh(x @ from_input + bias), c


KINDS: dict[str, type[Optimizer]] = {
    "lstm": LstmOptimizer,
    "gru": GruOptimizer,
    "fc": FcOptimizer,
    "constant": ConstantOptimizer,
    "sgd": SgdOptimizer,
}


def make_optimizer(config: OptimizerConfig) -> Optimizer:
    """The update rule of a preset."""
    return KINDS[config.kind](config)
