"""The off-by-one alarm: boxes that count pixels from another number than their truth."""

from collections.abc import Iterable

import numpy as np

from roam_tracker.report.metrics import Array, centre_error_otb
from roam_tracker.report.one_pass import counted_part
from roam_tracker.report.readers import BoxRun, BoxTruth

LEAST_RISE = 0.005
STANDARD_ERRORS = 1.645  # 95 %, one-sided


def rises_by_one_pixel(pairs: Iterable[tuple[BoxRun, BoxTruth]]) -> dict[int, Array]:
    """What adding +1 or -1 px to every x and y does to precision at 1 px, a value a sequence.

    The first frame, which is the truth's own, is left out.
    """
    rises: dict[int, list[float]] = {1: [], -1: []}
    for run, truth in (counted_part(*pair) for pair in pairs):
        boxes, true = run.boxes[1:], truth.boxes[1:]
        if len(boxes):
            as_given = np.mean(centre_error_otb(boxes, true) <= 1)
            for step, values in rises.items():
                moved = boxes + np.array([step, step, 0, 0])
                values.append(float(np.mean(centre_error_otb(moved, true) <= 1) - as_given))
    return {step: np.array(values) for step, values in rises.items()}


def origin_note(tracker: str, pairs: Iterable[tuple[BoxRun, BoxTruth]]) -> str | None:
    """A note when one pixel more or less raises precision at 1 px clearly, else None.

    Clearly: by half a point on average, and by 1.645 standard errors of the mean over sequences.
    """
    for step, rises in rises_by_one_pixel(pairs).items():
        rise = float(rises.mean()) if rises.size else 0.0
        error = float(rises.std(ddof=1)) / np.sqrt(rises.size) if rises.size > 1 else 0.0
        if rise >= LEAST_RISE and rise > STANDARD_ERRORS * error:
            remedy = f" If it counts pixels from 0, give --zero-based {tracker}." if step == 1 else ""
            return (
                f"{tracker} looks off by one pixel: with {step:+d} px in x and y its precision at 1 px is"
                f" {100 * rise:.1f} points higher.{remedy}"
            )
    return None
