"""The clips of a training run: drawn once, each from the seed and its own number, kept on disk."""

import hashlib
import json
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import cv2
import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from roam_tracker.errors import DataError
from roam_tracker.files import write_atomic
from roam_tracker.training.clips import Clip
from roam_tracker.training.distributed import World

DrawOne = Callable[[int, np.random.Generator], Clip]
TRIES = 20  # sources of one clip that may turn out unreadable


def first_readable(draw: Callable[[int], Clip], skip: Callable[[str], None]) -> Clip:
    """The clip that `draw` makes of an attempt's number, the first one whose data can be read.

    skip: is told each one that could not. Raises DataError when they are too many.
    """
    for attempt in range(TRIES):
        try:
            return draw(attempt)
        except DataError as error:
            last = str(error)
            skip(last)
    raise DataError(f"{TRIES} clips in a row could not be read; the last one: {last}")


class ClipStore:
    """Clips in a folder, one file each, read when they are asked for.

    The folder's name holds a digest of all that the clips depend on, so that runs with the same
    data, backbone and drawing share them and others do not.
    """

    def __init__(self, folder: Path, count: int, seed: int, depends_on: dict[str, object]) -> None:
        text = json.dumps({**depends_on, "seed": seed}, sort_keys=True)
        self.folder = folder / hashlib.sha256(text.encode()).hexdigest()[:16]
        self.count = count
        self.seed = seed

    def fill(self, draw: DrawOne, world: World, workers: int, log: Callable[[str], None]) -> None:
        """Draw what is missing: each of `world`'s processes its share, by `workers` processes of its own.

        A clip whose data cannot be read is named and drawn again from elsewhere.
        """
        missing = [k for k in range(world.rank, self.count, world.size) if not self._path(k).exists()]
        if missing:
            log(f"{len(missing)} of {self.count} clips to draw")
        if workers > 1 and len(missing) > 1:
            with ProcessPoolExecutor(workers, get_context("spawn"), _one_thread) as pool:
                for number, skipped in enumerate(pool.map(self._draw, [draw] * len(missing), missing)):
                    self._tell(number, len(missing), skipped, log)
        else:
            for number, k in enumerate(missing):
                self._tell(number, len(missing), self._draw(draw, k), log)
        world.wait()

    def __getitem__(self, number: int) -> Clip:
        path = self._path(number)
        try:
            tensors = load(path.read_bytes())
            first = int(tensors.pop("first"))
            return Clip(**tensors, first=first)
        except (SafetensorError, KeyError, TypeError) as error:
            raise DataError(f"Clip {path} is damaged ({error}). Remove it and run again.") from None

    def _path(self, number: int) -> Path:
        return self.folder / f"{number:06d}.safetensors"

    def _draw(self, draw: DrawOne, number: int) -> list[str]:
        """Draw and write clip `number`; returns what was skipped on the way."""
        skipped: list[str] = []
        clip = first_readable(
            lambda attempt: draw(number, np.random.default_rng([self.seed, number, attempt])),
            lambda why: skipped.append(f"clip {number} skipped: {why}"),
        )
        tensors = {name: getattr(clip, name) for name in clip.__dataclass_fields__ if name != "first"}
        write_atomic(self._path(number), save(tensors | {"first": torch.tensor(clip.first)}))
        return skipped

    @staticmethod
    def _tell(number: int, count: int, skipped: list[str], log: Callable[[str], None]) -> None:
        for line in skipped:
            log(line)
        if (number + 1) % 50 == 0:
            log(f"clips {number + 1}/{count}")


def _one_thread() -> None:
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
