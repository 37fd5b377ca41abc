"""Files that are whole or absent, settings that can be read, and names that are nearly right."""

import difflib
import errno
import os
import tempfile
import tomllib
from collections.abc import Iterable
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

from roam_tracker.errors import ConfigError, RunError, one_line


def write_atomic(path: str | os.PathLike[str], content: str | bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the whole new one.

    A temporary file beside it is written, flushed to disk and renamed. Parent folders are made.
    Raises RunError naming the file when the disk refuses.
    """
    path = Path(path)
    data = content.encode() if isinstance(content, str) else content
    temporary: Path | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        temporary = Path(name)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            temporary.unlink(missing_ok=True)
        raise RunError(
            f"{path} could not be written: {error.strerror}. Free space or choose another folder."
        ) from error


def check_place(path: Path) -> None:
    """Raises RunError where `write_atomic` would, before hours of work; makes the parent folders."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=path.parent).close()
        if path.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
    except OSError as error:
        raise RunError(f"{path} could not be written: {error.strerror}. Choose another place.") from error


def read_toml(file: Path | Traversable, what: str) -> dict[str, Any]:
    """The content of a TOML file; `what` begins the ConfigError about one that cannot be read."""
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{what} is not valid TOML: {one_line(error)}.") from None
    except (UnicodeDecodeError, RecursionError):
        raise ConfigError(f"{what} is no TOML file in UTF-8. Save it as plain text.") from None
    except OSError as error:
        raise ConfigError(f"{what} cannot be read: {error.strerror}. Give another file.") from None


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest known one, or all of them."""
    known = sorted(known)
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known are {', '.join(known)}."


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
