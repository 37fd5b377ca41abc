"""What was read of one benchmark: ground truth, runs, and what was left out or made to fit."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.readers import BoxRun, BoxTruth
from roam_tracker.report.vot_files import Experiment, VotRun, VotTruth

Truth = TypeVar("Truth", BoxTruth, VotTruth)
Run = TypeVar("Run", BoxRun, VotRun)


@dataclass(frozen=True, slots=True)
class Problem:
    """A sequence that is left out for a tracker, and why; `missing` when there is no file at all."""

    tracker: str
    sequence: str
    message: str
    missing: bool = False


@dataclass
class Loaded(Generic[Truth, Run]):
    """Ground truth by sequence, runs by tracker, experiment and sequence, and what was left out.

    notes: what was done to make results fit; origins: by tracker, what made its results, where known
    """

    benchmark: Benchmark
    results: Path
    annotations: Path
    truths: dict[str, Truth]
    runs: dict[str, dict[str, dict[str, list[Run]]]] = field(default_factory=dict)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)
    total: int = 0


class LoadedBoxes(Loaded[BoxTruth, BoxRun]):
    """Loaded results of a box benchmark: all but VOT."""


class LoadedVot(Loaded[VotTruth, VotRun]):
    """Loaded results of a VOT workspace."""


def describe(problems: Iterable[Problem]) -> list[str]:
    """A sentence for each damaged file and one for each tracker with missing sequences."""
    problems = list(problems)
    sentences = [problem.message for problem in problems if not problem.missing]
    for tracker in dict.fromkeys(problem.tracker for problem in problems if problem.missing):
        names = [problem.sequence for problem in problems if problem.missing and problem.tracker == tracker]
        sentences.append(
            f"{tracker} has no result of {', '.join(names)}, other trackers have. Run it on"
            f" {'this sequence' if len(names) == 1 else f'these {len(names)} sequences'}."
        )
    return sentences
