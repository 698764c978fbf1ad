"""Hodgkin and Huxley's neuron, with the kinetics of the squid axon or of cortical cells."""

from dataclasses import replace
from functools import cache
from types import SimpleNamespace

import numpy as np

from spikefab.hw.gates import ENTRIES, STEEPEST, Channel, at_rest, gate, index, membrane, over, power_of_two
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, State
from spikefab.hw.spiking import crossing
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


class HodgkinHuxleyNeuron(Neuron):
    """Hodgkin-Huxley: sodium, potassium and leak, and optionally a slow potassium current.

        C V' = g_Na m^3 h (E_Na - V) + g_K n^4 (E_K - V) + g_L (E_L - V) + g_M p (E_K - V) + I
        x' = phi_x (x_inf(u) - x)/tau(u),  x_inf = alpha/(alpha + beta),  tau = 1/(alpha + beta);  u = V - V_T, for h less V_S
        kinetics "1952":  alpha_m = .1 (u+40)/(1-exp(-(u+40)/10))    beta_m = 4 exp(-(u+65)/18)
                          alpha_h = .07 exp(-(u+65)/20)              beta_h = 1/(1+exp(-(u+35)/10))
                          alpha_n = .01 (u+55)/(1-exp(-(u+55)/10))   beta_n = .125 exp(-(u+65)/80)
        "traub-miles":    alpha_m = .32 (u-13)/(1-exp(-(u-13)/4))    beta_m = .28 (u-40)/(exp((u-40)/5)-1)
                          alpha_h = .128 exp(-(u-17)/18)             beta_h = 4/(1+exp(-(u-40)/5))
                          alpha_n = .032 (u-15)/(1-exp(-(u-15)/5))   beta_n = .5 exp(-(u-10)/40)
        slow potassium:   p' = (p_inf - p)/tau_p,  p_inf = 1/(1+exp(-(V+35)/10)),
                          tau_p = tau_max/(3.3 exp((V+35)/20) + exp(-(V+35)/20))
        spike: V rises through V_spike, armed again 15 mV below it

    Gates first, then V with the new gates, each exactly while the other holds; phi dt/tau is limited at 4. Setting
    `kinetics`: 1952 or traub-miles. Giving g_M, or `m_current=True`, adds the slow potassium current.
    With the defaults it is a patch of 0.001 cm2 of squid axon at 6.3 degrees: 10 nA are 10 uA/cm2.

    Source: Hodgkin & Huxley 1952, eqs. 12-26; Traub & Miles 1991 and Pospischil et al. 2008, eqs. 1-9.
    Not: adapting, without g_M; not a cell with dendrites: one compartment.
    """

    scheme = "exponential Euler, gates first"
    best_for = (
        "the shape of the spike, and block at strong currents; with traub-miles and g_M cortical cells that adapt"
    )
    settings = {"kinetics": (SQUID, CORTEX), "m_current": (False, True)}
    tried = ({"kinetics": SQUID}, {"kinetics": CORTEX})
    i_span = 16.0
    fastest = {"k_Na": 1 / 200, "k_K": 1 / 60, "k_L": 1 / 0.5, "k_M": 1 / 0.3}

    V = State("mV", span=128, slowest=200, doc="membrane potential")
    m = State("", span=1, slowest=20, doc="sodium activation")
    h = State("", span=1, slowest=50, doc="sodium inactivation")
    n = State("", span=1, slowest=50, doc="potassium activation")
    p = State("", span=1, slowest=1000, doc="slow potassium activation", only=("m_current", True))
    armed = State("flag", doc="whether the next crossing of V_spike is a spike")

    C = Param(1.0, "nF", (0.015, 2), log=True, doc="capacitance")
    g_Na = Param(120.0, "uS", (0.15, 400), log=True, per_nF=(10, 200), doc="sodium conductance")
    g_K = Param(36.0, "uS", (0.015, 120), log=True, per_nF=(1, 60), doc="potassium conductance")
    g_L = Param(0.3, "uS", (0.000075, 1), log=True, per_nF=(0.005, 0.5), doc="leak conductance")
    E_Na = Param(50.0, "mV", (30, 70), doc="sodium reversal")
    E_K = Param(-77.0, "mV", (-105, -70), doc="potassium reversal")
    E_L = Param(-54.4, "mV", (-100, -30), doc="leak reversal")
    V_T = Param(0.0, "mV", (-15, 40), doc="shift of all gates along V")
    V_S = Param(0.0, "mV", (-20, 20), doc="further shift of h")
    phi_m = Param(1.0, "", PHI, log=True, doc="speed of m")
    phi_h = Param(1.0, "", PHI, log=True, doc="speed of h")
    phi_n = Param(1.0, "", PHI, log=True, doc="speed of n")
    V_spike = Param(0.0, "mV", (-60, 60), free=False, doc="level whose upward crossing is a spike")
    g_M = Param(0.07, "uS", (0, 0.6), per_nF=(0, 0.3), doc="slow potassium conductance", only=("m_current", True))
    tau_max = Param(
        608.0, "ms", TAU_MAX, free=False, log=True, doc="slowest time constant of p", only=("m_current", True)
    )

    @classmethod
    def adapted(cls):
        if cls.chosen["kinetics"] == SQUID:
            return {}
        cortical = {"g_Na": 56.0, "g_K": 6.0, "g_L": 0.0205, "E_K": -90.0, "E_L": -70.3, "V_T": -56.2}
        every = {name: replace(cls._every[name], default=value) for name, value in cortical.items()}
        return every | {"V_T": replace(every["V_T"], bounds=(-70, -10))}

    @staticmethod
    def coefficients(p, dt):
        slow = {"k_M": dt * p.g_M / p.C, "k_p": dt / p.tau_max} if hasattr(p, "g_M") else {}
        return {
            "k_I": dt / p.C,
            "k_Na": dt * p.g_Na / p.C,
            "k_K": dt * p.g_K / p.C,
            "k_L": dt * p.g_L / p.C,
            **{name: getattr(p, name) for name in ("E_Na", "E_K", "E_L", "V_T", "V_S")},
            **{name: getattr(p, name) for name in ("phi_m", "phi_h", "phi_n", "V_spike")},
            **slow,
        }

    @staticmethod
    def parameters(c, dt):
        C = dt / c.k_I
        slow = {"g_M": c.k_M * C / dt, "tau_max": dt / c.k_p} if hasattr(c, "k_M") else {}
        return {
            "C": C,
            "g_Na": c.k_Na * C / dt,
            "g_K": c.k_K * C / dt,
            "g_L": c.k_L * C / dt,
            **{name: getattr(c, name) for name in ("E_Na", "E_K", "E_L", "V_T", "V_S")},
            **{name: getattr(c, name) for name in ("phi_m", "phi_h", "phi_n", "V_spike")},
            **slow,
        }

    @staticmethod
    def equations(dp, s, c, i):
        kinetics = dp.model.chosen["kinetics"]
        most = power_of_two(dp.dt * 260)  # 260 uS per nF
        u = s.V - c.V_T
        new = {}
        for name, shifted, phi in (("m", u, c.phi_m), ("h", u - c.V_S, c.phi_h), ("n", u, c.phi_n)):
            x_inf, rate, top = gate_tables(kinetics, name, dp.dt, dp.word)
            new[name] = gate(getattr(s, name), index(shifted, SPAN, x_inf.entries), x_inf, rate, phi, top)
        m, h, n = (new[name].word(1) for name in "mhn")
        n2 = (n * n).word(1)
        sodium = ((c.k_Na * m).word(most), ((m * m).word(1) * h).word(1))
        potassium = [((c.k_K * n2).word(min(most, 8)), n2)]
        if dp.model.chosen["m_current"]:
            x_inf, rate, top = slow_tables(dp.dt, dp.word)
            at = index(s.V, SPAN, x_inf.entries)
            new["p"] = gate(s.p, at, x_inf, rate, c.k_p, top)
            potassium.append((c.k_M, new["p"].word(1)))
        channels = (Channel(c.E_Na, (sodium,), most), Channel(c.E_K, tuple(potassium), most))
        V = membrane(s.V, channels, c.k_L, c.E_L, c.k_I * i, dp.dt, most)
        spike, armed = crossing(V, c.V_spike, s.armed)
        return {"V": V, **new, "armed": armed, ".v": V.word(128), ".spike": spike}

    @classmethod
    def resting(cls, p: SimpleNamespace):
        """The lowest potential at which no current flows, and the gates there."""
        return at_rest(lambda V: cls._currents(V, p), lambda V: cls._gates(V, p), p.E_K)

    @classmethod
    def _gates(cls, V, p):
        u = V - p.V_T
        kinetics = cls.chosen["kinetics"]
        gates = {x: steady(kinetics, x, w) for x, w in (("m", u), ("h", u - p.V_S), ("n", u))}
        return gates | ({"p": p_inf(V)} if cls.chosen["m_current"] else {})

    @classmethod
    def _currents(cls, V, p):
        g = cls._gates(V, p)
        slow = p.g_M * g["p"] if cls.chosen["m_current"] else 0.0
        sodium = p.g_Na * g["m"] ** 3 * g["h"] * (p.E_Na - V)
        return sodium + (p.g_K * g["n"] ** 4 + slow) * (p.E_K - V) + p.g_L * (p.E_L - V)
