"""Runs the tables of `mistakes`: containers and units that are understood, and mistakes that are answered with a sentence."""

import neo
import numpy as np
import pytest
import quantities as pq

from spikefab import LIFNeuron
from spikefab.errors import SpikefabError
from spikefab.fit.fitting import fit

from .mistakes import REFUSED, UNDERSTOOD


def same(got, wanted) -> bool:
    if isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(same(got[name], x) for name, x in wanted.items())
    if isinstance(wanted, list | tuple):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    return np.array_equal(got, wanted, equal_nan=isinstance(wanted, float))


@pytest.mark.parametrize(("call", "gives"), [row[1:] for row in UNDERSTOOD], ids=[row[0] for row in UNDERSTOOD])
def test_is_understood(call, gives):
    assert same(call(), gives)


@pytest.mark.parametrize(("call", "kind", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_is_refused_in_one_sentence(call, kind, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpikefabError) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == sentence
    assert "\n" not in sentence and sentence[-1] in ".?"
    assert caught.value.__context__ is None or caught.value.__suppress_context__  # no second traceback is printed
    assert not any(tmp_path.iterdir())  # nothing was written before it was refused


def test_a_fit_of_quantities_is_that_of_their_numbers(cell):
    voltage, current = cell(0.3)
    options = {"models": [LIFNeuron], "budget": 40, "anyway": True}
    plain = fit(voltage=voltage, current=current, dt=0.1, **options)
    volts = neo.AnalogSignal(voltage, units="mV", sampling_rate=10 * pq.kHz).rescale("uV")
    made = fit(voltage=volts, current=current * pq.nA, **options)
    assert made.best.codes == plain.best.codes
    assert made.settings == plain.settings


def test_each_of_several_currents_begins_in_the_initial_state():
    """Also if the neuron has run before."""
    currents = np.full((2, 300), [[0.2], [0.4]])
    neuron = LIFNeuron()
    neuron.run(np.full(77, 0.3))
    together = neuron.run(currents)
    for row, voltage, spikes in zip(currents, together, neuron.spikes, strict=True):
        alone = LIFNeuron()
        assert np.array_equal(alone.run(row), voltage)
        assert np.array_equal(alone.spikes, spikes)
    assert len(neuron.spikes[1]) > 0
