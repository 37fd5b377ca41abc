"""What made a tracker's raw results, in one line, from the manifest.json beside them."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def made_by(folder: Path, sequences: Iterable[str]) -> tuple[str | None, str | None]:
    """A line such as `preset default, weights default (SHA-256 1a2b3c4d), cpu`, and a fault.

    sequences: those the folder has results of. Of several runs the last one counts. Both are None where the
    folder has no manifest; the fault tells what does not fit: another tracker's, results since deleted.
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
    return line, None


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
