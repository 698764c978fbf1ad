"""What a fit of many models keeps in memory."""

import gc
import tracemalloc
from weakref import WeakValueDictionary

import numpy as np
import pytest

from spikefab import fit
from spikefab.errors import RecordingError
from spikefab.fit.recordings.limits import require_memory_for_fit
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim import kernels
from spikefab.sim.engine import FixedPoint

DT = 0.1


@pytest.fixture(scope="module")
def task(membrane, steps):
    currents = [steps([a], DT, 200 + 30 * k)[0] for k, a in enumerate((-0.1, 0.1, 0.2, 0.24, 0.28, 0.32))]
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    return Task.of(Recording.from_arrays(voltages, currents, DT), DT)


def test_losses_of_several_models_take_the_memory_of_one(task, monkeypatch):
    """The arrays of the data are there once, however many models are searched, and go with the last loss."""
    monkeypatch.setattr("spikefab.fit.search.loss._arrays", WeakValueDictionary())  # other tests hold the same data
    names = ("LIFNeuron", "AdExNeuron", "IzhikevichNeuron", "MATNeuron")
    engines = [FixedPoint(datapath(MODELS[name], 18, DT, task.i_span)) for name in names]
    lengths = [len(s.voltage) for s in task.recording.sweeps]
    one = 8 * sum(lengths[p.sweep] for p in task.split.train)  # bytes of an array
    tracemalloc.start()
    try:
        losses = [Loss(engines[0], task)]
        alone = tracemalloc.get_traced_memory()[0]
        losses += [Loss(engine, task) for engine in engines[1:]]
        together = tracemalloc.get_traced_memory()[0]
        assert alone > 3 * one and together - alone < one
        for loss in losses[1:]:
            for name in ("current", "data", "outside", "inside"):
                assert getattr(loss.stacks[0], name) is getattr(losses[0].stacks[0], name)
        losses.clear()
        del loss
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < alone - 2 * one
    finally:
        tracemalloc.stop()
    other = Loss(engines[0], task.without([task.split.train[0].sweep]))
    assert not any(np.shares_memory(other.stacks[0].data, loss.stacks[0].data) for loss in [Loss(engines[0], task)])


def test_one_long_sweep_beside_many_short_ones(membrane, steps, monkeypatch):
    """The arrays of a loss are about as large as the data, and each loss is what it would be in one array of all of them."""
    currents = [steps([0.2 + 0.005 * k], DT, 4000 if k == 7 else 150)[0] for k in range(30)]
    currents += [currents[3]] * 2
    task = Task.of(
        Recording.from_arrays([membrane(i, DT, 0.3, k) for k, i in enumerate(currents)], currents, DT), DT, "none"
    )
    engine = FixedPoint(datapath(MODELS["FitzHughNagumoNeuron"], 18, DT, task.i_span))  # with a read-out that is solved
    rows = engine.quantise({n: np.full(70, x) for n, x in engine.dp.model.defaults().items()})
    rows[:, 0] += np.arange(70)
    loss = Loss(engine, task)
    held = sum(getattr(s, name).nbytes for s in loss.stacks for name in ("current", "data", "outside", "inside"))
    assert len(loss.stacks) == 2 and held < 2 * 4 * 8 * loss.length.sum()
    monkeypatch.setattr("spikefab.fit.search.loss.EMPTY", 1e9)
    together = Loss(engine, task)
    order = [together.stacks[0].parts.index(part) for s in loss.stacks for part in s.parts]
    done = loss.read_out(rows)
    assert np.array_equal(done, together.read_out(rows)) and not np.array_equal(done, rows)
    each = loss.each(done)
    assert np.array_equal(each, together.each(done)[:, order]) and len(np.unique(each)) > 100
    monkeypatch.setattr("spikefab.fit.search.loss.ROOM", 1)  # a block of candidates at once
    assert len(loss.stacks[0].chunks(70)) == 3
    assert np.array_equal(loss.read_out(rows), done) and np.array_equal(loss.each(done), each)


def test_a_fit_that_takes_too_much_memory_is_refused_before_it_begins(task, monkeypatch):
    assert require_memory_for_fit(5_000_000, 5) is None
    assert require_memory_for_fit(10_000_000, 5) == "this fit of 10,000,000 steps takes about 1.4 GB of memory"
    with pytest.raises(
        RecordingError, match=r"40,000,000 steps takes about 5\.6 GB of memory, of which at most 4 GB are used: "
    ):
        require_memory_for_fit(40_000_000, 5)
    # more than a fit of one model takes, less than one of three models with folds
    monkeypatch.setattr("spikefab.fit.recordings.limits.MEMORY", 2.6e6)
    told = []
    fit(task.recording, step=DT, models=["LIF"], budget=10, progress=False, notice=told.append)
    assert not any("memory" in text for text in told)
    monkeypatch.setattr("spikefab.fit.recordings.limits.NOTABLE", 1e6)
    fit(task.recording, step=DT, models=["LIF"], budget=10, progress=False, notice=told.append)
    assert "GB of memory." in told[0]
    three = ["LIF", "Lapicque", "Alpha"]
    fit(task.recording, step=DT, models=three, top_k=1, budget=10, progress=False)
    for more in ({"step": DT / 2}, {"models": three, "folds": 2}):
        with pytest.raises(RecordingError, match="of which at most"):
            fit(task.recording, budget=10, progress=False, top_k=1, **{"step": DT, "models": ["LIF"], **more})


def test_the_voltage_of_a_model_that_is_not_returned_is_not_kept(task, monkeypatch):
    kept = []
    monkeypatch.setattr(
        "spikefab.fit.fitting._rank", lambda results, *more: kept.extend(len(r.voltages) for r in results)
    )
    fit(task.recording, dt=DT, models=["LIF", "Lapicque", "Izhikevich"], budget=64, top_k=1)
    assert sorted(kept) == [0, 0, 6]
    monkeypatch.undo()  # a fold is judged with the voltages of all models
    (best,) = fit(task.recording, dt=DT, models=["LIF", "Lapicque", "Izhikevich"], budget=64, top_k=1, folds=2)
    assert best.held_out is not None and len(best.voltages) == 6


def test_a_trace_takes_the_memory_of_its_voltages(task):
    dp = datapath(MODELS["LIFNeuron"], 18, DT, task.i_span)
    row, current = dp.quantise(MODELS["LIFNeuron"].defaults()), np.zeros((1, 100_000))
    kernels.simulate(dp, row, current[:, :10], trace=True)
    tracemalloc.start()
    try:
        kernels.simulate(dp, row, current, trace=True)
        assert tracemalloc.get_traced_memory()[1] < 6 * current.nbytes  # a block of lanes would be 32 times
    finally:
        tracemalloc.stop()
