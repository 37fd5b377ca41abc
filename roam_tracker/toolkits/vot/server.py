"""The VOT toolkit: a tracker of our registry behind the TraX protocol.

    python -m roam_tracker.toolkits.vot [TRACKER]      started by the toolkit, see trackers.ini

The toolkit joins the process's stdout and stderr in the pipe that carries the protocol, and half a
line of anything else stops it for ever. So everything that libraries print goes into a file: to
ROAM_VOT_LOG if that is set, else to a nameless one whose end is shown after a failure.
"""

import argparse
import ctypes
import os
import select
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import pairwise
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.errors import ConfigError, RoamError, RunError, guarded
from roam_tracker.toolkits.oracle import OracleTracker
from roam_tracker.toolkits.registry import TRACKERS, Follower, check_name, create
from roam_tracker.toolkits.run.manifest import Manifest, device_of

Box = NDArray[np.float64]
_REQUESTS, _TRAX, _STDERR = 0, 1, 2  # file descriptors
_GRACE_S = 5.0  # to end in order when the toolkit is gone
_SHOWN = 4000  # characters of the log that are shown after a failure


def main(argv: Sequence[str] | None = None) -> int:
    """Serve one tracker until the toolkit says quit or goes away; exit status 0, 1 or 2."""
    parser = argparse.ArgumentParser(
        prog="python -m roam_tracker.toolkits.vot",
        description="Serve a tracker over TraX; the VOT toolkit starts this, see trackers.ini.",
    )
    parser.add_argument(
        "tracker", nargs="?", default="ROAM", help=f"one of {', '.join(TRACKERS)} (default ROAM)"
    )
    default = os.environ.get("ROAM_DEVICE", "auto")
    parser.add_argument(
        "--device", default=default, help="auto, cpu, cuda, cuda:1 (default: ROAM_DEVICE or auto)"
    )
    args = parser.parse_args(argv)
    if sys.stdin is not None and sys.stdin.isatty():
        return guarded(_explain)
    server = None
    threading.Thread(target=_end_with_toolkit, daemon=True).start()
    with _private_output() as (log, refused):
        try:
            try:
                if refused is not None:
                    raise refused
                with _closed_stdout():
                    manifest, follower = _prepared(args.tracker, args.device)
            except Exception:
                server = _greeted(args.tracker)
                raise
            server = _hello(args.tracker)
            served = serve(server, args.tracker, follower)
            _quit(server, None)
            server = None
            if manifest is not None:
                for sequence in served:
                    manifest.add(sequence, device_of(follower), None)
            return 0
        except _ClientGone as error:
            _show_failure(RunError(f"The toolkit went away without a word ({error.__cause__})."), log)
            return 1
        except Exception as error:
            _show_failure(error, log)  # first, for the toolkit's log ends where the protocol does
            if server is not None:
                _quit(server, _one_line(error))
            return error.exit_status if isinstance(error, RoamError) else 1


def _prepared(name: str, device: str) -> tuple[Manifest | None, Follower]:
    """The manifest of the run, and the tracker, loaded and warm: the toolkit's clock starts at the hello."""
    check_name(name)
    manifest, follower = _manifest(name), create(name, device)
    if not isinstance(follower, OracleTracker):  # noise has no true box, and nobody times an oracle
        warm_up(follower)
    return manifest, follower


def _greeted(name: str) -> Any:
    """The protocol after the first request, to be answered with an error that came before; else None.

    Of a process that ends without a hello the toolkit's screen says only that it could not connect.
    """
    try:
        server = _hello(name)
        _next(server)
    except Exception:  # no TraX, or nobody there; what came before is what is told
        return None
    return server


def _hello(name: str) -> Any:
    """The server's side of the protocol, begun."""
    try:
        from trax import Image, Region, Server, TraxException
    except ImportError as error:
        raise RunError(f"TraX is not installed here ({error}). Run: pip install vot-trax") from error
    try:
        # no metadata: with the entry `vot` the toolkit would start this process for every restart
        return Server([Region.RECTANGLE], [Image.PATH], tracker_name=name)
    except TraxException as error:
        raise _ClientGone from error


def _next(server: Any) -> Any:
    """The toolkit's next request."""
    from trax import TraxException

    try:
        return server.wait()
    except TraxException as error:
        raise _ClientGone from error


def serve(server: Any, name: str, follower: Follower) -> list[str]:
    """Answer the toolkit's requests until it quits; names of the sequences that it asked for."""
    from trax import Rectangle, TraxException, TraxStatus

    sequences: dict[str, None] = {}
    while True:
        request = _next(server)
        if request.type == TraxStatus.QUIT:
            return list(sequences)
        image = request.image["color"].path()
        if request.type == TraxStatus.INITIALIZE:
            box = np.array(request.objects[0][0].bounds(), dtype=np.float64)
            follower.init(image, box)
            sequences[_sequence(image)] = None
            score = 1.0
        else:
            box, score = _checked(name, follower.update(image), image), _share(follower.score)
        try:
            server.status([(Rectangle.create(*box.tolist()), {"confidence": score})])
        except TraxException as error:
            raise _ClientGone from error


def _checked(name: str, box: Any, image: str) -> Box:
    """The box (4,); raises RunError for one that is not finite or, in TraX's 4 decimals, without area."""
    found = np.asarray(box, dtype=np.float64)
    if found.shape != (4,) or not np.isfinite(found).all() or (found[2:] < 1e-4).any():
        raise RunError(
            f"{name} returned the box {found.tolist()} on {image}, which is not finite or has no area. "
            "Mend the tracker; where it has lost the target, its last box will do."
        )
    return found


def _sequence(image: str) -> str:
    """The name of a sequence: the folder below `sequences` in the workspace, else that of the frames."""
    folders = Path(image).parent.parts
    below = [folder for above, folder in pairwise(folders) if above == "sequences"]
    return below[-1] if below else folders[-2] if folders[-1] in ("color", "img") else folders[-1]


def _manifest(tracker: str) -> Manifest | None:
    """The manifest in the tracker's folder of results, where the workspace names that folder."""
    place = os.environ.get("ROAM_RESULTS")
    return Manifest(Path(place), tracker) if place else None


def warm_up(follower: Follower) -> None:
    """One start and one step on noise, so that the first real frame is not charged for loading code."""
    image = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    follower.init(image, (130.0, 90.0, 60.0, 50.0))
    follower.update(image)


class _ClientGone(Exception):
    """The toolkit closed the pipe: nobody is left to answer."""


def _end_with_toolkit() -> None:
    """End this process soon after the other end of its input has closed, even if the tracker hangs."""
    poll = select.poll()
    poll.register(_REQUESTS, 0)  # of the hang-up only
    if any(event & select.POLLHUP for _, event in poll.poll()):
        time.sleep(_GRACE_S)
        os._exit(1)


def _explain() -> int:
    raise ConfigError("This command is started by the VOT toolkit. Try: vot test ROAM")


@contextmanager
def _private_output() -> Iterator[tuple[IO[bytes], RunError | None]]:
    """Send what is printed into a file; descriptor 1 is left to TraX.

    Yields the file, and the error where it is another one than was asked for.
    """
    name, refused = os.environ.get("ROAM_VOT_LOG"), None
    try:
        log: IO[bytes] = open(name, "a+b") if name else tempfile.TemporaryFile()  # noqa: SIM115, PTH123
    except OSError as error:
        refused = RunError(f"ROAM_VOT_LOG={name}: {error.strerror}. Name a file that can be written.")
        log = tempfile.TemporaryFile()  # noqa: SIM115
    stdout, stderr = sys.stdout, os.dup(_STDERR)
    sys.stdout.flush()
    os.dup2(log.fileno(), _STDERR)
    sys.stdout = sys.stderr
    try:
        yield log, refused
    finally:
        sys.stderr.flush()
        sys.stdout = stdout
        os.dup2(stderr, _STDERR)
        os.close(stderr)
        log.close()


@contextmanager
def _closed_stdout() -> Iterator[None]:
    """Until the protocol begins, C code that prints to descriptor 1 writes into the log, too."""
    kept = os.dup(_TRAX)
    os.dup2(_STDERR, _TRAX)
    try:
        yield
    finally:
        ctypes.CDLL(None).fflush(None)
        os.dup2(kept, _TRAX)
        os.close(kept)


def _show_failure(error: Exception, log: IO[bytes]) -> None:
    """Write the traceback and the log's end to the toolkit's pipe as whole lines."""
    sys.stderr.flush()
    log.seek(max(0, log.seek(0, os.SEEK_END) - _SHOWN))
    said = log.read().decode(errors="replace")
    text = said if isinstance(error, RoamError) else said + "".join(traceback.format_exception(error))
    lines = [*text.splitlines(), f"{type(error).__name__}: {error}"]
    # a line of the protocol begins with @@TRAX:
    whole = "".join(f"\n{line}" for line in lines if not line.startswith("@@TRAX:")) + "\n"
    with suppress(OSError):  # nobody may read any more
        os.write(_TRAX, whole.encode(errors="backslashreplace"))


def _quit(server: Any, reason: str | None) -> None:
    from trax import TraxException

    with suppress(TraxException):  # nobody may read any more
        server.quit(reason)


def _one_line(error: Exception) -> str:
    line = " ".join(f"{type(error).__name__}: {error}".split())
    return line.encode(errors="backslashreplace").decode()  # a file's name may be no Unicode


def _share(score: float) -> float:
    return float(min(max(score, 0.0), 1.0)) if np.isfinite(score) else 0.0


if __name__ == "__main__":
    raise SystemExit(main())
