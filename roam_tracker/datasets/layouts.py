"""Where the files of each data set lie: one table for runs, reports, training and the doctor.

    otb          <seq>/groundtruth_rect*.txt        <seq>/img/0001.jpg
    got10k       val/<seq>/groundtruth.txt          val/<seq>/00000001.jpg, cover.label, meta_info.ini
    uav          anno/<version>/<seq>.txt           data_seq/UAV123/<folder>/000001.jpg
    nfs          <seq>/<fps>/<seq>.txt              <seq>/<fps>/<seq>/00001.jpg
    dtb70        <seq>/groundtruth_rect.txt         <seq>/img/00001.jpg
    tcolor128    <seq>/<seq>_gt.txt, _frames.txt    <seq>/img/0001.jpg
    lasot        <class>/<seq>/groundtruth.txt      <class>/<seq>/img/00000001.jpg, full_occlusion.txt
    trackingnet  TEST/anno/<seq>.txt                TEST/frames/<seq>/0.jpg
    folder       anybody's own videos, as otb or as got10k without its labels

Annotations may also come alone, as `<seq>.txt` side by side. Nothing is read here but lists of sequences.
"""

import functools
import importlib.util
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from roam_tracker.datasets.frames import folders_in, texts_in
from roam_tracker.datasets.lists import LASOT_TEST, OTB50, OTB2013, OTB2015, OTB_RANGES
from roam_tracker.datasets.names import otb_name
from roam_tracker.datasets.text import read_lines, read_names, read_rows
from roam_tracker.errors import DataError

Version = str | int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceFiles:
    """Where the files of one sequence lie.

    truth:    the file of boxes
    frames:   folders that may hold the images: the first that holds some counts
    span:     numbers of the first and last image that are annotated, both included; None = all
    annotated: first and last frame of an OTB video that is annotated in part; rows beyond them do not count
    corners:  whether a row of the truth is NfS's: a number, then x1 y1 x2 y2, then other words
    polygons: whether a row may be a polygon
    absent:   files of flags, 1 where there is no target; they may be missing
    cover:    file of GOT-10k's visible share, 0 where there is no target; it may be missing
    meta:     GOT-10k's meta_info.ini; it may be missing
    """

    name: str
    truth: Path
    frames: tuple[Path, ...] = ()
    span: tuple[int, int] | None = None
    annotated: tuple[int, int] | None = None
    corners: bool = False
    polygons: bool = False
    absent: tuple[Path, ...] = ()
    cover: Path | None = None
    meta: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """One data set's layout.

    find:    the sequences under a root, of a version of the data set
    shown:   the files that are expected, for an error message
    signs:   glob patterns by which a folder of this layout is known, with the version that each stands for
    total:   how many sequences the whole data set has, where no list tells
    listed:  names of all sequences of a version; empty where none are published
    """

    find: Callable[[Path, Version], list[SequenceFiles]]
    shown: str
    signs: tuple[tuple[str, Version], ...] = ()
    total: int = 0
    listed: Callable[[Version], frozenset[str]] = lambda version: frozenset()


def find_sequences(layout: str, root: Path, version: Version = None) -> list[SequenceFiles]:
    """The annotated sequences under `root`, by name or in the order of a list; none where none is found.

    Raises DataError for two files of one sequence.
    """
    found: dict[str, SequenceFiles] = {}
    for sequence in LAYOUTS[layout].find(root, version):
        other = found.setdefault(sequence.name, sequence)
        if other is not sequence:
            raise DataError(
                f"{other.truth} and {sequence.truth} are both {sequence.name}. Remove one of them."
            )
    return list(found.values())


def recognise(root: Path) -> tuple[str, Version] | None:
    """Layout and version of a data set's folder by what it holds; None where it is unknown."""
    for name, layout in LAYOUTS.items():
        for pattern, version in layout.signs:
            if any(root.glob(pattern)):
                return name, version
    return None


def truth_files(folder: Path) -> list[Path]:
    """The annotations of one sequence's folder, more than one where several targets are annotated.

    `groundtruth.txt`, `groundtruth_rect.txt`, or both numbered: `groundtruth_rect.1.txt`. Second copies do
    not count, nor do empty files beside others. Raises DataError where it is unsure which one is meant.
    """
    found = texts_in(folder, "groundtruth*")
    found = [path for path in found if path.stat().st_size] or found[:1]
    numbered = [path for path in found if re.fullmatch(r"groundtruth(_rect)?[._-]?\d+", path.stem)]
    if len(found) > 1 and len(numbered) < len(found):
        names = " and ".join(path.name for path in found)
        raise DataError(f"{folder} has {names}, of which one is the annotation. Keep that one.")
    return found


def frame_folders(folder: Path) -> tuple[Path, ...]:
    """Where the images of a sequence may be: in a folder of a usual name, or beside its annotation."""
    return tuple(folder / inner for inner in ("img", "images", "color", "."))


def _otb(root: Path, version: Version) -> list[SequenceFiles]:
    """Folders may be spelled as in several copies of the benchmark; without a version they keep their names.

    Jogging has two annotations, Jogging.1, Jogging-1 and Jogging_1 have one; so do Human4 and Human4-2.
    """
    found = []
    for folder in folders_in(root):
        truths = truth_files(folder)
        for number, truth in enumerate(truths, 1):
            name = folder.name if len(truths) == 1 else f"{folder.name}.{number}"
            frames, own = frame_folders(folder), version is None
            found.append(SequenceFiles(name=name, truth=truth, frames=frames, polygons=own))
    if not found:
        found = [replace(files, polygons=version is None) for files in _alone(root)]
    if version is not None:
        named = [replace(files, name=otb_name(files.name)) for files in found]
        found = [replace(files, annotated=OTB_RANGES.get(files.name)) for files in named]
    return sorted(found, key=lambda sequence: sequence.name)


def _got10k(root: Path, version: Version) -> list[SequenceFiles]:
    """Sequences of a list.txt in its order, else all; in the subset's folder where there is one."""
    inside = root / str(version)
    place = inside if version is not None and inside.is_dir() else root
    listed = place / "list.txt"
    folders = [place / name for name in read_names(listed)] if listed.is_file() else folders_in(place)
    found = []
    for folder in folders:
        for truth in truth_files(folder)[:1] if folder.is_dir() else []:
            found.append(
                SequenceFiles(
                    name=folder.name,
                    truth=truth,
                    frames=frame_folders(folder),
                    polygons=place == root,
                    absent=_flags(folder),
                    cover=folder / "cover.label",
                    meta=folder / "meta_info.ini",
                )
            )
    return found or [replace(files, polygons=True) for files in _alone(root)]


def _flags(folder: Path) -> tuple[Path, ...]:
    """Files of GOT-10k and LaSOT that say where the target is absent."""
    return tuple(folder / name for name in ("absence.label", "full_occlusion.txt", "out_of_view.txt"))


def _folder(root: Path, version: Version) -> list[SequenceFiles]:
    return (_otb if is_like_otb(root) else _got10k)(root, None)


def is_like_otb(root: Path) -> bool:
    """Whether somebody's own folder of videos is laid out as OTB, or else as GOT-10k."""
    return any(path.is_file() for path in root.glob("*/groundtruth_rect*"))


def _uav(root: Path, version: Version) -> list[SequenceFiles]:
    """The GOT-10k toolkit knows the folder and the frames of every sequence."""
    inside = root / "anno" / str(version)
    if not inside.is_dir():
        return _alone(root)
    known = _uav_table(version)
    found = []
    for path in texts_in(inside):
        entry = known.get(path.stem, {"folder_name": path.stem})
        span = (entry["start_frame"], entry["end_frame"]) if "start_frame" in entry else None
        folders = (
            root / "data_seq/UAV123" / entry["folder_name"],
            root / "data_seq" / str(version) / path.stem,
        )
        found.append(SequenceFiles(name=path.stem, truth=path, frames=folders, span=span))
    return found


def _nfs(root: Path, version: Version) -> list[SequenceFiles]:
    found = [
        SequenceFiles(name=truth.stem, truth=truth, frames=(truth.with_suffix(""),), corners=True)
        for folder in folders_in(root)
        if (folder / str(version)).is_dir()
        for truth in texts_in(folder / str(version))
    ]
    return found or _alone(root)


def _dtb70(root: Path, version: Version) -> list[SequenceFiles]:
    found = [
        SequenceFiles(name=folder.name, truth=truth, frames=(folder / "img",))
        for folder in folders_in(root)
        for truth in texts_in(folder, "groundtruth_rect")
    ]
    return found or _alone(root)


def _tcolor128(root: Path, version: Version) -> list[SequenceFiles]:
    found = []
    for folder in folders_in(root):
        for truth in texts_in(folder, "*_gt")[:1]:
            ranges = texts_in(folder, "*_frames")
            span = _span(ranges[0]) if ranges else None
            found.append(SequenceFiles(name=folder.name, truth=truth, frames=(folder / "img",), span=span))
    alone = [replace(files, name=files.name.removesuffix("_gt")) for files in _alone(root)]
    return found or alone


def _lasot(root: Path, version: Version) -> list[SequenceFiles]:
    """By class or side by side; or the toolkit's annotations, `<seq>.txt` with `absent/<seq>.txt`."""
    found = []
    for folder in folders_in(root):
        for inner in (folder, *folders_in(folder)):
            truth = inner / "groundtruth.txt"
            if truth.is_file():
                flags = (inner / "full_occlusion.txt", inner / "out_of_view.txt")
                frames = (inner / "img",)
                found.append(SequenceFiles(name=inner.name, truth=truth, frames=frames, absent=flags))
    if found:
        return sorted(found, key=lambda sequence: sequence.name)
    place = next((inner for inner in (root, *folders_in(root)) if (inner / "absent").is_dir()), root)
    boxes = place / "boxes" if (place / "boxes").is_dir() else place
    return [
        replace(files, absent=(place / "absent" / f"{files.name}.txt",))
        for files in _alone(boxes)
        if files.name not in ("testing_set", "training_set")
    ]


def _trackingnet(root: Path, version: Version) -> list[SequenceFiles]:
    """The root holds the subset's folder or is it."""
    place = root / str(version) if (root / str(version)).is_dir() else root
    if not (place / "anno").is_dir():
        return _alone(root)
    return [
        SequenceFiles(name=truth.stem, truth=truth, frames=(place / "frames" / truth.stem,))
        for truth in texts_in(place / "anno")
    ]


def _alone(root: Path) -> list[SequenceFiles]:
    """Annotations without images: `<seq>.txt` side by side, or in the only folder that there is."""
    found = [SequenceFiles(name=path.stem, truth=path) for path in texts_in(root) if path.stem != "list"]
    inner = folders_in(root)
    return found if found or len(inner) != 1 else _alone(inner[0])


def _span(path: Path) -> tuple[int, int]:
    """The first and the last frame of `first,last`."""
    words = [value for row in read_rows(path) for value in row]
    if len(words) != 2 or not all(map(float.is_integer, words)):
        raise DataError(f"{path}, line 1: {read_lines(path)[0]!r} is not `first,last`. Restore it.")
    return int(words[0]), int(words[1])


@functools.cache
def _uav_table(version: Version) -> dict[str, dict[str, Any]]:
    """Sequence -> folder_name, start_frame, end_frame, from the GOT-10k toolkit; empty without it."""
    toolkit = importlib.util.find_spec("got10k")  # found, not imported
    if toolkit is None or not toolkit.submodule_search_locations:
        return {}
    file = Path(toolkit.submodule_search_locations[0], "datasets", "uav123.json")
    return dict(json.loads(file.read_text())[version])


_OTB_LISTS = {"OTB2013": OTB2013, "OTB50": OTB50, "OTB2015": OTB2015}

# the order is that of `recognise`: the particular ones come first
LAYOUTS = {
    "trackingnet": Layout(
        find=_trackingnet,
        shown="TEST/anno/<sequence>.txt with TEST/frames/<sequence>/0.jpg",
        signs=(("TEST/anno/*.txt", "TEST"),),
        total=511,
    ),
    "got10k": Layout(
        find=_got10k,
        shown="val/list.txt with val/<sequence>/groundtruth.txt and val/<sequence>/00000001.jpg",
        signs=(("val/list.txt", "val"), ("test/list.txt", "test")),
    ),
    "uav": Layout(
        find=_uav,
        shown="anno/<version>/<sequence>.txt and data_seq/UAV123/<folder>/000001.jpg",
        signs=(("anno/UAV123/*.txt", "UAV123"), ("anno/UAV20L/*.txt", "UAV20L")),
        listed=lambda version: frozenset(_uav_table(version)),
    ),
    "nfs": Layout(
        find=_nfs,
        shown="<sequence>/<fps>/<sequence>.txt with <sequence>/<fps>/<sequence>/*.jpg",
        signs=(("*/240/*.txt", 240), ("*/30/*.txt", 30)),
        total=100,
    ),
    "tcolor128": Layout(
        find=_tcolor128,
        shown="<sequence>/<sequence>_gt.txt, <sequence>_frames.txt and <sequence>/img/*.jpg",
        signs=(("*/*_gt.txt", None),),
        total=128,
    ),
    "otb": Layout(
        find=_otb,
        shown="<sequence>/groundtruth_rect.txt and <sequence>/img/*.jpg",
        signs=(("*/groundtruth_rect*", None),),
        listed=lambda version: _OTB_LISTS.get(str(version), frozenset()),
    ),
    "lasot": Layout(
        find=_lasot,
        shown="<class>/<sequence>/groundtruth.txt with <class>/<sequence>/img/00000001.jpg",
        signs=(("*/full_occlusion.txt", "test"), ("*/*/full_occlusion.txt", "test")),
        listed=lambda version: LASOT_TEST,
    ),
    "dtb70": Layout(find=_dtb70, shown="<sequence>/groundtruth_rect.txt with <sequence>/img/*.jpg", total=70),
    "folder": Layout(
        find=_folder,
        shown="<sequence>/groundtruth_rect.txt with <sequence>/img/*.jpg, or <sequence>/groundtruth.txt with "
        "<sequence>/*.jpg",
        signs=(("*/groundtruth*", None),),
    ),
}
