"""Figures 3, 9, 10 and the trace: what recordings say of the updates."""

import numpy as np
import pytest
from matplotlib.figure import Figure
from raw_results import drawn, write_recording, write_recordings

from roam_tracker.recording import read_recording
from roam_tracker.report import Line, plot_losses, plot_rates, plot_trace
from roam_tracker.report.paper.updates import (
    Losses,
    initial_rates,
    loss_after_updates,
    mean_losses,
    trace,
    updating_rates,
)


@pytest.fixture
def recorded(tmp_path):
    write_recordings(tmp_path)
    return tmp_path


def test_the_loss_of_an_update_is_what_its_last_step_left(recorded):
    losses = loss_after_updates(read_recording(recorded / "results/recordings/OTB2015/ROAM/long.json"))
    assert losses.frame.tolist() == [5, 10, 15, 20]
    assert losses.loss.tolist() == [1, 2, 3, 4]


def test_the_mean_loss_goes_as_far_as_half_of_the_sequences():
    def losses(*values):
        frame = 5.0 * np.arange(1, len(values) + 1)
        return Losses(frame, np.array(values), np.ones(len(values)))

    # frames 5, 10: three sequences, 15: two of three, 20: one of three; NaN does not count
    mean = mean_losses([losses(1.0, 2, 3, 4), losses(3.0, np.nan, 5), losses(5.0, 6)])
    assert mean.frame.tolist() == [5, 10, 15]
    assert mean.loss.tolist() == [3, 4, 4]
    assert mean.sequences.tolist() == [3, 2, 2]


def test_figure_9_shows_one_sequence_and_the_mean(recorded):
    (figure,), _ = drawn(recorded, "figure9")
    one, mean = figure.figure.axes
    assert one.get_title() == "long"
    assert mean.get_title() == "mean of 2 sequences of OTB2015"
    table = figure.table.set_index(["panel", "tracker"])
    assert table.loc[("long", "SGD"), "loss"].tolist() == [2, 3, 4, 5]
    # half of two sequences last to frame 20
    assert table.loc[("mean of 2 sequences of OTB2015", "ROAM"), "loss"].tolist() == [3, 4, 3, 4]


def test_figure_9_shows_the_sequence_that_is_asked_for(recorded):
    (figure,), _ = drawn(recorded, "figure9", sequence="short")
    assert figure.figure.axes[0].get_title() == "short"
    figures, missing = drawn(recorded, "figure9", sequence="shorter")
    assert not figures
    assert "did you mean 'short'" in missing["figure9"]


def test_rates_are_shares_of_all_rates_of_a_group(recorded, tmp_path):
    folder = recorded / "results/recordings/OTB2015/ROAM"
    recordings = [read_recording(folder / f"{name}.json") for name in ("long", "short")]
    for shares in (initial_rates(recordings), updating_rates(recordings)):
        np.testing.assert_allclose(shares.shares.sum(axis=1) + shares.outside, 1)
    # the response bias has one rate: 1e-5 and then 2e-5 in each update, ten times that in frame 0
    edges = initial_rates(recordings).edges
    assert edges[np.flatnonzero(initial_rates(recordings).shares[3])] == pytest.approx([-4])
    updating = updating_rates(recordings).shares[3]
    assert edges[np.flatnonzero(updating)] == pytest.approx([-5, -4.7])
    assert updating[updating > 0].tolist() == [0.5, 0.5]


def test_rates_outside_of_all_bins_are_told_in_the_figure(tmp_path):
    write_recording(tmp_path, "ROAM", "odd", [1.0], rates=(-1, 1e-6, 1e-6, 1e-6, 1e-6, 1e-3, 1e-4, 1e-5))
    found = read_recording(tmp_path / "results/recordings/OTB2015/ROAM/odd.json")
    first, second = initial_rates([found]), updating_rates([found])
    ax = plot_rates(Figure().add_subplot(), first, second, 0, ("initial", "updating"))
    assert [text.get_text() for text in ax.texts] == ["initial: 20.0 % not shown\nupdating: 20.0 % not shown"]


def test_figures_3_and_10_have_a_panel_for_each_group(recorded):
    figures, _ = drawn(recorded, "figure3", "figure10")
    for figure in figures:
        titles = [ax.get_title() for ax in figure.figure.axes]
        assert titles == ["reduction weight", "reduction bias", "response filter", "response bias"]
    assert {"without RFS", "with RFS"} <= set(figures[0].table)
    assert {"initial", "updating"} <= set(figures[1].table)


def test_the_trace_has_loss_and_rates_of_the_last_step_of_each_update(recorded):
    found = trace(read_recording(recorded / "results/recordings/OTB2015/ROAM/long.json"))
    assert found.frame.tolist() == [5, 10, 15, 20]
    assert found.loss.tolist() == [1.5, 2.5, 3.5, 4.5]
    # twice 1 .. 5e-6: 10th percentile 2.8, median 6, 90th 9.2
    np.testing.assert_allclose(found.rates[0, 0], [2.8e-6, 6e-6, 9.2e-6])
    axes = plot_trace(Figure().subplots(5, 1), found)
    assert axes[0].get_lines()[0].get_ydata().tolist() == [1.5, 2.5, 3.5, 4.5]
    np.testing.assert_allclose(
        axes[1].get_lines()[0].get_ydata(), 6
    )  # in units of 1e-6, which the label tells
    assert "10$^{-6}$" in axes[1].get_ylabel()


def test_the_line_with_the_least_mean_loss_comes_first():
    x = np.arange(3.0)
    ax = plot_losses(
        Figure().add_subplot(), [Line("a", x, x + 1), Line("b", x, np.array([0.1, np.nan, 0.3]))]
    )
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["b [mean 0.2]", "a [mean 2]"]
