"""`roam track`: what is read, what is written, and that what was tracked before a break is kept."""

import functools
import os
import signal
import subprocess
import sys
import threading
import time
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest
from PIL import Image

from roam_tracker import RoamTracker
from roam_tracker.commands import main
from roam_tracker.core.geometry import overlap
from roam_tracker.errors import BoxError, ConfigError, DataError, ImageError
from roam_tracker.video import follow as video
from roam_tracker.video.drawing import ResponseView, annotate
from roam_tracker.video.follow import Film, draw_box, read_box, response_view
from roam_tracker.video.frames import Frames

pytestmark = pytest.mark.slow

BOX = "40,50,32,32"


@pytest.fixture
def folder(moving_square, tmp_path):
    """Frames 1.png, 2.png, ..., 12.png: 10 comes after 9."""
    (tmp_path / "images").mkdir()
    for number, frame in enumerate(moving_square[0][:12], start=1):
        Image.fromarray(frame).save(tmp_path / "images" / f"{number}.png")
    return tmp_path / "images"


@pytest.fixture
def film(moving_square, tmp_path):
    path = tmp_path / "film.avi"
    with Film(path, 25.0) as writer:
        for frame in moving_square[0]:
            writer.add(frame)
    return path


def run(*words):
    return main(["track", *map(str, words), "--device", "cpu"])


def drawn(path):
    reader, frames = cv2.VideoCapture(str(path)), []
    while (read := reader.read())[0]:
        frames.append(read[1][:, :, ::-1])
    return frames


@pytest.mark.parametrize("source", ["folder", "film"])
def test_the_target_is_found_and_written_in_all_forms(source, moving_square, tmp_path, request, capsys):
    assert run(request.getfixturevalue(source), "--box", BOX, "--out", tmp_path / "out", "--response") == 0
    truth = moving_square[1][: 12 if source == "folder" else 20]
    head, *rows = (tmp_path / "out/boxes.csv").read_text().splitlines()
    assert head == "frame,x,y,w,h,score"
    table = np.array([row.split(",") for row in rows], dtype=float)
    assert table[:, 0].tolist() == list(range(1, len(truth) + 1))
    assert table[0, 1:].tolist() == [40, 50, 32, 32, 1]
    assert (overlap(table[:, 1:5], truth) > 0.5).all()
    assert np.array_equal(np.loadtxt(tmp_path / "out/boxes.txt", delimiter=","), table[:, 1:5])
    frames = drawn(tmp_path / "out/video.mp4")
    assert len(frames) == len(truth)
    assert frames[0].shape == (480, 600, 3)  # three times 160 x 200
    said = capsys.readouterr()
    assert "video.mp4" in said.out
    assert f"{len(truth)} frames, " in said.err and "a second" in said.err
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "boxes.csv", "boxes.txt", "video.mp4",
    ]  # fmt: skip


def test_without_a_file_to_write_the_rows_are_printed(folder, capsys):
    assert run(folder, "--box", BOX, "--start-frame", 3, "--frames", 4) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head == "frame,x,y,w,h,score"
    assert [row.split(",")[0] for row in rows] == ["3", "4", "5", "6"]


def test_some_frames_of_a_video_and_of_a_folder_are_the_same_ones(folder, film, moving_square):
    for source, exact in ((folder, True), (film, False)):
        found = list(Frames(str(source), first=10, most=2))
        assert [number for number, _ in found] == [10, 11]
        for number, image in found:
            off = np.abs(image.astype(int) - moving_square[0][number - 1])
            assert off.max() == 0 if exact else off.mean() < 12  # JPEG


def test_images_are_looked_for_in_img_and_color_too(folder, tmp_path):
    folder.rename(tmp_path / "img")
    assert len(list(Frames(str(tmp_path)))) == 12


# What cannot be used


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["nowhere.mp4"], "nowhere.mp4 does not exist"),
        (["."], "holds no images"),
        (["torn.mp4"], "torn.mp4 cannot be read as a video"),
        (["99"], "Camera 99 cannot be opened"),
        (["images", "--start-frame", "13"], "has 12 frames, so none can be tracked from 13"),
        (["images", "--start-frame", "0"], "count from 1"),
        (["images", "--box", "1,2,3"], "four numbers"),
        (["images", "--box", "a,b,c,d"], "four numbers"),
        (["images", "--box", "500,1,9,9"], "lies outside the image of 200 x 160 px"),
        (["images", "--video", "a.mov"], "must end in .mp4, .avi, .webm"),
        (["images", "--response"], "drawn into a video"),
        (["images", "--preset", "defaul"], "did you mean 'default'"),
    ],
)
def test_what_cannot_be_used_is_one_sentence_and_status_2(folder, words, told, monkeypatch, capsys):
    monkeypatch.chdir(folder.parent)
    (folder.parent / "torn.mp4").write_bytes(b"\x00" * 100)
    assert main(["track", "--box", BOX, "--device", "cpu", *words]) == 2
    said = capsys.readouterr()
    assert told in said.err and said.err.count("\n") == 1
    assert said.out == ""


def test_a_place_that_cannot_be_written_is_told_with_status_1(folder, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    (tmp_path / "b.mp4").mkdir()
    for option in ("--csv", "--video"):
        for place in ("file/a.mp4", "b.mp4"):
            assert run(folder, "--box", BOX, option, tmp_path / place) == 1
            assert f"{place} could not be written: " in capsys.readouterr().err


def test_places_are_looked_at_before_the_work_begins(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(RoamTracker, "init", lambda *_: pytest.fail("has begun"))
    (tmp_path / "file").write_text("")
    assert run(folder, "--box", BOX, "--csv", tmp_path / "file/a.csv") == 1


# Breaks


def assert_kept(out, rows):
    assert len((out / "boxes.csv").read_text().splitlines()) == rows + 1
    assert len((out / "boxes.txt").read_text().splitlines()) == rows
    assert len(drawn(out / "video.mp4")) == rows


def test_an_unreadable_frame_ends_the_run_and_keeps_what_was_tracked(folder, tmp_path, capsys):
    (folder / "7.png").write_bytes((folder / "7.png").read_bytes()[:200])
    assert run(folder, "--box", BOX, "--out", tmp_path / "out") == 2
    said = capsys.readouterr().err
    assert "7.png cannot be read" in said and said.count("\n") == 1
    assert_kept(tmp_path / "out", 6)


def test_a_video_that_is_cut_short_ends_the_run_and_keeps_what_was_tracked(film, tmp_path, capsys):
    film.write_bytes(film.read_bytes()[: film.stat().st_size // 2])
    assert run(film, "--box", BOX, "--out", tmp_path / "out") in (0, 2)
    read = len(drawn(film))
    assert 2 < read < 20
    assert_kept(tmp_path / "out", read)


def test_a_video_with_fewer_frames_than_it_says_is_named(film, monkeypatch):
    frames = Frames(str(film))
    frames.total = 30
    with pytest.raises(ImageError, match=r"film\.avi cannot be read beyond frame 20 of 30"):
        list(frames)
    frames = Frames(str(film), first=10)
    frames.video.set(cv2.CAP_PROP_POS_FRAMES, 19)
    with pytest.raises(DataError, match="so none can be tracked from 10"):
        list(frames)


def test_ctrl_c_keeps_what_was_tracked(folder, tmp_path, capsys, monkeypatch):
    update = RoamTracker.update

    def interrupted(self, image):
        if self.state.frames == 4:
            raise KeyboardInterrupt
        return update(self, image)

    monkeypatch.setattr(RoamTracker, "update", interrupted)
    assert run(folder, "--box", BOX, "--out", tmp_path / "out") == 130
    assert "Interrupted" in capsys.readouterr().err
    assert_kept(tmp_path / "out", 5)


def test_the_signal_ends_a_running_command_in_the_same_way(folder, tmp_path):
    for number in range(13, 600):
        (folder / f"{number}.png").symlink_to(folder / f"{(number - 1) % 12 + 1}.png")
    command = [sys.executable, "-m", "roam_tracker", "track", str(folder), "--box", BOX, "--device", "cpu"]
    process = subprocess.Popen(
        [*command, "--video", str(tmp_path / "a.mp4"), "--csv", str(tmp_path / "a.csv")],
        stderr=subprocess.PIPE, text=True, env=os.environ | {"OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    for _ in range(400):  # until the video is being written
        time.sleep(0.1)
        if any(file.stat().st_size > 0 for file in tmp_path.glob(".a.mp4.*/*")):
            break
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=60)[1]
    assert process.returncode == 130, said
    rows = (tmp_path / "a.csv").read_text().splitlines()[1:]
    assert 0 < len(rows) < 599
    assert len(rows) - len(drawn(tmp_path / "a.mp4")) in (0, 1)  # the frame at hand may not be drawn yet


# The mouse


def test_without_a_screen_the_box_is_asked_for(folder, monkeypatch, capsys):
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert run(folder) == 2
    assert "no screen here to draw a box on. Give it: --box x,y,w,h" in capsys.readouterr().err


def test_a_display_that_does_not_answer_is_no_screen(monkeypatch):
    monkeypatch.setenv("DISPLAY", ":987")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(ConfigError, match="no screen"):
        draw_box(np.zeros((4, 4, 3), np.uint8))


def test_a_drawn_box_is_taken_and_a_click_is_none(monkeypatch):
    monkeypatch.setattr(video, "_has_screen", lambda: True)
    monkeypatch.setattr(cv2, "destroyAllWindows", lambda: None)
    monkeypatch.setattr(cv2, "selectROI", lambda *_, **__: (3, 4, 5, 6))
    assert draw_box(np.zeros((9, 9, 3), np.uint8)).tolist() == [3, 4, 5, 6]
    monkeypatch.setattr(cv2, "selectROI", lambda *_, **__: (0, 0, 0, 0))
    with pytest.raises(BoxError, match="No box was drawn"):
        draw_box(np.zeros((9, 9, 3), np.uint8))


def test_a_box_may_be_written_with_commas_or_blanks():
    assert read_box("1,2, 3.5,4").tolist() == read_box(" 1 2 3.5 4").tolist() == [1, 2, 3.5, 4]


# What is drawn


def test_the_response_is_shown_where_the_target_is_and_changes_nothing(moving_square):
    frames, boxes = moving_square
    plain, watched = RoamTracker(device="cpu"), RoamTracker(device="cpu")
    assert response_view(watched, frames[0]) is None
    for tracker in (plain, watched):
        tracker.init(frames[0], boxes[0])
    for frame, box in zip(frames[1:8], boxes[1:8], strict=True):
        view = response_view(watched, frame)
        assert watched.update(frame).tobytes() == plain.update(frame).tobytes()
        assert min(view.values.max(), 1) == pytest.approx(watched.score)
        row, column = np.unravel_index(view.values.argmax(), view.values.shape)
        left, top, wide, high = view.place
        x, y = left + (column + 0.5) / len(view.values) * wide, top + (row + 0.5) / len(view.values) * high
        assert abs(x - box[0] - 16) < 8 and abs(y - box[1] - 16) < 8  # half a cell is 3 px here


def test_the_overlay_glows_at_the_peak_and_leaves_the_rest():
    frame = np.full((400, 400, 3), 100, np.uint8)
    values = np.zeros((8, 8), np.float32)
    values[2, 5] = 1  # the cell from (275, 150) to (325, 200)
    bare = annotate(frame, np.array([10.0, 300, 20, 20]), 0.5, 1)
    shown = annotate(frame, np.array([10.0, 300, 20, 20]), 0.5, 1, ResponseView(values, (25, 50, 400, 400)))
    changed = np.abs(shown.astype(int) - bare).sum(2)
    rows, columns = np.nonzero(changed > 150)
    assert abs(columns.mean() - 300) < 2 and abs(rows.mean() - 175) < 2
    assert changed[330:, 50:200].max() == 0


@pytest.mark.parametrize("size", [(160, 200), (161, 121), (480, 641), (1080, 1920), (1, 1), (3, 700)])
@pytest.mark.parametrize("box", [(-40, -30, 60, 50), (5, 0, 3, 2), (-1e3, -1e3, 9e3, 9e3), (900, 900, 1, 1)])
def test_frames_of_any_size_are_drawn_with_even_sides(size, box):
    canvas = annotate(np.zeros((*size, 3), np.uint8), np.array(box, dtype=float), 0.3, 12345)
    assert canvas.dtype == np.uint8 and canvas.shape[0] % 2 == canvas.shape[1] % 2 == 0
    assert canvas.max() > 150


@pytest.mark.parametrize("ending", [".mp4", ".avi", ".webm"])
def test_every_kind_of_video_can_be_read_again_at_its_own_speed(ending, tmp_path):
    with Film(tmp_path / f"a{ending}", 12.5) as film:
        for k in range(5):
            film.add(np.full((64, 96 - 16 * (k == 3), 3), 50 * k, np.uint8))  # one of another size
    frames = drawn(tmp_path / f"a{ending}")
    assert [frame.shape for frame in frames] == [(64, 96, 3)] * 5
    assert [round(float(frame.mean()) / 50) for frame in frames] == [0, 1, 2, 3, 4]
    assert Frames(str(tmp_path / f"a{ending}")).fps == 12.5


def test_a_video_that_the_disk_swallowed_is_an_error(tmp_path, monkeypatch):
    film = Film(tmp_path / "a.mp4", 25)
    film.add(np.zeros((64, 96, 3), np.uint8))
    film.writer.release()
    film.file.write_bytes(b"")
    with pytest.raises(Exception, match=r"a\.mp4 could not be written: .*the disk may be full"):
        film.__exit__(None, None, None)
    assert list(tmp_path.iterdir()) == []


# The command line: boxes, patterns, streams, devices


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--box", "-3,6,14,10"], [-3, 6, 14, 10]),
        (["--box=-3,6,14,10"], [-3, 6, 14, 10]),
        (["--box", "-3.5,-2,20,20"], [-3.5, -2, 20, 20]),
        (["--box", "40", "50", "32", "32"], [40, 50, 32, 32]),
        (["--box", "-3", "-6", "14", "10"], [-3, -6, 14, 10]),
        (["--box", "40,", "50,", "32,", "32"], [40, 50, 32, 32]),
    ],
)
def test_a_box_is_taken_as_one_word_or_four_and_may_begin_left_of_the_image(folder, words, first, tmp_path):
    out = tmp_path / "boxes.txt"
    assert run(*words, folder, "--frames", 2, "--txt", out) == 0
    assert np.loadtxt(out, delimiter=",")[0].tolist() == first


@pytest.mark.parametrize("words", [["--box", "1", "2", "3"], ["--box", "-1,2,3"], ["--box", "1,2,3,4,5"]])
def test_a_box_of_other_than_four_numbers_is_one_sentence(folder, words, capsys):
    assert run(folder, *words, "--frames", 1) == 2
    error = capsys.readouterr().err
    assert error.startswith("BoxError: A box must be four numbers") and error.count("\n") == 1


def numbers_in(source, **options):
    return [image[0, 0, 0] for _, image in Frames(str(source), **options)]


@pytest.mark.parametrize(
    ("pattern", "numbers"),
    [("%d.png", [2, 9, 10, 100]), ("%03d.png", [7, 100]), ("%02d.png", [10, 100]), ("f_%d.png", [3, 20])],
)
def test_a_pattern_stands_for_the_images_with_its_numbers_in_their_order(tmp_path, pattern, numbers):
    for name, shade in [("2", 2), ("9", 9), ("10", 10), ("100", 100), ("007", 7), ("f_20", 20), ("f_3", 3)]:
        Image.new("RGB", (20, 20), (shade, 0, 0)).save(tmp_path / f"{name}.png")
    assert numbers_in(tmp_path / pattern) == numbers


def test_a_pattern_that_fits_no_image_is_named(tmp_path, capsys):
    Image.new("RGB", (20, 20)).save(tmp_path / "1.png")
    for pattern in ("%04d.png", "%d.jpg"):
        assert run(tmp_path / pattern, "--box", "1,1,9,9") == 2
        assert f"No image fits the pattern {tmp_path / pattern}" in capsys.readouterr().err


def test_images_count_from_0_with_gaps_capitals_and_strangers_among_them(tmp_path):
    for name, shade in [("Frame 0.PNG", 10), ("frame 2.png", 12), ("frame 10.Png", 20), ("frame 3.webp", 13)]:
        form = "webp" if name.endswith("webp") else "png"
        Image.new("RGB", (20, 20), (shade, 0, 0)).save(tmp_path / name, form, lossless=True)
    for stranger in ("._frame 1.png", ".DS_Store", "Thumbs.db", "notes.txt"):
        (tmp_path / stranger).write_bytes(b"no image")
    (tmp_path / "frame 2 (1).png").write_bytes((tmp_path / "frame 2.png").read_bytes())
    assert numbers_in(tmp_path) == [10, 12, 13, 20]


def test_a_stream_over_http_is_followed(film, tmp_path):
    handler = functools.partial(SimpleHTTPRequestHandler, directory=str(film.parent))
    handler.log_message = lambda *words: None
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        address = f"http://127.0.0.1:{server.server_port}/{film.name}"
        assert run(address, "--box", BOX, "--frames", 5, "--txt", tmp_path / "b.txt") == 0
        server.shutdown()
    assert np.loadtxt(tmp_path / "b.txt", delimiter=",").shape == (5, 4)


@pytest.mark.parametrize(
    "source", ["rtsp://127.0.0.1:9/cam", "http://127.0.0.1:9/a.mp4", "udp://nowhere.invalid:1"]
)
def test_a_stream_that_nobody_sends_is_one_sentence(source, capfd):
    assert run(source, "--box", BOX) == 2
    error = capfd.readouterr().err
    assert f"The stream {source} cannot be opened" in error and error.count("\n") == 1


@pytest.mark.parametrize("device", ["mps", "xpu", "meta", "gpu", "cuda:99", "0"])
def test_a_device_that_is_not_here_is_one_sentence(folder, device, capsys):
    assert main(["track", str(folder), "--box", BOX, "--device", device]) == 2
    error = capsys.readouterr().err
    assert f"ConfigError: Device '{device}'" in error and error.count("\n") == 1


def test_16_bits_give_the_boxes_of_the_same_scene_in_8(folder, tmp_path):
    for kind in ("eight", "sixteen"):
        (tmp_path / kind).mkdir()
    for path in folder.iterdir():
        grey = np.asarray(Image.open(path).convert("L"))
        # half a row each of black and white, so that the range is that of 8 bits
        grey = np.concatenate([grey, np.full((1, grey.shape[1]), 0, np.uint8)])
        grey[-1, 100:] = 255
        Image.fromarray(grey).save(tmp_path / "eight" / path.name)
        Image.fromarray(grey.astype(np.uint16) + 7000).save(tmp_path / "sixteen" / path.name)
    for kind in ("eight", "sixteen"):
        assert run(tmp_path / kind, "--box", BOX, "--txt", tmp_path / f"{kind}.txt") == 0
    assert (tmp_path / "eight.txt").read_text() == (tmp_path / "sixteen.txt").read_text()
