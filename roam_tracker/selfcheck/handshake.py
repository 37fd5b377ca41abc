"""The VOT toolkit's side of TraX, for a short talk with a tracker's process over its pipes."""

import re
import subprocess
import threading
from contextlib import suppress
from pathlib import Path

import numpy as np
from PIL import Image

from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import RunError

Process = subprocess.Popen[bytes]

_SIDE_PX = 32
_LIMIT_S = 60.0  # for the whole talk


def talk(process: Process, images: list[Path], first: Boxes) -> Boxes:
    """Start on the box `first` (4,) in the first image, then ask for the others; boxes (N, 4).

    Raises RunError with the tracker's own words when it does not answer.
    """
    guard = threading.Timer(_LIMIT_S, process.kill)
    guard.start()
    try:
        said: list[str] = []
        _listen(process, "hello", said)
        found: list[list[float]] = []
        for image in images:
            begin = "" if found else f'@@TRAX:initialize "{",".join(f"{value:.4f}" for value in first)}" \n'
            _tell(process, f'{begin}@@TRAX:frame "file://{image}" \n')
            found.append(_box(_listen(process, "state", said)))
        _tell(process, "@@TRAX:quit \n")
        return np.array(found)
    finally:
        guard.cancel()


def _tell(process: Process, text: str) -> None:
    assert process.stdin is not None
    with suppress(OSError):  # gone; why is told by what it said last
        process.stdin.write(text.encode())


def _listen(process: Process, kind: str, said: list[str]) -> str:
    """The next line of the protocol, which is to be of that kind."""
    assert process.stdout is not None
    for line in iter(process.stdout.readline, b""):
        text = line.decode(errors="replace").strip()
        if text.startswith(f"@@TRAX:{kind}"):
            return text
        if text.startswith("@@TRAX:quit"):
            reason = re.search(r'"trax\.reason=((?:[^"\\]|\\.)*)"', text)
            raise RunError(
                re.sub(r"\\(.)", r"\1", reason[1]).rstrip(".") if reason else "it quit without a word"
            )
        if text:
            said.append(text)
    raise RunError((said[-1] if said else f"it ended or said nothing for {_LIMIT_S:.0f} s").rstrip("."))


def _box(state: str) -> list[float]:
    numbers = re.match(r'@@TRAX:state "([-\d.,e]+)"', state)
    if numbers is None or numbers[1].count(",") != 3:
        raise RunError(f"it answered {state!r} where a box is expected")
    return [float(word) for word in numbers[1].split(",")]


def write_square(folder: Path, frames: int) -> tuple[list[Path], Boxes]:
    """Images of a chequered square that drifts over a speckled ground, and its boxes (N, 4)."""
    ground = np.random.default_rng(0).integers(30, 90, (160, 200, 3), dtype=np.uint8)
    rows, columns = np.mgrid[:_SIDE_PX, :_SIDE_PX] // 8
    square = np.where(((rows + columns) % 2)[:, :, None], [230, 200, 60], [200, 40, 40]).astype(np.uint8)
    images, boxes = [], []
    for k in range(frames):
        x, y = 40 + 4 * k, 50 + 2 * k
        frame = ground.copy()
        frame[y : y + _SIDE_PX, x : x + _SIDE_PX] = square
        images.append(folder / f"{k + 1:04d}.png")
        Image.fromarray(frame).save(images[-1])
        boxes.append((x, y, _SIDE_PX, _SIDE_PX))
    return images, np.array(boxes, dtype=np.float64)
