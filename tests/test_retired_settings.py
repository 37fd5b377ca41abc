"""Results made before a setting was retired are continued if they had its default, and refused if not."""

import json

import pytest

from roam_tracker.errors import ResultError
from roam_tracker.toolkits.run.manifest import Manifest


def old_folder(folder, section, key, value):
    """A folder with a result of the preset `sgd` whose manifest still names a retired setting."""
    Manifest(folder, "SGD").add("Deer", {"device": "cpu"}, [b"1,2,3,4\n"])
    path = folder / "manifest.json"
    content = json.loads(path.read_text())
    content["config"][section][key] = value
    path.write_text(json.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("section", "key", "value"),
    [("box", "filter_share", 0.0), ("model", "box_branch", False), ("update", "first_ratios", [1.0])],
)
def test_results_that_had_a_retired_settings_default_are_trusted(tmp_path, section, key, value):
    assert Manifest(old_folder(tmp_path, section, key, value), "SGD").doubt("Deer", [b"1,2,3,4\n"]) == ""


def test_results_that_had_another_value_are_refused_by_its_name(tmp_path):
    folder = old_folder(tmp_path, "box", "filter_share", 0.5)
    with pytest.raises(ResultError, match=r"box\.filter_share was 0\.5, a setting that has been retired"):
        Manifest(folder, "SGD")
