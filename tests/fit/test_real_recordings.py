"""Fits of real recordings, judged on what was held out. The folder of recordings is in SPIKEFAB_DATA."""

import os
from pathlib import Path

import pytest

from spikefab.fit import fit
from spikefab.fit.recordings.readers import read
from spikefab.fit.scoring.task import Task
from spikefab.hw.models import MODELS

DATA = os.environ.get("SPIKEFAB_DATA")
pytestmark = [
    pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA does not name the folder of real recordings"),
    pytest.mark.slow,
]


def test_regular_spiking_cell():
    results = fit(read(Path(DATA) / "pyABF" / "18713001.abf"), models=["AdEx"], budget=6000)
    best = results.best
    s = best.held_out
    # 0.76 is chance; the same cell's spikes at the next amplitude score 0.55, the mean of both neighbours 0.34
    assert s.timing < 0.6
    assert abs(s.spikes_model - s.spikes_data) <= 0.2 * s.spikes_data
    # rounding costs less than the fit's own error, by far
    assert abs(best.ideal["held_out"].combined_score - s.combined_score) < 0.02


def test_pyramidal_cell_from_text():
    results = fit(read(Path(DATA) / "neuroptimus" / "ca3_pc_v2_4_with_current.csv"), budget=600, top_k=len(MODELS))
    assert {r.model_name for r in results} == set(MODELS)
    for result in results:
        assert result.held_out is not None
        assert 0 <= result.combined_score < 2


@pytest.mark.parametrize(("name", "unpredictable", "jump"), [("04", False, 13), ("05", False, 12), ("12", True, 0)])
def test_what_a_fit_says_of_noise_recordings(name, unpredictable, jump):
    """Set 12's repeats share nothing; the electrode of the others was not compensated, as their current's steps show."""
    task = Task.of(read(Path(DATA) / "QSNMC2007" / f"challengeA_set{name}_4reps.csv"), 0.1)
    assert any("Unpredictable" in note for note in task.notes) == unpredictable
    assert task.measured.jump == pytest.approx(jump, abs=1)


def test_driven_by_the_cleaned_current_it_scores_as_in_the_ranking():
    """The current of PYR2 holds an image of its spikes: what the fit heard is what `recording.sweeps` has, and no more."""
    recording = read(Path(DATA) / "NWBShowcase" / "PYR2.abf")
    assert recording.image is not None
    best = fit(recording, models=["AdEx"], budget=600).best
    task = Task.of(recording, best.dt)
    volts, spikes = [], []
    for k, sweep in enumerate(task.recording.sweeps):
        neuron = best.create_model(k)
        volts.append(neuron.run(sweep.current))
        spikes.append(neuron.spikes)
    assert task.score(task.split.held_out, volts, spikes) == best.held_out
    assert task.i_span == best.i_span == 0.5
