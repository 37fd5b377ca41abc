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
"""

import sys
from collections.abc import Callable


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
    """Run a command's `work`; tell an expected error as one sentence on stderr, return the exit status."""
    try:
        return work()
    except RoamError as error:
        if debug:
            raise
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        print("Interrupted; finished results are kept.", file=sys.stderr)
        return 130
