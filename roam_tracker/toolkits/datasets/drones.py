"""UAV123, UAV20L and DTB70, seen from the air."""

import json
from pathlib import Path

import got10k.datasets
from got10k.datasets import DTB70, UAV123

from roam_tracker.errors import DataError
from roam_tracker.files import nearest
from roam_tracker.toolkits.datasets.base import Boxes, Counted, need_folder, need_sequences


class PartialUAV(Counted, UAV123):
    """UAV123 or UAV20L: `anno/<version>/<seq>.txt`, images in `data_seq/UAV123/<folder>/%06d.jpg`.

    The toolkit knows the folder and the frames of every sequence. NaN rows: the target is not in view.
    """

    def __init__(self, root_dir: str, version: str = "UAV123") -> None:
        root = need_folder(root_dir)
        self.root_dir, self.version = str(root), version
        file = Path(got10k.datasets.__file__).with_name("uav123.json")
        self.seq_metas = json.loads(file.read_text())
        known = self.seq_metas[version]
        files = sorted((root / "anno" / version).glob("*.txt"))
        layout = f"anno/{version}/<sequence>.txt and data_seq/UAV123/<folder>/000001.jpg"
        need_sequences([path.stem for path in files], root, layout)
        for path in files:
            if path.stem not in known:
                raise DataError(f"{path} is no sequence of {version}: {nearest(path.stem, known)}")
        folders = {path.stem: root / "data_seq/UAV123" / known[path.stem]["folder_name"] for path in files}
        there = [path for path in files if folders[path.stem].is_dir()]
        need_sequences([path.stem for path in there], root, layout)
        self.seq_names = [path.stem for path in there]
        self.anno_files = [str(path) for path in there]
        self.seq_dirs = [str(folders[name]) for name in self.seq_names]
        self.missing, self.total = sorted(set(known) - set(self.seq_names)), len(known)

    def __getitem__(self, index: int | str) -> tuple[list[str], Boxes]:
        """Image files and boxes (N, 4) of a sequence, checked."""
        return self._pair(index, lambda number: UAV123.__getitem__(self, number))


class PartialDTB70(Counted, DTB70):
    """DTB70: `<seq>/groundtruth_rect.txt`, `<seq>/img/*.jpg`."""

    def __init__(self, root_dir: str) -> None:
        super().__init__(str(need_folder(root_dir)))
        need_sequences(
            self.seq_names, Path(root_dir), "<sequence>/groundtruth_rect.txt with <sequence>/img/*.jpg"
        )
        self.missing, self.total = [], max(70, len(self.seq_names))

    def _check_integrity(self, root_dir: str) -> None:
        """Nothing: what is there is looked at sequence by sequence."""

    def __getitem__(self, index: int | str) -> tuple[list[str], Boxes]:
        """Image files and boxes (N, 4) of a sequence, checked."""
        return self._pair(index, lambda number: DTB70.__getitem__(self, number))
