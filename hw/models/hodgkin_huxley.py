"""Hodgkin and Huxley's neuron, with the kinetics of the squid axon or of cortical cells."""

from dataclasses import replace

from spikefab.hw.conversions import dt_over
from spikefab.hw.gates import Channel, at_rest, gate, index, membrane, power_of_two
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State, Trait, conductance
from spikefab.hw.spiking import ARMED, crossing

from .hodgkin_huxley_gates import CORTEX, PHI, SPAN, SQUID, TAU_MAX, gate_tables, p_inf, slow_tables, steady


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
    traits = frozenset({Trait.SPIKE_SHAPE, Trait.BLOCK})
    settings = {"kinetics": (SQUID, CORTEX), "m_current": (False, True)}
    tried = ({"kinetics": SQUID}, {"kinetics": CORTEX})
    i_span = 16.0

    V = State("mV", span=128, slowest=200, doc="membrane potential")
    m = State("", span=1, slowest=20, doc="sodium activation")
    h = State("", span=1, slowest=50, doc="sodium inactivation")
    n = State("", span=1, slowest=50, doc="potassium activation")
    p = State("", span=1, slowest=1000, doc="slow potassium activation", only=("m_current", True))
    armed = ARMED

    C = Param(1.0, "nF", (0.015, 2), log=True, role=Role.CAPACITANCE, register=dt_over("k_I"), doc="capacitance")
    g_Na = conductance("k_Na", 120.0, (0.15, 400), per_nF=(10, 200), fastest=1 / 200, doc="sodium conductance")
    g_K = conductance("k_K", 36.0, (0.015, 120), per_nF=(1, 60), fastest=1 / 60, doc="potassium conductance")
    g_L = conductance(
        "k_L", 0.3, (0.000075, 1), per_nF=(0.005, 0.5), fastest=1 / 0.5, role=Role.LEAK, doc="leak conductance"
    )
    E_Na = Param(50.0, "mV", (30, 70), role=Role.REVERSAL, doc="sodium reversal")
    E_K = Param(-77.0, "mV", (-105, -70), role=Role.REVERSAL, doc="potassium reversal")
    E_L = Param(-54.4, "mV", (-100, -30), role=Role.LEAK_REVERSAL, doc="leak reversal")
    V_T = Param(0.0, "mV", (-15, 40), role=Role.HALF_ACTIVATION, doc="shift of all gates along V")
    V_S = Param(0.0, "mV", (-20, 20), doc="further shift of h")
    phi_m = Param(1.0, "", PHI, log=True, doc="speed of m")
    phi_h = Param(1.0, "", PHI, log=True, doc="speed of h")
    phi_n = Param(1.0, "", PHI, log=True, doc="speed of n")
    V_spike = Param(
        0.0, "mV", (-60, 60), free=False, role=Role.SPIKE_LEVEL, doc="level whose upward crossing is a spike"
    )
    g_M = conductance(
        "k_M",
        0.07,
        (0, 0.6),
        per_nF=(0, 0.3),
        fastest=1 / 0.3,
        log=False,
        doc="slow potassium conductance",
        only=("m_current", True),
    )
    tau_max = Param(
        608.0,
        "ms",
        TAU_MAX,
        free=False,
        log=True,
        register=dt_over("k_p"),
        doc="slowest time constant of p",
        only=("m_current", True),
    )

    adapted = {
        ("kinetics", CORTEX): {
            "g_Na": replace(g_Na, default=56.0),
            "g_K": replace(g_K, default=6.0),
            "g_L": replace(g_L, default=0.0205),
            "E_K": replace(E_K, default=-90.0),
            "E_L": replace(E_L, default=-70.3),
            "V_T": replace(V_T, default=-56.2, bounds=(-70, -10)),
        }
    }

    @staticmethod
    def equations(dp, s, c, i):
        kinetics = dp.model.chosen["kinetics"]
        # limit of dt times all conductances over C, which are at most 200 + 60 uS per nF
        most = power_of_two(dp.dt * 260)
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
    def resting(cls, p):
        """The states at rest: the lowest potential at which no net current flows, and the gates at it."""
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
