"""A target being tracked as one safetensors file, from which tracking goes on byte for byte.

Tensors are stored in the order in which they lie in memory: it decides how a convolution adds, and
so the last bits. Everything else is JSON in the file's metadata; Python writes floats so that they
are read back exactly.
"""

import hashlib
import json
import os
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from roam_tracker.core.optimizers import OptimizerState
from roam_tracker.core.state import Sample, State
from roam_tracker.core.theta import ThetaShape
from roam_tracker.core.tracking import Model
from roam_tracker.errors import InputError
from roam_tracker.files import write_atomic

_FORMAT = "roam-tracker state 2"
_MADE_AGAIN = "kept"  # what an engine keeps for itself
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (State, Sample, ThetaShape, OptimizerState)}


def write_state(
    path: str | os.PathLike[str],
    model: Model,
    state: State,
    score: float,
    levels: tuple[float, float] | None = None,
) -> None:
    """Write a target, the score of its last frame and the levels of its images, whole or not at all."""
    tensors: dict[str, Tensor] = {}
    tree = _pack(state, "state", tensors)
    metadata = {
        "format": _FORMAT,
        "model": fingerprint(model),
        "state": json.dumps(tree),
        "score": json.dumps(score),
        "levels": json.dumps(levels),
    }
    write_atomic(path, save(tensors, metadata))


def read_state(path: str | os.PathLike[str], model: Model) -> tuple[State, float, tuple[float, float] | None]:
    """The target, the score of its last frame, and the levels of its images (None where they have 8 bits).

    Raises InputError for a file that is absent, damaged or of another preset or other weights.
    """
    try:
        with safe_open(path, "pt") as file:
            metadata, tensors = file.metadata() or {}, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        if metadata.get("format") != _FORMAT:
            raise ValueError(f"its format is {metadata.get('format')!r}")
        theirs, ours = metadata["model"], fingerprint(model)
        if theirs == ours:
            state = _unpack(json.loads(metadata["state"]), tensors, model.device)
            levels = json.loads(metadata.get("levels", "null"))
            score = json.loads(metadata["score"])
            return state, score, None if levels is None else (float(levels[0]), float(levels[1]))
    except OSError as error:
        why = error.strerror or error
        raise InputError(f"State file {path} cannot be read: {why}. Save the target again.") from None
    except (SafetensorError, KeyError, TypeError, ValueError, RuntimeError) as error:
        raise InputError(f"{path} is no whole state file ({error}). Save the target again.") from None
    raise InputError(
        f"{path} was saved by a tracker with another preset or other weights ({theirs[:8]}, "
        f"here {ours[:8]}). Load it into a tracker made as that one was."
    )


def fingerprint(model: Model) -> str:
    """SHA-256 of all settings and weights; where the weights lie does not count."""
    settings = {
        entry.name: repr(getattr(model.config, entry.name))
        for entry in fields(model.config)
        if entry.name != "weights"
    }
    digest = hashlib.sha256(json.dumps(settings).encode())
    for name, tensor in sorted(model.weights.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _pack(value: Any, name: str, tensors: dict[str, Tensor]) -> Any:
    """`value` as JSON; its tensors go into `tensors` under their path."""
    if isinstance(value, Tensor):
        order = sorted(range(value.dim()), key=value.stride().__getitem__, reverse=True)
        tensors[name] = value.permute(order).contiguous().cpu().clone()  # no two share memory
        return {"tensor": name, "order": order}
    if is_dataclass(value):
        parts = {
            entry.name: _pack(getattr(value, entry.name), f"{name}.{entry.name}", tensors)
            for entry in fields(value)
            if entry.name != _MADE_AGAIN
        }
        return {"kind": type(value).__name__, "fields": parts}
    if isinstance(value, tuple):
        return [_pack(entry, f"{name}.{index}", tensors) for index, entry in enumerate(value)]
    return value  # a number, a truth value or None


def _unpack(tree: Any, tensors: dict[str, Tensor], device: torch.device) -> Any:
    if isinstance(tree, list):
        return tuple(_unpack(entry, tensors, device) for entry in tree)
    if not isinstance(tree, dict):
        return tree
    if "tensor" in tree:
        back = sorted(range(len(tree["order"])), key=tree["order"].__getitem__)
        # a copy, for the file's bytes lie at any address and some kernels care
        return tensors[tree["tensor"]].permute(back).clone().to(device)
    return _KINDS[tree["kind"]](
        **{key: _unpack(part, tensors, device) for key, part in tree["fields"].items()}
    )
