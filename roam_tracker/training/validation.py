"""Validation by tracking: mean overlap on held-back videos."""

from collections.abc import Sequence

import numpy as np

from roam_tracker.core.geometry import overlap
from roam_tracker.tracker import RoamTracker
from roam_tracker.training.videos import Video


def mean_overlaps(tracker: RoamTracker, videos: Sequence[Video]) -> dict[str, float]:
    """Track each video from its first box; mean overlap over later frames with a visible target."""
    scores = {}
    for video in videos:
        tracker.init(video.frames[0], video.boxes[0])
        boxes = np.array([tracker.update(frame) for frame in video.frames[1:]])
        visible = (video.boxes[1:, 2:] > 0).all(axis=1)
        scores[video.name] = float(overlap(boxes, video.boxes[1:])[visible].mean())
    return scores
