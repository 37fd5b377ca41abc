"""95 % intervals of the VOT scores, by resampling whole sequences."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from roam_tracker.report.metrics import Array
from roam_tracker.report.statistics import bootstrap_interval, times_each_is_drawn
from roam_tracker.report.vot_metrics import eao_sums


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
