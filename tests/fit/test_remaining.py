"""What is said of a search while it runs: on which share of the training data its losses are, and how long it will take."""

import numpy as np
import pytest

from spikefab import fit
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring import task as tasks
from spikefab.fit.search.remaining import Remaining

DT, BUDGET = 0.1, 2000


@pytest.fixture(scope="module")
def sweeps(membrane, steps):
    currents = [steps([a], DT, 400)[0] for a in (0.1, 0.2, 0.22, 0.24, 0.26, 0.28, 0.3, 0.32)]
    return Recording.from_arrays([membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents, DT)


def followed(recording, **options):
    """Every call of `portion` and of `progress` of a fit."""
    told = []
    fit(
        recording, models=["LIF", "Lapicque"], budget=BUDGET,
        portion=lambda *call: told.append(("portion", *call)), progress=lambda *call: told.append(("progress", *call)),
        **options,
    )  # fmt: skip
    return told


def portions(told, model="LIFNeuron"):
    return [call[2:] for call in told if call[:2] == ("portion", model)]


def test_a_short_recording_is_searched_as_a_whole(sweeps):
    ((first, share),) = portions(followed(sweeps))
    assert share == 1 and 0 < first <= BUDGET / 4


@pytest.mark.parametrize("folds", [None, 2])
def test_a_long_recording_is_searched_in_a_part_first(sweeps, monkeypatch, folds):
    monkeypatch.setattr(tasks, "LONG", 10_000)
    monkeypatch.setattr(tasks, "SHORT", 8_000)
    told = followed(sweeps, folds=folds)
    found = portions(told)
    assert len(found) == 2 * (1 + (folds or 0))
    for k, ((_, part), (moved, whole)) in enumerate(zip(found[::2], found[1::2], strict=True)):
        assert 0 < part < 1 and whole == 1
        assert moved == pytest.approx((k + 0.6) * BUDGET, abs=100)
    # the loss that is told at that evaluation is the first one on all data
    at = told.index(("portion", "LIFNeuron", *found[1]))
    assert told[at + 1][:3] == ("progress", "LIFNeuron", found[1][0])
    losses = np.array([call[4] for call in told[:at] if call[:2] == ("progress", "LIFNeuron")])
    assert (np.diff(losses) <= 0).all() and told[at + 1][4] != losses[-1]


def test_the_time_that_remains_is_what_passes():
    """Two models of different speed; the slow one is far from the best and ends early."""
    speed, losses = {"fast": 0.001, "slow": 0.01}, {"fast": 0.1, "slow": 0.9}
    left = Remaining([*speed], 20_000, 1)
    assert left.seconds is None
    for model, until in (("fast", 5000), ("slow", 5000), ("fast", 20_000)):
        for n in range(1000 if model != "fast" or until == 5000 else 6000, until + 1, 1000):
            left.progress(model, n, losses[model], 1000 * speed[model])
            if model == "slow":  # both speeds are known: the rest of this part, and that of the better model
                assert left.seconds == pytest.approx((5000 - n) * 0.01 + 15_000 * 0.001)
    assert left.seconds == 0


def test_the_time_that_remains_knows_of_the_part_and_of_folds():
    """An evaluation on a tenth of the data takes a tenth of the time."""
    left = Remaining(["only"], 1000, 5, folds=2)
    left.portion("only", 100, 0.1)
    left.progress("only", 100, 0.5, 1.0)
    one = 6.0 + 40.0  # s: 600 evaluations on a part, 400 on all
    assert left.seconds == pytest.approx(3 * one - 1)
    left.progress("only", 600, 0.4, 5.0)
    left.portion("only", 700, 1.0)
    left.progress("only", 1000, 0.4, 40.0)
    assert left.seconds == pytest.approx(2 * one)


def test_old_evaluations_that_are_repeated_at_once_do_not_promise_a_fast_end():
    left = Remaining(["only"], 20_000, 5)
    for n in range(100, 5000, 100):
        left.progress("only", n, 0.5, 1e-4)
    for n in range(5000, 8001, 100):
        left.progress("only", n, 0.5, 1.0)
    assert left.seconds == pytest.approx(120, rel=0.05)
