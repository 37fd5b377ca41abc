"""Frames as files: what counts as an image, and their order, which is that of the numbers in their names."""

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import overload

from roam_tracker.errors import DataError

IMAGES = frozenset((".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".pgm", ".ppm"))  # in any case
# how file managers name a second copy of `name`
_COPY = re.compile(r"(?P<name>.+?)(?: \(\d+\)| [-–] [^\W\d]+(?: \(\d+\))?| copy(?: \d+)?)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class FrameFiles(Sequence[Path]):
    """The frames of one folder; a path is made only when asked for: large data sets have millions."""

    folder: Path
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: int) -> Path: ...
    @overload
    def __getitem__(self, index: slice) -> "FrameFiles": ...
    def __getitem__(self, index: int | slice) -> "Path | FrameFiles":
        if isinstance(index, slice):
            return FrameFiles(self.folder, self.names[index])
        return self.folder / self.names[index]

    @property
    def kinds(self) -> str:
        """The endings of the files in words, such as `.jpg`; "" where there are none."""
        return " and ".join(sorted({Path(name).suffix for name in self.names}))


def frames_in(folder: Path, endings: Iterable[str] = IMAGES) -> FrameFiles:
    """The images of a folder in the order of their numbers; none where there is no such folder.

    Hidden files and second copies of a file that is there (`7 (1).jpg` beside `7.jpg`) do not count.
    Raises DataError for two files that are the same frame by their names.
    """
    found = []
    for name in _listed(folder):
        stem, dot, ending = name.rpartition(".")
        if (dot + ending).lower() in endings and not name.startswith("."):
            found.append((natural(stem), name))
    stems = {name.rpartition(".")[0] for _, name in found}
    found = sorted(item for item in found if not is_copy(item[1].rpartition(".")[0], stems))
    for (first, name), (second, other) in pairwise(found):
        if first == second:
            raise DataError(f"{name} and {other} in {folder} are both the same frame. Keep one of them.")
    return FrameFiles(folder, tuple(name for _, name in found))


def first_with_frames(folders: Iterable[Path]) -> FrameFiles:
    """The frames of the first folder that has some; raises ValueError where no folder is given."""
    found = None
    for folder in folders:
        found = frames_in(folder) if found is None or not found else found
    if found is None:
        raise ValueError("no folder")
    return found


def natural(name: str) -> list[tuple[int, str]]:
    """A key to sort names by: runs of digits count as numbers, capitals as small letters."""
    runs = re.split(r"(\d+)", name.lower())
    return [(int(run), "") if run.isdecimal() else (0, run) for run in runs]


def number_of(name: str) -> int | None:
    """The last number in a file's name without its ending."""
    runs = re.findall(r"\d+", name.rpartition(".")[0])
    return int(runs[-1]) if runs else None


def is_copy(stem: str, stems: Iterable[str]) -> bool:
    """Whether a name is that of a second copy of another one among `stems`: `a (1)`, `a - Copy`, `a copy`."""
    found = _COPY.fullmatch(stem)
    return found is not None and found["name"] in stems


def folders_in(folder: Path) -> list[Path]:
    """The folders in a folder by name, without hidden ones and what macOS adds to archives; none in none."""
    inner = (name for name in _listed(folder) if not name.startswith(".") and name != "__MACOSX")
    return sorted(path for path in map(folder.joinpath, inner) if path.is_dir())


def texts_in(folder: Path, pattern: str = "*") -> list[Path]:
    """The .txt files in a folder by name whose stems fit a pattern, without hidden ones and second copies."""
    found = [
        path
        for path in folder.glob(f"{pattern}.*")
        if path.suffix.lower() == ".txt" and not path.name.startswith(".")
    ]
    stems = {path.stem for path in found}
    return sorted(path for path in found if not is_copy(path.stem, stems))


def _listed(folder: Path) -> list[str]:
    try:
        return [entry.name for entry in os.scandir(folder)]
    except (FileNotFoundError, NotADirectoryError):
        return []
