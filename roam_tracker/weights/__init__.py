"""Weights that come with the package, and how any weights file is read."""

import hashlib
from importlib import resources
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from roam_tracker.core.backbone import backbone_spec
from roam_tracker.core.config import TrackerConfig
from roam_tracker.errors import WeightsError
from roam_tracker.weights.backbones import check_finite, load_backbone


def _published(weights: str) -> str | None:
    """The SHA-256 of a shipped file, from `SHA256SUMS` beside it."""
    lines = resources.files("roam_tracker").joinpath("weights", "SHA256SUMS").read_text("ascii").splitlines()
    return {name: digest for digest, name in (line.split() for line in lines)}.get(f"{weights}.safetensors")


def weights_for(config: TrackerConfig) -> dict[str, Tensor]:
    """All tensors of a preset: its weights file, and the backbone's own file where it has one.

    Raises WeightsError when a file is absent or damaged; see `load_weights` and `load_backbone`.
    """
    weights = load_weights(config.weights)
    published = backbone_spec(config.model.backbone).apart
    return load_backbone(config.model.backbone) | weights if published else weights


def load_weights(weights: str) -> dict[str, Tensor]:
    """Tensors, float32, of a shipped file by its name, or of any file by its path (ending in .safetensors).

    Raises WeightsError when the file is absent or damaged, or has a value that is not finite.
    """
    try:
        tensors = {name: tensor.float() for name, tensor in load(read_weights(weights)).items()}
    except (SafetensorError, ValueError, KeyError, RuntimeError) as error:  # a kind of number torch has not
        raise WeightsError(
            f"Weights {weights} are damaged ({error}). Fetch or make the file again."
        ) from None
    return check_finite(weights, tensors)


def read_weights(weights: str) -> bytes:
    """The content of the file that `load_weights` reads; WeightsError when it is absent."""
    if weights.endswith(".safetensors"):
        path = Path(weights)
        if not path.is_file():
            raise WeightsError(f"Weights file {path} does not exist.")
        return path.read_bytes()
    entry = resources.files("roam_tracker").joinpath("weights", f"{weights}.safetensors")
    if not entry.is_file():
        raise WeightsError(
            f"No weights named {weights!r} come with roam-tracker. Train some: roam train --help"
        )
    content = entry.read_bytes()
    if hashlib.sha256(content).hexdigest() != _published(weights):
        raise WeightsError(
            f"The weights {weights!r} of the installed package are not those it was published with. "
            "Install roam-tracker again."
        )
    return content
