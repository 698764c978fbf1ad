"""The runs of a search: where they begin, how long they last, and that those that end early have found what there is."""

import itertools

import numpy as np
import pytest

from spikefab.fit.freedom import Freedom
from spikefab.fit.search.loss import Loss
from spikefab.fit.search.search import FINE, GROWN_UP, MOVES, POPULATION, REFINE, STALLED, Search, _improved
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim.engine import FixedPoint

from .cells import DT
from .searching import search


def test_a_search_that_stalls_begins_elsewhere(task, monkeypatch):
    """From the best screened point first, then from those far from where it was."""
    monkeypatch.setattr("spikefab.fit.search.search.LITTLE", 0)
    begun, generations = [], Search._generations

    def noted(self, point, *more, **named):
        begun.append((self.evaluations, point))
        return generations(self, point, *more, **named)

    monkeypatch.setattr(Search, "_generations", noted)
    monkeypatch.setattr(Loss, "each", lambda self, codes: np.ones((len(codes), 1)))  # nowhere is better
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    search(dp, task, budget=6000, whole_budget=True)
    wide = [(n, point) for n, point in begun if n < REFINE * 6000]
    assert len(wide) == 3
    for (n, a), (m, b) in itertools.pairwise(wide):
        assert STALLED <= m - n <= STALLED + 2 * POPULATION
        assert np.linalg.norm(a - b) > 0.5
    # it has converged after the second run and one round of changes of single codes
    begun.clear()
    found = search(dp, task, budget=60_000)
    assert found.over and len(begun) == 2
    last = begun[-1][0] + STALLED
    assert last <= found.evaluations <= last + 2 * POPULATION + len(MOVES) * len(found._space.moved())


def test_little_data_take_the_whole_budget(dp, task, long):
    """With few spikes, narrower runs and other starts go on finding better results."""
    assert search(dp, task, budget=700)._whole_budget
    assert not Search(FixedPoint(dp), long, budget=700, seed=0)._whole_budget


def test_a_run_begins_on_some_sweeps(long, monkeypatch):
    """Its first generations are compared on them, and no candidate of them is the best one."""
    for name, steps in (("task.MANY", 10_000), ("task.FEW", 20_000)):
        monkeypatch.setattr(f"spikefab.fit.scoring.{name}", steps)
    dp = datapath(MODELS["LIFNeuron"], 18, DT, long.i_span)
    glances, glance = [], Search._glance

    def noted(self, x, space):
        before = self.lowest, self.codes
        glances.append((self.evaluations, len(self._few.length) / len(self._whole.length)))
        values = glance(self, x, space)
        assert before == (self.lowest, self.codes) or np.array_equal(before[1], self.codes)
        return values

    monkeypatch.setattr(Search, "_glance", noted)
    found = search(dp, long, budget=20_000)
    begun = np.flatnonzero(np.diff([n for n, _ in glances]) > POPULATION) + 1
    assert len(glances) == GROWN_UP * (len(begun) + 1) and len(begun) >= 1
    assert all(share <= 0.6 for _, share in glances)
    assert found.loss == found.lowest == Loss(FixedPoint(dp), long)(found.codes[None])[0]
    # all sweeps in all generations, if asked for
    glances.clear()
    search(dp, long, budget=3000, whole_budget=True)
    assert not glances


# The losses of the generations of a run, the first GROWN_UP of them on some sweeps.
BEGINNING = [*np.linspace(0.05, 0.02, GROWN_UP)]
FALLING = [*BEGINNING, *np.linspace(0.9, 0.2, 40), *[0.2] * 30]
PATIENCE = STALLED // POPULATION + 1  # generations without improvement


@pytest.mark.parametrize(
    ("runs", "lengths"),
    [
        ([FALLING, [0.03] * 40], [GROWN_UP + 40 + PATIENCE, GROWN_UP]),  # behind on some sweeps
        ([FALLING, [*BEGINNING, *np.linspace(0.93, 0.6, 30)]], [GROWN_UP + 40 + PATIENCE, GROWN_UP + 4]),  # and on all
        (
            [FALLING, [*BEGINNING, *[0.1] * 40], [*BEGINNING, *[0.2] * 40]],
            [GROWN_UP + 40 + PATIENCE, GROWN_UP + 1 + PATIENCE, GROWN_UP + 1],
        ),
    ],
    ids=["behind on some sweeps", "behind on all", "the pace is that of the best"],
)
def test_how_long_a_run_lasts(long, monkeypatch, runs, lengths):
    assert lasted("LIFNeuron", long, monkeypatch, runs) == lengths


def test_the_first_run_that_varies_quantities_is_not_judged_by_the_others(long, monkeypatch):
    """It goes on until it has stalled; the next one is behind."""
    runs = [FALLING, [*BEGINNING, *np.linspace(0.93, 0.6, 30), *np.linspace(0.6, 0.1, 30), *[0.1] * 30], [0.03] * 40]
    lengths = [GROWN_UP + 40 + PATIENCE, GROWN_UP + 60 + PATIENCE, GROWN_UP]
    assert lasted("GLIFNeuron", long, monkeypatch, runs) == lengths


def lasted(model, long, monkeypatch, runs):
    """How many generations each run of the second stage lasts, if these are their losses."""
    for name, steps in (("task.MANY", 10_000), ("task.FEW", 20_000)):
        monkeypatch.setattr(f"spikefab.fit.scoring.{name}", steps)
    found = []

    def scripted(self, point, space, sigma, until, seed, cov=None, early=0):
        assert early == GROWN_UP
        found.append(0)
        for loss in runs[len(found) - 1]:
            self.evaluations += POPULATION
            found[-1] += 1
            if found[-1] > early:
                self.lowest = min(self.lowest, loss)
            yield point + 1, loss  # elsewhere than the best candidate

    monkeypatch.setattr(Search, "_generations", scripted)
    dp = datapath(MODELS[model], 18, DT, long.i_span)
    search = Search(FixedPoint(dp), long, budget=20_000, seed=0)
    search._use(search._part)
    for _ in search._wide(np.random.default_rng(0).random((8, len(search._space.names))), lambda: 10**9, 0):
        pass
    assert search._settled
    return found


def test_runs_are_in_turn_in_both_spaces_and_the_last_in_that_of_the_best(long, monkeypatch):
    spaces, real = [], Search._generations

    def watched(self, point, space, *args, **more):
        spaces.append((space, None if self._spread is None else self._found_in))
        yield from itertools.islice(real(self, point, space, *args, **more), 14)

    monkeypatch.setattr(Search, "_generations", watched)
    dp = datapath(MODELS["GLIFNeuron"], 18, DT, long.i_span)
    found = Search(FixedPoint(dp), long, budget=12_000, seed=0, whole_budget=True)
    found.run(12_000)
    plain, turned = found._spaces
    assert (plain.quantities.keys(), turned.quantities.keys()) == (set(), {"kappa", "alpha_2"})
    wide = int(0.6 * 12_000 - 1024) // (14 * POPULATION)
    assert [s for s, _ in spaces[:wide]] == [(plain, turned)[k % 2] for k in range(wide)]
    assert all(s is best for s, best in spaces[wide + 1 :]) and len(spaces) > wide + 2


@pytest.mark.parametrize("freedom", [Freedom(bounds={"kappa": (0.2, 1.2)}), Freedom(fixed={"kappa": 0.5})])
def test_a_range_or_a_value_of_the_users_is_searched_as_it_is(long, freedom):
    dp = datapath(MODELS["GLIFNeuron"], 18, DT, long.i_span)
    found = Search(FixedPoint(dp), long, budget=1000, seed=0, freedom=freedom)
    assert found._spaces == [found._space] and not found._space.quantities


def test_a_run_that_comes_to_where_the_best_one_is_ends(long, monkeypatch):
    dp = datapath(MODELS["QuadraticIFNeuron"], 18, DT, long.i_span)
    found = search(dp, long, budget=20_000, seed=1)
    monkeypatch.setattr("spikefab.fit.search.search.SAME", 0.0)
    to_the_end = search(dp, long, budget=20_000, seed=1)
    assert found.evaluations < to_the_end.evaluations and found.loss <= 1.01 * to_the_end.loss


# times the loss of the whole budget, of models that go on improving by less than what counts as an improvement
WORSE = {"AdExNeuron": 1.4, "HindmarshRoseNeuron": 1.3}


@pytest.mark.slow  # two searches of each model, one with all of a large budget
def test_converged_is_as_good_as_a_large_budget(dp, long):
    whole = search(dp, long, budget=20_000, whole_budget=True)
    found = search(dp, long, budget=20_000)
    assert found.over and found.evaluations <= whole.evaluations == 20_000
    assert found.loss <= WORSE.get(dp.model.__name__, 1.1) * whole.loss + 0.01


@pytest.mark.parametrize(
    ("before", "after", "better"),
    [(1.0, 0.996, False), (1.0, 0.994, True), (0.01, 0.0096, False), (0.01, 0.0094, True), (np.inf, 1.0, True), (0.0, 0.0, False)],
)  # fmt: skip
def test_what_counts_as_an_improvement(before, after, better):
    assert _improved(before, after, FINE) == better
