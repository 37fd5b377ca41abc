"""RoamTracker: the tracker for people, with images and boxes in any usual form."""

import ctypes
import os
import sys
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from roam_tracker.core import tracking
from roam_tracker.core.config import TrackerConfig, load_preset
from roam_tracker.core.geometry import Boxes, check_box
from roam_tracker.errors import ConfigError, ImageError, RoamError
from roam_tracker.weights import load_weights


class RoamTracker:
    """Follows one object through a video (paper, section 4).

        tracker = RoamTracker(preset="default", device="auto")
        tracker.init(first_image, (x, y, w, h))
        x, y, w, h = tracker.update(next_image)

    preset: a shipped preset, the path of a TOML file, or a TrackerConfig
    device: "auto" (CUDA where there is some), "cpu", "cuda", "cuda:1", ...

    An image is a PIL image, a path, or an (H, W, 3) uint8 RGB array; grey and RGBA are converted.
    A box is x, y, w, h in pixels with (0, 0) the corner of the first pixel.
    """

    def __init__(
        self, preset: str | os.PathLike[str] | TrackerConfig = "default", device: str = "auto"
    ) -> None:
        self.config = preset if isinstance(preset, TrackerConfig) else load_preset(os.fspath(preset))
        self.device = _device(device)
        if self.device.type == "cpu":
            keep_large_blocks()
        self.model = tracking.Model(self.config, load_weights(self.config.weights), self.device)
        self.state: tracking.State | None = None
        self.score = 0.0

    def init(self, image: Any, box: Any) -> None:
        """Start on `box`; a second call starts afresh. Raises ImageError, BoxError."""
        x, y, w, h = check_box(box)
        self.state = tracking.start(self.model, self._frame(image), (x, y, w, h))
        self.score = 1.0

    def update(self, image: Any) -> Boxes:
        """The target's box in the next image, float64 (4,); `score` in [0, 1] tells how sure it is.

        Raises ImageError, and RoamError when `init` was not called before.
        """
        if self.state is None:
            raise RoamError("The tracker has no target yet: call init(image, box) before update(image).")
        self.state, box, score = tracking.step(self.model, self.state, self._frame(image))
        self.score = min(max(score, 0.0), 1.0)
        return np.array(box)

    def _frame(self, image: Any) -> torch.Tensor:
        return torch.from_numpy(to_rgb(image)).to(self.device)


def to_rgb(image: Any) -> NDArray[np.uint8]:
    """Any usual image as (H, W, 3) uint8 RGB. Raises ImageError naming the file or the shape."""
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
    return np.array(array[:, :, :3])


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
