"""Experiments that the released toolkit lacks, in its style: LaSOT and TrackingNet.

Their numbers come from the report's own functions, one for each published rule.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from roam_tracker.files import write_atomic
from roam_tracker.report.score.lasot import lasot_curves
from roam_tracker.report.score.otb import auc_otb, normalised_precision, precision_otb
from roam_tracker.report.score.speed import mean_rate
from roam_tracker.report.score.trackingnet import trackingnet_curves, trackingnet_score
from roam_tracker.toolkits.got10k.archives import write_archive
from roam_tracker.toolkits.got10k.onepass import FilePerSequence

Array = NDArray[np.float64]
Curves = tuple[Array, Array, Array]  # success, precision, normalised precision


class LaSOT(FilePerSequence):
    """LaSOT's test set: success, precision at 20 px, normalised precision at 0.2; absent frames left out."""

    scores: tuple[Callable[[Array], float], ...] = (auc_otb, precision_otb, normalised_precision)

    def report(self, tracker_names: list[str]) -> dict[str, Any]:
        """Score results, write `<report_dir>/<first tracker>/performance.json`, for LaSOT also the plots."""
        performance: dict[str, Any] = {}
        for name in tracker_names:
            curves, by_sequence = [], {}
            for index, sequence in enumerate(self.dataset.seq_names):
                truth = self.dataset[index][1]
                boxes = np.loadtxt(self.files(name, sequence)[0], delimiter=",", ndmin=2)
                curves.append(self._curves(boxes, truth, index))
                speed = mean_rate(np.loadtxt(self.time_file(name, sequence), ndmin=1))
                by_sequence[sequence] = self._entry(curves[-1], speed)
            success, precision, normalised = (np.mean(kind, axis=0) for kind in zip(*curves, strict=True))
            speeds = [entry["speed_fps"] for entry in by_sequence.values() if entry["speed_fps"] > 0]
            overall = self._entry(
                (success, precision, normalised), float(np.mean(speeds)) if speeds else -1.0
            )
            performance[name] = {"overall": overall, "seq_wise": by_sequence}
        write_atomic(
            Path(self.report_dir, tracker_names[0], "performance.json"), json.dumps(performance, indent=4)
        )
        self._draw(tracker_names)
        return performance

    def _curves(self, boxes: Array, truth: Array, index: int) -> Curves:
        return lasot_curves(boxes, truth, self.dataset.absent(index, len(truth)))

    def _draw(self, tracker_names: list[str]) -> None:
        self.plot_curves(tracker_names)

    def _entry(self, curves: Curves, speed: float) -> dict[str, Any]:
        names = ("success", "precision", "normalized_precision")
        return {
            **{f"{name}_curve": curve.tolist() for name, curve in zip(names, curves, strict=True)},
            **{
                f"{name}_score": score(curve)
                for name, curve, score in zip(names, curves, self.scores, strict=True)
            },
            "success_rate": float(curves[0][10]),
            "speed_fps": speed if speed > 0 else -1.0,
        }

    def headline(self, performance: dict[str, Any], tracker: str) -> dict[str, float]:
        """The numbers of the report that people quote."""
        normalised = performance[tracker]["overall"]["normalized_precision_score"]
        return super().headline(performance, tracker) | {"norm.prec.": normalised}


class TrackingNet(LaSOT):
    """TrackingNet's test set: the archive that its server takes, and scores where the truth is at hand."""

    scores = (trackingnet_score,) * 3

    def report(self, tracker_names: list[str]) -> dict[str, Any] | None:  # type: ignore[override]
        """Write `<result_dir>/<tracker>.zip`; score as the server does if every annotation is whole."""
        for name in tracker_names:
            results = [self.files(name, sequence)[0] for sequence in self.dataset.seq_names]
            write_archive(
                Path(self.result_dir, f"{name}.zip"), Path(self.result_dir, name), results, self.dataset
            )
        return None if self.dataset.hidden else super().report(tracker_names)

    def _curves(self, boxes: Array, truth: Array, index: int) -> Curves:
        return trackingnet_curves(boxes, truth)

    def _draw(self, tracker_names: list[str]) -> None:
        """Nothing: the toolkit's plots count whole pixels; `roam report` draws these curves."""
