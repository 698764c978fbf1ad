"""What only some models ask of a fit: a read-out that is solved, kinetics that are tried, an ideal that takes its time."""

import json

import numpy as np
import pytest

from spikefab.fit import fit, fitting
from spikefab.fit.freedom import unsearched
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.report.plots import plot_ranking
from spikefab.fit.results import FitResults
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.fit.search.search import Search
from spikefab.fit.search.space import Space, start
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS, HodgkinHuxleyNeuron
from spikefab.sim import kernels
from spikefab.sim.engine import FixedPoint

DT = 0.1


@pytest.fixture(scope="module")
def task(membrane, steps):
    currents = steps((-0.1, 0.1, 0.24, 0.28, 0.32), DT)
    return Task.of(Recording.from_arrays([membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents, DT), DT)


@pytest.fixture(scope="module")
def cortex():
    """A cell with cortical kinetics under five steps."""
    neuron = HodgkinHuxleyNeuron(kinetics="traub-miles", C=0.2, g_Na=11.0, g_K=1.3, g_L=0.004, i_span=1.0)
    currents = np.zeros((5, 3000))
    currents[:, 500:2500] = np.array([-0.1, 0.15, 0.2, 0.25, 0.3])[:, None]
    voltages = []
    for current in currents:
        neuron.reset()
        voltages.append(neuron.run(current))
    return Recording.from_arrays(voltages, list(currents), DT)


@pytest.mark.parametrize(
    "name",
    [
        "ThetaNeuron",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("FitzHughNagumoNeuron", "HindmarshRoseNeuron")),
    ],
)
def test_read_out_is_the_regression_of_the_recording_on_x(task, name):
    dp = datapath(MODELS[name], 18, DT, task.i_span)
    searched = tuple(n for n in dp.params if n not in unsearched(dp.params))
    space = Space.of(FixedPoint(dp), searched, task.measured, start(dp, task.measured))
    loss = Loss(FixedPoint(dp), task)
    codes = loss.read_out(space.codes(np.random.default_rng(0).random((40, len(searched)))))
    data = np.concatenate([task.part_voltage(p) for p in task.split.train])
    solved = 0
    for row in codes:
        shown = dp.dequantise(row)
        probe = row.copy()
        names = list(dp.coefficients)
        probe[names.index("V_0")], probe[names.index("S")] = 0, dp.coefficients["S"].encode(8.0)
        x = []
        for part in task.split.train:
            current = dp.current.encode(task.recording.sweeps[part.sweep].current[: part.stop])
            first = FixedPoint(dp).settle(probe[None], dp.current.encode(task.baselines[part.sweep : part.sweep + 1]))
            x.append(kernels.simulate(dp, probe, current, initial=first, trace=True).trace[0, 0] / 8.0)
        x = np.concatenate(x)
        S = np.polyfit(x, data, 1)[0]
        lo, hi = dp.params["S"].bounds
        if not lo < S < hi or np.std(x) < 1e-3:
            assert lo - 1e-2 <= shown["S"] <= hi + 1e-2
            continue
        solved += 1
        assert shown["S"] == pytest.approx(S, abs=dp.coefficients["S"].lsb)
        # V_0 goes with the S that the register holds
        assert shown["V_0"] == pytest.approx(np.mean(data - shown["S"] * x), abs=dp.coefficients["V_0"].lsb)
    assert solved >= 5


@pytest.mark.parametrize(
    "name", [n if n in ("LIFNeuron", "AdExNeuron") else pytest.param(n, marks=pytest.mark.slow) for n in MODELS]
)
def test_search_looks_at_its_start(task, name):
    dp = datapath(MODELS[name], 18, DT, task.i_span)
    params = dp.params
    searched = tuple(n for n in params if n not in unsearched(params))
    values = start(dp, task.measured)
    space, loss = Space.of(FixedPoint(dp), searched, task.measured, values), Loss(FixedPoint(dp), task)
    at_start = loss(loss.read_out(space.codes(space.point(values))))[0]
    search = Search(FixedPoint(dp), task, budget=4, seed=0)
    search.run(4)
    assert search.loss <= at_start


@pytest.mark.slow  # the largest model
def test_both_kinetics_are_tried_and_the_better_is_kept(cortex, tmp_path):
    said = []
    results = fit(
        cortex,
        models=["HodgkinHuxley"],
        budget=1200,
        progress=lambda model, n, budget, loss: said.append((n, loss)),
    )
    best = results.best
    assert best.settings == {"kinetics": "traub-miles", "m_current": False}
    assert results.evaluations == {"HodgkinHuxleyNeuron": 1200}
    assert [n for n, _ in said] == sorted(n for n, _ in said)
    assert said[-1][0] == 1200
    loaded = FitResults.load(results.save(tmp_path / "result.json")).best
    assert loaded.create_model().values == best.params
    assert np.array_equal(loaded.create_model().run(best.currents[0]), best.voltages[0])


@pytest.mark.slow  # the largest model
def test_a_budget_of_one_is_one_evaluation(cortex):
    results = fit(cortex, models=["HodgkinHuxley", "LIF"], budget=1)
    assert results.evaluations == {"HodgkinHuxleyNeuron": 1, "LIFNeuron": 1}
    assert len(results) == 2


@pytest.mark.slow  # the largest model
def test_interrupt_while_float64_is_scored_keeps_the_ranking(cortex, monkeypatch, tmp_path):
    real, calls = fitting.ideal_scores, []

    def impatient(*args):
        calls.append(args)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*args)

    monkeypatch.setattr(fitting, "ideal_scores", impatient)
    results = fit(cortex, models=["LIF", "Lapicque", "QuadraticIF"], budget=64)
    assert results.interrupted
    assert len(results) == 3
    assert results[0].ideal["train"] is not None
    assert results[2].ideal == {"train": None, "held_out": None}
    json.dumps(results.to_dict(), allow_nan=False)
    plot_ranking(results, tmp_path / "ranking.png")
    assert (tmp_path / "ranking.png").stat().st_size > 1000
