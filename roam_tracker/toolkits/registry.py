"""The trackers by the name under which benchmarks know them.

A name is also the name of a result folder and of a section in trackers.ini: letters, digits,
hyphens and underscores. `trackers_ini` writes that file, so the two lists cannot disagree.
"""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.config import load_preset
from roam_tracker.core.geometry import check_box
from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest
from roam_tracker.recording import Recorder
from roam_tracker.toolkits.oracle import OracleTracker

Box = NDArray[np.float64]


class Follower(Protocol):
    """What a toolkit needs from a tracker; RoamTracker has it."""

    score: float  # in [0, 1], confidence of the last update
    recording: Recorder | None  # takes what the updates do; None: nothing is recorded

    def init(self, image: Any, box: Any) -> None:
        """Start on a box (4,) x, y, w, h in px; the image is RGB: PIL, a path or (H, W, 3) uint8."""

    def update(self, image: Any) -> Box:
        """The box (4,) x, y, w, h in px in the next image."""


class StaticTracker:
    """Says that the target stays where it was: the score that a sequence gives away."""

    score = 1.0
    recording: Recorder | None = None

    def init(self, image: Any, box: Any) -> None:
        """Remember the box (4,) x, y, w, h in px; the image is not looked at."""
        self.box = check_box(box)

    def update(self, image: Any) -> Box:
        """The first box again, (4,)."""
        return self.box.copy()


def _roam(preset: str) -> Callable[..., Follower]:
    def make(device: str, threads: int) -> Follower:
        from roam_tracker.tracker import RoamTracker  # torch only for who needs it

        tracker = RoamTracker(preset=preset, device=device, threads=threads or None)
        return OracleTracker(tracker) if tracker.config.oracle else tracker

    return make


# the paper's other trackers and their presets
_VARIANTS = {
    "ROAM-VGG": "paper",
    "SGD": "sgd",
    "ROAM-wo-RFS": "roam-wo-rfs",
    "SGD-Oracle": "sgd-oracle",
    "ROAM-Oracle": "roam-oracle",
    "ROAM-GRU": "roam-gru",
    "ROAM-FC": "roam-fc",
    "ROAM-ConstLR": "roam-constlr",
    "MetaTracker": "metatracker",
}

TRACKERS: dict[str, Callable[..., Follower]] = {
    "ROAM": _roam("default"),
    "Static": lambda device: StaticTracker(),
    **{name: _roam(preset) for name, preset in _VARIANTS.items()},
}


def check_name(name: str) -> str:
    """The name itself; raises ConfigError naming the nearest known tracker."""
    if name not in TRACKERS:
        raise ConfigError(f"There is no tracker named {name!r}: {nearest(name, TRACKERS)}")
    return name


def preset_of(tracker: str) -> str | None:
    """The preset behind a tracker: a name or a file; None for a tracker that has none."""
    if tracker.endswith(".toml"):
        return tracker
    if ":" in tracker:
        return None
    return "default" if tracker == "ROAM" else _VARIANTS.get(check_name(tracker))


def label(tracker: str) -> str:
    """The name of a tracker's results: its own, a preset file's without .toml, or that of `module:Class`.

    Raises ConfigError for an unknown tracker, and for a file or class that is none or takes a tracker's name.
    """
    if ":" in tracker:
        return str(find_class(tracker).__name__)
    if not tracker.endswith(".toml"):
        return check_name(tracker)
    load_preset(tracker)
    if Path(tracker).stem in TRACKERS:
        raise ConfigError(f"{tracker} would write its results as {Path(tracker).stem}'s. Rename the file.")
    return Path(tracker).stem


def create(tracker: str, device: str = "auto", threads: int = 1) -> Follower:
    """A fresh tracker by its benchmark name, ROAM with the settings of a file (.toml), or `module:Class`.

    device:  "auto", "cpu", "cuda", "cuda:1", ...; a class of others is told if its constructor has `device`
    threads: of PyTorch on a CPU, for ours; 0: as many as PyTorch has
    """
    if ":" in tracker:
        made = find_class(tracker)
        takes_device = "device" in inspect.signature(made).parameters
        follower: Follower = made(device=device) if takes_device else made()
        return follower
    make = _roam(tracker) if tracker.endswith(".toml") else TRACKERS[check_name(tracker)]
    return make(device) if preset_of(tracker) is None else make(device, threads)


def deterministic(tracker: str) -> bool:
    """Whether a tracker finds the same boxes each time; ours do, others say `is_deterministic`."""
    return bool(getattr(find_class(tracker), "is_deterministic", False)) if ":" in tracker else True


def find_class(tracker: str) -> Any:
    """The class behind `module:Class`: `init(image, box)` and `update(image)` as a Follower has them."""
    module, _, name = tracker.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # as `python -m` and `python -c` have it
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, ValueError) as error:
        raise ConfigError(f"There is no tracker {tracker!r} to import: {error}.") from error
    if not (callable(getattr(found, "init", None)) and callable(getattr(found, "update", None))):
        raise ConfigError(
            f"{tracker} is no tracker: it needs the methods init(image, box) and update(image)."
        )
    if name in TRACKERS or not re.fullmatch(r"\w+", name):
        raise ConfigError(f"{tracker} would write its results as those of {name}. Rename the class.")
    return found


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


def trackers_ini(results: Path | None = None) -> str:
    """The text of a trackers.ini that registers every tracker with the VOT toolkit.

    results: a workspace's folder of results, where each tracker then leaves its manifest.json
    """
    sections = []
    for name in TRACKERS:
        # the toolkit expands % and $ in these lines
        place = "" if results is None else str(results / name).replace("%", "%%").replace("$", "$$")
        sections.append(_INI_SECTION.format(name=name) + (f"env_ROAM_RESULTS = {place}\n" if place else ""))
    return _INI_HEAD + "".join(sections)
