"""OpenCV's trackers as ours: `roam_tracker.toolkits.opencv:CSRT` wherever a tracker is named.

CSRT and KCF are in opencv-contrib-python (`pip install opencv-contrib-python-headless` in place of
opencv-python); MIL is in every OpenCV.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import RunError


class _OpenCV:
    """An OpenCV tracker; it wants BGR and whole pixels, and keeps its last box when it reports a loss."""

    is_deterministic = True
    score = 1.0
    recording = None

    def init(self, image: Any, box: Any) -> None:
        """Start on a box (4,) x, y, w, h in px; the image is RGB, PIL or (H, W, 3) uint8."""
        self._tracker = _create(f"Tracker{type(self).__name__}_create")
        self._box = np.asarray(box, dtype=np.float64)
        x, y, w, h = (round(value) for value in self._box)
        self._tracker.init(_bgr(image), (x, y, max(1, w), max(1, h)))

    def update(self, image: Any) -> NDArray[np.float64]:
        """The box (4,) in the next image."""
        seen, box = self._tracker.update(_bgr(image))
        if seen and min(box[2:]) > 0:
            self._box = np.array(box, dtype=np.float64)
        return self._box


class CSRT(_OpenCV):
    """Discriminative correlation filter with channel and spatial reliability."""


class KCF(_OpenCV):
    """Kernelised correlation filter."""


class MIL(_OpenCV):
    """Online multiple instance learning."""


def _create(name: str) -> Any:
    import cv2

    for place in (cv2, getattr(cv2, "legacy", None)):
        if hasattr(place, name):
            return getattr(place, name)()
    raise RunError(
        f"OpenCV {cv2.__version__} has no {name}. Run: pip install opencv-contrib-python-headless "
        "(in place of opencv-python)"
    )


def _bgr(image: Any) -> NDArray[np.uint8]:
    return np.ascontiguousarray(np.asarray(image)[:, :, ::-1])
