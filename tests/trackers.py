"""Trackers of other people, as a run finds them: `trackers:Slow` and so on."""

import os
import random
import signal
import time
from pathlib import Path

import numpy as np


class Still:
    """Says that the target stays where it was, a pixel to the right in each frame."""

    is_deterministic = True

    def init(self, image, box):
        self.box = np.array(box)

    def update(self, image):
        self.box = self.box + np.array([1, 0, 0, 0])
        return self.box


class Slow(Still):
    """Takes its time, and tells the world that it is at work."""

    def update(self, image):
        time.sleep(0.02)
        Path("at-work").touch()
        return super().update(image)


class Suicidal(Still):
    """Kills its own process in the fourth frame as long as the file `lives` has a letter left."""

    def init(self, image, box):
        super().init(image, box)
        self.frame = 0

    def update(self, image):
        self.frame += 1
        lives = Path("lives")
        if self.frame == 3 and lives.is_file() and lives.read_text():
            lives.write_text(lives.read_text()[1:])
            os.kill(os.getpid(), signal.SIGKILL)
        return super().update(image)


class Hanging(Still):
    """Does not come back in sequences of the name in the file `hang`."""

    def update(self, image):
        if Path("hang").read_text() in image.filename:
            time.sleep(100)
        return super().update(image)


class Drunk(Still):
    """Draws from every generator there is; not deterministic."""

    is_deterministic = False

    def update(self, image):
        self.box = self.box + np.array([random.random(), np.random.normal(), 0, 0])  # noqa: NPY002
        return self.box


class Faulty(Still):
    """Does in the fourth frame of `motion` what the variable FAULT or the file `fault` says."""

    score, recording = 1.0, None

    def init(self, image, box):
        super().init(image, box)
        self.frame = 0

    def update(self, image):
        self.frame += 1
        box = super().update(image)
        if self.frame != 3 or "motion" not in getattr(image, "filename", image):
            return box
        fault = os.environ.get("FAULT") or Path("fault").read_text()
        if fault == "raise":
            raise ValueError("lost my mind")
        if fault == "hang":
            time.sleep(100)
        if fault == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        return {
            "nan": np.array([1, np.nan, 3, 4]),
            "infinite": np.array([1, np.inf, 3, 4]),
            "short": box[:3],
            "none": None,
            "zero": np.array([1, 2, 0, 4]),
            "negative": np.array([1, 2, 3, -4]),
            "text": "left",
        }[fault]
