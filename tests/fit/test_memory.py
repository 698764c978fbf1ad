"""What a fit of many models keeps in memory."""

import gc
import tracemalloc
from weakref import WeakValueDictionary

import numpy as np
import pytest

from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
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
        assert alone > 4 * one and together - alone < one
        for loss in losses[1:]:
            for name in ("current", "data", "outside", "inside"):
                assert getattr(loss, name) is getattr(losses[0], name)
        losses.clear()
        del loss
        gc.collect()
        assert tracemalloc.get_traced_memory()[0] < alone - 3 * one
    finally:
        tracemalloc.stop()
    other = Loss(engines[0], task.without([task.split.train[0].sweep]))
    assert not any(np.shares_memory(other.data, loss.data) for loss in [Loss(engines[0], task)])
