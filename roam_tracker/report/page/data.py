"""What the page's script needs beside what is written in the page: JSON, one object for all benchmarks."""

import base64
import json
import math
import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roam_tracker.report.evaluation import Array, Evaluation
from roam_tracker.report.score.pairs import sequence_keys, sequence_metrics
from roam_tracker.report.show.forms import drawn_curves
from roam_tracker.report.show.tables import format_score, used_of_total

NOT_COUNTED = 255  # in the bytes of an overlap trace; the others are hundredths


def page_data(evaluations: Sequence[Evaluation], numbers: Mapping[str, int], films: Collection[str]) -> str:
    """JSON that may stand in a script element. `films` are the ids of the film strips in the page."""
    data = {
        "trackers": list(numbers),
        "benchmarks": {
            evaluation.benchmark.slug: {
                "name": evaluation.benchmark.name,
                "truth": evaluation.sources["ground truth"],
                "metrics": {metric.column: [metric.heading, metric.rule] for metric in evaluation.metrics},
                "origins": _origins(evaluation, numbers),
                "curves": {
                    plot: {
                        numbers[curve.tracker]: [_rounded(curve.x), _rounded(curve.y)]
                        for curve in drawn_curves(plot, curves)
                    }
                    for plot, curves in evaluation.curves.items()
                },
                "columns": [metric.heading for metric in sequence_metrics(evaluation)],
                "sequences": _sequences(evaluation, numbers, films),
            }
            for evaluation in evaluations
        },
    }
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")  # no "</script>" inside


def film_id(evaluation: Evaluation, key: str) -> str:
    """The id of a sequence's film strip in the page."""
    return f"film-{evaluation.benchmark.slug}-{key}"


def _origins(evaluation: Evaluation, numbers: Mapping[str, int]) -> dict[int, list[str]]:
    """By tracker: its folder, how many sequences, what made its results."""
    files = evaluation.by_sequence.groupby("tracker")["source"]
    folders = {
        str(tracker): os.path.commonpath([Path(file).parent for file in own]) for tracker, own in files
    }
    return {
        numbers[record["tracker"]]: [
            folders[str(record["tracker"])],
            used_of_total(evaluation, record["sequences"]),
            evaluation.sources.get(str(record["tracker"]), "no manifest beside the results"),
        ]
        for record in evaluation.table.to_dict("records")
    }


def _sequences(
    evaluation: Evaluation, numbers: Mapping[str, int], films: Collection[str]
) -> dict[str, dict[str, Any]]:
    """By key: frames, the film's id, and by tracker its scores, its file and its overlaps."""
    metrics, results = sequence_metrics(evaluation), Path(evaluation.sources["results"])
    found: dict[str, dict[str, Any]] = {}
    rows = evaluation.by_sequence.to_dict("records")
    for key, row in zip(sequence_keys(evaluation), rows, strict=True):
        entry = found.setdefault(key, {"frames": 0, "film": None, "rows": []})
        entry["frames"] = max(entry["frames"], row["frames"])
        entry["film"] = film_id(evaluation, key) if film_id(evaluation, key) in films else None
        scores = [row.get(metric.column, math.nan) for metric in metrics]
        source, trace = Path(row["source"]), evaluation.overlaps.get(row["tracker"], {}).get(key)
        entry["rows"].append(
            [
                numbers[row["tracker"]],
                [format_score(score, metric) for score, metric in zip(scores, metrics, strict=True)],
                str(source.relative_to(results) if source.is_relative_to(results) else source),
                "" if trace is None else encode(trace),
            ]
        )
    return found


def encode(overlaps: Array) -> str:
    """Overlaps (frames,) in [0, 1] or NaN as base64 of a byte a frame: hundredths, 255 for NaN."""
    hundredths = np.round(100 * np.nan_to_num(overlaps))
    return base64.b64encode(
        np.where(np.isnan(overlaps), NOT_COUNTED, hundredths).astype(np.uint8).tobytes()
    ).decode()


def _rounded(values: Array) -> list[float | None]:
    return [round(value, 4) if math.isfinite(value) else None for value in values.tolist()]
