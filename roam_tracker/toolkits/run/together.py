"""A pool that follows many targets at once on one device, images decoded ahead of time in threads."""

import time
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import numpy as np
import torch

from roam_tracker.core.fast.many import Batch, refusal
from roam_tracker.errors import RoamError, RunError
from roam_tracker.images import Levels
from roam_tracker.toolkits.got10k.tracker import first_levels, read_image
from roam_tracker.toolkits.registry import create, preset_of
from roam_tracker.toolkits.run.jobs import Failure, Here, Job, Outcome, Worker
from roam_tracker.toolkits.run.manifest import device_of
from roam_tracker.tracker import RoamTracker, first_box, to_box

_AHEAD = 4  # images of a sequence that are decoded before they are needed


@dataclass(slots=True)
class Together:
    """Does `batch` jobs at once in this process.

    A sequence's seconds a frame are its share of the time that all took together. Jobs whose tracker cannot
    be batched (another's, a preset with a `refusal`, one that is recorded or repeated) are done one by one.
    """

    batch: int
    device: str = "auto"
    threads: int = 1
    decoders: int = 4
    workers: int = 1

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome | Failure]:
        """What became of each job, as they finish."""
        alone = Here(Worker(self.device, self.threads))
        for tracker, group in groupby(jobs, key=lambda job: job.tracker):
            ours = list(group)
            ours_to_batch = preset_of(tracker) is not None
            follower = create(tracker, self.device, self.threads) if ours_to_batch else None
            if isinstance(follower, RoamTracker) and refusal(follower.config) is None:
                yield from self._follow(follower, [job for job in ours if not _single(job)])
                ours = [job for job in ours if _single(job)]
            yield from alone.run(ours)

    def _follow(self, tracker: RoamTracker, jobs: list[Job]) -> Iterator[Outcome | Failure]:
        slots, waiting = min(self.batch, len(jobs)), deque(jobs)
        if slots == 0:
            return
        batch = Batch(tracker.model, slots)
        made = device_of(tracker) | {"batch": self.batch}
        running: list[_Sequence | None] = [None] * slots
        tick, every = 0, tracker.config.update.every_frames
        with ThreadPoolExecutor(self.decoders) as decoders:
            while waiting or any(running):
                # all begin at the same point of the rhythm of updates, which then come for all at once
                if tick % every == 0:
                    for slot in range(slots):
                        while waiting and running[slot] is None:
                            begun = _Sequence(waiting.popleft(), decoders)
                            with tracker.own_threads():
                                failure = begun.begin(batch, slot)
                            if failure is None and not begun.done:
                                running[slot] = begun
                            else:
                                yield failure or begun.outcome(made)
                tick += 1
                frames: list[torch.Tensor | None] = [None] * slots
                for slot, sequence in enumerate(running):
                    if sequence is not None:
                        try:
                            frames[slot] = sequence.next_frame()
                        except RoamError as error:
                            batch.release(slot)
                            running[slot] = None
                            yield Failure(sequence.job, error)
                there = sum(frame is not None for frame in frames)
                if there == 0:
                    continue
                began = time.perf_counter()
                with tracker.own_threads():
                    rows = batch.step(frames).numpy()
                seconds = (time.perf_counter() - began) / there
                for slot, sequence in enumerate(running):
                    if sequence is not None:
                        failure = sequence.take(rows[slot, :4], seconds)
                        if failure is not None or sequence.done:
                            batch.release(slot)
                            running[slot] = None
                            yield failure or sequence.outcome(made)


@dataclass(slots=True)
class _Sequence:
    """A job at work: its images on their way, what was found in them."""

    job: Job
    decoders: ThreadPoolExecutor
    ahead: deque[Future[Any]] = field(default_factory=deque)
    asked: int = 0
    boxes: list[Any] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    levels: Levels | None = None

    @property
    def done(self) -> bool:
        return len(self.boxes) == len(self.job.images)

    def begin(self, batch: Batch, slot: int) -> Failure | None:
        self.levels = first_levels(self.job.images)
        try:
            frame = self.next_frame()
            box = first_box(to_box(self.job.box), frame.shape[1], frame.shape[0])
            began = time.perf_counter()
            batch.start(slot, frame, tuple(box.tolist()))
        except RoamError as error:
            return Failure(self.job, error)
        return self.take(box, time.perf_counter() - began)

    def next_frame(self) -> torch.Tensor:
        """The next image; raises ImageError."""
        while self.asked < len(self.job.images) and len(self.ahead) < _AHEAD:
            self.ahead.append(self.decoders.submit(_decode, self.job.images[self.asked], self.levels))
            self.asked += 1
        return torch.from_numpy(self.ahead.popleft().result())

    def take(self, box: Any, seconds: float) -> Failure | None:
        if not np.isfinite(box).all():
            image = self.job.images[len(self.boxes)]
            return Failure(self.job, RunError(f"{self.job.tracker} returned the box {box} on {image}."))
        self.boxes.append(np.array(box))
        self.times.append(seconds)
        return None

    def outcome(self, made: dict[str, Any]) -> Outcome:
        return Outcome(self.job, (np.array(self.boxes),), (np.array(self.times),), made)


def _single(job: Job) -> bool:
    return job.record or job.repetitions > 1


def _decode(file: str, levels: Levels | None) -> Any:
    return np.asarray(read_image(file, levels)).copy()
