"""What is released: the source distribution, and the wheel that is built from it."""

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from roam_tracker.version import __version__

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
DATA = ("presets/*.toml", "weights/*.safetensors", "weights/SHA256SUMS", "weights/*.csv", "weights/LICENSE*")
DATA += ("report/*.csv", "report/page.*")


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with both, made from a copy of the checkout in which nothing was built before."""
    copy, out = tmp_path_factory.mktemp("checkout") / "roam", tmp_path_factory.mktemp("dist")
    left_out = shutil.ignore_patterns(
        ".venv", "build", "dist", "site", "*.egg-info", "quoted", ".git", ".*_cache"
    )
    shutil.copytree(ROOT, copy, ignore=left_out)
    argv = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(copy)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return out


@pytest.fixture(scope="module")
def wheel(built):
    with zipfile.ZipFile(built / f"roam_tracker-{__version__}-py3-none-any.whl") as archive:
        return set(archive.namelist())


def test_the_wheel_has_every_module_and_what_they_read(wheel):
    package = ROOT / "roam_tracker"
    expected = {path for pattern in ("*.py", "py.typed") for path in package.rglob(pattern)}
    expected |= {path for pattern in DATA for path in package.glob(pattern)}
    expected = {str(path.relative_to(ROOT)) for path in expected}
    configs = ROOT / "toolkit_configs"
    expected |= {f"roam_tracker/toolkit_configs/{path.name}" for path in configs.iterdir() if path.is_file()}
    assert expected <= wheel
    assert "got10k/experiments/__main__.py" in wheel


def test_the_wheel_has_nothing_else_but_its_metadata(wheel):
    metadata = f"roam_tracker-{__version__}.dist-info/"
    tops = {name.partition("/")[0] for name in wheel if not name.startswith(metadata)}
    assert tops == {"roam_tracker", "got10k"}
    assert {
        metadata + "licenses/LICENSE",
        metadata + "licenses/roam_tracker/weights/LICENSE-Apache-2.0.txt",
    } <= wheel
    assert not any(name.endswith((".pyc", ".toml~")) or "/tests/" in name for name in wheel)


def test_the_source_distribution_has_all_that_a_change_needs(built):
    top = f"roam_tracker-{__version__}"
    with tarfile.open(built / f"{top}.tar.gz") as archive:
        names = {name.removeprefix(f"{top}/") for name in archive.getnames()}
    for folder in ("tests", "docs", "build_backend", "toolkit_configs", "benchmarks", "roam_tracker"):
        there = [
            path for path in (ROOT / folder).rglob("*") if path.is_file() and "__pycache__" not in path.parts
        ]
        assert {str(path.relative_to(ROOT)) for path in there} <= names
    tops = {
        path.name for path in ROOT.iterdir() if path.is_file() and path.name not in (".gitignore", ".git")
    }
    assert tops <= names
    assert not any(name.startswith(("results/quoted", "site", ".venv", "dist")) for name in names)
