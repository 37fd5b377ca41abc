"""Variants on the same targets: same starts, nothing twice, and a table that says what differs."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from roam_tracker import validation
from roam_tracker.commands import main
from roam_tracker.errors import ConfigError, DataError, RunError
from roam_tracker.report.score.variants import score_track, summarise_variants
from roam_tracker.tracker import RoamTracker
from roam_tracker.validation import Target, find_targets, find_variants, starts, track_all

pytestmark = pytest.mark.slow


@pytest.fixture
def videos(tmp_path, moving_square):
    """A folder with one sequence of eight frames in OTB's layout; the target is absent in the sixth."""
    frames, boxes = moving_square
    (tmp_path / "videos/square/img").mkdir(parents=True)
    for number, frame in enumerate(frames[:8], 1):
        Image.fromarray(frame).save(tmp_path / f"videos/square/img/{number:04d}.jpg")
    rows = [",".join(f"{value:g}" for value in box) for box in boxes[:8]]
    rows[5] = "NaN,NaN,NaN,NaN"
    (tmp_path / "videos/square/groundtruth_rect.txt").write_text("\n".join(rows) + "\n")
    return tmp_path / "videos"


def preset(folder, name, text):
    path = folder / f"{name}.toml"
    path.write_text(f'extends = "default"\n{text}\n')
    return str(path)


def validate(capsys, *words):
    status = main(["validate", *map(str, words)])
    said = capsys.readouterr()
    return status, said.out, said.err


@pytest.fixture
def counted(monkeypatch):
    """The presets whose targets were started, one entry a start."""
    begun = []
    init = RoamTracker.init

    def counting(self, image, box):
        begun.append((self.config, tuple(box)))
        init(self, image, box)

    monkeypatch.setattr(RoamTracker, "init", counting)
    return begun


def test_the_first_start_is_exact_and_the_others_depend_on_name_and_number_alone():
    boxes = np.array([[100.0, 50, 40, 20]])
    one, other = (Target(name, boxes, ("motion", 0)) for name in ("one", "other"))
    found = starts(one, 3)
    assert found[0] == (100, 50, 40, 20)
    assert found == starts(one, 3) and found[:2] == starts(one, 2)
    assert len({*found, *starts(other, 3)}) == 5  # the exact one is common


def test_jitter_moves_place_and_scale_by_two_percent():
    many = np.array(starts(Target("t", np.array([[100.0, 50, 40, 20]]), ("motion", 0)), 2001))[1:]
    assert np.allclose(many[:, 2] / many[:, 3], 2)  # one factor for both sides
    centres = many[:, :2] + many[:, 2:] / 2
    assert np.allclose(centres.mean(axis=0), [120, 60], atol=0.1)
    assert np.allclose(centres.std(axis=0), [0.8, 0.4], rtol=0.1)  # 2 % of 40 and 20
    assert np.log(many[:, 2] / 40).std() == pytest.approx(0.02, rel=0.1)


def test_every_variant_starts_from_the_same_boxes(videos, tmp_path, counted):
    variants = find_variants(["default", "sgd"])
    tracks = next(iter(track_all(variants, find_targets([videos]), jitter=3, cache=tmp_path / "cache")))
    assert len(counted) == 6
    for number in range(3):
        first, second = (track.boxes[0] for track in tracks if track.start == number)
        assert (first == second).all()
    assert [box for _, box in counted[:3]] == [box for _, box in counted[3:]]


def test_a_preset_compared_with_itself_has_no_difference(videos, tmp_path, capsys):
    status, out, _ = validate(
        capsys, "default", "again=default", "--videos", videos, "--made", 2, "--frames", 6,
        "--jitter", 2, "--workers", 1, "--cache", tmp_path / "cache", "--json", tmp_path / "v.json",
        "--targets",
    )  # fmt: skip
    assert status == 0
    assert "+0.000 to +0.000" in out and "0 : 0" in out and "of 3" in out
    assert "square" in out and "made-motion-1" in out
    written = json.loads((tmp_path / "v.json").read_text())
    again = written["summary"][1]
    assert (again["auc_difference"], again["precision_difference"]) == (0, 0)
    assert len(written["runs"]) == 2 * 3 * 2
    assert all(len(each["weights_sha256"]) == 64 for each in written["variants"])


def test_what_was_found_is_not_tracked_again_and_a_changed_variant_is(videos, tmp_path, capsys, counted):
    mine = preset(tmp_path, "mine", "[update]\nevery_frames = 5")
    words = [
        "default",
        mine,
        "--videos",
        videos,
        "--jitter",
        2,
        "--workers",
        1,
        "--cache",
        tmp_path / "cache",
    ]
    _, first, _ = validate(capsys, *words)
    assert "2 of 4 runs now" in first and len(counted) == 2  # settings count, not the name of the file
    preset(tmp_path, "mine", "[update]\nevery_frames = 3")
    _, second, _ = validate(capsys, *words)
    assert "2 of 4 runs now" in second and len(counted) == 4
    assert {config.update.every_frames for config, _ in counted[2:]} == {3}
    _, third, _ = validate(capsys, *words)
    assert "0 of 4 runs now" in third and len(counted) == 4
    assert third.splitlines()[:3] == second.splitlines()[:3]


def test_another_frame_box_weight_or_code_is_another_result(videos, tmp_path, monkeypatch, counted):
    cache = tmp_path / "cache"

    def begun():
        del counted[:]
        list(track_all(find_variants(["default"]), find_targets([videos]), jitter=1, cache=cache))
        return len(counted)

    assert (begun(), begun()) == (1, 0)
    truth = videos / "square/groundtruth_rect.txt"
    truth.write_text(truth.read_text().replace("\n44,", "\n44.5,"))
    assert (begun(), begun()) == (1, 0)
    with (videos / "square/img/0002.jpg").open("ab") as file:
        file.write(b"\0")
    assert (begun(), begun()) == (1, 0)
    monkeypatch.setattr(validation, "_code", lambda: "other code")
    assert (begun(), begun()) == (1, 0)
    monkeypatch.setattr(validation, "read_weights", lambda name: b"other weights")
    assert (begun(), begun()) == (1, 0)


def test_a_damaged_result_is_made_again(videos, tmp_path, counted):
    work = find_variants(["default"]), find_targets([videos])
    (track,) = next(iter(track_all(*work, jitter=1, cache=tmp_path / "cache")))
    for content in (b"", b"{}", b'{"boxes": [[1, 2, 3, 4]], "seconds": 1}', b"\xff"):
        (file,) = (tmp_path / "cache").rglob("*.json")
        file.write_bytes(content)
        (again,) = next(iter(track_all(*work, jitter=1, cache=tmp_path / "cache")))
        assert not again.kept and (again.boxes == track.boxes).all()
    assert len(counted) == 5


def test_processes_find_what_one_finds(videos, tmp_path):
    """Boxes to the last bit: as many threads, the same order."""
    work = find_variants(["default"]), find_targets([videos], made=1, frames=5)
    here = list(track_all(*work, jitter=2, workers=1, cache=tmp_path / "here"))
    elsewhere = list(track_all(*work, jitter=2, workers=2, cache=tmp_path / "elsewhere"))
    boxes = [
        {(track.target, track.start): track.boxes.tolist() for tracks in found for track in tracks}
        for found in (here, elsewhere)
    ]
    assert boxes[0] == boxes[1] and len(boxes[0]) == 4


def test_a_variant_that_diverges_has_lost_the_rest(videos, tmp_path, monkeypatch):
    update, calls = RoamTracker.update, []

    def diverging(self, image, truth=None):
        calls.append(image)
        if len(calls) == 3:
            raise RunError("The response is not finite in this frame.")
        return update(self, image, truth)

    monkeypatch.setattr(RoamTracker, "update", diverging)
    (target,) = find_targets([videos])
    (track,) = next(iter(track_all(find_variants(["default"]), [target], jitter=1, cache=tmp_path)))
    assert track.diverged and np.isfinite(track.boxes[:3]).all() and np.isnan(track.boxes[3:]).all()
    auc, precision = score_track(track.boxes, target.boxes)
    assert precision == pytest.approx(3 / 7) and auc < 3 / 7  # the sixth frame does not count


def test_an_oracle_sees_the_true_boxes(videos, tmp_path):
    (track,) = next(
        iter(track_all(find_variants(["roam-oracle"]), find_targets([videos]), jitter=1, cache=tmp_path))
    )
    assert np.isfinite(track.boxes).all()


def test_a_target_begins_where_it_is_first_seen(videos):
    truth = videos / "square/groundtruth_rect.txt"
    rows = truth.read_text().splitlines()
    truth.write_text("\n".join(["0,0,0,0", "NaN,NaN,NaN,NaN", *rows[2:]]))
    (target,) = find_targets([videos], frames=4)
    assert [Path(str(image)).name for image in target.images] == [
        "0003.jpg",
        "0004.jpg",
        "0005.jpg",
        "0006.jpg",
    ]
    assert target.boxes[0].tolist() == [48, 56, 32, 32]
    assert (target.boxes[3] == 0).all()


def test_frames_without_the_target_are_left_out_of_the_scores():
    """Three frames count; overlaps 1 (the first scores as the truth), 1/3 and 0."""
    truth = np.array([[0, 0, 10, 10], [0, 0, 0, 0], [0, 0, 10, 10], [0, 0, 10, 10]], float)
    boxes = np.array([[2, 2, 10, 10], [0, 0, 10, 10], [5, 0, 10, 10], [30, 0, 10, 10]], float)
    # 1 > t at 20 of 21 thresholds, 1/3 at those up to 0.30: 7, 0 at none
    auc, precision = score_track(boxes, truth)
    assert auc == pytest.approx((20 + 7 + 0) / (3 * 21))
    assert precision == pytest.approx(2 / 3)  # distances 0, 5 and 30 px


def test_the_summary_is_of_means_over_starts_and_compares_target_by_target():
    rows = [
        ("a", "x", 0, 0.5, 1.0), ("a", "x", 1, 0.7, 1.0), ("a", "y", 0, 0.1, 0.2), ("a", "y", 1, 0.2, 0.2),
        ("b", "x", 0, 0.6, 0.9), ("b", "x", 1, 0.61, 0.9), ("b", "y", 0, 0.3, 0.5), ("b", "y", 1, 0.4, 0.5),
    ]  # fmt: skip
    scores = pd.DataFrame(rows, columns=["variant", "target", "start", "auc", "precision"])
    found = summarise_variants(scores.assign(frames=100, seconds=2.0)).set_index("variant")
    assert found["auc"].tolist() == pytest.approx([(0.6 + 0.15) / 2, (0.605 + 0.35) / 2])
    assert found["lost"].tolist() == [1, 0]  # y has 0.15 with a
    assert found.loc["b", ["better", "worse"]].tolist() == [1, 0]  # +0.005 is neither
    assert found.loc["b", "auc_difference"] == pytest.approx((0.005 + 0.2) / 2)
    # of two targets a resample has both alike in a quarter of cases each: the interval spans both
    assert found.loc["b", ["auc_low", "auc_high"]].tolist() == pytest.approx([0.005, 0.2])
    assert found.loc["b", "precision_difference"] == pytest.approx((-0.1 + 0.3) / 2)
    assert found["fps"].tolist() == [50, 50]  # 400 frames in 8 s


def test_made_sequences_go_through_all_kinds_and_then_other_seeds():
    names = [target.name for target in find_targets([], made=7, frames=2)]
    assert names[0] == "made-motion-1" and names[6] == "made-motion-2" and len(set(names)) == 7


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["defualt", "--made", "1"], "Preset 'defualt' is unknown; did you mean 'default'?"),
        (["nowhere.toml", "--made", "1"], "nowhere.toml does not exist"),
        (["default", "default", "--made", "1"], "Two variants are named 'default'"),
        (["paper", "--made", "1"], "No weights named"),
        (["default"], "There is nothing to track"),
        (["default", "--made", "-1"], "got 150 and -1"),
        (["default", "--made", "1", "--frames", "1"], "got 1 and 1"),
        (["default", "--made", "1", "--jitter", "0"], "needs one start or more, got 0"),
        (["default", "--made", "1", "--workers", "0"], "needs one worker or more, got 0"),
        (["default", "--videos", "nowhere"], "nowhere has no video"),
    ],
)
def test_what_cannot_be_validated_is_told_in_one_sentence(words, told, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    status, out, err = validate(capsys, *words)
    assert status == 2 and told in err and out == "" and "Traceback" not in err


def test_a_damaged_annotation_frame_and_a_double_name_are_named(videos, tmp_path, capsys):
    words = ["default", "--workers", 1, "--cache", tmp_path / "cache", "--videos", videos]
    with pytest.raises(DataError, match="Two targets are named 'square'"):
        find_targets([videos, videos])
    (videos / "square/img/0003.jpg").write_bytes(b"no image")
    status, _, err = validate(capsys, *words)
    assert status == 2 and "0003.jpg" in err
    truth = videos / "square/groundtruth_rect.txt"
    truth.write_text("1,2,3,4\n")
    status, _, err = validate(capsys, *words)
    assert status == 2 and "1 boxes, but" in err and "8 .jpg images" in err
    truth.write_text("0,0,0,0\n" * 8)
    status, _, err = validate(capsys, *words)
    assert status == 2 and "has no box with an area" in err


def test_an_error_in_a_process_is_told_as_one_here(videos, tmp_path, capsys):
    (videos / "square/img/0003.jpg").write_bytes(b"no image")
    status, _, err = validate(
        capsys, "default", "--workers", 2, "--made", 1, "--frames", 4, "--cache", tmp_path / "cache",
        "--videos", videos,
    )  # fmt: skip
    assert status == 2 and "ImageError" in err and "0003.jpg" in err


def test_names_can_be_given_to_variants(tmp_path):
    mine = preset(tmp_path, "mine", "")
    assert [each.name for each in find_variants(["sgd", mine, f"b={mine}", "c=default"])] == [
        "sgd", "mine", "b", "c",
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="Give one another name: mine-2="):
        find_variants([mine, mine])


def test_weights_that_do_not_fit_are_told_with_the_variant(videos, tmp_path, capsys):
    wrong = preset(tmp_path, "wrong", "[model]\nreduced_channels = 7")
    status, _, err = validate(
        capsys, wrong, "--videos", videos, "--workers", 1, "--cache", tmp_path / "cache"
    )
    assert status == 2 and "WeightsError: wrong: " in err


def test_an_interrupted_run_leaves_no_process(videos, tmp_path):
    """The progress of the first target is waited for, then Ctrl-C."""
    argv = [sys.executable, "-m", "roam_tracker", "validate", "default", "--made", "8", "--frames", "20"]
    argv += ["--jitter", "1", "--cache", str(tmp_path / "cache")]
    process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stderr is not None
    assert "1/8" in process.stderr.readline()
    process.send_signal(2)
    assert "Interrupted" in process.stderr.read()
    assert process.wait() == 130
    ends = time.monotonic() + 20  # multiprocessing's own helper is the last to go
    with pytest.raises(ProcessLookupError):
        while time.monotonic() < ends:
            os.killpg(process.pid, 0)
            time.sleep(0.1)
