"""RoamTracker: the tracker for people, with images and boxes in any usual form."""

import ctypes
import os
import sys
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from roam_tracker.core import tracking
from roam_tracker.core.batch import Batch, refusal
from roam_tracker.core.config import TrackerConfig, load_preset
from roam_tracker.core.geometry import Boxes, check_box
from roam_tracker.errors import ConfigError, ImageError, RoamError
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
    plain:  float32 and no fast path: the reference, for tests and `roam bench`

    An image is a PIL image, a path, or an (H, W, 3) uint8 RGB array; grey and RGBA are converted.
    A box is x, y, w, h in pixels with (0, 0) the corner of the first pixel.
    """

    def __init__(
        self,
        preset: str | os.PathLike[str] | TrackerConfig = "default",
        device: str = "auto",
        record: str | os.PathLike[str] | None = None,
        *,
        weights: Mapping[str, torch.Tensor] | None = None,
        plain: bool = False,
    ) -> None:
        self.config = preset if isinstance(preset, TrackerConfig) else load_preset(os.fspath(preset))
        self.device = _device(device)
        if self.device.type == "cpu":
            keep_large_blocks()
        tensors = weights_for(self.config) if weights is None else weights
        self.model = tracking.Model(self.config, tensors, self.device, plain=plain)
        self._state: tracking.State | None = None
        # on CUDA a target is followed as a batch of one: no waiting for the device, and graphs
        on_device = self.device.type == "cuda" and not plain and refusal(self.config) is None
        self._single = Batch(self.model, 1) if on_device else None
        self._within: Batch | None = None  # where the present target is followed so
        self.score = 0.0
        self.record = record
        self.recording = None if record is None else Recorder()

    def init(self, image: Any, box: Any) -> None:
        """Start on `box`; a second call starts afresh. Raises ImageError, BoxError."""
        x, y, w, h = check_box(box)
        frame = self._frame(image)
        if self.recording is not None:
            self.recording.begin()
        observe = None if self.recording is None else self.recording.observe
        self._follow(tracking.start(self.model, frame.to(self.device), (x, y, w, h), observe=observe), frame)
        self.score = 1.0

    def update(self, image: Any, truth: Any = None) -> Boxes:
        """The target's box in the next image, float64 (4,); `score` in [0, 1] tells how sure it is.

        truth: only for an oracle preset, which learns from true boxes: the target's box in this image,
               without area or not finite where it is absent. The box returned is found without it.

        Raises ImageError, BoxError, and RoamError when `init` was not called before.
        """
        state = self._target("update(image)")
        box_to_learn = self._to_learn(truth)
        frame = self._frame(image)
        if self._within is not None:
            x, y, w, h, score = self._within.step([frame])[0].tolist()
            box = x, y, w, h
        else:
            observe = None if self.recording is None else self.recording.observe
            self._state, box, score = tracking.step(
                self.model, state, frame.to(self.device), truth=box_to_learn, observe=observe
            )
        self.score = min(max(score, 0.0), 1.0)
        return np.array(box)

    @property
    def state(self) -> tracking.State | None:
        """All that is known of the target; None before the first."""
        return self._state if self._within is None else self._within.state(0)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the target to a file from which `load` goes on. Raises RunError when the disk refuses."""
        state = self._target("save(path)")
        write_state(path, self.model, self.state or state, self.score)

    def load(self, path: str | os.PathLike[str]) -> None:
        """Go on with a saved target; the boxes to come are those that would have come without the break.

        Raises InputError for a damaged file, and for one of another preset or other weights.
        """
        state, self.score = read_state(path, self.model)
        self._follow(state, torch.empty(1, 1, 3))

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
        x, y, w, h = (float(value) for value in check_box(truth))
        return x, y, w, h

    def _frame(self, image: Any) -> torch.Tensor:
        return torch.from_numpy(to_rgb(image))


def _absent(box: Any) -> bool:
    """Whether a box of an annotation says that there is no target: not finite, or without area."""
    try:
        values = np.asarray(box, dtype=np.float64)
    except (TypeError, ValueError):
        return False
    return values.shape == (4,) and not (np.isfinite(values).all() and (values[2:] > 0).all())


def to_rgb(image: Any) -> NDArray[np.uint8]:
    """Any usual image as (H, W, 3) uint8 RGB, an array of that kind as it is.

    Raises ImageError naming the file or the shape.
    """
    if isinstance(image, (str, os.PathLike)):
        try:
            with Image.open(image) as opened:
                return np.array(opened.convert("RGB"))
        except FileNotFoundError:
            raise ImageError(f"Image {os.fspath(image)} does not exist.") from None
        except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
            raise ImageError(
                f"Image {os.fspath(image)} cannot be read ({error}). Replace the file."
            ) from None
    if isinstance(image, Image.Image):
        try:
            return np.array(image.convert("RGB"))
        except (OSError, SyntaxError, ValueError) as error:
            name = getattr(image, "filename", "") or "in memory"
            raise ImageError(f"Image {name} cannot be read ({error}). Replace the file.") from None
    array = np.asarray(image)
    if array.dtype != np.uint8 or array.size == 0:
        raise ImageError(
            f"An image array must be uint8 and not empty, got {array.dtype} of shape {array.shape}."
        )
    if array.ndim == 3 and array.shape[2] == 1:
        array = array[:, :, 0]
    if array.ndim == 2:
        array = np.repeat(array[:, :, None], 3, axis=2)
    if array.ndim != 3 or array.shape[2] not in (3, 4):
        raise ImageError(
            f"An image array must be H x W x 3 (RGB), H x W x 4 or H x W, got shape {array.shape}."
        )
    return np.require(array[:, :, :3], requirements=("C", "W"))  # what torch takes without a copy


def _device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"Device {name!r} is unknown; use auto, cpu, cuda or cuda:N.") from None
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ConfigError(f"Device {name!r} is not available here: torch finds no CUDA. Use auto or cpu.")
    return device


def keep_large_blocks() -> None:
    """Let glibc reuse large buffers; by default it maps each feature map anew, at half the speed."""
    if sys.platform == "linux":
        try:
            mallopt = ctypes.CDLL("libc.so.6").mallopt
        except (OSError, AttributeError):  # another C library
            return
        mallopt(-4, 0)  # M_MMAP_MAX: no mapping of its own for a large block
        mallopt(-1, 2**31 - 1)  # M_TRIM_THRESHOLD: keep freed memory
