"""Every benchmark in its own layout through the toolkit's classes, offline; our report finds the same."""

import json
import shutil
import socket
import zipfile
from pathlib import Path

import numpy as np
import pytest
from layouts import dtb70, got10k_set, images, lasot, nfs, otb, rows, tcolor128, trackingnet, truth, uav

from roam_tracker.datasets import open_dataset
from roam_tracker.errors import DataError, ResultError
from roam_tracker.report import evaluate, load
from roam_tracker.toolkits.experiments import main
from roam_tracker.toolkits.got10k.archives import write_archive

pytestmark = pytest.mark.slow

LAYOUTS = {
    "OTB2013": (otb, "OTB2013"),
    "OTB50": (lambda root: otb(root, ("Basketball", "Woman")), "OTB50"),
    "OTB2015": (otb, "OTB2015"),
    "GOT-10k": (got10k_set, "GOT-10k"),
    "UAV123": (uav, "UAV123"),
    "UAV20L": (lambda root: uav(root, "UAV20L", ("uav1",)), "UAV20L"),
    "NfS240": (lambda root: nfs(root, 240), "NfS/240"),
    "NfS30": (lambda root: nfs(root, 30), "NfS/30"),
    "DTB70": (dtb70, "DTB70"),
    "TColor128": (tcolor128, "TColor128"),
    "LaSOT": (lasot, "LaSOT"),
    "TrackingNet": (lambda root: trackingnet(root, hidden=False), "TrackingNet"),
}
SAME = {
    "success_score": "auc",
    "precision_score": "precision",
    "normalized_precision_score": "normalised_precision",
}


@pytest.fixture(autouse=True)
def _offline(monkeypatch, tmp_path):
    def no_network(*args, **kwargs):
        raise AssertionError("the run asked for the network")

    monkeypatch.setattr(socket.socket, "connect", no_network)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(Path(__file__).parent))


def run(dataset, root, *options, tracker="trackers:Still"):
    return main(["--tracker", tracker, "--dataset", dataset, "--root", str(root), "--workers", "0", *options])


def scores(title, tracker="Still"):
    return json.loads(Path("reports", title, tracker, "performance.json").read_text())[tracker]["overall"]


@pytest.mark.parametrize("dataset", LAYOUTS)
def test_the_toolkits_report_and_ours_agree_on(dataset, tmp_path):
    make, title = LAYOUTS[dataset]
    make(tmp_path / "data")
    assert run(dataset, tmp_path / "data") == 0
    overall = scores(title)
    (ours,) = evaluate(load(dataset, tmp_path / "results", tmp_path / "data")).table.to_dict("records")
    if dataset == "GOT-10k":
        assert overall["ao"] == pytest.approx(ours["ao"], abs=1e-12)
        assert overall["sr"] == pytest.approx(ours["sr50"], abs=1e-12)
    else:
        shared = {key: column for key, column in SAME.items() if key in overall}
        assert len(shared) >= 2
        for key, column in shared.items():
            assert overall[key] == pytest.approx(ours[column], abs=1e-12), key
    assert 0 < next(iter(ours[column] for column in ("auc", "ao") if column in ours)) < 1
    assert overall["speed_fps"] == pytest.approx(ours["toolkit_fps"])
    assert ours["sequences"] == (1 if dataset == "UAV20L" else 2)


def test_nfs_at_30_takes_every_eighth_row(tmp_path):
    nfs(tmp_path, 30)
    found, boxes = open_dataset("nfs", str(tmp_path), 30)["bunny"]
    assert len(found) == len(boxes) == 10
    np.testing.assert_allclose(boxes, truth(80, 1)[::8], atol=1e-4)


def test_trackingnets_frames_are_in_the_order_of_their_numbers(tmp_path):
    trackingnet(tmp_path)
    found = open_dataset("trackingnet", str(tmp_path))[0][0]
    assert [Path(file).stem for file in found] == [str(number) for number in range(12)]


@pytest.mark.parametrize("flat", [False, True])
def test_lasot_is_found_by_class_and_side_by_side(tmp_path, flat):
    lasot(tmp_path, flat=flat)
    dataset = open_dataset("lasot", str(tmp_path), "test")
    assert dataset.seq_names == ["airplane-1", "zebra-10"]
    assert (dataset.total, len(dataset.missing)) == (280, 278)
    assert dataset.absent(0, 14).nonzero()[0].tolist() == [4, 5, 6, 7]


# Archives for the servers


def test_got10ks_test_set_leaves_the_archive_that_the_server_takes(tmp_path, capsys):
    got10k_set(tmp_path / "data", "test")
    assert run("GOT-10k-test", tmp_path / "data") == 0
    with zipfile.ZipFile("results/GOT-10k-test/Still.zip") as bundle:
        name = "GOT-10k_Val_000001"
        assert f"{name}/{name}_001.txt" in bundle.namelist()
        assert f"{name}/{name}_time.txt" in bundle.namelist()
        assert len(bundle.namelist()) == 4  # no manifest among them
        assert bundle.read(f"{name}/{name}_001.txt").count(b"\n") == 12
    assert "Submission archive" in capsys.readouterr().out
    first = Path("results/GOT-10k-test/Still.zip").read_bytes()
    assert run("GOT-10k-test", tmp_path / "data") == 0
    assert Path("results/GOT-10k-test/Still.zip").read_bytes() == first


def test_trackingnets_test_set_leaves_the_archive_and_says_what_it_lacks(tmp_path, capsys):
    trackingnet(tmp_path / "data")
    assert run("TrackingNet", tmp_path / "data") == 0
    with zipfile.ZipFile("results/TrackingNet/Still.zip") as bundle:
        assert bundle.namelist() == ["0-6LB4FqxoE_0.txt", "zlMG6HhAm6E_0.txt"]
        assert bundle.read("0-6LB4FqxoE_0.txt").count(b"\n") == 12
    assert "lacks 509 of 511 sequences" in capsys.readouterr().out
    assert not Path("reports").exists()


@pytest.mark.parametrize("row", ["1,2,0,4", "1,2,3,-4", "1,nan,3,4"])
def test_a_box_that_the_server_refuses_is_named_before_the_archive_is_written(tmp_path, row):
    trackingnet(tmp_path)
    (tmp_path / "a.txt").write_text(f"1,2,3,4\n{row}\n")
    with pytest.raises(ResultError, match=r"a\.txt, line 2: .* is refused by the server"):
        write_archive(
            tmp_path / "a.zip", tmp_path, [tmp_path / "a.txt"], open_dataset("trackingnet", str(tmp_path))
        )
    assert not (tmp_path / "a.zip").exists()


# Partial copies, odd names, odd files


@pytest.mark.parametrize("dataset", ["UAV123", "LaSOT", "OTB2015"])
def test_a_partial_copy_says_what_it_lacks_and_runs(dataset, tmp_path, capsys):
    make, _ = LAYOUTS[dataset]
    make(tmp_path / "data")
    assert run(dataset, tmp_path / "data") == 0
    said = capsys.readouterr().out
    total = {"UAV123": 123, "LaSOT": 280, "OTB2015": 100}[dataset]
    assert f"{dataset}: 2 of {total} sequences" in said
    assert "left out: " in said


@pytest.mark.parametrize("spelling", ["Jogging.{}", "Jogging-{}", "Jogging_{}"])
def test_targets_in_folders_of_their_own_get_the_benchmarks_names(tmp_path, spelling):
    otb(tmp_path, (spelling.format(1), spelling.format(2), "Human4_2"))
    dataset = open_dataset("otb", str(tmp_path), "OTB2015")
    assert dataset.seq_names == ["Human4", "Jogging.1", "Jogging.2"]
    assert dataset.check() == [12, 12, 12]


def test_two_folders_of_one_sequence_are_refused(tmp_path):
    otb(tmp_path, ("Human4", "Human4_2"))
    with pytest.raises(DataError, match="are both Human4"):
        open_dataset("otb", str(tmp_path), "OTB2015")


RANGES = {
    "David": (770, 300, 770),
    "Football1": (81, 1, 74),
    "Freeman3": (500, 1, 460),
    "Freeman4": (300, 1, 283),
}
RANGES |= {"Diving": (231, 1, 215), "Tiger1": (354, 6, 354)}


@pytest.mark.parametrize("name", RANGES)
def test_a_video_of_which_a_range_is_annotated_begins_and_ends_there(tmp_path, name):
    count, first, last = RANGES[name]
    images(tmp_path / name / "img", count)
    (tmp_path / name / "groundtruth_rect.txt").write_text(rows(truth(last - first + 1)))
    found, boxes = open_dataset("otb", str(tmp_path), "OTB2015")[name]
    assert len(found) == len(boxes) == last - first + 1
    assert (int(Path(found[0]).stem), int(Path(found[-1]).stem)) == (first, last)


def test_tiger1_annotated_from_its_first_frame_on_keeps_all_of_them(tmp_path):
    otb(tmp_path, ("Tiger1",), 354)
    assert open_dataset("otb", str(tmp_path), "OTB2015").check() == [354]


@pytest.mark.parametrize("separator", [",", "\t", " ", "  ", ", "])
def test_separators_of_all_kinds_are_read(tmp_path, separator):
    otb(tmp_path, ("Deer",), separators=(separator,))
    np.testing.assert_allclose(open_dataset("otb", str(tmp_path), "OTB2015")["Deer"][1], truth(12), atol=1e-4)


def test_a_folder_in_got10ks_layout_needs_no_labels_and_may_have_polygons(tmp_path):
    for name in ("mine", "yours"):
        images(tmp_path / "own" / name, 12, "{:08d}.jpg")
    (tmp_path / "own/mine/groundtruth.txt").write_text(rows(truth(12)))
    corners = [f"{x},{y},{x + w},{y},{x + w},{y + h},{x},{y + h}\n" for x, y, w, h in truth(12)]
    (tmp_path / "own/yours/groundtruth.txt").write_text("".join(corners))
    dataset = open_dataset("folder", str(tmp_path / "own"))
    np.testing.assert_allclose(dataset["yours"][1], dataset["mine"][1], atol=1e-4)
    assert run("folder", tmp_path / "own") == 0
    assert scores("own")["ao"] > 0
    assert Path("results/own/Still/yours/yours_001.txt").is_file()


def test_absent_rows_of_nan_and_of_zeros_are_no_fault_but_in_the_first_frame(tmp_path, capsys):
    otb(tmp_path / "own", ("a",))
    boxes = truth(12)
    boxes[3], boxes[4] = np.nan, 0
    (tmp_path / "own/a/groundtruth_rect.txt").write_text(rows(boxes))
    assert run("folder", tmp_path / "own") == 0
    boxes[0] = 0
    (tmp_path / "own/a/groundtruth_rect.txt").write_text(rows(boxes))
    assert run("folder", tmp_path / "own") == 2
    assert "groundtruth_rect.txt, line 1: the first box" in capsys.readouterr().err


# Half a download, in every layout: named before anything runs


def image_gone(root):
    """Two of them: NfS's own tool puts up with one."""
    for path in sorted(root.rglob("*.jpg"))[-7:-5]:
        path.unlink()


def letters(root):
    files = [path for path in root.rglob("*.txt") if path.stat().st_size > 100]
    path = sorted(files)[-1]
    path.write_text(path.read_text().replace(path.read_text().split()[5], "a b c d e", 1))


@pytest.mark.parametrize("damage", [image_gone, letters])
@pytest.mark.parametrize("dataset", sorted(set(LAYOUTS) - {"OTB2013", "OTB50", "UAV20L"}))
def test_a_damaged_copy_is_named_by_its_file_before_anything_runs(dataset, damage, tmp_path, capsys):
    LAYOUTS[dataset][0](tmp_path / "data")
    damage(tmp_path / "data")
    assert run(dataset, tmp_path / "data") == 2
    said = capsys.readouterr().err
    assert said.startswith("DataError: ") and said.count("\n") == 1
    assert str(tmp_path / "data") in said
    assert not Path("results").exists()


@pytest.mark.parametrize("dataset", [*sorted(LAYOUTS), "folder", "GOT-10k-test"])
def test_a_root_that_holds_nothing_of_it_is_refused(dataset, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    assert run(dataset, tmp_path / "empty") == 2
    said = capsys.readouterr().err
    assert said.startswith("DataError: ") and "empty" in said and said.count("\n") == 1


def test_uav_sequences_of_other_names_and_got10k_folders_that_are_missing_are_named(tmp_path, capsys):
    uav(tmp_path / "u")
    (tmp_path / "u/anno/UAV123/uav6.txt").rename(tmp_path / "u/anno/UAV123/uav66.txt")
    assert run("UAV123", tmp_path / "u") == 2
    assert "uav66.txt is no sequence of UAV123" in capsys.readouterr().err
    got10k_set(tmp_path / "g", "test")
    shutil.rmtree(tmp_path / "g/test/GOT-10k_Val_000001")
    assert run("GOT-10k-test", tmp_path / "g") == 0
    assert "left out: GOT-10k_Val_000001" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["../outside", "/tmp", "..", ".", "a/b", "a\\b"])
@pytest.mark.parametrize("layout", ["got10k", "folder"])
def test_a_list_that_names_a_folder_elsewhere_is_refused(tmp_path, layout, name):
    got10k_set(tmp_path)
    with (tmp_path / "val/list.txt").open("a") as listed:
        listed.write(f"{name}\n")
    with pytest.raises(DataError, match="leads out of the folder"):
        open_dataset(layout, str(tmp_path if layout == "got10k" else tmp_path / "val"))
