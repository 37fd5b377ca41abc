"""A pool of processes of our own: a crew whose members may die or hang without taking others with them."""

import multiprocessing
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing import connection
from typing import Any

from roam_tracker.errors import RunError
from roam_tracker.toolkits.run.jobs import Failure, Job, Outcome, Worker

_CONTEXT = multiprocessing.get_context("spawn")  # CUDA and threads do not survive a fork
_LOOK_S = 0.5  # between two looks at the clocks of the crew
_START = 2  # loading a tracker may take so many times the limit of a frame


@dataclass(slots=True)
class Processes:
    """Does jobs in `workers` processes at once.

    devices:   given to them in turn, e.g. cuda:0, cuda:1
    threads:   of each process; 0: as many as PyTorch likes
    timeout_s: for one frame, twice as much to load a tracker; who takes longer is killed, the job failed
    retries:   how often a job is begun again whose process was killed
    """

    workers: int
    devices: Sequence[str] = ("auto",)
    threads: int = 1
    timeout_s: float = 30.0
    retries: int = 2

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome | Failure]:
        """What became of each job, as they finish."""
        waiting = deque(jobs)
        deaths: dict[Job, int] = {}
        crew: list[_Member] = []
        try:
            while waiting or any(member.job for member in crew):
                busy = sum(member.job is not None for member in crew)
                while len(crew) < min(self.workers, busy + len(waiting)):
                    taken = {member.place for member in crew}
                    place = next(place for place in range(self.workers) if place not in taken)
                    crew.append(_Member(place, self.devices[place % len(self.devices)], self.threads))
                for member in crew:
                    if member.job is None and waiting:
                        member.give(waiting.popleft())
                connection.wait([member.pipe for member in crew if member.job], _LOOK_S)
                for member in [member for member in crew if member.job]:
                    job, result = member.job, member.look(self.timeout_s)
                    if result is None or job is None:
                        continue
                    if isinstance(result, _Death):
                        crew.remove(member)
                        deaths[job] = deaths.get(job, 0) + 1
                        if result.retry and deaths[job] <= self.retries:
                            waiting.appendleft(job)
                            continue
                        times = f" {deaths[job]} times" if deaths[job] > 1 else ""
                        result = Failure(
                            job, RunError(f"{job.tracker} on {job.sequence}: {result.said}{times}.")
                        )
                    yield result
        finally:
            for member in crew:
                member.dismiss()


@dataclass(frozen=True, slots=True)
class _Death:
    said: str
    retry: bool


@dataclass(slots=True)
class _Member:
    """A process, the pipe to it, its clock, which is that of the whole machine, and the job that it is at."""

    place: int
    device: str
    threads: int
    job: Job | None = None
    pipe: Any = field(init=False)
    process: Any = field(init=False)
    clock: Any = field(init=False)
    frame: Any = field(init=False)

    def __post_init__(self) -> None:
        self.pipe, other = _CONTEXT.Pipe()
        self.clock, self.frame = _CONTEXT.RawValue("d", time.monotonic()), _CONTEXT.RawValue("l", -1)
        arguments = (other, self.clock, self.frame, self.device, self.threads)
        self.process = _CONTEXT.Process(target=_serve, args=arguments, daemon=True)
        self.process.start()
        other.close()

    def give(self, job: Job) -> None:
        self.job, self.frame.value, self.clock.value = job, -1, time.monotonic()
        with suppress(OSError):  # it is dead; `look` will find out
            self.pipe.send(job)

    def look(self, timeout_s: float) -> Outcome | Failure | _Death | None:
        """The result of the job if it is there, its death if that is sure, else None."""
        try:
            if self.pipe.poll():
                result: Outcome | Failure = self.pipe.recv()
                self.job = None
                return result
            dead = not self.process.is_alive() and not self.pipe.poll()
        except (EOFError, OSError):
            dead = True
        if dead:
            self.process.join()
            self.dismiss()
            code = self.process.exitcode
            how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
            advice = " (out of memory? take fewer workers)" if code == -signal.SIGKILL else ""
            return _Death(f"its process was {how}{advice}", True)
        frame = self.frame.value
        if time.monotonic() - self.clock.value > timeout_s * (_START if frame < 0 else 1):
            self.dismiss()
            file = self.job.images[frame] if self.job and frame >= 0 else ""
            what = (
                f"no answer on {file} within {timeout_s:g} s"
                if file
                else f"not ready after {_START * timeout_s:g} s"
            )
            return _Death(f"{what}, so its process was ended; --timeout allows more", False)
        return None

    def dismiss(self) -> None:
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _serve(pipe: Any, clock: Any, frame: Any, device: str, threads: int) -> None:
    """The life of a member: take a job, do it, answer; end with the process that started it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for that process
    threading.Thread(target=end_with_parent, daemon=True).start()

    def beat(number: int) -> None:
        frame.value, clock.value = number, time.monotonic()

    worker = Worker(device, threads, beat)
    while True:
        try:
            pipe.send(worker.perform(pipe.recv()))
        except (EOFError, OSError):
            return


def end_with_parent() -> None:
    """Wait for the end of the process that started this one, then end."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
    os._exit(1)
