"""ROAM, the Recurrently Optimizing Tracking Model.

from roam_tracker import RoamTracker
tracker = RoamTracker()
tracker.init("frame1.jpg", (x, y, w, h))
x, y, w, h = tracker.update("frame2.jpg")
"""

from typing import TYPE_CHECKING, Any

from roam_tracker.version import __version__

if TYPE_CHECKING:
    from roam_tracker.tracker import RoamTracker

__all__ = ["RoamTracker", "__version__"]


def __getattr__(name: str) -> Any:
    # torch is imported only by whoever asks for the tracker: the report works without it
    if name == "RoamTracker":
        from roam_tracker.tracker import RoamTracker

        return RoamTracker
    raise AttributeError(f"module 'roam_tracker' has no attribute {name!r}")
