"""What the updates did, for figures 3, 9 and 10: losses before and after each step, and rates.

A recording is one JSON file:

    format     "roam-tracker recording 2"
    groups     the names of the parameter groups, G of them
    edges      of the histograms' bins, in log10 of the rate: bin k is edges[k] <= log10(rate) < edges[k+1]
    sequences  one entry for each target that was followed:
      name
      frame, step                 of each gradient step; frame 0 is the first, its rates are lambda(0)
      loss_before, loss_after     of the step's batch; null where not finite
      accepted                    whether the step was kept
      spread                      [[least, 10th percentile, median, 90th percentile, greatest rate] for each
                                group] for each step
      initial, updating           G histograms of the rates of frame 0 and of all later steps:
        counts                    one count for each bin
        outside                   how many were not positive, below the first edge, not below the last
"""

import json
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import InputError
from roam_tracker.files import write_atomic

if TYPE_CHECKING:  # the report reads recordings without torch
    from roam_tracker.core.state import StepRecord

FORMAT = "roam-tracker recording 2"
_PER_DECADE = 20
EDGES = np.linspace(-12.0, 1.0, 13 * _PER_DECADE + 1)
GROUPS = ("reduction weight", "reduction bias", "response filter", "response bias")

Array = NDArray[np.float64]
Counts = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts of rates by their logarithm."""

    counts: Counts  # (G, 260)
    outside: Counts  # (G, 3) not positive, below the first edge, not below the last


@dataclass(frozen=True, slots=True)
class RecordedSequence:
    """The S gradient steps on one target, as in the file."""

    name: str
    frame: Counts  # (S,)
    step: Counts  # (S,)
    loss_before: Array  # (S,) NaN where not finite
    loss_after: Array  # (S,)
    accepted: NDArray[np.bool_]  # (S,)
    spread: Array  # (S, G, 5) least, 10th percentile, median, 90th percentile, greatest rate
    initial: Histogram
    updating: Histogram


@dataclass(frozen=True, slots=True)
class Recording:
    """One file."""

    groups: tuple[str, ...]  # G names
    edges: Array  # (261,) log10 of the rate
    sequences: tuple[RecordedSequence, ...]


@dataclass(slots=True)
class _Steps:
    """A sequence while it is recorded; rows of `tables` are the groups."""

    name: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    tables: dict[str, Counts] = field(default_factory=lambda: {"initial": _table(), "updating": _table()})


class Recorder:
    """Collects gradient steps: `begin` for each target, `observe` for each step, `write` at the end."""

    def __init__(self) -> None:
        self._sequences: list[_Steps] = []

    def begin(self, name: str = "") -> None:
        """The steps to come belong to another target; without a name it gets its number from 1."""
        self._sequences.append(_Steps(name or str(len(self._sequences) + 1)))

    def observe(self, record: "StepRecord") -> None:
        """Take one step; what `tracking.start` and `tracking.step` call."""
        if not self._sequences:
            self.begin()
        sequence = self._sequences[-1]
        rates = record.rates.detach().cpu().numpy().astype(np.float64)
        groups = record.groups.cpu().numpy()
        table = sequence.tables["initial" if record.frame == 0 else "updating"]
        spread = []
        for group in range(int(groups.max()) + 1):
            chosen = rates[groups == group]
            table[group] += _histogram(chosen)
            spread.append([float(f"{q:.4g}") for q in np.percentile(chosen, (0, 10, 50, 90, 100))])
        sequence.rows.append(
            {
                "frame": record.frame,
                "step": record.step,
                "loss_before": _finite(record.loss_before),
                "loss_after": _finite(record.loss_after),
                "accepted": bool(record.accepted),
                "spread": [[_finite(value) for value in row] for row in spread],
            }
        )

    @property
    def steps(self) -> int:
        """Steps taken so far."""
        return sum(len(sequence.rows) for sequence in self._sequences)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write what has been taken so far, whole or not at all."""
        write_atomic(path, self.text())

    def text(self) -> str:
        """What has been taken so far, as `write` writes it."""
        count = max((len(row["spread"]) for entry in self._sequences for row in entry.rows), default=4)
        content = {
            "format": FORMAT,
            "groups": GROUPS[:count],
            "edges": EDGES.round(2).tolist(),
            "sequences": [_sequence(entry, count) for entry in self._sequences],
        }
        return json.dumps(content, allow_nan=False) + "\n"


def read_recording(path: str | os.PathLike[str]) -> Recording:
    """Read a recording. Raises InputError for a file that is absent or none."""
    try:
        content = json.loads(Path(path).read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}")
        groups = tuple(content["groups"])
        return Recording(
            groups,
            np.array(content["edges"], dtype=np.float64),
            tuple(_read_sequence(entry, len(groups)) for entry in content["sequences"]),
        )
    except OSError as error:
        raise InputError(f"Recording {path} cannot be read: {error.strerror}. Record again.") from None
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{path} is no recording ({error}). Record again.") from None


def _table() -> Counts:
    return np.zeros((len(GROUPS), len(EDGES) - 1 + 3), np.int64)


def _histogram(rates: Array) -> Counts:
    """The bins' counts, then the three of `outside`; (263,)."""
    positive = rates[rates > 0]
    # a rate on an edge belongs to the bin above it, whatever the logarithm's last bit
    index = np.floor((np.log10(positive) - EDGES[0]) * _PER_DECADE + 1e-9).astype(np.int64)
    bins = len(EDGES) - 1
    inside = index[(index >= 0) & (index < bins)]
    outside = (len(rates) - len(positive), (index < 0).sum(), (index >= bins).sum())
    return np.concatenate([np.bincount(inside, minlength=bins), outside])


def _sequence(entry: _Steps, groups: int) -> dict[str, Any]:
    names = ("frame", "step", "loss_before", "loss_after", "accepted", "spread")
    bins = len(EDGES) - 1
    return {
        "name": entry.name,
        **{name: [row[name] for row in entry.rows] for name in names},
        **{
            kind: {"counts": table[:groups, :bins].tolist(), "outside": table[:groups, bins:].tolist()}
            for kind, table in entry.tables.items()
        },
    }


def _read_sequence(entry: dict[str, Any], groups: int) -> RecordedSequence:
    return RecordedSequence(
        entry["name"],
        np.array(entry["frame"], dtype=np.int64),
        np.array(entry["step"], dtype=np.int64),
        _floats(entry["loss_before"]),
        _floats(entry["loss_after"]),
        np.array(entry["accepted"], dtype=np.bool_),
        _floats(entry["spread"]).reshape(-1, groups, 5),
        _read_histogram(entry["initial"]),
        _read_histogram(entry["updating"]),
    )


def _read_histogram(entry: dict[str, Any]) -> Histogram:
    return Histogram(np.array(entry["counts"], dtype=np.int64), np.array(entry["outside"], dtype=np.int64))


def _floats(values: Iterable[Any]) -> Array:
    return np.array(values, dtype=np.float64)  # null becomes NaN


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
