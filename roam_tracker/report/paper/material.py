"""Raw material of the paper's figures: boxes that are scored, and recordings."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from roam_tracker.errors import ResultError
from roam_tracker.files import nearest
from roam_tracker.recording import Recording
from roam_tracker.report.evaluation import Evaluation
from roam_tracker.report.paper import updates
from roam_tracker.report.paper.sweeps import Sweep
from roam_tracker.report.read.load import load
from roam_tracker.report.runs import describe
from roam_tracker.report.score.evaluate import evaluate

Recordings = dict[str, dict[str, Recording]]  # tracker -> sequence -> recording


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """Where raw material lies: boxes and `recordings/` under `results`, the data set's folder.

    dataset:  in place of the one that a sweep names
    sequence: for the figures of a single one; None = the longest
    """

    results: Path
    truth: Path
    dataset: str | None = None
    sequence: str | None = None
    _evaluations: dict[str, Evaluation] = field(default_factory=dict)

    def dataset_of(self, sweep: Sweep) -> str:
        """The data set that counts."""
        return self.dataset or sweep.dataset

    def evaluation(self, sweep: Sweep) -> Evaluation:
        """All results of the sweep's data set, scored."""
        dataset = self.dataset_of(sweep)
        if dataset not in self._evaluations:
            self._evaluations[dataset] = evaluate(load(dataset, self.results, self.truth))
        return self._evaluations[dataset]

    def recordings(self, sweep: Sweep) -> Recordings:
        """What was recorded of the sweep's trackers; ResultError naming a tracker that has nothing."""
        folder = self.results / "recordings" / self.dataset_of(sweep)
        found = {
            point.tracker: updates.read_recordings(folder / point.tracker)
            for series in sweep.series
            for point in series.points
        }
        lacking = [tracker for tracker, by_name in found.items() if not by_name]
        if lacking:
            raise ResultError(f"no recordings of {', '.join(lacking)} in {folder}. {_remedy(sweep)}")
        if not updates.common_sequences(found):
            raise ResultError(f"{' and '.join(found)} have no recorded sequence in common. {_remedy(sweep)}")
        return found

    def chosen_sequence(self, recorded: Recordings) -> str:
        """The sequence to show; ResultError when it was not recorded."""
        names = updates.common_sequences(recorded)
        if self.sequence is not None and self.sequence not in names:
            raise ResultError(f"no recording of {self.sequence!r}: {nearest(self.sequence, names)}")
        return self.sequence or names[0]


def score_points(material: Material, sweep: Sweep) -> tuple[pd.DataFrame, Evaluation, tuple[str, ...]]:
    """A row a point of the sweep that has results: series, value, then the scores."""
    evaluation, notes = complete(material.evaluation(sweep), [point.tracker for point in sweep.points], sweep)
    table = evaluation.table.set_index("tracker")
    rows = [
        {"series": series.label, "value": point.value, "tracker": point.tracker, **table.loc[point.tracker]}
        for series in sweep.series
        for point in series.points
        if point.tracker in table.index
    ]
    return pd.DataFrame(rows), evaluation, notes


def complete(
    evaluation: Evaluation, names: Sequence[str], sweep: Sweep
) -> tuple[Evaluation, tuple[str, ...]]:
    """Only those of the trackers that have every sequence which any of them has, and what is left out."""
    rows = evaluation.by_sequence[evaluation.by_sequence["tracker"].isin(names)]
    have = {name: set(rows["sequence"][rows["tracker"] == name]) for name in names}
    every = set().union(*have.values())
    kept = [name for name in names if every and have[name] == every]
    partial = [
        f"{name} ({len(have[name])} of {len(every)} sequences)" for name in names if have[name] < every
    ]
    if len(kept) < 2:
        raise ResultError(f"no whole results of {', '.join(partial) or ', '.join(names)}. {_remedy(sweep)}")
    notes = [f"Left out: {', '.join(partial)}."] if partial else []
    problems = [
        problem for problem in evaluation.problems if problem.tracker in names and not problem.missing
    ]
    notes += describe(problems)
    curves = {
        plot: [curve for curve in drawn if curve.tracker in kept] for plot, drawn in evaluation.curves.items()
    }
    table = evaluation.table[evaluation.table["tracker"].isin(kept)].reset_index(drop=True)
    return replace(evaluation, table=table, curves=curves), tuple(notes)


def _remedy(sweep: Sweep) -> str:
    return f"Run: roam sweep {sweep.name} --root DIR"
