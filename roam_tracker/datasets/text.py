"""Text files of data sets and of results: one way to decode, to split and to refuse.

Every reader of rows, flags, lists and settings stands on `read_lines` and `read_rows`, so that a run, a
report, training and the doctor give the same answer about the same file.
"""

import codecs
import math
import re
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from roam_tracker.core.geometry import Boxes
from roam_tracker.errors import BoxError, DataError, InputError

CORRECT = "Correct the line or leave the sequence out."
RESTORE = "Restore it from the benchmark's download."

_WIDE = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
# what may stand around and between the values of a row
_BETWEEN = str.maketrans(dict.fromkeys(",;[](){}", " "))
_NUMBER = r"[+-]?\d+,\d+"
# decimal commas are possible beside a semicolon, in quotes, or with a comma within and a blank between words
_SUSPECT = re.compile(rf";|{_NUMBER}[ \t]+[+-]?\d|\"{_NUMBER}\"")


def read_lines(path: Path, error: type[InputError] = DataError, remedy: str = RESTORE) -> list[str]:
    """The lines of a text file in UTF-8, with or without a byte order mark, no blank ones at the end.

    Raises `error` for a file that is absent, empty or in another encoding, which is named.
    """
    try:
        content = path.read_bytes()
    except OSError as failure:
        raise error(f"{path} cannot be read: {failure.strerror}. {remedy}") from failure
    wide = next((name for mark, name in _WIDE.items() if content.startswith(mark)), None)
    halves = content[:64:2], content[1:64:2]
    if wide is None and any(not any(one) and all(other) for one, other in (halves, halves[::-1]) if one):
        wide = "UTF-16"  # without its mark; every other byte of a plain text is zero
    if wide:
        raise error(f"{path} is a text in {wide}. Save it as UTF-8.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if "\0" in text:
        raise error(f"{path} is not a text file in UTF-8. {remedy}")
    text = text.rstrip()
    lines = re.split(r"\r*\n|\r", text) if "\r" in text else text.split("\n")
    if lines == [""]:
        raise error(f"{path} is empty. {remedy}")
    return lines


def read_rows(
    path: Path, error: type[InputError] = DataError, remedy: str = CORRECT, *, columns: slice = slice(None)
) -> list[list[float]]:
    """The numbers of each line; values stand apart by commas, semicolons, tabs or blanks. NaN is a number.

    columns: which words of a line are read; the others may be anything
    Raises `error` naming file and line for a word that is not a finite number or NaN, and for decimal commas.
    """
    lines = read_lines(path, error, remedy)
    table = _plain_table(lines)
    if table is not None:
        rows: list[list[float]] = table[:, columns].tolist()
        return rows
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            rows.append(numbers(line, columns))
        except ValueError as fault:
            head = number == 1 and len(lines) > 1 and re.fullmatch(r"[^\d]*[^\W\d][^\d]*", line)
            advice = "Delete this head line." if head and not line.startswith("n") else remedy
            raise error(f"{path}, line {number}: {fault}. {advice}") from None
    return rows


def _plain_table(lines: Sequence[str]) -> NDArray[np.float64] | None:
    """The numbers of lines of one length with one separator, (N, columns); None where anything is unusual."""
    text = "\n".join(lines)
    commas = "," in text
    if ";" in text or (commas and (" " in text or "\t" in text)):
        return None
    try:
        table = np.loadtxt(lines, delimiter="," if commas else None, comments=None, ndmin=2)
    except ValueError:
        return None
    return None if len(table) != len(lines) or np.isinf(table).any() else table


def numbers(line: str, columns: slice = slice(None)) -> list[float]:
    """The values of one line. Raises ValueError saying what was found, without the file."""
    if _SUSPECT.search(line):
        words = re.split(r"[;\s]+", line.strip(" \t;"))
        if (len(words) > 2 and any(re.fullmatch(_NUMBER, word) for word in words)) or '"' in line:
            raise ValueError(
                f"found {_shown(line)}, which has decimal commas, or commas beside another separator. "
                "Write 5.3 for 5,3, and one separator"
            )
    words = line.translate(_BETWEEN).split()[columns]
    try:
        values = [float(word) for word in words]
    except ValueError:
        raise ValueError(_not_finite(line)) from None
    if any(map(math.isinf, values)):
        raise ValueError(_not_finite(line))
    return values


def read_boxes(
    path: Path, error: type[InputError] = DataError, remedy: str = CORRECT, *, polygons: bool = False
) -> Boxes:
    """The boxes of a file, (N, 4) x, y, w, h in px, one per line; NaN where the target is unknown.

    polygons: lines may also be corners x1, y1, x2, y2, x3, y3, ...; the box around them counts
    Raises `error` naming file and line for a line that is neither.
    """
    table = _plain_table(read_lines(path, error, remedy))
    if table is not None and table.shape[1] == 4:
        return table
    rows = read_rows(path, error, remedy)
    widths = set(map(len, rows))
    whole = all(value.is_integer() for row in rows for value in row)
    for number, row in enumerate(rows, 1):
        if polygons and len(row) >= 6 and len(row) % 2 == 0:
            continue
        if len(row) != 4:
            shape = "4 (x, y, w, h) or 6, 8, ... (corners of a polygon)" if polygons else "4 (x, y, w, h)"
            advice = "Write 5.3 for 5,3, if these are decimal commas." if whole and len(row) == 8 else remedy
            raise error(f"{path}, line {number}: found {len(row)} values, expected {shape}. {advice}")
    if polygons and whole and widths == {8} and _look_like_fractions(read_lines(path)):
        raise error(
            f"{path}, line 1: 8 whole numbers, every second one like the digits behind a decimal comma. "
            "Write 5.3 for 5,3."
        )
    return np.array([row if len(row) == 4 else bounds(row) for row in rows])


def bounds(polygon: Sequence[float]) -> list[float]:
    """The box x, y, w, h around corners x1, y1, x2, y2, ...; NaN if any of them is."""
    corners = np.reshape(polygon, (-1, 2))
    low, high = corners.min(axis=0), corners.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def _look_like_fractions(lines: Iterable[str]) -> bool:
    """Whether every second one of 8 whole numbers per line looks like the digits behind a comma.

    `5,3,6,1,14,7,10,9` is a box with decimal commas: a polygon of that kind would be less than 10 px high. Of
    longer fractions some begin with a zero, which a whole number never does.
    """
    fractions = [word for line in lines for word in line.translate(_BETWEEN).split()[1::2]]
    lengths = set(map(len, fractions))
    return len(lengths) == 1 and (lengths == {1} or any(word.startswith("0") for word in fractions))


def has_area(boxes: Boxes) -> NDArray[np.bool_]:
    """Which of the boxes (N, 4) are finite and have an area, (N,): the others say that there is no target."""
    return np.asarray(np.isfinite(boxes).all(axis=1) & (boxes[:, 2:] > 0).all(axis=1))


def check_first(path: Path, box: Sequence[float]) -> None:
    """Raise BoxError unless the first box (x, y, w, h) is finite and has an area."""
    if not has_area(np.array([box]))[0]:
        x, y, w, h = box
        raise BoxError(
            f"{path}, line 1: the first box x={x:g} y={y:g} w={w:g} h={h:g} has no area, so no tracker can "
            "start on it. Begin the sequence on a frame where the target is visible."
        )


def read_flags(path: Path, frames: int) -> NDArray[np.float64]:
    """One number per frame (frames,), on lines of their own or on one. Raises DataError for another count."""
    values = [value for row in read_rows(path, remedy="Restore the file.") for value in row]
    if len(values) != frames or not np.isfinite(values).all():
        raise DataError(f"{path} has {len(values)} flags for {frames} frames. Restore the file.")
    return np.array(values)


def read_names(path: Path) -> list[str]:
    """The names in a list, one per line and each once; blanks around them and empty lines do not count.

    Raises DataError for a name that is not the name of a folder: results are written under it.
    """
    stripped = (line.strip().strip("\ufeff").rstrip("/") or line.strip() for line in read_lines(path))
    names = [name for name in dict.fromkeys(stripped) if name]
    for name in names:
        if name in (".", "..") or Path(name).name != name or "\\" in name:
            raise DataError(f"{path} names {name!r}, which leads out of the folder. Name the folders in it.")
    return names


def read_properties(path: Path) -> dict[str, tuple[int, str]]:
    """Key -> line number and value, of lines `key = value` or `key: value`; other lines do not count."""
    found = {}
    for number, line in enumerate(read_lines(path), 1):
        key, mark, value = re.match(r"([^=:]*)([=:]?)(.*)", line).groups()  # type: ignore[union-attr]
        if mark:
            found[key.strip()] = number, value.strip()
    return found


def read_resolution(path: Path) -> tuple[int, int] | None:
    """(width, height) in px of a meta_info.ini, None where no line says so; DataError for another form."""
    line, value = read_properties(path).get("resolution", (0, ""))
    if not line:
        return None
    sides = re.fullmatch(r"\(\s*(\d+)\s*,\s*(\d+)\s*\)", value)
    if sides is None or not int(sides[1]) * int(sides[2]):
        raise DataError(f"{path}, line {line}: resolution {value!r} is not (W, H) in px. Restore the file.")
    return int(sides[1]), int(sides[2])


def _not_finite(line: str) -> str:
    return f"found {_shown(line)}, expected finite numbers"


def _shown(line: str) -> str:
    return repr(textwrap.shorten(line, 60, placeholder=" ..."))
