"""The VOT short-term challenges: every experiment of a workspace to tables and curves."""

from dataclasses import dataclass, replace
from itertools import chain
from operator import attrgetter
from typing import Any

import numpy as np
import pandas as pd

from roam_tracker.report.evaluation import Array, Curve, Evaluation, Metric, evaluation_of
from roam_tracker.report.read.vot import FAILED, Experiment
from roam_tracker.report.runs import LoadedVot, VotRun, grouped
from roam_tracker.report.score import vot_metrics
from roam_tracker.report.score.speed import frames_per_second
from roam_tracker.report.score.vot_overlap import region_overlaps

Runs = dict[str, list[VotRun]]  # of one tracker in one experiment: repetitions by sequence
SPEED = Metric(
    "speed_fps", "fps", "Frames divided by their total time until the reply, main experiment.", digits=1
)


@dataclass(frozen=True, slots=True)
class _Scored:
    """One tracker in one experiment: columns and values, a row a sequence, curves by plot, overlaps."""

    scores: dict[str, float]
    columns: list[Metric]
    details: list[dict[str, Any]]
    curves: dict[str, Curve]
    overlaps: dict[str, Array]  # of the first repetition


def evaluate_vot(loaded: LoadedVot, seed: int = 0) -> Evaluation:
    """Score every experiment of a VOT workspace.

    An experiment is supervised or not as the stack says; without a stack by its name. The baseline, or
    the first one there is, gives the curves and the speed.
    """
    rows: list[dict[str, Any]] = []
    by_sequence: list[dict[str, Any]] = []
    curves: dict[str, list[Curve]] = {"accuracy-robustness": [], "eao": []}
    columns: dict[str, Metric] = {}
    traces: dict[str, dict[str, Array]] = {}
    for tracker, own in grouped(loaded.runs, attrgetter("tracker")).items():
        experiments = grouped(own, attrgetter("experiment"))
        main = "baseline" if "baseline" in experiments else next(iter(experiments))
        row: dict[str, Any] = {"tracker": tracker}
        traces[tracker] = {}
        for name, runs in experiments.items():
            repetitions = grouped(runs, attrgetter("sequence"))
            score = _supervised if _settings(loaded, name).supervised else _unsupervised
            scored = score(loaded, tracker, name, repetitions, seed)
            row |= scored.scores
            columns |= {metric.column: metric for metric in scored.columns}
            by_sequence += [{"tracker": tracker, "experiment": name, **detail} for detail in scored.details]
            for sequence, overlap in scored.overlaps.items():
                traces[tracker][f"{name}/{sequence}"] = overlap
            if name == main:
                for plot, curve in scored.curves.items():
                    curves[plot].append(curve)
                frames = sum(detail["frames"] for detail in scored.details)
                row |= {"speed_fps": _speed(runs), "sequences": len(repetitions), "frames": frames}
        rows.append(row)
    order = [*sorted(columns.values(), key=_rank), SPEED]
    bands = [f"{metric.column}_{end}" for metric in order for end in ("low", "high")]
    table = pd.DataFrame(rows)
    names = ["tracker", *(metric.column for metric in order), *(band for band in bands if band in table)]
    evaluation = evaluation_of(
        loaded,
        table.reindex(columns=[*names, "sequences", "frames"]),
        by_sequence,
        order,
        {plot: kept for plot, kept in curves.items() if kept},
        _notes(loaded, by_sequence, table),
        traces,
    )
    bounds = _settings(loaded, "baseline").eao_bounds
    return replace(evaluation, benchmark=replace(loaded.benchmark, eao_bounds=bounds))


def _settings(loaded: LoadedVot, name: str) -> Experiment:
    """The stack's settings, else supervised unless the name says otherwise; the benchmark's bounds first."""
    known = loaded.experiments.get(name) or Experiment(supervised="unsupervised" not in name)
    return replace(known, eao_bounds=loaded.benchmark.eao_bounds or known.eao_bounds)


def _overlaps(loaded: LoadedVot, runs: Runs) -> dict[str, list[Array]]:
    truths = {name: loaded.truths[name] for name in runs}
    return {
        name: [
            region_overlaps(run.regions, truths[name].regions, truths[name].size_px) for run in repetitions
        ]
        for name, repetitions in runs.items()
    }


def _traces(runs: Runs, overlaps: dict[str, list[Array]]) -> dict[str, Array]:
    """The first repetition's overlaps: 0 where the tracker failed, NaN where it was started or not asked."""
    values = np.array([np.nan, np.nan, 0.0])  # of UNKNOWN, INITIALISED, FAILED
    codes = {name: repetitions[0].codes for name, repetitions in runs.items()}
    return {
        name: np.where(codes[name] <= FAILED, values[np.minimum(codes[name], FAILED)], repetitions[0])
        for name, repetitions in overlaps.items()
    }


def _supervised(loaded: LoadedVot, tracker: str, name: str, runs: Runs, seed: int) -> _Scored:
    experiment, overlaps = _settings(loaded, name), _overlaps(loaded, runs)
    details: list[dict[str, Any]] = []
    pieces: dict[str, list[tuple[Array, bool]]] = {}
    for sequence, repetitions in runs.items():
        accuracies, pieces[sequence] = [], []
        for run, overlap in zip(repetitions, overlaps[sequence], strict=True):
            accuracies.append(vot_metrics.supervised_accuracy(overlap, run.codes, experiment.burn_in))
            pieces[sequence] += vot_metrics.fragments(overlap, run.codes)
        lost = float(np.mean([vot_metrics.failures(run.codes) for run in repetitions]))
        scores = {"accuracy": float(np.mean(accuracies)), "failures": lost}
        details.append(_detail(sequence, repetitions, scores))
    frames, failures = [detail["frames"] for detail in details], [detail["failures"] for detail in details]
    curve, bounds = vot_metrics.eao_curve([*chain(*pieces.values())]), experiment.eao_bounds
    prefix = "" if name == "baseline" else f"{name}_"
    scores = {
        "eao": vot_metrics.eao(curve, *bounds) if bounds else float("nan"),
        "accuracy": vot_metrics.weighted_by_length([detail["accuracy"] for detail in details], frames),
        "robustness": vot_metrics.failures_per_100_frames(failures, frames),
        "failures": sum(failures),
        "weighted_failures": vot_metrics.weighted_by_length(failures, frames),
    }
    scores |= vot_metrics.supervised_intervals(details, list(pieces.values()), bounds, seed)
    chance = vot_metrics.reliability(failures, frames, experiment.sensitivity)
    point = Curve(tracker, np.array([chance]), np.array([scores["accuracy"]]), scores["accuracy"])
    eao = Curve(tracker, np.arange(len(curve), dtype=np.float64), curve, scores["eao"])
    return _Scored(
        {prefix + column: value for column, value in scores.items()},
        _supervised_columns(prefix, experiment),
        details,
        {"accuracy-robustness": point, "eao": eao},
        _traces(runs, overlaps),
    )


def _unsupervised(loaded: LoadedVot, tracker: str, name: str, runs: Runs, seed: int) -> _Scored:
    experiment, overlaps, details = _settings(loaded, name), _overlaps(loaded, runs), []
    for sequence, repetitions in runs.items():
        annotated = np.array([region is not None for region in loaded.truths[sequence].regions])
        values = [
            vot_metrics.unsupervised_overlap(overlap, run.codes, annotated, experiment.burn_in)
            for overlap, run in zip(overlaps[sequence], repetitions, strict=True)
        ]
        details.append(_detail(sequence, repetitions, {"ao": float(np.mean(values))}))
    weights = [detail["frames"] for detail in details]
    value = vot_metrics.weighted_by_length([detail["ao"] for detail in details], weights)
    plain = name in ("unsupervised", "baseline")
    rule = (
        f"Experiment {name}, run without restarts: mean overlap without the first {experiment.burn_in}"
        " frames, mean over repetitions, then over sequences weighted by length."
    )
    metric = Metric("ao" if plain else f"{name}_ao", "AO" if plain else f"{name} AO", rule)
    return _Scored({metric.column: value}, [metric], details, {}, _traces(runs, overlaps))


def _detail(sequence: str, repetitions: list[VotRun], scores: dict[str, float]) -> dict[str, Any]:
    return {
        "sequence": sequence,
        "frames": len(repetitions[0].codes),
        "repetitions": len(repetitions),
        **scores,
        "speed_fps": _speed(repetitions),
        "source": str(repetitions[0].source),
    }


def _supervised_columns(prefix: str, experiment: Experiment) -> list[Metric]:
    low, high = experiment.eao_bounds or ("?", "?")
    rules = {
        "eao": "Expected average overlap: mean of the curve over sequence lengths"
        f" {low} to {high}. Missing when the pieces are shorter or the bounds unknown.",
        "accuracy": f"Mean overlap on the image's pixels, without the first {experiment.burn_in} frames after"
        " each start; mean over repetitions, then over sequences weighted by length.",
        "robustness": "Failures per 100 frames: 100 x failures / frames, repetitions averaged.",
        "failures": "Failures, mean over repetitions, sum over sequences.",
        "weighted_failures": "Failures a sequence, mean weighted by length; VOT toolkit: robustness.",
    }
    headings = {
        "eao": "EAO",
        "accuracy": "A",
        "robustness": "R",
        "failures": "Failures",
        "weighted_failures": "Failures a seq.",
    }
    label = prefix.replace("_", " ")
    return [
        Metric(
            prefix + column,
            label + headings.get(column, column),
            rule,
            "high" if column in ("eao", "accuracy") else "low",
            1 if column == "failures" else 3,
            minor=column == "weighted_failures" or (column == "failures" and prefix != ""),
        )
        for column, rule in rules.items()
    ]


def _rank(metric: Metric) -> int:
    """Columns of the baseline, then AO, then the other experiments; the order within each stays."""
    baseline = ("eao", "accuracy", "robustness", "failures", "weighted_failures")
    return 0 if metric.column in baseline else 1 if metric.column == "ao" else 2


def _speed(runs: list[VotRun]) -> float:
    times = [run.times_s for run in runs if run.times_s is not None]
    return frames_per_second(np.concatenate(times)) if times else float("nan")


def _notes(loaded: LoadedVot, by_sequence: list[dict[str, Any]], table: pd.DataFrame) -> list[str]:
    supervised = {row["experiment"] for row in by_sequence if "failures" in row}
    unbounded = [name for name in sorted(supervised) if _settings(loaded, name).eao_bounds is None]
    notes = [
        f"EAO of {name} is missing: its bounds are unknown. Give the workspace with its stack file."
        for name in unbounded
    ]
    if "eao" in table and "baseline" not in unbounded and table["eao"].isna().any():
        notes.append("EAO is missing where no sequence is as long as its lower bound.")
    names = sorted({row["sequence"] for row in by_sequence})
    blind = [name for name in names if loaded.truths[name].size_px is None]
    if blind:
        listed = ", ".join([*blind[:3], "..."] if len(blind) > 3 else blind)
        notes.append(f"Image size unknown ({listed}): overlaps there are not cut at the image's border.")
    return notes
