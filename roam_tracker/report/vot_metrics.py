"""Metrics of the VOT short-term challenges, one function for one definition.

overlaps: (N,) of one run (vot_overlap.region_overlaps); codes: (N,) UNKNOWN, INITIALISED, FAILED, TRACKED.
A supervised run is started anew some frames after each failure; the start's frame is marked INITIALISED.
"""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from roam_tracker.report.vot_files import FAILED, INITIALISED, UNKNOWN

Array = NDArray[np.float64]
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


def _after_start(codes: Codes, burn_in: int) -> NDArray[np.bool_]:
    left_out = np.zeros(len(codes), dtype=bool)
    for start in np.flatnonzero(codes == INITIALISED):
        left_out[start : start + burn_in] = True
    return left_out
