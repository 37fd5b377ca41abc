"""The ablation figures of the paper from raw results: what is there is drawn, what is missing is named.

    drawn, missing = draw_figures(Material(Path("results"), Path("data/OTB")))

Which trackers a figure compares is declared in toolkit_configs/figure*.toml; `roam sweep` runs them.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from roam_tracker.errors import ConfigError, InputError
from roam_tracker.files import nearest, write_atomic
from roam_tracker.report.evaluation import Evaluation
from roam_tracker.report.paper import ablations, updates
from roam_tracker.report.paper.material import Material, complete, score_points
from roam_tracker.report.paper.seeds import merge_seeds, seed_groups
from roam_tracker.report.paper.sweeps import Sweep, read_sweep
from roam_tracker.report.show import plots
from roam_tracker.report.show.tables import to_csv, to_tex


@dataclass(frozen=True, slots=True, kw_only=True)
class PaperFigure:
    """A figure, the numbers it shows, and sentences on what it leaves out."""

    name: str
    figure: Figure
    table: pd.DataFrame
    tex: str | None = None
    notes: tuple[str, ...] = ()


def draw_figures(material: Material, names: Iterable[str] = ()) -> tuple[list[PaperFigure], dict[str, str]]:
    """The figures that can be drawn, and for each other one a sentence on what is missing.

    names: of FIGURES; none = all. Raises ConfigError for an unknown name.
    """
    drawn, missing = [], {}
    for name in names or FIGURES:
        if name not in FIGURES:
            raise ConfigError(f"There is no figure named {name!r}: {nearest(name, FIGURES)}")
        sweep, draw = FIGURES[name]
        try:
            drawn.append(replace(draw(material, read_sweep(sweep)), name=name))
        except InputError as reason:
            missing[name] = str(reason)
    return drawn, missing


def write_figures(drawn: Sequence[PaperFigure], out: Path) -> list[Path]:
    """Write each figure as PNG and PDF, its numbers as CSV, a table also as LaTeX; the files written."""
    contents: dict[Path, str | bytes] = {}
    for one in drawn:
        for suffix in ("png", "pdf"):
            contents[out / f"{one.name}.{suffix}"] = plots.render(one.figure, suffix)
        contents[out / f"{one.name}.csv"] = to_csv(one.table)
        if one.tex is not None:
            contents[out / f"{one.name}.tex"] = one.tex
    for path, content in contents.items():
        write_atomic(path, content)
    return list(contents)


def _ablations(material: Material, sweep: Sweep) -> PaperFigure:
    """Figure 6: success and precision of the variants."""
    labels = {point.tracker: series.label for series in sweep.series for point in series.points}
    everything = material.evaluation(sweep)
    groups = seed_groups(everything.table["tracker"])
    names = [name for base in labels for name in groups.get(base, [base])]
    evaluation, notes = complete(everything, names, sweep)
    merged = merge_seeds(evaluation, labels)
    shown = [plot for plot in ("success", "precision") if plot in merged.curves]
    figure = plots.new_figure(5.2 * len(shown), 4.4)
    styles = _styles()
    for index, plot in enumerate(shown):
        ax = figure.add_subplot(1, len(shown), index + 1)
        plots.plot_curves(ax, plot, merged.curves[plot], styles, bands=True)
    _title(figure, "ablations", merged)
    return PaperFigure(name="", figure=figure, table=merged.table, tex=to_tex(merged), notes=notes)


def _object_size(material: Material, sweep: Sweep) -> PaperFigure:
    """Figure 7: accuracy and speed over the base object size."""
    rows, evaluation, notes = score_points(material, sweep)
    headline = evaluation.headline
    figure = plots.new_figure(5.2, 4.8)
    upper, lower = figure.subplots(2, 1, sharex=True)
    for ax, column, label in (
        (upper, headline.column, headline.heading),
        (lower, "speed_fps", "frames/s"),
    ):
        lines = _lines(rows, column)
        if lines:
            ablations.plot_setting(ax, lines, _styles(), x_label="", y_label=label)
    lower.set_xlabel("base object size B (px)")
    figure.align_ylabels()
    _title(figure, "base object size", evaluation)
    return PaperFigure(name="", figure=figure, table=rows, notes=notes)


def _steps(material: Material, sweep: Sweep) -> PaperFigure:
    """Figure 8: accuracy over the number of gradient steps."""
    rows, evaluation, notes = score_points(material, sweep)
    headline = evaluation.headline
    figure = plots.new_figure(5.6, 4.1)
    ablations.plot_setting(
        figure.add_subplot(),
        _lines(rows, headline.column),
        _styles(),
        x_label="gradient steps an update",
        y_label=headline.heading,
        octaves=True,
    )
    _title(figure, "gradient steps", evaluation)
    return PaperFigure(name="", figure=figure, table=rows, notes=notes)


def _losses(material: Material, sweep: Sweep) -> PaperFigure:
    """Figure 9: the loss over time, in one sequence and on average."""
    recorded = material.recordings(sweep)
    names, chosen = updates.common_sequences(recorded), material.chosen_sequence(recorded)
    curves = {
        point.tracker: {name: updates.loss_after_updates(recorded[point.tracker][name]) for name in names}
        for point in sweep.points
    }
    panels = {chosen: {tracker: by_name[chosen] for tracker, by_name in curves.items()}}
    if len(names) > 1:
        title = f"mean of {len(names)} sequences of {material.dataset_of(sweep)}"
        panels[title] = {
            tracker: updates.mean_losses(by_name.values()) for tracker, by_name in curves.items()
        }
    figure = plots.new_figure(5.0 * len(panels), 3.8)
    rows = []
    for index, (title, by_tracker) in enumerate(panels.items()):
        ax = figure.add_subplot(1, len(panels), index + 1)
        lines = []
        for series in sweep.series:
            losses = by_tracker[series.points[0].tracker]
            lines.append(ablations.Line(series.label, losses.frame, losses.loss))
            columns = {"frame": losses.frame, "loss": losses.loss, "sequences": losses.sequences}
            rows.append(pd.DataFrame({"panel": title, "tracker": series.label, **columns}))
        ablations.plot_losses(ax, lines, _styles()).set_title(title, fontsize=11)
    return PaperFigure(name="", figure=figure, table=pd.concat(rows))


def _with_and_without(material: Material, sweep: Sweep) -> PaperFigure:
    """Figure 3: updating rates of two trackers on the same sequences."""
    recorded = material.recordings(sweep)
    names = updates.common_sequences(recorded)
    first, second = (
        updates.updating_rates([recorded[point.tracker][name] for name in names]) for point in sweep.points
    )
    title = f"updating rates, {len(names)} sequences of {material.dataset_of(sweep)}"
    return _rates(first, second, (sweep.series[0].label, sweep.series[1].label), title)


def _initial_and_updating(material: Material, sweep: Sweep) -> PaperFigure:
    """Figure 10: initial and updating rates of one tracker."""
    ((tracker, by_name),) = material.recordings(sweep).items()
    recordings = list(by_name.values())
    first, second = updates.initial_rates(recordings), updates.updating_rates(recordings)
    title = f"rates of {tracker}, {len(recordings)} sequences of {material.dataset_of(sweep)}"
    return _rates(first, second, ("initial", "updating"), title)


def _rates(
    first: updates.RateShares, second: updates.RateShares, labels: tuple[str, str], title: str
) -> PaperFigure:
    """A panel a group, two in a row."""
    count = len(first.groups)
    figure = plots.new_figure(8.4, 2.9 * ((count + 1) // 2))
    axes = figure.subplots((count + 1) // 2, 2, squeeze=False).flatten()
    for group in range(count):
        ablations.plot_rates(axes[group], first, second, group, labels)
    for ax in axes[count:]:
        ax.set_visible(False)
    figure.legend(
        *axes[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=2,
        frameon=False,
        title=title,
    )
    table = pd.concat(
        pd.DataFrame(
            {
                "group": name,
                "log10_from": first.edges[:-1],
                "log10_to": first.edges[1:],
                labels[0]: first.shares[index],
                labels[1]: second.shares[index],
            }
        )
        for index, name in enumerate(first.groups)
    )
    return PaperFigure(name="", figure=figure, table=table)


def _trace(material: Material, sweep: Sweep) -> PaperFigure:
    """How one tracker's rates answer to the loss in one sequence."""
    tracker = sweep.points[0].tracker
    recorded = {tracker: material.recordings(replace(sweep, series=sweep.series[:1]))[tracker]}
    chosen = material.chosen_sequence(recorded)
    found = updates.trace(recorded[tracker][chosen])
    count = len(found.groups)
    figure = plots.new_figure(6.4, 1.5 + 1.25 * count)
    axes = figure.subplots(count + 1, 1, sharex=True, height_ratios=[1.4, *[1] * count])
    ablations.plot_trace(list(axes), found)
    figure.align_ylabels()
    axes[0].set_title(f"{tracker} on {chosen}: loss, and median and 10 to 90 % of the rates", fontsize=10)
    columns: dict[str, object] = {"frame": found.frame, "loss": found.loss}
    for index, group in enumerate(found.groups):
        for part, name in enumerate(("10 %", "median", "90 %")):
            columns[f"{group} {name}"] = found.rates[:, index, part]
    return PaperFigure(name="", figure=figure, table=pd.DataFrame(columns))


# name -> the sweep that makes its material, and what draws it
FIGURES: dict[str, tuple[str, Callable[[Material, Sweep], PaperFigure]]] = {
    "figure3": ("figure3", _with_and_without),
    "figure6": ("figure6", _ablations),
    "figure7": ("figure7", _object_size),
    "figure8": ("figure8", _steps),
    "figure9": ("figure9", _losses),
    "figure10": ("figure10", _initial_and_updating),
    "trace": ("figure9", _trace),
}


def _lines(rows: pd.DataFrame, column: str) -> list[ablations.Line]:
    """A line a series, without the points whose score is missing."""
    known = rows[np.isfinite(rows[column])]
    return [
        ablations.Line(str(label), part["value"].to_numpy(float), part[column].to_numpy(float))
        for label, part in known.groupby("series", sort=False)
    ]


def _styles() -> dict[str, plots.Style]:
    """One look for each line of figures 6 to 9."""
    sweeps = [read_sweep(name) for name in ("figure6", "figure7", "figure8", "figure9")]
    return plots.styles_in_order(series.label for sweep in sweeps for series in sweep.series)


def _title(figure: Figure, text: str, evaluation: Evaluation) -> None:
    used = int(evaluation.table["sequences"].max())
    figure.suptitle(
        f"{evaluation.benchmark.name}: {text}, {used} of {evaluation.total} sequences", fontsize=11
    )
