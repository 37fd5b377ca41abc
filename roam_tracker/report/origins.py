"""What made a tracker's raw results, in one line, from the manifest.json beside them."""

import json
from pathlib import Path
from typing import Any


def made_by(folder: Path) -> str | None:
    """A line such as `preset default, weights default (SHA-256 1a2b3c4d), roam-tracker 0.1.0, cpu, 1 thread`.

    None where the folder has no manifest. Of several runs the last one counts.
    """
    path = folder / "manifest.json"
    if not path.is_file():
        return None
    try:
        return _line(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError):
        return "manifest.json cannot be read"


def _line(manifest: dict[str, Any]) -> str:
    runs = manifest["runs"]
    last = runs[-1]
    versions = last["versions"]
    parts = []
    if manifest["preset"] is not None:
        weights = manifest["weights"]
        parts += [
            f"preset {manifest['preset']}",
            f"weights {weights['name']} (SHA-256 {weights['sha256'][:8]})",
        ]
    commit = versions["commit"]  # a plus sign at its end: with changes since
    at = f" at {commit[:8]}{'+' * commit.endswith('+')}" if commit else ""
    threads = f"{last['threads']} thread{'s' * (last['threads'] != 1)}"
    parts += [f"roam-tracker {versions['roam-tracker']}{at}", f"torch {versions['torch']}"]
    parts += [last["device"], threads, last["date"][:10]]
    return ", ".join(parts) + (f"; {len(runs)} runs" if len(runs) > 1 else "")
