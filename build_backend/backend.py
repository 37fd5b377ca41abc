"""Build roam-tracker with setuptools, then add `got10k/experiments/__main__.py` to the wheel.

`python -m got10k.experiments` needs that file inside the got10k package, which setuptools cannot
place there for an editable install. So the finished wheel, plain or editable, gets it added,
together with its line in RECORD; pip then removes it with our package and leaves got10k intact.
"""

import base64
import hashlib
import zipfile
from pathlib import Path

from setuptools import build_meta
from setuptools.build_meta import *  # noqa: F403  (every other hook is setuptools' own)

SHIM_PATH = "got10k/experiments/__main__.py"
SHIM = b'''"""`python -m got10k.experiments`, installed by roam-tracker."""

from roam_tracker.toolkits.experiments import main

if __name__ == "__main__":
    raise SystemExit(main())
'''


def build_wheel(wheel_directory, config_settings=None, metadata_directory=None):
    """Build an ordinary wheel with the shim in it (PEP 517)."""
    name = build_meta.build_wheel(wheel_directory, config_settings, metadata_directory)
    _add_shim(Path(wheel_directory, name))
    return name


def build_editable(wheel_directory, config_settings=None, metadata_directory=None):
    """Build an editable wheel with the shim in it (PEP 660)."""
    name = build_meta.build_editable(wheel_directory, config_settings, metadata_directory)
    _add_shim(Path(wheel_directory, name))
    return name


def _add_shim(wheel: Path) -> None:
    digest = base64.urlsafe_b64encode(hashlib.sha256(SHIM).digest()).rstrip(b"=").decode()
    line = f"{SHIM_PATH},sha256={digest},{len(SHIM)}\n".encode()
    with zipfile.ZipFile(wheel) as archive:
        members = [(info, archive.read(info)) for info in archive.infolist()]
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SHIM_PATH, SHIM)
        for info, content in members:
            archive.writestr(info, content + line if info.filename.endswith(".dist-info/RECORD") else content)
