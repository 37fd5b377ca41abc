"""Archives in place of folders: their text files in a temporary folder, named as in the archive."""

import shutil
import tarfile
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path, PurePosixPath, PureWindowsPath
from types import TracebackType
from typing import IO

from roam_tracker.errors import InputError

# what a result or its truth is made of; images in the archive of a data set stay packed
KEPT = {".txt", ".json", ".csv", ".tsv", ".mat", ".bin", ".value", ".label", ".ini", ".yaml", ".tag"}
# what else may hold results, but is not read: only its name is needed
NAMED = {".npy", ".npz", ".pkl", ".pickle", ".xml", ".xlsx", ".h5", ".hdf5", ".dat", ".rar", ".7z", ".gz"}
ENDINGS = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
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
        """`path` itself, or for an archive the folder its files were unpacked to.

        Raises `error` for a damaged archive and for a member that would land outside (`../x`, `/x`, a link).
        """
        if not is_archive(path):
            return path
        target = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="roam-"))) / stem(path)
        target.mkdir()
        try:
            members = _zip_members if path.suffix.lower() == ".zip" else _tar_members
            for name, content in members(path):
                _unpack(name, content, target, path, error)
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
    """Whether it is a file with the ending of an archive that can be unpacked."""
    return path.name.lower().endswith(ENDINGS) and path.is_file()


def stem(path: Path) -> str:
    """The archive's name without its ending: `ECO.tar.gz` is ECO."""
    ending = max((end for end in ENDINGS if path.name.lower().endswith(end)), key=len, default=path.suffix)
    return path.name[: -len(ending)] if ending else path.name


Members = Iterator[tuple[str, IO[bytes] | None]]  # name; None for a link


def _zip_members(path: Path) -> Members:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if (member.external_attr >> 16) & 0o170000 == _LINK:
                yield member.filename, None
            elif not member.is_dir():
                with archive.open(member) as packed:
                    yield member.filename, packed


def _tar_members(path: Path) -> Members:
    with tarfile.open(path) as archive:
        for member in archive:
            if not member.isdir():
                yield member.name, archive.extractfile(member) if member.isfile() else None


def _unpack(
    member: str, content: IO[bytes] | None, target: Path, path: Path, error: type[InputError]
) -> None:
    name = PurePosixPath(member.replace("\\", "/"))  # some programs on Windows write backslashes
    if content is None or name.is_absolute() or ".." in name.parts or PureWindowsPath(name).drive:
        raise error(
            f"{path} has the member {member!r}, which leads out of the archive. Pack plain files and folders."
        )
    if name.suffix.lower() not in KEPT | NAMED and not member.lower().endswith(ENDINGS):
        return
    place = target / name
    if place.exists():
        raise error(f"{path} has {member!r} twice. Keep one of them.")
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("wb") as file:
        shutil.copyfileobj(content, file)
