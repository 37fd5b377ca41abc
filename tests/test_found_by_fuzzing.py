"""Damaged files and texts that fuzzing found on their way into the core and the report."""

import io
import zipfile

import pytest

from roam_tracker.core.config import load_preset
from roam_tracker.core.geometry import check_box
from roam_tracker.errors import BoxError, ConfigError, ResultError
from roam_tracker.report.read.archives import Archives


def test_a_preset_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\x80")
    with pytest.raises(ConfigError, match=r"mine\.toml"):
        load_preset(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("box", ["1234", b"1234"])
def test_a_text_is_no_box(box):
    with pytest.raises(BoxError):
        check_box(box)


def _zip(name, content=b"1,2,3,4\n" * 50):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return bytearray(buffer.getvalue())


def test_an_archive_with_damaged_content_is_refused(tmp_path):
    content = _zip("ROAM/Deer.txt")
    start = 30 + len("ROAM/Deer.txt")
    content[start : start + 4] = b"\xff" * 4
    (tmp_path / "a.zip").write_bytes(content)
    with Archives() as archives, pytest.raises(ResultError, match=r"a\.zip cannot be unpacked"):
        archives.folder(tmp_path / "a.zip", ResultError)


def test_an_archive_with_a_member_without_a_name_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(_zip("x.txt").replace(b"x.txt", b"\0.txt"))
    with Archives() as archives, pytest.raises(ResultError):
        archives.folder(tmp_path / "a.zip", ResultError)


def test_an_archive_with_a_name_in_no_known_code_is_refused(tmp_path):
    content = _zip("ROAM/D\u00e9er.txt")
    content[30 + len("ROAM/D")] = 0xFF  # in the member's own head, not in the list at the end
    (tmp_path / "a.zip").write_bytes(content)
    with Archives() as archives, pytest.raises(ResultError):
        archives.folder(tmp_path / "a.zip", ResultError)
