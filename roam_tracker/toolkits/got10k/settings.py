"""Settings of a run: toolkit_configs/<benchmark>.toml, or a file that extends one; the command line wins.

extends     the data set that a file of your own changes
name        of the data set and of its folder of results
layout      which class reads it: otb, got10k, uav, nfs, dtb70, tcolor128, lasot, trackingnet, folder
version     of the data set, where there are several: OTB2013, val, UAV20L, 30, ...
about       a line for the help
root, tracker, sequences, result_dir, report_dir, record, device, batch, workers, threads, timeout,
retries     as the options of the same names
"""

import importlib.resources
import tomllib
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError
from roam_tracker.files import nearest, read_toml

LAYOUTS = ("otb", "got10k", "uav", "nfs", "dtb70", "tcolor128", "lasot", "trackingnet", "folder")
_ALIASES = {
    "OTB-folder": "folder",
    "OTB100": "OTB2015",
    "NfS": "NfS240",
    "NfS/240": "NfS240",
    "NfS/30": "NfS30",
    "GOT-10k-val": "GOT-10k",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSettings:
    """What is run on what; defaults are those of a small machine."""

    name: str
    layout: str
    version: str | int | None = None
    about: str = ""
    root: str = ""
    tracker: tuple[str, ...] = ("ROAM",)
    sequences: tuple[str, ...] = ()
    result_dir: str = "results"
    report_dir: str = "reports"
    record: str = ""
    device: str = "auto"
    batch: int = 1
    workers: int = 1
    threads: int = 1
    timeout: float = 30.0
    retries: int = 2

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ConfigError(
                f"{self.name}: layout {self.layout!r} is unknown; {nearest(self.layout, LAYOUTS)}"
            )
        for key, least in (("batch", 1), ("workers", 0), ("threads", 0), ("retries", 0)):
            if getattr(self, key) < least:
                raise ConfigError(f"{key} must be at least {least}, got {getattr(self, key)}.")
        if not self.timeout > 0:
            raise ConfigError(f"timeout must be more than 0 seconds, got {self.timeout}.")
        if not self.tracker:
            raise ConfigError("Name a tracker: --tracker ROAM")


def dataset_names() -> dict[str, str]:
    """Name of every data set that comes with the package, and a line about it."""
    return {settings.name: settings.about for settings in map(read_settings, _shipped())}


def read_settings(dataset: str) -> RunSettings:
    """The settings of a data set by its name, or of a TOML file by its path.

    Raises ConfigError for an unknown data set or key, and for a value that cannot be used.
    """
    table = _read(dataset)
    if "extends" in table:
        table = _read(str(table.pop("extends"))) | table
    known = {field.name: field for field in fields(RunSettings)}
    for key, value in table.items():
        if key not in known:
            raise ConfigError(f"{dataset}: key {key!r} is unknown; {nearest(key, known)}")
        if key in ("tracker", "sequences"):
            names = [value] if isinstance(value, str) else value
            if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
                raise ConfigError(f"{dataset}: {key} = {value!r} is no list of names.")
            table[key] = tuple(names)
        elif type(value) not in _KINDS[known[key].type]:
            raise ConfigError(f"{dataset}: {key} = {value!r} is no {_WORDS[known[key].type]}.")
    for key in ("name", "layout"):
        if key not in table:
            raise ConfigError(f"{dataset} needs the key {key!r}, or `extends` with the name of a data set.")
    return RunSettings(**table)


def overridden(settings: RunSettings, options: dict[str, Any]) -> RunSettings:
    """The settings with those options in their places that were given, i.e. are not None."""
    known = {field.name for field in fields(RunSettings)}
    given = {key: value for key, value in options.items() if key in known and value is not None}
    for key in ("tracker", "sequences"):
        if key in given:
            given[key] = tuple(given[key])
    return replace(settings, **given)


_VERSION = str | int | None
_KINDS: dict[Any, Any] = {str: (str,), int: (int,), float: (int, float), _VERSION: (str, int)}
_WORDS: dict[Any, str] = {str: "text", int: "whole number", float: "number", _VERSION: "text or whole number"}


def _read(dataset: str) -> dict[str, Any]:
    if dataset.endswith(".toml"):
        path: Any = Path(dataset)
        if not path.is_file():
            raise ConfigError(
                f"The settings {dataset} do not exist. Give a TOML file or the name of a data set."
            )
    else:
        name, shipped = _ALIASES.get(dataset, dataset), _shipped()
        if name not in shipped:
            raise ConfigError(
                f"There is no data set named {dataset!r}: {nearest(dataset, [*shipped, *_ALIASES])}"
            )
        path = shipped[name]
    return read_toml(path, dataset)


def _shipped() -> dict[str, Any]:
    """Name of a data set -> its file; the sweeps of the figures lie in the same folder."""
    folder = importlib.resources.files("roam_tracker.toolkit_configs")
    files = sorted(
        (
            file
            for file in folder.iterdir()
            if file.name.endswith(".toml") and not file.name.startswith("figure")
        ),
        key=lambda file: file.name,
    )
    return {tomllib.loads(file.read_text(encoding="utf-8"))["name"]: file for file in files}
