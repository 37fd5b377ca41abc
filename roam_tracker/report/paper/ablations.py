"""Plots of the ablations: each function takes data and Axes and gives the Axes back."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogFormatterSciNotation, LogLocator, NullLocator, ScalarFormatter
from numpy.typing import NDArray

from roam_tracker.report.paper.updates import RateShares, Trace
from roam_tracker.report.show.plots import Style, styles_in_order

Array = NDArray[np.float64]
_DARK, _LIGHT = "#0B3C5D", "#BFD3E6"  # apart in colour and in grey


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line of a figure: x, y (points,)."""

    label: str
    x: Array
    y: Array


def plot_setting(
    ax: Axes,
    lines: Sequence[Line],
    styles: Mapping[str, Style] | None = None,
    *,
    x_label: str,
    y_label: str,
    octaves: bool = False,
) -> Axes:
    """Scores over the values of a setting, a mark a value; several lines get a legend, best first.

    octaves: equal steps of x for equal ratios
    """
    styles = styles or styles_in_order(line.label for line in lines)
    for line in sorted(lines, key=lambda line: -np.nanmax(line.y)):
        best = int(np.nanargmax(line.y))
        style = styles[line.label]
        ax.plot(
            line.x,
            line.y,
            color=style.colour,
            linestyle=style.dash,
            marker=style.marker,
            markersize=5,
            linewidth=1.6,
            label=f"{line.label} [{line.y[best]:.3f} at {line.x[best]:g}]",
        )
    values = np.unique(np.concatenate([line.x for line in lines]))
    if octaves:
        ax.set_xscale("symlog" if values[0] == 0 else "log", base=2)  # 0 lies one octave below 1
        ax.xaxis.set_major_formatter(ScalarFormatter())
        ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(values)
    heights = [line.y for line in lines]
    lowest, highest = _least(heights), _greatest(heights)
    room = 0.15 * (highest - lowest) or 0.05 * abs(highest) or 1
    ax.set(ylim=(lowest - room, highest + room), xlabel=x_label, ylabel=y_label)
    if len(lines) > 1:
        ax.legend(fontsize=8, framealpha=0.9, handlelength=3.2)
    return _plain(ax)


def plot_losses(ax: Axes, lines: Sequence[Line], styles: Mapping[str, Style] | None = None) -> Axes:
    """The loss after each update over the frame; the legend tells the mean, least first."""
    styles = styles or styles_in_order(line.label for line in lines)
    for line in sorted(lines, key=lambda line: np.nanmean(line.y)):
        style = styles[line.label]
        ax.plot(
            line.x,
            line.y,
            color=style.colour,
            linestyle=style.dash,
            linewidth=1.6,
            label=f"{line.label} [mean {np.nanmean(line.y):.3g}]",
        )
    ax.set_ylim(0, 1.25 * _greatest([line.y for line in lines]))  # the legend has its own room above
    ax.margins(x=0.02)
    ax.set(xlabel="frame", ylabel="loss after the update")
    ax.legend(loc="upper left", ncols=2, fontsize=8, framealpha=0.9, handlelength=3.2)
    return _plain(ax)


def plot_rates(ax: Axes, first: RateShares, second: RateShares, group: int, labels: tuple[str, str]) -> Axes:
    """Two histograms of one group's rates: the first as an area, the second as an outline.

    Rates outside of all bins, or not positive, are told in the corner.
    """
    shares = [100 * kind.shares[group] for kind in (first, second)]
    rates = 10.0**first.edges
    used = np.flatnonzero(shares[0] + shares[1])
    low, high = (used[0], used[-1] + 1) if used.size else (0, len(rates) - 1)
    area, outline = (share[low:high] for share in shares)
    ax.stairs(area, rates[low : high + 1], fill=True, color=_LIGHT, label=labels[0])
    ax.stairs(area, rates[low : high + 1], color="0.55", linewidth=0.7)
    ax.stairs(outline, rates[low : high + 1], color=_DARK, linewidth=1.6, label=labels[1])
    ax.set_xscale("log")
    ax.set_xlim(rates[max(low - 3, 0)], rates[min(high + 3, len(rates) - 1)])
    ax.set_ylim(0, 1.12 * max(1e-3, *area, *outline))
    narrow = first.edges[high] - first.edges[low] < 1.5  # less than two whole decades carry a label
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5) if narrow else (1,)))
    ax.xaxis.set_major_formatter(LogFormatterSciNotation(minor_thresholds=(np.inf, np.inf)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.tick_params(labelsize=8)
    missing = [
        f"{label}: {100 * kind.outside[group]:.1f} % not shown"
        for kind, label in zip((first, second), labels, strict=True)
        if kind.outside[group] > 0
    ]
    if missing:
        ax.text(0.02, 0.97, "\n".join(missing), transform=ax.transAxes, va="top", fontsize=7)
    ax.set_title(first.groups[group], fontsize=10)
    ax.set(xlabel="learning rate", ylabel="share of rates (%)")
    return _plain(ax)


def plot_trace(axes: Sequence[Axes], trace: Trace) -> Sequence[Axes]:
    """The loss on the first of the axes; below, an axes a group, median and 10 to 90 % band of its rates."""
    top, *below = axes
    top.plot(trace.frame, trace.loss, color="black", linewidth=1.4)
    top.set_ylim(0, 1.1 * _greatest([trace.loss]))
    top.set_ylabel("loss before\nthe step", fontsize=8)
    for index, (ax, group) in enumerate(zip(below, trace.groups, strict=True)):
        low, median, high = trace.rates[:, index].T
        exponent = np.floor(np.log10(_greatest([high])))
        scale = 10.0**-exponent
        ax.fill_between(trace.frame, scale * low, scale * high, color=_LIGHT, linewidth=0)
        ax.plot(trace.frame, scale * median, color=_DARK, linewidth=1.4)
        ax.set_ylabel(f"{group.replace(' ', chr(10))}\n(10$^{{{exponent:.0f}}}$)", fontsize=8)
    for ax in axes:
        _plain(ax).margins(x=0.01)
        ax.tick_params(labelsize=8)
    axes[-1].set_xlabel("frame", fontsize=9)
    return axes


def _least(values: Sequence[Array]) -> float:
    return float(np.nanmin(np.concatenate(values)))


def _greatest(values: Sequence[Array]) -> float:
    return float(np.nanmax(np.concatenate(values)))


def _plain(ax: Axes) -> Axes:
    ax.grid(color="0.88", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    return ax
