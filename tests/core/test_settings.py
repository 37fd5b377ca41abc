import json

import pytest

from roam_tracker.core.config import RETIRED, RETIRED_PRESETS, TrackerConfig, load_preset, preset_names
from roam_tracker.errors import ConfigError


def write(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    return path


def test_every_shipped_preset_loads():
    assert "default" in preset_names()
    for name in preset_names():
        assert isinstance(load_preset(name), TrackerConfig)


def test_an_empty_preset_is_the_papers_numbers(tmp_path):
    config = load_preset(write(tmp_path, ""))
    assert (config.update.every_frames, config.update.samples, config.update.steps) == (5, 5, 2)
    assert (config.search.roi_scale, config.model.label_alpha, config.update.memory_frames) == (5, 20, 10)
    assert (config.model.filter_height, config.model.filter_width) == (19, 13)


def test_an_unknown_preset_names_the_nearest_one():
    with pytest.raises(ConfigError, match="did you mean 'default'"):
        load_preset("defualt")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[update]\nevery_frame = 5", "'every_frame' is unknown; did you mean 'every_frames'"),
        ("[updates]\n", "'updates' is unknown; did you mean 'update'"),
        ("[update]\nsteps = 'two'", "steps must be of type int"),
        ("[update]\nsteps = true", "steps must be of type int"),
        ("[update]\nmiss_ratio = 2.0", "must be in"),
        ("[update]\nfirst_scales = [0.8, 1.0]", "first_scales must be positive numbers, 1.0 the first"),
        ("[model]\nfilter_height = 12", "must be odd"),
        ("[model]\nloss = 'mask'", "did you mean 'masked'"),
        ("[model]\nloss = 'mean'", "'mean' is unknown"),
        ("[box]\nscales = 1.0", "scales must be a list"),
        ("[box]\nestimate = 'parabola'\nscales = [0.9, 1.0, 1.3]", "must be 1/s, 1 and s"),
        ("[box]\nestimate = 'later'", "is unknown"),
        ("update = 3", "must be a table"),
        ("[update", "not valid TOML"),
    ],
)
def test_a_wrong_setting_is_refused_by_name(tmp_path, text, told):
    with pytest.raises(ConfigError, match=told):
        load_preset(write(tmp_path, text))


@pytest.mark.parametrize("key", sorted(RETIRED))
def test_a_retired_setting_is_named_with_the_cure(tmp_path, key):
    section, name = key.split(".")
    with pytest.raises(ConfigError, match=f"'{name}' is a setting of earlier versions .* remove it"):
        load_preset(write(tmp_path, f"[{section}]\n{name} = {json.dumps(RETIRED[key])}"))


@pytest.mark.parametrize("name", RETIRED_PRESETS)
def test_a_retired_preset_is_answered_with_those_there_are(name):
    assert name not in preset_names()
    with pytest.raises(ConfigError, match=r"were removed; use one of default, "):
        load_preset(name)


def test_a_missing_preset_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"gone\.toml does not exist"):
        load_preset(tmp_path / "gone.toml")


def test_a_preset_that_extends_another_states_only_the_difference(tmp_path):
    config = load_preset(write(tmp_path, 'extends = "default"\noracle = true\n[update]\nsteps = 1'))
    default = load_preset("default")
    assert config.update.steps == 1 and config.oracle
    assert config.update.guard_halvings == default.update.guard_halvings and config.model == default.model


def test_a_preset_that_extends_itself_is_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(f'extends = "{path}"')
    with pytest.raises(ConfigError, match="extends itself"):
        load_preset(path)
