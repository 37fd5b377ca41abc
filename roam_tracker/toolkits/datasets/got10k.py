"""GOT-10k's validation and test sets, and any folder in their layout: `<seq>/groundtruth.txt` and images."""

from pathlib import Path
from typing import Any

import numpy as np
from got10k.datasets import GOT10k
from PIL import Image

from roam_tracker.errors import DataError
from roam_tracker.toolkits.annotations import check_count, numbered_lines, numbers, read_boxes
from roam_tracker.toolkits.datasets.base import Counted, check_names, need_folder

_LABELS = ("cover", "absence", "cut_by_image")


class PartialGOT10k(Counted, GOT10k):
    """The sequences of `val` or `test` that a folder holds; of the test set only first boxes are public."""

    def __init__(self, root_dir: str, subset: str = "val") -> None:
        super().__init__(str(need_folder(root_dir)), subset=subset)
        listed = self.seq_names
        check_names(Path(root_dir, subset, "list.txt"), listed)
        there = [index for index, folder in enumerate(self.seq_dirs) if Path(folder).is_dir()]
        self.missing = [name for index, name in enumerate(listed) if index not in there]
        self.total, self.hidden = len(listed), subset == "test"
        self._keep(there)
        if not there:
            raise DataError(
                f"{root_dir}/{subset} has no sequence that its list.txt names. Unpack them there."
            )

    def _check_integrity(self, root_dir: str, subset: str) -> None:
        file = Path(root_dir, subset, "list.txt")
        if not file.is_file():
            raise DataError(f"{file} does not exist. Give the folder that contains GOT-10k's `{subset}`.")
        if not file.read_text().strip():
            raise DataError(f"{file} names no sequence. Unpack the data set again.")

    def __getitem__(self, index: int | str) -> tuple[Any, ...]:
        """Image files and boxes (N, 4), and the labels if `return_meta` is set; checked."""
        index = self._index(index)
        folder, file = Path(self.seq_dirs[index]), self.anno_files[index]
        images, boxes = sorted(map(str, folder.glob("*.jpg"))), read_boxes(file)
        if self.hidden:
            if not images:
                raise DataError(f"{folder} has no .jpg images. Unpack the sequence again.")
            return images, boxes[:1]
        check_count(file, len(boxes), len(images), folder)
        for label in _LABELS:
            _check_label(folder / f"{label}.label", len(boxes))
        lines = [line for _, line in numbered_lines(folder / "meta_info.ini")]
        if not any(line.startswith("resolution: (") for line in lines[1:]):
            raise DataError(f"{folder}/meta_info.ini has no line `resolution: (W, H)`. Restore the file.")
        return (images, boxes, self._fetch_meta(str(folder))) if self.return_meta else (images, boxes)


class FolderGOT10k(Counted, GOT10k):
    """Every sequence of a folder in GOT-10k's layout, without its labels: the target counts as visible.

    list.txt, if there is one, chooses and orders the sequences; polygons become the boxes around them.
    """

    def __init__(self, root_dir: str) -> None:
        root = need_folder(root_dir)
        self.root_dir, self.subset, self.return_meta = str(root), "val", False
        listed = root / "list.txt"
        if listed.is_file():
            self.seq_names = [line.strip() for _, line in numbered_lines(listed) if line.strip()]
            check_names(listed, self.seq_names)
        else:
            self.seq_names = sorted(path.parent.name for path in root.glob("*/groundtruth.txt"))
        self.seq_dirs = [str(root / name) for name in self.seq_names]
        self.anno_files = [str(root / name / "groundtruth.txt") for name in self.seq_names]
        there = [index for index, folder in enumerate(self.seq_dirs) if Path(folder).is_dir()]
        self.missing = [name for index, name in enumerate(self.seq_names) if index not in there]
        self.total = len(self.seq_names)
        self._keep(there)
        if not self.seq_names:
            raise DataError(
                f"{root} holds no sequence: <sequence>/groundtruth_rect.txt with <sequence>/img/*.jpg, or "
                "<sequence>/groundtruth.txt with <sequence>/*.jpg are expected. "
                "Give the folder that contains the sequences."
            )

    def __getitem__(self, index: int | str) -> tuple[Any, ...]:
        """Image files and boxes (N, 4) of a sequence; with `return_meta` also labels that hide nothing."""
        index = self._index(index)
        folder, file = Path(self.seq_dirs[index]), self.anno_files[index]
        places = [folder, folder / "color"]  # the second as VOT's workspaces have it
        images = next((found for place in places if (found := sorted(map(str, place.glob("*.jpg"))))), [])
        boxes = read_boxes(file, polygons=True)
        check_count(file, len(boxes), len(images), folder)
        if not self.return_meta:
            return images, boxes
        with Image.open(images[0]) as first:
            size = repr(first.size)
        labels = {"cover": np.full(len(boxes), 8), "absence": np.zeros(len(boxes)), "resolution": size}
        return images, boxes, labels


def _check_label(file: Path, frames: int) -> None:
    lines = numbered_lines(file)
    if len(lines) != frames:
        raise DataError(f"{file} has {len(lines)} lines for {frames} frames. Restore the file.")
    for number, line in lines:
        if len(numbers(file, number, line)) != 1:
            raise DataError(f"{file}, line {number}: {line.strip()!r} is not one number. Restore the file.")
