"""Runs of trackers, and what was read of one benchmark."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.datasets.truth import Truth, some
from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.read.vot import Experiment, Region, VotTruth

ONE_PASS = "one pass"  # the only experiment of the box benchmarks


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Run:
    """One run of a tracker on one sequence.

    repetition: counted from 1
    source:     its file, as the user knows it: `results.zip/ROAM/Deer.txt`
    times_s:    seconds of each frame, in any order of repetitions; None where unknown
    """

    tracker: str
    experiment: str = ONE_PASS
    sequence: str
    repetition: int = 1
    source: Path
    times_s: NDArray[np.float64] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class BoxRun(Run):
    """A run on a box benchmark.

    boxes:   (N, 4) x, y, w, h in pixels, as many as the truth has
    counted: (N,) bool, false where the run has no box by the benchmark's rule; None = all frames count
    """

    boxes: Boxes
    counted: NDArray[np.bool_] | None = None


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class VotRun(Run):
    """A run in an experiment of VOT: a region per frame, codes (N,) UNKNOWN, INITIALISED, FAILED, TRACKED."""

    codes: NDArray[np.int64]
    regions: Sequence[Region]


@dataclass(frozen=True, slots=True)
class Problem:
    """Something of a tracker that is not scored, and why; `missing` if there is no file at all.

    fault: the message without file, line and quotations, to know the same fault of other results by
    """

    tracker: str
    sequence: str
    message: str
    missing: bool = False
    fault: str = ""


TruthT = TypeVar("TruthT", Truth, VotTruth)
RunT = TypeVar("RunT", BoxRun, VotRun)


@dataclass
class Loaded(Generic[TruthT, RunT]):
    """Ground truth by sequence, the runs on it, and what was left out.

    runs:     sorted by tracker, experiment, sequence and repetition
    problems: what is not scored and should be mended; notes: what was done to make results fit
    origins:  by tracker, what made its results, where known
    not_run:  sequences with ground truth that no tracker has results of
    total:    number of sequences of the whole benchmark
    """

    benchmark: Benchmark
    results: Path
    annotations: Path
    truths: dict[str, TruthT]
    runs: list[RunT] = field(default_factory=list)
    experiments: dict[str, Experiment] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    origins: dict[str, str] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)
    total: int = 0


_ALIKE = 3  # results with the same fault that are named one by one


class LoadedBoxes(Loaded[Truth, BoxRun]):
    """Loaded results of a box benchmark: all but VOT."""


class LoadedVot(Loaded[VotTruth, VotRun]):
    """Loaded results of a VOT workspace."""


Key = TypeVar("Key", bound=Hashable)
Item = TypeVar("Item")


def grouped(items: Iterable[Item], key: Callable[[Item], Key]) -> dict[Key, list[Item]]:
    """Items by their key, keys and items in the order in which they come."""
    groups: dict[Key, list[Item]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def by_text(entries: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """Texts about trackers, each once: the first tracker, and `A, B: text` for all that it holds for."""
    found = []
    for text, pairs in grouped(entries, lambda entry: entry[1]).items():
        names = list(dict.fromkeys(tracker for tracker, _ in pairs))
        who = ", ".join(names) if len(names) <= 4 else f"{len(names)} trackers ({', '.join(names[:3])}, ...)"
        found.append((names[0], f"{who}: {text}"))
    return found


def describe(problems: Iterable[Problem]) -> list[str]:
    """One sentence per fault, or per tracker for many of the same and for all of its missing sequences."""
    problems = list(problems)
    sentences = []
    present = (problem for problem in problems if not problem.missing)
    for (tracker, _), alike in grouped(present, lambda one: (one.tracker, one.fault or one.message)).items():
        shown = alike[:1] if len(alike) > _ALIKE else alike
        sentences += [problem.message for problem in shown]
        others = [problem.sequence for problem in alike[len(shown) :]]
        if others:
            told = f"Likewise {len(others)} more results of {tracker}: {some(others)}."
            sentences[-1] = f"{sentences[-1].rstrip('.')}. {told}"
    missing = grouped((problem for problem in problems if problem.missing), attrgetter("tracker"))
    for tracker, own in missing.items():
        names = [problem.sequence for problem in own]
        sentences.append(
            f"{tracker} has no result of {', '.join(names)}, other trackers have. Run it on"
            f" {'this sequence' if len(names) == 1 else f'these {len(names)} sequences'}."
        )
    return sentences
