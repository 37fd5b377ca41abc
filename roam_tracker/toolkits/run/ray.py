"""A pool on a Ray cluster, `pip install roam-tracker[ray]`: one sequence a task, on any machine of it."""

import faulthandler
import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError, RunError
from roam_tracker.toolkits.run.jobs import Failure, Job, Outcome, Worker

_WORKERS: dict[tuple[str, int], Worker] = {}  # of this process: Ray gives it task after task


@dataclass(slots=True)
class RayCluster:
    """Does jobs on a Ray cluster; see processes.py for `threads`, `timeout_s` and `retries`.

    address: of the cluster, e.g. auto or ray://host:10001; "" starts one on this machine
    workers: tasks at once on a cluster that is started here
    device:  auto: a GPU for each task where the cluster has GPUs

    Image files and weights must lie at the same paths on all machines.
    """

    address: str
    workers: int
    device: str = "auto"
    threads: int = 1
    timeout_s: float = 30.0
    retries: int = 2

    def run(self, jobs: Iterable[Job]) -> Iterator[Outcome | Failure]:
        """What became of each job, as they finish; the order of the jobs is that of their starts."""
        ray = _import_ray()
        cores = max(1, self.threads)
        try:
            if self.address:
                ray.init(address=self.address, log_to_driver=False, logging_level="ERROR")
            else:
                ray.init(
                    num_cpus=self.workers * cores,
                    include_dashboard=False,
                    log_to_driver=False,
                    logging_level="ERROR",
                )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise RunError(
                f"There is no Ray cluster at {self.address or 'this machine'} ({error})."
            ) from error
        try:
            gpus = 1 if self.device == "auto" and ray.cluster_resources().get("GPU", 0) >= 1 else 0
            task = ray.remote(num_cpus=cores, num_gpus=gpus, max_retries=self.retries)(_perform)
            here = os.getcwd()  # noqa: PTH109  (a plain string travels)
            waiting = {task.remote(job, self.device, self.threads, self.timeout_s, here): job for job in jobs}
            while waiting:
                (done,), _ = ray.wait(list(waiting), num_returns=1)
                job = waiting.pop(done)
                try:
                    result = ray.get(done)
                except ray.exceptions.RayError as error:
                    what = " ".join(str(error).split())[:200]
                    result = Failure(
                        job,
                        RunError(
                            f"{job.tracker} on {job.sequence}: its process died {self.retries + 1} times, "
                            f"or gave no answer within {self.timeout_s:g} s ({what}). Ray's logs tell more."
                        ),
                    )
                yield result
        finally:
            ray.shutdown()


def _perform(job: Job, device: str, threads: int, timeout_s: float, folder: str) -> Outcome | Failure:
    if Path(folder).is_dir():
        os.chdir(folder)
    worker = _WORKERS.setdefault((device, threads), Worker(device, threads))

    def beat(frame: int) -> None:
        # a thread outside of Python's lock ends a process that does not come back
        limit = timeout_s * (2 if frame < 0 else 1)
        faulthandler.dump_traceback_later(limit, exit=True, file=sys.__stderr__ or 2)

    worker.beat = beat
    try:
        return worker.perform(job)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise ConfigError("Ray is not installed here. Run: pip install 'roam-tracker[ray]'") from error
    return ray
