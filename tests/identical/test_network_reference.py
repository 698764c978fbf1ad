"""The reference of networks against loops in exact fractions that are typed again here."""

import math
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest

from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.hw.network import synaptic_trace
from spikefab.hw.synapses import Synapses
from spikefab.sim import network as reference
from spikefab.sim.reference import step

from .test_bank import hostile
from .test_network import MODEL, SEED, at_random, firing


def half_up(value, q):
    """The code of an exact value."""
    return min(max(math.floor(value * 2**q.f_bits + Fraction(1, 2)), q.lo), q.hi)


@pytest.mark.parametrize("tau_s", [0.1, 5, 300])
def test_the_reference_is_what_its_docstring_says(tau_s):
    """In exact fractions, spike by spike in a random order."""
    rng = np.random.default_rng(SEED)
    count, steps = 6, 60
    dp = datapath(MODELS[MODEL], 18)
    table = at_random(rng, count, 60, dp.current)
    network, codes, states = firing(rng, count, table, tau_s=tau_s)
    synapses, current = network.synapses, dp.current
    external = hostile(rng, current, steps * count).reshape(steps, count) // 2
    found = reference.run(synapses, states, codes, external)
    k = Fraction(synapses.decay, 2**synapses.k.f_bits)
    assert abs(float(k) / -np.expm1(-0.1 / tau_s) - 1) < 2.0**-16
    s, spiked = [Fraction(0)] * count, []
    for t in range(steps):
        arrivals = [Fraction(0)] * count
        for n in rng.permutation(spiked):
            for a, b, w in zip(*table, strict=True):
                if a == n:
                    arrivals[b] += Fraction(int(w), 2**current.f_bits)
        inputs = []
        for n in range(count):
            decayed = Fraction(half_up(k * Fraction(half_up(s[n], current), 2**current.f_bits), synapses.synaptic))
            code = half_up(s[n] - decayed / 2**synapses.synaptic.f_bits + arrivals[n], synapses.synaptic)
            assert code == found.synaptic[t, n]
            s[n] = Fraction(code, 2**synapses.synaptic.f_bits)
            inputs.append(half_up(Fraction(int(external[t, n]), 2**current.f_bits) + s[n], current))
        states, v, fired = step(dp, states, codes, np.array(inputs))
        assert np.array_equal(found.states[t], states) and np.array_equal(found.v[t], v)
        assert np.array_equal(found.spikes[t], fired)
        spiked = np.flatnonzero(fired)
    assert 0 < found.spikes.mean() < 1


@pytest.mark.parametrize("weight", [-30_000, 30_000])
@pytest.mark.parametrize("tau_s", [0.2, 5, 6.4, 60])
def test_a_synaptic_current_decays_exponentially_and_to_nothing(tau_s, weight):
    dp = datapath(MODELS[MODEL], 18)
    synapses = Synapses(dp, 2, [0], [1], [weight], tau_s=tau_s)
    assert abs(synapses.tau_s / tau_s - 1) < 1e-4
    s, path = np.zeros(2, int), []
    for t in range(round(30 * tau_s / dp.dt)):
        s, _ = reference.synaptic_step(synapses, s, reference.arrivals(synapses, [t == 0, 0]), np.zeros(2, int))
        path.append(s[1] * 2.0 ** (dp.current.f_bits - synapses.synaptic.f_bits))
    ideal = weight * np.exp(-np.arange(len(path)) * dp.dt / synapses.tau_s)
    assert np.abs(path - ideal).max() < 2, "codes of the current"
    assert abs(path[-1]) <= 1.5


def test_a_spike_acts_in_the_next_step():
    dp = datapath(MODELS[MODEL], 18)
    rng = np.random.default_rng(SEED)
    network, codes, states = firing(rng, 3, ([0, 1], [1, 2], [1000, 50]), chance=1)
    s = reference.run(network.synapses, states, codes, np.zeros(3, int)).synaptic
    guard = network.synapses.synaptic.f_bits - dp.current.f_bits
    assert (s[0] == 0).all() and s[1].tolist() == [0, 1000 << guard, 50 << guard]


def test_the_table_is_by_source_and_else_as_it_was_given():
    rng = np.random.default_rng(SEED)
    table = at_random(rng, 9, 2000, datapath(MODELS[MODEL], 18).current)
    synapses = Synapses(datapath(MODELS[MODEL], 18), 9, *table)
    for n, (a, b) in enumerate(pairwise(synapses.first)):
        kept = table[0] == n
        assert np.array_equal(synapses.targets[a:b], table[1][kept])
        assert np.array_equal(synapses.weights[a:b], table[2][kept])


def test_the_trace_has_the_formats_of_the_synapses():
    dp = datapath(MODELS[MODEL], 18)
    synapses = Synapses(dp, 3, [0, 1, 2], [0, 0, 0], [1, 2, 3])
    assert synapses.arrivals.width == dp.current.width + 2 and len(synapses) == synapses.fan_in == 3
    trace = synaptic_trace(synapses)
    assert {name: trace.nodes[i].q for name, i in trace.outputs.items()} == {"s": synapses.synaptic, "i": dp.current}
