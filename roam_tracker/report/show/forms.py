"""How each plot is labelled and limited, for Matplotlib and for the page alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from roam_tracker.report.evaluation import Array, Curve, Evaluation


@dataclass(frozen=True, slots=True, kw_only=True)
class PlotForm:
    """A plot's words and limits.

    x_limits: None = from 0, or the first x, to the last x of its curves
    mark:     x where a curve's height is its score, if the benchmark's rule says so
    points:   a point a tracker instead of a line
    """

    title: str
    x_label: str
    y_label: str
    x_limits: tuple[float, float] | None = None
    mark: float | None = None
    points: bool = False

    def mark_of(self, curves: Sequence[Curve]) -> float | None:
        """`mark`, where it holds for the curves: TrackingNet's precision is an area instead."""
        if self.mark is None:
            return None
        known = [curve for curve in curves if np.isfinite(curve.score)]
        heights = [np.interp(self.mark, curve.x, curve.y) for curve in known]
        same = np.allclose(heights, [curve.score for curve in known], atol=1e-6)
        return self.mark if known and same else None

    def x_axis(self, curves: Sequence[Curve]) -> tuple[float, float]:
        """The x axis from and to."""
        if self.points:
            return _around([curve.x for curve in curves])
        if self.x_limits is not None:
            return self.x_limits
        return min(float(curve.x[0]) for curve in curves), max(float(curve.x[-1]) for curve in curves)

    def y_axis(self, curves: Sequence[Curve]) -> tuple[float, float]:
        """The y axis from and to."""
        return _around([curve.y for curve in curves]) if self.points else (0.0, 1.02)


def _around(values: Sequence[Array]) -> tuple[float, float]:
    """Tenths around shares in [0, 1], with room on either side."""
    known = np.concatenate(values)
    known = known[np.isfinite(known)] if np.isfinite(known).any() else np.array([0.0, 1.0])
    low, high = np.floor(10 * known.min() - 0.7) / 10, np.ceil(10 * known.max() + 0.7) / 10
    return max(0.0, float(low)), min(1.0, float(high))


FORMS = {
    "success": PlotForm(
        title="Success plots", x_label="overlap threshold", y_label="success rate", x_limits=(0, 1)
    ),
    "precision": PlotForm(
        title="Precision plots",
        x_label="centre error threshold (px)",
        y_label="precision",
        x_limits=(0, 50),
        mark=20,
    ),
    "normalised-precision": PlotForm(
        title="Normalised precision plots",
        x_label="centre error threshold (share of the target's size)",
        y_label="normalised precision",
        mark=0.2,
    ),
    "eao": PlotForm(
        title="Expected average overlap",
        x_label="sequence length (frames)",
        y_label="expected average overlap",
    ),
    "accuracy-robustness": PlotForm(
        title="Accuracy and robustness",
        x_label="reliability",
        y_label="accuracy",
        points=True,
    ),
}


def form_of(plot: str) -> PlotForm:
    """The form of a plot of `evaluation.curves`; a plot without one is named by its own name."""
    words = plot.replace("-", " ")
    return FORMS.get(plot) or PlotForm(title=words.capitalize(), x_label="threshold", y_label=words)


def plot_title(evaluation: Evaluation, plot: str) -> str:
    """The title people know: `Success plots of OPE on OTB2015`, `Expected average overlap on VOT2018`."""
    one_pass = " of OPE" if evaluation.benchmark.family in ("otb", "lasot") else ""
    return f"{form_of(plot).title}{one_pass} on {evaluation.benchmark.name}"


def drawn_curves(plot: str, curves: Sequence[Curve]) -> list[Curve]:
    """Best first, those without a score last; the expected average overlap begins at length 1."""
    start = 1 if plot == "eao" else 0
    shown = [Curve(c.tracker, c.x[start:], c.y[start:], c.score, c.low, c.high, c.deviation) for c in curves]
    return sorted(shown, key=lambda curve: -np.inf if np.isnan(curve.score) else curve.score, reverse=True)


def score_label(curve: Curve) -> str:
    """What stands in brackets behind the name: `0.512`, `0.512 ± 0.010` or `missing`."""
    score = "missing" if np.isnan(curve.score) else f"{curve.score:.3f}"
    return score if curve.deviation is None else f"{score} ± {curve.deviation:.3f}"
