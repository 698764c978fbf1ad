"""The gates of Hodgkin and Huxley's neuron: rates of the squid axon or of cortical cells, and their tables."""

from functools import cache

import numpy as np

from spikefab.hw.gates import ENTRIES, STEEPEST, over, power_of_two
from spikefab.hw.tables import linear

SQUID, CORTEX = "1952", "traub-miles"
SPAN = 128.0  # mV, of the tables over the membrane potential
PHI = (0.2, 5.0)
TAU_MAX = (100, 2000)  # ms
FASTEST_P = 255.0  # tau_max/tau_p at +52 mV: the height of a spike decides how far p moves in it


def linexp(x):
    """x / (1 - exp(-x)), 1 at 0."""
    from scipy.special import exprel

    return 1 / exprel(-x)


def alpha_beta(kinetics: str, gate: str, u) -> tuple:
    """Opening and closing rates (1/ms) of m, h or n at u = V - V_T, mV."""
    if kinetics == SQUID:  # eqs. 12-13, 15-16, 20-21 in today's convention: rest at -65 mV, depolarisation positive
        if gate == "m":
            return linexp((u + 40) / 10), 4 * np.exp(-(u + 65) / 18)
        if gate == "h":
            return 0.07 * np.exp(-(u + 65) / 20), 1 / (1 + np.exp(-(u + 35) / 10))
        return 0.1 * linexp((u + 55) / 10), 0.125 * np.exp(-(u + 65) / 80)
    if gate == "m":
        return 0.32 * 4 * linexp((u - 13) / 4), 0.28 * 5 * linexp(-(u - 40) / 5)
    if gate == "h":
        return 0.128 * np.exp(-(u - 17) / 18), 4 / (1 + np.exp(-(u - 40) / 5))
    return 0.032 * 5 * linexp((u - 15) / 5), 0.5 * np.exp(-(u - 10) / 40)


def steady(kinetics: str, gate: str, u):
    alpha, beta = alpha_beta(kinetics, gate, u)
    return alpha / (alpha + beta)


def p_inf(V):
    """Slow potassium gate of Pospischil 2008, after Yamada et al. 1989."""
    return 1 / (1 + np.exp(-(V + 35) / 10))


def p_speed(V):
    """tau_max / tau_p(V)."""
    return 3.3 * np.exp((V + 35) / 20) + np.exp(-(V + 35) / 20)


@cache
def gate_tables(kinetics: str, gate: str, dt: float, word: int):
    """(x_inf, dt/tau) over u, and the power of two at which phi dt/tau is limited."""
    n = ENTRIES[word]

    def rate(u):
        return np.minimum(dt * sum(alpha_beta(kinetics, gate, u)), STEEPEST)

    x_inf = linear(f"{gate}_inf", over(-SPAN, SPAN, n, lambda u: steady(kinetics, gate, u)), n, word, span=1)
    rates = linear(f"{gate}_rate", over(-SPAN, SPAN, n, rate), n, word)
    fastest = float(np.max(rate(np.linspace(-SPAN, SPAN, 512))))
    return x_inf, rates, min(STEEPEST, power_of_two(PHI[1] * fastest))


@cache
def slow_tables(dt: float, word: int):
    """(p_inf, tau_max/tau_p) over V, and the power of two at which dt/tau_p is limited."""
    n = ENTRIES[word]
    x_inf = linear("p_inf", over(-SPAN, SPAN, n, p_inf), n, word, span=1)
    rates = linear("p_rate", over(-SPAN, SPAN, n, lambda V: np.minimum(p_speed(V), FASTEST_P)), n, word)
    return x_inf, rates, min(STEEPEST, power_of_two(dt / TAU_MAX[0] * FASTEST_P))
