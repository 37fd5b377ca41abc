"""Need for Speed at 240 or 30 frames a second: `<seq>/<fps>/<seq>.txt`, `<seq>/<fps>/<seq>/*.jpg`."""

from pathlib import Path

from got10k.datasets import NfS

from roam_tracker.errors import DataError
from roam_tracker.toolkits.annotations import numbered_lines, numbers
from roam_tracker.toolkits.datasets.base import Boxes, Counted, need_folder, need_sequences


class PartialNfS(Counted, NfS):
    """A row has an identifier, then x1, y1, x2, y2; at 30 frames a second every 8th row counts."""

    def __init__(self, root_dir: str, fps: int = 240) -> None:
        root = need_folder(root_dir)
        super().__init__(str(root), fps)
        need_sequences(
            self.seq_names, root, f"<sequence>/{fps}/<sequence>.txt with <sequence>/{fps}/<sequence>/*.jpg"
        )
        self.missing, self.total = [], max(100, len(self.seq_names))

    def _check_integrity(self, root_dir: str) -> None:
        """Nothing: what is there is looked at sequence by sequence."""

    def _rows(self, file: str) -> int:
        lines = numbered_lines(file)
        for number, line in lines:
            words = line.split()
            if len(words) < 5:
                raise DataError(
                    f"{file}, line {number}: {len(words)} values {line.strip()!r} where an identifier and "
                    "x1 y1 x2 y2 are expected. Restore the file."
                )
            numbers(file, number, " ".join(words[1:5]))
        return len(lines)

    def __getitem__(self, index: int | str) -> tuple[list[str], Boxes]:
        """Image files and boxes (N, 4) of a sequence, checked."""
        number = self._index(index)
        if not any(Path(self.seq_dirs[number]).glob("*.jpg")):
            raise DataError(f"{self.seq_dirs[number]} has no .jpg images. Unpack the sequence again.")
        return self._pair(number, lambda each: NfS.__getitem__(self, each))
