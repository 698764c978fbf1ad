"""The gates of the Hodgkin-Huxley model: opening and closing rates of the squid axon or of cortical cells, and tables."""

from functools import cache

import numpy as np

from spikefab.hw.gates import ENTRIES, STEEPEST, over, power_of_two
from spikefab.hw.tables import linear

SQUID = "1952"  # name of the kinetics of the squid axon
CORTEX = "traub-miles"  # name of the kinetics of cortical cells
SPAN = 128.0  # the tables cover membrane potentials of -SPAN..SPAN mV
PHI = (0.2, 5.0)  # bounds of phi, the factor that multiplies the rates of a gate
TAU_MAX = (100, 2000)  # bounds of tau_max, ms
# Limit of tau_max/tau_p, reached at +52 mV. It must not be lower, because p moves mostly at the peak of a spike.
FASTEST_P = 255.0


def linexp(x):
    """x / (1 - exp(-x)), which is 1 at x = 0."""
    from scipy.special import exprel

    return 1 / exprel(-x)


def alpha_beta(kinetics: str, gate: str, u) -> tuple:
    """Opening and closing rates (1/ms) of m, h or n at u = V - V_T, mV."""
    if kinetics == SQUID:  # eqs. 12-13, 15-16, 20-21, with rest at -65 mV and depolarisation positive
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
    """Steady state x_inf of m, h or n at u = V - V_T, mV."""
    alpha, beta = alpha_beta(kinetics, gate, u)
    return alpha / (alpha + beta)


def p_inf(V):
    """Steady state of the slow potassium gate of Pospischil 2008, after Yamada et al. 1989, at V mV."""
    return 1 / (1 + np.exp(-(V + 35) / 10))


def p_speed(V):
    """tau_max / tau_p(V) of the slow potassium gate."""
    return 3.3 * np.exp((V + 35) / 20) + np.exp(-(V + 35) / 20)


@cache
def gate_tables(kinetics: str, gate: str, dt: float, word: int):
    """Tables of x_inf and of dt/tau as functions of u, and the limit of phi dt/tau, a power of two."""
    n = ENTRIES[word]

    def rate(u):
        return np.minimum(dt * sum(alpha_beta(kinetics, gate, u)), STEEPEST)

    x_inf = linear(f"{gate}_inf", over(-SPAN, SPAN, n, lambda u: steady(kinetics, gate, u)), n, word, span=1)
    rates = linear(f"{gate}_rate", over(-SPAN, SPAN, n, rate), n, word)
    fastest = float(np.max(rate(np.linspace(-SPAN, SPAN, 512))))
    return x_inf, rates, min(STEEPEST, power_of_two(PHI[1] * fastest))


@cache
def slow_tables(dt: float, word: int):
    """Tables of p_inf and of tau_max/tau_p as functions of V, and the limit of dt/tau_p, a power of two."""
    n = ENTRIES[word]
    x_inf = linear("p_inf", over(-SPAN, SPAN, n, p_inf), n, word, span=1)
    rates = linear("p_rate", over(-SPAN, SPAN, n, lambda V: np.minimum(p_speed(V), FASTEST_P)), n, word)
    return x_inf, rates, min(STEEPEST, power_of_two(dt / TAU_MAX[0] * FASTEST_P))
