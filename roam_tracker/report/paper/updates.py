"""From recordings to the numbers of figures 3, 9, 10 and of a trace: losses and rates of the updates.

An update is the steps taken in one frame; the first frame's start is none. U updates, G groups.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.recording import Histogram, Recording, read_recording

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Losses:
    """Loss over time: frame (U,), loss (U,) NaN where not finite, and of how many sequences (U,)."""

    frame: Array
    loss: Array
    sequences: Array


@dataclass(frozen=True, slots=True, eq=False)
class Trace:
    """The last step of each update: its frame (U,), the loss before it (U,), the rates it used.

    rates: (U, G, 3) 10th percentile, median, 90th percentile
    """

    frame: Array
    loss: Array
    rates: Array
    groups: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class RateShares:
    """Shares of the rates: (G, bins) by the logarithm between edges (bins + 1,), and outside of them (G,)."""

    groups: tuple[str, ...]
    edges: Array
    shares: Array
    outside: Array


def read_recordings(folder: Path) -> dict[str, Recording]:
    """The recordings of a tracker by sequence, none where the folder is absent."""
    return {path.stem: read_recording(path) for path in sorted(folder.glob("*.json"))}


def loss_after_updates(recording: Recording) -> Losses:
    """The loss that the last step of each update left, on its own batch."""
    (sequence,) = recording.sequences
    last = _last_steps(sequence.frame)
    return Losses(
        sequence.frame[last].astype(np.float64), sequence.loss_after[last], np.ones(np.count_nonzero(last))
    )


def mean_losses(curves: Iterable[Losses]) -> Losses:
    """Mean over sequences at each frame, as far as at least half of them last; NaN counts for none."""
    curves = list(curves)
    frames = np.unique(np.concatenate([curve.frame for curve in curves]))
    table = np.full((len(curves), len(frames)), np.nan)
    lasting = np.zeros(len(frames), dtype=int)
    for row, curve in zip(table, curves, strict=True):
        row[np.searchsorted(frames, curve.frame)] = curve.loss
        lasting += frames <= curve.frame.max(initial=0)
    known = np.isfinite(table)
    count = known.sum(axis=0)
    kept = (2 * lasting >= len(curves)) & (count > 0)
    mean = np.where(known, table, 0).sum(axis=0)[kept] / count[kept]
    return Losses(frames[kept], mean, count[kept].astype(np.float64))


def trace(recording: Recording) -> Trace:
    """How the rates answer to the loss, for one sequence."""
    (sequence,) = recording.sequences
    last = _last_steps(sequence.frame)
    return Trace(
        sequence.frame[last].astype(np.float64),
        sequence.loss_before[last],
        sequence.spread[last][:, :, 1:4],
        recording.groups,
    )


def initial_rates(recordings: Iterable[Recording]) -> RateShares:
    """The rates of the first steps, all sequences together."""
    recordings = list(recordings)
    return _shares(
        recordings, [sequence.initial for recording in recordings for sequence in recording.sequences]
    )


def updating_rates(recordings: Iterable[Recording]) -> RateShares:
    """The rates of all later steps, all sequences together."""
    recordings = list(recordings)
    return _shares(
        recordings, [sequence.updating for recording in recordings for sequence in recording.sequences]
    )


def common_sequences(recorded: Mapping[str, Mapping[str, Recording]]) -> list[str]:
    """The sequences that every tracker has a recording of, the longest first."""
    names = set.intersection(*(set(by_name) for by_name in recorded.values()))
    any_tracker = next(iter(recorded.values()))
    length = {name: int(any_tracker[name].sequences[0].frame.max(initial=0)) for name in names}
    return sorted(names, key=lambda name: (-length[name], name))


def _last_steps(frame: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Where the last step of each update stands among the steps."""
    last = np.ones(len(frame), dtype=bool)
    last[:-1] = frame[1:] != frame[:-1]
    return last & (frame > 0)


def _shares(recordings: list[Recording], histograms: list[Histogram]) -> RateShares:
    counts = np.sum([histogram.counts for histogram in histograms], axis=0)
    outside = np.sum([histogram.outside for histogram in histograms], axis=0).sum(axis=1)
    total = np.maximum(counts.sum(axis=1) + outside, 1)
    return RateShares(
        recordings[0].groups, recordings[0].edges, counts / total[:, None], np.asarray(outside / total)
    )
