"""Carries out runs: what is finished stays, long sequences start first, results are written as they come."""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from roam_tracker.files import write_atomic
from roam_tracker.toolkits.run.jobs import Failure, Job, Pool
from roam_tracker.toolkits.run.manifest import Manifest


@dataclass(slots=True)
class Plan:
    """A tracker on all sequences of an experiment.

    tracker:    what a pool knows it by; name: of its results
    recordings: folder for recordings, a file a sequence; only where `record`
    """

    experiment: Any
    tracker: str
    name: str
    manifest: Manifest
    repetitions: int = 1
    record: bool = False
    recordings: Path | None = None
    finished: int = 0
    redone: set[str] = field(default_factory=set)  # whose results stay: only the recording is missing

    def jobs(self) -> Iterator[Job]:
        """What is to be done; prints a sentence for each result that is there and not trusted."""
        dataset = self.experiment.dataset
        for index, (sequence, frames) in enumerate(zip(dataset.seq_names, dataset.check(), strict=True)):
            fault = self.experiment.fault(self.manifest, self.name, sequence, frames, self.repetitions)
            if fault:
                print(f"{self.name} {sequence}: {fault}, run again", flush=True)
            if fault is None:
                if not self._lacks_recording(sequence):
                    self.finished += 1
                    continue
                self.redone.add(sequence)
            images, boxes = dataset[index][:2]
            box = tuple(map(float, boxes[0]))
            yield Job(self.tracker, sequence, tuple(images), box, self.repetitions, self.record)  # type: ignore[arg-type]

    def _lacks_recording(self, sequence: str) -> bool:
        return self.recordings is not None and not (self.recordings / f"{sequence}.json").is_file()


def carry_out(plans: Sequence[Plan], pool: Pool) -> list[Failure]:
    """Do what is not done, print a line a sequence; what failed.

    Trackers follow each other, the longest sequence of each comes first, so that none is left to the end.
    """
    by_tracker = {plan.tracker: plan for plan in plans}
    jobs: list[Job] = []
    for plan in plans:
        due = list(plan.jobs())
        if plan.finished:
            print(
                f"{plan.name}: {plan.finished} of {plan.finished + len(due)} sequences finished before",
                flush=True,
            )
        jobs += sorted(due, key=lambda job: len(job.images), reverse=True)
    waiting, frames, failures = sum(len(job.images) * job.repetitions for job in jobs), 0, []
    start = time.perf_counter()
    for number, result in enumerate(pool.run(jobs), start=1):
        job, plan = result.job, by_tracker[result.job.tracker]
        frames += len(job.images) * job.repetitions
        left = (waiting - frames) * (time.perf_counter() - start) / frames
        head = f"[{number}/{len(jobs)}] {plan.name} {job.sequence}"
        if isinstance(result, Failure):
            failures.append(result)
            print(f"{head}: failed, {_duration(left)} left", flush=True)
            continue
        if result.recording is not None and plan.recordings is not None:
            write_atomic(plan.recordings / f"{job.sequence}.json", result.recording)
        if job.sequence not in plan.redone:
            plan.experiment.save(plan.manifest, plan.name, result, pool.workers)
        rate = len(job.images) * job.repetitions / max(sum(times.sum() for times in result.times), 1e-9)
        print(f"{head}: {len(job.images)} frames, {rate:.1f} frames/s, {_duration(left)} left", flush=True)
    return failures


def _duration(seconds: float) -> str:
    minutes, seconds = divmod(math.ceil(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
