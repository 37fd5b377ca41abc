"""The last layer of a backbone that whitens its channels: fixed statistics of the training clips."""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from roam_tracker.core import backbone
from roam_tracker.core.config import TrackerConfig
from roam_tracker.training.clips import draw_clip
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.sources import ClipSource
from roam_tracker.training.store import first_readable


def whitening(features: Tensor, floor: float) -> tuple[Tensor, Tensor]:
    """Weight (K, K, 1, 1) and bias (K,) of the 1x1 layer that whitens feature channels (ZCA).

    features: (n, K, M, M); `floor` times the mean eigenvalue is added to each eigenvalue
    """
    rows = features.permute(0, 2, 3, 1).reshape(-1, features.shape[1]).double()
    mean = rows.mean(0)
    values, vectors = torch.linalg.eigh(torch.cov((rows - mean).T))
    matrix = vectors @ torch.diag((values + floor * values.mean()) ** -0.5) @ vectors.T
    return matrix[:, :, None, None].float(), -(matrix @ mean).float()


def with_whitening(
    config: TrackerConfig,
    training: TrainingConfig,
    source: ClipSource,
    trunk: dict[str, Tensor],
    skip: Callable[[str], None] = lambda why: None,
) -> dict[str, Tensor]:
    """The backbone's tensors, rounded to half precision as they are stored, the last layer whitening.

    The statistics are those of a few crops of 16 clips; `skip` is told of clips that cannot be read.
    """
    spec = backbone.backbone_spec(config.model.backbone)
    known = {name: value.half().float() for name, value in trunk.items()}
    known["whiten.weight"], known["whiten.bias"] = (
        torch.eye(spec.channels)[:, :, None, None],
        torch.zeros(spec.channels),
    )
    rng = np.random.default_rng(training.data_seed)
    drawn = [
        first_readable(lambda _: draw_clip(source, rng, config, training, known, length=4), skip)
        for _ in range(16)
    ]
    features = torch.cat([clip.features for clip in drawn]).float()
    weight, bias = whitening(features, training.whiten_floor)
    known["whiten.weight"], known["whiten.bias"] = weight.half().float(), bias.half().float()
    return known
