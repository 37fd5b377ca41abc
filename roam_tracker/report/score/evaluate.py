"""Loaded runs to tables and curves, by the rule of their benchmark."""

from roam_tracker.errors import ResultError
from roam_tracker.report.benchmarks import Benchmark
from roam_tracker.report.evaluation import Evaluation
from roam_tracker.report.runs import LoadedBoxes, LoadedVot
from roam_tracker.report.score.curves import CurveRule, evaluate_curves
from roam_tracker.report.score.got10k import evaluate_got10k
from roam_tracker.report.score.lasot import LASOT_RULE
from roam_tracker.report.score.otb import OTB_RULE, UAV_RULE
from roam_tracker.report.score.pixel_origin import origin_notes
from roam_tracker.report.score.trackingnet import TRACKINGNET_RULE
from roam_tracker.report.score.vot import evaluate_vot


def evaluate(loaded: LoadedBoxes | LoadedVot, *, seed: int = 0) -> Evaluation:
    """Score what `load` read. `seed` draws the bootstrap resamples of the 95 % intervals.

    Raises ResultError when no tracker has a whole, usable sequence.
    """
    if not loaded.runs:
        raise ResultError(
            f"{loaded.results} has no usable result of {loaded.benchmark.name}: {loaded.problems[0].message}"
        )
    if isinstance(loaded, LoadedVot):
        return evaluate_vot(loaded, seed)
    if loaded.benchmark.family == "got10k":
        return evaluate_got10k(loaded, seed, [])
    return evaluate_curves(loaded, _rule_of(loaded.benchmark), seed, origin_notes(loaded))


def _rule_of(benchmark: Benchmark) -> CurveRule:
    """The rule that scores a benchmark of the families otb, lasot and trackingnet."""
    if benchmark.family == "otb":
        return UAV_RULE if benchmark.annotated_frames else OTB_RULE
    return LASOT_RULE if benchmark.family == "lasot" else TRACKINGNET_RULE
