"""What made raw results: `manifest.json` in the folder of each tracker.

    format     "roam-tracker manifest 2"
    tracker    the name of the results
    preset     a name or a file, or `module:Class`; null for a tracker without one
    config     all settings of the preset, null where there is none, as are the next two
    weights    the name or file in the preset, and the SHA-256 of the file
    backbone   the same for a backbone with a file of its own, else null
    runs       one entry for each run that finished a sequence:
      id, date, command, device, threads, workers, decoder, seed, versions
      code       of a tracker that is not ours: SHA-256 of the file of its class and of those beside it that
                 it imports
      sequences  those it was the last to finish: rows, the SHA-256 of the file of boxes (of several
                 repetitions: of their files one after the other), and a digest of the frames and the first
                 box, `data`; null in a VOT workspace, whose files the toolkit writes

A result that no entry tells of, whose hash is another, or that was made from other frames or by other code is
not trusted: it is made again.
"""

import fcntl
import hashlib
import json
import os
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from roam_tracker.core.config import RETIRED, TrackerConfig, load_preset
from roam_tracker.errors import ResultError
from roam_tracker.files import write_atomic
from roam_tracker.provenance import command, decoder, versions
from roam_tracker.toolkits.registry import find_class, label, preset_of
from roam_tracker.toolkits.run.identity import changed, code_identity

FORMAT = "roam-tracker manifest 2"


class Manifest:
    """The manifest of a folder of results, and the run that goes on in it.

    tracker: a name of the registry, a preset file, `module:Class`, or any name where there is a
    foreign: class of somebody else's
    Raises ResultError when the folder's results were made with other settings or weights.
    """

    def __init__(self, folder: Path, tracker: str, *, foreign: Any = None) -> None:
        self.path = folder / "manifest.json"
        self._made_by = _identity(tracker) if foreign is None else _nothing(tracker)
        if foreign is None and ":" in tracker:
            foreign = find_class(tracker)
        self._code = {} if foreign is None else code_identity(foreign, tracker.partition(":")[0])
        self._id = uuid.uuid4().hex[:12]
        self._runs = self._read()

    def add(
        self, sequence: str, made: Mapping[str, Any], files: list[bytes] | None, data: str | None = None
    ) -> None:
        """Write that this run has finished a sequence.

        made:  device, threads, and what else describes the run
        files: the contents of the files of boxes; None where another program writes them
        data:  what it was run on, see `data_identity`
        Other runs may write into the same folder: what they wrote is read again before.
        """
        with _locked(self.path.parent):
            runs = self._read()
            mine = next((run for run in runs if run["id"] == self._id), None)
            if mine is None:
                mine = {
                    "id": self._id,
                    "date": datetime.now(UTC).isoformat(timespec="seconds"),
                    "command": command(),
                    **made,
                    "decoder": decoder(),
                    "versions": versions(),
                    **({"code": self._code} if self._code else {}),
                    "sequences": {},
                }
                runs.append(mine)
            for run in runs:
                run["sequences"].pop(sequence, None)
            known = None if files is None else {"rows": _rows(files), "sha256": _hash(files), "data": data}
            mine["sequences"][sequence] = known
            self._runs = [run for run in runs if run["sequences"]]
            content = {"format": FORMAT, **self._made_by, "runs": self._runs}
            write_atomic(self.path, json.dumps(content, indent=1) + "\n")

    def doubt(self, sequence: str, files: list[bytes], data: str | None = None) -> str:
        """Why these files of a sequence are not what this tracker finds on `data`; "" if they are."""
        run = next((run for run in self._runs if run["sequences"].get(sequence)), None)
        if run is None:
            return "no manifest.json tells what made it"
        known = run["sequences"][sequence]
        if known["sha256"] != _hash(files):
            return "it was changed since manifest.json was written"
        if known.get("data") != data:
            if not known.get("data"):
                return "manifest.json does not tell from which frames it was made"
            return "it was made from other frames or another first box"
        other = changed(run.get("code") or {}, self._code)
        return f"the tracker's code has changed since, {', '.join(other)}" if other else ""

    def _read(self) -> list[dict[str, Any]]:
        if not self.path.is_file():
            return []
        found = _read(self.path)
        difference = _difference(found, self._made_by)
        if difference:
            raise ResultError(
                f"{self.path.parent} holds results made otherwise: {difference}. "
                "Delete the folder, or choose another one for the results."
            )
        return list(found["runs"])


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Keeps other runs from writing the folder's manifest for a moment."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def device_of(follower: Any) -> dict[str, Any]:
    """Device, threads and precision of a tracker, for `add`; one without PyTorch has no device of its own."""
    tracker = getattr(follower, "tracker", follower)
    device = getattr(tracker, "device", None)
    if device is None or isinstance(device, str):
        return {"device": device or "cpu", "threads": 1}
    import torch

    name = torch.cuda.get_device_name(device) if device.type == "cuda" else ""
    threads = getattr(tracker, "threads", None) or torch.get_num_threads()
    made = {"device": f"{device} {name}".strip(), "threads": threads}
    model = getattr(tracker, "model", None)
    precision = getattr(model, "precision", None)
    return made if precision is None else made | {"precision": str(precision).removeprefix("torch.")}


def _rows(files: list[bytes]) -> int:
    return files[0].count(b"\n") if files else 0


def _hash(files: list[bytes]) -> str:
    return hashlib.sha256(b"".join(files)).hexdigest()


def _nothing(tracker: str) -> dict[str, Any]:
    return {
        "tracker": tracker,
        "preset": None,
        "config": None,
        "weights": None,
        "head": None,
        "backbone": None,
    }


def _identity(tracker: str) -> dict[str, Any]:
    """What must be the same for results in one folder."""
    preset = preset_of(tracker)
    if preset is None:
        return _nothing(label(tracker)) | {"preset": tracker if ":" in tracker else None}
    # torch only for who needs it
    from roam_tracker.core.backbone import backbone_spec
    from roam_tracker.weights import read_weights
    from roam_tracker.weights.backbones import find_backbone

    config = load_preset(preset)
    backbone = config.model.backbone
    file = find_backbone(backbone) if backbone_spec(backbone).apart else None
    return {
        "tracker": label(tracker),
        "preset": preset,
        "config": asdict(config),
        "weights": _file(config.weights, read_weights(config.weights)),
        "head": _file(config.box.head, read_weights(config.box.head)) if config.box.head else None,
        "backbone": None if file is None else _file(file.name, file.read_bytes()),
    }


def _file(name: str, content: bytes) -> dict[str, str]:
    return {"name": name, "sha256": hashlib.sha256(content).hexdigest()}


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        parts = [content.get(key) or {} for key in ("config", "weights", "head", "backbone")]
        if content["format"] != FORMAT or not all(isinstance(part, dict) for part in parts):
            raise ValueError
        for run in content["runs"]:
            if (
                not run["id"]
                or not isinstance(run.get("code", {}), dict)
                or not all(known is None or known["sha256"] for known in run["sequences"].values())
            ):
                raise ValueError
        return dict(content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ResultError(f"{path} is no manifest of this version. Delete it or its folder.") from None


def _difference(found: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """The first thing that differs, in words; "" if nothing does.

    A setting that the manifest does not know had, when it was written, the effect of its default; one that
    has been retired since must have had it.
    """
    defaults = _flat(asdict(TrackerConfig()))
    for key in ("tracker", "preset"):
        if (found.get("config") is None or key == "tracker") and found.get(key) != now[key]:
            return f"{key} was {json.dumps(found.get(key))}, it is {json.dumps(now[key])} now"
    before, present = _flat(found.get("config") or {}), _flat(now["config"] or {})
    for key, value in present.items():
        old = before.get(key, defaults[key])
        if json.dumps(value) != json.dumps(old) and key != "weights":  # weights are compared by content
            return f"{key} was {json.dumps(old)}, it is {json.dumps(value)} now"
    for key, default in RETIRED.items():
        if json.dumps(before.get(key, default)) != json.dumps(default):
            return f"{key} was {json.dumps(before[key])}, a setting that has been retired"
    for part in ("weights", "head", "backbone"):
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
