"""The box head: windows, masks, what it learns, and what is followed of it."""

import math

import numpy as np
import pytest
import torch
from PIL import Image
from small import follow, model_of, preset

from roam_tracker.commands import main
from roam_tracker.core import box_head
from roam_tracker.core.config import BoxConfig
from roam_tracker.core.tracking import Model
from roam_tracker.errors import ConfigError, WeightsError
from roam_tracker.sample.render import render
from roam_tracker.training.box_head import (
    HeadTraining,
    Pairs,
    corrected,
    overlaps,
    scores,
    train_head,
    wanted,
)
from roam_tracker.weights import load_weights


def test_a_window_holds_the_cells_around_the_place_and_stays_on_the_map():
    columns = torch.arange(30.0).expand(30, 30)
    features = torch.stack([columns, columns.T])[None].expand(3, -1, -1, -1)
    places = torch.tensor([[14.5, 14.5], [14.2, 20.9], [1.0, 29.0]])
    windows, off = box_head.window(features, places)
    assert windows[:, 0, 0, 0].tolist() == [7, 7, 0]  # 14.5 - 7.5; 6.7 to 7; held at the border
    assert windows[:, 1, 0, 0].tolist() == [7, 13, 14]
    torch.testing.assert_close(off, torch.tensor([[0.0, 0.0], [-0.3, 0.4], [-6.5, 7.5]]))


def test_what_is_followed_of_an_answer():
    config = BoxConfig(head="x", head_place=0.5, head_size=0.2, head_aspect=0.4)
    right, down, wider, higher = box_head.followed(config, (0.2, -0.4, 0.3, -0.1))
    assert (right, down) == (0.1, -0.2)
    assert wider == pytest.approx(math.exp(0.02 + 0.08))
    assert higher == pytest.approx(math.exp(0.02 - 0.08))


def test_an_answer_turns_the_believed_box_into_the_true_one():
    believed, true = torch.tensor([[0.5, -1.0, 6.0, 4.0]]), torch.tensor([[-0.4, 0.3, 5.0, 7.0]])
    torch.testing.assert_close(corrected(believed, wanted(believed, true)), true)
    assert float(overlaps(true, true)) == 1
    # 2 x 2 shared of 4 + 16 - 4
    assert float(overlaps(torch.tensor([[0, 0, 2.0, 2.0]]), torch.tensor([[0, 0, 4.0, 4.0]]))) == 0.25


def test_a_head_learns_where_a_square_lies():
    rng, features = torch.Generator().manual_seed(0), torch.zeros(64, 2, 16, 16)
    place = 3 * torch.rand(64, 2, generator=rng) - 1.5
    cells = torch.arange(16.0) - 7.5
    inside = (cells - place[..., None]).abs() < 3
    features[:, 0] = (inside[:, 1, :, None] & inside[:, 0, None, :]).float()
    believed = torch.cat([torch.zeros(64, 2), torch.full((64, 2), 6.0)], 1)
    first = torch.zeros(1, 2, 16, 16)
    first[:, 0, 5:11, 5:11] = 1
    of, sizes = torch.zeros(64, dtype=torch.int64), torch.tensor([[6.0, 6.0]])
    pairs = Pairs(first, sizes, of, features, believed, torch.cat([place, believed[:, 2:]], 1))
    before, after = scores(train_head(pairs, HeadTraining(iterations=60, batch=32), print), pairs)
    assert before < 0.7 < 0.85 < after


def test_roam_head_changes_width_and_height_apart_and_default_does_not():
    scene = render("motion", 12, 3)
    for name, apart in (("default", False), ("roam-head", True)):
        rows, _ = follow(model_of(preset(name)), scene.frames, scene.boxes[0])
        ratios = rows[:, 2] / rows[:, 3]
        assert bool(np.ptp(ratios) > 1e-3) is apart


def test_a_head_that_does_not_fit_is_refused():
    config = preset("roam-head")
    with pytest.raises(WeightsError, match=r"have no head\.look\.weight"):
        Model(config, load_weights("default"), torch.device("cpu"))
    with pytest.raises(ConfigError, match="at least 16 cells"):
        model_of(preset("roam-head", search={"base_object_size": 20.0}))


def test_train_head_writes_a_head_that_a_preset_can_name(tmp_path, capsys):
    scene = render("motion", 8, 1)
    for name in ("one", "two"):
        video = tmp_path / "videos" / name
        (video / "img").mkdir(parents=True)
        for number, frame in enumerate(scene.frames, 1):
            Image.fromarray(frame).save(video / "img" / f"{number:04d}.png")
        np.savetxt(video / "groundtruth.txt", scene.boxes, fmt="%.3f", delimiter=",")
    out = tmp_path / "head.safetensors"
    words = ["--videos", str(tmp_path / "videos"), "--out", str(out), "--hold-back"]
    few = ["--clips", "2", "--length", "8", "--pairs", "3", "--iterations", "2", "--batch", "4"]
    assert main(["train-head", *words, "three", *few]) == 2
    assert "there is no video 'three'" in capsys.readouterr().err
    assert main(["train-head", *words, "two", *few]) == 0
    printed = capsys.readouterr().out
    assert "held-back pairs: overlap" in printed and f"wrote {out}" in printed
    rows, _ = follow(model_of(preset("roam-head", box={"head": str(out)})), scene.frames[:3], scene.boxes[0])
    assert np.isfinite(rows).all()
