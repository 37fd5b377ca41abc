"""A finished sequence is trusted only if the same tracker made it from the same frames."""

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from roam_tracker.toolkits.experiments import main
from roam_tracker.toolkits.run.identity import code_identity, data_identity

FRAMES = 7
MINE = """
import numpy as np
from {helper} import STEP
class Mine:
    is_deterministic = True
    def init(self, image, box): self.box = np.array(box)
    def update(self, image):
        self.box = self.box + np.array([STEP, 0, 0, 0])
        return self.box
"""


@pytest.fixture
def place(tmp_path, monkeypatch):
    """A sequence `data/ball`, and a tracker `mine:Mine` that takes its step from a file beside it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("mine", "steps", "inner", "inner.steps"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    sequence(tmp_path / "data")
    (tmp_path / "mine.py").write_text(MINE.format(helper="steps"))
    (tmp_path / "steps.py").write_text("STEP = 1\n")
    return tmp_path


def sequence(root, first=(5, 6, 14, 10), shade=0):
    (root / "ball/img").mkdir(parents=True)
    for number in range(1, FRAMES + 1):
        Image.new("L", (60, 50), shade + number).save(root / f"ball/img/{number}.png")
    rows = [",".join(map(str, (first[0] + k, *first[1:]))) for k in range(FRAMES)]
    (root / "ball/groundtruth_rect.txt").write_text("\n".join(rows) + "\n")


def run(capsys, root="data", tracker="mine:Mine"):
    """What the command says, and the boxes that it leaves; a fresh process would import the tracker again."""
    for name in ("mine", "steps", "inner", "inner.steps"):
        sys.modules.pop(name, None)
    argv = ["--dataset", "folder", "--root", str(root), "--tracker", tracker, "--workers", "0"]
    assert main(argv) == 0
    file = Path("results", Path(root).name, tracker.partition(":")[2] or tracker, "ball.txt")
    return capsys.readouterr().out, np.loadtxt(file, delimiter=",")


def test_a_tracker_that_is_edited_is_run_again_and_its_file_is_named(place, capsys):
    run(capsys)
    said, _ = run(capsys)
    assert "1 of 1 sequences finished before" in said
    (place / "mine.py").write_text((place / "mine.py").read_text().replace("STEP, 0", "3, 0"))
    said, boxes = run(capsys)
    assert (
        "Mine ball: the result found is not trusted (the tracker's code has changed since, mine.py)" in said
    )
    assert boxes[-1].tolist() == [5 + 3 * (FRAMES - 1), 6, 14, 10]


def test_a_file_that_the_tracker_imports_is_part_of_it(place, capsys):
    run(capsys)
    (place / "steps.py").write_text("STEP = 20\n")
    said, boxes = run(capsys)
    assert "has changed since, steps.py" in said and boxes[1, 0] == 25


def test_a_module_in_a_package_beside_the_tracker_is_part_of_it(place, capsys):
    (place / "inner").mkdir()
    (place / "inner/__init__.py").write_text("")
    (place / "inner/steps.py").write_text("from . import more\nSTEP = 1\n")
    (place / "inner/more.py").write_text("")
    (place / "mine.py").write_text(MINE.format(helper="inner.steps"))
    run(capsys)
    sys.modules.pop("inner.more", None)
    (place / "inner/more.py").write_text("# edited\n")
    said, _ = run(capsys)
    assert "has changed since, inner/more.py" in said


def test_a_file_beside_it_that_the_tracker_does_not_import_is_no_part_of_it(place, capsys):
    run(capsys)
    (place / "other.py").write_text("print('unrelated')\n")
    assert "1 of 1 sequences finished before" in run(capsys)[0]


def test_another_first_box_makes_the_sequence_again(place, capsys):
    run(capsys)
    shutil.rmtree(place / "data")
    sequence(place / "data", first=(9, 6, 14, 10))
    said, boxes = run(capsys)
    assert "not trusted (it was made from other frames or another first box), run again" in said
    assert boxes[0].tolist() == [9, 6, 14, 10]


@pytest.mark.parametrize("number", range(1, FRAMES + 1))
def test_any_other_image_of_another_size_makes_the_sequence_again(place, capsys, number):
    run(capsys)
    Image.effect_noise((60, 50), 90).save(place / f"data/ball/img/{number}.png")
    assert "made from other frames" in run(capsys)[0]


def test_a_truth_that_differs_after_the_first_row_changes_no_result(place, capsys):
    run(capsys)
    truth = place / "data/ball/groundtruth_rect.txt"
    truth.write_text(truth.read_text().replace("7,6,14,10", "8,6,14,10"))
    assert "1 of 1 sequences finished before" in run(capsys)[0]


def test_two_roots_of_one_name_do_not_share_results_and_copies_of_one_do(place, capsys):
    run(capsys)
    sequence(place / "elsewhere/data", shade=100)
    assert "made from other frames" in run(capsys, place / "elsewhere/data")[0]
    shutil.copytree(place / "elsewhere/data", place / "copy/data")
    assert "1 of 1 sequences finished before" in run(capsys, place / "copy/data")[0]


def test_a_manifest_that_does_not_tell_of_the_data_is_not_trusted(place, capsys):
    run(capsys)
    path = place / "results/data/Mine/manifest.json"
    manifest = json.loads(path.read_text())
    del manifest["runs"][0]["sequences"]["ball"]["data"]
    path.write_text(json.dumps(manifest))
    assert "manifest.json does not tell from which frames it was made" in run(capsys)[0]


def test_our_own_trackers_have_no_code_in_the_manifest_and_notice_other_data(place, capsys):
    run(capsys, tracker="Static")
    assert "code" not in json.loads((place / "results/data/Static/manifest.json").read_text())["runs"][0]
    shutil.rmtree(place / "data")
    sequence(place / "data", shade=50)
    assert "made from other frames" in run(capsys, tracker="Static")[0]


def test_the_digest_of_data_ignores_where_the_files_lie(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"{folder}.png").write_bytes(b"image")
    first, second = (data_identity([str(tmp_path / name / f"{name}.png")], (1, 2, 3, 4)) for name in "ab")
    assert first == second != data_identity([str(tmp_path / "a/a.png")], (1, 2, 3, 5))


def test_a_class_without_a_file_has_no_code_to_compare():
    assert code_identity(type("Made", (), {"__module__": "nowhere"})) == {}
