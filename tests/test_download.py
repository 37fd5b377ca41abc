"""Downloads: https alone, the right file or none, and the rest of it after a break."""

import hashlib
import os

import pytest
from web import running

from roam_tracker.errors import RunError
from roam_tracker.weights import download as module
from roam_tracker.weights.download import download

CONTENT = os.urandom(300_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def web(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with running() as site:
        site.files["a.pth"] = CONTENT
        yield site


def fetch(web, file, sha256=DIGEST, **options):
    download(web.url("a.pth"), file, sha256, schemes=("http",), **options)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("digits", [64, 8])
def test_a_file_is_fetched_whole_and_checked(web, tmp_path, digits):
    fetch(web, tmp_path / "deep/a.pth", DIGEST[:digits])
    assert (tmp_path / "deep/a.pth").read_bytes() == CONTENT
    assert names(tmp_path / "deep") == ["a.pth"]


def test_progress_is_told_in_megabytes(web, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_TOLD_S", 0)
    lines = []
    fetch(web, tmp_path / "a", progress=lines.append)
    assert lines[-1] == "0 of 0 MB"


def test_after_a_break_the_next_call_asks_for_the_rest_alone(web, tmp_path):
    web.faults = ["break"]
    with pytest.raises(RunError, match=r"broke off after 150000 of 300000 bytes, which are kept"):
        fetch(web, tmp_path / "a")
    assert names(tmp_path) == ["a.part"]
    fetch(web, tmp_path / "a")
    assert web.asked[1:] == [("a.pth", "bytes=150000-")]
    assert (tmp_path / "a").read_bytes() == CONTENT
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("fault", ["no ranges", "other range"])
def test_a_server_that_sends_another_range_than_asked_for_starts_again(web, tmp_path, fault):
    (tmp_path / "a.part").write_bytes(CONTENT[:1000])
    web.faults = [fault]
    fetch(web, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_part_that_is_whole_already_is_taken(web, tmp_path):
    (tmp_path / "a.part").write_bytes(CONTENT)
    fetch(web, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


@pytest.mark.parametrize("part", [b"of another file", CONTENT + b"and more"])
def test_a_part_of_another_file_is_thrown_away(web, tmp_path, part):
    (tmp_path / "a.part").write_bytes(part)
    fetch(web, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_another_file_is_refused_and_nothing_is_kept(web, tmp_path):
    (tmp_path / "a").write_bytes(b"the old one")
    with pytest.raises(RunError, match=r"SHA-256 begins with .*, not with 00000000\. Nothing was kept"):
        fetch(web, tmp_path / "a", "0" * 64)
    assert names(tmp_path) == ["a"] and (tmp_path / "a").read_bytes() == b"the old one"


def test_a_file_without_a_known_length_is_judged_by_its_hash(web, tmp_path):
    web.faults = ["no length"]
    fetch(web, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_a_file_that_does_not_end_is_given_up(web, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST", 1 << 10)
    with pytest.raises(RunError, match="longer than"):
        fetch(web, tmp_path / "a")


@pytest.mark.parametrize("address", ["http://x/a", "ftp://x/a", "file:///etc/hostname", "data:,x", "x"])
def test_other_schemes_than_https_are_refused(address, tmp_path):
    with pytest.raises(RunError, match="is not https"):
        download(address, tmp_path / "a", DIGEST)
    assert names(tmp_path) == []


@pytest.mark.parametrize("target", ["https://127.0.0.1:1/a", "ftp://127.0.0.1/a", "file:///etc/hostname"])
def test_a_redirection_to_another_scheme_is_refused(web, tmp_path, target):
    web.faults = [target]
    with pytest.raises(RunError, match=r"is not http|not allowed"):
        fetch(web, tmp_path / "a")


def test_a_redirection_within_the_scheme_is_followed(web, tmp_path):
    web.files["b.pth"] = CONTENT
    web.files["a.pth"] = b""
    web.faults = [web.url("b.pth")]
    fetch(web, tmp_path / "a")
    assert (tmp_path / "a").read_bytes() == CONTENT


def test_what_the_server_and_the_disk_refuse_is_one_sentence(web, tmp_path):
    web.faults = ["error"]
    with pytest.raises(RunError, match=r"a\.pth could not be fetched to .*Service Unavailable"):
        fetch(web, tmp_path / "a")
    with pytest.raises(RunError, match=r"b\.pth could not be fetched .*Not Found"):
        download(web.url("b.pth"), tmp_path / "a", DIGEST, schemes=("http",))
    with pytest.raises(RunError, match="refused"):
        download("http://127.0.0.1:1/a", tmp_path / "a", DIGEST, schemes=("http",))
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match=r"could not be fetched to .*file/a \((Not a directory|File exists)"):
        fetch(web, tmp_path / "file/a")
