"""Temple Color 128: `<seq>/<seq>_gt.txt`, `<seq>/<seq>_frames.txt` ("first,last"), `<seq>/img/%04d.jpg`."""

from pathlib import Path

from got10k.datasets import TColor128

from roam_tracker.errors import DataError
from roam_tracker.toolkits.annotations import numbered_lines, numbers
from roam_tracker.toolkits.datasets.base import Boxes, Counted, need_folder, need_sequences


class PartialTColor128(Counted, TColor128):
    """The sequences that are there; nothing is downloaded."""

    def __init__(self, root_dir: str) -> None:
        root = need_folder(root_dir)
        self.root_dir = str(root)
        self.anno_files = sorted(map(str, root.glob("*/*_gt.txt")))
        self.seq_dirs = [str(Path(file).parent) for file in self.anno_files]
        self.seq_names = [Path(folder).name for folder in self.seq_dirs]
        need_sequences(
            self.seq_names,
            root,
            "<sequence>/<sequence>_gt.txt, <sequence>_frames.txt and <sequence>/img/*.jpg",
        )
        self.range_files = [_range_file(Path(folder)) for folder in self.seq_dirs]
        self.missing, self.total = [], max(128, len(self.seq_names))

    def __getitem__(self, index: int | str) -> tuple[list[str], Boxes]:
        """Image files and boxes (N, 4) of a sequence, checked."""
        number = self._index(index)
        file = self.range_files[number]
        for line_number, line in numbered_lines(file):
            if len(numbers(file, line_number, line)) != 2:
                raise DataError(
                    f"{file}, line {line_number}: {line.strip()!r} is not `first,last`. Restore it."
                )
        return self._pair(number, lambda each: TColor128.__getitem__(self, each))


def _range_file(folder: Path) -> str:
    found = sorted(map(str, folder.glob("*_frames.txt")))
    if not found:
        raise DataError(
            f"{folder} has no {folder.name}_frames.txt (`first,last`). Unpack the sequence again."
        )
    return found[0]
