"""Zip archives in place of folders: their text files in a temporary folder, named as in the archive."""

import shutil
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import TracebackType

from roam_tracker.errors import InputError

# what a result or its truth is made of; images in the archive of a data set stay packed
KEPT = {".txt", ".json", ".csv", ".bin", ".value", ".label", ".ini", ".yaml", ".tag"}
_LINK = 0o120000


class Archives:
    """Folders as they are and archives unpacked, for as long as the `with` block lasts."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._places: dict[str, str] = {}

    def __enter__(self) -> "Archives":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def folder(self, path: Path, error: type[InputError]) -> Path:
        """`path`, or for a zip file the folder its members were unpacked to, named like the file.

        `error` for a damaged archive and for a member that would land outside (`../x`, `/x`, a link).
        """
        if not is_archive(path):
            return path
        target = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="roam-"))) / path.stem
        target.mkdir()
        try:
            with zipfile.ZipFile(path) as archive:
                for member in archive.infolist():
                    _unpack(archive, member, target, path, error)
        except InputError:
            raise
        except Exception as failure:  # whatever the readers of its parts meet in a damaged archive
            raise error(f"{path} cannot be unpacked: {failure}. Pack it again.") from failure
        self._places[str(target)] = self.named(str(path))
        return target

    def named(self, text: str) -> str:
        """The text with temporary folders replaced by the archives they came from."""
        for place, archive in reversed(self._places.items()):
            text = text.replace(place, archive)
        return text


def is_archive(path: Path) -> bool:
    """Whether it is a file named `.zip`."""
    return path.suffix.lower() == ".zip" and path.is_file()


def _unpack(
    archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, path: Path, error: type[InputError]
) -> None:
    name = PurePosixPath(member.filename)
    outside = name.is_absolute() or ".." in name.parts or PureWindowsPath(member.filename).drive
    if outside or "\\" in member.filename or (member.external_attr >> 16) & 0o170000 == _LINK:
        raise error(
            f"{path} has the member {member.filename!r}, which leads out of the archive."
            " Pack plain files and folders."
        )
    if member.is_dir() or name.suffix.lower() not in KEPT or "__MACOSX" in name.parts:
        return
    place = target / name
    if place.exists():
        raise error(f"{path} has {member.filename!r} twice. Keep one of them.")
    place.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(member) as packed, place.open("wb") as file:
        shutil.copyfileobj(packed, file)
