"""Which frames are remembered, and how much each sample counts in an update; for tracking and training.

The paper's memory is a queue of the last 2 tau frames, from which a step sees n samples in a row that all
count alike (section 4). With `update.decay` a sample counts less the older it is, with `update.first_share`
the samples of the first frame are in every step.
"""

from collections.abc import Sequence

from roam_tracker.core.config import UpdateConfig


def is_kept(config: UpdateConfig, frame: int) -> bool:
    """Whether a frame, 1 the first after the start, is one of those that are remembered."""
    return frame % config.memory_stride == 0


def seen_in_step(config: UpdateConfig, remembered: int, step: int, steps: int) -> range:
    """Which of the remembered samples, 0 the oldest, step number `step` of an update of so many steps sees.

    The first step sees the oldest n samples, the last one the newest n (H).
    """
    newest = max(0, remembered - config.samples)
    first = round(newest * step / (steps - 1)) if steps > 1 else newest
    return range(first, min(first + config.samples, remembered))


def shares(config: UpdateConfig, firsts: int, ages: Sequence[int], frames: int) -> list[float] | None:
    """Weight of each sample in the update loss, those of the first frame first; None: all count alike.

    firsts: samples of the first frame that are in the step
    ages:   of the other samples, in frames
    frames: tracked so far; the first frame counts (1 - decay)^frames, but never below `first_share`
    """
    if config.decay == 0 and config.first_share == 0:
        return None
    fresh = [(1 - config.decay) ** age for age in ages]
    first = max(config.first_share, (1 - config.decay) ** frames if config.decay > 0 else 0.0)
    first = 0.0 if not firsts else 1.0 if not fresh else first
    return [first / max(firsts, 1)] * firsts + [(1 - first) * weight / sum(fresh) for weight in fresh]
