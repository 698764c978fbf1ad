"""The pictures are written, show something, and leave a user's own figures alone."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from matplotlib.image import imread

from spikefab.errors import UsageError
from spikefab.fit import fit
from spikefab.fit.report.plots import plot_best, plot_ranking
from spikefab.fit.results import FitResults

DT = 0.1  # ms, of `cell`


def fitted(cell, amplitudes, models=("lif",)):
    voltage, current = zip(*(cell(a, seed=k) for k, a in enumerate(amplitudes)), strict=True)
    return fit(voltage=list(voltage), current=list(current), dt=DT, models=models, budget=64)


def colours(path):
    """The picture, and how much of it is not white."""
    pixels = imread(path)[..., :3]
    assert min(pixels.shape[:2]) > 250
    return pixels, float(np.mean(np.any(pixels < 0.9, axis=2)))


def share(pixels, rgb):
    return float(np.mean(np.all(np.abs(pixels - np.array(rgb)) < 0.05, axis=2)))


# many sweeps; one; none with spikes
@pytest.mark.parametrize("amplitudes", [tuple(np.linspace(0.1, 0.4, 14)), (0.26,), (0.1, -0.1)])
def test_best(tmp_path, cell, amplitudes):
    plot_best(fitted(cell, amplitudes), tmp_path / "best.png")
    pixels, ink = colours(tmp_path / "best.png")
    assert 0.01 < ink < 0.5
    assert share(pixels, (0, 0, 0)) > 0.002  # the recording
    assert share(pixels, (0xD1 / 255, 0x49 / 255, 0x5B / 255)) > 0.001  # the model


def test_best_of_a_long_fast_recording(tmp_path, cell):
    voltage, current = cell(0.6, step=6000)
    results = fit(voltage=voltage, current=current, dt=DT, models=["lif"], budget=64)
    plot_best(results, tmp_path / "best.png")
    assert 0.01 < colours(tmp_path / "best.png")[1] < 0.3  # no wall of spikes


def test_ranking(tmp_path, cell):
    results = fitted(cell, (0.22, 0.26, 0.31, 0.37), ("lif", "izhikevich"))
    plot_ranking(results, tmp_path / "ranking.png")
    pixels, _ = colours(tmp_path / "ranking.png")
    assert share(pixels, (0x30 / 255, 0x63 / 255, 0x8E / 255)) > 0.005  # the voltage term


@pytest.mark.parametrize("training", [0.6, 40.0])
def test_ranking_whose_training_scores_are_far_away(tmp_path, cell, training):
    results = fitted(cell, (0.22, 0.26, 0.31, 0.37), ("lif",))
    results[0].train = replace(results[0].train, combined_score=training)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # matplotlib warns where marks outside the axes leave them no room
        plot_ranking(results, tmp_path / "ranking.png")
    pixels, _ = colours(tmp_path / "ranking.png")
    assert share(pixels, (0x30 / 255, 0x63 / 255, 0x8E / 255)) > 0.002


def test_pictures_need_traces_and_leave_pyplot_alone(tmp_path):
    from matplotlib import pyplot

    assert pyplot.get_fignums() == []
    with pytest.raises(UsageError, match="no traces to plot"):
        plot_best(FitResults(), tmp_path / "best.png")
    with pytest.raises(UsageError, match="no results"):
        plot_ranking(FitResults(), tmp_path / "ranking.png")
    assert not list(tmp_path.iterdir())
