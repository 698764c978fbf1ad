"""A slow variable moves at every word: what the guard bits below a state's word are for."""

import numpy as np

from spikefab.hw.models import AdExNeuron, IzhikevichNeuron
from spikefab.sim import reference


def steps_of(neuron, name, start, count):
    """Codes of one state over `count` steps without input, from `start` in its unit."""
    dp = neuron.datapath
    at = list(dp.states).index(name)
    states = np.array(list(neuron.initial.values()))
    states[at] = dp.states[name].encode(start)
    path = reference.run(dp, states, list(neuron.codes.values()), np.zeros(count, dtype=np.int64))[2]
    return path[:, at], dp.states[name]


def test_adaptation_of_300_ms_decays_as_it_should(word):
    neuron = AdExNeuron(word=word, dt=0.1, tau_w=300.0, a=0.0, V_T=-20.0)
    codes, q = steps_of(neuron, "w", 0.2, 9000)
    assert (np.diff(codes) < 0).all(), "it stood still"
    expected = 0.2 * np.exp(-np.arange(1, 9001) * 0.1 / neuron.values["tau_w"])
    one = neuron.datapath.current.lsb * 4  # the word that the difference is formed in spans four times the input
    np.testing.assert_array_less(np.abs(q.decode(codes) - expected), one)


def test_recovery_of_500_ms_moves_while_a_word_can_tell(word):
    """u decays at 1/500 ms until its distance from zero is under one code of the word it is compared in."""
    neuron = IzhikevichNeuron(word=word, dt=0.1, a=0.002, b=0.0)
    codes, q = steps_of(neuron, "u", 0.1, 4000)
    assert (np.diff(codes) < 0).all()
    assert q.decode(codes[-1]) < 0.1 * np.exp(-400 * 0.002) * 1.01


def test_coefficient_of_300_ms_is_worth_its_name(word):
    """1 - exp(-0.1/300) has all the bits of the word, and not the 11 codes that a plain fraction would give it."""
    neuron = AdExNeuron(word=word, tau_w=300.0)
    assert neuron.codes["k_w"] > 2 ** (word - 9)
    assert abs(neuron.values["tau_w"] / 300.0 - 1) < 2.0 ** (8 - word)
