"""Every error a user can meet, in one tree.

RoamError                    one sentence: the culprit, what was found, the remedy
  InputError                 what was handed in cannot be used        exit status 2
    ConfigError              a preset, a configuration file, a name
    ImageError               a frame
    BoxError                 a box
    DataError                a data set or its annotations
    ResultError              a raw result file
    WeightsError             a file of weights
  RunError                   the input was fine, the work failed      exit status 1

What no part of the program expected ends with status 1, Ctrl-C with 130, a reader of the output that went
away with 141, as other programs do.
"""

import errno
import os
import sys
from collections.abc import Callable
from contextlib import suppress


class RoamError(Exception):
    """Base of all errors that are told to the user as one sentence, without a traceback."""

    exit_status = 1


class InputError(RoamError):
    """Something that was handed in cannot be used; the message names it and the remedy."""

    exit_status = 2


class ConfigError(InputError):
    """An unknown preset, tracker or key, or a value outside its range."""


class ImageError(InputError):
    """A frame that cannot be read or has an unusable shape."""


class BoxError(InputError):
    """A box that is not four finite numbers with a positive size."""


class DataError(InputError):
    """A data set folder or an annotation file that is absent or malformed."""


class ResultError(InputError):
    """A raw result file that is absent, malformed or does not match its ground truth."""


class WeightsError(InputError):
    """A weights file that is absent, damaged or made for another configuration."""


class RunError(RoamError):
    """The work itself failed: a tracker died, results are missing, a disk is full."""


def guarded(work: Callable[[], int], *, debug: bool = False) -> int:
    """Run a command's `work`; tell an error as one sentence on stderr, return the exit status.

    debug: expected and unexpected errors are raised, with their traceback
    """
    try:
        status = work()
        sys.stdout.flush()  # a reader that went away is met here, not when the interpreter ends
        return status
    except KeyboardInterrupt:
        print("Interrupted; finished results are kept.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        with suppress(OSError, ValueError, AttributeError):  # nothing of a file behind stdout
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 141
    except Exception as error:
        if debug:
            raise
        known = error if isinstance(error, RoamError) else _of_the_system(error)
        if known is None:
            print(
                f"Unexpected {type(error).__name__}: {one_line(error)}. This is a fault of roam-tracker or "
                "of what it stands on; run it again with --debug to see where.",
                file=sys.stderr,
            )
            return 1
        print(f"{type(known).__name__}: {known}", file=sys.stderr)
        return known.exit_status


def one_line(error: BaseException) -> str:
    """An error's text without line breaks and a last full stop; its type where it has none."""
    return " ".join(str(error).split()).rstrip(".") or type(error).__name__


_REMEDIES = {
    errno.ENOSPC: "Free space or choose another folder",
    errno.EDQUOT: "Free space or choose another folder",
    errno.EACCES: "Change its rights or choose another place",
    errno.EPERM: "Change its rights or choose another place",
    errno.EROFS: "Choose a place that can be written",
    errno.ENOENT: "Give one that exists",
    errno.EMFILE: "Allow more open files: ulimit -n 4096",
}


def _of_the_system(error: Exception) -> RunError | None:
    """What the operating system refused, with the file and the remedy; None for any other error."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":  # the latter is torch's
        return RunError("There is not enough memory. End other programs, or use fewer workers.")
    if not isinstance(error, OSError) or error.errno is None:
        return None
    where = " -> ".join(os.fsdecode(name) for name in (error.filename, error.filename2) if _is_path(name))
    remedy = _REMEDIES.get(error.errno, "Mend that and run it again")
    return RunError(f"{where + ': ' if where else ''}{error.strerror}. {remedy}.")


def _is_path(name: object) -> bool:
    return isinstance(name, (str, bytes, os.PathLike))
