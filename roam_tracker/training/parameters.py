"""What training changes: theta(0) in units, the logarithms of rates, and the optimizer's weights."""

import math

import torch
from torch import Tensor

from roam_tracker.core import backbone
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.optimizers import make_optimizer
from roam_tracker.core.theta import ThetaShape, canonical_shape
from roam_tracker.errors import WeightsError
from roam_tracker.training.config import TrainingConfig

Parameters = dict[str, Tensor]
START = ("unit_theta0", "log_lambda0")
RATES = ("log_lambda0", "log_update_rates", "output.bias")  # logarithms of rates, or nearly


def new_parameters(config: TrackerConfig, training: TrainingConfig, generator: torch.Generator) -> Parameters:
    """Untrained parameters; theta(0) is kept in units of `first_sizes`, rates as logarithms.

    Biases of theta(0) start at 0, everything else of it at random.
    """
    shape = canonical_shape(config)
    unit = torch.zeros(shape.count)
    reduction, _, filters, _ = shape.split(unit)  # views
    reduction.normal_(generator=generator)
    filters.normal_(generator=generator)
    first_rates = _by_group(_rates(config, training), shape)
    parameters = {
        "unit_theta0": unit,
        "log_lambda0": torch.log(first_rates),
        **make_optimizer(config.optimizer).new_weights(generator),
    }
    if config.optimizer.kind == "constant":
        parameters["log_update_rates"] = torch.log(first_rates)
    if "output.bias" in parameters:
        alike = torch.tensor([training.output_bias])
        by_group = torch.logit(torch.tensor(_rates(config, training)))
        parameters["output.bias"] = by_group if config.optimizer.group_bias else alike
    if "output.weight" in parameters:
        parameters["output.weight"] *= training.output_size
    return {name: value.requires_grad_() for name, value in parameters.items()}


def with_start(
    parameters: Parameters, config: TrackerConfig, training: TrainingConfig, start: dict[str, Tensor]
) -> Parameters:
    """The parameters with theta(0) and lambda(0) of a weights file.

    Raises WeightsError when they are not of the preset's shape.
    """
    count = canonical_shape(config).count
    for name in ("theta0", "lambda0"):
        shape = tuple(start[name].shape) if name in start else None
        if shape != (count,):
            raise WeightsError(
                f"The weights to start from have {name} of shape {shape}, the preset needs ({count},). "
                "Start from weights of the same preset."
            )
    sizes = _by_group(_sizes(config, training), canonical_shape(config))
    known = {"unit_theta0": start["theta0"] / sizes, "log_lambda0": start["lambda0"].log()}
    return {
        name: known.get(name, value.detach()).clone().requires_grad_() for name, value in parameters.items()
    }


def model_weights(
    config: TrackerConfig, training: TrainingConfig, parameters: Parameters
) -> dict[str, Tensor]:
    """theta0, lambda0, update_rates and omega as a weights file holds them, differentiable."""
    weights = dict(parameters)
    unit = weights.pop("unit_theta0")
    weights["theta0"] = unit * _by_group(_sizes(config, training), canonical_shape(config)).to(unit.device)
    weights["lambda0"] = weights.pop("log_lambda0").exp()
    if "log_update_rates" in weights:
        weights["update_rates"] = weights.pop("log_update_rates").exp()
    return weights


def outer_optimizer(parameters: Parameters, training: TrainingConfig) -> torch.optim.Adam:
    """ADAM with a rate for each kind: theta(0), logarithms of rates, and omega.

    The groups are in the order of `names_by_kind`; a kind without parameters has none.
    """
    rates = training.start_rate, training.log_rate_rate, training.optimizer_rate
    groups = [
        {"params": [parameters[name] for name in names], "lr": rate, "full_rate": rate}
        for names, rate in zip(names_by_kind(parameters), rates, strict=True)
        if names
    ]
    return torch.optim.Adam(groups)


def names_by_kind(parameters: Parameters) -> tuple[list[str], list[str], list[str]]:
    """The names of theta(0), of logarithms of rates, and of omega."""
    start = ["unit_theta0"]
    rates = [name for name in parameters if name in RATES]
    omega = [name for name in parameters if name not in (*start, *rates)]
    return start, rates, omega


def set_rates(adam: torch.optim.Adam, progress: float) -> None:
    """Cosine from the full rates at progress 0 to a tenth of them at 1."""
    share = 0.55 + 0.45 * math.cos(math.pi * progress)
    for group in adam.param_groups:
        group["lr"] = group["full_rate"] * share


def whitens(config: TrackerConfig) -> bool:
    """Whether the backbone ends in a layer that whitens its channels."""
    spec = backbone.backbone_spec(config.model.backbone)
    return any(layer.name == "whiten" for block in spec.blocks for layer in block.layers)


def _sizes(config: TrackerConfig, training: TrainingConfig) -> tuple[float, ...]:
    """First sizes of theta(0) by group: given for 40 unit features, changed to the backbone's (D)."""
    reduction, *others = training.first_sizes
    channels = backbone.backbone_spec(config.model.backbone).channels
    return reduction * math.sqrt(40 / channels) / _feature_scale(config), *others


def _rates(config: TrackerConfig, training: TrainingConfig) -> tuple[float, ...]:
    """First rates by group; the loss's curvature in the reduction grows with the features' square (D)."""
    reduction, *others = training.first_rates
    return reduction / _feature_scale(config) ** 2, *others


def _feature_scale(config: TrackerConfig) -> float:
    spec = backbone.backbone_spec(config.model.backbone)
    return 1.0 if whitens(config) else spec.feature_rms or 1.0


def _by_group(values: tuple[float, ...], shape: ThetaShape) -> Tensor:
    """(count,) the value of each coordinate's group."""
    return torch.tensor(values)[shape.groups()]
