"""Sweeps as they are declared and run, and the manifests that runs leave."""

import dataclasses
import hashlib
import json
import shutil

import numpy as np
import pytest

from roam_tracker import provenance
from roam_tracker.commands import main
from roam_tracker.core.config import load_preset
from roam_tracker.errors import ConfigError, ResultError
from roam_tracker.recording import read_recording
from roam_tracker.report.paper.sweeps import read_sweep, sweep_names
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits.registry import TRACKERS
from roam_tracker.toolkits.run.manifest import Manifest
from roam_tracker.weights import read_weights

pytestmark = pytest.mark.slow

FRAMES = 8
STEPS = """
dataset = "folder"
record = true
setting = "update.steps"
tag = "steps"
values = [0, 1]
[[series]]
tracker = "ROAM"
preset = "default"
"""


def declared(tmp_path, text):
    (tmp_path / "mine.toml").write_text(text)
    return read_sweep(str(tmp_path / "mine.toml"))


def config_of(tmp_path, point):
    (tmp_path / "p.toml").write_text(point.preset)
    return load_preset(tmp_path / "p.toml")


# Declarations


def test_the_papers_figures_are_shipped_as_sweeps():
    assert sweep_names() == ["figure3", "figure6", "figure7", "figure8", "figure9", "figure10"]


@pytest.mark.parametrize("name", sweep_names())
def test_every_tracker_of_a_shipped_sweep_is_known_or_has_a_valid_preset(name, tmp_path):
    for point in read_sweep(name).points:
        if point.preset is None:
            assert point.tracker in TRACKERS
        else:
            config_of(tmp_path, point)


def test_figure_7_changes_the_base_object_size_and_nothing_else(tmp_path):
    default = load_preset("default")
    for point in read_sweep("figure7").points:
        config = config_of(tmp_path, point)
        assert config.search.base_object_size == point.value
        assert point.tracker == f"ROAM-B{point.value:g}"
        search = dataclasses.replace(config.search, base_object_size=default.search.base_object_size)
        assert dataclasses.replace(config, search=search) == default


def test_figure_8_compares_roam_with_sgd_at_two_rates_a_factor_of_ten_apart(tmp_path):
    sweep = read_sweep("figure8")
    roam, sgd, tenth = ([config_of(tmp_path, point) for point in series.points] for series in sweep.series)
    assert {config.optimizer.kind for config in roam} == {"lstm"}
    assert {config.optimizer.kind for config in (*sgd, *tenth)} == {"sgd"}
    for one, other in zip(sgd, tenth, strict=True):
        assert one.update.steps == other.update.steps
        np.testing.assert_allclose(np.array(one.optimizer.sgd_rates) / 10, other.optimizer.sgd_rates)


def test_a_value_with_a_point_gives_a_legal_name(tmp_path):
    sweep = declared(tmp_path, STEPS.replace("update.steps", "search.roi_scale").replace("0, 1", "4.5"))
    assert [point.tracker for point in sweep.points] == ["ROAM-steps4_5"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("record", "recrod", "did you mean 'record'"),
        ("preset", "presets", "did you mean 'preset'"),
        ('tag = "steps"', "", "setting, tag and values go together"),
        ("[0, 1]", "[1, 1]", "different numbers"),
        ("[0, 1]", '["1"]', "different numbers"),
        ("update.steps", "steps", "is no setting; write section.key"),
        ('"ROAM"', '"a/b"', "letters, digits and hyphens"),
        ('preset = "default"', "", "ROAM needs a preset to extend"),
        ('dataset = "folder"', "", "needs the key 'dataset'"),
        ("[[series]]", "[[series", "not valid TOML"),
    ],
)
def test_a_declaration_that_cannot_be_used_is_refused(tmp_path, old, new, said):
    with pytest.raises(ConfigError, match=said.replace(".", r"\.")):
        declared(tmp_path, STEPS.replace(old, new))


def test_two_series_of_one_name_are_refused(tmp_path):
    with pytest.raises(ConfigError, match="same tracker"):
        declared(tmp_path, STEPS + '[[series]]\ntracker = "ROAM"\npreset = "sgd"\n')


def test_an_unknown_sweep_is_answered_with_the_nearest_name():
    with pytest.raises(ConfigError, match="did you mean 'figure7'"):
        read_sweep("figur7")


# Runs


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """A sweep of two values, run on a sequence of eight frames: the folder of everything."""
    folder = tmp_path_factory.mktemp("swept")
    write_sample(folder / "s", frames=FRAMES, sequences=1, size=(96, 72))
    (folder / "mine.toml").write_text(STEPS)
    assert sweep(folder) == 0
    return folder


@pytest.fixture
def again(swept, tmp_path):
    """A copy, to be changed."""
    shutil.copytree(swept, tmp_path / "again")
    return tmp_path / "again"


def sweep(folder):
    argv = [str(folder / "mine.toml"), "--root", str(folder / "s/OTB"), "--results", str(folder / "results")]
    options = ["--reports", str(folder / "reports"), "--device", "cpu", "--workers", "0"]
    return main(["sweep", *argv, *options])


def boxes_of(folder, tracker):
    return folder / "results/OTB" / tracker / "motion.txt"


def manifest_of(folder, tracker):
    return json.loads((folder / "results/OTB" / tracker / "manifest.json").read_text())


def test_a_sweep_leaves_results_recordings_and_presets_by_tracker(swept):
    for steps in (0, 1):
        assert np.loadtxt(boxes_of(swept, f"ROAM-steps{steps}"), delimiter=",").shape == (FRAMES, 4)
        assert (swept / f"results/presets/ROAM-steps{steps}.toml").is_file()
        recording = read_recording(swept / f"results/recordings/OTB/ROAM-steps{steps}/motion.json")
        # the start in frame 0; with one step an update another in frame 5
        assert recording.sequences[0].frame.tolist() == [0, 5][: steps + 1]


def test_a_repeated_sweep_runs_nothing(again, capsys):
    before = boxes_of(again, "ROAM-steps1").stat().st_mtime_ns
    assert sweep(again) == 0
    assert capsys.readouterr().out.count("1 of 1 sequences finished before") == 2
    assert boxes_of(again, "ROAM-steps1").stat().st_mtime_ns == before


def test_only_what_is_missing_is_run_again(again, capsys):
    content = boxes_of(again, "ROAM-steps1").read_bytes()
    boxes_of(again, "ROAM-steps1").unlink()
    assert sweep(again) == 0
    assert capsys.readouterr().out.count("finished before") == 1
    assert boxes_of(again, "ROAM-steps1").read_bytes() == content


def test_a_missing_recording_is_made_and_the_results_stay(again, capsys):
    recording = again / "results/recordings/OTB/ROAM-steps1/motion.json"
    content, times = recording.read_bytes(), boxes_of(again, "ROAM-steps1").stat().st_mtime_ns
    recording.unlink()
    assert sweep(again) == 0
    assert capsys.readouterr().out.count("finished before") == 1
    assert recording.read_bytes() == content
    assert boxes_of(again, "ROAM-steps1").stat().st_mtime_ns == times


def test_a_setting_that_no_preset_has_is_refused_before_anything_runs(again, capsys):
    (again / "mine.toml").write_text(STEPS.replace("update.steps", "update.stpes"))
    shutil.rmtree(again / "results")
    assert sweep(again) == 2
    assert "did you mean 'steps'" in capsys.readouterr().err
    assert not (again / "results/OTB").exists()


# Manifests


def test_the_manifest_tells_settings_weights_device_versions_and_command(swept):
    manifest = manifest_of(swept, "ROAM-steps1")
    assert manifest["tracker"] == "ROAM-steps1"
    assert manifest["config"]["update"]["steps"] == 1
    assert manifest["config"]["search"]["base_object_size"] == load_preset("default").search.base_object_size
    weights = hashlib.sha256(read_weights("default")).hexdigest()
    assert manifest["weights"] == {"name": "default", "sha256": weights}
    (run,) = manifest["runs"]
    boxes = boxes_of(swept, "ROAM-steps1").read_bytes()
    known = run["sequences"]["motion"]
    assert (known["rows"], known["sha256"]) == (FRAMES, hashlib.sha256(boxes).hexdigest())
    assert list(run["sequences"]) == ["motion"] and len(known["data"]) == 64
    assert run["device"] == "cpu"
    assert (run["threads"], run["workers"], run["seed"]) == (1, 1, None)
    assert "Pillow" in run["decoder"]
    assert {"roam-tracker", "commit", "python", "torch", "numpy"} <= set(run["versions"])
    assert run["command"]
    assert run["date"].endswith("+00:00")


def test_results_made_with_other_settings_are_not_mixed_with_new_ones(again, capsys):
    path = again / "results/OTB/ROAM-steps1/manifest.json"
    size = load_preset("default").search.base_object_size
    path.write_text(path.read_text().replace(f'"base_object_size": {size}', '"base_object_size": 99.0'))
    assert sweep(again) == 2
    said = capsys.readouterr().err
    assert f"search.base_object_size was 99.0, it is {size} now" in said
    assert "Delete the folder" in said


def test_results_made_with_other_weights_are_not_mixed_with_new_ones(again):
    path = again / "results/OTB/ROAM-steps1/manifest.json"
    manifest = json.loads(path.read_text())
    manifest["weights"]["sha256"] = "0" * 64
    path.write_text(json.dumps(manifest))
    with pytest.raises(ResultError, match=r"weights were default \(SHA-256 00000000\), they are default"):
        Manifest(path.parent, str(again / "results/presets/ROAM-steps1.toml"))


def test_a_setting_that_is_younger_than_the_manifest_had_the_effect_of_its_default(again):
    path = again / "results/OTB/ROAM-steps1/manifest.json"
    manifest = json.loads(path.read_text())
    preset = str(again / "results/presets/ROAM-steps1.toml")
    del manifest["config"]["model"]["window"]  # none, as in the preset
    path.write_text(json.dumps(manifest))
    Manifest(path.parent, preset)
    del manifest["config"]["model"]["loss"]  # `masked`, unlike the preset
    path.write_text(json.dumps(manifest))
    with pytest.raises(ResultError, match=r'model\.loss was "masked", it is "energy" now'):
        Manifest(path.parent, preset)


def test_a_sequence_belongs_to_the_run_that_finished_it_last(tmp_path):
    first = Manifest(tmp_path, "Static")
    first.add("a", {}, [b"1,2,3,4\n"])
    first.add("b", {}, [b"1,2,3,4\n"])
    Manifest(tmp_path, "Static").add("a", {}, [b"1,2,3,4\n"])
    runs = json.loads((tmp_path / "manifest.json").read_text())["runs"]
    assert [list(run["sequences"]) for run in runs] == [["b"], ["a"]]


def test_two_runs_in_one_folder_do_not_lose_each_others_lines(tmp_path):
    one, two = Manifest(tmp_path, "Static"), Manifest(tmp_path, "Static")
    for index in range(3):
        one.add(f"a{index}", {}, [b"1,2,3,4\n"])
        two.add(f"b{index}", {}, [b"1,2,3,4\n"])
    runs = json.loads((tmp_path / "manifest.json").read_text())["runs"]
    assert [sorted(run["sequences"]) for run in runs] == [["a0", "a1", "a2"], ["b0", "b1", "b2"]]


def test_results_that_came_without_a_manifest_are_not_trusted(again, capsys):
    content = boxes_of(again, "ROAM-steps1").read_bytes()
    (again / "results/OTB/ROAM-steps1/manifest.json").unlink()
    assert sweep(again) == 0
    said = capsys.readouterr().out
    assert "ROAM-steps1 motion: the result found is not trusted (no manifest.json tells what made it)" in said
    assert boxes_of(again, "ROAM-steps1").read_bytes() == content
    assert manifest_of(again, "ROAM-steps1")["runs"]


def test_a_damaged_manifest_is_named(tmp_path):
    (tmp_path / "manifest.json").write_text("{}")
    with pytest.raises(ResultError, match=r"manifest\.json is no manifest"):
        Manifest(tmp_path, "Static")


def test_a_manifests_command_names_no_folder_of_the_machine(monkeypatch):
    words = ["/usr/bin/python3", "-m", "got10k.experiments", "--root", "/data/OTB", "my/own.toml"]
    monkeypatch.setattr("sys.orig_argv", words)
    assert provenance.command() == "python3 -m got10k.experiments --root OTB my/own.toml"
    words = [
        "/usr/bin/python3",
        "--root=/data/my/OTB",
        "/a folder/b c",
        "-c",
        "import sys; sys.path.insert(0, '/x/ws')",
    ]
    monkeypatch.setattr("sys.orig_argv", words)
    told = provenance.command()
    assert all(part in told for part in ("--root=OTB", "'b c'", "ws")) and "/" not in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('dataset = "OTB2015"\nsereis = []\n', "key 'sereis' is unknown; did you mean 'series'?"),
        ('dataset = "OTB2015"\nseries = [3]\n', "a series is a table"),
        ('dataset = "OTB2015"\nseries = [{tracker = "A", change = [1]}]\n', "change must be a table"),
        ('dataset = "OTB2015"\nrecord = "yes"\nseries = [{tracker = "A"}]\n', "record must be true or false"),
        ('dataset = "OTB2015"\nvalues = 3\nseries = [{tracker = "A"}]\n', "values must be a list"),
    ],
)
def test_a_sweep_with_a_wrong_key_or_value_is_refused(tmp_path, text, told):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_sweep(str(tmp_path / "mine.toml"))
    assert told in str(caught.value)


def test_a_sweep_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine.toml").write_bytes(b"\xff")
    with pytest.raises(ConfigError, match=r"mine\.toml is no TOML file in UTF-8"):
        read_sweep(str(tmp_path / "mine.toml"))


@pytest.mark.parametrize("change", [{"config": 3}, {"weights": [1]}, {"backbone": "x"}])
def test_a_manifest_with_a_value_of_another_kind_is_refused(tmp_path, change):
    content = {"format": "roam-tracker manifest 2", "tracker": "Static", "preset": None, "runs": []}
    (tmp_path / "manifest.json").write_text(json.dumps(content | change))
    with pytest.raises(ResultError, match="no manifest of this version"):
        Manifest(tmp_path, "Static")
