"""Are all results of a VOT workspace there? `vot evaluate` returns 0 even if a tracker died.

The toolkit stops a repeated experiment early once three repetitions are equal; a result that it
left out for that reason is not missing.
"""

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from roam_tracker.core.geometry import overlap
from roam_tracker.errors import ConfigError, ResultError
from roam_tracker.files import nearest
from roam_tracker.report.vot_files import Region, read_trajectory
from roam_tracker.toolkits.workspace import find_sequences, load_yaml

Run = tuple[list[int], list[Region]]
_EQUAL = 0.99999  # overlap in every frame from which the toolkit calls two repetitions equal
_ENOUGH = 3  # equal repetitions
_KINDS = ("supervised", "unsupervised")


def check_workspace(
    directory: str | os.PathLike[str], trackers: Sequence[str] | None = None
) -> tuple[list[str], list[str]]:
    """Names of the trackers that were checked, and a sentence for each missing or short result.

    trackers: names; None = every tracker with a folder in results/
    """
    directory = Path(directory)
    if not (directory / "config.yaml").is_file():
        raise ConfigError(
            f"{directory} has no config.yaml. Make a workspace: roam workspace init {directory}"
        )
    config = load_yaml((directory / "config.yaml").read_text(), directory / "config.yaml")
    lengths = {
        folder.name: len((folder / "groundtruth.txt").read_text().rstrip().splitlines())
        for folder in find_sequences(directory / str(config.get("sequences", "sequences")))
    }
    experiments = _experiments(directory, config)
    results = directory / "results"
    found = sorted(path.name for path in results.iterdir() if path.is_dir()) if results.is_dir() else []
    if not found:
        raise ResultError(f"{results} has no results yet. Run: vot evaluate ROAM --workspace {directory}")
    for name in trackers or ():
        if name not in found:
            raise ResultError(f"{results} has no results of {name!r}: {nearest(name, found)}")
    chosen = list(trackers or found)
    problems = []
    for tracker in chosen:
        for experiment, settings in experiments.items():
            for sequence, length in lengths.items():
                folder = results / tracker / experiment / sequence
                fault = _fault(folder, sequence, length, settings)
                if fault:
                    problems.append(f"{tracker}, {experiment}, {sequence}: {fault}")
    return chosen, problems


def _experiments(directory: Path, config: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Experiment -> its settings in the stack; the stack is a mapping, a file here, or a shipped one."""
    stack = config.get("stack")
    if isinstance(stack, str):
        path = next((path for path in _stack_places(directory, stack) if path.is_file()), None)
        if path is None:
            raise ConfigError(
                f"There is no stack {stack!r}, which {directory}/config.yaml names. Name another."
            )
        stack = load_yaml(path.read_text(), path)
    experiments = stack.get("experiments") if isinstance(stack, dict) else None
    if not isinstance(experiments, dict) or not experiments:
        raise ConfigError(f"The stack of {directory}/config.yaml has no experiments. Name another.")
    for name, settings in experiments.items():
        if settings.get("type") not in _KINDS:
            raise ConfigError(
                f"The experiment {name} is of type {settings.get('type')!r}; only {' and '.join(_KINDS)} "
                "ones can be checked."
            )
    return experiments


def _stack_places(directory: Path, stack: str) -> list[Path]:
    places = [directory / stack]
    toolkit = importlib.util.find_spec("vot")  # found, not imported
    if toolkit is not None and toolkit.submodule_search_locations:
        places.append(Path(toolkit.submodule_search_locations[0], "stack", f"{stack}.yaml"))
    return places


def _fault(folder: Path, sequence: str, length: int, settings: dict[str, Any]) -> str | None:
    """What is wrong with the results of one sequence, or None."""
    repetitions = int(settings.get("repetitions", 1))
    runs: list[Run] = []
    for repetition in range(1, repetitions + 1):
        paths = [folder / f"{sequence}_{repetition:03d}{suffix}" for suffix in (".txt", ".bin")]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            stopped = settings.get("early_stop", True) and len(runs) >= _ENOUGH
            if stopped and all(_equal(runs[0], run) for run in runs):
                return None
            return f"repetition {repetition} of {repetitions} is missing"
        try:
            run = read_trajectory(path)
        except ResultError as error:
            return f"repetition {repetition} is damaged: {error}"
        if len(run[0]) != length:
            return f"repetition {repetition} has {len(run[0])} rows, ground truth has {length}"
        runs.append(run)
    return None


def _equal(first: Run, second: Run) -> bool:
    """Whether two repetitions agree in every frame as the toolkit understands it."""
    for a, b in zip(first[1], second[1], strict=True):
        if a is None or b is None:
            if a is not b:
                return False
        elif a.shape == (4,) and b.shape == (4,):
            if overlap(a.astype(np.float64), b.astype(np.float64)) < _EQUAL:
                return False
        elif not np.array_equal(a, b):
            return False
    return True
