"""What made a tracker's raw results, in one line, from the manifest.json beside them."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def made_by(folder: Path, sequences: Iterable[str]) -> tuple[str | None, str | None]:
    """A line such as `preset default, weights default (SHA-256 1a2b3c4d), cpu`, and a fault.

    sequences: those the folder has results of. Of several runs the last one counts. Both are None where the
    folder has no manifest; the fault tells what does not fit: another tracker's, results since deleted or
    changed.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        return None, None
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        line, tracker = _line(manifest), str(manifest["tracker"])
        listed = {name for run in manifest["runs"] for name in run["sequences"]}
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return (
            "manifest.json cannot be read",
            f"{path} is no manifest of roam-tracker. Delete it; what made these results is then unknown.",
        )
    remedy = "Delete it, or run the tracker again."
    if tracker != folder.name:
        return line, f"{path} belongs to tracker {tracker!r}, expected {folder.name!r}. {remedy}"
    gone = sorted(listed - set(sequences))
    if gone:
        return line, f"{path} lists results that are not there: {', '.join(gone)}. {remedy}"
    changed = sorted(name for run in manifest["runs"] for name in _changed(folder, run["sequences"]))
    if changed:
        return line, f"{path} tells of other contents of {', '.join(changed)}. {remedy}"
    return line, None


def _changed(folder: Path, sequences: Any) -> list[str]:
    """Sequences whose files of boxes are not those that the manifest has the hash of."""
    if not isinstance(sequences, dict):  # written before there were hashes
        return []
    changed = []
    for name, known in sequences.items():
        own, plain = sorted((folder / name).glob(f"{name}_[0-9][0-9][0-9].txt")), folder / f"{name}.txt"
        files = own or [plain] * plain.is_file()
        content = b"".join(file.read_bytes() for file in files)
        if known and files and hashlib.sha256(content).hexdigest() != known["sha256"]:
            changed.append(name)
    return changed


def _line(manifest: dict[str, Any]) -> str:
    runs = manifest["runs"]
    last = runs[-1]
    versions = last["versions"]
    parts = []
    if manifest["preset"] is not None:
        parts.append(f"preset {manifest['preset']}")
    if manifest["weights"] is not None:
        weights = manifest["weights"]
        parts.append(f"weights {weights['name']} (SHA-256 {weights['sha256'][:8]})")
    commit = versions["commit"]  # a plus sign at its end: with changes since
    at = f" at {commit[:8]}{'+' * commit.endswith('+')}" if commit else ""
    threads = f"{last['threads']} thread{'s' * (last['threads'] != 1)}"
    parts += [f"roam-tracker {versions['roam-tracker']}{at}", f"torch {versions['torch']}"]
    parts += [last["device"], threads, last["date"][:10]]
    return ", ".join(parts) + (f"; {len(runs)} runs" if len(runs) > 1 else "")
