"""Metrics of the VOT short-term challenges, one function for one definition.

overlaps: (N,) of one run (vot_overlap.region_overlaps); codes: (N,) UNKNOWN, INITIALISED, FAILED, TRACKED.
A supervised run is started anew some frames after each failure; the start's frame is marked INITIALISED.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.report.evaluation import Array
from roam_tracker.report.read.vot import FAILED, INITIALISED, UNKNOWN
from roam_tracker.report.score.statistics import bootstrap_interval, times_each_is_drawn

Codes = NDArray[np.int64]


def supervised_accuracy(overlaps: Array, codes: Codes, burn_in: int = 10) -> float:
    """Mean overlap without unknown and failed frames and the first `burn_in` after each start, or 0.

    A benchmark's accuracy: mean over a sequence's repetitions, then over sequences weighted by their length.
    """
    counted = (codes != UNKNOWN) & (codes != FAILED) & ~_after_start(codes, burn_in)
    return float(overlaps[counted].mean()) if counted.any() else 0.0


def unsupervised_overlap(
    overlaps: Array, codes: Codes, annotated: NDArray[np.bool_], burn_in: int = 10
) -> float:
    """Mean overlap of an unsupervised run, averaged over a benchmark as the accuracy is.

    Left out: frames without annotation, unknown predictions, the first `burn_in` frames. 0 if none remain.
    """
    starts = np.where(annotated, codes, UNKNOWN)
    counted = annotated & (codes != UNKNOWN) & (codes != FAILED) & ~_after_start(starts, burn_in)
    return float(overlaps[counted].mean()) if counted.any() else 0.0


def failures(codes: Codes) -> int:
    """Frames marked as failure. A benchmark's count: mean over repetitions, sum over sequences."""
    return int(np.count_nonzero(codes == FAILED))


def failures_per_100_frames(failures: Sequence[float], frames: Sequence[int]) -> float:
    """Robustness as the challenges' papers print it: 100 * all failures / all frames; less is better."""
    return 100 * sum(failures) / sum(frames)


def weighted_by_length(values: Sequence[float], frames: Sequence[int]) -> float:
    """Mean of the sequences' values weighted by their numbers of frames."""
    return float(np.average(values, weights=frames))


def reliability(failures: Sequence[float], frames: Sequence[int], sensitivity: float = 30.0) -> float:
    """Abscissa of the AR plot: exp(-S F / L), chance of tracking on for S frames; 1 is best.

    F: failures a sequence, mean weighted by length; L: mean length in frames; S: `sensitivity`.
    """
    return math.exp(-sensitivity * weighted_by_length(failures, frames) / float(np.mean(frames)))


def fragments(overlaps: Array, codes: Codes) -> list[tuple[Array, bool]]:
    """A supervised run cut at its failures: (overlaps from a start on, whether it ended by failure).

    A failed piece ends before the frame of failure; the frames from there to the next start belong to
    none. A run without failure is one piece. The start's frame is included.
    """
    ends, starts = np.flatnonzero(codes == FAILED), np.flatnonzero(codes == INITIALISED)
    if not ends.size:
        return [(overlaps, False)]
    pieces = [(overlaps[start:end], True) for start, end in zip(starts, ends, strict=False)]
    return pieces + [(overlaps[starts[-1] :], False)] * (len(starts) > len(ends))


def eao_curve(pieces: Sequence[tuple[Array, bool]]) -> Array:
    """Expected average overlap (L,) by length, L = longest piece; index i: i frames after the start.

    For each piece the mean overlap of its frames 1..i; a failed piece counts with overlap 0 from its end
    to any length, one that met the sequence's end only up to its own length. Mean over pieces, all alike.
    """
    total, count = eao_sums(pieces, max(len(piece) for piece, _ in pieces))
    return np.asarray(total / count)


def eao_sums(pieces: Sequence[tuple[Array, bool]], longest: int) -> tuple[Array, Array]:
    """Sum over pieces of their mean overlap by length, and how many pieces count there, (longest,) each."""
    total, count = np.zeros(longest), np.zeros(longest)
    for piece, failed in pieces:
        reach = longest if failed else len(piece)
        overlaps = np.zeros(reach)
        overlaps[: len(piece)] = piece
        total[0] += overlaps[0]
        total[1:reach] += np.cumsum(overlaps[1:]) / np.arange(1, reach)
        count[:reach] += 1
    return total, count


def eao(curve: Array, low: int, high: int) -> float:
    """EAO: mean of the curve over lengths low..high, both included, as far as it reaches, else NaN."""
    part = curve[low : high + 1]
    return float(part.mean()) if part.size else float("nan")


def supervised_intervals(
    details: Sequence[dict[str, Any]],
    pieces: Sequence[Sequence[tuple[Array, bool]]],
    bounds: tuple[int, int] | None,
    seed: int,
) -> dict[str, float]:
    """`<column>_low` and `<column>_high` of eao, accuracy and robustness; NaN below two sequences.

    details: a row a sequence with accuracy, failures, frames; pieces: its pieces between failures
    bounds:  of the expected average overlap; None where unknown
    """
    frames = np.array([float(detail["frames"]) for detail in details])
    lost = np.array([detail["failures"] for detail in details])
    accuracy = np.array([detail["accuracy"] for detail in details])
    found: dict[str, tuple[Any, Any]] = {
        "eao": eao_interval(pieces, *bounds, seed=seed) if bounds else (float("nan"), float("nan")),
        "accuracy": bootstrap_interval(accuracy, frames, seed=seed),
        "robustness": bootstrap_interval(100 * lost / frames, frames, seed=seed),
    }
    return {
        f"{column}_{end}": float(value)
        for column, ends in found.items()
        for end, value in zip(("low", "high"), ends, strict=True)
    }


def eao_interval(
    pieces: Sequence[Sequence[tuple[Array, bool]]], low: int, high: int, *, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the expected average overlap between the bounds, over resampled sequences."""
    longest = max(len(piece) for own in pieces for piece, _ in own)
    if len(pieces) < 2 or longest <= low:
        return float("nan"), float("nan")
    sums = [eao_sums(own, longest) for own in pieces]
    part = slice(low, high + 1)
    total, count = (np.array([each[index][part] for each in sums]) for index in (0, 1))
    drawn = times_each_is_drawn(len(pieces), seed=seed)
    with np.errstate(invalid="ignore"):
        scores = np.nanmean((drawn @ total) / (drawn @ count), axis=1)
    ends = np.quantile(scores[np.isfinite(scores)], [0.025, 0.975])
    return float(ends[0]), float(ends[1])


def _after_start(codes: Codes, burn_in: int) -> NDArray[np.bool_]:
    left_out = np.zeros(len(codes), dtype=bool)
    for start in np.flatnonzero(codes == INITIALISED):
        left_out[start : start + burn_in] = True
    return left_out
