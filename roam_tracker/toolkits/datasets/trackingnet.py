"""TrackingNet's test set: `TEST/anno/<seq>.txt` with the first box, `TEST/frames/<seq>/<number>.jpg`.

The released toolkit's class looks for the frames in another folder and takes a whole path for a number.
"""

from pathlib import Path

from got10k.datasets import TrackingNet

from roam_tracker.errors import DataError
from roam_tracker.toolkits.annotations import check_count, read_boxes
from roam_tracker.toolkits.datasets.base import Boxes, Counted, need_folder, need_sequences

SEQUENCES = 511


class PartialTrackingNet(Counted, TrackingNet):
    """The test sequences that a folder holds; where every annotation is whole, results can be scored here."""

    def __init__(self, root_dir: str, subset: str = "TEST") -> None:
        root = need_folder(root_dir)
        root = root if (root / subset).is_dir() else root.parent if root.name == subset else root
        self.root_dir, self.subset = str(root), subset
        files = sorted((root / subset / "anno").glob("*.txt"))
        layout = f"{subset}/anno/<sequence>.txt with {subset}/frames/<sequence>/0.jpg"
        need_sequences([path.stem for path in files], root, layout)
        folders = {path.stem: root / subset / "frames" / path.stem for path in files}
        there = [path for path in files if folders[path.stem].is_dir()]
        need_sequences([path.stem for path in there], root, layout)
        self.seq_names = [path.stem for path in there]
        self.anno_files = [str(path) for path in there]
        self.seq_dirs = [str(folders[name]) for name in self.seq_names]
        self.missing = sorted(set(folders) - set(self.seq_names))
        self.total = max(SEQUENCES, len(files)) if subset == "TEST" else len(files)
        self.hidden = any(len(read_boxes(file)) == 1 for file in self.anno_files)

    def __getitem__(self, index: int | str) -> tuple[list[str], Boxes]:
        """Image files, in the order of their numbers, and boxes (N, 4), or (1, 4) where no more is public."""
        index = self._index(index)
        file, folder = self.anno_files[index], Path(self.seq_dirs[index])
        boxes, images = read_boxes(file), list(folder.glob("*.jpg"))
        for image in images:
            if not image.stem.isdigit():
                raise DataError(f"{image} is not named by the number of its frame. Restore the sequence.")
        if not images:
            raise DataError(f"{folder} has no .jpg images. Unpack the sequence again.")
        images.sort(key=lambda image: int(image.stem))
        if len(boxes) > 1:
            check_count(file, len(boxes), len(images), folder)
        return [str(image) for image in images], boxes
