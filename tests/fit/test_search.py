"""The search: where it looks, that its loss is the score, and that it finds what is there."""

import itertools

import numpy as np
import pytest

from spikefab.fit.assess import assess
from spikefab.fit.freedom import Freedom, unsearched
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring import scores
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import COARSE, COARSE_WEIGHT, GAMMA_WEIGHT, Loss
from spikefab.fit.search.search import FINE, GROWN_UP, MOVES, POPULATION, REFINE, STALLED, Search, _improved
from spikefab.fit.search.space import Space, bounds, start
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim.engine import FixedPoint

DT = 0.1


@pytest.fixture(scope="module")
def task(membrane, steps):
    """Sweeps of unequal length, silent and spiking ones."""
    currents = [steps([a], DT, 200 + 30 * k)[0] for k, a in enumerate((-0.1, 0.1, 0.2, 0.24, 0.28, 0.32))]
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    return Task.of(Recording.from_arrays(voltages, currents, DT), DT)


@pytest.fixture(scope="module")
def long(membrane, steps):
    """The same cell for so long that a search can converge before its budget is spent."""
    currents = [steps([a], DT, 1200)[0] for a in (-0.1, 0.1, 0.2, 0.24, 0.28, 0.32)]
    return Task.of(Recording.from_arrays([membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents, DT), DT)


@pytest.fixture(params=MODELS.values(), ids=MODELS, scope="module")
def dp(request, task):
    return datapath(request.param, 18, DT, task.i_span)


@pytest.fixture
def space(dp, task):
    searched = tuple(n for n in dp.params if n not in unsearched(dp.params))
    return Space.of(FixedPoint(dp), searched, task.measured, start(dp, task.measured))


def test_box_lies_in_what_is_possible(dp, task):
    for name, param in dp.params.items():
        lo, hi = bounds(dp, name, task.measured)
        assert param.bounds[0] <= lo < hi <= param.bounds[1]
        assert param.bounds[0] <= start(dp, task.measured)[name] <= param.bounds[1]


@pytest.mark.parametrize("turned", [False, True])
def test_cube_and_parameters_are_one_map(space, turned, task):
    space = Space.of(space.engine, space.names, task.measured, space.others, turned=turned)
    x = np.random.default_rng(0).random((50, len(space.names)))
    physical = space.physical(x)
    inside = np.ones(len(x), dtype=bool)
    for n in space.names:  # a value that leaves its bounds is moved to them
        inside &= ~np.isin(physical[n], space.engine.params[n].bounds)
    assert inside.sum() >= 20
    for k in np.flatnonzero(inside):
        assert space.point({n: v[k] for n, v in physical.items()}) == pytest.approx(x[k], abs=1e-9)
    corners = space.physical(np.array([np.zeros(len(space.names)), np.ones(len(space.names))]))
    for k, name in enumerate(space.names):
        value, ends, free = corners[name], np.array([space.lo[k], space.hi[k]]), np.array([True, True])
        if name in space.quantities:
            free = ~np.isin(value, space.engine.params[name].bounds)
            value = space.quantities[name].there(value, corners)
        assert value[free] == pytest.approx(ends[free])
    assert np.array_equal(space.codes(x + 5), space.codes(np.ones_like(x)))  # outside is the nearest side


def test_loss_is_the_score_and_a_coarser_timing(dp, space, task):
    """Batch sums against the readable scores of the traces, sweep by sweep."""
    x = np.random.default_rng(1).random((400, len(space.names)))
    loss = Loss(FixedPoint(dp), task)
    codes = loss.read_out(space.codes(x))
    losses = loss(codes)
    for k in (int(np.argmin(losses)), 0, 1):
        result = assess(FixedPoint(dp), task, codes[k])
        if max(map(len, result.spikes)) > loss.stacks[0].most:
            continue  # a train that is far too long has its timing at 1, unmeasured
        total = 0.0
        for part in task.split.train:
            data, model = task.part_spikes(part), result.spikes[part.sweep]
            one = task.score([part], result.voltages, result.spikes)
            coarse = scores.timing(data, model, COARSE * scores.timing_tau(data, task.noise))
            total += (3 * one.combined_score + COARSE_WEIGHT * coarse) / (3 + COARSE_WEIGHT)
        assert losses[k] == pytest.approx(total / len(task.split.train), rel=1e-12)


def test_under_noise_coincidences_count(membrane):
    rng = np.random.default_rng(8)
    current = np.clip(np.repeat(rng.normal(0.2, 0.25, 3000), 10), -0.2, 0.9)
    task = Task.of(Recording.from_arrays(membrane(current, DT, 0.3), current, DT), DT)
    assert task.noise
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    (part,) = task.split.train
    space = Space.of(FixedPoint(dp), ("V_th", "R_m"), task.measured, start(dp, task.measured))
    loss, codes = Loss(FixedPoint(dp), task), space.codes(rng.random((60, 2)))
    compared = 0
    for row, value in zip(codes, loss(codes), strict=True):
        result = assess(FixedPoint(dp), task, row)
        fired = result.spikes[0][result.spikes[0] < part.stop * DT]
        if len(fired) > loss.stacks[0].most:
            continue
        compared += len(fired) > 0
        one = task.score([part], result.voltages, result.spikes)
        gamma = scores.gamma(task.part_spikes(part), fired, scores.DELTA, part.stop * DT)
        wanted = (3 * one.combined_score + GAMMA_WEIGHT * min(1.0, 1 - gamma)) / (3 + GAMMA_WEIGHT)
        assert value == pytest.approx(wanted, rel=1e-12)
    assert compared >= 3


def search(dp, task, budget, seed=0, progress=None, **more):
    found = Search(FixedPoint(dp), task, budget=budget, seed=seed, **more)
    found.progress = progress
    found.run(budget)
    return found


def test_found_is_the_best_that_was_seen(dp, task):
    seen = []
    found = search(dp, task, budget=300, seed=3, progress=lambda n, loss: seen.append((n, loss)))
    evaluations, losses = np.array(seen).T
    assert np.all(np.diff(evaluations) > 0)
    assert np.all(np.diff(losses) <= 0)
    assert found.evaluations == evaluations[-1] <= 300
    assert found.loss == losses[-1] == Loss(FixedPoint(dp), task)(found.codes[None])[0]


def test_a_search_in_parts_is_the_same_search(dp, task):
    whole = search(dp, task, budget=2500, whole_budget=True)
    parts = Search(FixedPoint(dp), task, budget=2500, seed=0, whole_budget=True)
    for until in (1, 700, 701, 2000, 10_000):
        parts.run(until)
        assert until <= parts.evaluations or until > 2500
    assert parts.evaluations == whole.evaluations == 2500
    assert parts.loss == whole.loss
    assert np.array_equal(parts.codes, whole.codes)


@pytest.mark.parametrize("budget", [1, 50, 100])
def test_small_budgets_are_kept(task, budget):
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    assert 0 < search(dp, task, budget=budget, seed=0).evaluations <= budget


def test_interrupt_returns_the_best_so_far(dp, task):
    seen = []

    def progress(evaluations, loss):
        seen.append(loss)
        if evaluations >= 150:
            raise KeyboardInterrupt

    found = Search(FixedPoint(dp), task, budget=1000, seed=0)
    found.progress = progress
    with pytest.raises(KeyboardInterrupt):
        found.run(1000)
    assert found.evaluations < 1000
    assert found.loss == seen[-1] == Loss(FixedPoint(dp), task)(found.codes[None])[0]


@pytest.fixture
def little(monkeypatch):
    """Anything above 2000 steps is much, and a search begins on half of it."""
    monkeypatch.setattr("spikefab.fit.scoring.task.LONG", 2000)
    monkeypatch.setattr("spikefab.fit.scoring.task.SEEN", 5)

    def set_short(task):
        monkeypatch.setattr("spikefab.fit.scoring.task.SHORT", sum(p.stop for p in task.split.train) // 2)

    return set_short


def test_of_many_sweeps_the_quietest_and_the_strongest_come_first(task, little):
    assert task.shortened() is task
    little(task)
    short, parts = task.shortened(), task.split.train
    kept = short.split.train
    assert 2 <= len(kept) < len(parts) and set(kept) < set(parts)
    assert list(kept) == sorted(kept, key=lambda p: p.sweep)
    counts, all_counts = ([len(task.part_spikes(p)) for p in some] for some in (kept, parts))
    assert (min(counts), max(counts)) == (min(all_counts), max(all_counts)) and max(counts) > 0
    assert short.split.held_out == task.split.held_out and short.measured is task.measured


def test_of_noise_the_beginning_comes_first(membrane, little, monkeypatch):
    current = np.random.default_rng(0).normal(0.25, 0.15, (2, 20_000)).repeat(10, axis=1)[:, :20_000]
    task = Task.of(
        Recording.from_arrays([membrane(i, DT, 0.3, 0) for i in current], current, DT), DT, "tail", anyway=True
    )
    assert task.noise
    little(task)
    for whole, part in zip(task.split.train, task.shortened().split.train, strict=True):
        assert (part.sweep, part.start, part.stop) == (whole.sweep, 0, whole.stop // 2 + whole.stop % 2)
    grows(task, monkeypatch)


def grows(task, monkeypatch):
    """With more spikes wanted than a part holds, the part is larger, and not all of the data."""

    def held(task):
        return sum(len(task.part_spikes(p)) for p in task.split.train), sum(p.stop for p in task.split.train)

    (few, short), (every, whole) = held(task.shortened()), held(task)
    assert 0 < few < every
    monkeypatch.setattr("spikefab.fit.scoring.task.SEEN", few + 1)
    more, longer = held(task.shortened())
    assert few < more < every and short < longer < whole
    monkeypatch.setattr("spikefab.fit.scoring.task.SEEN", every + 1)
    assert task.shortened() is task


def test_of_steps_so_many_are_kept_that_they_have_spikes(task, little, monkeypatch):
    little(task)
    grows(task, monkeypatch)


def test_what_was_searched_in_part_ends_on_the_whole(dp, task, little):
    little(task)
    seen = []
    found = search(dp, task, budget=2500, progress=lambda n, loss: seen.append((n, loss)))
    evaluations, losses = np.array(seen).T
    (jump,) = np.flatnonzero(np.diff(losses) > 0)
    assert evaluations[jump] == REFINE * 2500
    assert found.loss == losses[-1] == Loss(FixedPoint(dp), task)(found.codes[None])[0]
    parts = Search(FixedPoint(dp), task, budget=2500, seed=0)
    for until in (700, 1600, 2500):
        parts.run(until)
        assert parts.loss == Loss(FixedPoint(dp), task)(Loss(FixedPoint(dp), task).read_out(parts.codes[None]))[0]
        assert (parts.lowest != parts.loss) == (until < REFINE * 2500)
    assert found.evaluations == parts.evaluations and np.array_equal(parts.codes, found.codes)


def test_an_interrupted_part_is_judged_on_the_whole(dp, task, little):
    little(task)

    def progress(evaluations, _):
        if evaluations >= 500:
            raise KeyboardInterrupt

    found = Search(FixedPoint(dp), task, budget=1000, seed=0)
    found.progress = progress
    with pytest.raises(KeyboardInterrupt):
        found.run(1000)
    assert (
        found.loss
        == Loss(FixedPoint(dp), task)(Loss(FixedPoint(dp), task).read_out(found.codes[None]))[0]
        != found.lowest
    )


def test_finds_a_leaky_cell(task):
    """The recorded cell is a LIF: a short search has its spikes and its voltage, on what it has not seen as well."""
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    result = assess(FixedPoint(dp), task, search(dp, task, budget=8000, seed=0).codes)
    assert result.held_out.combined_score < 0.15
    assert result.held_out.spikes_model == pytest.approx(result.held_out.spikes_data, abs=1)
    assert result.params["R_m"] == pytest.approx(120, rel=0.1)
    assert result.params["E_L"] == pytest.approx(-70, abs=1)


def test_polishing_ends_where_no_single_code_helps(task):
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    found = Search(FixedPoint(dp), task, budget=100_000, seed=0)
    found.run(1500)
    before = found.lowest
    for _ in found._polish():
        pass
    assert found.lowest < before
    free = found._space.moved()
    assert [[*dp.coefficients][k] for k in free] == ["k_m", "R_m", "V_th", "V_reset", "E_L", "n_ref"]
    near = np.repeat(found.codes[None], len(free) * len(MOVES), axis=0)
    near[np.arange(len(near)), np.repeat(free, len(MOVES))] += np.tile(MOVES, len(free))
    near = near[found._space.holds(near, found.codes)]
    assert len(near) > len(free)
    assert Loss(FixedPoint(dp), task)(near).min() >= found.lowest


def test_moved_codes_keep_bounds_and_what_is_fixed(task):
    dp = datapath(MODELS["AdExNeuron"], 18, DT, task.i_span)
    freedom = Freedom(
        fixed={"V_T": -58.0, "C": 0.1}, bounds={"b": (0.0, 0.01)}
    )  # where no good fit is: it wants to leave
    found = Search(FixedPoint(dp), task, budget=1500, seed=0, freedom=freedom)
    found.run(1500)

    def values(codes):
        return {n: np.asarray(v, dtype=float) for n, v in dp.dequantise(codes).items()}

    before = values(found.codes)
    assert before["V_T"] == pytest.approx(-58, abs=0.01) and before["C"] == pytest.approx(0.1, rel=1e-3)
    free = found._space.moved()
    near = np.repeat(found.codes[None], len(free) * len(MOVES), axis=0)
    near[np.arange(len(near)), np.repeat(free, len(MOVES))] += np.tile(MOVES, len(free))
    legal, there = found._space.holds(near, found.codes), values(near)
    keeps = (there["V_T"] == before["V_T"]) & (there["C"] == before["C"])
    keeps &= (there["b"] >= min(0, before["b"])) & (there["b"] <= max(0.01, before["b"]))
    assert legal.any() and not keeps[~legal].all() and keeps[legal].all()
    assert Loss(FixedPoint(dp), task)(near[~legal]).min() < found.loss  # what is not allowed would be better
    found.budget = 100_000
    for _ in found._polish():
        pass
    after = values(found.codes)
    assert after["V_T"] == before["V_T"] and after["C"] == before["C"] and 0 <= after["b"] <= max(0.01, before["b"])


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
    for name, steps in (("task.MANY", 10_000), ("task.FEW", 20_000)):
        monkeypatch.setattr(f"spikefab.fit.scoring.{name}", steps)
    lasted = []

    def scripted(self, point, space, sigma, until, seed, cov=None, early=0):
        assert early == GROWN_UP
        lasted.append(0)
        for loss in runs[len(lasted) - 1]:
            self.evaluations += POPULATION
            lasted[-1] += 1
            if lasted[-1] > early:
                self.lowest = min(self.lowest, loss)
            yield point + 1, loss  # elsewhere than the best candidate

    monkeypatch.setattr(Search, "_generations", scripted)
    dp = datapath(MODELS["LIFNeuron"], 18, DT, long.i_span)
    found = Search(FixedPoint(dp), long, budget=20_000, seed=0)
    found._use(found._part)
    for _ in found._wide(np.random.default_rng(0).random((8, len(found._space.names))), lambda: 10**9, 0):
        pass
    assert found._settled and lasted == lengths


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
