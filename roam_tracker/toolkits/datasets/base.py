"""What our data sets share: what is there and what is not, choosing sequences, checking them."""

import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import DataError
from roam_tracker.files import nearest
from roam_tracker.toolkits.annotations import check_count, check_first, read_boxes

Boxes = NDArray[np.float64]


class Counted:
    """Mixed into a data set of the toolkit, before it.

    missing: what the whole data set has and the folder has not
    total:   sequences of the whole data set
    hidden:  whether the truth is kept on a server: annotations end with the first frame
    """

    seq_names: list[str]
    seq_dirs: list[str]
    anno_files: list[str]
    root_dir: str
    missing: list[str]
    total: int
    hidden = False
    _lengths: list[int] | None = None

    def select(self, names: Iterable[str]) -> None:
        """Keep only these sequences; raises DataError for a name that is not there."""
        chosen = []
        for name in names:
            if name in self.missing:
                raise DataError(f"The sequence {name} is not in {self.root_dir}. Unpack it there.")
            if name not in self.seq_names:
                raise DataError(f"{self.root_dir} has no sequence {name!r}: {nearest(name, self.seq_names)}")
            chosen.append(self.seq_names.index(name))
        self._keep(sorted(set(chosen)))

    def check(self) -> list[int]:
        """Frames of every sequence; raises DataError or BoxError for the first one that cannot be run."""
        if self._lengths is None:
            self._lengths = [len(self[index][0]) for index in range(len(self.seq_names))]
        return self._lengths

    def __getitem__(self, index: int | str) -> tuple[Any, ...]:
        """Image files and boxes (N, 4) x, y, w, h in px of a sequence by index or name, checked."""
        raise NotImplementedError

    def _index(self, index: int | str) -> int:
        if not isinstance(index, str):
            return index
        if index not in self.seq_names:
            raise DataError(f"{self.root_dir} has no sequence {index!r}: {nearest(index, self.seq_names)}")
        return self.seq_names.index(index)

    def _keep(self, indices: Sequence[int]) -> None:
        for attribute in ("seq_names", "seq_dirs", "anno_files", "range_files"):
            if hasattr(self, attribute):
                values = getattr(self, attribute)
                setattr(self, attribute, [values[index] for index in indices])
        self._lengths = None

    def _pair(self, index: int | str, read: Callable[[int], tuple[list[str], Boxes]]) -> tuple[Any, ...]:
        """The toolkit's own answer for a sequence, after a look at its annotation and at its images."""
        index = self._index(index)
        file, folder = self.anno_files[index], self.seq_dirs[index]
        rows = self._rows(file)
        try:
            images, boxes = read(index)
        except (AssertionError, ZeroDivisionError):
            check_count(file, rows, len(list(Path(folder).rglob("*.jpg"))), folder)
            raise DataError(f"{file} does not fit the images in {folder}. Unpack it again.") from None
        except ValueError as error:
            raise DataError(f"{file} cannot be read by the GOT-10k toolkit ({error}). Restore it.") from None
        there = {
            entry.path for place in {str(Path(image).parent) for image in images} for entry in _scan(place)
        }
        check_count(file, len(boxes), sum(image in there for image in images), folder)
        check_first(file, boxes[0].tolist())
        return images, boxes

    def _rows(self, file: str) -> int:
        """Rows of an annotation; raises DataError for one that is not four numbers."""
        return len(read_boxes(file))


def _scan(folder: str) -> list[os.DirEntry[str]]:
    try:
        return list(os.scandir(folder))
    except OSError:
        return []


def need_folder(path: str) -> Path:
    """The path as folder; raises DataError if there is none."""
    folder = Path(path)
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"The data set's folder {path} {what}. Give the folder that contains the sequences.")
    return folder


def need_sequences(names: Sequence[str], root: Path, layout: str) -> None:
    """Raises DataError, telling the layout, if a folder holds no sequence."""
    if not names:
        raise DataError(
            f"{root} holds no sequence of the data set: {layout} is expected. "
            "Give the folder that contains the sequences."
        )


def check_names(file: Path, names: Sequence[str]) -> None:
    """Raises DataError for a listed name that is no name of a folder: results are written under it."""
    for name in names:
        if name in (".", "..") or Path(name).name != name or "\\" in name:
            raise DataError(f"{file} names {name!r}, which leads out of the folder. Name the folders in it.")
