"""OTB, and any folder in its layout: `<seq>/groundtruth_rect.txt`, `<seq>/img/*.jpg`."""

from pathlib import Path

from got10k.datasets import OTB

from roam_tracker.errors import DataError
from roam_tracker.report.benchmarks import find_benchmark, otb_name
from roam_tracker.sequences import OTB_ANNOTATED
from roam_tracker.toolkits.annotations import check_count, read_boxes
from roam_tracker.toolkits.datasets.base import Boxes, Counted, need_folder

_DOUBLE = ("Jogging", "Skating2")  # two targets, hence two annotation files and two sequences


class PartialOTB(Counted, OTB):
    """The sequences of an OTB version that a folder holds; all of them where `version` is None.

    Folders may be spelled as they are in several copies of the benchmark: Jogging with two annotations,
    or Jogging.1, Jogging-1 and Jogging_1 with one; Human4, Human4-2, Human4_2.
    """

    def __init__(self, root_dir: str, version: str | None = None) -> None:
        root = need_folder(root_dir)
        self.root_dir, self.version = str(root), version
        official = set() if version is None else set(find_benchmark(version).sequences)
        found: dict[str, str] = {}
        for folder in sorted(path for path in root.iterdir() if path.is_dir()):
            files = sorted(map(str, folder.glob("groundtruth*.txt")))
            files = self._filter_files(files)  # the toolkit's rule: an empty file is no target
            name = folder.name if version is None else otb_name(folder.name.replace("_", "-"))
            if version is not None and len(files) == 1 and name in _DOUBLE and f"{name}.1" in official:
                raise DataError(
                    f"{folder} has one annotation file of two (groundtruth_rect.1.txt, "
                    "groundtruth_rect.2.txt), so its results would get another name. Restore the other."
                )
            for number, file in enumerate(files, start=1):
                sequence = name if len(files) == 1 else f"{name}.{number}"
                if official and sequence not in official:
                    continue
                if sequence in found:
                    raise DataError(f"{found[sequence]} and {file} are both {sequence}. Remove one of them.")
                found[sequence] = file
        if not found:
            other = " For sequences of other names choose the data set `folder`." if version else ""
            raise DataError(
                f"{root} holds no sequence of the data set: <sequence>/groundtruth_rect.txt and "
                f"<sequence>/img/*.jpg are expected. Give the folder that contains the sequences.{other}"
            )
        self.seq_names = sorted(found)
        self.anno_files = [found[name] for name in self.seq_names]
        self.seq_dirs = [str(Path(file).parent) for file in self.anno_files]
        self.missing = sorted(official - set(found))
        self.total = len(official) or len(found)

    def __getitem__(self, index: int | str) -> tuple[list[str], Boxes]:
        """Image files and boxes (N, 4) of a sequence by index or name.

        Of a few official videos a range of frames is annotated; images or rows beyond it are left out.
        """
        index = self._index(index)
        folder, file = Path(self.seq_dirs[index], "img"), self.anno_files[index]
        images = sorted(map(str, folder.glob("*.jpg")))
        boxes = read_boxes(file, polygons=self.version is None)
        first, last = OTB_ANNOTATED.get(self.seq_names[index], (1, len(images)))
        if len(images) >= last and len(images) > len(boxes) == last - first + 1:
            images = images[first - 1 : last]
        check_count(file, len(boxes), len(images), folder)
        return images, boxes
