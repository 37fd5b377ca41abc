"""Videos with boxes, read from the layouts in which data sets come; no frame is opened here.

Each reader yields the videos of its layout under a folder, none when the folder is not laid out so.
Boxes come out as x, y, w, h in px with (0, 0) the corner of the first pixel, zero where the target is
absent. Data sets that count pixels from 1 are read as they are, half a pixel to a pixel off at most.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
from PIL import Image

from roam_tracker.core.geometry import Boxes
from roam_tracker.datasets.frames import first_with_frames, folders_in, frames_in
from roam_tracker.datasets.layouts import SequenceFiles, find_sequences, frame_folders
from roam_tracker.datasets.text import has_area, read_names
from roam_tracker.datasets.truth import read_pair, shown
from roam_tracker.errors import DataError


@dataclass(frozen=True, slots=True)
class Video:
    """Frames and the target's box in each, x, y, w, h in px; zero size where it is absent."""

    name: str
    frames: Sequence[Path]
    boxes: Boxes  # (N, 4)


def find_videos(root: Path) -> list[Video]:
    """The videos of a data set, its layout recognised by the folders found under `root`.

    Raises DataError when none is recognised, and naming the file when an annotation is damaged or has
    not one row a frame.
    """
    root = Path(root)
    for reader in READERS:
        videos = list(reader(root))
        if videos:
            return videos
    raise DataError(
        f"{root} has no video: expected <video>/groundtruth.txt or <video>/masks/, or the folder of GOT-10k "
        "(with train/), LaSOT (<class>/<video>/img/), TrackingNet (TRAIN_0/anno/) or ILSVRC "
        "(Annotations/VID/train/)."
    )


def read_boxed_folders(root: Path) -> Iterator[Video]:
    """`<video>/groundtruth.txt` or groundtruth_rect.txt, frames beside it or in img/, images/ or color/."""
    for files in find_sequences("folder", root):
        if files.frames:
            yield _video(files)


def read_got10k(root: Path) -> Iterator[Video]:
    """GOT-10k: `train/GOT-10k_Train_000001/` with frames, groundtruth.txt and absence.label.

    Only train/ is read: of the test part no truth is published but the first box.
    """
    for files in find_sequences("got10k", root, "train") if (root / "train").is_dir() else []:
        if files.frames:
            yield _video(files)


def read_lasot(root: Path) -> Iterator[Video]:
    """LaSOT: `<class>/<class>-1/` with img/, groundtruth.txt, full_occlusion.txt and out_of_view.txt.

    Videos that a testing_set.txt in `root` names are left out.
    """
    testing = root / "testing_set.txt"
    held = set(read_names(testing)) if testing.exists() else set()
    for files in find_sequences("lasot", root):
        if files.name not in held and files.frames and files.frames[0].is_dir():
            yield _video(files)


def read_trackingnet(root: Path) -> Iterator[Video]:
    """TrackingNet: `TRAIN_0/anno/<video>.txt` and `TRAIN_0/frames/<video>/0.jpg`, 1.jpg, ...

    `root` holds the TRAIN folders or is one; videos whose frames are not there yet are passed over.
    """
    for chunk in (root, *sorted(root.glob("TRAIN_*"))):
        for files in find_sequences("trackingnet", chunk) if (chunk / "anno").is_dir() else []:
            if first_with_frames(files.frames):
                yield _video(files)


def read_ilsvrc_vid(root: Path) -> Iterator[Video]:
    """ILSVRC-VID: `Data/VID/train/**/000000.JPEG` and `Annotations/VID/train/**/000000.xml`.

    A video for each tracked object that at least two frames show. An object marked as occluded is
    mostly seen in part and stays. A million small files: reading all of them takes minutes.
    """
    annotations, data = root / "Annotations/VID/train", root / "Data/VID/train"
    for folder in sorted({path.parent for path in annotations.rglob("000000.xml")}):
        frames = frames_in(data / folder.relative_to(annotations))
        if not frames:
            continue
        tracks: dict[str, Boxes] = {}
        for number, name in enumerate(frames.names):
            for track, box in _vid_objects(folder / f"{Path(name).stem}.xml"):
                tracks.setdefault(track, np.zeros((len(frames), 4)))[number] = box
        for track, boxes in sorted(tracks.items()):
            if np.count_nonzero(boxes[:, 2]) >= 2:
                yield Video(f"{folder.name}/{track}", frames, boxes)


def read_masked_folders(root: Path) -> Iterator[Video]:
    """`<video>/masks/*.png` and images/, img/, color/ or frames beside the folder of masks.

    The boxes are tight around the masks; a palette's colours are objects of their own. An empty mask
    says that the target is absent.
    """
    for folder in folders_in(root):
        masks = folder / "masks"
        if not masks.is_dir():
            continue
        frames = first_with_frames(frame_folders(folder))
        files = list(frames_in(masks, (".png",)))
        if [path.stem for path in files] != [Path(name).stem for name in frames.names]:
            raise DataError(
                f"{masks} has {len(files)} masks for {len(frames)} frames, or of other names. "
                "Complete the video or remove it."
            )
        objects: dict[int, Boxes] = {}
        for number, path in enumerate(files):
            for value, box in _mask_boxes(path):
                objects.setdefault(value, np.zeros((len(files), 4)))[number] = box
        for value, boxes in sorted(objects.items()):
            yield Video(folder.name if len(objects) == 1 else f"{folder.name}/{value}", frames, boxes)


# the first that finds a video is right: the more particular layouts come first
READERS: tuple[Callable[[Path], Iterator[Video]], ...] = (
    read_ilsvrc_vid,
    read_trackingnet,
    read_got10k,
    read_boxed_folders,
    read_lasot,
    read_masked_folders,
)


def _video(files: SequenceFiles) -> Video:
    frames, truth = read_pair(files)
    present = shown(files, len(frames))
    known = has_area(truth.boxes) & (True if present is None else present)
    return Video(files.name, frames, np.where(known[:, None], truth.boxes, 0.0))


def _vid_objects(path: Path) -> list[tuple[str, tuple[float, float, float, float]]]:
    """Track number and box of each object in one frame's XML.

    xmin .. ymax are the first and last pixel of the object counted from 0, both part of it: the
    development kit's overlap adds 1 to their difference.
    """
    try:
        found = []
        for item in ElementTree.parse(path).getroot().iter("object"):
            corners = [
                float(item.findtext(f"bndbox/{name}", "")) for name in ("xmin", "ymin", "xmax", "ymax")
            ]
            x, y, right, bottom = corners
            found.append((item.findtext("trackid", "0"), (x, y, right - x + 1, bottom - y + 1)))
        return found
    except (OSError, ValueError, ElementTree.ParseError) as error:
        raise DataError(
            f"{path} cannot be read as an annotation ({error}). Restore it or remove the video."
        ) from None


def _mask_boxes(path: Path) -> list[tuple[int, tuple[int, int, int, int]]]:
    """Value and tight box of each object of a mask."""
    try:
        with Image.open(path) as opened:
            palette = opened.mode == "P"
            values = np.array(opened if palette or opened.mode == "1" else opened.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:
        raise DataError(f"Mask {path} cannot be read ({error}). Restore it or remove the video.") from None
    apart = np.setdiff1d(values, (0, 255)) if palette else np.array([])
    if not len(apart):
        values, apart = (values > values.max() / 2).astype(np.uint8), np.array([1])
    found = []
    for value in np.intersect1d(apart, values):  # not 255: it marks edges that belong to nobody
        rows, columns = (np.flatnonzero((values == value).any(axis)) for axis in (1, 0))
        left, top = int(columns[0]), int(rows[0])
        found.append((int(value), (left, top, int(columns[-1]) + 1 - left, int(rows[-1]) + 1 - top)))
    return found
