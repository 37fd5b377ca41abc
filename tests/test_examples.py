"""The example in one file is the method: it finds the reference's boxes."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from small import follow, model_of, preset

from roam_tracker.sample.render import render

FILE = Path(__file__).parents[1] / "examples/roam_minimal.py"


@pytest.fixture(scope="module")
def minimal():
    spec = importlib.util.spec_from_file_location("roam_minimal", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.slow
@pytest.mark.parametrize("name", ["motion", "scale", "occlusion"])
def test_the_minimal_tracker_finds_the_boxes_of_the_reference(minimal, name):
    scene = render(name, 21)
    expected, state = follow(model_of(preset(), "reference"), scene.frames, scene.boxes[0])
    frames = [torch.from_numpy(frame) for frame in scene.frames]
    target = minimal.start(frames[0], *(float(value) for value in scene.boxes[0]))
    found = np.array([minimal.update(target, frame) for frame in frames[1:]])
    np.testing.assert_allclose(found, expected[:, :4], atol=1e-2)
    torch.testing.assert_close(target.theta, state.theta, atol=1e-4, rtol=1e-2)


def test_the_minimal_tracker_prints_a_row_for_each_image_of_a_folder(
    minimal, moving_square, tmp_path, capsys
):
    for number, frame in enumerate(moving_square[0][:3]):
        Image.fromarray(frame).save(tmp_path / f"{number}.png")
    minimal.main(str(tmp_path), "40,50,32,32")
    rows = [[float(value) for value in row.split(",")] for row in capsys.readouterr().out.splitlines()]
    assert rows[0] == [40, 50, 32, 32] and len(rows) == 3
    assert rows[2][0] == pytest.approx(48, abs=4)  # the square moves by 4 px in each frame


def test_the_minimal_tracker_fits_into_a_few_screens():
    assert len(FILE.read_text().splitlines()) <= 260
