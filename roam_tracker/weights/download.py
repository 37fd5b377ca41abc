"""Downloads that are what they should be: https alone, checked, whole or not at all, resumed."""

import hashlib
import re
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import IO, Any

from roam_tracker.errors import RunError

SCHEMES = ("https",)
_CHUNK = 1 << 20
_SILENCE_S = 30.0  # without a byte before the connection is given up
_TOLD_S = 0.5
_MOST = 4 << 30  # bytes; nothing that is published here is as large


def download(
    url: str,
    file: Path,
    sha256: str,
    *,
    progress: Callable[[str], None] = lambda line: None,
    schemes: tuple[str, ...] | None = None,
) -> None:
    """Fetch `url` to `file`, which appears whole and checked or not at all.

    sha256:   in hex, whole or its published beginning
    progress: called now and then with a line of text
    schemes:  of the address and of all it is redirected to; None: https

    What has come lies in `<file>.part`, and the next call asks for the rest. Raises RunError with the address
    when the server fails, sends another length than it promised, or sends another file.
    """
    allowed = SCHEMES if schemes is None else schemes
    part = file.with_name(f"{file.name}.part")
    with _told(url, file):
        _check_scheme(url, allowed)
        file.parent.mkdir(parents=True, exist_ok=True)
        for resumed in (part.is_file(), False):
            _receive(url, part, allowed, progress)
            with part.open("rb") as content:
                digest = hashlib.file_digest(content, "sha256").hexdigest()
            if digest.startswith(sha256):
                part.replace(file)
                return
            part.unlink()  # the first half may be of another file: once again from the start
            if not resumed:
                break
    raise RunError(
        f"{url} sent something else than the published file: its SHA-256 begins with {digest[:8]}, not with "
        f"{sha256[:8]}. Nothing was kept; try again, or bring the file to {file} by other means."
    )


def _receive(url: str, part: Path, schemes: tuple[str, ...], progress: Callable[[str], None]) -> None:
    """Append to `part` what it lacks."""
    have = part.stat().st_size if part.is_file() else 0
    request = urllib.request.Request(url, headers={"User-Agent": "roam-tracker"})
    if have:
        request.add_header("Range", f"bytes={have}-")
    try:
        answer = urllib.request.build_opener(_Redirects(schemes)).open(request, timeout=_SILENCE_S)
    except urllib.error.HTTPError as error:
        if error.code == 416 and have:  # nothing after these bytes: they are all, or of another file
            return
        raise
    with answer:
        whole = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", answer.headers.get("Content-Range", ""))
        if answer.status == 206 and whole and int(whole[1]) == have:
            mode = "ab"
        else:
            mode, have = "wb", 0  # a server that starts again
        promised = answer.headers.get("Content-Length", "")
        size = have + int(promised) if promised.isdecimal() else 0
        with part.open(mode) as out:
            _copy(answer, out, have, size, progress)
    if size and part.stat().st_size != size:
        raise ValueError(f"it broke off after {part.stat().st_size} of {size} bytes, which are kept")


def _copy(answer: Any, out: IO[bytes], have: int, size: int, progress: Callable[[str], None]) -> None:
    told = time.monotonic()
    while chunk := answer.read(_CHUNK):
        out.write(chunk)
        have += len(chunk)
        if have > _MOST:
            raise ValueError(f"it is longer than {_MOST >> 30} GiB")
        if time.monotonic() - told >= _TOLD_S:
            told = time.monotonic()
            progress(f"{have / 1e6:.0f}{f' of {size / 1e6:.0f}' if size else ''} MB")


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows no redirection away from the schemes."""

    def __init__(self, schemes: tuple[str, ...]) -> None:
        self.schemes = schemes

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _check_scheme(newurl, self.schemes)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


def _check_scheme(url: str, schemes: tuple[str, ...]) -> None:
    if url.partition(":")[0].lower() not in schemes:
        raise ValueError(f"{url} is not {' or '.join(schemes)}")


@contextmanager
def _told(url: str, file: Path) -> Iterator[None]:
    """Turns what network and disk refuse into one sentence with the address."""
    try:
        yield
    except (OSError, HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
        raise RunError(
            f"{url} could not be fetched to {file} ({reason}). Try again, or bring it there by other means."
        ) from None


def show(line: str) -> None:
    """Progress on a terminal, in one line that is written over and over."""
    if sys.stderr.isatty():
        print(f"\r{line:<30}", end="\r", file=sys.stderr, flush=True)
