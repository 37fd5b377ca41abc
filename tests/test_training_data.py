"""Where clips come from: data sets in the layouts they have on disk, sources, labels of update samples."""

import dataclasses

import numpy as np
import pytest
import torch
from PIL import Image

from roam_tracker.core.config import load_preset
from roam_tracker.datasets.frames import FrameFiles
from roam_tracker.datasets.frames import frames_in as frame_files
from roam_tracker.errors import DataError
from roam_tracker.training import clips
from roam_tracker.training.clips import draw_clip
from roam_tracker.training.config import TrainingConfig
from roam_tracker.training.sources import Footage, FromVideos, Mixed
from roam_tracker.training.videos import Video, find_videos

pytestmark = pytest.mark.slow

DEFAULT = load_preset("default")
SMALL = dataclasses.replace(DEFAULT, search=dataclasses.replace(DEFAULT.search, base_object_size=16.0))
GREY = np.full((40, 60, 3), 99, np.uint8)


def put(path, content):
    """Write text, an image array, or an image, with its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(content, str):
        path.write_text(content)
    else:
        (content if isinstance(content, Image.Image) else Image.fromarray(content)).save(path)
    return path


def put_frames(folder, names):
    for name in names:
        put(folder / f"{name}.jpg", GREY)


# Layouts


def test_got10k_is_read_from_its_training_part_and_absent_targets_have_no_box(tmp_path):
    video = tmp_path / "train" / "GOT-10k_Train_000001"
    put_frames(video, ("00000001", "00000002", "00000003"))
    put(video / "groundtruth.txt", "1.0000,2.0000,30.0000,4.0000\n2,2,30,4\n3,2,30,4\n")
    put(video / "absence.label", "0\n1\n0\n")
    put(video / "cover.label", "8\n0\n8\n")
    put(tmp_path / "test" / "GOT-10k_Test_000001" / "groundtruth.txt", "1,2,3,4\n")
    (found,) = find_videos(tmp_path)
    assert found.name == "GOT-10k_Train_000001"
    assert found.boxes.tolist() == [[1, 2, 30, 4], [0, 0, 0, 0], [3, 2, 30, 4]]
    assert found.frames[2] == video / "00000003.jpg"


def test_frames_of_trackingnet_are_in_the_order_of_their_numbers(tmp_path):
    put_frames(tmp_path / "TRAIN_3" / "frames" / "abc_0", range(11))
    rows = "".join(f"{k}.0,5.0,10.0,20.0\n" for k in range(11))
    put(tmp_path / "TRAIN_3" / "anno" / "abc_0.txt", rows)
    put(tmp_path / "TRAIN_3" / "anno" / "not_unpacked_0.txt", rows)
    (found,) = find_videos(tmp_path)
    assert [path.stem for path in found.frames] == [str(k) for k in range(11)]
    assert found.boxes[10].tolist() == [10, 5, 10, 20]
    assert [video.name for video in find_videos(tmp_path / "TRAIN_3")] == ["abc_0"]


def test_lasot_leaves_out_hidden_frames_and_the_testing_set(tmp_path):
    for name in ("cat-1", "cat-2"):
        video = tmp_path / "cat" / name
        put_frames(video / "img", ("00000001", "00000002", "00000003"))
        put(video / "groundtruth.txt", "1,2,3,4\n5,6,7,8\n9,9,9,9\n")
        put(video / "full_occlusion.txt", "0,1,0\n")
        put(video / "out_of_view.txt", "0,0,1")
    put(tmp_path / "testing_set.txt", "cat-1\n")
    (found,) = find_videos(tmp_path)
    assert found.name == "cat-2"
    assert found.boxes.tolist() == [[1, 2, 3, 4], [0] * 4, [0] * 4]


def test_each_track_of_ilsvrc_vid_is_a_video(tmp_path):
    def xml(*objects):
        inside = "".join(
            f"<object><trackid>{track}</trackid><name>n1</name><bndbox><xmax>{x + 9}</xmax><xmin>{x}</xmin>"
            f"<ymax>{y + 4}</ymax><ymin>{y}</ymin></bndbox><occluded>1</occluded></object>"
            for track, x, y in objects
        )
        return f"<annotation><folder>f</folder>{inside}</annotation>"

    part = "train/ILSVRC2015_VID_train_0000/ILSVRC2015_train_00000000"
    for k, objects in enumerate([[(0, 1, 2), (1, 20, 3)], [(0, 2, 2)], [(0, 3, 2), (1, 22, 3), (2, 0, 0)]]):
        put(tmp_path / "Annotations/VID" / part / f"{k:06d}.xml", xml(*objects))
        put(tmp_path / "Data/VID" / part / f"{k:06d}.JPEG", GREY)
    first, second = find_videos(tmp_path)  # track 2 is seen once only
    assert first.name == "ILSVRC2015_train_00000000/0" and second.name == "ILSVRC2015_train_00000000/1"
    # from pixel x to pixel x + 9, both part of it: 10 wide
    assert first.boxes.tolist() == [[1, 2, 10, 5], [2, 2, 10, 5], [3, 2, 10, 5]]
    assert second.boxes.tolist() == [[20, 3, 10, 5], [0] * 4, [22, 3, 10, 5]]
    assert first.frames[1].name == "000001.JPEG"
    put(tmp_path / "Annotations/VID" / part / "000001.xml", "<annotation><object>")
    with pytest.raises(DataError, match=r"000001\.xml cannot be read as an annotation"):
        find_videos(tmp_path)


def test_masks_become_tight_boxes(tmp_path):
    mask = np.zeros((40, 60), bool)
    mask[10:20, 5:30] = True
    put_frames(tmp_path / "one" / "images", ("0", "1"))
    put(tmp_path / "one" / "masks" / "0.png", mask)
    put(tmp_path / "one" / "masks" / "1.png", np.zeros_like(mask))
    ids = np.zeros((40, 60), np.uint8)
    ids[0:4, 0:6], ids[30:40, 50:60], ids[20:22] = 1, 2, 255
    coloured = Image.fromarray(ids, mode="P")
    coloured.putpalette(list(range(256)) * 3)
    put_frames(tmp_path / "two" / "images", ("0",))
    put(tmp_path / "two" / "masks" / "0.png", coloured)
    found = {video.name: video.boxes.tolist() for video in find_videos(tmp_path)}
    assert found == {
        "one": [[5, 10, 25, 10], [0] * 4],
        "two/1": [[0, 0, 6, 4]],
        "two/2": [[50, 30, 10, 10]],
    }


def test_a_box_that_is_no_number_or_has_no_area_means_absent(tmp_path):
    put_frames(tmp_path / "a", ("1", "2", "3"))
    put(tmp_path / "a" / "groundtruth.txt", "1\t2\t3\t4\nnan,nan,nan,nan\n5 5 0 7\n")
    (found,) = find_videos(tmp_path)
    assert found.boxes.tolist() == [[1, 2, 3, 4], [0] * 4, [0] * 4]


def test_damaged_annotations_are_named(tmp_path):
    put_frames(tmp_path / "a", ("1", "2"))
    truth = put(tmp_path / "a" / "groundtruth.txt", "1,2,3,4\n1,2,3\n")
    with pytest.raises(DataError, match=r"a/groundtruth\.txt, line 2: found 3 values, expected 4"):
        find_videos(tmp_path)
    truth.write_text("1,2,3,4\n1,2,3,four\n")
    with pytest.raises(DataError, match=r"a/groundtruth\.txt, line 2: found '1,2,3,four'"):
        find_videos(tmp_path)
    truth.write_text("1,2,3,4\n")
    with pytest.raises(DataError, match=r"has 1 boxes, but .* has 2 .jpg images"):
        find_videos(tmp_path)
    truth.write_text("1,2,3,4\n1,2,3,4\n")
    put(tmp_path / "a" / "absence.label", "0\n")
    with pytest.raises(DataError, match=r"absence\.label has 1 flags for 2 frames"):
        find_videos(tmp_path)


def test_masks_that_do_not_fit_the_frames_are_named(tmp_path):
    put_frames(tmp_path / "a" / "images", ("1", "2"))
    put(tmp_path / "a" / "masks" / "1.png", np.ones((4, 4), bool))
    with pytest.raises(DataError, match="has 1 masks for 2 frames"):
        find_videos(tmp_path)
    (tmp_path / "a" / "masks" / "2.png").write_text("no image")
    with pytest.raises(DataError, match=r"2\.png cannot be read"):
        find_videos(tmp_path)


def test_frame_files_are_paths_only_when_asked_for(tmp_path):
    put_frames(tmp_path, ("b", "a", "c"))
    frames = frame_files(tmp_path)
    assert frames.names == ("a.jpg", "b.jpg", "c.jpg")
    assert frames[-1] == tmp_path / "c.jpg" and list(frames[1:]) == [tmp_path / "b.jpg", tmp_path / "c.jpg"]
    assert isinstance(frames[:1], FrameFiles) and len(frames) == 3


# Sources


class Named:
    """A source whose footage tells only where it came from."""

    def __init__(self, name):
        self.name = name

    def draw(self, rng, length, training):
        return Footage(
            self.name, (GREY,) * length, np.tile([10.0, 10, 12, 12], (length, 1)), np.zeros(length)
        )


def test_a_mixed_source_takes_the_share_it_was_told():
    rng, mixed = np.random.default_rng(0), Mixed(Named("videos"), Named("stills"), 0.3)
    names = [mixed.draw(rng, 1, TrainingConfig()).name for _ in range(1000)]
    assert 0.25 < names.count("stills") / 1000 < 0.35


def test_footage_shows_only_frames_with_a_target_in_their_order(tmp_path):
    boxes = np.array([[0.0, 0, 9, 9]] * 10)
    boxes[3:5] = 0
    boxes[:, 0] = range(10)
    source = FromVideos([Video("v", tuple(tmp_path / str(k) for k in range(10)), boxes)])
    for seed in range(20):
        footage = source.draw(np.random.default_rng(seed), 4, TrainingConfig(skip_share=0))
        numbers = [int(path.name) for path in footage.frames]
        assert not {3, 4} & set(numbers)
        assert footage.boxes[:, 0].tolist() == numbers
    nowhere = Video("nowhere", (tmp_path / "0",), np.zeros((1, 4)))
    with pytest.raises(DataError, match="nowhere has no box"):
        FromVideos([nowhere]).draw(np.random.default_rng(0), 2, TrainingConfig())


def test_a_frame_that_cannot_be_read_is_named_with_its_video(tmp_path):
    torn = tmp_path / "7.jpg"
    torn.write_bytes(b"\xff\xd8 torn")
    video = Video("holiday", (torn,), np.array([[5.0, 5, 9, 9]]))
    for frames in ((torn,), (tmp_path / "8.jpg",)):
        with pytest.raises(DataError, match=rf"Video holiday: .*{frames[0].name}"):
            draw_clip(
                [dataclasses.replace(video, frames=frames)],
                np.random.default_rng(0),
                SMALL,
                TrainingConfig(),
                {},
                length=2,
            )


# Labels of update samples


@pytest.fixture
def draw(monkeypatch):
    """Draws clips of 31 frames with a target of 12 x 12 px; no network is run."""
    monkeypatch.setattr(clips, "extract", lambda spec, weights, patches: patches[:, :1, :1, :1])

    def draw(seed, **settings):
        training = TrainingConfig(label_noise=0.0, size_label_noise=0.0)
        training = dataclasses.replace(training, **settings)
        return draw_clip(Named("n"), np.random.default_rng(seed), SMALL, training, {}, length=31)

    return draw


def test_without_noise_the_labels_of_update_samples_are_exact(draw):
    clip = draw(0, wrong_labels=0.0)
    assert torch.equal(clip.noisy_centres_cells, clip.centres_cells)
    assert torch.equal(clip.noisy_sizes_cells, clip.sizes_cells)
    assert clip.hidden.tolist() == [0] * 31


def test_size_labels_have_the_noise_they_were_told_and_the_first_is_exact(draw):
    drawn = [draw(seed, wrong_labels=0.0, size_label_noise=0.1) for seed in range(40)]
    logs = torch.stack([(clip.noisy_sizes_cells / clip.sizes_cells).log() for clip in drawn])
    assert logs[:, 0].abs().max() == 0
    assert 0.095 < logs[:, 1:].std() < 0.105  # 2400 numbers: a standard error of 0.0015


def test_a_run_of_wrong_labels_lies_beside_the_target_in_one_direction_and_on_the_map(draw):
    counts = []
    for seed in range(60):
        # a wide search region, so that a label one and a half sides away is still on the map
        clip = draw(seed, wrong_labels=1.0, scale_range=0.0, shift=0.3)
        sides = clip.sizes_cells.prod(1).sqrt()
        away = (clip.noisy_centres_cells - clip.centres_cells) / sides[:, None]
        wrong = torch.nonzero(away.norm(dim=1)).flatten()
        counts.append(len(wrong))
        assert wrong[0] >= 1 and wrong.tolist() == list(range(int(wrong[0]), int(wrong[-1]) + 1))
        reach = away[wrong].norm(dim=1)
        assert reach.min() >= 0.5 - 1e-4 and reach.max() <= 1.5 + 1e-4
        assert (reach.diff() > -1e-4).all()
        unit = away[wrong] / reach[:, None]
        assert (unit - unit[0]).abs().max() < 1e-3
    assert set(counts) == {3, 4, 5, 6, 7, 8}
    for seed in range(60):
        clip = draw(seed, wrong_labels=1.0)
        assert clip.noisy_centres_cells.min() >= 0  # S = 81 px, stride 8: cells 0 to 10
        assert clip.noisy_centres_cells.max() <= 10


def test_the_share_of_clips_with_wrong_labels_is_as_told(draw):
    wrong = [not torch.equal(c.noisy_centres_cells, c.centres_cells) for c in map(draw, range(300))]
    assert 0.09 < sum(wrong) / 300 < 0.21  # 0.15, three standard errors of 0.02


def test_short_clips_have_no_run_of_wrong_labels(monkeypatch):
    monkeypatch.setattr(clips, "extract", lambda spec, weights, patches: patches[:, :1, :1, :1])
    for length in (1, 3):
        training = TrainingConfig(wrong_labels=1.0, label_noise=0.0)
        clip = draw_clip(Named("n"), np.random.default_rng(0), SMALL, training, {}, length=length)
        assert torch.equal(clip.noisy_centres_cells, clip.centres_cells)
