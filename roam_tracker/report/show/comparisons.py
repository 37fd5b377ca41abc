"""Plots that compare trackers beyond one curve: by attribute, and two of them sequence by sequence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from numpy.typing import NDArray

from roam_tracker.report.show.plots import Style, drawable, put_legend, tracker_styles

_DARK, _GREY = "#0B3C5D", "0.55"


def plot_attributes(
    ax: Axes,
    attributes: pd.DataFrame,
    styles: Mapping[str, Style] | None = None,
    *,
    column: str = "auc",
    label: str = "AUC",
) -> Axes:
    """A row an attribute, hardest on top, a mark a tracker; a bar from the worst tracker to the best.

    attributes: a row an attribute and tracker: `attribute`, `tracker`, `column`, `sequences`
    """
    grid = attributes.pivot(index="attribute", columns="tracker", values=column)
    grid = grid.loc[grid.mean(axis=1).sort_values(ascending=False).index].dropna(how="all")
    counts = attributes.groupby("attribute")["sequences"].max()
    trackers = grid.mean().sort_values(ascending=False).index
    styles = styles or tracker_styles(trackers)
    heights = np.arange(len(grid))
    ax.hlines(heights, grid.min(axis=1), grid.max(axis=1), color="0.86", linewidth=7, zorder=1)
    for tracker in trackers:
        style = styles[tracker]
        ax.plot(
            grid[tracker],
            heights,
            linestyle="",
            marker=style.marker,
            markersize=8,
            color=style.colour,
            markeredgecolor="black",
            markeredgewidth=0.4,
            label=drawable(tracker),
            zorder=3,
        )
    ax.set_yticks(heights, [f"{name} ({counts[name]:.0f})" for name in grid.index])
    ax.set(
        xlabel=f"{label} over the sequences that have the attribute (their number)",
        ylim=(-0.6, len(grid) - 0.4),
    )
    ax.grid(axis="x", color="0.88", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    return put_legend(ax, inside=0)


def plot_pair(ax: Axes, first: pd.Series, second: pd.Series, *, label: str, named: int = 8) -> Axes:
    """Scores of two trackers, a point a sequence; above the diagonal the second one is better.

    first, second: scores by sequence, named after their trackers; sequences that both have are drawn
    named:         how many of the points furthest from the diagonal bear their sequence's name
    Higher scores must be the better ones. The corners count the sequences on either side.
    """
    both = pd.concat([first.rename("x"), second.rename("y")], axis=1).dropna()
    x, y = both["x"].to_numpy(float), both["y"].to_numpy(float)
    low, high = (min(0.0, *x, *y), max(1.0, *x, *y)) if len(both) else (0.0, 1.0)
    ax.plot([low, high], [low, high], color=_GREY, linewidth=1, zorder=1)
    above, below = y > x, y < x
    look: dict[str, Any] = {"s": 22, "linewidths": 0.8, "zorder": 3, "clip_on": False}
    ax.scatter(x[above], y[above], facecolors=_DARK, edgecolors=_DARK, marker="^", **look)
    ax.scatter(x[below], y[below], facecolors="white", edgecolors=_DARK, marker="o", **look)
    ax.scatter(x[x == y], y[x == y], facecolors=_GREY, edgecolors=_GREY, marker="s", **look)
    ax.set(xlim=(low, high), ylim=(low, high), aspect="equal")
    names = [drawable(str(side.name)) for side in (first, second)]
    ax.set(xlabel=f"{label} of {names[0]}", ylabel=f"{label} of {names[1]}")
    ax.grid(color="0.92", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
    ax.set_title(
        f"{names[1]} better in {above.sum()},\n{names[0]} in {below.sum()} of {len(both)} sequences",
        fontsize=9,
    )
    _name_outliers(ax, both.index, np.column_stack([x, y]), named)
    return ax


def _name_outliers(ax: Axes, names: pd.Index, points: NDArray[np.float64], count: int) -> None:
    """Names beside the points that differ most, half of them on either side, where nothing is in the way."""
    low, high = ax.get_xlim()
    places = (points - low) / (high - low)  # in shares of the axes, as all that follows
    taken = [(x - 0.01, y - 0.01, x + 0.01, y + 0.01) for x, y in places]
    left_to_name = {True: (count + 1) // 2, False: count // 2}
    difference = points[:, 1] - points[:, 0]
    for index in np.argsort(-np.abs(difference), kind="stable"):
        above, (x, y), name = bool(difference[index] > 0), places[index], str(names[index])
        if difference[index] == 0 or not left_to_name[above]:
            continue
        width = 0.018 * len(name)  # of 7.5 pt letters in axes of about 4 inches
        beside = [x - 0.018 - width, x + 0.018]
        for left in beside if above else beside[::-1]:
            box = (left, y - 0.018, left + width, y + 0.018)
            if left > 0 and left + width < 1 and not any(_meet(box, other) for other in taken):
                taken.append(box)
                left_to_name[above] -= 1
                ax.text(left, y, name, transform=ax.transAxes, fontsize=7.5, va="center", color="0.15")
                break


def _meet(box: tuple[float, ...], other: tuple[float, ...]) -> bool:
    return box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3]
