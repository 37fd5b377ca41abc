"""A training run on disk: all that the next outer step depends on, in one safetensors file."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from roam_tracker.errors import ConfigError, WeightsError
from roam_tracker.files import write_atomic
from roam_tracker.training.parameters import Parameters

History = list[dict[str, float]]


@dataclass(frozen=True, slots=True)
class Progress:
    """Where a run stands: finished outer steps of a stage, and one row of figures for each of all stages."""

    stage: str
    steps: int
    history: History


def save_checkpoint(
    path: Path, settings: str, progress: Progress, parameters: Parameters, adam: torch.optim.Adam
) -> None:
    """Write parameters, ADAM's state and progress; `settings` is what a resumed run must share."""
    tensors = {f"parameter.{name}": value.detach().contiguous() for name, value in parameters.items()}
    for number, state in adam.state_dict()["state"].items():
        tensors |= {f"adam.{number}.{name}": torch.as_tensor(value) for name, value in state.items()}
    about = {
        "settings": settings,
        "stage": progress.stage,
        "steps": str(progress.steps),
        "history": json.dumps(progress.history),
    }
    write_atomic(path, save(tensors, about))


def load_checkpoint(path: Path, settings: str) -> tuple[Progress, dict[str, Tensor]]:
    """The progress and the tensors of `save_checkpoint`; see `restore`.

    Raises ConfigError when the checkpoint belongs to a run with other settings or data, WeightsError
    when it is damaged.
    """
    try:
        with safe_open(path, "pt") as file:
            about = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
        progress = Progress(about["stage"], int(about["steps"]), json.loads(about["history"]))
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise WeightsError(f"Checkpoint {path} is damaged ({error}). Remove it to train afresh.") from None
    if about["settings"] != settings:
        old, new = _flat(json.loads(about["settings"])), _flat(json.loads(settings))
        changed = [key for key in {**old, **new} if old.get(key) != new.get(key)]
        raise ConfigError(
            f"Checkpoint {path} belongs to a run with another {', '.join(sorted(changed))}. "
            "Remove it to train afresh, or choose another --out."
        )
    return progress, tensors


def _flat(settings: dict[str, Any], within: str = "") -> dict[str, Any]:
    """Nested settings as one dictionary with keys such as training.seed."""
    flat: dict[str, Any] = {}
    for key, value in settings.items():
        flat |= _flat(value, f"{within}{key}.") if isinstance(value, dict) else {within + key: value}
    return flat


def restore(tensors: dict[str, Tensor], parameters: Parameters, adam: torch.optim.Adam) -> None:
    """Put a checkpoint's values into the parameters and into ADAM, in place."""
    with torch.no_grad():
        for name, value in parameters.items():
            value.copy_(tensors[f"parameter.{name}"])
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        if name.startswith("adam."):
            _, number, entry = name.split(".")
            state.setdefault(int(number), {})[entry] = value
    adam.load_state_dict(adam.state_dict() | {"state": state})
