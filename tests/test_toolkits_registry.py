"""The registry, and what is installed beside the package's code."""

import configparser
import importlib.resources
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from roam_tracker.commands import main
from roam_tracker.core.config import load_preset
from roam_tracker.errors import BoxError, ConfigError, WeightsError
from roam_tracker.toolkits import registry
from roam_tracker.toolkits.got10k.settings import read_settings
from roam_tracker.toolkits.registry import TRACKERS, create, label, trackers_ini
from roam_tracker.toolkits.run.manifest import device_of

ROOT = Path(__file__).parents[1]


def test_the_static_tracker_returns_the_first_box_for_ever():
    tracker = create("Static")
    tracker.init("no image is looked at", (3, 4, 5, 6))
    tracker.update("next")[0] = 99  # what the caller does to a result must not reach the tracker
    assert tracker.update("next").tolist() == [3, 4, 5, 6]
    assert tracker.score == 1


def test_the_static_tracker_refuses_a_box_without_area():
    with pytest.raises(BoxError):
        create("Static").init("image", (3, 4, 0, 6))


def test_an_unknown_tracker_is_answered_with_the_nearest_name():
    with pytest.raises(ConfigError, match=r"'ROAN'.*'ROAM'"):
        create("ROAN")


def test_the_registry_of_the_vot_toolkit_lists_exactly_our_trackers():
    assert (ROOT / "trackers.ini").read_text() == trackers_ini()
    parser = configparser.ConfigParser()  # with interpolation, as the toolkit reads it
    parser.read_string(trackers_ini())
    assert parser.sections() == list(TRACKERS)
    assert all("main(['" + name + "'])" in parser[name]["command"] for name in TRACKERS)


def test_the_registry_can_be_had_without_a_checkout(capsys):
    assert main(["workspace", "registry"]) == 0
    assert capsys.readouterr().out == trackers_ini()


def test_the_papers_trackers_have_their_names_and_presets():
    figure_6 = {
        "ROAM",
        "SGD",
        "ROAM-wo-RFS",
        "SGD-Oracle",
        "ROAM-Oracle",
        "ROAM-GRU",
        "ROAM-FC",
        "ROAM-ConstLR",
    }
    assert set(TRACKERS) == figure_6 | {"MetaTracker", "ROAM-VGG", "Static"}
    for name, preset in registry._VARIANTS.items():
        assert load_preset(preset).oracle == name.endswith("-Oracle")


def test_every_tracker_has_a_name_that_the_vot_toolkit_takes():
    # it refuses an identifier with other characters than these
    assert all(re.fullmatch("[a-zA-Z0-9_-]+", name) for name in TRACKERS)


def test_a_tracker_whose_weights_do_not_come_with_the_package_says_so(tmp_path):
    mine = tmp_path / "mine.toml"
    mine.write_text('weights = "gone"')
    with pytest.raises(WeightsError, match=r"No weights named 'gone' come with roam-tracker\. Train some"):
        create(str(mine), "cpu")


@pytest.mark.parametrize(("threads", "said"), [({}, 1), ({"threads": 2}, 2), ({"threads": 0}, 3)])
@pytest.mark.parametrize("tracker", ["ROAM", "SGD-Oracle"])
def test_a_manifest_says_with_how_many_threads_the_tracker_computes(tracker, threads, said):
    torch.set_num_threads(3)
    try:
        assert device_of(create(tracker, "cpu", **threads))["threads"] == said
    finally:
        torch.set_num_threads(1)


def test_neither_torch_nor_a_toolkit_is_imported_for_the_static_tracker():
    code = (
        "import sys; from roam_tracker.toolkits import experiments, registry, vot\n"
        "registry.create('Static')\n"
        "sys.exit(sum(name in sys.modules for name in ('torch', 'got10k', 'vot', 'trax')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_the_workspace_configurations_are_installed_with_the_package():
    names = {file.name for file in importlib.resources.files("roam_tracker.toolkit_configs").iterdir()}
    assert {"vot2016.yaml", "vot2017.yaml", "short.yaml"} <= names


def test_every_package_of_the_source_is_named_in_setup_cfg():
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg")
    named = set(parser["options"]["packages"].split())
    there = {
        ".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "roam_tracker").rglob("__init__.py")
    }
    assert there | {"roam_tracker.toolkit_configs"} == named


def test_a_preset_file_is_a_tracker_named_after_the_file(tmp_path):
    mine = tmp_path / "quick.toml"
    mine.write_text('weights = "default"')
    assert label(str(mine)) == "quick"
    mine.write_text("[update]\nstep = 2")
    with pytest.raises(ConfigError, match="'step' is unknown; did you mean 'steps'"):
        label(str(mine))
    (tmp_path / "ROAM.toml").write_text("")
    with pytest.raises(ConfigError, match="Rename the file"):
        label(str(tmp_path / "ROAM.toml"))
    with pytest.raises(ConfigError, match=r"gone\.toml does not exist"):
        label("gone.toml")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('extends = "OTB2015"\nworker = 2\n', "key 'worker' is unknown; did you mean 'workers'?"),
        ('extends = "OTB2015"\ntracker = 5\n', "tracker = 5 is no list of names"),
        ('extends = "OTB2015"\nsequences = ["Deer", 5]\n', "sequences = ['Deer', 5] is no list of names"),
        ('extends = "OTB2015"\nworkers = true\n', "workers = True is no whole number"),
        ('extends = "OTB2015"\nversion = []\n', "version = [] is no text or whole number"),
    ],
)
def test_settings_with_a_wrong_key_or_value_are_refused(tmp_path, text, told):
    (tmp_path / "mine.toml").write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_settings(str(tmp_path / "mine.toml"))
    assert told in str(caught.value)
