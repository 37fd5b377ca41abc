"""The overlap of every frame, for the page's lines over time."""

import numpy as np

from roam_tracker.core.geometry import overlap
from roam_tracker.report import metrics, metrics_lasot, metrics_trackingnet
from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.load import ONE_PASS, LoadedBoxes
from roam_tracker.report.readers import BoxRun, BoxTruth


def box_overlaps(loaded: LoadedBoxes) -> dict[str, dict[str, metrics.Array]]:
    """Tracker -> sequence -> overlap (frames,) of the first repetition, as the benchmark measures it.

    NaN where the benchmark does not count the frame; where the first one counts, it is the truth's.
    """
    return {
        tracker: {
            name: _overlaps(loaded.benchmark, runs[0], loaded.truths[name])
            for name, runs in by_experiment[ONE_PASS].items()
        }
        for tracker, by_experiment in loaded.runs.items()
    }


def _overlaps(benchmark: Benchmark, run: BoxRun, truth: BoxTruth) -> metrics.Array:
    visible = np.full(len(truth.boxes), True) if truth.visible is None else truth.visible
    if benchmark.family == "got10k":
        iou = metrics.overlap_got10k(run.boxes, truth.boxes, truth.size_px)
        return np.where(visible & (np.arange(len(iou)) > 0), iou, np.nan)
    if benchmark.family == "lasot":
        iou = np.full(len(truth.boxes), np.nan)
        iou[visible] = metrics_lasot.lasot_measures(run.boxes, truth.boxes, ~visible)[0]
        return np.where(visible, np.nan_to_num(iou).clip(0, 1), np.nan)
    if benchmark.family == "trackingnet":
        return np.nan_to_num(metrics_trackingnet.trackingnet_measures(run.boxes, truth.boxes)[0])
    iou = overlap(metrics.with_true_start(run.boxes, truth.boxes), truth.boxes)
    counted = ~np.isnan(truth.boxes).any(axis=1) | (not benchmark.annotated_frames)
    if run.counted is not None:
        counted &= run.counted
    return np.where(counted, iou, np.nan)
