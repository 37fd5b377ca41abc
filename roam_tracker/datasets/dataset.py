"""A data set on disk as runs see it: the sequences that are there, checked before they are used, offline."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.datasets.frames import first_with_frames, folders_in
from roam_tracker.datasets.layouts import (
    LAYOUTS,
    SequenceFiles,
    Version,
    find_sequences,
    frame_folders,
    is_like_otb,
    truth_files,
)
from roam_tracker.datasets.text import check_first, read_flags, read_names
from roam_tracker.datasets.truth import Truth, read_frames, read_pair, read_truth, remarks, some
from roam_tracker.errors import DataError
from roam_tracker.files import nearest
from roam_tracker.images import size_of

_GOT10K_LABELS = ("cover", "absence", "cut_by_image")


class Dataset:
    """The sequences of a data set that a folder holds, as the GOT-10k toolkit's experiments want them.

    layout:   otb, got10k, ...: whose rule scores it
    missing:  what the whole data set has and the folder has not
    total:    sequences of the whole data set
    hidden:   whether the truth is kept on a server: annotations end with the first frame
    official: whether it is a published data set, or somebody's own videos
    return_meta: whether `dataset[index]` also gives what GOT-10k's rule needs
    """

    def __init__(
        self,
        root: Path,
        layout: str,
        sequences: list[SequenceFiles],
        missing: list[str],
        total: int,
        *,
        hidden: bool = False,
        unannotated: list[str] | None = None,
    ) -> None:
        self.root, self.layout, self.missing, self.total = root, layout, missing, total
        self.hidden, self.official, self.return_meta = hidden, unannotated is None, False
        self._unannotated = unannotated or []
        self._sequences = sequences
        self._checked: list[tuple[int, Truth]] | None = None

    @property
    def seq_names(self) -> list[str]:
        """The names of the sequences, in their order."""
        return [sequence.name for sequence in self._sequences]

    def __len__(self) -> int:
        return len(self._sequences)

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int | str) -> tuple[Any, ...]:
        """Image files and boxes (N, 4) x, y, w, h in px of a sequence by index or name, checked.

        With `return_meta` also cover (N,), 0 where the frame does not count, and resolution "(W, H)".
        """
        files, (frames, truth) = self._files(index), self._read(index)
        images, boxes = [str(image) for image in frames], truth.boxes
        if not self.return_meta:
            return images, boxes
        size = truth.size_px or size_of(frames[0])
        visible = np.full(len(boxes), True) if truth.visible is None else truth.visible
        cover = visible * 8.0
        if files.cover is not None and files.cover.is_file():
            cover *= read_flags(files.cover, len(boxes)) / 8
        # the toolkit computes overlaps before it leaves frames out
        boxes = np.where(np.isfinite(boxes), boxes, 0.0)
        return images, boxes, {"cover": cover, "resolution": repr(size)}

    def select(self, names: Iterable[str]) -> None:
        """Keep only these sequences; raises DataError for a name that is not there."""
        chosen = set()
        for name in names:
            if name in self.missing:
                raise DataError(f"The sequence {name} is not in {self.root}. Unpack it there.")
            chosen.add(self._files(name).name)
        self._sequences = [sequence for sequence in self._sequences if sequence.name in chosen]
        self._checked = None

    def check(self) -> list[int]:
        """Frames of every sequence; raises DataError or BoxError for the first one that cannot be run."""
        return [frames for frames, _ in self._all()]

    def remarks(self) -> list[str]:
        """Sentences on frames without a box, on missing labels, and on videos without an annotation."""
        if self.hidden:
            return []
        truths = {name: truth for name, (_, truth) in zip(self.seq_names, self._all(), strict=True)}
        told = remarks(truths, self.layout, labels=self.official)
        if self._unannotated:
            told.append(f"Without an annotation (groundtruth.txt), left out: {some(self._unannotated)}.")
        return told

    def absent(self, index: int | str, frames: int) -> NDArray[np.bool_]:
        """Where the target is fully occluded or out of view, (frames,)."""
        visible = self._read(index)[1].visible
        return np.zeros(frames, dtype=bool) if visible is None else ~visible

    def _all(self) -> list[tuple[int, Truth]]:
        if self._checked is None:
            found = (self._read(index) for index in range(len(self)))
            self._checked = [(len(frames), truth) for frames, truth in found]
        return self._checked

    def _files(self, index: int | str) -> SequenceFiles:
        if isinstance(index, int):
            return self._sequences[index]
        for sequence in self._sequences:
            if sequence.name == index:
                return sequence
        raise DataError(f"{self.root} has no sequence {index!r}: {nearest(index, self.seq_names)}")

    def _read(self, index: int | str) -> tuple[Any, Truth]:
        files = self._files(index)
        if self.hidden:
            frames, truth = read_frames(files), read_truth(files)
            if not frames:
                raise DataError(f"{frames.folder} has no images. Unpack the sequence again.")
            truth = Truth(truth.boxes[:1], truth.source)
        else:
            frames, truth = read_pair(files)
            if self.layout == "got10k" and self.official:
                _check_labels(files, truth)
        check_first(files.truth, truth.boxes[0].tolist())
        return frames, truth


def open_dataset(layout: str, root: str, version: Version = None) -> Dataset:
    """The data set of a layout (see layouts.py) on the sequences under `root`.

    Raises DataError for a folder that holds none of it, saying what is expected.
    """
    place = Path(root)
    if not place.is_dir():
        what = "is not a folder" if place.exists() else "does not exist"
        raise DataError(f"The data set's folder {root} {what}. Give the folder that contains the sequences.")
    if version is None and LAYOUTS[layout].signs:
        version = LAYOUTS[layout].signs[0][1]
    if layout == "got10k":
        return _open_got10k(place, str(version))
    if layout == "trackingnet":
        place = place.parent if place.name == str(version) else place
    found = [sequence for sequence in find_sequences(layout, place, version) if sequence.frames]
    if layout == "folder":
        return _open_folder(place, found)
    known = LAYOUTS[layout].listed(version)
    if known and layout == "uav":
        for sequence in found:
            if sequence.name not in known:
                raise DataError(
                    f"{sequence.truth} is no sequence of {version}: {nearest(sequence.name, known)}"
                )
    if known and layout == "otb":
        _check_targets(found, known)
    found = sorted(
        (sequence for sequence in found if not known or sequence.name in known), key=lambda s: s.name
    )
    annotated = {sequence.name for sequence in found}
    if layout in ("uav", "trackingnet"):  # annotations lie apart from the images, of which some may be there
        found = [sequence for sequence in found if first_with_frames(sequence.frames)]
    _need(found, place, layout)
    missing = (known | annotated) - {sequence.name for sequence in found}
    total = len(known) or max(LAYOUTS[layout].total, len(found) + len(missing))
    hidden = layout == "trackingnet" and any(len(read_truth(files).boxes) == 1 for files in found)
    return Dataset(place, layout, found, sorted(missing), total, hidden=hidden)


def _open_got10k(root: Path, subset: str) -> Dataset:
    listed = root / subset / "list.txt"
    if not listed.is_file():
        raise DataError(f"{listed} does not exist. Give the folder that contains GOT-10k's `{subset}`.")
    names, found = read_names(listed), find_sequences("got10k", root, subset)
    found = [sequence for sequence in found if sequence.frames]
    if not found:
        raise DataError(f"{root}/{subset} has no sequence that its list.txt names. Unpack them there.")
    there = {sequence.name for sequence in found}
    missing = [name for name in names if name not in there]
    return Dataset(root, "got10k", found, missing, len(names), hidden=subset == "test")


def _open_folder(root: Path, found: list[SequenceFiles]) -> Dataset:
    if not found and truth_files(root):
        raise DataError(f"{root} is one sequence. Give the folder that contains it.")
    _need(found, root, "folder")
    layout = "otb" if is_like_otb(root) else "got10k"
    there = {sequence.name for sequence in found}
    listed = root / "list.txt"
    names = read_names(listed) if layout == "got10k" and listed.is_file() else sorted(there)
    missing = [name for name in names if name not in there]
    folders = [] if listed.is_file() else [folder for folder in folders_in(root) if not truth_files(folder)]
    bare = [folder.name for folder in folders if first_with_frames(frame_folders(folder))]
    return Dataset(root, layout, found, missing, len(names), unannotated=bare)


def _need(found: list[SequenceFiles], root: Path, layout: str) -> None:
    if not found:
        other = " For sequences of other names choose the data set `folder`." if layout == "otb" else ""
        raise DataError(
            f"{root} holds no sequence of the data set: {LAYOUTS[layout].shown} are expected. "
            f"Give the folder that contains the sequences.{other}"
        )


def _check_targets(found: list[SequenceFiles], known: frozenset[str]) -> None:
    """Raise DataError where one of a video's two annotations is missing: its results get another name."""
    for sequence in found:
        if sequence.name not in known and f"{sequence.name}.1" in known:
            raise DataError(
                f"{sequence.truth.parent} has one annotation file of two (groundtruth_rect.1.txt, "
                "groundtruth_rect.2.txt), so its results would get another name. Restore the other."
            )


def _check_labels(files: SequenceFiles, truth: Truth) -> None:
    for label in _GOT10K_LABELS:
        read_flags(files.truth.with_name(f"{label}.label"), len(truth.boxes))
    if truth.size_px is None:
        what = "has no line `resolution: (W, H)`" if files.meta and files.meta.is_file() else "does not exist"
        raise DataError(f"{files.meta} {what}. Restore the file.")
