"""Where the toolkits and their users keep raw results: tracker, experiment, sequence, repetition."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from roam_tracker.errors import ResultError
from roam_tracker.report.archives import Archives, is_archive
from roam_tracker.report.benchmarks import Benchmark

ONE_PASS = "one pass"  # the only experiment of the box benchmarks
# experiment -> the sequence's name as the file or folder has it, and a file for each repetition
Files = dict[str, list[tuple[str, list[Path]]]]


def find_trackers(benchmark: Benchmark, root: Path, archives: Archives) -> tuple[Path, dict[str, Files]]:
    """The folder that has the results, and tracker -> files: the first of the benchmark's possible folders.

    A tracker is a folder or a zip file. An archive may hold one folder around them, or one tracker's files.
    """
    find = _finder(benchmark)
    workspace = benchmark.family == "vot" and (root / "config.yaml").is_file()
    inside = root / "results" if workspace else root
    for folder in (
        *(inside / name for name in benchmark.folders),
        inside,
        *_only_folder(inside),
        root.parent,
    ):
        if folder == root.parent and archives.named(str(root)) == str(root):
            break  # only an archive may itself be the tracker
        if folder.is_dir():
            trackers = {name: find(place) for name, place in _places(folder, archives)}
            trackers = {name: files for name, files in trackers.items() if any(files.values())}
            if trackers:
                return folder, trackers
    layout = {
        "got10k": "<tracker>/<sequence>/<sequence>_001.txt",
        "vot": "<tracker>/<experiment>/<sequence>/<sequence>_001.bin or .txt",
    }.get(benchmark.family, "<tracker>/<sequence>.txt")
    raise ResultError(
        f"{root} has no results of {benchmark.name}, expected {layout}."
        " Run a tracker first or give another folder."
    )


def _places(folder: Path, archives: Archives) -> Iterable[tuple[str, Path]]:
    entries = sorted(folder.iterdir())
    folders = {path.name: path for path in entries if path.is_dir()}
    for path in entries:
        if is_archive(path) and path.stem not in folders:
            place = archives.folder(path, ResultError)
            folders[path.stem] = next(iter(_only_folder(place, path.stem)), place)
    return sorted(folders.items())


def _only_folder(folder: Path, name: str | None = None) -> list[Path]:
    """The single folder inside, if there is nothing else (and it has this name)."""
    inside = list(folder.iterdir()) if folder.is_dir() else []
    return inside if len(inside) == 1 and inside[0].is_dir() and name in (None, inside[0].name) else []


def _finder(benchmark: Benchmark) -> Callable[[Path], Files]:
    if benchmark.family == "vot":
        return _vot_files
    return _got10k_files if benchmark.family == "got10k" else _one_pass_files


def _one_pass_files(tracker: Path) -> Files:
    """`<sequence>.txt`, or `<sequence>.json` of OTB's tracker_benchmark."""
    paths = [*tracker.glob("*.txt"), *tracker.glob("*.json")]
    return {ONE_PASS: [(path.stem, [path]) for path in sorted(paths) if path.name != "manifest.json"]}


def _got10k_files(tracker: Path) -> Files:
    return {ONE_PASS: _repetitions(tracker, ("txt",))}


def _vot_files(tracker: Path) -> Files:
    found = {
        path.name: _repetitions(path, ("bin", "txt")) for path in sorted(tracker.iterdir()) if path.is_dir()
    }
    return {experiment: files for experiment, files in found.items() if files}


def _repetitions(folder: Path, suffixes: tuple[str, ...]) -> list[tuple[str, list[Path]]]:
    """Files `<sequence>/<sequence>_NNN.<suffix>`; of two suffixes the later counts."""
    found = []
    for sequence in sorted(path for path in folder.iterdir() if path.is_dir()):
        pattern = re.compile(re.escape(sequence.name) + r"_(\d+)")
        by_number = {
            path.stem: path
            for suffix in suffixes
            for path in sequence.glob(f"*.{suffix}")
            if pattern.fullmatch(path.stem)
        }
        if by_number:
            found.append((sequence.name, [by_number[stem] for stem in sorted(by_number)]))
    return found
