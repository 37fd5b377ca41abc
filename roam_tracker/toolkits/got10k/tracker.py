"""A tracker of our registry as a tracker of the GOT-10k toolkit; its experiments are in onepass.py."""

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from got10k.trackers import Tracker
from numpy.typing import NDArray
from PIL import Image

from roam_tracker.errors import ImageError, RoamError, RunError
from roam_tracker.images import Levels, levels_of, to_rgb
from roam_tracker.recording import Recorder
from roam_tracker.toolkits.registry import Follower, create, deterministic, label
from roam_tracker.toolkits.run.manifest import device_of

Array = NDArray[np.float64]
_AHEAD = 4  # images decoded before they are needed


class RoamGot10k(Tracker):
    """A tracker of our registry as the toolkit wants it; made when the first frame is there.

    threads: of PyTorch on a CPU, for ours; 0: as many as PyTorch has
    record:  whether what the updates do is kept; see `recording`
    beat:    called with the number of each frame before it is looked at
    """

    def __init__(
        self,
        tracker: str,
        device: str = "auto",
        *,
        threads: int = 1,
        record: bool = False,
        beat: Callable[[int], None] = lambda frame: None,
    ) -> None:
        super().__init__(label(tracker), is_deterministic=deterministic(tracker))
        self.tracker, self.device, self.threads, self.record, self.beat = (
            tracker,
            device,
            threads,
            record,
            beat,
        )
        self.follower: Follower | None = None

    def prepare(self) -> Follower:
        """The tracker itself, made at the first call."""
        if self.follower is None:
            self.follower = create(self.tracker, self.device, self.threads)
        return self.follower

    def made(self) -> dict[str, Any]:
        """Device and threads, for a manifest; a tracker without PyTorch has no device of its own."""
        return device_of(self.prepare())

    def recording(self) -> str | None:
        """The last sequence's recording as text; None where nothing was recorded."""
        recorder = self.prepare().recording
        return recorder.text() if recorder is not None and recorder.steps else None

    def init(self, image: Image.Image, box: Array) -> None:
        """Start on box (4,) x, y, w, h in px."""
        self.prepare().init(image, box)

    def update(self, image: Image.Image) -> Array:
        """The box (4,) in the next image."""
        return self.prepare().update(image)

    def track(self, img_files: list[str], box: Array, visualize: bool = False) -> tuple[Array, Array]:
        """Boxes (N, 4) in px and seconds a frame (N,), without reading and decoding the image."""
        boxes, times = np.zeros((len(img_files), 4)), np.zeros(len(img_files))
        follower = self.prepare()  # loading a network is no part of the first frame
        follower.recording = Recorder() if self.record else None
        device = getattr(follower, "device", None)
        # beside a GPU the processor is free; on a CPU the thread would take time from what is measured
        images = read_ahead(img_files, _AHEAD if device is not None and device.type == "cuda" else 0)
        for f, file in enumerate(img_files):
            self.beat(f)
            image = next(images)
            start = time.perf_counter()
            try:
                if f == 0:
                    self.init(image, box)
                    boxes[0] = box
                else:
                    boxes[f] = _four(self.update(image))
            except RoamError:
                raise
            except Exception as error:
                raise RunError(f"{self.name} failed on {file}: {type(error).__name__}: {error}") from error
            times[f] = time.perf_counter() - start
            if not np.isfinite(boxes[f]).all() or (f > 0 and (boxes[f, 2:] <= 0).any()):
                raise RunError(
                    f"{self.name} returned the box {boxes[f].tolist()} on {file}, which is not finite or has "
                    "no area. Mend the tracker; where it has lost the target, its last box will do."
                )
            if visualize:
                from got10k.utils.viz import show_frame

                show_frame(image, boxes[f])
        return boxes, times


def read_ahead(files: Sequence[str], ahead: int) -> Iterator[Image.Image]:
    """The images in their order, up to `ahead` of them decoded in a thread before they are asked for."""
    levels = first_levels(files)
    if ahead == 0:
        yield from (read_image(file, levels) for file in files)
        return
    with ThreadPoolExecutor(1) as decoder:
        waiting = deque(decoder.submit(read_image, file, levels) for file in files[:ahead])
        for file in files[ahead:]:
            image = waiting.popleft().result()
            waiting.append(decoder.submit(read_image, file, levels))
            yield image
        for future in waiting:
            yield future.result()


def _four(box: Any) -> Array:
    found = np.asarray(box, dtype=np.float64)
    if found.shape != (4,):
        raise ValueError(f"the box {box} is not x, y, w, h")
    return found


def first_levels(files: Sequence[str]) -> Levels | None:
    """The levels of a sequence, which its first image decides; None where that cannot be read."""
    try:
        return levels_of(files[0])
    except (ImageError, IndexError):  # told when it is read
        return None


def read_image(file: str, levels: Levels | None = None) -> Image.Image:
    """A file as an RGB image that knows its name; raises ImageError."""
    try:
        with Image.open(file) as image:
            rgb = Image.fromarray(to_rgb(image, levels))
            rgb.filename = file  # type: ignore[attr-defined]  # an oracle finds the true box beside it
            return rgb
    except (ImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ImageError(
            f"{file} cannot be read as an image ({error}). Restore the file; finished sequences are kept."
        ) from error
