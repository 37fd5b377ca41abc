"""The measuring itself, in a tiny form: what is counted, never how long it took."""

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import NEEDS_BFLOAT16
from PIL import Image

from roam_tracker.commands import main
from roam_tracker.core.backbone import backbone_spec, check_shapes
from roam_tracker.core.config import load_preset
from roam_tracker.core.fast.backbone import bfloat16_on_cpu
from roam_tracker.core.geometry import overlap
from roam_tracker.errors import ConfigError
from roam_tracker.sample.render import render
from roam_tracker.selfcheck.bench import PARTS, measure, measure_batch, measure_other, plain, random_weights
from roam_tracker.toolkits.registry import StaticTracker
from roam_tracker.tracker import RoamTracker
from roam_tracker.weights.backbones import random_backbone

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def tracker():
    return RoamTracker(device="cpu")


def test_parts_add_up_to_the_frame_and_the_forwards_are_counted(tracker, moving_square):
    frames, boxes = moving_square
    crop = tracker.model.engine.crop
    found = measure(tracker, frames, boxes[0], warm_up=3)
    assert found.frames == len(frames) - 1 - 3
    assert set(found.split_ms) == set(PARTS)
    assert sum(found.split_ms.values()) == pytest.approx(found.frame_ms)
    assert found.forwards == 2  # search region, then the pyramid's three in one
    assert found.ratio == pytest.approx(found.frame_ms / found.floor_ms)
    assert found.fps == pytest.approx(1e3 / found.frame_ms)
    assert found.updating_ms is not None and found.split_ms["update"] > 0
    assert tracker.model.engine.crop is crop  # nothing stays wrapped


@pytest.mark.parametrize("precision", ["float32", pytest.param("bfloat16", marks=NEEDS_BFLOAT16)])
def test_the_fast_tracker_finds_the_boxes_of_the_plain_one(precision):
    scene = render("motion", 60)
    fast = RoamTracker(dataclasses.replace(load_preset("default"), precision=precision), "cpu")
    found = []
    for each in (fast, plain(fast)):
        each.init(scene.frames[0], scene.boxes[0])
        found.append(np.array([each.update(frame) for frame in scene.frames[1:]]))
    assert np.median(np.abs(found[0] - found[1])) < 0.5
    overlaps = [overlap(boxes, np.array(scene.boxes[1:])).mean() for boxes in found]
    assert abs(overlaps[0] - overlaps[1]) < 0.005


def test_any_tracker_is_measured_on_the_same_terms(moving_square):
    frames, boxes = moving_square
    found = measure_other(StaticTracker(), frames, boxes[0], warm_up=3, name="Static")
    assert (found.tracker, found.frames, found.floor_ms) == ("Static", len(frames) - 4, None)


def test_many_targets_at_once_are_measured_as_shares_of_a_tick(tracker, moving_square):
    frames, boxes = moving_square
    found = measure_batch(tracker, frames, boxes[0], 3, warm_up=3)
    assert (found.tracker, found.frames) == ("3 at once", len(frames) - 4)
    assert found.fps == pytest.approx(1e3 / found.frame_ms)


@pytest.mark.parametrize("preset", ["default", "roam-gru"])
def test_presets_without_weights_are_measured_with_made_ones(preset, moving_square):
    config = load_preset(preset)
    tracker = RoamTracker(config, "cpu", weights=random_weights(config))
    tracker.init(moving_square[0][0], moving_square[1][0])
    assert np.isfinite(tracker.update(moving_square[0][1])).all()


def test_a_random_backbone_has_the_shapes_of_the_real_one():
    weights = random_backbone("vgg16", torch.Generator().manual_seed(0))
    check_shapes(backbone_spec("vgg16"), weights)
    assert len(weights) == 24


def test_the_script_for_gpus_runs_through_on_a_cpu(tmp_path):
    """Its checks and tables; what it says of speed means nothing here."""
    script = Path(__file__).parents[1] / "benchmarks/gpu.py"
    argv = [sys.executable, str(script), "--device", "cpu", "--frames", "8", "--presets", "default"]
    argv += ["--batches", "2", "--out", str(tmp_path / "gpu.json")]
    one_thread = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=one_thread)
    assert done.returncode in (0, 1), done.stderr  # 1: too slow for a GPU
    written = json.loads((tmp_path / "gpu.json").read_text())
    passed = [check["passed"] for check in written["checks"] if check["what"].startswith("float32")]
    assert passed == [True, True]
    rows = {"float32", "plain", "2 at once"} | ({"bfloat16"} if bfloat16_on_cpu() else set())
    assert rows <= {row["row"] for row in written["rows"]}


def test_a_sequence_that_is_too_short_is_refused(tracker, moving_square):
    frames, boxes = moving_square
    with pytest.raises(ConfigError, match="20 frames are too few to measure after a warm-up of 30"):
        measure(tracker, frames, boxes[0], warm_up=30)


def test_the_command_prints_a_table_and_writes_json(moving_square, tmp_path, capsys):
    frames, boxes = moving_square
    (tmp_path / "s/img").mkdir(parents=True)
    for number, frame in enumerate(frames, 1):
        Image.fromarray(frame).save(tmp_path / f"s/img/{number:04d}.jpg")
    (tmp_path / "s/groundtruth_rect.txt").write_text("{},{},{},{}\n".format(*boxes[0]))
    argv = ["bench", "--sequence", str(tmp_path / "s"), "--frames", "12", "--warm-up", "2", "--device", "cpu"]
    argv += ["--other", "roam_tracker.toolkits.opencv:MIL", "--json", str(tmp_path / "b.json")]
    assert main(argv) == 0
    said = capsys.readouterr().out
    assert all(word in said for word in ("ratio", "default, plain", "MIL", "forwards a frame"))
    written = json.loads((tmp_path / "b.json").read_text())
    assert {"fps", "frame_ms", "floor_ms", "ratio", "split_ms", "peak_mib", "threads", "versions"} <= set(
        written
    )
    assert written["split_ms"]["decode"] > 0
    assert [each["tracker"] for each in written["beside"]] == ["default, plain", "MIL"]


def test_a_preset_without_weights_can_be_measured_all_the_same(capsys):
    assert main(["bench", "--preset", "paper", "--frames", "30", "--device", "cpu"]) == 2
    assert "--random-weights" in capsys.readouterr().err


def test_a_folder_without_a_sequence_is_refused(tmp_path, capsys):
    assert main(["bench", "--sequence", str(tmp_path)]) == 2
    assert "has no images or no groundtruth_rect.txt" in capsys.readouterr().err
