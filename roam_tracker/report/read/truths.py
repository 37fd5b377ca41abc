"""Ground truth of the box benchmarks in the folders of their downloads, or as plain `<sequence>.txt`."""

from collections.abc import Mapping
from pathlib import Path

from roam_tracker.datasets.layouts import Version, find_sequences
from roam_tracker.datasets.text import CORRECT, RESTORE
from roam_tracker.datasets.truth import Truth, read_frames, read_truth, remarks
from roam_tracker.errors import DataError
from roam_tracker.report.benchmarks import Benchmark


def read_truths(benchmark: Benchmark, root: Path) -> dict[str, Truth]:
    """Sequence -> ground truth of a benchmark's folder; empty where nothing of it is found.

    Besides the benchmark's own folders, every benchmark takes a folder of `<sequence>.txt` with x, y, w, h.
    DataError names a damaged file and its line.
    """
    truths = {}
    remedy = CORRECT if benchmark.name == "OTB" else RESTORE
    for files in find_sequences(benchmark.layout, root, _version(benchmark)):
        images = len(read_frames(files)) if files.corners else 0
        truth = read_truth(files, images, remedy)
        if benchmark.family in ("got10k", "trackingnet") and len(truth.boxes) < 2:
            raise DataError(
                f"{truth.source} has 1 row, expected one per frame. The truth of a test set is not public: "
                "send its results to the benchmark's server."
            )
        truths[files.name] = truth
    return truths


def truth_notes(benchmark: Benchmark, truths: Mapping[str, Truth]) -> list[str]:
    """Sentences on frames without a box and on missing labels, since they decide what counts."""
    return remarks(truths, benchmark.layout)


def _version(benchmark: Benchmark) -> Version:
    """Which version of its layout a benchmark is."""
    if benchmark.layout == "nfs":
        return int(benchmark.name.removeprefix("NfS"))
    if benchmark.layout == "otb" and not benchmark.sequences:
        return None  # somebody's own videos
    return {"got10k": "val", "trackingnet": "TEST"}.get(benchmark.layout, benchmark.name)
