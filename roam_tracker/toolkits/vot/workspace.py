"""VOT workspaces, made offline from sequences on disk.

DIR/config.yaml      registry (absolute), stack, sequences
DIR/trackers.ini     our trackers, unless another registry is named
DIR/<stack>.yaml     the stack, if it is not one that the toolkit ships
DIR/sequences/       list.txt and a link to each sequence's folder; with the list in place the
                     toolkit does not try to download
"""

import importlib.resources
import importlib.util
import os
from pathlib import Path
from typing import Any

import numpy as np

from roam_tracker.datasets.text import read_rows
from roam_tracker.errors import ConfigError, RunError, one_line
from roam_tracker.files import nearest, write_atomic
from roam_tracker.toolkits.registry import trackers_ini
from roam_tracker.toolkits.vot.sequences import (
    check_anchors,
    check_place,
    check_sequence,
    find_sequences,
    has_area,
)

KINDS = ("supervised", "unsupervised", "multistart")
# what the toolkit knows; it would leave other keys out without a word
_STACK_KEYS = ("title", "dataset", "url", "deprecated", "experiments")
_WORKSPACE_KEYS = ("stack", "sequences", "registry", "report")


def init_workspace(
    directory: str | os.PathLike[str],
    sequences: str | os.PathLike[str],
    config: str = "short",
    registry: str | os.PathLike[str] | None = None,
    anchors: int = 0,
) -> bool:
    """Make a workspace; False if exactly this one is there already.

    sequences: folder of sequences in VOT layout; its list.txt, if any, chooses and orders them
    config:    vot2016, vot2017, vot2018, vot2022, short, or a YAML file (of a workspace or a stack)
    registry:  a trackers.ini; None = one that registers the trackers of this package
    anchors:   frames between the anchors that sequences without any get, where the stack starts at anchors
    """
    directory, source = Path(directory).absolute(), Path(sequences).absolute()
    if registry is not None and not Path(registry).is_file():
        raise ConfigError(f"The registry {registry} does not exist. Give a trackers.ini.")
    folders = find_sequences(source)
    for folder in folders:
        check_place(directory / "sequences" / folder.name)
        check_sequence(folder)
    files = _config_files(config, Path(registry or directory / "trackers.ini").absolute())
    if registry is None:
        files["trackers.ini"] = trackers_ini(directory / "results")
    files["sequences/list.txt"] = "".join(f"{folder.name}\n" for folder in folders)
    links: dict[Path, Path] = {}
    starts = starts_at_anchors(directory, load_yaml(files["config.yaml"], config), files)
    for folder in folders:
        place = directory / "sequences" / folder.name
        if starts and not (folder / "anchor.value").is_file():
            if not anchors:
                raise ConfigError(
                    f"{folder} has no anchor.value, which the experiments of {config} start from. "
                    "Use --anchors 50 to place one every 50 frames, in the workspace only."
                )
            files[f"sequences/{folder.name}/anchor.value"] = place_anchors(folder, anchors)
            links |= {place / entry.name: entry for entry in folder.iterdir()}
        else:
            if starts:
                check_anchors(folder)
            links[place] = folder
    if (directory / "config.yaml").exists():
        places = {directory / name: text for name, text in files.items()}
        same = all(path.is_file() and path.read_text() == text for path, text in places.items())
        if same and all(link.resolve() == folder.resolve() for link, folder in links.items()):
            return False
        raise ConfigError(f"{directory} holds another workspace. Delete it or choose another folder.")
    try:
        (directory / "sequences").mkdir(parents=True, exist_ok=True)
        for link, target in links.items():
            link.parent.mkdir(parents=True, exist_ok=True)
            if link.is_symlink():
                link.unlink()
            link.symlink_to(target, target_is_directory=target.is_dir())
        for name, text in sorted(files.items(), key=lambda file: file[0] == "config.yaml"):
            write_atomic(directory / name, text)  # config.yaml comes last: it makes the folder a workspace
    except OSError as error:
        reason = f"{directory} could not be written: {error.strerror}. Choose another folder."
        raise RunError(reason) from error
    return True


def starts_at_anchors(directory: Path, config: dict[str, Any], files: dict[str, str]) -> bool:
    """Whether a stack has experiments that start at anchors; its text may be among `files`."""
    experiments = read_experiments(directory, config, files)
    return any(settings.get("type") == "multistart" for settings in experiments.values())


def read_experiments(
    directory: Path, config: dict[str, Any], files: dict[str, str] | None = None
) -> dict[str, dict[str, Any]]:
    """Experiment -> its settings in the stack: a mapping, a file of the workspace, or a shipped one.

    Raises ConfigError for a stack that is unknown or has experiments that are not for one box.
    """
    stack = config.get("stack")
    if isinstance(stack, str):
        text = (files or {}).get(stack)
        if text is None:
            try:
                path = next((path for path in _stack_places(directory, stack) if path.is_file()), None)
            except OSError:  # a name that no file can have
                path = None
            if path is None:
                raise ConfigError(f"There is no stack {stack!r}, which the workspace names. Name another.")
            text = path.read_text(encoding="utf-8")
        stack = load_yaml(text, config["stack"])
    experiments = stack.get("experiments") if isinstance(stack, dict) else None
    if not isinstance(experiments, dict) or not experiments:
        raise ConfigError(f"The stack of {directory}/config.yaml has no experiments. Name another.")
    for name, settings in experiments.items():
        if not isinstance(settings, dict):
            raise ConfigError(f"The experiment {name} must be a mapping of keys to values, got {settings!r}.")
        repetitions = settings.get("repetitions", 1)
        if not isinstance(repetitions, int) or repetitions < 1:
            raise ConfigError(f"The experiment {name} needs 1 repetition or more, got {repetitions!r}.")
        if settings.get("type") not in KINDS or settings.keys() & {"multiobject", "transformers"}:
            kind = f"{settings.get('type')!r}{' with transformers' if 'transformers' in settings else ''}"
            raise ConfigError(
                f"The experiment {name} is of type {kind}; only short-term ones for one "
                f"box ({', '.join(KINDS)}) can be run and checked."
            )
    return experiments


def _stack_places(directory: Path, stack: str) -> list[Path]:
    places = [directory / stack]
    toolkit = importlib.util.find_spec("vot")  # found, not imported
    if toolkit is not None and toolkit.submodule_search_locations:
        places.append(Path(toolkit.submodule_search_locations[0], "stack", f"{stack}.yaml"))
    return places


def place_anchors(folder: Path, step: int) -> str:
    """Text of an anchor.value as VOT2020 places anchors: 1 = run forwards from here, -1 = backwards.

    About `step` frames apart, the first and the last frame among them; each runs towards the farther end.
    Where the target has no region, the nearest frame with one takes the place.
    """
    truth = folder / "groundtruth.txt"
    seen = np.array([has_area(row) for row in read_rows(truth)])
    frames, usable = len(seen), np.flatnonzero(seen)
    values = np.zeros(frames, dtype=int)
    for place in np.linspace(0, frames - 1, 1 + max(1, round((frames - 1) / step))).round():
        anchor = int(usable[np.abs(usable - place).argmin()])
        values[anchor] = 1 if frames - anchor > anchor else -1
    return "".join(f"{value}\n" for value in values)


def _config_files(name: str, registry: Path) -> dict[str, str]:
    """File name -> text of the configuration and, if it is not a shipped one, of its stack."""
    text, stem = _read_config(name)
    content = load_yaml(text, name)
    files = {}
    known = _STACK_KEYS if "experiments" in content else _WORKSPACE_KEYS
    for key in content:
        if key not in known:
            raise ConfigError(f"{name}: key {key!r} is unknown; {nearest(str(key), known)}")
    if "experiments" in content:
        files[f"{stem}.yaml"] = text
        text = f"# The experiments are described in {stem}.yaml.\nstack: {stem}.yaml\nsequences: sequences\n"
    elif not isinstance(content.get("stack"), str) or content.get("sequences", "sequences") != "sequences":
        raise ConfigError(
            f"{name} is neither a stack (experiments:) nor a workspace (stack: NAME, sequences: sequences)."
        )
    if "registry" in content:
        raise ConfigError(f"{name} names a registry. Remove that line and use --registry.")
    quoted = str(registry).replace("'", "''")
    files["config.yaml"] = text.rstrip("\n") + f"\nregistry: ['{quoted}']\n"
    return files


def _read_config(name: str) -> tuple[str, str]:
    """Text and stem of a shipped configuration, or of a file."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if not path.is_file():
            raise ConfigError(f"The configuration {name} does not exist. Give a YAML file or a shipped name.")
        try:
            return path.read_text(encoding="utf-8"), path.stem
        except UnicodeDecodeError:
            raise ConfigError(f"{name} is no YAML file in UTF-8. Save it as plain text.") from None
    shipped = {
        Path(file.name).stem: file
        for file in importlib.resources.files("roam_tracker.toolkit_configs").iterdir()
        if file.name.endswith(".yaml")
    }
    if name not in shipped:
        raise ConfigError(f"There is no workspace configuration named {name!r}: {nearest(name, shipped)}")
    return shipped[name].read_text(encoding="utf-8"), name


def load_yaml(text: str, source: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping that a YAML text holds; raises ConfigError naming the source."""
    try:
        import yaml  # type: ignore[import-untyped]
    except ImportError as error:
        raise RunError(f"The VOT toolkit is not installed ({error}). Run: pip install vot-toolkit") from error
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date that there is not, a deep nest
        raise ConfigError(f"{source} is not YAML: {one_line(error)}. Mend it.") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{source} must be a mapping of keys to values. Mend it.")
    return content
