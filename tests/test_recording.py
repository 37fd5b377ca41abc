"""What the updates did, as it is recorded, written and read back."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from roam_tracker.core.tracking import StepRecord
from roam_tracker.errors import InputError
from roam_tracker.recording import EDGES, Recorder, read_recording
from roam_tracker.tracker import RoamTracker

GROUPS = torch.tensor([0, 0, 0, 0, 0, 1, 2, 3])


def step(frame=5, step=0, rates=(1e-6, 2e-6, 3e-6, 4e-6, 5e-6, 1e-3, 1e-4, 1e-5), **changes):
    record = StepRecord(frame, step, 2.0, 1.5, torch.tensor(rates, dtype=torch.float64), GROUPS, True)
    return dataclasses.replace(record, **changes)


def written(tmp_path, *records):
    recorder = Recorder()
    recorder.begin("here")
    for record in records:
        recorder.observe(record)
    recorder.write(tmp_path / "r.json")
    return read_recording(tmp_path / "r.json")


@pytest.fixture(scope="module")
def tracked(tmp_path_factory, moving_square):
    """Eleven frames tracked with and without a recording, and the recording."""
    frames, boxes = moving_square
    path = tmp_path_factory.mktemp("recording") / "r.json"
    results = []
    for record in (None, path):
        tracker = RoamTracker(device="cpu", record=record)
        tracker.init(frames[0], boxes[0])
        results.append(np.array([tracker.update(frame) for frame in frames[1:12]]))
        tracker.write_recording()
    return *results, read_recording(path), tracker


def test_recording_changes_no_box(tracked):
    without, recorded, _, _ = tracked
    assert without.tobytes() == recorded.tobytes()


def test_every_step_is_recorded_once_the_first_frames_and_two_an_update(tracked):
    (sequence,) = tracked[2].sequences
    assert sequence.name == "1"
    assert sequence.frame.tolist() == [0, 5, 5, 10, 10]
    assert sequence.step.tolist() == [0, 0, 1, 0, 1]


def test_the_default_presets_accepted_steps_lower_the_recorded_loss(tracked):
    (sequence,) = tracked[2].sequences
    assert sequence.accepted.any()
    kept = sequence.accepted & (sequence.frame > 0)  # the guard refuses a rise
    assert (sequence.loss_after[kept] <= sequence.loss_before[kept]).all()
    undone = ~sequence.accepted
    assert (sequence.loss_after[undone] == sequence.loss_before[undone]).all()


def test_each_coordinates_rate_is_counted_in_each_step(tracked):
    recording, tracker = tracked[2:]
    (sequence,) = recording.sequences
    sizes = list(tracker.state.shape.group_sizes)
    assert len(recording.groups) == len(sizes) == 4
    for histogram, steps in ((sequence.initial, 1), (sequence.updating, 4)):
        total = histogram.counts.sum(1) + histogram.outside.sum(1)
        assert total.tolist() == [steps * size for size in sizes]


def test_rates_fall_into_the_bin_of_their_logarithm(tmp_path):
    # log10: 1e-6 = -6.0 is edge 120 of -12, -11.95, ...; 2e-6 = -5.699 is 0.301 = 6.02 bins on; 1e-3: 180
    recording = written(tmp_path, step(rates=(1e-6, 2e-6, 2e-6, 0.0, -1e-6, 1e-3, 1e-14, 100.0)))
    assert recording.edges[[0, 120, -1]].tolist() == [-12, -6, 1]
    updating = recording.sequences[0].updating
    assert np.flatnonzero(updating.counts[0]).tolist() == [120, 126]
    assert updating.counts[0][[120, 126]].tolist() == [1, 2]
    assert updating.outside.tolist() == [[2, 0, 0], [0, 0, 0], [0, 1, 0], [0, 0, 1]]
    assert np.flatnonzero(updating.counts[1]).tolist() == [180]
    assert not recording.sequences[0].initial.counts.any()


def test_a_rate_on_an_edge_belongs_to_the_bin_above(tmp_path):
    for k, edge in enumerate(EDGES[:-1]):
        counts = written(tmp_path, step(rates=[10.0**edge] * 8)).sequences[0].updating.counts
        assert np.flatnonzero(counts[1]).tolist() == [k]


def test_the_first_frames_rates_are_the_initial_ones(tmp_path):
    sequence = written(tmp_path, step(frame=0), step(frame=5)).sequences[0]
    assert sequence.initial.counts.sum() == sequence.updating.counts.sum() == 8


def test_spread_is_least_tenth_percentile_median_ninetieth_and_greatest(tmp_path):
    # five rates 1 .. 5e-6: the 10th percentile lies 0.4 of a step above the least
    spread = written(tmp_path, step()).sequences[0].spread
    assert spread.shape == (1, 4, 5)
    np.testing.assert_allclose(spread[0, 0], [1e-6, 1.4e-6, 3e-6, 4.6e-6, 5e-6])
    np.testing.assert_allclose(spread[0, 1], 1e-3)


def test_losses_come_back_exactly_and_one_that_is_not_finite_as_nan(tmp_path):
    sequence = written(
        tmp_path, step(loss_before=0.1 + 0.2, loss_after=float("inf"), accepted=False)
    ).sequences[0]
    assert sequence.loss_before.tolist() == [0.1 + 0.2]
    assert np.isnan(sequence.loss_after).all()
    assert sequence.accepted.tolist() == [False]


def test_each_start_begins_another_sequence(tmp_path, moving_square):
    frames, boxes = moving_square
    tracker = RoamTracker(device="cpu", record=tmp_path / "r.json")
    for _ in range(2):
        tracker.init(frames[0], boxes[0])
    tracker.write_recording()
    sequences = read_recording(tmp_path / "r.json").sequences
    assert [sequence.name for sequence in sequences] == ["1", "2"]
    assert [sequence.frame.tolist() for sequence in sequences] == [[0], [0]]


def test_without_a_file_nothing_is_recorded(moving_square, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tracker = RoamTracker(device="cpu")
    tracker.init(moving_square[0][0], moving_square[1][0])
    tracker.write_recording()
    assert tracker.recording is None
    assert list(tmp_path.iterdir()) == []


def test_a_recording_is_read_without_torch(tmp_path):
    written(tmp_path, step())
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from roam_tracker.recording import read_recording\n"
        f"assert read_recording({str(tmp_path / 'r.json')!r}).sequences[0].name == 'here'"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"format": "something else"}'])
def test_a_file_that_is_no_recording_is_named(tmp_path, content):
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(InputError, match=r"r\.json is no recording"):
        read_recording(tmp_path / "r.json")


def test_a_recording_cut_short_or_absent_is_named(tmp_path):
    written(tmp_path, step())
    content = json.loads((tmp_path / "r.json").read_text())
    del content["sequences"][0]["spread"]
    (tmp_path / "r.json").write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"no recording \('spread'\)"):
        read_recording(tmp_path / "r.json")
    with pytest.raises(InputError, match=r"gone\.json cannot be read: No such file"):
        read_recording(tmp_path / "gone.json")
