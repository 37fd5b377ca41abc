"""What lies below --results is in the table, or it is named with the reason."""

import io
import tarfile

import numpy as np
import pytest
from made import NAMES, pack, put, put_results, put_truth, result_of, run, scored, text_of, truth_of

pytestmark = pytest.mark.slow


@pytest.fixture
def place(tmp_path):
    """Truth of four sequences and one tracker, Good, that has all of them."""
    put_truth(tmp_path)
    put_results(tmp_path / "results" / "Good")
    return tmp_path


# ---------------------------------------------------------------- layouts that are read


@pytest.mark.parametrize(
    "folder", ["KCF", "KCF/OTB100", "KCF/OTB2015", "KCF/results", "OPE/KCF", "KCF/results/OTB100", "KCF/txt"]
)
def test_results_a_folder_or_two_deeper_are_read_under_the_trackers_name(place, capsys, folder):
    put_results(place / "results" / folder)
    status, _ = run(place, capsys)
    assert status == 0 and scored(place) == {"Good": 4, "KCF": 4}


def test_several_settings_of_one_tracker_are_told_apart(place, capsys):
    for name in ("dimp18_000", "dimp50_000"):
        put_results(place / "results" / "dimp" / name)
    assert run(place, capsys)[0] == 0
    assert scored(place) == {"Good": 4, "dimp/dimp18_000": 4, "dimp/dimp50_000": 4}


def test_of_two_benchmarks_in_a_trackers_folder_the_one_asked_for_is_read(place, capsys):
    put_results(place / "results" / "KCF" / "OTB100")
    put(place / "results" / "KCF" / "UAV123" / "bike1.txt", truth_of("bike1"))
    assert run(place, capsys)[0] == 0 and scored(place)["KCF"] == 4


def test_a_trackers_own_folder_may_be_given_as_the_results(place, capsys):
    assert run(place, capsys, results="results/Good")[0] == 0
    assert scored(place) == {"Good": 4}


@pytest.mark.parametrize("ending", [".csv", ".tsv"])
def test_other_endings_of_text_are_read(place, capsys, ending):
    put_results(place / "results" / "ECO", ending=ending)
    assert run(place, capsys)[0] == 0 and scored(place)["ECO"] == 4


@pytest.mark.parametrize("prefix", ["otb_", "OTB_"])
def test_a_prefix_that_names_the_benchmark_is_passed_over(place, capsys, prefix):
    for name in NAMES:
        put(place / "results" / "ATOM" / f"{prefix}{name}.txt", result_of(name))
    assert run(place, capsys)[0] == 0 and scored(place)["ATOM"] == 4


def test_a_uav_prefix_is_passed_over_also_for_sequences_that_are_called_uav(tmp_path, capsys):
    for name in ("uav1_1", "bike1"):
        put(tmp_path / "truth" / f"{name}.txt", truth_of(name))
        put(tmp_path / "results" / "ATOM" / f"uav_{name}.txt", result_of(name))
    assert run(tmp_path, capsys, benchmark="UAV123")[0] == 0
    assert scored(tmp_path, "uav123") == {"ATOM": 2}


@pytest.mark.parametrize("inner", ["", "ECO/", "results/", "OTB100/", "out/ECO/OTB100/"])
def test_an_archive_of_a_tracker_may_have_folders_inside(place, capsys, inner):
    pack(place / "results" / "ECO.zip", {f"{inner}{name}.txt": text_of(result_of(name)) for name in NAMES})
    assert run(place, capsys)[0] == 0
    (other,) = set(scored(place)) - {"Good"}
    assert other.startswith("ECO") and scored(place)[other] == 4


@pytest.mark.parametrize("ending", [".tar", ".tar.gz", ".tgz", ".tar.xz"])
def test_tar_files_are_read_like_zip_files(place, capsys, ending):
    with tarfile.open(
        place / "results" / f"ECO{ending}", "w:" + {".tgz": "gz", ".tar": ""}.get(ending, ending[5:])
    ) as tar:
        for name in NAMES:
            content = text_of(result_of(name)).encode()
            member = tarfile.TarInfo(f"ECO/{name}.txt")
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    assert run(place, capsys)[0] == 0 and scored(place) == {"Good": 4, "ECO": 4}


def test_an_archive_with_backslashes_is_read(place, capsys):
    pack(place / "results" / "Win.zip", {f"Win\\{name}.txt": text_of(result_of(name)) for name in NAMES})
    assert run(place, capsys)[0] == 0 and scored(place) == {"Good": 4, "Win": 4}


def matlab(path, name, **changes):
    io_ = pytest.importorskip("scipy.io")
    boxes = result_of(name)
    struct = {"res": boxes, "type": "rect", "len": float(len(boxes)), "annoBegin": 1.0} | changes
    cell = np.empty((1, 1), dtype=object)
    cell[0, 0] = struct
    path.parent.mkdir(parents=True, exist_ok=True)
    io_.savemat(path, {"results": cell})


@pytest.mark.parametrize("pattern", ["KCF/{0}.mat", "KCF/{0}_KCF.mat", "{0}_KCF.mat", "OPE/{1}_KCF.mat"])
def test_matlab_results_of_otb_are_read(place, capsys, pattern):
    for name in NAMES:
        matlab(place / "results" / pattern.format(name, name.lower()), name)
    status, printed = run(place, capsys)
    assert status == 0, printed
    assert scored(place) == {"Good": 4, "KCF": 4}


def test_matlab_results_that_are_not_boxes_are_named(place, capsys):
    for name in NAMES:
        matlab(place / "results" / "IVT" / f"{name}.mat", name, type="ivtAff", res=np.zeros((12, 6)))
    status, printed = run(place, capsys)
    assert status == 1 and "regions of type 'ivtAff'" in printed
    assert "Likewise 3 more results of IVT: Bolt, Car4, Deer." in printed


@pytest.mark.parametrize("pattern", ["{0}.txt", "{0}_001.txt", "{0}/{0}_001.txt", "{0}/{0}.txt"])
def test_got10k_results_are_read_flat_and_in_folders_with_their_times(tmp_path, capsys, pattern):
    names = ("GOT-10k_Val_000001", "GOT-10k_Val_000002")
    for name in names:
        put(tmp_path / "truth" / name / "groundtruth.txt", truth_of(name))
        (tmp_path / "truth" / name / "cover.label").write_text("8\n" * 12)
        file = put(tmp_path / "results" / "ATOM" / pattern.format(name), result_of(name))
        file.with_name(f"{name}_time.txt").write_text("0.05\n" * 12)
    assert run(tmp_path, capsys, benchmark="GOT-10k")[0] == 0
    table = (tmp_path / "out/tables/got-10k.csv").read_text().splitlines()
    assert float(table[1].split(",")[table[0].split(",").index("speed_fps")]) == pytest.approx(20)


# ---------------------------------------------------------------- what is not read is named


def test_files_named_like_no_sequence_are_named_once_with_what_may_be_meant(place, capsys):
    put_truth(place, ("Jogging.1", "Jogging.2"))
    mine = place / "results" / "Mine"
    put_results(mine, ("Basketball",))
    for name in ("Car_four", "deer_Mine", "Jogging"):
        put(mine / f"{name}.txt", result_of("Car4"))
    status, printed = run(place, capsys)
    assert status == 1 and printed.count("Car_four.txt") == 1
    assert "Mine: 3 result files named like no sequence of OTB2015:" in printed
    for words in ("did you mean Car4?", "deer_Mine.txt (did you mean Deer?)", "Jogging has 2 targets"):
        assert words in printed


@pytest.mark.parametrize(
    ("file", "says"),
    [
        ("KCF/Bolt.npy", "KCF: the ending .npy is not read"),
        ("KCF/Bolt.pkl", "KCF: the ending .pkl is not read"),
        ("KCF/all.pickle", "KCF: the ending .pickle is not read"),
        ("KCF/Bolt", "KCF: the ending (none) is not read"),
        ("KCF.rar", ".rar archives are not read. Unpack them (1"),
        ("KCF/results.7z", "KCF: .7z archives are not read"),
        ("Bolt.txt", "Bolt.txt: lies outside of any tracker's folder"),
        ("KCF/manifest.json", "KCF: has no result. Run the tracker"),
    ],
)
def test_what_cannot_be_read_is_named_with_the_reason(place, capsys, file, says):
    put(place / "results" / file, "1,2,3,4\n")
    status, printed = run(place, capsys)
    assert status == 1 and scored(place) == {"Good": 4}
    assert says.removesuffix(" (1") in printed


@pytest.mark.parametrize("folder", ["DSST", "DSST/OTB100", "a/b/DSST"])
def test_an_empty_folder_of_a_tracker_is_named(place, capsys, folder):
    (place / "results" / folder).mkdir(parents=True)
    status, printed = run(place, capsys)
    assert status == 1 and f"{folder}: the folder is empty. Run the tracker." in printed


def test_a_damaged_archive_is_named_and_the_others_are_scored(place, capsys):
    (place / "results" / "ECO.zip").write_bytes(b"PK\x03\x04 cut off")
    (place / "results" / "Out.zip").parent.mkdir(exist_ok=True)
    pack(place / "results" / "Out.zip", {"../Bolt.txt": "1,2,3,4\n"})
    status, printed = run(place, capsys)
    assert status == 1 and scored(place) == {"Good": 4}
    assert "ECO.zip cannot be unpacked" in printed and "'../Bolt.txt', which leads out" in printed


def test_results_beside_the_benchmarks_own_folder_are_named(place, capsys):
    (place / "results" / "Good").rename(place / "Good")
    (place / "results" / "OTB2015").mkdir()
    (place / "Good").rename(place / "results" / "OTB2015" / "Good")
    put_results(place / "results" / "KCF")
    put(place / "results" / "GOT-10k" / "KCF" / "a" / "a_001.txt", truth_of("a"))
    status, printed = run(place, capsys)
    assert status == 1 and scored(place) == {"Good": 4}
    assert f"KCF: lies beside {place / 'results/OTB2015'}, which is read" in printed
    assert "GOT-10k" not in printed


def test_results_without_ground_truth_are_named_once_for_all_trackers(place, capsys):
    for tracker in ("Good", "Other"):
        put_results(place / "results" / tracker, (*NAMES, "Woman", "Vase"))
    status, printed = run(place, capsys)
    assert status == 1
    assert f"Good, Other: 2 result files without ground truth in {place / 'truth'}: Vase, Woman." in printed


def test_sequences_of_a_longer_list_are_set_aside_without_alarm(place, capsys):
    put_truth(place, ("Biker",))
    put_results(place / "results" / "Good", ("Biker",))
    status, printed = run(place, capsys, benchmark="OTB2013")
    assert "Good: 1 result file of sequences that OTB2013 does not have: Biker." in printed
    assert status == 0


def test_published_sequences_that_nobody_ran_are_named(place, capsys):
    put_truth(place, ("Woman",))
    status, printed = run(place, capsys)
    assert status == 1 and "Not run: Woman." in printed


def test_what_lies_beside_results_is_passed_over_in_silence(place, capsys):
    good = place / "results" / "Good"
    for file in (
        "Bolt_time.txt",
        "Bolt_all_scores.txt",
        "times/Bolt_time.txt",
        "plot.png",
        "log.log",
        "notes.txt",
        ".DS_Store",
    ):
        put(good / file, "0.05\n" * 12)
    put(place / "results" / "__MACOSX" / "Good" / "._Bolt.txt", "x")
    put(place / "results" / "README.txt", "Results of Good.\n")
    status, printed = run(place, capsys)
    assert status == 0 and "notes" not in printed and scored(place) == {"Good": 4}


def test_the_reason_is_told_to_whom_asks_for_a_tracker_that_was_not_read(place, capsys):
    put(place / "results" / "KCF" / "Bolt.npy", "x")
    status, printed = run(place, capsys, "--tracker", "KCF")
    assert (
        status == 2 and "There are no results of tracker 'KCF'" in printed and ".npy is not read" in printed
    )
    assert run(place, capsys, "--tracker", "Good")[0] == 0


# ---------------------------------------------------------------- VOT


@pytest.fixture
def vot(tmp_path):
    """Two trackers; Half has run one of three experiments."""
    for name in ("ball", "book"):
        put(tmp_path / "truth" / name / "groundtruth.txt", truth_of(name))
        for tracker, experiments in (
            ("Half", ("baseline",)),
            ("Whole", ("baseline", "realtime", "unsupervised")),
        ):
            for experiment in experiments:
                rows = "1\n" + text_of(result_of(name)[1:])
                put(tmp_path / f"results/{tracker}/{experiment}/{name}/{name}_001.txt", rows)
    return tmp_path


def test_a_tracker_without_an_experiment_that_others_have_is_named(vot, capsys):
    status, printed = run(vot, capsys, benchmark="VOT")
    assert status == 1 and "Half has no results of the experiments realtime, unsupervised." in printed


@pytest.mark.parametrize(
    "stack",
    [
        "stack: vot2018/shortterm",
        "stack: {experiments: {baseline: {type: supervised}, unsupervised: {type: unsupervised}}}",
    ],
)
def test_an_experiment_of_the_stack_that_nobody_has_is_named(vot, capsys, stack):
    for experiment in ("realtime", "unsupervised"):
        (vot / "results" / "Whole" / experiment).rename(vot / f"moved-{experiment}")
    put(vot / "config.yaml", stack + "\n")
    status, printed = run(vot, capsys, benchmark="VOT", results=".")
    assert status == 1 and "Whole has no results of the experiment" in printed and "unsupervised" in printed


@pytest.mark.parametrize("file", ["Flat/ball.txt", "Flat/ball/ball_001.txt", "Flat/baseline/ball_001.txt"])
def test_trajectories_in_another_place_are_named_with_the_right_one(vot, capsys, file):
    put(vot / "results" / file, text_of(result_of("ball")))
    status, printed = run(vot, capsys, benchmark="VOT")
    assert status == 1
    assert (
        "Flat: 1 result file elsewhere than in <tracker>/<experiment>/<sequence>/<sequence>_001.txt"
        in printed
    )


@pytest.mark.parametrize("year", [2013, 2014, 2015, 2019])
def test_every_challenge_of_the_same_protocol_is_a_benchmark(vot, capsys, year):
    _, printed = run(vot, capsys, "--tracker", "Half", benchmark=f"VOT{year}")
    assert f"VOT{year}" in printed and scored(vot, f"vot{year}") == {"Half": 2}
    assert ("its bounds are unknown" in printed) == (year < 2015)
