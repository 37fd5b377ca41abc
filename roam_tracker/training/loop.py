"""The loop of Algorithm 1 on clips whose features are computed once."""

import csv
import io
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor

from roam_tracker.core import backbone
from roam_tracker.core.config import TrackerConfig
from roam_tracker.core.model import canonical_shape
from roam_tracker.core.optimizers import make_optimizer
from roam_tracker.core.response import ThetaShape
from roam_tracker.files import write_atomic
from roam_tracker.training.clips import Clip, Video, draw_clip
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.meta import meta_losses

Log = Callable[[str], None]
DIVERGED = 100.0  # a meta loss beyond this; 2 means "nothing predicted"


@dataclass(frozen=True, slots=True)
class Trained:
    """What training leaves: tensors for a weights file, and one row of figures an iteration."""

    trunk: dict[str, Tensor]  # a backbone that ships with the weights, exact in half precision; else empty
    learned: dict[str, Tensor]  # theta0, lambda0 and the optimizer's weights
    history: list[dict[str, float]]


def whitening(features: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """Weight (K, K, 1, 1) and bias (K,) of the 1x1 layer that whitens feature channels (ZCA).

    features: (n, K, M, M); `floor` times the mean eigenvalue is added to each eigenvalue
    """
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).double()
    mean = rows.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((rows - mean).T))
    matrix = vectors @ torch.diag((values + floor * values.mean()) ** -0.5) @ vectors.T
    return matrix[:, :, None, None].float(), -(matrix @ mean).float()


def train(
    config: TrackerConfig,
    training: TrainingConfig,
    videos: list[Video],
    trunk: dict[str, Tensor],
    log: Log = lambda line: None,
) -> Trained:
    """Train theta(0), lambda(0) and omega for a preset on videos; `trunk` holds the backbone's tensors.

    Deterministic from `training.seed` on one machine. The first `start_iterations` measure theta(1),
    never updated, on all T future frames; then the recurrent updates join.
    """
    rng = np.random.default_rng(training.seed)
    generator = torch.Generator().manual_seed(training.seed)
    length = 1 + training.updates * config.update.every_frames
    own = {}
    if _whitens(config):
        own = trunk = _with_whitening(config, training, videos, trunk)
    clips = []
    for number in range(training.clips):
        clips.append(draw_clip(videos, rng, config, training, trunk, length=length))
        if (number + 1) % 40 == 0:
            log(f"clips {number + 1}/{training.clips}")

    shape = canonical_shape(config)
    parameters = _new_parameters(config, training, shape, generator)
    start = [parameters["unit_theta0"]]
    rate_names = ("log_lambda0", "log_update_rates", "output.bias")
    rates = [value for name, value in parameters.items() if name in rate_names]
    rest = [value for name, value in parameters.items() if name not in ("unit_theta0", *rate_names)]
    adam = torch.optim.Adam(
        [
            {"params": start, "lr": training.start_rate},
            {"params": rates, "lr": training.log_rate_rate},
            *([{"params": rest, "lr": training.optimizer_rate}] if rest else []),
        ]
    )
    history, began = [], time.monotonic()
    for iteration in range(training.iterations):
        recurrent = iteration >= training.start_iterations
        _set_rates(adam, training, iteration)
        chosen = rng.choice(len(clips), training.batch, replace=False)
        losses = _outer_gradient(
            config,
            training,
            shape,
            parameters,
            [clips[k] for k in chosen],
            rng,
            config.update.steps * recurrent,
        )
        adam.step()
        history.append({"iteration": iteration, **losses})
        if (iteration + 1) % 20 == 0:
            recent = history[-20:]
            left = (time.monotonic() - began) / (iteration + 1) * (training.iterations - iteration - 1)
            log(
                f"iteration {iteration + 1}/{training.iterations}  meta loss "
                f"{np.mean([row['meta_loss'] for row in recent]):.3f}  after the start "
                f"{np.mean([row['start_loss'] for row in recent]):.3f}  {left / 60:.1f} min left"
            )
    learned = {
        name: value.detach() for name, value in _model_weights(config, training, shape, parameters).items()
    }
    return Trained(own, learned, history)


def save_trained(trained: Trained, path: Path, metadata: dict[str, str]) -> None:
    """Write the weights as safetensors (backbone in half precision) and the history beside them as CSV."""
    tensors = {name: value.half() for name, value in trained.trunk.items()} | trained.learned
    tensors = {name: value.contiguous() for name, value in tensors.items()}
    write_atomic(path, save(tensors, metadata))
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=("iteration", "meta_loss", "start_loss"))
    writer.writeheader()
    writer.writerows(trained.history)
    write_atomic(path.with_suffix(".csv"), text.getvalue())


def _new_parameters(
    config: TrackerConfig, training: TrainingConfig, shape: ThetaShape, generator: torch.Generator
) -> dict[str, Tensor]:
    unit = torch.zeros(shape.count)
    for reduction, _, filters, _ in shape.branches(unit):  # views: the biases start at 0
        reduction.normal_(generator=generator)
        filters.normal_(generator=generator)
    first_rates = _by_group(_rates(config, training), shape)
    parameters = {
        "unit_theta0": unit,
        "log_lambda0": torch.log(first_rates),
        **make_optimizer(config.optimizer).new_weights(generator, len(shape.group_sizes)),
    }
    if config.optimizer.kind == "constant":
        parameters["log_update_rates"] = torch.log(first_rates)
    if config.optimizer.group_bias and "output.bias" in parameters:
        parameters["output.bias"] = torch.logit(torch.tensor(training.first_rates)).repeat(
            2 if shape.box else 1
        )
    if "output.weight" in parameters:
        parameters["output.weight"] *= 0.3
    return {name: value.requires_grad_() for name, value in parameters.items()}


def _model_weights(
    config: TrackerConfig, training: TrainingConfig, shape: ThetaShape, parameters: dict[str, Tensor]
) -> dict[str, Tensor]:
    weights = dict(parameters)
    weights["theta0"] = weights.pop("unit_theta0") * _by_group(_sizes(config, training), shape)
    weights["lambda0"] = weights.pop("log_lambda0").exp()
    if "log_update_rates" in weights:
        weights["update_rates"] = weights.pop("log_update_rates").exp()
    return weights


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
    return 1.0 if _whitens(config) else spec.feature_rms or 1.0


def _whitens(config: TrackerConfig) -> bool:
    spec = backbone.backbone_spec(config.model.backbone)
    return any(layer.name == "whiten" for block in spec.blocks for layer in block.layers)


def _by_group(values: tuple[float, ...], shape: ThetaShape) -> Tensor:
    """(count,) the value of each coordinate's group; the box branch has the response branch's."""
    return torch.tensor(values)[shape.groups() % 4]


def _set_rates(adam: torch.optim.Adam, training: TrainingConfig, iteration: int) -> None:
    """Cosine from the full rates to a tenth of them."""
    share = 0.55 + 0.45 * math.cos(math.pi * iteration / training.iterations)
    full = (training.start_rate, training.log_rate_rate, training.optimizer_rate)
    for group, rate in zip(adam.param_groups, full, strict=False):  # a rule may have no weights
        group["lr"] = rate * share


def _outer_gradient(
    config: TrackerConfig,
    training: TrainingConfig,
    shape: ThetaShape,
    parameters: dict[str, Tensor],
    clips: list[Clip],
    rng: np.random.Generator,
    steps: int,
) -> dict[str, float]:
    """Leave the gradient of eq. (8) in the parameters; each clip's part is bounded in norm."""
    totals = {name: torch.zeros_like(value) for name, value in parameters.items()}
    mean_loss = start_loss = 0.0
    for clip in clips:
        futures = rng.integers(config.update.every_frames, size=training.updates).tolist()
        weights = _model_weights(config, training, shape, parameters)
        losses = meta_losses(config, weights, clip, futures, steps=steps)
        # once an adaptation has diverged, what follows teaches nothing
        alive = (losses.detach() < DIVERGED).long().cumprod(0).bool()
        names = list(totals)
        gradients = torch.autograd.grad(
            losses[alive].sum() / len(losses), [parameters[name] for name in names], allow_unused=True
        )
        known = {name: g for name, g in zip(names, gradients, strict=True) if g is not None}
        norm = float(torch.stack([g.norm() for g in known.values()]).norm())
        if math.isfinite(norm):
            share = min(1.0, training.clip_norm / (norm + 1e-12)) / len(clips)
            for name, gradient in known.items():
                totals[name] += share * gradient
        told = losses.detach().nan_to_num(DIVERGED).clamp(max=DIVERGED)
        mean_loss += float(told.mean()) / len(clips)
        start_loss += float(told[0]) / len(clips)
    for name, value in parameters.items():
        value.grad = totals[name] if totals[name].any() else None
    return {"meta_loss": mean_loss, "start_loss": start_loss}


def _with_whitening(
    config: TrackerConfig, training: TrainingConfig, videos: list[Video], trunk: dict[str, Tensor]
) -> dict[str, Tensor]:
    """The backbone's tensors, rounded to half precision as they are stored, the last layer whitening.

    The statistics are those of a few crops of each video.
    """
    spec = backbone.backbone_spec(config.model.backbone)
    names = {
        f"{layer.name}.{part}"
        for block in spec.blocks
        for layer in block.layers
        for part in ("weight", "bias")
    }
    known = {name: value.half().float() for name, value in trunk.items() if name in names}
    known["whiten.weight"], known["whiten.bias"] = (
        torch.eye(spec.channels)[:, :, None, None],
        torch.zeros(spec.channels),
    )
    rng = np.random.default_rng(training.seed)
    drawn = [draw_clip([video], rng, config, training, known, length=4) for video in videos]
    features = torch.cat([clip.features for clip in drawn]).float()
    weight, bias = whitening(features, training.whiten_floor)
    known["whiten.weight"], known["whiten.bias"] = weight.half().float(), bias.half().float()
    return known
