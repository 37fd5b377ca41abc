"""Tracking in a video: boxes as files, what was seen as a video. What was tracked before a break is kept."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import torch

from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import BoxError, ConfigError, RunError
from roam_tracker.files import check_place, write_atomic
from roam_tracker.images import Rgb
from roam_tracker.tracker import RoamTracker, to_box
from roam_tracker.video.drawing import ResponseView, annotate, resized
from roam_tracker.video.frames import Frames

CODECS = {".mp4": "mp4v", ".avi": "MJPG", ".webm": "VP80"}  # ending -> codec that OpenCV brings along
_HEAD = "frame,x,y,w,h,score\n"
_TOLD_S = 0.2  # between two progress lines on a terminal


Row = tuple[int, Boxes, float]  # number of a frame, x, y, w, h in px, score in [0, 1]


@dataclass
class Track:
    """What was found so far; the first box is the given one."""

    rows: list[Row] = field(default_factory=list)
    elapsed_s: float = 0.0  # with reading and drawing, without the start on the first frame

    @property
    def rate(self) -> float:
        """Frames a second after the first one."""
        return (len(self.rows) - 1) / self.elapsed_s if self.elapsed_s > 0 else 0.0

    def csv(self) -> str:
        """frame,x,y,w,h,score, with a head line."""
        return _HEAD + "".join(map(_csv_row, self.rows))

    def text(self) -> str:
        """x,y,w,h, as the GOT-10k toolkit writes results."""
        return "".join(",".join(f"{value:.3f}" for value in box) + "\n" for _, box, _ in self.rows)


class Printer:
    """What a terminal shows: a line that is written over and over, and, where asked for, rows on stdout."""

    def __init__(self, *, rows: bool) -> None:
        self.rows, self.headed, self.shown = rows, False, ""

    def row(self, row: Row) -> None:
        """Print a row, after the head line if it is the first."""
        if self.rows:
            self.clear()
            print("" if self.headed else _HEAD, _csv_row(row), sep="", end="", flush=True)
            self.headed = True

    def progress(self, line: str) -> None:
        """Show a line in place of the one before."""
        if sys.stderr.isatty() and not (self.rows and sys.stdout.isatty()):
            print(f"\r{line.ljust(len(self.shown))}", end="", file=sys.stderr, flush=True)
            self.shown = line

    def __enter__(self) -> "Printer":
        return self

    def __exit__(self, *reason: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Leave the line to whatever is printed next."""
        if self.shown:
            print("\r" + " " * len(self.shown), end="\r", file=sys.stderr, flush=True)
            self.shown = ""


def _csv_row(row: Row) -> str:
    number, box, score = row
    return ",".join([str(number), *(f"{value:.3f}" for value in box), f"{score:.4f}"]) + "\n"


@dataclass(frozen=True, slots=True)
class Outputs:
    """Files to write; None: not this one."""

    csv: Path | None = None
    text: Path | None = None
    video: Path | None = None
    response: bool = False  # whether the video shows the response map

    def __post_init__(self) -> None:
        if self.video is not None and self.video.suffix.lower() not in CODECS:
            raise ConfigError(f"A video must end in {', '.join(CODECS)}, got {self.video}.")

    @classmethod
    def chosen(
        cls, folder: Path | None, csv: Path | None, text: Path | None, video: Path | None, response: bool
    ) -> "Outputs":
        """All three in a folder, where one is given, and single files where others are."""
        if folder is not None:
            csv, text = csv or folder / "boxes.csv", text or folder / "boxes.txt"
            video = video or folder / "video.mp4"
        if response and video is None:
            raise ConfigError("The response map is drawn into a video. Name one: --video FILE.mp4")
        return cls(csv, text, video, response)

    @property
    def files(self) -> list[Path]:
        """All that are to be written."""
        return [file for file in (self.csv, self.text, self.video) if file is not None]

    def write(self, track: Track) -> None:
        """Write the boxes, each file whole or not at all; nothing where nothing was tracked."""
        if not track.rows:
            return
        if self.csv is not None:
            write_atomic(self.csv, track.csv())
        if self.text is not None:
            write_atomic(self.text, track.text())


def follow(
    tracker: RoamTracker,
    frames: Frames,
    choose: Callable[[Rgb], Boxes],
    outputs: Outputs,
    on_row: Callable[[Row], None] = lambda row: None,
    progress: Callable[[str], None] = lambda line: None,
) -> Track:
    """Track through all frames and write the outputs, also when it is broken off by an error or Ctrl-C.

    choose:   the first box, from the first frame
    on_row:   called with each row as soon as it is known
    progress: called now and then with a line of text
    """
    for file in outputs.files:
        check_place(file)
    track = Track()
    with ExitStack() as stack:  # in whatever way it is left
        stack.callback(frames.close)
        film = None if outputs.video is None else stack.enter_context(Film(outputs.video, frames.fps))
        stack.callback(outputs.write, track)
        start = told = time.perf_counter()
        for number, image in frames:
            view = None
            if not track.rows:
                box = choose(image)
                tracker.init(image, box)
                start = time.perf_counter()
            else:
                view = response_view(tracker, image) if film is not None and outputs.response else None
                box = tracker.update(image)
            track.rows.append((number, box, tracker.score))
            on_row(track.rows[-1])
            if film is not None:
                film.add(annotate(image, box, tracker.score, number, view))
            track.elapsed_s = time.perf_counter() - start
            if time.perf_counter() - told >= _TOLD_S:
                told = time.perf_counter()
                progress(_line(track, frames.expected))
    return track


def _line(track: Track, expected: int) -> str:
    number, _, score = track.rows[-1]
    of = f" of {expected}" if expected else ""
    return f"frame {number}: {len(track.rows)}{of} done, score {score:.2f}, {track.rate:.1f} frames/s"


@torch.no_grad()
def response_view(tracker: RoamTracker, image: Rgb) -> ResponseView | None:
    """The response map of the next frame, before the motion map; to be asked for before `update`."""
    state, model = tracker.state, tracker.model
    if state is None:
        return None
    frame, region = torch.from_numpy(image).to(tracker.device), model.region_side(state.size_px)
    features = model.features(frame, state.centre_px, [region])
    seen = model.engine.transform(features, state.shape)
    values = model.engine.respond(state.theta, state.shape, seen, state.kept)[0].cpu().numpy()
    cell = model.spec.stride / model.patch_px  # of the region
    w = h = region * cell * model.map_size
    x, y = state.centre_px
    return ResponseView(values, (x - w / 2, y - h / 2, w, h))


class Film:
    """A video file that appears when it is finished; frames of another size are fitted to the first."""

    def __init__(self, path: Path, fps: float) -> None:
        self.path, self.fps = path, fps
        self.size: tuple[int, int] | None = None
        self.folder = tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent)
        self.file = Path(self.folder.name) / f"film{path.suffix.lower()}"

    def add(self, image: Rgb) -> None:
        """Append a frame (H, W, 3) RGB with even sides."""
        if self.size is None:
            self.size = (image.shape[1], image.shape[0])
            codec = cv2.VideoWriter_fourcc(*CODECS[self.path.suffix.lower()])  # type: ignore[attr-defined]
            self.writer = cv2.VideoWriter(str(self.file), codec, self.fps, self.size)
            if not self.writer.isOpened():
                raise self._failed("OpenCV has no encoder for it")
        if image.shape[1::-1] != self.size:
            image = resized(image, self.size)
        self.writer.write(cv2.cvtColor(image, cv2.COLOR_RGB2BGR))

    def __enter__(self) -> "Film":
        return self

    def __exit__(self, *reason: object) -> None:
        """Close the file, look whether it can be read, put it in its place; no file without frames."""
        with self.folder:
            if self.size is None:
                return
            self.writer.release()  # says nothing of a full disk
            written = cv2.VideoCapture(str(self.file))
            whole, _ = written.read()
            written.release()
            if not whole:
                raise self._failed("what was written cannot be read again; the disk may be full")
            try:
                self.file.replace(self.path)
            except OSError as error:
                raise self._failed(error.strerror or str(error)) from None

    def _failed(self, why: str) -> RunError:
        return RunError(f"{self.path} could not be written: {why}. Free space or choose another place.")


def draw_box(image: Rgb) -> Boxes:
    """The box that somebody draws with the mouse; ConfigError without a screen, BoxError without a box."""
    if not _has_screen():
        raise ConfigError("There is no screen here to draw a box on. Give it: --box x,y,w,h")
    os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")  # of fonts that OpenCV leaves out
    title, shown = "Draw a box around the target, then press Enter", cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    drawn = cv2.selectROI(title, shown, showCrosshair=False, printNotice=False)
    cv2.destroyAllWindows()
    if not (drawn[2] and drawn[3]):
        raise BoxError("No box was drawn. Draw one around the target and press Enter, or give --box x,y,w,h")
    return to_box(drawn)


def _has_screen() -> bool:
    """Whether a window can be opened; asked in another process, for Qt ends one that has no screen."""
    if sys.platform == "linux" and not (os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")):
        return False
    probe = [sys.executable, "-c", "import cv2; cv2.namedWindow('probe')"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def read_box(text: str) -> Boxes:
    """A box from `x,y,w,h`."""
    return to_box(text.replace(",", " ").split())
