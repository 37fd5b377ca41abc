"""Sequences in VOT layout, and whether the toolkit can run them: what it would stumble over is found here.

<seq>/groundtruth.txt       x,y,w,h or corners per line
<seq>/sequence              key=value: fps, length, width, height, channels.color, ...; it may be missing
<seq>/color/00000001.jpg    or where channels.color says; <seq>/00000001.jpg where there is no `sequence`
<seq>/*.tag, *.value        labels and anchors, one per line
"""

import math
import re
from pathlib import Path

from roam_tracker.datasets.frames import FrameFiles, folders_in, frames_in
from roam_tracker.datasets.text import bounds, check_first, numbers, read_lines, read_names, read_rows
from roam_tracker.datasets.truth import check_count
from roam_tracker.errors import DataError, ImageError
from roam_tracker.images import size_of, to_rgb

_CORRECT = "Correct the line or leave the sequence out."
_COUNTS = ("fps", "length", "width", "height")
_CHANNELS = ("color", "depth", "ir")


def find_sequences(folder: Path) -> list[Path]:
    """The sequence folders in VOT layout, in the order of list.txt or of their names."""
    if not folder.is_dir():
        raise DataError(f"The folder {folder} does not exist. Give a folder of sequences in VOT layout.")
    listed = folder / "list.txt"
    if listed.is_file():
        found = [folder / name for name in read_names(listed)]
        for path in found:
            if not (path / "groundtruth.txt").is_file():
                raise DataError(
                    f"{listed} names {path.name}, but {path}/groundtruth.txt does not exist. Unpack it there."
                )
    else:
        found = [path for path in folders_in(folder) if (path / "groundtruth.txt").is_file()]
    if not found:
        raise DataError(
            f"{folder} holds no sequence in VOT layout: <sequence>/groundtruth.txt with "
            "<sequence>/color/00000001.jpg or <sequence>/00000001.jpg is expected. "
            "Give the folder that contains the sequences."
        )
    return found


def check_place(place: Path) -> None:
    """Raise DataError for a sequence's folder in a workspace that the toolkit or TraX cannot carry."""
    for found in re.findall(r"[^\x20-\x7e]|[%\\]", str(place)):
        raise DataError(
            f"{place} has the character {found!r} in its path, which the toolkit cannot pass to a tracker. "
            "Rename the folder or choose another place."
        )


def check_sequence(folder: Path) -> int:
    """The number of frames; raises DataError or BoxError for what the toolkit would stumble over later."""
    rows = _check_truth(folder)
    settings = _read_settings(folder)
    pattern = _pattern(folder, settings)
    images = _numbered(folder, pattern, rows)
    check_count(folder / "groundtruth.txt", rows, images)
    first = images[0]
    try:
        to_rgb(first)
    except ImageError as error:
        raise DataError(f"{error} The toolkit looks at the first image of a sequence.") from None
    width, height = size_of(first)
    for key, count in (("length", len(images)), ("width", width), ("height", height)):
        if key in settings and int(settings[key]) != count:
            raise DataError(
                f"{folder / 'sequence'}: {key} is {settings[key]}, the images say {count}. Correct the "
                "line, or delete it."
            )
    for channel in _CHANNELS[1:]:
        if f"channels.{channel}" in settings:
            other = folder / _with_name(settings[f"channels.{channel}"])
            check_count(folder / "groundtruth.txt", rows, _numbered(folder, other, rows))
    for path in sorted(folder.glob("*.value")):
        values = [] if path.name.startswith(".") else read_rows(path)
        if any(len(row) != 1 for row in values) or len(values) > rows:
            raise DataError(
                f"{path} has {len(values)} lines for {rows} frames, or several numbers in a line. Restore it."
            )
    return rows


def check_anchors(folder: Path) -> None:
    """Raise DataError where no run can start at the anchors of a sequence, or one of them shows no target."""
    path, truth = folder / "anchor.value", folder / "groundtruth.txt"
    anchors = [frame for frame, row in enumerate(read_rows(path)) if any(row)]
    if not anchors:
        raise DataError(f"{path} has no anchor, 1 or -1 in the line of a frame. Restore it.")
    rows = read_rows(truth)
    for frame in anchors:
        if not has_area(rows[frame]):
            raise DataError(
                f"{path}, line {frame + 1}: an anchor stands where {truth.name} has no target. Move it."
            )


def has_area(row: list[float]) -> bool:
    """Whether a row of ground truth is a box or polygon that a tracker can start on."""
    return len(row) >= 4 and math.isfinite(sum(row)) and min((row if len(row) == 4 else bounds(row))[2:]) > 0


def _check_truth(folder: Path) -> int:
    """Rows of the ground truth, which the toolkit reads by commas alone."""
    truth = folder / "groundtruth.txt"
    others = sorted(path.name for path in folder.glob("groundtruth_*.txt"))
    if others:
        raise DataError(
            f"{folder} has {others[0]}, by which the toolkit takes it for a sequence of several objects. "
            "Move it elsewhere."
        )
    lines = read_lines(truth)
    for number, line in enumerate(lines, 1):
        if line.startswith("m"):
            raise DataError(f"{truth}, line {number} is a mask. Give annotations as boxes or polygons.")
    rows = read_rows(truth)
    for number, values in enumerate(rows, 1):
        if len(values) not in (1, 4) and (len(values) < 6 or len(values) % 2):
            raise DataError(
                f"{truth}, line {number}: found {len(values)} values, expected 4 (x, y, w, h) or 6, 8, ... "
                f"(corners of a polygon). {_CORRECT}"
            )
    content = truth.read_bytes()
    if content.startswith(b"\xef\xbb\xbf"):
        raise DataError(f"{truth} begins with a byte order mark, which stops the toolkit. Save it without.")
    if content.decode().count("\n") >= len(lines) + 1 or "" in lines:
        raise DataError(f"{truth} has an empty line, which the toolkit cannot read. Delete it.")
    for number, (line, values) in enumerate(zip(lines, rows, strict=True), 1):
        words = [word.strip() for word in line.split(",")]
        if len(words) != len(values) or any(len(numbers_of(word)) != 1 for word in words):
            raise DataError(
                f"{truth}, line {number}: found {line!r}, and the toolkit wants a comma between two values. "
                "Write the file so."
            )
    first = bounds(rows[0]) if len(rows[0]) > 4 else rows[0]
    check_first(truth, first if len(first) == 4 else [float("nan")] * 4)
    return len(rows)


def numbers_of(word: str) -> list[float]:
    """The numbers in a word without separators; none where the toolkit could not read it."""
    return numbers(word) if re.fullmatch(r"[^\s,;()\[\]{}]+", word) else []


def _read_settings(folder: Path) -> dict[str, str]:
    """The `sequence` file as the toolkit reads it; DataError for what it would pass over or misread."""
    path = folder / "sequence"
    if not path.is_file():
        return {}
    if path.read_bytes().startswith(b"\xef\xbb\xbf"):
        raise DataError(
            f"{path} begins with a byte order mark, so the toolkit loses a line. Save it without."
        )
    settings: dict[str, str] = {}
    for number, line in enumerate(read_lines(path), 1):
        text = line.strip()
        found = re.fullmatch(r"([\w.-]+) *= *(.*)", text, re.ASCII)
        if found is None and text and not text.startswith("#"):
            raise DataError(
                f"{path}, line {number}: {text!r} is not key=value: the toolkit passes over it. Correct it."
            )
        if found is not None:
            key, value = found.groups()
            if key in settings:
                raise DataError(f"{path}, line {number}: {key} stands there twice. Delete one of the lines.")
            settings[key] = value.strip()
            if key in _COUNTS and not re.fullmatch(r"0*[1-9]\d*", settings[key]):
                raise DataError(
                    f"{path}, line {number}: {key} is {value.strip()!r}, and the toolkit takes whole numbers "
                    "above 0 alone. Round it."
                )
    if settings.get("format", "default") != "default":
        raise DataError(f"{path}: format is {settings['format']!r}, expected `default`. Correct the line.")
    if settings.get("groundtruth", "groundtruth.txt") != "groundtruth.txt":
        raise DataError(
            f"{path}: groundtruth is {settings['groundtruth']!r}. Name that file groundtruth.txt, and delete "
            "the line."
        )
    channels = [key for key in settings if key.startswith("channels.")]
    if channels and "channels.color" not in channels:
        raise DataError(f"{path} has no channels.color, which the trackers look at. Add the line.")
    return settings


def _pattern(folder: Path, settings: dict[str, str]) -> Path:
    """Where the toolkit looks for the frames: a path with %08d."""
    if (folder / "sequence").is_file():
        return folder / _with_name(settings.get("channels.color", "color"))
    if not (folder / "00000001.jpg").is_file() and (folder / "color/00000001.jpg").is_file():
        raise DataError(
            f"{folder} has its images in color/, but no file `sequence` that says so. "
            f"Write the line channels.color=color/%08d.jpg into {folder / 'sequence'}."
        )
    return folder / "%08d.jpg"


def _with_name(channel: str) -> str:
    """A channel's pattern; of a folder the toolkit makes one of 8 digits."""
    channel = channel.replace("\\", "/")
    pattern = channel if Path(channel).suffix else f"{channel.rstrip('/')}/%08d.jpg"
    numbered = re.fullmatch(r"([^%]*/)?[^%/]*%0?\d*d[^%/]*", pattern)
    if not numbered or Path(pattern).suffix not in (".jpg", ".png"):
        raise DataError(
            f"The channel {channel!r} in the file `sequence` is no pattern that the toolkit takes, such as "
            "color/%08d.jpg, which ends in .jpg or .png. Correct the line."
        )
    return pattern


def _numbered(folder: Path, pattern: Path, rows: int) -> FrameFiles:
    """The images from number 1 on, as the toolkit counts them; DataError where one of them is missing."""

    def name(number: int) -> str:
        return pattern.name % number

    names: list[str] = []
    while (pattern.parent / name(len(names) + 1)).is_file():
        names.append(name(len(names) + 1))
    there = frames_in(pattern.parent)
    if (pattern.parent / name(0)).is_file():
        raise DataError(
            f"{pattern.parent} begins with {name(0)}, the toolkit with {name(1)}: it would give each box to "
            "the next image. Rename the images, counting from 1."
        )
    if len(names) != rows and len(there) > len(names):
        raise DataError(
            f"{folder / 'groundtruth.txt'} has {rows} boxes, but {pattern.parent} has {len(names)} "
            f"{pattern.suffix} images before {name(len(names) + 1)}, which is missing; {there.names[0]} to "
            f"{there.names[-1]} are {len(there)}. Restore the image, or rename the others."
        )
    return FrameFiles(pattern.parent, tuple(names))
