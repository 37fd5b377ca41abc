"""The trackers by the name under which benchmarks know them.

A name is also the name of a result folder and of a section in trackers.ini: letters, digits,
hyphens and underscores. `trackers_ini` writes that file, so the two lists cannot disagree.
"""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.config import load_preset
from roam_tracker.core.geometry import check_box
from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest

Box = NDArray[np.float64]


class Follower(Protocol):
    """What a toolkit needs from a tracker; RoamTracker has it."""

    score: float  # in [0, 1], confidence of the last update

    def init(self, image: Any, box: Any) -> None:
        """Start on a box (4,) x, y, w, h in px; the image is RGB: PIL, a path or (H, W, 3) uint8."""

    def update(self, image: Any) -> Box:
        """The box (4,) x, y, w, h in px in the next image."""


class StaticTracker:
    """Says that the target stays where it was: the score that a sequence gives away."""

    score = 1.0

    def init(self, image: Any, box: Any) -> None:
        """Remember the box (4,) x, y, w, h in px; the image is not looked at."""
        self.box = check_box(box)

    def update(self, image: Any) -> Box:
        """The first box again, (4,)."""
        return self.box.copy()


def _roam(preset: str) -> Callable[[str], Follower]:
    def make(device: str) -> Follower:
        # OpenMP threads that wait for each other in a loop take a busy machine's cores from the tracker.
        # A shorter loop costs an idle two-core machine a tenth of its speed and doubles a busy one's.
        os.environ.setdefault("GOMP_SPINCOUNT", "100000")  # read when torch is loaded
        from roam_tracker.tracker import RoamTracker  # torch only for who needs it

        return RoamTracker(preset=preset, device=device)

    return make


TRACKERS: dict[str, Callable[[str], Follower]] = {
    "ROAM": _roam("default"),
    "Static": lambda device: StaticTracker(),
}


def check_name(name: str) -> str:
    """The name itself; raises ConfigError naming the nearest known tracker."""
    if name not in TRACKERS:
        raise ConfigError(f"There is no tracker named {name!r}: {nearest(name, TRACKERS)}")
    return name


def label(tracker: str) -> str:
    """The name of a tracker's results: its own, or for a preset file (.toml) the file's without ending.

    Raises ConfigError for an unknown tracker, and for a file that is no preset or takes a tracker's name.
    """
    if not tracker.endswith(".toml"):
        return check_name(tracker)
    load_preset(tracker)
    if Path(tracker).stem in TRACKERS:
        raise ConfigError(f"{tracker} would write its results as {Path(tracker).stem}'s. Rename the file.")
    return Path(tracker).stem


def create(tracker: str, device: str = "auto") -> Follower:
    """A fresh tracker by its benchmark name, or ROAM with the settings of a preset file (.toml).

    device: "auto", "cpu", "cuda", "cuda:1", ...
    """
    make = _roam(tracker) if tracker.endswith(".toml") else TRACKERS[check_name(tracker)]
    return make(device)


_INI_HEAD = """\
# The trackers as the VOT toolkit sees them. The interpreter is the one that runs `vot`.
# ROAM_DEVICE (cpu, cuda, cuda:1) chooses the device; without it CUDA is used where there is some.
# The toolkit clears LD_LIBRARY_PATH for its trackers; the last line of a section keeps it.
"""

_INI_SECTION = """
[{name}]
label = {name}
protocol = traxpython
command = from roam_tracker.toolkits.vot import main; raise SystemExit(main(['{name}']))
timeout = 300
env_LD_LIBRARY_PATH = $LD_LIBRARY_PATH
"""


def trackers_ini() -> str:
    """The text of a trackers.ini that registers every tracker with the VOT toolkit."""
    return _INI_HEAD + "".join(_INI_SECTION.format(name=name) for name in TRACKERS)
