"""Runs of trackers on sequences, on this machine or others: what a job is, and who does it.

A pool takes jobs and yields what became of them, in the order in which they finish: `Here` in this process,
`Processes` in some of its own (processes.py), `RayCluster` on a Ray cluster (cluster.py). Nothing is
written by those who track, so results look the same whoever made them.
"""

import random
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import RoamError, RunError

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Job:
    """A tracker on a sequence.

    tracker: a name of the registry, a preset file or `module:Class`
    images:  files of the frames
    box:     x, y, w, h in px in the first of them
    repetitions: how often, each with a seed of its own; a deterministic tracker needs one
    record:  whether what the updates do is to be recorded
    """

    tracker: str
    sequence: str
    images: tuple[str, ...]
    box: tuple[float, float, float, float]
    repetitions: int = 1
    record: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """A job that was done: boxes (N, 4) in px and seconds a frame (N,) of each repetition.

    made: device and threads; recording: text of a recording, if one was wanted and there were updates
    """

    job: Job
    boxes: tuple[Array, ...]
    times: tuple[Array, ...]
    made: dict[str, Any]
    recording: str | None = None


@dataclass(frozen=True, slots=True)
class Failure:
    """A job that cannot be done, and why."""

    job: Job
    error: RoamError
    trace: str = ""


class Tracker(Protocol):
    """What a pool needs of a tracker; the GOT-10k toolkit's have `name` and `track`."""

    name: str

    def track(self, img_files: list[str], box: Any, visualize: bool = False) -> tuple[Array, Array]:
        """Boxes (N, 4) and seconds a frame (N,)."""


class Pool(Protocol):
    """Does jobs. `workers`: how many at once."""

    workers: int

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome | Failure]:
        """What became of each job, as they finish; after a failure the others go on."""


@dataclass(slots=True)
class Worker:
    """Does jobs one after the other; keeps the tracker of the last one.

    beat: called with the number of the frame that comes next, -1 while the tracker is loaded
    """

    device: str = "auto"
    threads: int = 1
    beat: Callable[[int], None] = field(default=lambda frame: None)
    visualize: bool = False
    _made: tuple[str, Tracker] | None = None

    def perform(self, job: Job) -> Outcome | Failure:
        """Do a job; what goes wrong becomes a Failure."""
        try:
            self.beat(-1)
            return self._track(job, self._tracker(job.tracker))
        except RoamError as error:
            return Failure(job, error, traceback.format_exc())
        except Exception as error:
            what = f"{job.tracker} failed on {job.sequence}: {type(error).__name__}: {error}"
            return Failure(job, RunError(what), traceback.format_exc())

    def use(self, name: str, tracker: Tracker) -> None:
        """Take this object for the tracker of a name."""
        self._made = (name, tracker)

    def _tracker(self, name: str) -> Tracker:
        if self._made is None or self._made[0] != name:
            from roam_tracker.toolkits.got10k.tracker import RoamGot10k  # needs the toolkit

            tracker = RoamGot10k(name, self.device, threads=self.threads, beat=self.beat)
            tracker.prepare()
            self._made = (name, tracker)
        return self._made[1]

    def _track(self, job: Job, tracker: Tracker) -> Outcome:
        boxes, times, recording = [], [], None
        for repetition in range(job.repetitions):
            if job.repetitions > 1:
                _seed(repetition)
            if hasattr(tracker, "record"):
                tracker.record = job.record
            found, seconds = tracker.track(list(job.images), np.array(job.box), visualize=self.visualize)
            if found.shape != (len(job.images), 4):
                raise RunError(
                    f"{job.tracker} gave {len(found)} boxes for {len(job.images)} frames of {job.sequence}."
                )
            boxes.append(found)
            times.append(np.asarray(seconds, dtype=np.float64))
        if job.record and hasattr(tracker, "recording"):
            recording = tracker.recording()
        made = tracker.made() if hasattr(tracker, "made") else {"device": "", "threads": 0}
        return Outcome(job, tuple(boxes), tuple(times), made, recording)


@dataclass(slots=True)
class Here:
    """Does jobs in this process."""

    worker: Worker = field(default_factory=Worker)
    workers: int = 1

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome | Failure]:
        """One job after the other."""
        return map(self.worker.perform, jobs)


def _seed(seed: int) -> None:
    """Seed every generator that a stochastic tracker may use."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  (the legacy generator is what trackers of others draw from)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(seed)
