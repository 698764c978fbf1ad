"""What is said of a search while it runs: on which share of the training data its losses are, and how long it will take."""

import numpy as np
import pytest

from spikefab import FitOptions, fit
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring import task as tasks
from spikefab.fit.search.clock import TYPICAL, WARM, FitClock
from spikefab.fit.search.race import FIRST, LAP

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


class Told:
    """A clock of a fit whose time is told, not measured."""

    def __init__(self, models, **options):
        self.time = 0.0
        self.clock = FitClock(FitOptions(models=models, **options), now=lambda: self.time)
        self.budget = options["budget"]

    def batch(self, model, evaluations, loss, seconds):
        self.time += seconds
        self.clock.tell(model, evaluations, self.budget, loss)


def test_the_time_that_remains_knows_of_the_speed_of_each_model():
    """Two models of different speed; the slow one compiles first, is far from the best, and is stopped."""
    fast, slow = "LIFNeuron", "AdExNeuron"
    speed, losses = {fast: 0.001, slow: 0.01}, {fast: 0.1, slow: 0.9}
    told = Told(("LIF", "AdEx"), budget=20_000, top_k=1)
    assert told.clock.remaining is None
    for model, first, until in ((fast, 500, 2000), (slow, 500, 2000)):
        for n in range(first, until, 500):
            told.batch(model, n, losses[model], 500 * speed[model] + (30 if n == 500 else 0))
            if model == slow and n > 500:  # both speeds are known: the rest of this part, and that of the better model
                left = max(FIRST - n, LAP) * 0.01 + (TYPICAL - 1500) * 0.001
                assert told.clock.remaining == pytest.approx(left)
                told.time += 2  # until the next batch
                assert told.clock.remaining == pytest.approx(left - 2)
                told.time -= 2
    told.clock.tell(slow, 1500, 1500, losses[slow])
    assert told.clock.runs[slow].ended and not told.clock.runs[fast].ended
    told.clock.tell(fast, TYPICAL, TYPICAL, losses[fast])
    assert told.clock.remaining == 0
    assert told.clock.seconds == pytest.approx({fast: 1.5 + 30, slow: 15 + 30})


def test_the_time_that_remains_knows_of_folds_and_of_the_whole_budget():
    told = Told(("LIF",), budget=1000, folds=2, whole_budget=True)
    told.budget = 3000  # of all three searches
    told.batch("LIFNeuron", 50, 0.5, 5.0)
    told.batch("LIFNeuron", 100, 0.5, 5.0)
    assert told.clock.remaining == pytest.approx(3 * 1000 * 0.1 - 10)
    told.batch("LIFNeuron", 2999, 0.4, 289.9)
    assert told.clock.remaining == pytest.approx(0.1, rel=0.1)


def test_an_evaluation_on_a_part_of_the_data_takes_less_time():
    told = Told(("LIF",), budget=1000, whole_budget=True)
    told.clock.portion("LIFNeuron", 50, 0.1)
    told.batch("LIFNeuron", 50, 0.5, 0.5)
    told.batch("LIFNeuron", 100, 0.5, 0.5)
    assert told.clock.remaining == pytest.approx(900 * 0.1)  # an evaluation on all data would take 0.1 s


def test_old_evaluations_that_are_repeated_at_once_do_not_promise_a_fast_end():
    told = Told(("LIF",), budget=20_000)
    for n in range(100, 5000, 100):
        told.batch("LIFNeuron", n, 0.5, 1e-4)
    assert told.clock.remaining is None, f"{WARM} s of searching have not passed"
    for n in range(5000, 8001, 100):
        told.batch("LIFNeuron", n, 0.5, 1.0)
    assert told.clock.remaining == pytest.approx(LAP / 100, rel=0.05)
