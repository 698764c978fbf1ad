"""The batch interface is the models themselves, many at once."""

import numpy as np
import pytest

from spikefab import AdExNeuron, HodgkinHuxleyNeuron, simulate
from spikefab.errors import UsageError


@pytest.mark.parametrize("kind", [AdExNeuron, HodgkinHuxleyNeuron.variant(kinetics="traub-miles", m_current=True)])
def test_each_candidate_is_the_neuron_alone(kind):
    rng = np.random.default_rng(0)
    currents = rng.uniform(0, 1.5, (2, 8)).repeat(250, axis=1)
    C = np.linspace(0.9, 1.4, 5) * kind.defaults()["C"]
    currents *= 2 * kind.defaults()["C"]
    found = simulate(kind, {"C": C, "E_L": -68.0}, currents, traces=True)
    assert found.voltage.shape == (5, 2, 2000)
    assert found.counts.shape == (5, 2)
    assert found.counts.sum() > 10
    for n, c in enumerate(C):
        neuron = kind(C=c, E_L=-68.0, i_span=float(2 ** np.ceil(np.log2(currents.max()))))
        assert {name: value[n] for name, value in found.params.items()} == neuron.values
        for s, current in enumerate(currents):
            neuron.reset()
            assert np.array_equal(neuron.run(current), found.voltage[n, s])
            assert np.array_equal(neuron.spikes, found.spikes[n][s])
            assert found.counts[n, s] == len(neuron.spikes)


def test_what_is_kept_and_what_is_counted():
    found = simulate(AdExNeuron, {}, np.full(20_000, 1.0), max_spikes=3)
    assert found.voltage is None
    assert found.counts[0, 0] > 3 == len(found.spikes[0][0])


@pytest.mark.parametrize(
    ("params", "currents", "match"),
    [
        ({"tau": 1.0}, [0.1], "has no parameter 'tau'"),
        ({"C": [0.1, 0.2], "b": [0.1, 0.1, 0.1]}, [0.1], r"arrays of one length, not C \(2,\), b \(3,\)"),
        ({"C": [[0.1]]}, [0.1], "arrays of one length"),
        ({"C": [0.1, 20.0]}, [0.1], "C = 20 nF is outside 0.015..2"),
        ({}, [], "must be"),
        ({}, [np.nan], "not a number"),
        ({}, [3.0], "outside the input's span of 2 nA"),
    ],
)
def test_what_does_not_fit_is_refused(params, currents, match):
    with pytest.raises(UsageError, match=match):
        simulate(AdExNeuron, params, currents, i_span=2.0)
