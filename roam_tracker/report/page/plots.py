"""The page's plots as inline SVG: whole without a script, which only adds what the pointer does.

Everything of one tracker bears its number as `data-t`; colours and dashes follow from it (`look`).
"""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from roam_tracker.report.evaluation import Array, Curve, Evaluation
from roam_tracker.report.score.pairs import pair_scores
from roam_tracker.report.show.film import Film, Outline, thumbnails
from roam_tracker.report.show.forms import drawn_curves, form_of, plot_title, score_label
from roam_tracker.report.show.plots import Style
from roam_tracker.report.show.tables import format_score

Numbers = Mapping[str, int]  # tracker -> data-t
_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 580, 370, 60, 14, 10, 44
_FILM_HEIGHT = 120
_RANKS = 10  # curves that bear their rank


@dataclass(frozen=True, slots=True)
class _Axes:
    """What the axes reach from and to."""

    x: tuple[float, float]
    y: tuple[float, float]

    def place(self, x: ArrayLike, y: ArrayLike) -> tuple[Array, Array]:
        """Data to coordinates of the drawing."""
        across = (np.asarray(x) - self.x[0]) / (self.x[1] - self.x[0])
        up = (np.asarray(y) - self.y[0]) / (self.y[1] - self.y[0])
        return _LEFT + across * (_WIDTH - _LEFT - _RIGHT), _HEIGHT - _BOTTOM - up * (_HEIGHT - _TOP - _BOTTOM)


def look(styles: Mapping[str, Style], numbers: Numbers) -> str:
    """CSS: a colour for light and for dark paper, and a dash, for each tracker."""
    rules = []
    for name, number in numbers.items():
        style = styles[name]
        dashes = [] if style.dash == "-" else [f"{1.8 * part:g}" for part in style.dash[1]]
        rules.append(
            f'[data-t="{number}"]{{--light:{style.colour};--dark:{_lighter(style.colour)};'
            f"--dash:{' '.join(dashes) or 'none'}}}"
        )
    return "".join(rules)


def swatch(number: int) -> str:
    """A short piece of the tracker's line."""
    return (
        f'<svg class="swatch" data-t="{number}" width="30" height="8" aria-hidden="true">'
        '<path d="M1 4H29"/></svg>'
    )


def figure_of_curves(evaluation: Evaluation, plot: str, numbers: Numbers) -> str:
    """A figure with axes, curves, a rank on each curve, and a legend sorted by score."""
    form, curves = form_of(plot), drawn_curves(plot, evaluation.curves[plot])
    x_axis, y_axis = form.x_axis(curves), form.y_axis(curves)
    axes = _Axes(x_axis, y_axis)
    title, parts = plot_title(evaluation, plot), []
    bounds = evaluation.benchmark.eao_bounds if plot == "eao" else None
    if bounds is not None and bounds[0] < x_axis[1]:
        (left, right), (top, bottom) = axes.place(np.array(bounds).clip(*x_axis), np.array(y_axis)[::-1])
        parts.append(
            f'<rect class="bounds" x="{left:.1f}" y="{top:.1f}" width="{right - left:.1f}"'
            f' height="{bottom - top:.1f}"/>'
        )
    parts.append(_grid(axes, form.x_label, form.y_label))
    mark = form.mark_of(curves)
    if mark is not None:
        (x, _), (low, high) = axes.place(np.array([mark] * 2), np.array(y_axis))
        parts.append(f'<path class="mark" d="M{x:.1f} {low:.1f}V{high:.1f}"/>')
    drawn = [
        _curve(axes, curve, rank, len(curves), numbers[curve.tracker], form.points)
        for rank, curve in enumerate(curves, 1)
        if np.isfinite(curve.y).any()
    ]
    for layer in zip(*drawn[::-1], strict=True):  # lines below ranks, of either the best on top
        parts += layer
    items = "".join(
        f'<li data-t="{numbers[curve.tracker]}"><span class="key">{swatch(numbers[curve.tracker])}'
        f'<span class="name">{escape(curve.tracker)}</span> <b>[{score_label(curve)}]</b></span></li>'
        for curve in curves
    )
    limits = " ".join(f"{value:g}" for value in (*x_axis, *y_axis))
    frame = f"{_LEFT} {_WIDTH - _RIGHT} {_HEIGHT - _BOTTOM} {_TOP}"
    return (
        f'<figure><figcaption>{escape(title)}</figcaption><svg class="plot" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        f' role="img" aria-label="{escape(title)}" data-plot="{escape(plot)}" data-axes="{limits}"'
        f' data-frame="{frame}">{"".join(parts)}</svg><ol class="legend">{items}</ol></figure>'
    )


def figure_of_pair(evaluation: Evaluation, pair: tuple[str, str] | None) -> str:
    """Two trackers sequence by sequence, a point a sequence; nothing where that cannot be."""
    scores = pair_scores(evaluation, pair)
    if scores is None:
        return ""
    first, second, metric = scores
    both = pd.concat([first, second], axis=1).dropna()
    if both.empty:
        return ""
    limits = min(0.0, both.to_numpy(float).min()), max(1.0, both.to_numpy(float).max())
    axes, names = _Axes(limits, limits), [escape(str(name)) for name in both]
    points = []
    for key, (x, y) in zip(both.index, both.to_numpy(float), strict=True):
        side = "above" if y > x else "below" if y < x else "equal"
        told = (
            f"{escape(str(key))}: {names[0]} {format_score(x, metric)}, {names[1]} {format_score(y, metric)}"
        )
        across, up = axes.place(x, y)
        points.append(
            f'<circle class="{side}" data-k="{escape(str(key))}" cx="{across:.1f}" cy="{up:.1f}" r="4.5">'
            f"<title>{told}</title></circle>"
        )
    (left, right), (bottom, top) = axes.place(np.array(limits), np.array(limits))
    wins = [sum(f'class="{side}"' in point for point in points) for side in ("above", "below")]
    title = f"{names[1]} (filled) better in {wins[0]}, {names[0]} in {wins[1]} of {len(points)} sequences"
    grid = _grid(axes, f"{metric.heading} of {both.columns[0]}", f"{metric.heading} of {both.columns[1]}")
    return (
        f"<figure><figcaption>{title}</figcaption>"
        f'<svg class="pair" viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{title}">'
        f'{grid}<path class="mark" d="M{left:.1f} {bottom:.1f}L{right:.1f} {top:.1f}"/>'
        f"{''.join(points)}</svg></figure>"
    )


def film_figure(key: str, identity: str, film: Film, numbers: Numbers, shown: Sequence[str]) -> str:
    """A row of small frames with outlines over them; trackers beyond `shown` appear when pointed at."""
    x, frames = 0.0, []
    ordered = [name for name in numbers if name in film.trackers]
    for index, (jpeg, width, scale) in enumerate(thumbnails(film, height=_FILM_HEIGHT)):
        outlines = [_outline(film.truth[index], scale, 'class="truth"')]
        outlines += [
            _outline(
                film.trackers[name][index],
                scale,
                f'class="box{"" if name in shown else " more"}" data-t="{numbers[name]}"',
            )
            for name in ordered
        ]
        frames.append(
            f'<svg x="{x:g}" width="{width}" height="{_FILM_HEIGHT}">'
            f'<image width="{width}" height="{_FILM_HEIGHT}"'
            f' href="data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"/>{"".join(outlines)}'
            f'<text x="5" y="15">#{film.frames[index] + 1}</text></svg>'
        )
        x += width + 4
    return (
        f'<figure class="film" id="{escape(identity)}"><figcaption>{escape(key)}</figcaption>'
        f'<svg viewBox="0 0 {x - 4:g} {_FILM_HEIGHT}" role="img" aria-label="Frames of {escape(key)}">'
        f"{''.join(frames)}</svg></figure>"
    )


def _grid(axes: _Axes, x_label: str, y_label: str) -> str:
    parts = []
    low, high = _HEIGHT - _BOTTOM, _TOP
    for tick in _ticks(axes.x):
        x = float(axes.place(tick, axes.y[0])[0])
        parts.append(
            f'<path d="M{x:.1f} {low}V{high}"/>'
            f'<text x="{x:.1f}" y="{low + 17}" text-anchor="middle">{tick:g}</text>'
        )
    for tick in _ticks(axes.y):
        y = float(axes.place(axes.x[0], tick)[1])
        parts.append(
            f'<path d="M{_LEFT} {y:.1f}H{_WIDTH - _RIGHT}"/>'
            f'<text x="{_LEFT - 7}" y="{y + 4:.1f}" text-anchor="end">{tick:g}</text>'
        )
    middle = (low + high) / 2
    parts.append(
        f'<path class="axis" d="M{_LEFT} {high}V{low}H{_WIDTH - _RIGHT}"/>'
        f'<text x="{(_LEFT + _WIDTH - _RIGHT) / 2}" y="{_HEIGHT - 7}" text-anchor="middle">'
        f"{escape(x_label)}</text>"
        f'<text transform="translate(13 {middle})rotate(-90)" text-anchor="middle">{escape(y_label)}</text>'
    )
    return f'<g class="grid">{"".join(parts)}</g>'


def _ticks(limits: tuple[float, float]) -> list[float]:
    ticks = np.asarray(MaxNLocator(6, steps=[1, 2, 5, 10]).tick_values(*limits))
    return [float(tick) for tick in ticks if limits[0] <= tick <= limits[1]]


def _curve(axes: _Axes, curve: Curve, rank: int, count: int, number: int, points: bool) -> tuple[str, str]:
    """The line with its 95 % band (seen when pointed at); on it, at another place for each rank, the rank."""
    known = np.isfinite(curve.y) & np.isfinite(curve.x)
    x, y = axes.place(curve.x[known], curve.y[known])
    lines = ""
    if not points:
        if curve.low is not None and curve.high is not None and np.isfinite(curve.low[known]).all():
            upper, lower = (
                axes.place(curve.x[known], curve.high[known])[1],
                axes.place(curve.x[known], curve.low[known])[1],
            )
            lines = f'<path class="band" d="{_path(x, upper)}L{_path(x[::-1], lower[::-1])[1:]}Z"/>'
        lines += f'<path class="line" d="{_path(x, y)}"/>'
    share = 0.08 + 0.66 * (rank - 0.5) / min(count, _RANKS)
    at = int(np.searchsorted(x, x[0] + share * (x[-1] - x[0]))) if len(x) > 1 else 0
    return (
        f'<g class="curve" data-t="{number}">{lines}</g>',
        f'<g class="curve" data-t="{number}"><circle cx="{x[at]:.1f}" cy="{y[at]:.1f}" r="8.5"/>'
        f'<text x="{x[at]:.1f}" y="{y[at] + 4:.1f}" text-anchor="middle">{rank}</text></g>'
        if points or rank <= _RANKS
        else "",
    )


def _path(x: Array, y: Array) -> str:
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _outline(outline: Outline, scale: float, attributes: str) -> str:
    if outline is None:
        return ""
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in outline * scale)
    return f'<polygon {attributes} points="{points}"/>'


def _lighter(colour: str) -> str:
    """The colour mixed with white for dark paper; black becomes white."""
    parts = [int(colour[index : index + 2], 16) for index in (1, 3, 5)]
    share = 1 if sum(parts) == 0 else 0.3
    return "#" + "".join(f"{round(part + share * (255 - part)):02x}" for part in parts)
