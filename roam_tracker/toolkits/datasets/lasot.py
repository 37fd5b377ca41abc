"""LaSOT's 280 test sequences: `<class>/<seq>/groundtruth.txt`, `<class>/<seq>/img/%08d.jpg`.

The released toolkit's class raises a TypeError in its constructor; this one keeps its list of sequences
and its way of reading them.
"""

import json
from pathlib import Path
from typing import Any

import got10k.datasets
import numpy as np
from got10k.datasets import LaSOT
from numpy.typing import NDArray

from roam_tracker.errors import DataError
from roam_tracker.toolkits.annotations import numbered_lines, numbers
from roam_tracker.toolkits.datasets.base import Counted, need_folder, need_sequences


class PartialLaSOT(Counted, LaSOT):
    """The test sequences that a folder holds, by class or side by side (`<seq>/groundtruth.txt`)."""

    def __init__(self, root_dir: str, subset: str = "test") -> None:
        root = need_folder(root_dir)
        self.root_dir, self.subset, self.return_meta = str(root), subset, False
        splits = json.loads(Path(got10k.datasets.__file__).with_name("lasot.json").read_text())
        folders = {}
        for name in splits[subset]:
            places = (root / name.rpartition("-")[0] / name, root / name)
            found = [place for place in places if (place / "groundtruth.txt").is_file()]
            if found:
                folders[name] = found[0]
        need_sequences(
            list(folders), root, "<class>/<sequence>/groundtruth.txt with <class>/<sequence>/img/00000001.jpg"
        )
        self.seq_names = sorted(folders)
        self.seq_dirs = [str(folders[name] / "img") for name in self.seq_names]
        self.anno_files = [str(folders[name] / "groundtruth.txt") for name in self.seq_names]
        self.missing, self.total = sorted(set(splits[subset]) - set(folders)), len(splits[subset])

    def __getitem__(self, index: int | str) -> tuple[Any, ...]:
        """Image files and boxes (N, 4), and the toolkit's `meta` if `return_meta` is set; checked."""
        meta, self.return_meta = self.return_meta, False
        try:
            images, boxes = self._pair(index, lambda number: LaSOT.__getitem__(self, number))
        finally:
            self.return_meta = meta
        return (
            (images, boxes, self._fetch_meta(self.seq_dirs[self._index(index)])) if meta else (images, boxes)
        )

    def absent(self, index: int | str, frames: int) -> NDArray[np.bool_]:
        """Where the target is fully occluded or out of view, (frames,); nowhere without the flag files."""
        folder = Path(self.seq_dirs[self._index(index)]).parent
        flags = np.zeros(frames, dtype=bool)
        for name in ("full_occlusion.txt", "out_of_view.txt"):
            file = folder / name
            if not file.is_file():
                continue
            values = [value for number, line in numbered_lines(file) for value in numbers(file, number, line)]
            if len(values) != frames:
                raise DataError(f"{file} has {len(values)} flags for {frames} frames. Restore the file.")
            flags |= np.array(values) > 0
        return flags
