import os
import shutil
import subprocess
from pathlib import Path

import pytest

from roam_tracker import provenance

CHECKOUT = Path(provenance.__file__).parents[1]


@pytest.mark.skipif(
    not (CHECKOUT / ".git").exists() or shutil.which("git") is None,
    reason="the package is no git checkout here",
)
def test_the_commit_is_asked_for_without_writing_to_the_checkout(tmp_path, monkeypatch):
    """A run killed while git refreshes its index would leave a lock that stops the next commit."""
    copy = tmp_path / "copy"
    subprocess.run(["git", "clone", "-q", str(CHECKOUT), str(copy)], check=True)
    monkeypatch.setattr(provenance, "__file__", str(copy / "roam_tracker/provenance.py"))
    index = copy / ".git/index"
    for file in (copy / "roam_tracker").glob("*.py"):
        os.utime(file, (1, 1))  # what makes git want to refresh it
    before = index.read_bytes()
    found = provenance.commit()
    assert len(found) == 40 and index.read_bytes() == before
    subprocess.run(["git", "-C", str(copy), "status", "--porcelain"], check=True, capture_output=True)
    assert index.read_bytes() != before  # an ordinary look does write
