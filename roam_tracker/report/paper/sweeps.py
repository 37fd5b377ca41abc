"""Sweeps: which trackers a figure of the paper compares, as declared in toolkit_configs/figure*.toml.

dataset    the data set to run on
record     whether what the updates do is recorded (default false)
setting    section.key of the preset that takes the values, e.g. search.base_object_size
tag        stands before the value in a tracker's name: ROAM-B48
values     numbers
[[series]] one for each line of the figure:
  tracker  the name; without `setting` and `change` that of a known tracker, else what names begin with
  preset   what the trackers of the series extend, where they have settings of their own
  change   settings of the whole series: { "section.key" = value, ... }
  label    in legends; without one the tracker's name
"""

import importlib.resources
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest, read_toml

_KEYS = ("dataset", "record", "setting", "tag", "values", "series")
_SERIES_KEYS = ("tracker", "preset", "change", "label")
_TYPES: dict[type, tuple[str, tuple[str, ...]]] = {  # what a key holds, in words, and the keys
    bool: ("true or false", ("record",)),
    str: ("text", ("setting", "tag", "preset", "label")),
    list: ("a list", ("values",)),
    dict: ("a table", ("change",)),
}


@dataclass(frozen=True, slots=True)
class Point:
    """One tracker of a sweep.

    value:  of the setting; None where the sweep has none
    preset: text of the preset file to run it with; None for a tracker known by its name
    """

    tracker: str
    value: float | None
    preset: str | None


@dataclass(frozen=True, slots=True)
class Series:
    """The trackers behind one line of a figure."""

    label: str
    points: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class Sweep:
    """A sweep: the same sequences, one tracker for each point."""

    name: str
    dataset: str
    record: bool
    setting: str  # "" where trackers differ otherwise
    series: tuple[Series, ...]

    @property
    def points(self) -> tuple[Point, ...]:
        """The points of all series."""
        return tuple(point for series in self.series for point in series.points)


def sweep_names() -> list[str]:
    """The sweeps that come with the package."""
    return sorted(_shipped(), key=lambda name: (len(name), name))


def read_sweep(name: str) -> Sweep:
    """A shipped sweep by its name, or any TOML file by its path (ending in .toml).

    Raises ConfigError for an unknown sweep or key, and for a value that cannot be used.
    """
    if name.endswith(".toml"):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"Sweep file {path} does not exist.")
        file, stem = path, path.stem
    else:
        shipped = _shipped()
        if name not in shipped:
            raise ConfigError(f"There is no sweep named {name!r}: {nearest(name, shipped)}")
        file, stem = shipped[name], name
    return _build(f"Sweep {name}", stem, read_toml(file, f"Sweep {name}"))


def _shipped() -> dict[str, Any]:
    folder = importlib.resources.files("roam_tracker.toolkit_configs")
    return {
        file.name.removesuffix(".toml"): file
        for file in folder.iterdir()
        if file.name.startswith("figure") and file.name.endswith(".toml")
    }


def _build(where: str, name: str, table: Mapping[str, Any]) -> Sweep:
    _known(where, table, _KEYS)
    for key, kind in (("dataset", str), ("series", list)):
        if not isinstance(table.get(key), kind) or not table[key]:
            raise ConfigError(f"{where} needs the key {key!r}.")
    _typed(where, table)
    setting, values = table.get("setting", ""), table.get("values", [])
    if (not setting) != (not values) or (not setting) != ("tag" not in table):
        raise ConfigError(f"{where}: setting, tag and values go together.")
    if not all(type(value) in (int, float) for value in values) or len(set(values)) != len(values):
        raise ConfigError(f"{where}: values must be different numbers, got {values}.")
    series = []
    for entry in table["series"]:
        if not isinstance(entry, dict):
            raise ConfigError(f"{where}: a series is a table, [[series]], got {entry!r}.")
        _known(where, entry, _SERIES_KEYS)
        _typed(where, entry)
        tracker, change = entry.get("tracker"), dict(entry.get("change", {}))
        if not isinstance(tracker, str) or not re.fullmatch(r"[\w-]+", tracker):
            raise ConfigError(f"{where}: the tracker of a series is a name of letters, digits and hyphens.")
        if ("preset" in entry) != bool(change or values):
            raise ConfigError(
                f"{where}: {tracker} needs a preset to extend where settings change, and none elsewhere."
            )
        points = [
            Point(
                f"{tracker}-{table['tag']}{str(value).replace('.', '_')}",
                float(value),
                _preset(where, entry["preset"], {**change, setting: value}),
            )
            for value in values
        ]
        text = _preset(where, entry["preset"], change) if change else None
        series.append(Series(entry.get("label", tracker), tuple(points) or (Point(tracker, None, text),)))
    sweep = Sweep(name, table["dataset"], bool(table.get("record", False)), setting, tuple(series))
    trackers = [point.tracker for point in sweep.points]
    if len(set(trackers)) != len(trackers):
        raise ConfigError(f"{where}: two series have the same tracker. Rename one.")
    return sweep


def _preset(where: str, extends: str, settings: Mapping[str, Any]) -> str:
    """A preset file with some settings of its own."""
    sections: dict[str, list[str]] = {}
    for key, value in settings.items():
        section, dot, name = key.partition(".")
        if not dot or not re.fullmatch(r"\w+\.\w+", key):
            raise ConfigError(f"{where}: {key!r} is no setting; write section.key, e.g. update.steps.")
        # what JSON and TOML write alike: numbers, strings, truth values, lists of them
        sections.setdefault(section, []).append(f"{name} = {json.dumps(value)}")
    lines = [f"extends = {json.dumps(extends)}"]
    for section, settings_there in sections.items():
        lines += ["", f"[{section}]", *settings_there]
    return "\n".join(lines) + "\n"


def _known(where: str, table: Mapping[str, Any], keys: Iterable[str]) -> None:
    for key in table:
        if key not in keys:
            raise ConfigError(f"{where}: key {key!r} is unknown; {nearest(key, keys)}")


def _typed(where: str, table: Mapping[str, Any]) -> None:
    for kind, (words, keys) in _TYPES.items():
        for key in keys:
            if key in table and not isinstance(table[key], kind):
                raise ConfigError(f"{where}: {key} must be {words}, got {table[key]!r}.")
