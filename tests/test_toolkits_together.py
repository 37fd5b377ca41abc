"""Sequences followed at once leave the results of those followed one after the other."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from roam_tracker.errors import ConfigError, ImageError
from roam_tracker.sample.write import write_sample
from roam_tracker.toolkits.experiments import _pool
from roam_tracker.toolkits.got10k.settings import RunSettings
from roam_tracker.toolkits.registry import create
from roam_tracker.toolkits.run.jobs import Failure, Here, Job, Worker
from roam_tracker.toolkits.run.together import Together

pytestmark = pytest.mark.slow

CLOSE_PX = 0.02


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """Four sequences of 6 to 15 frames, and the preset they are followed with."""
    folder = tmp_path_factory.mktemp("together")
    write_sample(folder / "s", frames=15, sequences=4, size=(128, 96))
    (folder / "Exact.toml").write_text('extends = "default"\nprecision = "float32"\n')
    made = []
    for number, place in enumerate(sorted((folder / "s/OTB").iterdir())):
        images = [str(file) for file in sorted((place / "img").iterdir())][: 15 - 3 * number]
        row = (place / "groundtruth_rect.txt").read_text().splitlines()[0]
        box = tuple(map(float, row.replace("\t", ",").split(",")))
        made.append(Job(str(folder / "Exact.toml"), place.name, tuple(images), box))
    return made


def outcomes(pool, jobs):
    return {result.job.sequence: result for result in pool.run(jobs)}


def test_sequences_followed_at_once_have_the_boxes_of_those_followed_one_by_one(jobs):
    alone, together = outcomes(Here(Worker("cpu", 1)), jobs), outcomes(Together(3, "cpu", 1), jobs)
    assert set(alone) == set(together) == {job.sequence for job in jobs}
    for name, one in alone.items():
        other = together[name]
        assert other.boxes[0].shape == one.boxes[0].shape == (len(one.job.images), 4)
        np.testing.assert_allclose(other.boxes[0], one.boxes[0], atol=CLOSE_PX, err_msg=name)
        assert (other.times[0] > 0).all()
        assert other.made["batch"] == 3


def test_an_image_that_cannot_be_read_costs_its_sequence_only(jobs, tmp_path):
    broken = tmp_path / "0005.jpg"
    broken.write_bytes(b"no image")
    images = (*jobs[1].images[:4], str(broken), *jobs[1].images[5:])
    results = outcomes(
        Together(2, "cpu", 1), [jobs[0], dataclasses.replace(jobs[1], images=images), *jobs[2:]]
    )
    failed = results.pop(jobs[1].sequence)
    assert isinstance(failed, Failure) and isinstance(failed.error, ImageError)
    assert str(broken) in str(failed.error)
    whole = outcomes(Here(Worker("cpu", 1)), [jobs[3]])[jobs[3].sequence]
    np.testing.assert_allclose(results[jobs[3].sequence].boxes[0], whole.boxes[0], atol=CLOSE_PX)
    assert len(results) == 3


def test_a_first_image_that_cannot_be_read_and_a_sequence_of_one_frame(jobs, tmp_path):
    lost = dataclasses.replace(jobs[0], images=(str(tmp_path / "gone.jpg"), *jobs[0].images[1:]))
    short = dataclasses.replace(jobs[1], images=jobs[1].images[:1])
    results = outcomes(Together(2, "cpu", 1), [lost, short])
    assert isinstance(results[lost.sequence], Failure)
    np.testing.assert_array_equal(results[short.sequence].boxes[0], [short.box])


def test_trackers_that_cannot_be_batched_are_run_one_by_one(jobs):
    static = [dataclasses.replace(job, tracker="Static") for job in jobs[:2]]
    recorded = [dataclasses.replace(jobs[2], record=True)]
    results = list(Together(2, "cpu", 1).run([*static, *recorded]))
    assert [result.job.tracker for result in results] == ["Static", "Static", jobs[2].tracker]
    assert results[2].recording is not None


def test_the_command_follows_sequences_at_once(jobs, tmp_path, monkeypatch):
    from roam_tracker.toolkits.experiments import main

    monkeypatch.chdir(tmp_path)
    place = tmp_path / "OTB"
    for job in jobs[:2]:
        shutil.copytree(str(job.images[0]).rsplit("/img", 1)[0], place / job.sequence)
    argv = ["--dataset", "folder", "--root", str(place), "--tracker", "ROAM", "--device", "cpu"]
    assert main([*argv, "--batch", "2"]) == 0
    manifest = json.loads((tmp_path / "results/OTB/ROAM/manifest.json").read_text())
    assert {run["batch"] for run in manifest["runs"]} == {2}
    assert {run["precision"] for run in manifest["runs"]} == {
        str(create("ROAM", "cpu").model.precision).removeprefix("torch.")
    }


def test_a_batch_goes_with_neither_workers_nor_ray():
    settings = RunSettings(name="x", layout="folder", batch=4, workers=2)
    with pytest.raises(ConfigError, match="Leave out --workers and --ray"):
        _pool(settings, None)
    with pytest.raises(ConfigError, match="Leave out --workers and --ray"):
        _pool(dataclasses.replace(settings, workers=1), "")
    with pytest.raises(ConfigError, match="batch must be at least 1"):
        dataclasses.replace(settings, batch=0)
