"""Presets on the same targets from the same starts, for `roam validate`: what to track, and what was found.

One process takes a target, decodes its frames once and lets every variant track it from every start. What
one variant found from one start is kept in a folder, under a digest of all that decides it: settings,
weights, the code of the tracker, frames and boxes. So a changed variant is run again and the others are not.
"""

import functools
import hashlib
import json
import multiprocessing
import re
import signal
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import torch

from roam_tracker.core.config import TrackerConfig, load_preset
from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import BoxError, ConfigError, DataError, RoamError, RunError
from roam_tracker.files import write_atomic
from roam_tracker.images import Rgb, levels_of, to_rgb
from roam_tracker.sample import render as sample
from roam_tracker.toolkits.run.processes import end_with_parent
from roam_tracker.tracker import RoamTracker
from roam_tracker.training.videos import find_videos
from roam_tracker.weights import read_weights
from roam_tracker.weights.backbones import cache_folder

JITTER = 0.02  # of a first box: standard deviation of its place in target sides and of its scale
_MADE_SEED = 1000  # of the first round of made sequences: not those of `roam sample`


@dataclass(frozen=True, slots=True)
class Variant:
    """A preset under the name by which the table calls it."""

    name: str
    config: TrackerConfig
    weights_sha256: str

    def settings(self) -> dict[str, Any]:
        """What decides its boxes, but for code and weights, whose name says nothing."""
        return {key: value for key, value in asdict(self.config).items() if key != "weights"}


@dataclass(frozen=True, slots=True, eq=False)
class Target:
    """An object in a sequence; the first frame shows it.

    boxes:  (N, 4) true x, y, w, h in px, zero where it is absent
    images: a file a frame, or kind and seed of a made sequence
    """

    name: str
    boxes: Boxes
    images: tuple[Path, ...] | tuple[str, int]

    def frames(self) -> list[Rgb]:
        """The frames (H, W, 3). Raises ImageError for a file that is no image."""
        if isinstance(self.images[0], Path):
            levels = levels_of(self.images[0])
            return [to_rgb(path, levels) for path in self.images]
        kind, seed = self.images
        return list(sample.render(str(kind), len(self.boxes), int(seed)).frames)

    def described(self) -> list[Any]:
        """What its frames are known by: names and sizes of files, or how they are made; and its boxes."""
        if isinstance(self.images[0], Path):
            files = [path for path in self.images if isinstance(path, Path)]
            known: list[Any] = [[path.name, path.stat().st_size] for path in files]
        else:
            known = [*self.images, hashlib.sha256(Path(sample.__file__).read_bytes()).hexdigest()]
        return [known, self.boxes.tolist()]


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """What one variant found on one target from one start.

    boxes:   (N, 4) in px, the first is the start; NaN after the model diverged
    seconds: of tracking alone
    kept:    whether it was found by an earlier run
    """

    variant: str
    target: str
    start: int
    boxes: Boxes
    seconds: float
    kept: bool = False

    @property
    def diverged(self) -> bool:
        """Whether the updates made the model grow beyond all bounds."""
        return bool(np.isnan(self.boxes[-1]).any())


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    """A target with its starts, and for each of the variants the files that keep what it found."""

    target: Target
    starts: tuple[tuple[float, float, float, float], ...]
    variants: tuple[Variant, ...]
    files: tuple[tuple[Path, ...], ...]


def find_variants(words: Sequence[str]) -> list[Variant]:
    """Variants by preset or NAME=preset, a preset being a shipped one or a TOML file.

    Raises ConfigError for an unknown preset and for two variants of one name, WeightsError for one without
    weights.
    """
    found: dict[str, Variant] = {}
    for word in words:
        name, equals, preset = word.partition("=")
        if not equals or not re.fullmatch(r"[\w.+-]+", name):
            name, preset = (Path(word).stem if word.endswith(".toml") else word), word
        if name in found:
            raise ConfigError(f"Two variants are named {name!r}. Give one another name: {name}-2={preset}.")
        config = load_preset(preset)
        found[name] = Variant(name, config, hashlib.sha256(read_weights(config.weights)).hexdigest())
    return list(found.values())


def find_targets(folders: Sequence[Path], made: int = 0, frames: int = 150) -> list[Target]:
    """The targets of folders of videos, in any layout that training reads, then `made` drawn ones.

    Each from the first frame that shows it, at most so many frames. Raises DataError when there is none,
    for a damaged annotation, a target that is never seen, and two of one name.
    """
    if frames < 2 or made < 0:
        raise ConfigError(
            f"Validation needs 2 frames or more and 0 made sequences or more, got {frames} and {made}."
        )
    found: dict[str, Target] = {}
    for folder in folders:
        for video in find_videos(folder):
            seen = np.flatnonzero((video.boxes[:, 2:] > 0).all(axis=1))
            if not len(seen):
                raise DataError(f"{video.name} in {folder} has no box with an area. Correct it or remove it.")
            if video.name in found:
                raise DataError(f"Two targets are named {video.name!r}. Rename one of their folders.")
            part = slice(int(seen[0]), int(seen[0]) + frames)
            found[video.name] = Target(video.name, video.boxes[part], tuple(video.frames[part]))
    for number in range(made):
        kind, seed = list(sample.KINDS)[number % len(sample.KINDS)], _MADE_SEED + number // len(sample.KINDS)
        name = f"made-{kind}-{seed - _MADE_SEED + 1}"
        found[name] = Target(name, sample.true_boxes(kind, frames, seed), (kind, seed))
    if not found:
        raise DataError("There is nothing to track. Give folders of videos (--videos) or a number (--made).")
    return list(found.values())


def starts(target: Target, count: int) -> list[tuple[float, float, float, float]]:
    """First boxes x, y, w, h in px: the true one, then jittered ones, the same whoever tracks.

    Place and scale are moved by a normal deviate of 2 % of the sides, drawn from name and number.
    """
    if count < 1:
        raise ConfigError(f"A target needs one start or more, got {count}.")
    x, y, w, h = target.boxes[0].tolist()
    found = [(x, y, w, h)]
    for number in range(1, count):
        rng = np.random.default_rng([zlib.crc32(target.name.encode()), number])
        right, down, larger = (rng.normal(size=3) * JITTER).tolist()
        factor = float(np.exp(larger))
        centre_x, centre_y = x + w / 2 + right * w, y + h / 2 + down * h
        found.append((centre_x - factor * w / 2, centre_y - factor * h / 2, factor * w, factor * h))
    return found


def track_all(
    variants: Sequence[Variant],
    targets: Sequence[Target],
    *,
    jitter: int = 3,
    workers: int = 1,
    cache: Path | None = None,
) -> Iterator[list[Track]]:
    """Track all targets; a list a target, by variant and start, as they are done.

    jitter:  starts a target
    workers: processes of one thread each; a single one is this process itself
    cache:   the folder that keeps what was found; None: one in the user's folder of caches

    Raises ConfigError for a number out of range, RoamError of what a variant or a frame lacks, and RunError
    when a process dies.
    """
    if workers < 1:
        raise ConfigError(f"Validation needs one worker or more, got {workers}.")
    folder = cache_folder() / "validation" if cache is None else cache
    code = _code()
    jobs = [_job(variants, target, starts(target, jitter), folder, code) for target in targets]
    return _here(jobs) if min(workers, len(jobs)) == 1 else _elsewhere(jobs, workers)


def _job(
    variants: Sequence[Variant],
    target: Target,
    boxes: Sequence[tuple[float, float, float, float]],
    folder: Path,
    code: str,
) -> _Job:
    shown = hashlib.sha256(json.dumps(target.described()).encode()).hexdigest()
    files = []
    for variant in variants:
        named = [code, variant.settings(), variant.weights_sha256, shown]
        keys = [hashlib.sha256(json.dumps([*named, box]).encode()).hexdigest() for box in boxes]
        files.append(tuple(folder / key[:2] / f"{key}.json" for key in keys))
    return _Job(target, tuple(boxes), tuple(variants), tuple(files))


def _code() -> str:
    """A digest of what turns frames into boxes: core, tracker, images, and the version of torch."""
    here = Path(__file__).parent
    digest = hashlib.sha256(torch.__version__.encode())
    for path in [*sorted((here / "core").glob("*.py")), here / "tracker.py", here / "images.py"]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _here(jobs: Sequence[_Job]) -> Iterator[list[Track]]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield from map(_done, jobs)
    finally:
        torch.set_num_threads(threads)


def _elsewhere(jobs: Sequence[_Job], workers: int) -> Iterator[list[Track]]:
    before = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")
    waiting = iter(jobs)
    with ProcessPoolExecutor(min(workers, len(jobs)), context, initializer=_begin) as pool:
        try:
            given: set[Future[list[Track]]] = {
                pool.submit(_done, job) for job in islice(waiting, 2 * workers)
            }
            while given:
                future = next(as_completed(given))
                given.remove(future)
                given |= {pool.submit(_done, job) for job in islice(waiting, 1)}
                yield future.result()
        except BrokenProcessPool:
            raise RunError(
                "A process of the validation was killed, perhaps for want of memory. Use fewer workers; "
                "what is finished is not run again."
            ) from None
        except BaseException:  # also when the caller wants no more: nobody waits for a target's end
            for process in set(multiprocessing.active_children()) - before:
                process.terminate()
            raise


def _begin() -> None:
    """The first act of a process: one thread, deaf to Ctrl-C, and no life after its parent's."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    torch.set_num_threads(1)


def _done(job: _Job) -> list[Track]:
    """What all variants find from all starts, kept or tracked now."""
    frames: list[Rgb] = []
    found = []
    for variant, files in zip(job.variants, job.files, strict=True):
        for number, (box, file) in enumerate(zip(job.starts, files, strict=True)):
            kept = _kept(file, len(job.target.boxes))
            if kept is None:
                frames = frames or job.target.frames()
                boxes, seconds = _tracked(variant, job.target, frames, box)
                write_atomic(file, json.dumps({"boxes": boxes.tolist(), "seconds": seconds}))
            else:
                boxes, seconds = kept
            found.append(Track(variant.name, job.target.name, number, boxes, seconds, kept is not None))
    return found


def _kept(file: Path, count: int) -> tuple[Boxes, float] | None:
    """Boxes (count, 4) and seconds of an earlier run; None when the file is absent or damaged."""
    try:
        content = json.loads(file.read_bytes())
        boxes, seconds = np.array(content["boxes"], dtype=np.float64), float(content["seconds"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (boxes, seconds) if boxes.shape == (count, 4) else None


@functools.lru_cache(maxsize=16)
def _tracker(variant: Variant) -> RoamTracker:
    return RoamTracker(variant.config, "cpu")


def _tracked(
    variant: Variant, target: Target, frames: Sequence[Rgb], box: tuple[float, float, float, float]
) -> tuple[Boxes, float]:
    """Boxes (N, 4) from one start, and the seconds of init and updates."""
    try:
        tracker = _tracker(variant)
    except RoamError as error:
        raise type(error)(f"{variant.name}: {error}") from None
    boxes = np.full((len(frames), 4), np.nan)
    boxes[0] = box
    began = time.perf_counter()
    try:
        tracker.init(frames[0], box)
    except BoxError as error:
        raise BoxError(f"{target.name}: {error}") from None
    try:
        for number, frame in enumerate(frames[1:], start=1):
            boxes[number] = tracker.update(frame, target.boxes[number] if variant.config.oracle else None)
    except RunError:  # the model diverged
        pass
    return boxes, time.perf_counter() - began
