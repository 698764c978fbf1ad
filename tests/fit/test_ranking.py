"""Whether a rank is sure."""

import numpy as np
import pytest

from spikefab.fit import fit
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.certainty import certainty


@pytest.fixture
def rng():
    return np.random.default_rng(2)


def test_a_model_that_is_better_on_every_sweep_is_surely_first():
    first, tied = certainty(np.array([[0.1, 0.2, 0.3, 0.4], [0.2, 0.3, 0.4, 0.5]]))
    assert list(first) == [1, 0]
    assert list(tied) == [True, False]


def test_models_are_paired_by_sweep(rng):
    """Sweeps that are hard for all do not blur the order."""
    hard = rng.uniform(0, 1, 12)
    _, tied = certainty(np.stack([hard, hard + 0.01]))
    assert list(tied) == [True, False]


def test_models_that_win_by_turns_are_tied(rng):
    scores = rng.normal(0.3, 0.1, (2, 9))
    scores[1] += scores[0].mean() - scores[1].mean() + 0.005
    first, tied = certainty(scores)
    assert tied.all()
    assert 0.3 < first[1] < 0.5
    assert first.sum() == pytest.approx(1)


def test_two_sweeps_are_too_few():
    assert certainty(np.array([[0.1, 0.2], [0.3, 0.4]])) is None


def test_a_fit_says_who_is_tied(membrane, steps):
    currents = steps(np.linspace(0.18, 0.45, 12), 0.2)
    recording = Recording.from_arrays([membrane(i, 0.2, 0.3, seed=k) for k, i in enumerate(currents)], currents, 0.2)
    results = fit(recording, dt=0.2, models=["LIF", "Lapicque", "Theta"], budget=1500)
    assert results.best.model_name == "LIFNeuron"
    assert results[0].tied
    assert not results[-1].tied
    assert results[0].first > 0.9
    assert (results.tie is not None) == (sum(r.tied for r in results) > 1)
