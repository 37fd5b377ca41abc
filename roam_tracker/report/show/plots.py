"""Plots: each function takes data and Axes and gives the Axes back; no window, no global figure.

A tracker's colour and dash come from `tracker_styles`, made once for all figures of a report.
"""

import io
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from roam_tracker.report.evaluation import Curve, Evaluation
from roam_tracker.report.show.forms import drawn_curves, form_of, plot_title, score_label

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
MOST = 90  # curves in a figure
_SMALL = 7  # points, of a legend beside the axes
_LINES = 26  # of it before the next column
_LETTERS = 40  # of a name before the next line
_PLACES: dict[str, Any] = {
    "success": "lower left",
    "precision": "lower right",
    "accuracy-robustness": "lower left",
}


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
    return plot_curves(ax, "success", curves, styles, bands=bands)


def plot_precision(
    ax: Axes, curves: Sequence[Curve], styles: Mapping[str, Style] | None = None, *, bands: bool = False
) -> Axes:
    """Share of frames over the centre error threshold in pixels; the score is the value at 20 px."""
    return plot_curves(ax, "precision", curves, styles, bands=bands)


def plot_eao(
    ax: Axes,
    curves: Sequence[Curve],
    styles: Mapping[str, Style] | None = None,
    *,
    bounds: tuple[int, int] | None = None,
) -> Axes:
    """Expected average overlap over the sequence length in frames; `bounds` of the score are shaded."""
    return plot_curves(ax, "eao", curves, styles, bounds=bounds)


def plot_accuracy_robustness(
    ax: Axes, points: Sequence[Curve], styles: Mapping[str, Style] | None = None
) -> Axes:
    """Accuracy over reliability exp(-S F / L), a marker a tracker; best is upper right."""
    return plot_curves(ax, "accuracy-robustness", points, styles)


def plot_curves(
    ax: Axes,
    plot: str,
    curves: Sequence[Curve],
    styles: Mapping[str, Style] | None = None,
    *,
    bands: bool = False,
    bounds: tuple[int, int] | None = None,
) -> Axes:
    """Any plot of `evaluation.curves` by its name: lines or points, the legend sorted by score.

    bands: shade the 95 % intervals; bounds: shade x from and to, as far as the axis goes
    """
    form, styles = form_of(plot), styles or tracker_styles(curve.tracker for curve in curves)
    shown = drawn_curves(plot, curves)
    low, high = form.x_axis(shown)
    for rank, curve in enumerate(shown):
        style, label = styles[curve.tracker], drawable(f"{curve.tracker} [{score_label(curve)}]")
        look: dict[str, Any] = {"color": style.colour, "label": label, "zorder": 3 + 1 / (rank + 1)}
        if form.points:
            look |= {"marker": style.marker, "markersize": 8, "markeredgecolor": "black", "clip_on": False}
            ax.plot(curve.x, curve.y, linestyle="", markeredgewidth=0.5, **look)
        else:
            ax.plot(curve.x, curve.y, linestyle=style.dash, linewidth=1.8, **look)
        if bands and curve.low is not None and curve.high is not None:
            ax.fill_between(curve.x, curve.low, curve.high, color=style.colour, alpha=0.15, linewidth=0)
    mark = form.mark_of(shown)
    if mark is not None:
        ax.axvline(mark, color="0.6", linewidth=0.8, zorder=0)
    if bounds is not None and bounds[0] < high:
        ax.axvspan(bounds[0], min(bounds[1], high), color="0.92", zorder=0)
    ax.set(xlabel=form.x_label, ylabel=form.y_label, xlim=(low, high), ylim=form.y_axis(shown))
    ax.grid(color="0.88", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return put_legend(ax, _PLACES.get(plot, "best"))


def put_legend(ax: Axes, place: Any = "best", *, inside: int = 10) -> Axes:
    """The legend in the axes, or to their right if it has more entries than `inside` or long names."""
    names = ax.get_legend_handles_labels()[1]
    if len(names) > inside or any("\n" in name for name in names):
        columns = _legend_size(names)[0]
        look: dict[str, Any] = {"fontsize": _SMALL, "frameon": False, "borderaxespad": 0}
        ax.legend(loc="upper left", bbox_to_anchor=(1.02, 1), ncols=columns, **look)
    else:
        ax.legend(loc=place if len(names) > 3 else "best", framealpha=0.9, fontsize=8, handlelength=3.2)
    return ax


def legend_room(names: Iterable[str], inside: int = 10) -> tuple[float, float]:
    """Width and height in inches of the legend beside the axes; 0, 0 if `put_legend` puts it inside."""
    shown = [drawable(name) for name in names]
    if len(shown) <= inside and not any("\n" in name for name in shown):
        return 0.0, 0.0
    return _legend_size(shown)[1:]


def _legend_size(names: Sequence[str]) -> tuple[int, float, float]:
    """Columns, width and height in inches of a legend in small letters."""
    lines = [name.count("\n") + 1 for name in names]
    columns = min(3, 1 + (sum(lines) - 1) // _LINES)
    rows = -(-len(names) // columns)
    height = max(sum(lines[start : start + rows]) for start in range(0, len(names), rows))
    widest = max(len(line) for name in names for line in name.split("\n"))
    return columns, columns * (0.5 + 0.06 * widest), 0.5 + 0.15 * height


def drawable(name: str) -> str:
    """A tracker's name as Matplotlib shows it whole: no formulas, no hidden names, letters that the font has.

    Names of more than 40 letters are broken into lines; a letter that the font lacks stands as its number.
    """
    font = font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap()
    letters = "".join(
        letter if ord(letter) in font else letter.encode("unicode_escape").decode("ascii") for letter in name
    )
    lines = textwrap.wrap(letters, _LETTERS, break_on_hyphens=False) or [letters]
    shown = "\n".join(lines).replace("$", r"\$")
    return f" {shown}" if shown.startswith("_") else shown  # a leading underscore hides an entry of a legend


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that size in inches which fits its contents, outside of any window."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def draw(
    evaluation: Evaluation, plot: str, styles: Mapping[str, Style] | None = None, *, bands: bool = False
) -> Figure:
    """A finished figure of one of `evaluation.curves`, such as success, precision, eao."""
    best = drawn_curves(plot, evaluation.curves[plot])[:MOST]
    title, count = plot_title(evaluation, plot), len(evaluation.curves[plot])
    if count > MOST:
        title += f"\nthe best {MOST} of {count} trackers; the table has all"
    curves = [curve for curve in evaluation.curves[plot] if curve.tracker in {one.tracker for one in best}]
    width, height = legend_room(f"{curve.tracker} [{score_label(curve)}]" for curve in best)
    figure = new_figure(5.2 + width, max(4.1, height))
    bounds = evaluation.benchmark.eao_bounds if plot == "eao" else None
    ax = plot_curves(figure.add_subplot(), plot, curves, styles, bands=bands, bounds=bounds)
    ax.set_title(title, fontsize=11)
    return figure


def render(figure: Figure, suffix: str) -> bytes:
    """The figure as `png`, `pdf` or `svg`; the same figure gives the same bytes."""
    stamp = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}.get(suffix)
    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": "roam"}):
        figure.savefig(buffer, format=suffix, dpi=200, metadata=stamp)
    return buffer.getvalue()
