"""Frames in turn, from a video file, a stream, a camera, or images in a folder or by a pattern."""

import os
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")  # what is wrong we say ourselves, in a sentence
import cv2

from roam_tracker.datasets.frames import FrameFiles, first_with_frames, frames_in
from roam_tracker.errors import ConfigError, DataError, ImageError
from roam_tracker.images import Rgb, levels_of, to_rgb

_USUAL = 30.0  # frames/s where nothing tells
_SPARE = 0.02  # share of its frames that a container may count too many
_PATIENCE_S = 10  # with a stream
_PATIENCE = [
    cv2.CAP_PROP_OPEN_TIMEOUT_MSEC,
    1000 * _PATIENCE_S,
    cv2.CAP_PROP_READ_TIMEOUT_MSEC,
    1000 * _PATIENCE_S,
]


class Frames:
    """What to track in: iterating gives the number of each frame, from 1, and its (H, W, 3) uint8 RGB.

    source: a video file, a stream's URL, the index of a camera such as "0", a folder of images, or their
            pattern such as "frames/%04d.jpg"; images come in the order of their numbers
    first:  number of the first frame given
    most:   frames given at most; 0: all
    Raises DataError for a source that cannot be opened, ImageError for a frame that cannot be read.
    """

    def __init__(self, source: str, first: int = 1, most: int = 0) -> None:
        if first < 1 or most < 0:
            raise ConfigError(f"Frames count from 1 and are 0 or more, got start {first}, number {most}.")
        self.source, self.first, self.most = source, first, most
        path = Path(source)
        self.files: Sequence[Path] = find_images(path) if path.is_dir() else _by_pattern(source)
        self.video = None if self.files else _opened(source)
        self.fps, self.total = _USUAL, len(self.files)  # total 0: nobody knows
        if self.video is not None:
            self.fps = _plausible(self.video.get(cv2.CAP_PROP_FPS), 1, 1000) or _USUAL
            self.total = int(_plausible(self.video.get(cv2.CAP_PROP_FRAME_COUNT), 1, 1e9))
        if self.total and first > self.total:
            raise DataError(f"{source} has {self.total} frames, so none can be tracked from {first}.")

    @property
    def expected(self) -> int:
        """Frames that are to come; 0 where nobody knows."""
        rest = self.total - self.first + 1 if self.total else 0
        return min(rest, self.most) if rest and self.most else rest or self.most

    def __iter__(self) -> Iterator[tuple[int, Rgb]]:
        found = self._decoded(self.video) if self.video is not None else self._files()
        return islice(found, self.most or None)

    def close(self) -> None:
        """Give a camera or a file back."""
        if self.video is not None:
            self.video.release()

    def _files(self) -> Iterator[tuple[int, Rgb]]:
        levels = levels_of(self.files[0])
        for number, file in enumerate(self.files[self.first - 1 :], self.first):
            yield number, to_rgb(file, levels)

    def _decoded(self, video: cv2.VideoCapture) -> Iterator[tuple[int, Rgb]]:
        number = 0
        while number < self.first - 1 and video.grab():
            number += 1
        while True:
            there, frame = video.read()
            if not there or frame is None:
                break
            number += 1
            yield number, to_rgb(frame[:, :, ::-1])
        if number < self.first:
            raise DataError(f"{self.source} gives {number} frames, so none can be tracked from {self.first}.")
        if number < self.total * (1 - _SPARE) - 1:
            raise ImageError(
                f"{self.source} cannot be read beyond frame {number} of {self.total}: it is damaged or cut "
                "short. Replace the file."
            )


def find_images(folder: Path) -> FrameFiles:
    """The images of a folder, or of its `img` or `color`, in the order of their numbers."""
    found = first_with_frames([folder, folder / "img", folder / "color"])
    if not found:
        raise DataError(
            f"{folder} holds no images. Give a folder of images, a video file or a camera's index."
        )
    return found


def _by_pattern(source: str) -> FrameFiles | tuple[()]:
    """The files that a pattern such as frames/%04d.jpg stands for, by number; none where it is no pattern."""
    path = Path(source)
    if not re.fullmatch(r"[^%]*%0?\d*d[^%]*", path.name) or path.exists():
        return ()
    form = re.compile(re.sub(r"%0?\d*d", r"(\\d+)", re.escape(path.name).replace("\\%", "%")))
    found = {}
    for name in frames_in(path.parent).names:
        number = form.fullmatch(name)
        if number is not None and path.name % int(number[1]) == name:
            found[int(number[1])] = name
    if not found:
        raise DataError(f"No image fits the pattern {source}. Correct the pattern.")
    return FrameFiles(path.parent, tuple(found[number] for number in sorted(found)))


def _opened(source: str) -> cv2.VideoCapture:
    path = Path(source)
    if re.match(r"[a-z][a-z0-9+.-]+://", source, re.IGNORECASE):
        level = cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
        video = cv2.VideoCapture(source, cv2.CAP_FFMPEG, _PATIENCE)
        cv2.utils.logging.setLogLevel(level)
        if not video.isOpened():
            raise DataError(
                f"The stream {source} cannot be opened ({_PATIENCE_S} s were allowed). Is the address right, "
                "and does a camera or a server send there?"
            )
        return video
    if source.isdecimal() and not path.exists():
        video = cv2.VideoCapture(int(source))
        if not video.isOpened():
            raise DataError(f"Camera {source} cannot be opened. Is it connected, and free of other programs?")
        return video
    if not path.exists():
        raise DataError(
            f"{source} does not exist. Give a video file, a folder of images, a pattern (frames/%04d.jpg), a "
            "stream (rtsp://, http://) or a camera's index."
        )
    video = cv2.VideoCapture(str(path))
    if not video.isOpened():
        raise DataError(f"{source} cannot be read as a video. Convert it, or give a folder of images.")
    return video


def _plausible(value: float, least: float, most: float) -> float:
    """The value, or 0 for one that a container made up."""
    return value if least <= value <= most else 0.0
