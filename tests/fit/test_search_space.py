"""Where a search looks, and that its loss is the score."""

import numpy as np
import pytest

from spikefab.fit.assess import assess
from spikefab.fit.freedom import unsearched
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring import scores
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import COARSE, COARSE_WEIGHT, GAMMA_WEIGHT, Loss
from spikefab.fit.search.space import Space, bounds, start
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim.engine import FixedPoint

from .cells import DT


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
