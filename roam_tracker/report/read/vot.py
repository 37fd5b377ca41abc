"""Files of VOT workspaces: trajectories in text and binary, ground truth, the stack's settings."""

import json
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.datasets.frames import first_with_frames, folders_in, texts_in
from roam_tracker.datasets.text import RESTORE, numbers, read_lines, read_names, read_properties
from roam_tracker.errors import DataError, InputError, ResultError
from roam_tracker.images import size_of
from roam_tracker.report.read.results import RUN_AGAIN

UNKNOWN, INITIALISED, FAILED, TRACKED = 0, 1, 2, 3  # the first three are the files' own marks

# (4,) x, y, w, h or (points, 2) x, y, both float32 as the files hold them; None = no region in this frame
Region = NDArray[np.float32] | None


@dataclass(frozen=True, slots=True, eq=False)
class VotTruth:
    """Ground truth of one sequence: a region a frame, the image's (width, height), None where unknown."""

    regions: Sequence[Region]
    source: Path
    size_px: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """What a stack says of an experiment; the defaults are the VOT challenges' own."""

    supervised: bool = True
    burn_in: int = 10
    sensitivity: float = 30.0
    eao_bounds: tuple[int, int] | None = None


_THREE = ("baseline", "realtime", "unsupervised")
# stacks that the VOT toolkit ships: bounds of the expected average overlap, experiments
_SHIPPED_STACKS: dict[str, tuple[tuple[int, int], tuple[str, ...]]] = {
    "vot2016/rgb": ((108, 371), ("baseline", "unsupervised")),
    "vot2017": ((100, 356), _THREE),
    "vot2018/shortterm": ((100, 356), _THREE),
    "vot2019/shortterm": ((46, 291), _THREE),
}


def parse_region(line: str) -> tuple[int, Region]:
    """Code and region of one text line: a mark, `x,y,w,h`, or a polygon's `x,y` pairs. NaN = unknown."""
    if ";" in line:
        raise ValueError("found semicolons")
    values = numbers(line)
    if len(values) == 1 and values[0] in (UNKNOWN, INITIALISED, FAILED):
        return int(values[0]), None
    if len(values) != 4 and (len(values) < 6 or len(values) % 2):
        raise ValueError(f"found {len(values)} values")
    if any(math.isnan(value) for value in values):
        return UNKNOWN, None
    region = np.array(values, dtype=np.float32)
    return TRACKED, region if len(values) == 4 else region.reshape(-1, 2)


def read_trajectory(path: Path) -> tuple[list[int], list[Region]]:
    """Codes and regions of a trajectory file, `.txt` or `.bin`."""
    return _read_binary(path) if path.suffix == ".bin" else _read_lines(path, ResultError, RUN_AGAIN)


def _read_lines(path: Path, error: type[InputError], remedy: str) -> tuple[list[int], list[Region]]:
    codes, regions = [], []
    for number, line in enumerate(read_lines(path, error, remedy), 1):
        try:
            code, region = parse_region(line)
        except ValueError as fault:
            raise error(
                f"{path}, line {number}: {fault}, expected x,y,w,h, a polygon or a mark 0, 1, 2. {remedy}"
            ) from None
        codes.append(code)
        regions.append(region)
    return codes, regions


def _read_binary(path: Path) -> tuple[list[int], list[Region]]:
    """Little-endian: version (int16, 1), rows (uint32), then per row a type byte and its content.

    Type 0: a mark (uint32); 1: x, y, w, h (float32); 2: point count (uint16), x, y each (float32).
    """
    data = path.read_bytes()
    codes: list[int] = []
    regions: list[Region] = []
    try:
        version, rows = struct.unpack_from("<hI", data)
        if version != 1:
            raise ResultError(f"{path}: found format version {version}, expected 1. {RUN_AGAIN}")
        place = 6
        for row in range(1, rows + 1):
            kind, place = data[place], place + 1
            if kind == 0:
                code, count, region = struct.unpack_from("<I", data, place)[0], 4, None
            elif kind in (1, 2):
                points = struct.unpack_from("<H", data, place)[0] if kind == 2 else 2
                place += 2 * (kind == 2)
                code, count = TRACKED, 8 * points
                values = np.array(struct.unpack_from(f"<{2 * points}f", data, place), dtype=np.float32)
                region = values if kind == 1 else values.reshape(-1, 2)
                if np.isnan(values).any():
                    code, region = UNKNOWN, None
            else:
                found = "a mask" if kind == 3 else f"region type {kind}"
                raise ResultError(
                    f"{path}, row {row}: found {found}, expected a box or polygon."
                    " This report scores box trackers."
                )
            if (
                code > TRACKED
                or (kind == 0 and code == TRACKED)
                or (region is not None and np.isinf(region).any())
            ):
                raise ResultError(f"{path}, row {row}: found an impossible value. {RUN_AGAIN}")
            place += count
            codes.append(code)
            regions.append(region)
    except (struct.error, IndexError):
        raise ResultError(
            f"{path} ends after {len(codes)} whole rows. The run was cut short: {RUN_AGAIN}"
        ) from None
    if place != len(data) or not codes:
        raise ResultError(f"{path} has {rows} rows and {len(data) - place} bytes beyond them. {RUN_AGAIN}")
    return codes, regions


def read_value_times(path: Path, frames: int) -> NDArray[np.float64]:
    """Seconds a frame (frames,) of a `_time.value` file; NaN where the line is blank."""
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    try:
        times = np.array([float(line) if line.strip() else np.nan for line in lines])
    except ValueError:
        times = np.zeros(0)
    if len(times) != frames:
        raise ResultError(
            f"{path} has {len(times)} usable lines, expected {frames}."
            " Delete it; speed is then reported as missing."
        )
    return times


def read_vot_truth(root: Path) -> dict[str, VotTruth]:
    """Ground truth by sequence.

    root: a folder of sequences (`<sequence>/groundtruth.txt`), a workspace, a folder of `<sequence>.txt`
          or a JSON file {sequence: {gt_rect: rows of 4 or 8 numbers, width, height}}
    """
    if root.is_file():
        return _read_json_truth(root)
    root = root / "sequences" if (root / "sequences").is_dir() else root
    files = {
        folder.name: folder / "groundtruth.txt"
        for folder in folders_in(root)
        if (folder / "groundtruth.txt").is_file()
    }
    nested = bool(files)
    files = files or {path.stem: path for path in texts_in(root) if path.stem != "list"}
    listed = root / "list.txt"
    if nested and listed.is_file():
        names = read_names(listed)
        absent = [name for name in names if name not in files]
        if absent:
            raise DataError(f"{listed} names {absent[0]!r}, which has no groundtruth.txt. {RESTORE}")
        files = {name: files[name] for name in names}
    return {
        name: VotTruth(
            _read_lines(path, DataError, RESTORE)[1], path, _image_size(path.parent) if nested else None
        )
        for name, path in files.items()
    }


def _read_json_truth(path: Path) -> dict[str, VotTruth]:
    try:
        sequences = json.loads("\n".join(read_lines(path, DataError, RESTORE)))
        truths = {}
        for name, entry in sequences.items():
            regions = [parse_region(" ".join(map(repr, row)))[1] for row in entry["gt_rect"]]
            size = (int(entry["width"]), int(entry["height"])) if "width" in entry else None
            truths[name] = VotTruth(regions, path, size)
        return truths
    except (ValueError, TypeError, KeyError, AttributeError) as fault:
        raise DataError(
            f"{path}: {fault}; expected {{sequence: {{gt_rect: rows of 4 or 8 numbers}}}}. {RESTORE}"
        ) from fault


def _image_size(folder: Path) -> tuple[int, int] | None:
    """(width, height) from the `sequence` file, else from the first image; None when neither is there."""
    settings = folder / "sequence"
    properties = read_properties(settings) if settings.is_file() else {}
    sides = [properties.get(key, (0, ""))[1] for key in ("width", "height")]
    if all(side.isdigit() for side in sides):
        return int(sides[0]), int(sides[1])
    _, pattern = properties.get("channels.color", (0, ""))
    frames = first_with_frames(
        [(folder / pattern).parent if "%" in pattern else folder / pattern, folder / "color", folder]
    )
    return size_of(frames[0]) if frames else None


def read_stack(workspace: Path) -> dict[str, Experiment]:
    """The experiments of a workspace's stack; empty without config.yaml or if its stack is unknown.

    `stack` in config.yaml is a mapping, a path relative to the workspace, or the name of a stack that the VOT
    toolkit ships.
    """
    config = _read_yaml(workspace / "config.yaml")
    stack = config.get("stack")
    if isinstance(stack, str):
        name, stack = stack, None
        for place in (workspace / name, workspace / f"{name}.yaml"):
            if place.is_file():
                stack = _read_yaml(place)
        if stack is None:
            bounds, experiments = _SHIPPED_STACKS.get(name, (None, ()))
            return {
                experiment: Experiment(supervised=experiment != "unsupervised", eao_bounds=bounds)
                for experiment in experiments
            }
    if not isinstance(stack, dict) or not isinstance(stack.get("experiments"), dict):
        return {}
    return {str(name): _experiment(entry) for name, entry in stack["experiments"].items()}


def _experiment(entry: dict[str, Any]) -> Experiment:
    settings: dict[str, Any] = {"supervised": entry.get("type") == "supervised"}
    for analysis in entry.get("analyses") or []:
        if not isinstance(analysis, dict):
            continue
        if {"low", "high"} <= analysis.keys():
            settings["eao_bounds"] = (int(analysis["low"]), int(analysis["high"]))
        if analysis.get("type") in ("supervised_average_ar", "average_accuracy"):
            settings["burn_in"] = int(analysis.get("burnin", 10))
            settings["sensitivity"] = float(analysis.get("sensitivity", 30))
    return Experiment(**settings)


def _read_yaml(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    import yaml  # type: ignore[import-untyped]

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as fault:
        raise DataError(f"{path} is not YAML: {' '.join(str(fault).split())}. Mend it.") from fault
    return content if isinstance(content, dict) else {}
