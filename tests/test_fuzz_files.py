"""Whatever a file holds: it is read, or refused by an InputError of one line that names it."""

import io
import json
import shutil
import zipfile
import zlib
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from fuzz import cases, damaged, damaged_text, refused_or
from hypothesis import given
from hypothesis import strategies as st

from roam_tracker.core.config import TrackerConfig, load_preset
from roam_tracker.datasets.text import read_boxes as read_annotation
from roam_tracker.errors import ConfigError, DataError, ResultError
from roam_tracker.recording import read_recording
from roam_tracker.report.paper.sweeps import read_sweep
from roam_tracker.report.read.archives import Archives
from roam_tracker.report.read.results import read_result, read_times
from roam_tracker.report.read.vot import read_trajectory
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits.got10k.settings import RunSettings, read_settings
from roam_tracker.toolkits.run.manifest import Manifest
from roam_tracker.toolkits.vot.workspace import init_workspace

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")


# Results and annotations

ROWS = "10,20,30,40\n11.5,21.25,30,40\n1e1,2e1,3e1,4e1\n12,22,30,40\n"


@cases(250)
@given(content=damaged_text(ROWS) | st.binary(max_size=80))
def test_result_files(folder, content):
    path = folder / "a.txt"
    path.write_bytes(content)
    boxes = refused_or(lambda: read_result(path, np.zeros(4))[0], ResultError)
    assert boxes is None or (boxes.ndim == 2 and boxes.shape[1] == 4 and not np.isinf(boxes).any())
    times = refused_or(lambda: read_times(path, 4, 4), ResultError)
    assert times is None or (times.shape == (16,) and not np.isinf(times).any())


@cases(250)
@given(content=damaged_text(ROWS) | damaged_text("1,2,3,4,5,6,7,8\n1,2,3,4\n") | st.binary(max_size=80))
def test_annotations(folder, content):
    path = folder / "groundtruth.txt"
    path.write_bytes(content)
    for polygons in (False, True):
        boxes = refused_or(lambda polygons=polygons: read_annotation(path, polygons=polygons))
        if boxes is not None:
            assert boxes.ndim == 2 and boxes.shape[1] == 4
            assert not np.isinf(boxes).any()


BINARY = bytes.fromhex("0100 05000000 00 01000000") + b"".join(
    [
        b"\x01" + np.array([1, 2, 3, 4], "<f4").tobytes(),
        b"\x02\x03\x00" + np.arange(6, dtype="<f4").tobytes(),
        b"\x00\x02\x00\x00\x00",
        b"\x01" + np.array([9, 8, 7, 6], "<f4").tobytes(),
    ]
)


@cases(250)
@given(content=damaged(BINARY) | st.binary(max_size=60), text=damaged_text("1\n1,2,3,4\n0\n1,2,3,4,5,6\n2\n"))
@pytest.mark.filterwarnings("ignore:overflow")
def test_trajectories(folder, content, text):
    (folder / "a.bin").write_bytes(content)
    (folder / "a.txt").write_bytes(text)
    for name in ("a.bin", "a.txt"):
        found = refused_or(lambda name=name: read_trajectory(folder / name), ResultError)
        if found is not None:
            codes, regions = found
            assert len(codes) == len(regions) > 0 and set(codes) <= {0, 1, 2, 3}


# Configurations

values = st.recursive(
    st.integers(-5, 10**12) | st.floats(allow_nan=True) | st.booleans() | st.text(max_size=8),
    lambda part: st.lists(part, max_size=3) | st.dictionaries(st.text("abc_.", min_size=1, max_size=4), part,
                                                              max_size=3),
    max_leaves=4,
)  # fmt: skip


def toml(value):
    """A value of TOML, which JSON writes alike but for tables and what is no number."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {toml(part)}" for key, part in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    return json.dumps(value).replace("\x7f", "")


PRESETS = [path.read_text() for path in sorted((ROOT / "roam_tracker/presets").glob("*.toml"))]
CONFIGS = sorted((ROOT / "toolkit_configs").glob("*.toml"))
SETTINGS = [path.read_text() for path in CONFIGS if not path.name.startswith("figure")]
SWEEPS = [path.read_text() for path in CONFIGS if path.name.startswith("figure")]
PRESET_KEYS = {"extends", "weights", "oracle", "search", "model", "optimizer", "update", "boks"}


def texts(samples, keys):
    """Shipped files with damage, or with a key of a random value."""
    line = st.builds(lambda key, value: f"{key} = {toml(value)}\n", st.sampled_from(sorted(keys)), values)
    whole = st.sampled_from(samples)
    return whole.flatmap(damaged_text) | st.builds(lambda text, new: (new + text).encode(), whole, line)


@pytest.mark.filterwarnings("ignore")
@cases(200)
@given(content=texts(PRESETS, PRESET_KEYS))
def test_presets(folder, content):
    content = content.decode(errors="replace").encode()  # see test_known_faults.py
    (folder / "mine.toml").write_bytes(content)
    config = refused_or(lambda: load_preset(str(folder / "mine.toml")), ConfigError)
    assert config is None or isinstance(config, TrackerConfig)


SETTING_KEYS = {*RunSettings.__dataclass_fields__, "extends", "datset"}


@cases(250)
@given(content=texts([*SETTINGS, 'extends = "OTB2015"\nworkers = 2\n'], SETTING_KEYS))
def test_settings_of_runs(folder, content):
    (folder / "mine.toml").write_bytes(content)
    found = refused_or(lambda: read_settings(str(folder / "mine.toml")), ConfigError)
    if found is not None:
        assert all(isinstance(name, str) for name in (*found.tracker, *found.sequences))
        assert type(found.workers) is type(found.threads) is type(found.retries) is int


@cases(250)
@given(content=texts(SWEEPS, {"dataset", "record", "setting", "tag", "values", "series", "valuse"}))
def test_sweeps(folder, content):
    (folder / "figure.toml").write_bytes(content)
    sweep = refused_or(lambda: read_sweep(str(folder / "figure.toml")), ConfigError)
    assert sweep is None or all(isinstance(point.tracker, str) for point in sweep.points)


YAMLS = [path.read_text() for path in sorted((ROOT / "toolkit_configs").glob("*.yaml"))]
KEYS = ["stack", "sequences", "registry", "experiments", "title", "stak", "report"]


@pytest.fixture(scope="module")
def sequences(folder):
    write_sample(folder / "sample", frames=2, sequences=1, size=(96, 72))
    return folder / "sample/VOT"


@cases(150)
@given(
    content=st.sampled_from(YAMLS).flatmap(damaged_text)
    | st.builds(
        lambda text, key, value: f"{text}\n{key}: {json.dumps(value)}\n".encode(),
        st.sampled_from(["", *YAMLS]),
        st.sampled_from(KEYS),
        values | st.dictionaries(st.sampled_from(["baseline", "type"]), values),
    )
)
def test_workspace_configurations(folder, sequences, content):
    (folder / "mine.yaml").write_bytes(content)
    made = refused_or(lambda: init_workspace(folder / "w", sequences, str(folder / "mine.yaml"), anchors=1))
    assert (folder / "w/config.yaml").is_file() == bool(made)
    shutil.rmtree(folder / "w", ignore_errors=True)


RUN = {"id": "ab", "sequences": {"Deer": {"rows": 3, "sha256": "ab"}, "Fox": None}}
MANIFEST = {"format": "roam-tracker manifest 2", "tracker": "Static", "preset": None, "runs": [RUN]}
changes = st.dictionaries(
    st.sampled_from(["format", "tracker", "runs", "config", "weights", "backbone"]), values, max_size=2
)


@cases(200)
@given(
    content=damaged_text(json.dumps(MANIFEST))
    | st.builds(lambda change: json.dumps({**MANIFEST, **change}).encode(), changes)
)
def test_manifests(folder, content):
    (folder / "manifest.json").write_bytes(content)
    found = refused_or(lambda: Manifest(folder, "Static"), ResultError)
    if found is not None:
        found.doubt("Deer", [b"1,2,3,4\n"])


@cases(150)
@given(content=damaged_text('{"format": "roam-tracker recording 1", "groups": 4, "sequences": []}'))
def test_recordings(folder, content):
    (folder / "a.json").write_bytes(content)
    refused_or(lambda: read_recording(folder / "a.json"))


# Archives


def _zip():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ROAM/Deer.txt", ROWS * 20)
        archive.writestr("ROAM/Fox.txt", ROWS)
    return buffer.getvalue()


@cases(200)
@given(content=damaged(_zip()))
@pytest.mark.filterwarnings("ignore")
def test_damaged_archives(folder, content):
    (folder / "a.zip").write_bytes(content)
    with Archives() as archives, suppress(zlib.error, IndexError):  # see test_known_faults.py
        refused_or(lambda: archives.folder(folder / "a.zip", ResultError), ResultError)


part = st.sampled_from(["..", ".", "", "a", "ROAM", "C:", "~", "a\\b", "..\\x", "é", " ", "a" * 300])


@cases(200)
@given(names=st.lists(st.lists(part, min_size=1, max_size=5), min_size=1, max_size=3), link=st.booleans())
@pytest.mark.filterwarnings("ignore")
def test_members_of_any_name_stay_in_their_folder(folder, names, link):
    with zipfile.ZipFile(folder / "b.zip", "w") as archive:
        for parts in names:
            info = zipfile.ZipInfo("/".join(parts) + ".txt")
            info.external_attr = (0o120777 if link else 0o644) << 16
            archive.writestr(info, "/etc/hostname")
    before = sorted(folder.rglob("*"))
    with Archives() as archives:
        found = refused_or(lambda: archives.folder(folder / "b.zip", DataError), DataError)
        if found is not None:
            for path in found.rglob("*"):
                assert not path.is_symlink() and found.resolve() in path.resolve().parents
                assert ".." not in PurePosixPath(path).parts
    assert sorted(folder.rglob("*")) == before
