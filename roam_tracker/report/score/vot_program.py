"""The VOT toolkit's own numbers beside ours: `vot analysis`, run as a program and read as JSON."""

import json
import os
import subprocess
import sys
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError, RunError
from roam_tracker.report.evaluation import Evaluation, Metric

# the toolkit's analyses by the end of their type -> our columns, in the order of its numbers
_COLUMNS = {
    "AverageAccuracyRobustness": ("accuracy", "weighted_failures"),
    "CumulativeFailureCount": ("failures",),
    "EAOScore": ("eao",),
    "AverageAccuracy": ("ao",),
}


def with_program(evaluation: Evaluation, workspace: str | Path) -> Evaluation:
    """The evaluation with columns `toolkit_...` of what `vot analysis` says of the same workspace.

    Raises ConfigError for a folder that is no workspace, RunError when the program gives no numbers.
    """
    theirs = analyse(Path(workspace), list(evaluation.table["tracker"]))
    table, metrics = evaluation.table.copy(), list(evaluation.metrics)
    for metric in evaluation.metrics:
        values = [theirs[tracker].get(metric.column) for tracker in table["tracker"]]
        if any(value is not None for value in values):
            column = f"toolkit_{metric.column}"
            table[column] = [float("nan") if value is None else value for value in values]
            rule = f"As `vot analysis` computes it from the same files: {metric.rule}"
            beside = Metric(
                column, f"toolkit {metric.heading}", rule, metric.best, metric.digits, metric.minor
            )
            metrics.insert(metrics.index(metric) + 1, beside)
    return replace(evaluation, table=table, metrics=metrics)


def analyse(workspace: Path, trackers: list[str]) -> dict[str, dict[str, float]]:
    """Tracker -> our column -> the number of `vot analysis`, which leaves nothing in the workspace."""
    if not (workspace / "config.yaml").is_file():
        raise ConfigError(
            f"{workspace} has no config.yaml, so `vot analysis` cannot read it. Give a workspace."
        )
    name = f"report-{uuid.uuid4().hex[:8]}"
    command = [sys.executable, "-m", "vot", "analysis", *trackers, "--format", "json", "--name", name]
    # its cache outlives the results it was computed from
    environment = os.environ | {"VOT_PERSISTENT_CACHE": "0", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [*command, "--workspace", str(workspace)],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    written = workspace / "analysis" / f"{name}.json"
    if not written.is_file():
        said = " ".join((done.stderr + done.stdout).split())[-300:]
        raise RunError(f"`vot analysis` gave no numbers of {workspace}: {said}")
    content = json.loads(written.read_text(encoding="utf-8"))
    written.unlink()
    found: dict[str, dict[str, float]] = {tracker: {} for tracker in content["trackers"]}
    for experiment, entry in content["results"].items():
        prefix = "" if experiment == "baseline" else f"{experiment}_"
        for analysis, rows in zip(entry["parameters"]["analyses"], entry["results"], strict=True):
            columns = _COLUMNS.get(str(analysis["type"]).rpartition(".")[2], ())
            for tracker, row in zip(content["trackers"], rows, strict=True):
                for column, value in zip(columns, row, strict=False):
                    plain = column == "ao" and experiment in ("unsupervised", "baseline")
                    found[tracker][column if plain else prefix + column] = _number(value)
    return found


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)
