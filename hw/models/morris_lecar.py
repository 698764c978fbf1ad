"""Morris and Lecar's barnacle muscle fibre, a two-dimensional model of excitability."""

from functools import cache

import numpy as np

from spikefab.hw.conversions import dt_over, dt_times, inverse
from spikefab.hw.gates import ENTRIES, Channel, at_rest, gate, index, membrane, over, power_of_two
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait, conductance
from spikefab.hw.spiking import ARMED, crossing
from spikefab.hw.tables import interpolate, linear

# The tables cover y = (V - V_1)/V_2 and (V - V_3)/V_4 from -SPAN to SPAN; beyond, a gate differs from 0 or 1 by less than 1e-6.
SPAN = 8.0


def activation(y):
    """Steady state of a gate at y = (V - V_half)/width."""
    return (1 + np.tanh(y)) / 2


@cache
def gate_tables(word: int):
    """Tables of the activation and of cosh(y/2) for y in -8..8."""
    n = 2 * ENTRIES[word]
    opened = linear("activation", over(-SPAN, SPAN, n, activation), n, word, span=1)
    return opened, linear("cosh", over(-SPAN, SPAN, n, lambda y: np.cosh(y / 2)), n, word, span=32)


class MorrisLecarNeuron(Neuron):
    """Morris-Lecar: instantaneous calcium, slow potassium, leak.

        C V' = g_Ca m_inf (E_Ca - V) + g_K w (E_K - V) + g_L (E_L - V) + I
        w' = phi (w_inf - w) cosh((V - V_3)/(2 V_4))
        m_inf = (1 + tanh((V - V_1)/V_2))/2,  w_inf = (1 + tanh((V - V_3)/V_4))/2
        spike: V rises through V_spike, armed again 15 mV below it

    w first, then V with the new w, each exactly while the other holds; the tables end at |V - V_3| = 8 V_4.
    The defaults are class II, a hundredth of the published square centimetre: 0.9 nA are 90 uA/cm2.

    Source: Morris & Lecar 1981, eqs. 9-10; Rinzel & Ermentrout 1998, table 7.1 (class II: as given here;
    class I: g_Ca 0.04, V_3 12, V_4 17.4, phi .0667).
    Not: a sodium spike: its spikes are broad and their height falls with the current.
    """

    scheme = "exponential Euler, gate first"
    best_for = "broad spikes, calcium spikes, and the two kinds of onset: at any rate or at a rate of its own"
    traits = frozenset({Trait.BROAD_SPIKES, Trait.CALCIUM_SPIKES})

    first = ("k_I", "k_Ca", "k_K", "k_L", "steep_2", "steep_4", "k_w", "V_1")

    V = State("mV", span=128, slowest=60, doc="membrane potential")
    w = State("", span=1, slowest=200, doc="potassium activation")
    armed = ARMED

    C = Param(0.2, "nF", (0.015, 2), log=True, role=Role.CAPACITANCE, register=dt_over("k_I"), doc="capacitance")
    g_Ca = conductance("k_Ca", 0.044, (0.00075, 2), per_nF=(0.05, 1), fastest=1.0, doc="calcium conductance")
    g_K = conductance("k_K", 0.08, (0.0015, 4), per_nF=(0.1, 2), fastest=1 / 2, doc="potassium conductance")
    g_L = conductance(
        "k_L", 0.02, (0.0003, 1), per_nF=(0.02, 0.5), fastest=1 / 0.5, role=Role.LEAK, doc="leak conductance"
    )
    V_2 = Param(18.0, "mV", (5, 30), register=inverse("steep_2"), doc="width of the calcium activation")
    V_3 = Param(2.0, "mV", (-40, 30), role=Role.HALF_ACTIVATION, doc="half activation of potassium")
    V_4 = Param(30.0, "mV", (5, 35), register=inverse("steep_4"), doc="width of the potassium activation")
    phi = Param(0.04, "1/ms", (0.005, 0.5), log=True, register=dt_times("k_w"), doc="rate of potassium")
    V_1 = Param(-1.2, "mV", (-40, 30), free=False, role=Role.HALF_ACTIVATION, doc="half activation of calcium")
    E_Ca = Param(120.0, "mV", (60, 150), free=False, role=Role.REVERSAL, doc="calcium reversal")
    E_K = Param(-84.0, "mV", (-105, -60), free=False, role=Role.REVERSAL, doc="potassium reversal")
    E_L = Param(-60.0, "mV", (-100, -30), free=False, role=Role.LEAK_REVERSAL, doc="leak reversal")
    V_spike = Param(
        0.0, "mV", (-60, 60), free=False, role=Role.SPIKE_LEVEL, doc="level whose upward crossing is a spike"
    )

    @staticmethod
    def equations(dp, s, c, i):
        opened, speed = gate_tables(dp.word)
        most = power_of_two(dp.dt * 3.5)  # limit of dt times all conductances over C, which are at most 3.5 uS per nF

        def entry(middle, steepness):
            return index((steepness * (s.V - middle).word(256)).word(SPAN), SPAN, opened.entries)

        m = interpolate(opened, entry(c.V_1, c.steep_2)).word(1)
        w = gate(s.w, entry(c.V_3, c.steep_4), opened, speed, c.k_w, power_of_two(dp.dt * 0.5 * 27.4))
        channels = (
            Channel(c.E_Ca, ((c.k_Ca, m),), power_of_two(dp.dt)),  # limit of dt g_Ca/C: g_Ca is at most 1 uS per nF
            Channel(c.E_K, ((c.k_K, w.word(1)),), power_of_two(2 * dp.dt)),
        )
        V = membrane(s.V, channels, c.k_L, c.E_L, c.k_I * i, dp.dt, most)
        spike, armed = crossing(V, c.V_spike, s.armed)
        return {"V": V, "w": w, "armed": armed, ".v": V.word(128), ".spike": spike}

    @staticmethod
    def resting(p):
        """The states at rest: the lowest potential at which no net current flows, and w at it."""

        def w_inf(V):
            return activation((V - p.V_3) / p.V_4)

        def inward(V):
            calcium = p.g_Ca * activation((V - p.V_1) / p.V_2) * (p.E_Ca - V)
            return calcium + p.g_K * w_inf(V) * (p.E_K - V) + p.g_L * (p.E_L - V)

        return at_rest(inward, lambda V: {"w": w_inf(V)}, np.minimum(p.E_K, p.E_L))
