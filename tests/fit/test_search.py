"""The search: that it can be parted and broken off, works on a part of the data, and finds what is there."""

import numpy as np
import pytest

from spikefab.fit.assess import assess
from spikefab.fit.freedom import Freedom
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.fit.search.search import MOVES, REFINE, Search
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim.engine import FixedPoint

from .cells import DT
from .searching import search


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
