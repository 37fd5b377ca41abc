"""A training run as a whole: it learns, survives being stopped, is spread over processes, names bad data."""

import csv
import dataclasses
import functools
import json
import os
import signal
import socket
import subprocess
import sys
import time
import types

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import save_file

from roam_tracker.commands import main
from roam_tracker.core.config import load_preset
from roam_tracker.errors import ConfigError, DataError, WeightsError
from roam_tracker.tracker import RoamTracker
from roam_tracker.training import loop, pipeline
from roam_tracker.training.clips import draw_clip
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.distributed import World
from roam_tracker.training.logs import tensorboard
from roam_tracker.training.meta import meta_losses
from roam_tracker.training.parameters import model_weights, new_parameters, with_start
from roam_tracker.training.pipeline import Job, train
from roam_tracker.training.sources import FromVideos
from roam_tracker.training.videos import find_videos
from roam_tracker.weights import load_weights

pytestmark = pytest.mark.slow

PRESET = """
extends = "default"
[search]
base_object_size = 16.0
[model]
reduced_channels = 4
filter_height = 5
filter_width = 5
[optimizer]
hidden = 4
"""
CALM = TrainingConfig(first_rates=(2e-3, 2e-3, 1e-4, 1e-4), shift=0.5, scale_range=1.0, wrong_labels=0.0)
BRIEF = dataclasses.replace(
    CALM,
    clips=6,
    updates=2,
    long_updates=3,
    batch=2,
    start_iterations=5,
    iterations=7,
    validate_every=2,
)
STEPS = 5 + 7


def square_video(folder, seed, length=14):
    """A small chequered square of its own colours that drifts over a ground of its own."""
    rng = np.random.default_rng(seed)
    ground = rng.integers(20, 110, (90, 120, 3), dtype=np.uint8)
    dark, light = rng.integers(0, 256, (2, 3))
    side, boxes = int(rng.integers(18, 28)), []
    rows, columns = np.mgrid[:side, :side] // 6
    square = np.where(((rows + columns) % 2)[:, :, None], dark, light).astype(np.uint8)
    across, down = rng.uniform(-1.5, 1.5, 2)
    (folder / "images").mkdir(parents=True)
    for k in range(length):
        x, y = round(48 + across * (k - length / 2)), round(35 + down * (k - length / 2))
        frame = ground.copy()
        frame[y : y + side, x : x + side] = square
        Image.fromarray(frame).save(folder / "images" / f"{k:05d}.jpg", quality=95)
        boxes.append((x, y, side, side))
    np.savetxt(folder / "groundtruth.txt", boxes, delimiter=",", fmt="%d")


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    root = tmp_path_factory.mktemp("squares")
    for number in range(9):
        square_video(root / "videos" / f"v{number}", number)
    (root / "tiny.toml").write_text(PRESET)
    return root


@pytest.fixture(scope="module")
def tiny(root):
    return load_preset(root / "tiny.toml")


@pytest.fixture(scope="module")
def trunk():
    return load_weights("default")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("clips")


@pytest.fixture(scope="module")
def job(root, tiny, trunk, cache):
    """Makes a job on all videos but the last, which is tracked for validation."""
    *videos, last = find_videos(root / "videos")

    def make(out, training=BRIEF, **changes):
        data = {"videos": [video.name for video in videos]}
        made = Job(tiny, training, FromVideos(videos), data, trunk, out, (last,), cache=cache)
        return dataclasses.replace(made, **changes)

    return make


@pytest.fixture(scope="module")
def undisturbed(job, tmp_path_factory):
    """The weights file of a run that nothing stops."""
    out = tmp_path_factory.mktemp("undisturbed") / "w.safetensors"
    train(job(out))
    return out


@pytest.fixture
def saved_often(monkeypatch):
    monkeypatch.setattr(loop, "SAVE_EVERY", 3)


def assert_same_weights(path, expected):
    ours, theirs = load_weights(str(path)), load_weights(str(expected))
    assert set(ours) == set(theirs)
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)


def metadata(path):
    with safe_open(path, "pt") as file:
        return file.metadata()


def rows_of(out):
    with out.with_suffix(".csv").open() as file:
        return list(csv.DictReader(file))


# It learns


def test_training_lowers_the_meta_loss_on_a_video_it_has_not_seen(job, tiny, trunk, tmp_path):
    changes = {"clips": 24, "start_iterations": 80, "iterations": 40}
    training = dataclasses.replace(BRIEF, **changes, start_rate=0.15, validate_every=40)
    made = job(tmp_path / "w.safetensors", training)
    rng = np.random.default_rng(99)
    clips = [draw_clip(made.held, rng, tiny, training, trunk, length=11) for _ in range(12)]

    def typical_loss(weights):
        of_clips = [meta_losses(tiny, weights, clip, [2, 2], steps=2).detach() for clip in clips]
        return torch.stack(of_clips).median(0).values.mean().item()

    untrained = new_parameters(tiny, training, torch.Generator().manual_seed(training.seed))
    before = typical_loss(model_weights(tiny, training, untrained))
    train(made)
    learned = load_weights(str(made.out))
    learned["theta0"].requires_grad_()
    # with seeds 0 to 3: 0.54 to 0.64
    assert typical_loss(learned) < 0.8 * before


# It survives being stopped


class StoppedError(Exception):
    pass


def test_a_start_that_is_kept_stays_while_the_update_rule_learns(job, tiny, tmp_path):
    kept = dataclasses.replace(BRIEF, keep_start=True, iterations=2)
    made = new_parameters(tiny, kept, torch.Generator().manual_seed(3))
    start = {name: value.detach() for name, value in model_weights(tiny, kept, made).items()}
    found = {}
    for keep in (True, False):
        out = tmp_path / f"{keep}.safetensors"
        training = dataclasses.replace(kept, keep_start=keep)
        train(job(out, training, start=start, held=()))
        with safe_open(out, "pt") as file:
            found[keep] = {name: file.get_tensor(name) for name in ("theta0", "lambda0", "output.weight")}
    for name in ("theta0", "lambda0"):
        torch.testing.assert_close(found[True][name], start[name])
        assert not torch.allclose(found[False][name], start[name])
    first = new_parameters(tiny, kept, torch.Generator().manual_seed(kept.seed))["output.weight"]
    assert not torch.allclose(found[True]["output.weight"], first)


def stop_at_row(number):
    """Raises when that outer step of the run is reported, before it could be saved."""
    seen = []

    def on_row(row):
        seen.append(row)
        if row["iteration"] == number:
            raise StoppedError

    return on_row


# saved after 3 and 5 steps of the start (0-4), 3, 6 and 7 of the updates (5-11)
@pytest.mark.parametrize("number", [0, 3, 4, 5, 9, 11])
def test_a_run_stopped_at_any_step_resumes_to_the_same_weights(
    number, job, undisturbed, saved_often, tmp_path
):
    out = tmp_path / "w.safetensors"
    with pytest.raises(StoppedError):
        train(job(out, on_row=stop_at_row(number)))
    again = []
    train(job(out, on_row=again.append))
    assert again[0]["iteration"] == {0: 0, 3: 3, 4: 3, 5: 5, 9: 8, 11: 11}[number]
    assert_same_weights(out, undisturbed)
    assert rows_of(out) == rows_of(undisturbed)


@pytest.mark.parametrize("line", ["start 5/5", "after 4 steps", "update 7/7"])
def test_a_run_stopped_between_steps_resumes_to_the_same_weights(
    line, job, undisturbed, saved_often, tmp_path
):
    def log(told):
        if told.startswith(line):
            raise StoppedError

    out = tmp_path / "w.safetensors"
    with pytest.raises(StoppedError):
        train(job(out, log=log))
    scores = train(job(out))
    assert_same_weights(out, undisturbed)
    assert scores == json.loads(metadata(undisturbed)["validation"])


def test_a_resumed_run_does_not_forget_its_best_weights(job, saved_often, monkeypatch, tmp_path):
    scores = {"2": 0.9, "4": 0.5, "6": 0.6, "7": 0.7}

    def scored(tracker, videos):
        return {"v8": scores[metadata(tracker.config.weights)["step"]]}

    monkeypatch.setattr(pipeline, "mean_overlaps", scored)
    out = tmp_path / "w.safetensors"
    with pytest.raises(StoppedError):
        train(job(out, on_row=stop_at_row(9)))  # after 5 updates; those after 3 are saved
    assert train(job(out)) == {"v8": 0.9}
    assert metadata(out)["step"] == "2"
    assert train(job(out)) == {"v8": 0.9}  # finished already


def command(root, out, *more):
    """`roam train` with steps enough for a checkpoint within each stage."""
    steps = ("--start-iterations", "30", "--iterations", "60")
    small = ("--clips", "4", "--updates", "2", "--long-updates", "2", "--batch", "1")
    paths = ("--videos", str(root / "videos"), "--preset", str(root / "tiny.toml"), "--out", str(out))
    return ["train", *paths, *steps, *small, "--trunk", "default", *more]


def python(arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "roam_tracker", *arguments],
        env=os.environ | {"OMP_NUM_THREADS": "1"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_a_killed_process_resumes_to_the_same_weights(root, tmp_path, capsys):
    hold_back = ("--hold-back", "v8", "--validate-every", "25")
    whole, killed = tmp_path / "whole.safetensors", tmp_path / "killed.safetensors"
    assert main(command(root, whole, *hold_back)) == 0
    for stage in ("start", "update"):
        run = python(command(root, killed, *hold_back))
        while not killed.with_suffix(f".{stage}.checkpoint").exists():
            assert run.poll() is None, run.stdout.read()
            time.sleep(0.002)
        run.send_signal(signal.SIGKILL)
        run.communicate()
        assert run.returncode == -signal.SIGKILL
    assert not killed.with_suffix(".csv").exists()
    assert main(command(root, killed, *hold_back)) == 0
    assert "update: resumed at step" in capsys.readouterr().out
    assert_same_weights(killed, whole)
    assert rows_of(killed) == rows_of(whole)


def test_a_run_with_other_settings_is_not_resumed_and_they_are_named(job, undisturbed):
    changed = dataclasses.replace(BRIEF, seed=5, clip_norm=0.5)
    with pytest.raises(ConfigError, match=r"another training\.clip_norm, training\.seed\. Remove it") as told:
        train(job(undisturbed, changed))
    assert str(undisturbed.with_suffix(".start.checkpoint")) in str(told.value)
    with pytest.raises(ConfigError, match=r"another data\.videos, held_back\."):
        train(job(undisturbed, data={"videos": ["v0"]}, held=()))
    with pytest.raises(ConfigError, match=r"another processes\."):
        train(job(undisturbed, world=World(0, 2)))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint at all", None], ids=["empty", "other", "torn"])
def test_a_damaged_checkpoint_is_refused_by_name(content, job, undisturbed, tmp_path):
    checkpoint = tmp_path / "w.start.checkpoint"
    whole = undisturbed.with_suffix(".start.checkpoint").read_bytes()
    checkpoint.write_bytes(whole[: len(whole) // 2] if content is None else content)
    with pytest.raises(WeightsError, match=r"w\.start\.checkpoint is damaged .* Remove it"):
        train(job(tmp_path / "w.safetensors"))


# It is spread over processes


def test_two_processes_do_what_one_does_with_twice_the_batch(root, tmp_path):
    steps = ("--start-iterations", "3", "--iterations", "3")
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    together = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    runs = [
        python(command(root, two, *steps, "--batch", "2"), RANK=rank, LOCAL_RANK=rank, **together)
        for rank in ("0", "1")
    ]
    assert main(command(root, one, *steps, "--batch", "4")) == 0
    told = [run.communicate(timeout=100)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], told
    assert f"wrote {two}" in told[0] and told[1] == ""
    ours, theirs = (load_weights(str(path)) for path in (two, one))
    for key in theirs:
        torch.testing.assert_close(ours[key], theirs[key], rtol=1e-4, atol=1e-7, msg=key)
    for ours, theirs in zip(rows_of(two), rows_of(one), strict=True):
        assert float(ours["meta_loss"]) == pytest.approx(float(theirs["meta_loss"]), rel=1e-4)


# It names bad data


@pytest.fixture
def torn(root, tmp_path):
    """Three videos, of the first of which every second frame is half a file."""
    for number in range(3):
        square_video(tmp_path / "videos" / f"v{number}", number)
    for path in sorted((tmp_path / "videos" / "v0" / "images").iterdir())[::2]:
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return find_videos(tmp_path / "videos")


def test_a_torn_frame_is_named_in_the_log_and_training_goes_on(torn, job, tmp_path):
    lines, out = [], tmp_path / "w.safetensors"
    # a backbone without its whitening layer: that layer's clips are drawn first of all
    changes = {"trunk": load_weights("lite0"), "cache": None, "held": (), "log": lines.append}
    train(job(out, dataclasses.replace(BRIEF, clips=16), source=FromVideos(torn), **changes))
    assert len(rows_of(out)) == STEPS
    skipped = [line for line in lines if "skipped" in line]
    drawing = next(number for number, line in enumerate(lines) if "clips to draw" in line)
    assert all("Video v0" in line and "images/000" in line for line in skipped)
    assert any("skipped" in line for line in lines[:drawing])
    assert any(line.startswith("clip ") and "skipped" in line for line in lines[drawing:])


def test_where_nothing_can_be_read_that_is_said(torn, job, tmp_path):
    for path in (tmp_path / "videos").glob("*/images/*.jpg"):
        path.write_bytes(b"\xff\xd8 torn")
    for name in ("default", "lite0"):
        changes = {"trunk": load_weights(name), "cache": None}
        with pytest.raises(DataError, match=r"20 clips in a row could not be read; the last one: Video v\d"):
            train(job(tmp_path / "w.safetensors", source=FromVideos(torn), **changes))
    with pytest.raises(DataError, match="No video is left to train on"):
        train(job(tmp_path / "w.safetensors", source=FromVideos(()), cache=None))


def test_weights_that_do_not_fit_are_refused_by_name(root, tiny, tmp_path, capsys):
    with pytest.raises(WeightsError, match=r"start from have theta0 of shape \(5185,\), .*needs \(265,\)"):
        parameters = new_parameters(tiny, BRIEF, torch.Generator())
        with_start(parameters, tiny, BRIEF, load_weights("default"))
    with pytest.raises(WeightsError, match="lambda0 of shape None"):
        with_start(parameters, tiny, BRIEF, {"theta0": torch.zeros(265)})
    torn, bare = tmp_path / "torn.safetensors", tmp_path / "bare.safetensors"
    torn.write_bytes(b"half")
    save_file({"stem.bias": torch.zeros(32)}, bare)
    for option, path, told in (
        ("--trunk", torn, "torn.safetensors are damaged"),
        ("--start", torn, "torn.safetensors are damaged"),
        ("--trunk", bare, "no tensor 'stem.weight'"),
    ):
        assert main(command(root, tmp_path / "w.safetensors", option, str(path))) == 2
        assert told in capsys.readouterr().err


# Clips are kept


def no_drawing(*arguments, **options):
    raise AssertionError("a clip was drawn")


def only_clips(out, job, **changes):
    """A job that does little more than to draw its clips."""
    training = {"clips": 3, "start_iterations": 0, "iterations": 1}
    training = dataclasses.replace(BRIEF, **training)
    return job(out, training, held=(), cache=out.parent / "clips", **changes)


def test_clips_are_drawn_once_for_all_runs_that_draw_alike(job, monkeypatch, tmp_path):
    first = only_clips(tmp_path / "a.safetensors", job)
    train(first)
    monkeypatch.setattr(pipeline, "draw_clip", no_drawing)
    another = dataclasses.replace(first.training, seed=3, start_rate=0.01, iterations=2)
    train(dataclasses.replace(first, out=tmp_path / "b.safetensors", training=another))
    update = functools.partial(dataclasses.replace, first.config.update)
    others = [
        {"training": dataclasses.replace(first.training, label_noise=0.1)},
        {"training": dataclasses.replace(first.training, data_seed=1)},
        {"data": {"videos": ["others"]}},
        {"trunk": first.trunk | {"stem.bias": first.trunk["stem.bias"] + 1}},
        {"config": dataclasses.replace(first.config, update=update(first_scales=(1.0, 1.2)))},
        {"config": dataclasses.replace(first.config, update=update(every_frames=4))},
    ]
    for number, changes in enumerate(others):
        with pytest.raises(AssertionError, match="a clip was drawn"):
            train(dataclasses.replace(first, out=tmp_path / f"{number}.safetensors", **changes))


def test_a_damaged_clip_is_refused_by_name(job, tmp_path):
    train(only_clips(tmp_path / "a.safetensors", job))
    clips = sorted((tmp_path / "clips").glob("*/*.safetensors"))
    assert [path.stem for path in clips] == ["000000", "000001", "000002"]
    for path in clips:
        path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"Clip .*00000\d\.safetensors is damaged .* Remove it"):
        train(only_clips(tmp_path / "b.safetensors", job))


def test_a_clip_is_the_same_whatever_the_number_of_workers(job, trunk, tmp_path):
    one, two = (
        pipeline._clips(only_clips(tmp_path / "w", job, workers=workers), trunk, tmp_path / str(workers))
        for workers in (1, 2)
    )
    assert one.folder.name == two.folder.name and one.folder != two.folder
    for number in range(3):
        for field in dataclasses.fields(one[number]):
            ours, theirs = (getattr(store[number], field.name) for store in (one, two))
            assert torch.equal(torch.as_tensor(ours), torch.as_tensor(theirs)), field.name


# What it leaves


def test_the_weights_tell_how_they_were_made_and_load_into_a_tracker(undisturbed, tiny, moving_square):
    about = {name: json.loads(value) for name, value in metadata(undisturbed).items()}
    assert about["preset"]["search"]["base_object_size"] == 16.0
    assert about["training"] == json.loads(json.dumps(dataclasses.asdict(BRIEF)))
    assert about["training"]["seed"] == 0
    assert about["data"] == {"videos": [f"v{number}" for number in range(8)]}
    assert about["held_back"] == ["v8"]
    assert {"roam-tracker", "commit", "torch"} <= set(about["versions"])
    assert set(about["validation"]) == {"v8"} and 0 <= about["validation"]["v8"] <= 1
    assert 1 <= about["step"] <= BRIEF.iterations
    best = max(
        (float(row["validation"]), -int(row["iteration"]))
        for row in rows_of(undisturbed)[-7:]
        if row["validation"]
    )
    assert best[0] == pytest.approx(about["validation"]["v8"], rel=1e-4)
    assert -best[1] == 5 + about["step"] - 1
    tracker = RoamTracker(dataclasses.replace(tiny, weights=str(undisturbed)), device="cpu")
    frames, boxes = moving_square
    tracker.init(frames[0], boxes[0])
    assert np.isfinite(tracker.update(frames[1])).all()


def test_the_csv_has_a_line_for_each_outer_step_with_the_spread_of_rates(undisturbed):
    rows = rows_of(undisturbed)
    assert [float(row["iteration"]) for row in rows] == list(range(STEPS))
    for row in rows:
        for group in loop.GROUPS:
            assert float(row[f"lambda0_{group}"]) > 0 and float(row[f"lambda0_{group}_spread"]) >= 1
            if float(row["iteration"]) >= 5:  # the recurrent updates have joined
                assert 0 < float(row[f"rate_{group}"]) < 1 and float(row[f"rate_{group}_spread"]) >= 1
            else:
                assert row[f"rate_{group}"] == row[f"rate_{group}_spread"] == ""
    validated = [number for number, row in enumerate(rows) if row["validation"]]
    assert validated == [6, 8, 10, 11]  # every second update, and the last


def test_without_tensorboard_the_extra_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(ConfigError, match=r"pip install 'roam-tracker\[train\]'"), tensorboard(tmp_path):
        pass
    with tensorboard(None) as write:
        write({"iteration": 0.0, "meta_loss": 1.0})


def test_rows_arrive_in_tensorboard(monkeypatch, tmp_path):
    written = []

    class Writer:
        def __init__(self, folder):
            written.append(folder)

        def add_scalar(self, name, value, step):
            written.append((name, value, step))

        def close(self):
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    with tensorboard(tmp_path) as write:
        write({"iteration": 7.0, "meta_loss": 1.5, "rate_filter": 0.25})
    assert written == [str(tmp_path), ("meta_loss", 1.5, 7), ("rate_filter", 0.25, 7), "closed"]
