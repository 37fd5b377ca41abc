"""Frames per second, the same two columns for every benchmark of boxes."""

from collections.abc import Sequence

import numpy as np

from roam_tracker.report.evaluation import Array, Metric
from roam_tracker.report.runs import Run

SPEED = (
    Metric("speed_fps", "fps", "Frames divided by their total time, all sequences together.", digits=1),
    Metric(
        "toolkit_fps",
        "fps (mean 1/t)",
        "Mean of 1/t, the GOT-10k toolkit's figure; never below the one before.",
        digits=1,
        minor=True,
    ),
)


def speed_of(runs: Sequence[Run]) -> dict[str, float]:
    """`speed_fps` and `toolkit_fps` of runs together; NaN where none has times."""
    times = [run.times_s for run in runs if run.times_s is not None]
    together = np.concatenate(times) if times else np.zeros(0)
    return {"speed_fps": frames_per_second(together), "toolkit_fps": mean_rate(together)}


def frames_per_second(times_s: Array) -> float:
    """Frames divided by their total time; frames without a positive time are left out; NaN without any."""
    used = times_s[times_s > 0]
    return float(len(used) / used.sum()) if used.size else float("nan")


def mean_rate(times_s: Array) -> float:
    """Mean of 1/t over positive t, the GOT-10k toolkit's `speed_fps`; never below `frames_per_second`."""
    used = times_s[times_s > 0]
    return float(np.mean(1 / used)) if used.size else float("nan")
