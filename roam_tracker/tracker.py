"""RoamTracker: the tracker for people, with images and boxes in any usual form."""

import ctypes
import os
import sys
import textwrap
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np
import torch

from roam_tracker.core import tracking
from roam_tracker.core.config import TrackerConfig, load_preset
from roam_tracker.core.engine import Reference
from roam_tracker.core.fast.engine import Fast
from roam_tracker.core.fast.many import Batch, refusal
from roam_tracker.core.geometry import Boxes, check_box
from roam_tracker.errors import BoxError, ConfigError, RoamError, RunError
from roam_tracker.images import Levels, levels_of, to_rgb
from roam_tracker.recording import Recorder
from roam_tracker.state_file import read_state, write_state
from roam_tracker.weights import weights_for


class RoamTracker:
    """Follows one object through a video (paper, section 4).

        tracker = RoamTracker(preset="default", device="auto")
        tracker.init(first_image, (x, y, w, h))
        x, y, w, h = tracker.update(next_image)

    preset: a shipped preset, the path of a TOML file, or a TrackerConfig
    device: "auto" (CUDA where there is some), "cpu", "cuda", "cuda:1", ...
    record: a file for what the updates did, see recording.py; written by `write_recording`
    weights: tensors of your own in place of the preset's file, named and shaped as in one
    plain:  the reference: float32, each step as the paper has it, for tests and `roam bench`
    threads: of PyTorch, on a CPU, while this tracker computes; None: as many as PyTorch has. Two are faster
             on an idle machine and many times slower on a busy one, where they wait for each other. Another
             number moves the last bits of a response and, over a sequence, the boxes

    An image is a PIL image, a path, or an (H, W, 3) uint8 RGB array; grey, RGBA, 16 bits and floats are
    converted: the range of the first image's values then is the range of all.
    A box is x, y, w, h in pixels with (0, 0) the corner of the first pixel. Boxes that come out are finite,
    their centre lies in the image and no side is longer than the image's; what cannot be used raises an error
    of errors.py and leaves the target as it was.
    """

    def __init__(
        self,
        preset: str | os.PathLike[str] | TrackerConfig = "default",
        device: str = "auto",
        record: str | os.PathLike[str] | None = None,
        *,
        weights: Mapping[str, torch.Tensor] | None = None,
        plain: bool = False,
        threads: int | None = 1,
    ) -> None:
        self.config = preset if isinstance(preset, TrackerConfig) else load_preset(os.fspath(preset))
        self.device = find_device(device)
        if self.device.type == "cpu":
            keep_large_blocks()
        self.threads = _checked_threads(threads) if self.device.type == "cpu" else None
        tensors = weights_for(self.config) if weights is None else weights
        with self.own_threads():
            self.model = tracking.Model(self.config, tensors, self.device, Reference() if plain else Fast())
        self._state: tracking.State | None = None
        self._levels: Levels | None = None  # of the present target's images, if they have more than 8 bits
        # on CUDA a target is followed as a batch of one: no waiting for the device, and graphs
        on_device = self.device.type == "cuda" and not plain and refusal(self.config) is None
        self._single = Batch(self.model, 1) if on_device else None
        self._within: Batch | None = None  # where the present target is followed so
        self.score = 0.0
        self.record = record
        self.recording = None if record is None else Recorder()

    def init(self, image: Any, box: Any) -> None:
        """Start on `box`; a second call starts afresh.

        Raises ImageError, and BoxError for a box that is none or that no target in the image can have.
        """
        box = to_box(box)
        levels = levels_of(image)
        frame = self._frame(image, levels)
        x, y, w, h = first_box(box, frame.shape[1], frame.shape[0])
        if self.recording is not None:
            self.recording.begin()
        observe = None if self.recording is None else self.recording.observe
        with self.own_threads():
            state = tracking.start(self.model, frame.to(self.device), (x, y, w, h), observe=observe)
        self._follow(state, frame)
        self.score, self._levels = 1.0, levels

    def update(self, image: Any, truth: Any = None) -> Boxes:
        """The target's box in the next image, float64 (4,); `score` in [0, 1] tells how sure it is.

        truth: only for an oracle preset, which learns from true boxes: the target's box in this image,
               without area or not finite where it is absent. The box returned is found without it.

        Raises ImageError, BoxError, RoamError when `init` was not called before, and RunError when the
        numbers of the model have grown beyond all bounds.
        """
        state = self._target("update(image)")
        box_to_learn = self._to_learn(truth)
        frame, after = self._frame(image, self._levels), state
        if self._within is not None:
            x, y, w, h, score = self._within.step([frame])[0].tolist()
            box = x, y, w, h
        else:
            observe = None if self.recording is None else self.recording.observe
            with self.own_threads():
                after, box, score = tracking.step(
                    self.model, state, frame.to(self.device), truth=box_to_learn, observe=observe
                )
        if not np.isfinite([*box, score]).all():
            raise RunError(
                "The response is not finite in this frame: the updates made the model diverge. Use smaller "
                "rates or update.guard_halvings in the preset, or other weights; init starts afresh."
            )
        self._state, self.score = after, min(max(score, 0.0), 1.0)
        return np.array(box)

    @property
    def state(self) -> tracking.State | None:
        """All that is known of the target; None before the first."""
        return self._state if self._within is None else self._within.state(0)

    @property
    def rejected_steps(self) -> int:
        """Gradient steps on this target that were undone because the loss rose or was not finite."""
        state = self.state
        return 0 if state is None else state.rejected_steps

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the target to a file from which `load` goes on. Raises RunError when the disk refuses."""
        state = self._target("save(path)")
        levels = None if self._levels is None else (self._levels.low, self._levels.high)
        write_state(path, self.model, self.state or state, self.score, levels)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on with a saved target; the boxes to come are those that would have come without the break.

        Raises InputError for a damaged file, and for one of another preset or other weights.
        """
        state, self.score, levels = read_state(path, self.model)
        self._levels = None if levels is None else Levels(*levels)
        self._follow(state, torch.empty(1, 1, 3))

    @contextmanager
    def own_threads(self) -> Iterator[None]:
        """Within the block PyTorch has this tracker's number of threads, after it the number from before."""
        before = torch.get_num_threads()
        if self.threads in (None, before):
            yield
            return
        torch.set_num_threads(self.threads)
        try:
            yield
        finally:
            torch.set_num_threads(before)

    def write_recording(self) -> None:
        """Write to the `record` file what the updates did so far; nothing happens without one."""
        if self.recording is not None and self.record is not None:
            self.recording.write(self.record)

    def _follow(self, state: tracking.State, frame: torch.Tensor) -> None:
        """Go on with a target, whose frames are as large as this one or larger."""
        self._state, self._within = state, self._single if self.recording is None else None
        if self._within is not None:
            self._within.load(0, state, frame)

    def _target(self, wanted: str) -> tracking.State:
        if self._state is None:
            raise RoamError(f"The tracker has no target yet: call init(image, box) before {wanted}.")
        return self._state

    def _to_learn(self, truth: Any) -> tracking.Box | None:
        """The true box to learn from; None for the tracker's own estimate."""
        if (truth is not None) != self.config.oracle:
            raise RoamError(
                "An oracle preset needs the true box of every frame: update(image, truth=box)."
                if self.config.oracle
                else "Only an oracle preset may see true boxes. Leave out `truth` or choose such a preset."
            )
        if truth is None or _absent(truth):
            return None
        x, y, w, h = (float(value) for value in to_box(truth))
        return x, y, w, h

    def _frame(self, image: Any, levels: Levels | None) -> torch.Tensor:
        return torch.from_numpy(to_rgb(image, levels))


def _absent(box: Any) -> bool:
    """Whether a box of an annotation says that there is no target: not finite, or without area."""
    try:
        values = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return values.shape == (4,) and not (np.isfinite(values).all() and (values[2:] > 0).all())


_FARTHEST = 1e6  # px; what lies farther away is no place in an image
_SMALLEST = 0.5  # px; the side of a first box
_LARGEST = 4  # the side of a first box over the image's


def to_box(box: Any) -> Boxes:
    """A box in any usual form, float64 (4,). Raises BoxError unless it could be one in some image."""
    if isinstance(box, (str, bytes, dict, set, frozenset)):  # NumPy would take "1234" apart
        raise BoxError(f"A box must be four numbers x, y, w, h in pixels, got {box!r:.60}.")
    if isinstance(box, Iterator):
        box = list(islice(box, 5))  # it may have no end
    try:
        found = check_box(box)
    except BoxError as error:  # which may show a whole image
        raise BoxError(textwrap.shorten(str(error), 200, placeholder=" ...")) from None
    if np.abs(found).max() > _FARTHEST:
        raise BoxError(
            f"A box must lie within a million pixels, got {found.tolist()}. Give x, y, w, h in px."
        )
    return found


def first_box(box: Boxes, width: int, height: int) -> Boxes:
    """The box itself; raises BoxError for one that no target seen in an image of that size can have."""
    x, y, w, h = box.tolist()
    told = f"The first box x={x:g}, y={y:g}, w={w:g}, h={h:g}"
    image = f"the image of {width} x {height} px"
    if x >= width or y >= height or x + w <= 0 or y + h <= 0:
        raise BoxError(f"{told} lies outside {image}. Start on a frame where the target is visible.")
    if w > _LARGEST * width or h > _LARGEST * height:
        raise BoxError(f"{told} is more than {_LARGEST} times as large as {image}. Give x, y, w, h in px.")
    if min(w, h) < _SMALLEST:
        raise BoxError(f"{told} is too small in {image}; each side must be {_SMALLEST} px or more.")
    return box


def find_device(name: str) -> torch.device:
    """The device of that name, for "auto" CUDA where there is some; ConfigError when it is not there."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        device = None
    if device is None or device.type not in ("cpu", "cuda"):
        raise ConfigError(f"Device {name!r} is unknown; use auto, cpu, cuda or cuda:N.")
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"Device {name!r} is not available here: torch finds no CUDA. Use auto or cpu.")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(
            f"Device {name!r} is not here: torch finds {torch.cuda.device_count()}. Use auto or cpu."
        )
    return device


def _checked_threads(threads: int | None) -> int | None:
    if threads is not None and (type(threads) is not int or threads < 1):
        raise ConfigError(
            f"threads must be a whole number from 1 on, or None for as many as PyTorch has, got {threads!r}."
        )
    return threads


def keep_large_blocks() -> None:
    """Let glibc reuse large buffers; by default it maps each feature map anew, at half the speed."""
    if sys.platform == "linux":
        try:
            mallopt = ctypes.CDLL("libc.so.6").mallopt
        except (OSError, AttributeError):  # another C library
            return
        mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: keep freed memory
