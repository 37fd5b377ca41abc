"""Results and truths made for the tests of the report."""

import zipfile

import numpy as np

from roam_tracker.commands import main

FRAMES = 12
NAMES = ("Basketball", "Bolt", "Car4", "Deer")


def truth_of(name, frames=FRAMES):
    """Boxes (N, 4) of a target that moves over a picture of 320 x 240."""
    generator = np.random.default_rng(sum(map(ord, name)))
    start = [*generator.uniform(60, 120, 2), *generator.uniform(30, 60, 2)]
    return (start + np.outer(np.arange(frames), [4, 3, 0.2, 0.1])).round(2)


def result_of(name, noise=1.0):
    """What a tracker makes of it: the given box, then boxes near the target."""
    truth = truth_of(name)
    boxes = truth + np.random.default_rng(len(name)).normal(0, noise, truth.shape)
    return np.concatenate([truth[:1], boxes[1:]])


def text_of(boxes, separator=","):
    return "".join(separator.join(f"{value:.3f}" for value in row) + "\n" for row in boxes)


def put(path, boxes, separator=","):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(boxes if isinstance(boxes, str) else text_of(boxes, separator))
    return path


def put_truth(root, names=NAMES):
    for name in names:
        put(root / "truth" / name / "groundtruth_rect.txt", truth_of(name))


def put_results(folder, names=NAMES, ending=".txt"):
    for name in names:
        put(folder / f"{name}{ending}", result_of(name))


def pack(path, members):
    """A zip file of texts by name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def run(root, capsys, *more, benchmark="OTB2015", results="results"):
    """Exit status and what `roam report` prints, in one text; tables lie in `root/out/tables`."""
    argv = ["report", "--benchmark", benchmark, "--results", str(root / results)]
    status = main([*argv, "--annotations", str(root / "truth"), "--out", str(root / "out"), *more])
    printed = capsys.readouterr()
    return status, printed.out + printed.err


def scored(root, benchmark="otb2015"):
    """Tracker -> number of sequences in the table."""
    header, *rows = (root / "out" / "tables" / f"{benchmark}.csv").read_text().splitlines()
    place = header.split(",").index("sequences")
    return {row.split(",")[0]: int(row.split(",")[place]) for row in rows}
