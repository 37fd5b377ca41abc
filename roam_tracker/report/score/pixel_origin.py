"""The off-by-one alarm: boxes that count pixels from another number than their truth."""

from collections.abc import Iterable
from itertools import groupby
from operator import attrgetter

import numpy as np

from roam_tracker.core.geometry import Boxes
from roam_tracker.report.evaluation import Array
from roam_tracker.report.runs import LoadedBoxes
from roam_tracker.report.score.otb import centre_error_otb, counted_part

LEAST_RISE = 0.005
LEAST_SEQUENCES = 10
STANDARD_ERRORS = 4.3  # Student's t, 9 degrees of freedom: 0.1 % for either direction


def origin_notes(loaded: LoadedBoxes) -> list[str]:
    """A note for each tracker whose boxes look off by one pixel."""
    notes = []
    for tracker, runs in groupby(loaded.runs, attrgetter("tracker")):
        note = origin_note(tracker, (counted_part(run, loaded.truths[run.sequence]) for run in runs))
        notes += [note] if note else []
    return notes


def rises_by_one_pixel(pairs: Iterable[tuple[Boxes, Boxes]]) -> dict[int, Array]:
    """What adding +1 or -1 px to every x and y does to precision at 1 px, one value per sequence.

    pairs: boxes and true boxes (N, 4) of each sequence; the first frame is left out
    """
    rises: dict[int, list[float]] = {1: [], -1: []}
    for boxes, truth in pairs:
        if len(boxes) > 1:
            error = {
                step: np.mean(centre_error_otb(boxes[1:] + np.array([step, step, 0, 0]), truth[1:]) <= 1)
                for step in (0, 1, -1)
            }
            for step, values in rises.items():
                values.append(float(error[step] - error[0]))
    return {step: np.array(values) for step, values in rises.items()}


def origin_note(tracker: str, pairs: Iterable[tuple[Boxes, Boxes]]) -> str | None:
    """A note if one pixel more or less clearly raises precision at 1 px, else None.

    Clearly: on ten sequences at least, by half a point on average, and by 4.3 standard errors of the mean, so
    that of a hundred unbiased trackers hardly one is suspected.
    """
    for step, rises in rises_by_one_pixel(pairs).items():
        if rises.size < LEAST_SEQUENCES:
            return None
        rise, error = float(rises.mean()), float(rises.std(ddof=1)) / np.sqrt(rises.size)
        if rise >= LEAST_RISE and rise > STANDARD_ERRORS * error:
            remedy = f" If it counts pixels from 0, give --zero-based {tracker}." if step == 1 else ""
            return (
                f"{tracker} looks off by one pixel: with {step:+d} px in x and y its precision at 1 px is"
                f" {100 * rise:.1f} points higher.{remedy}"
            )
    return None
