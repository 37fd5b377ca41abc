"""The GOT-10k toolkit's data sets, on partial copies, offline, and checked before they are used.

Both classes count: `missing` names what the full data set has and the folder has not, `total` is
the number of sequences of the full data set.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from got10k.datasets import OTB, GOT10k
from numpy.typing import NDArray

from roam_tracker.errors import DataError
from roam_tracker.files import nearest
from roam_tracker.toolkits.annotations import check_count, numbered_lines, numbers, read_boxes

Boxes = NDArray[np.float64]
_DOUBLE = ("Jogging", "Skating2")  # two targets, hence two annotation files and two sequences


class _Counted:
    """Selecting and checking sequences, for both data sets."""

    seq_names: list[str]
    seq_dirs: list[str]
    anno_files: list[str]
    missing: list[str]
    total: int
    root_dir: str

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
        """Frames of every sequence; raises DataError or BoxError for the first annotation that is wrong."""
        return [len(self[index][1]) for index in range(len(self.seq_names))]

    def _keep(self, indices: Sequence[int]) -> None:
        for attribute in ("seq_names", "seq_dirs", "anno_files"):
            values = getattr(self, attribute)
            setattr(self, attribute, [values[index] for index in indices])

    def __getitem__(self, index: int | str) -> tuple[Any, ...]:
        raise NotImplementedError


class FolderOTB(_Counted, OTB):
    """The sequences of an OTB version that a folder holds; all of them where `version` is None."""

    def __init__(self, root_dir: str, version: int | str | None = None) -> None:
        root = need_folder(root_dir)
        here = sorted(path.name for path in root.iterdir() if path.is_dir())
        official = here if version is None else list(OTB._OTB__version_dict[version])
        self.root_dir, self.version = str(root), version
        files = sorted(str(file) for name in official for file in (root / name).glob("groundtruth*.txt"))
        self.anno_files = self._filter_files(files)  # the toolkit's rule: an empty file is no target
        self.seq_dirs = [str(Path(file).parent) for file in self.anno_files]
        folders = [Path(file).parent.name for file in self.anno_files]
        self.seq_names = self._rename_seqs(folders)
        if not folders:
            other = " For sequences of other names choose the data set OTB-folder." if version else ""
            raise DataError(
                f"{root} holds no sequence of the data set: <sequence>/groundtruth_rect.txt and "
                f"<sequence>/img/*.jpg are expected. Give the folder that contains the sequences.{other}"
            )
        self.missing = [] if version is None else sorted(set(official) - set(folders))
        self.total = len(folders) if version is None else len(official)
        if version is not None:
            self.total += sum(name in official for name in _DOUBLE)
            for name in _DOUBLE:
                if folders.count(name) == 1:
                    raise DataError(
                        f"{root / name} has one annotation file of two (groundtruth_rect.1.txt, "
                        "groundtruth_rect.2.txt), so its results would get another name. Restore the other."
                    )

    def __getitem__(self, index: int | str) -> tuple[list[str], Boxes]:
        """Image files and boxes (N, 4) of a sequence by index or name, checked."""
        if isinstance(index, str):
            index = self.seq_names.index(index)
        folder = Path(self.seq_dirs[index], "img")
        images = sorted(map(str, folder.glob("*.jpg")))
        boxes = read_boxes(self.anno_files[index])
        if len(images) != len(boxes):
            try:  # a few official sequences annotate a range of their images; the toolkit knows which
                return OTB.__getitem__(self, index)[0], boxes
            except AssertionError:
                check_count(self.anno_files[index], len(boxes), len(images), folder)
        return images, boxes


class PartialGOT10k(_Counted, GOT10k):
    """GOT-10k's validation sequences that a folder holds."""

    def __init__(self, root_dir: str) -> None:
        super().__init__(str(need_folder(root_dir)), subset="val")
        listed = self.seq_names
        there = [index for index, folder in enumerate(self.seq_dirs) if Path(folder).is_dir()]
        self.missing = [name for index, name in enumerate(listed) if index not in there]
        self.total = len(listed)
        self._keep(there)
        if not there:
            raise DataError(f"{root_dir}/val has no sequence that its list.txt names. Unpack them there.")

    def _check_integrity(self, root_dir: str, subset: str) -> None:
        file = Path(root_dir, subset, "list.txt")
        if not file.is_file():
            raise DataError(f"{file} does not exist. Give the folder that contains GOT-10k's `{subset}`.")
        if not file.read_text().strip():
            raise DataError(f"{file} names no sequence. Unpack the data set again.")

    def __getitem__(self, index: int | str) -> tuple[Any, ...]:
        """Image files and boxes (N, 4), and the labels if `return_meta` is set; checked."""
        if isinstance(index, str):
            index = self.seq_names.index(index)
        folder, file = Path(self.seq_dirs[index]), self.anno_files[index]
        images, boxes = sorted(map(str, folder.glob("*.jpg"))), read_boxes(file)
        check_count(file, len(boxes), len(images), folder)
        for label in ("cover", "absence", "cut_by_image"):
            _check_label(folder / f"{label}.label", len(boxes))
        lines = [line for _, line in numbered_lines(folder / "meta_info.ini")]
        if not any(line.startswith("resolution: (") for line in lines[1:]):
            raise DataError(f"{folder}/meta_info.ini has no line `resolution: (W, H)`. Restore the file.")
        return (images, boxes, self._fetch_meta(str(folder))) if self.return_meta else (images, boxes)


def need_folder(path: str) -> Path:
    """The path as folder; raises DataError if there is none."""
    folder = Path(path)
    if not folder.is_dir():
        what = "is not a folder" if folder.exists() else "does not exist"
        raise DataError(f"The data set's folder {path} {what}. Give the folder that contains the sequences.")
    return folder


def _check_label(file: Path, frames: int) -> None:
    lines = numbered_lines(file)
    if len(lines) != frames:
        raise DataError(f"{file} has {len(lines)} lines for {frames} frames. Restore the file.")
    for number, line in lines:
        if len(numbers(file, number, line)) != 1:
            raise DataError(f"{file}, line {number}: {line.strip()!r} is not one number. Restore the file.")
