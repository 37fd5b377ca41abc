"""What the VOT toolkit would stumble over after hours is found by `roam workspace init` and `check`."""

import shutil

import pytest
from PIL import Image

from roam_tracker.commands import main

FRAMES = 6
ROW = "5,6,14,10\n"


@pytest.fixture
def ball(tmp_path):
    """A whole sequence `data/ball` of six frames in VOT layout."""
    folder = tmp_path / "data/ball"
    (folder / "color").mkdir(parents=True)
    for number in range(1, FRAMES + 1):
        Image.new("RGB", (60, 50), (40 * number, 9, 9)).save(folder / f"color/{number:08d}.jpg")
    (folder / "groundtruth.txt").write_text(ROW * FRAMES)
    (folder / "sequence").write_text("channels.color=color/%08d.jpg\n")
    return folder


def init(ball, place="ws"):
    root = ball.parents[1]
    return main(["workspace", "init", str(root / place), "--sequences", str(ball.parent)])


def refused(ball, capsys, *words, place="ws"):
    assert init(ball, place) == 2
    said = capsys.readouterr().err
    assert said.startswith(("DataError: ", "BoxError: ")) and said.count("\n") == 1
    assert all(word in said for word in words), said
    assert not (ball.parents[1] / place / "config.yaml").exists()


@pytest.mark.parametrize(
    "lines",
    [
        "",
        "fps=30\n",
        "fps = 25\nformat=default\nname=ball\n",
        "length=6\nwidth=60\nheight=50\n",
        "# made by hand\n\nfps=30\nuid=0123\nannotator=somebody\n",
    ],
)
def test_a_settings_file_that_the_toolkit_understands_is_taken(ball, lines):
    with (ball / "sequence").open("a") as file:
        file.write(lines)
    assert init(ball) == 0


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("fps=29.97", "line 2: fps is '29.97'"),
        ("fps=", "line 2: fps is ''"),
        ("fps=0", "line 2: fps is '0'"),
        ("fps=-30", "line 2: fps is '-30'"),
        ("fps=30 Hz", "line 2: fps is '30 Hz'"),
        ("fps: 30", "line 2: 'fps: 30' is not key=value"),
        ("fps 30", "line 2: 'fps 30' is not key=value"),
        ("length=99", "length is 99, the images say 6"),
        ("length=5", "length is 5, the images say 6"),
        ("length=many", "line 2: length is 'many'"),
        ("width=61", "width is 61, the images say 60"),
        ("height=60", "height is 60, the images say 50"),
        ("width=60.5", "width is '60.5'"),
        ("format=polygon", "format is 'polygon', expected `default`"),
        ("groundtruth=truth.txt", "groundtruth is 'truth.txt'"),
        ("channels.depth=depth/%08d.png", "6 boxes"),
        ("channels.color=color/%08d.bmp", "stands there twice"),
        ("fps=30\nfps=25", "line 3: fps stands there twice"),
    ],
)
def test_a_settings_file_that_it_does_not_is_named_with_the_line(ball, capsys, line, words):
    with (ball / "sequence").open("a") as file:
        file.write(f"{line}\n")
    refused(ball, capsys, "data/ball", words)


@pytest.mark.parametrize(
    ("channel", "words"),
    [
        ("color/%08d.bmp", "'color/%08d.bmp' in the file `sequence` is no pattern"),
        ("color/%08d.JPG", "is no pattern"),
        ("color/00000001.jpg", "is no pattern"),
        ("%d/%08d.jpg", "is no pattern"),
        ("colour/%08d.jpg", "6 boxes, but"),
        ("color/%06d.jpg", "images before 000001.jpg, which is missing; 00000001.jpg to 00000006.jpg are 6"),
    ],
)
def test_a_channel_that_the_toolkit_cannot_follow_is_named(ball, capsys, channel, words):
    (ball / "sequence").write_text(f"channels.color={channel}\n")
    refused(ball, capsys, words)


def test_a_settings_file_without_colour_is_refused(ball, capsys):
    (ball / "sequence").write_text("channels.ir=color/%08d.jpg\n")
    refused(ball, capsys, "has no channels.color")


@pytest.mark.parametrize("name", ["sequence", "groundtruth.txt"])
def test_a_byte_order_mark_and_utf_16_are_named(ball, capsys, name):
    text = (ball / name).read_text()
    (ball / name).write_text("\ufeff" + text, encoding="utf-8")
    refused(ball, capsys, f"ball/{name} begins with a byte order mark")
    (ball / name).write_text(text, encoding="utf-16")
    refused(ball, capsys, f"ball/{name} is a text in UTF-16")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ((ROW * FRAMES).replace(",", "\t"), "line 1: found '5\\t6\\t14\\t10', and the toolkit wants a comma"),
        ((ROW * FRAMES).replace(",", " "), "wants a comma"),
        ((ROW * FRAMES).replace(",", ";"), "wants a comma"),
        (ROW * (FRAMES - 1) + "[5,6,14,10]\n", "line 6: found"),
        (ROW * FRAMES + "\n", "has an empty line"),
        (ROW * 3 + "\n" + ROW * 3, "line 4: found 0 values"),
        (ROW * (FRAMES - 1), "has 5 boxes, but"),
        (ROW * (FRAMES + 1), "has 7 boxes, but"),
        ("nan,nan,nan,nan\n" + ROW * (FRAMES - 1), "line 1: the first box"),
        ("0\n" + ROW * (FRAMES - 1), "line 1: the first box"),
        (ROW * 5 + "1,2,3,4,5\n", "line 6: found 5 values"),
        ("5,3;6,1;14,7;10,9\n" * FRAMES, "which has decimal commas"),
    ],
)
def test_a_ground_truth_that_the_toolkit_cannot_read_is_named(ball, capsys, text, words):
    (ball / "groundtruth.txt").write_text(text)
    refused(ball, capsys, "groundtruth.txt", words)


@pytest.mark.parametrize(
    "text", [ROW.replace(",", ", ") * FRAMES, ROW * 2 + "nan,nan,nan,nan\n" + "0\n" + ROW * 2]
)
def test_blanks_after_commas_and_frames_without_a_target_are_taken(ball, text):
    (ball / "groundtruth.txt").write_text(text)
    assert init(ball) == 0


@pytest.mark.parametrize("name", ["groundtruth_rect.txt", "groundtruth_1.txt"])
def test_a_second_annotation_that_makes_several_objects_of_one_is_named(ball, capsys, name):
    (ball / name).write_text(ROW * FRAMES)
    refused(ball, capsys, name, "several objects")


def test_hidden_files_of_macos_do_no_harm(ball):
    for name in ("._groundtruth.txt", "._sequence", ".DS_Store", "._anchor.value", "color/._00000001.jpg"):
        (ball / name).write_bytes(b"\0\5\x16\7")
    shutil.copytree(ball, ball.parent / "__MACOSX")
    assert init(ball) == 0


# Numbering


def renumber(ball, first, width=8, ending="jpg"):
    files = sorted((ball / "color").iterdir())
    for number, path in enumerate(files):
        path.rename(ball / "color" / f"new{first + number:0{width}d}.{ending}")
    for path in (ball / "color").iterdir():
        path.rename(path.with_name(path.name.removeprefix("new")))


def test_images_that_count_from_0_are_named_though_their_number_fits(ball, capsys):
    renumber(ball, 0)
    refused(ball, capsys, "begins with 00000000.jpg, the toolkit with 00000001.jpg")
    (ball / "groundtruth.txt").write_text(ROW * (FRAMES - 1))  # as many as images from 1 on
    refused(ball, capsys, "begins with 00000000.jpg")


@pytest.mark.parametrize(
    ("first", "width", "ending", "words"),
    [
        (
            5,
            8,
            "jpg",
            "0 .jpg images before 00000001.jpg, which is missing; 00000005.jpg to 00000010.jpg",
        ),
        (1, 6, "jpg", "before 00000001.jpg, which is missing; 000001.jpg to 000006.jpg are 6"),
        (1, 8, "png", "before 00000001.jpg, which is missing; 00000001.png to 00000006.png are 6"),
        (1, 8, "JPG", "before 00000001.jpg, which is missing; 00000001.JPG to 00000006.JPG are 6"),
    ],
)
def test_images_of_other_names_than_the_toolkit_counts_by_are_told(ball, capsys, first, width, ending, words):
    renumber(ball, first, width, ending)
    refused(ball, capsys, words)


@pytest.mark.parametrize("number", [1, 3, 6])
def test_the_first_image_that_is_missing_is_named(ball, capsys, number):
    (ball / f"color/{number:08d}.jpg").unlink()
    refused(ball, capsys, "6 boxes, but", f"{number:08d}.jpg" if number < FRAMES else "5 .jpg images")


def test_an_image_that_cannot_be_decoded_is_named(ball, capsys):
    (ball / "color/00000001.jpg").write_bytes(b"ftypheic")
    refused(ball, capsys, "00000001.jpg cannot be read")


@pytest.mark.parametrize(
    ("text", "fine"), [("1\n0\n0\n0\n0\n-1\n", True), ("1\n" * 7, False), ("1\nx\n", False)]
)
def test_values_that_do_not_fit_the_frames_are_named(ball, capsys, text, fine):
    (ball / "anchor.value").write_text(text)
    if fine:
        assert init(ball) == 0
    else:
        refused(ball, capsys, "anchor.value")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0\n" * FRAMES, "anchor.value has no anchor"),
        ("1\n0\n0\n0\n-1\n0\n", "anchor.value, line 5: an anchor stands where groundtruth.txt has no target"),
    ],
)
def test_anchors_that_no_run_can_start_from_are_named(ball, capsys, text, words):
    (ball / "anchor.value").write_text(text)
    (ball / "groundtruth.txt").write_text(ROW * 4 + "nan,nan,nan,nan\n" + ROW)
    root = ball.parents[1]
    argv = ["workspace", "init", str(root / "ws"), "--sequences", str(ball.parent), "--config", "vot2022"]
    assert main(argv) == 2
    assert words in capsys.readouterr().err
    (ball / "anchor.value").write_text("1\n0\n0\n0\n0\n-1\n")
    assert main(argv) == 0


# Paths


@pytest.mark.parametrize("name", ["bäll", "球", "b%l", "100%"])
def test_a_path_that_trax_cannot_carry_is_refused(ball, capsys, name):
    refused(ball, capsys, "in its path, which the toolkit cannot pass", place=f"{name}/ws")
    ball.rename(ball.with_name(name))
    refused(ball.with_name(name), capsys, "in its path, which the toolkit cannot pass")


@pytest.mark.parametrize("name", ["b all", "b'all", "b#l", "b&l", "b$l", "b,l", "b(1)"])
def test_other_characters_in_a_path_are_no_trouble(ball, name):
    ball.rename(ball.with_name(name))
    assert init(ball.with_name(name), f"{name}/ws") == 0


# The check of a workspace looks again


def test_check_finds_what_was_changed_after_init(ball, capsys):
    assert init(ball) == 0
    (ball.parents[1] / "ws/results/Static/baseline/ball").mkdir(parents=True)
    with (ball / "sequence").open("a") as file:
        file.write("fps=23.976\n")
    assert main(["workspace", "check", str(ball.parents[1] / "ws")]) == 2
    assert "fps is '23.976'" in capsys.readouterr().err
