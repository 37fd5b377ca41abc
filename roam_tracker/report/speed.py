"""Columns of speed, the same for every benchmark of boxes."""

from collections.abc import Sequence

import numpy as np

from roam_tracker.report import metrics
from roam_tracker.report.readers import BoxRun
from roam_tracker.report.scores import Metric

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


def speed_of(runs: Sequence[BoxRun]) -> dict[str, float]:
    """`speed_fps` and `toolkit_fps` of runs together; NaN where none has times."""
    times = [run.times_s for run in runs if run.times_s is not None]
    together = np.concatenate(times) if times else np.zeros(0)
    return {"speed_fps": metrics.frames_per_second(together), "toolkit_fps": metrics.mean_rate(together)}
