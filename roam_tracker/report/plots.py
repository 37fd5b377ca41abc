"""Plots: each function takes data and Axes and gives the Axes back; no window, no global figure.

A tracker's colour and dash come from `tracker_styles`, made once for all figures of a report.
"""

import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from roam_tracker.report.scores import Curve, Evaluation

# Okabe and Ito's colours for all kinds of colour vision, yellow darkened for white paper; wine and grey.
_COLOURS = (
    *("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#B8A800"),
    *("#882255", "#808080"),
)
_DASHES: tuple[Any, ...] = (
    "-",
    (0, (5, 1.5)),
    (0, (1.2, 1.2)),
    (0, (6, 1.5, 1.2, 1.5)),
    (0, (3, 1, 1, 1, 1, 1)),
)
_MARKERS = "osD^vP*X<>p"
Place = Literal["best", "lower left", "lower right"]


@dataclass(frozen=True, slots=True)
class Style:
    """How a tracker is drawn in every figure."""

    colour: str
    dash: Any
    marker: str


def tracker_styles(trackers: Iterable[str]) -> dict[str, Style]:
    """A style for each name, in the order of names."""
    return styles_in_order(sorted(set(trackers)))


def styles_in_order(names: Iterable[str]) -> dict[str, Style]:
    """A style for each name in the order given; 10 colours x 5 dashes x 11 markers before one returns."""
    count = len(_COLOURS)
    return {
        name: Style(_COLOURS[index % count], _DASHES[(index + index // count) % 5], _MARKERS[index % 11])
        for index, name in enumerate(dict.fromkeys(names))
    }


def plot_success(
    ax: Axes, curves: Sequence[Curve], styles: Mapping[str, Style] | None = None, *, bands: bool = False
) -> Axes:
    """Share of frames over the overlap threshold; legend by score. `bands` shades the 95 % intervals."""
    _lines(ax, curves, styles, bands)
    return _finish(
        ax, "overlap threshold", "success rate", (0, 1), "best" if len(curves) < 4 else "lower left"
    )


def plot_precision(
    ax: Axes, curves: Sequence[Curve], styles: Mapping[str, Style] | None = None, *, bands: bool = False
) -> Axes:
    """Share of frames over the centre error threshold in pixels; the score is the value at 20 px."""
    _lines(ax, curves, styles, bands)
    ax.axvline(20, color="0.6", linewidth=0.8, zorder=0)
    return _finish(ax, "centre error threshold (px)", "precision", (0, 50), "lower right")


def plot_eao(
    ax: Axes,
    curves: Sequence[Curve],
    styles: Mapping[str, Style] | None = None,
    *,
    bounds: tuple[int, int] | None = None,
) -> Axes:
    """Expected average overlap over the sequence length in frames; `bounds` of the score are shaded."""
    _lines(ax, [Curve(c.tracker, c.x[1:], c.y[1:], c.score) for c in curves], styles, False)
    longest = max(len(curve.x) for curve in curves)
    if bounds is not None and bounds[0] < longest:
        ax.axvspan(bounds[0], min(bounds[1], longest - 1), color="0.92", zorder=0)
    return _finish(ax, "sequence length (frames)", "expected average overlap", (1, longest - 1), "best")


def plot_accuracy_robustness(
    ax: Axes, points: Sequence[Curve], styles: Mapping[str, Style] | None = None
) -> Axes:
    """Accuracy over reliability exp(-S F / L), a marker a tracker; best is upper right."""
    styles = styles or tracker_styles(point.tracker for point in points)
    for point in _by_score(points):
        style = styles[point.tracker]
        ax.plot(
            point.x,
            point.y,
            linestyle="",
            marker=style.marker,
            markersize=8,
            color=style.colour,
            markeredgecolor="black",
            markeredgewidth=0.5,
            label=_label(point),
        )
    return _finish(ax, "reliability", "accuracy", (0, 1.02), "lower left")


def draw(
    evaluation: Evaluation, plot: str, styles: Mapping[str, Style] | None = None, *, bands: bool = False
) -> Figure:
    """A finished figure of one of `evaluation.curves`: success, precision, eao, accuracy-robustness."""
    curves = evaluation.curves[plot]
    figure = Figure(figsize=(5.2, 4.1), layout="constrained")
    FigureCanvasAgg(figure)
    ax = figure.add_subplot()
    if plot == "eao":
        plot_eao(ax, curves, styles, bounds=evaluation.benchmark.eao_bounds)
    elif plot == "accuracy-robustness":
        plot_accuracy_robustness(ax, curves, styles)
    else:
        drawer: Callable[..., Axes] = {"success": plot_success, "precision": plot_precision}[plot]
        drawer(ax, curves, styles, bands=bands)
    ax.set_title(f"{evaluation.benchmark.name}: {plot_title(plot)}", fontsize=11)
    return figure


def plot_title(plot: str) -> str:
    """A plot's name in words: `expected average overlap` for eao, `accuracy and robustness`."""
    return {"eao": "expected average overlap"}.get(plot, plot.replace("-", " and "))


def render(figure: Figure, suffix: str) -> bytes:
    """The figure as `png`, `pdf` or `svg`; the same figure gives the same bytes."""
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "roam"}):
        figure.savefig(buffer, format=suffix, dpi=200, metadata=stamp)
    return buffer.getvalue()


def _lines(ax: Axes, curves: Sequence[Curve], styles: Mapping[str, Style] | None, bands: bool) -> None:
    styles = styles or tracker_styles(curve.tracker for curve in curves)
    for rank, curve in enumerate(_by_score(curves)):
        style = styles[curve.tracker]
        ax.plot(
            curve.x,
            curve.y,
            color=style.colour,
            linestyle=style.dash,
            linewidth=1.8,
            label=_label(curve),
            zorder=3 + 1 / (rank + 1),
        )
        if bands and curve.low is not None and curve.high is not None:
            ax.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.15, linewidth=0)


def _by_score(curves: Sequence[Curve]) -> list[Curve]:
    return sorted(curves, key=lambda curve: -np.inf if np.isnan(curve.score) else curve.score, reverse=True)


def _label(curve: Curve) -> str:
    score = "missing" if np.isnan(curve.score) else f"{curve.score:.3f}"
    return f"{curve.tracker} [{score}{'' if curve.deviation is None else f' ± {curve.deviation:.3f}'}]"


def _finish(ax: Axes, x: str, y: str, limits: tuple[float, float], place: Place) -> Axes:
    ax.set(xlabel=x, ylabel=y, xlim=limits, ylim=(0, 1.02))
    ax.grid(color="0.88", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(loc=place, fontsize=8, framealpha=0.9, handlelength=3.2)
    return ax
