"""What made raw results: `manifest.json` in the folder of each tracker.

    format     "roam-tracker manifest 1"
    tracker    the name of the results
    preset     a name or a file; null for a tracker without one, as are the next three
    config     all settings of the preset
    weights    the name or file in the preset, and the SHA-256 of the file
    backbone   the same for a backbone with a file of its own, else null
    runs       one entry for each run that finished a sequence:
      date, command, device, threads, versions
      sequences   those it was the last to finish

A sequence in no entry has results that some other program brought.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roam_tracker.core.config import TrackerConfig, load_preset
from roam_tracker.errors import ResultError
from roam_tracker.files import write_atomic
from roam_tracker.provenance import command, versions
from roam_tracker.toolkits.registry import Follower, label, preset_of

FORMAT = "roam-tracker manifest 1"


class Manifest:
    """The manifest of a folder of results, and the run that goes on in it.

    Raises ResultError when the folder's results were made with other settings or weights.
    """

    def __init__(self, folder: Path, tracker: str) -> None:
        self.path = folder / "manifest.json"
        self._made_by = _identity(tracker)
        self._runs: list[dict[str, Any]] = []
        if self.path.is_file():
            found = _read(self.path)
            self._runs = found["runs"]
            difference = _difference(found, self._made_by)
            if difference:
                raise ResultError(
                    f"{folder} holds results made otherwise: {difference}. "
                    "Delete the folder, or choose another one for the results."
                )
        self._run: dict[str, Any] | None = None

    def add(self, sequence: str, follower: Follower) -> None:
        """Write that this run, with this tracker, has finished a sequence."""
        if self._run is None:
            self._run = {
                "date": datetime.now(UTC).isoformat(timespec="seconds"),
                "command": command(),
                **_device(follower),
                "versions": versions(),
                "sequences": [],
            }
        others = [
            {**run, "sequences": [name for name in run["sequences"] if name != sequence]}
            for run in self._runs
        ]
        self._runs = [run for run in others if run["sequences"]]
        self._run["sequences"].append(sequence)
        content = {"format": FORMAT, **self._made_by, "runs": [*self._runs, self._run]}
        write_atomic(self.path, json.dumps(content, indent=1) + "\n")


def _identity(tracker: str) -> dict[str, Any]:
    """What must be the same for results in one folder."""
    preset = preset_of(tracker)
    nothing: dict[str, Any] = {"preset": preset, "config": None, "weights": None, "backbone": None}
    if preset is None:
        return {"tracker": label(tracker), **nothing}
    # torch only for who needs it
    from roam_tracker.core.backbone import backbone_spec
    from roam_tracker.weights import read_weights
    from roam_tracker.weights.backbones import find_backbone

    config = load_preset(preset)
    backbone = config.model.backbone
    file = find_backbone(backbone) if backbone_spec(backbone).file is not None else None
    return {
        "tracker": label(tracker),
        "preset": preset,
        "config": asdict(config),
        "weights": _file(config.weights, read_weights(config.weights)),
        "backbone": None if file is None else _file(file.name, file.read_bytes()),
    }


def _file(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest()}


def _device(follower: Follower) -> dict[str, Any]:
    """Where a tracker works; one without torch has no device of its own."""
    device = getattr(getattr(follower, "tracker", follower), "device", None)
    if device is None:
        return {"device": "cpu", "threads": 1}
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    return {"device": f"{device} {name}".strip(), "threads": torch.get_num_threads()}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT or not all(run["sequences"] for run in content["runs"]):
            raise ValueError
        return dict(content)
    except (OSError, ValueError, KeyError, TypeError):
        raise ResultError(f"{path} is no manifest of this version. Delete it or its folder.") from None


def _difference(found: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first thing that differs, in words; "" if nothing does.

    A setting that the manifest does not know had, when it was written, the effect of its default.
    """
    defaults = _flat(asdict(TrackerConfig()))
    before, present = _flat(found.get("config") or {}), _flat(now["config"] or {})
    for key, value in present.items():
        old = before.get(key, defaults[key])
        if json.dumps(value) != json.dumps(old) and key != "weights":  # weights are compared by content
            return f"{key} was {json.dumps(old)}, it is {json.dumps(value)} now"
    for part in ("weights", "backbone"):
        old, new = found.get(part) or {}, now[part] or {}
        if old.get("sha256") != new.get("sha256"):
            return f"the {part} were {_short(old)}, they are {_short(new)} now"
    return ""


def _short(file: Mapping[str, str]) -> str:
    return f"{file['name']} (SHA-256 {file['sha256'][:8]})" if file else "none"


def _flat(table: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested tables as one, with keys such as update.steps."""
    flat: dict[str, Any] = {}
    for key, value in table.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
