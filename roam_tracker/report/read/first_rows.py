"""Does a result begin with the box that the tracker was given? If not, what do its columns hold?

In a one-pass run row 1 is the given box, up to rounding and the one pixel of counting from 0. Where it is
not, other meanings of the columns are tried on row 1 and on the rows after it.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from roam_tracker.core.geometry import Boxes, overlap
from roam_tracker.datasets.truth import Truth
from roam_tracker.report.runs import BoxRun

_CLOSE_PX = np.array([1.51, 1.51, 1.01, 1.01])  # rounding; one pixel more where x and y count from 0
_LIKE = 0.5  # overlap from which on rows are of the target
_ROWS = 30  # looked at after the first
_LEAST_SCALE = 0.1  # of another size, more than an estimate's error
_CLEARLY = 0.05  # more overlap than by chance
_EXTRA = 3  # rows that may stand before the given box


def _corners(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2], boxes[:, 2:] - boxes[:, :2]], axis=1)


def _centre(boxes: Boxes) -> Boxes:
    return np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)


# what the four columns may hold in place of x, y, w, h, and how to undo it
_MEANINGS: dict[str, Callable[[Boxes], Boxes]] = {
    "x, y, w, h": lambda boxes: boxes,
    "corners x1, y1, x2, y2": _corners,
    "centre x, centre y, w, h": _centre,
    "y, x, h, w": lambda boxes: boxes[:, [1, 0, 3, 2]],
    "x, y, h, w": lambda boxes: boxes[:, [0, 1, 3, 2]],
    "y, x, w, h": lambda boxes: boxes[:, [1, 0, 2, 3]],
    "corners y1, x1, y2, x2": lambda boxes: _corners(boxes[:, [1, 0, 3, 2]]),
    "corners x1, x2, y1, y2": lambda boxes: _corners(boxes[:, [0, 2, 1, 3]]),
    "centre y, centre x, h, w": lambda boxes: _centre(boxes[:, [1, 0, 3, 2]]),
}


@dataclass(frozen=True, slots=True)
class FirstRows:
    """What the first rows of one tracker's results say.

    refused: runs that should not be scored; refusal: why, None if there are none
    note:    a remark on runs that are scored though row 1 is another box
    """

    refused: Sequence[BoxRun] = ()
    refusal: str | None = None
    note: str | None = None


def check_first_rows(runs: Sequence[BoxRun], truths: dict[str, Truth]) -> FirstRows:
    """Compare row 1 of each of a tracker's runs with its truth; runs and truths are equally long."""
    odd, causes, fits = [], Counter[str](), {"": 0.0}
    for run in runs:
        boxes, truth = _counted(run, truths[run.sequence])
        if not len(boxes) or np.isnan(truth[0]).any() or (abs(boxes[0] - truth[0]) <= _CLOSE_PX).all():
            continue
        odd.append(run)
        fits[""] += _fit(boxes, truth)
        for cause, meant in _explanations(boxes, truth):
            causes[cause] += 1
            fits[cause] = fits.get(cause, 0.0) + _fit(meant, truth)
    if not odd:
        return FirstRows()
    count = f"row 1 of {len(odd)} of {len(runs)} results"
    likely = [cause for cause in causes if 2 * causes[cause] > len(odd)]
    best = max(likely, key=lambda cause: fits[cause] / causes[cause], default="")
    if best and fits[best] / causes[best] > fits[""] / len(odd):
        return FirstRows(odd, f"{count} is not the given box: they look like {best}. {_REMEDY}")
    alike = [run for run in odd if _follows(*_counted(run, truths[run.sequence]))]
    others = [run for run in odd if run not in alike]
    note = (
        f"row 1 of {len(alike)} of {len(runs)} results is not the given box, but the rows after it follow it."
    )
    names = ", ".join(run.sequence for run in others[:5]) + ", ..." * (len(others) > 5)
    refusal = f"row 1 of {len(others)} of {len(runs)} results ({names}) is not the given box. {_REMEDY}"
    return FirstRows(others, refusal if others else None, note if alike else None)


_REMEDY = (
    "Write x, y, w, h in pixels and the given box first, or score them all the same with --any-start NAME."
)


def _counted(run: BoxRun, truth: Truth) -> tuple[Boxes, Boxes]:
    keep = slice(None) if run.counted is None else run.counted
    return run.boxes[keep], truth.boxes[keep]


def _explanations(boxes: Boxes, truth: Boxes) -> list[tuple[str, Boxes]]:
    """Meanings of the columns by which row 1 is the given box, with the boxes that are then meant."""
    found = []
    for meaning, undone in _MEANINGS.items():
        meant = undone(boxes)
        scale = _scale(meant[0], truth[0])
        if (abs(meant[0] - truth[0]) <= _CLOSE_PX).all():
            found.append((meaning, meant))
        elif scale is not None:
            fractions = np.nanmax(abs(boxes)) <= 2 < truth[0, 2:].max()
            kind = "fractions of the image" if fractions else "another size of the image"
            found.append((kind if meaning == "x, y, w, h" else f"{meaning} as {kind}", meant * scale))
    for late in range(1, min(_EXTRA + 1, len(boxes))):
        if (abs(boxes[late] - truth[0]) <= _CLOSE_PX).all():
            rows = "a row" if late == 1 else f"{late} rows"
            found.append((f"{rows} too late", np.concatenate([boxes[late:], boxes[-1:].repeat(late, 0)])))
            break
    early = np.concatenate([truth[:1], boxes[:-1]])
    error, as_given = 1 - _fit(early, truth), 1 - _fit(boxes, truth)
    if error < as_given - _CLEARLY and error < as_given / 2:  # a constant offset gains less from one frame
        found.append(("a row too early, without the given box", early))
    return found


def _scale(box: Boxes, truth: Boxes) -> Boxes | None:
    """Factors (4,) of x, y, w, h that make the box the true one, if one factor per axis does."""
    if not (box[2:] > 0).all() or not (truth[2:] > 0).all():
        return None
    scale = np.tile(truth[2:] / box[2:], 2)
    fits = (abs(box * scale - truth) <= 2 + 0.01 * abs(truth)).all()
    return scale if fits and abs(scale - 1).max() > _LEAST_SCALE else None


def _fit(boxes: Boxes, truth: Boxes) -> float:
    """Mean overlap of the rows after the first that have a truth."""
    known = ~np.isnan(truth[1 : _ROWS + 1]).any(axis=1)
    if not known.any():
        return 0.0
    return float(np.nan_to_num(overlap(boxes[1 : _ROWS + 1][known], truth[1 : _ROWS + 1][known])).mean())


def _follows(boxes: Boxes, truth: Boxes) -> bool:
    """Whether row 1 or the rows after it are of the target."""
    return bool(overlap(boxes[:1], truth[:1])[0] >= _LIKE) or _fit(boxes[:6], truth[:6]) >= _LIKE
