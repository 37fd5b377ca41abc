"""What made a file: the command, the version and commit of the package, versions of libraries."""

import platform
import re
import shlex
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from roam_tracker.version import __version__

LIBRARIES = ("torch", "numpy", "pillow", "got10k", "vot-toolkit", "vot-trax", "attributee")


def commit() -> str:
    """The commit of the checkout that runs, "+" where it has changes since; "" outside a checkout."""
    here = Path(__file__).parent

    def git(*arguments: str) -> str:
        # without locks: a run that is killed here must not leave one in the checkout
        line = ["git", "--no-optional-locks", "-C", str(here), *arguments]
        done = subprocess.run(line, capture_output=True, text=True, check=True)
        return done.stdout.strip()

    try:
        if git("ls-files", "version.py") == "":  # a checkout of something else, with us inside
            return ""
        return git("rev-parse", "HEAD") + ("+" if git("status", "--porcelain", "--", str(here)) else "")
    except (OSError, subprocess.CalledProcessError):
        return ""


def command() -> str:
    """The command line; of absolute paths only the last part, for the others lie on one machine alone."""
    return shlex.join(map(_without_folders, sys.orig_argv))


def _without_folders(word: str) -> str:
    if Path(word).is_absolute():
        return Path(word).name
    # after an equals sign or within quotes, as in --root=/data/OTB and in the code of `python -c`
    return re.sub(r"(?<=[='\"\s])/(?:[^'\"\s/]+/)*([^'\"\s/]+)", r"\1", word)


def versions() -> dict[str, str]:
    """Versions of the package, Python and the libraries results depend on."""
    known = {"roam-tracker": __version__, "commit": commit(), "python": platform.python_version()}
    for library in LIBRARIES:
        try:
            known[library] = metadata.version(library)
        except metadata.PackageNotFoundError:
            known[library] = ""
    return known


def decoder() -> str:
    """What decodes JPEG images here: Pillow and the library behind it."""
    from PIL import features

    turbo = features.version_feature("libjpeg_turbo")
    return f"Pillow {metadata.version('pillow')}, {f'libjpeg-turbo {turbo}' if turbo else 'libjpeg'}"
