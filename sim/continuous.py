"""The published equations of the models in continuous time, with which the models of the hardware are compared.

They are typed from the literature, in float64, and are not derived from `hw/models`, so that a mistake in either shows as a
difference. They have no time step, number format or spikes. `tests/paper`, `benchmarks/cells.py` and `spikefab demo` solve
them with a solver for differential equations; the latter two make synthetic recordings in this way.

Each function has the arguments (p, y, i): p are the parameters by name, in the units of the models (mV, ms, nA, nF, uS, MOhm;
or, per area, uF/cm2, mS/cm2 and uA/cm2); y is the state, the potential first; i is the current. It returns the derivatives y',
per ms, as a list.
"""

from collections.abc import Mapping, Sequence
from math import cosh, exp, expm1, tanh
from typing import Any

import numpy as np

Params = Mapping[str, Any]
State = Sequence[float]


def bounded_exp(x: float) -> float:
    """exp(x), limited to exp(30): a solver may try voltages far beyond those of a cell, where exp would overflow."""
    return exp(min(x, 30.0))


def leaky(p: Params, y: State, i: float) -> list[float]:
    """tau_m V' = -(V - E_L) + R_m I            Lapicque 1907; Gerstner et al. 2014, eqs. 1.5-1.9"""
    return [(p["E_L"] - y[0] + p["R_m"] * i) / p["tau_m"]]


def alpha(p: Params, y: State, i: float) -> list[float]:
    """tau_m V' = -(V - E_L) + R_m y2;  tau_s y1' = I - y1;  tau_s y2' = y1 - y2            Rall 1967"""
    return [*leaky(p, y, y[2]), (i - y[1]) / p["tau_s"], (y[1] - y[2]) / p["tau_s"]]


def mat(p: Params, y: State, i: float) -> list[float]:
    """The leaky membrane; 10 ms h1' = -h1;  200 ms h2' = -h2            Kobayashi et al. 2009"""
    return [*leaky(p, y, i), -y[1] / 10, -y[2] / 200]


def glif(p: Params, y: State, i: float) -> list[float]:
    """The leaky membrane with after-spike currents and a threshold; the terms are those that have parameters in p.

    y is V; I_1, I_2; theta_s, or h1, h2; theta_v, or theta_r. Teeter et al. 2018, eqs. 1-4; with kappa, the threshold of
    Platkiewicz & Brette 2011 made piecewise linear.
    """
    V, *others = y
    above, left = V - p["E_L"], iter(others)
    currents = [next(left), next(left)] if "tau_1" in p else []
    found = leaky(p, y, i + sum(currents))
    found += [-x / p[tau] for x, tau in zip(currents, ("tau_1", "tau_2"), strict=False)]
    if "b_s" in p:
        found.append(-p["b_s"] * next(left))
    if "alpha_1" in p:
        found += [-next(left) / 10, -next(left) / 200]
    if "a_v" in p:
        found.append(p["a_v"] * above - p["b_v"] * next(left))
    if "kappa" in p:
        found.append((p["kappa"] * max(above - p["omega"], 0.0) - next(left)) / p["tau_s"])
    return found


def quadratic(p: Params, y: State, i: float) -> list[float]:
    """C V' = k (V - E_L)(V - V_c) + I            Ermentrout & Kopell 1986"""
    return [(p["k"] * (y[0] - p["E_L"]) * (y[0] - p["V_c"]) + i) / p["C"]]


def exponential(p: Params, y: State, i: float) -> list[float]:
    """C V' = -g_L (V - E_L) + g_L Delta_T exp((V - V_T)/Delta_T) + I            Fourcaud-Trocme et al. 2003"""
    upstroke = p["g_L"] * p["Delta_T"] * bounded_exp((y[0] - p["V_T"]) / p["Delta_T"])
    return [(upstroke - p["g_L"] * (y[0] - p["E_L"]) + i) / p["C"]]


def adex(p: Params, y: State, i: float) -> list[float]:
    """C V' = -g_L (V - E_L) + g_L Delta_T exp((V - V_T)/Delta_T) - w + I;  tau_w w' = a (V - E_L) - w

    Brette & Gerstner 2005, eqs. 1-3.
    """
    return [*exponential(p, y, i - y[1]), (p["a"] * (y[0] - p["E_L"]) - y[1]) / p["tau_w"]]


def izhikevich(p: Params, y: State, i: float) -> list[float]:
    """C v' = k (v - v_r)(v - v_t) - u + I;  u' = a (b (v - v_r) - u)            Izhikevich 2007, eqs. 8.5-8.6"""
    x = y[0] - p["v_r"]
    return [(p["k"] * x * (y[0] - p["v_t"]) - y[1] + i) / p["C"], p["a"] * (p["b"] * x - y[1])]


def linoid(x: float) -> float:
    """x / (1 - exp(-x)), which is 1 at x = 0."""
    return x / -expm1(-x) if abs(x) > 1e-7 else 1.0


def gates(p: Params, V: float) -> tuple[tuple[float, float], ...]:
    """Opening and closing rates (1/ms) of the gates m, h and n at V mV, for the kinetics p["kinetics"].

    "1952": Hodgkin & Huxley 1952, eqs. 12-26, for a resting potential of -65 mV; "traub-miles": Pospischil et al. 2008, eqs. 1-6.
    """
    u = V - p["V_T"]
    s = u - p["V_S"]
    if p["kinetics"] == "1952":
        return (
            (linoid((u + 40) / 10), 4 * bounded_exp(-(u + 65) / 18)),
            (0.07 * bounded_exp(-(s + 65) / 20), 1 / (1 + bounded_exp(-(s + 35) / 10))),
            (0.1 * linoid((u + 55) / 10), 0.125 * bounded_exp(-(u + 65) / 80)),
        )
    return (
        (1.28 * linoid((u - 13) / 4), 1.4 * linoid(-(u - 40) / 5)),
        (0.128 * bounded_exp(-(s - 17) / 18), 4 / (1 + bounded_exp(-(s - 40) / 5))),
        (0.16 * linoid((u - 15) / 5), 0.5 * bounded_exp(-(u - 10) / 40)),
    )


def slow_gate(p: Params, V: float, x: float) -> float:
    """Derivative x' (1/ms) of the gate of the slow potassium current: Pospischil et al. 2008, eqs. 7-9."""
    opened = 1 / (1 + bounded_exp(-(V + 35) / 10))
    tau = p["tau_max"] / (3.3 * bounded_exp((V + 35) / 20) + bounded_exp(-(V + 35) / 20))
    return (opened - x) / tau


def hodgkin_huxley(p: Params, y: State, i: float) -> list[float]:
    """C V' = -g_Na m^3 h (V - E_Na) - (g_K n^4 + g_M q)(V - E_K) - g_L (V - E_L) + I;  x' = phi (alpha (1 - x) - beta x)

    y is V, m, h, n and, for a cell with a slow potassium current, its gate q. Hodgkin & Huxley 1952, eqs. 7, 8 and 26.
    """
    V, m, h, n, *slow = y
    sodium = p["g_Na"] * m**3 * h * (V - p["E_Na"])
    potassium = (p["g_K"] * n**4 + sum(p["g_M"] * x for x in slow)) * (V - p["E_K"])
    moved = [
        phi * (opening * (1 - x) - closing * x)
        for phi, x, (opening, closing) in zip((p["phi_m"], p["phi_h"], p["phi_n"]), (m, h, n), gates(p, V), strict=True)
    ]
    moved += [slow_gate(p, V, x) for x in slow]
    return [(i - sodium - potassium - p["g_L"] * (V - p["E_L"])) / p["C"], *moved]


def morris_lecar(p: Params, y: State, i: float) -> list[float]:
    """C V' = -g_Ca m_inf (V - E_Ca) - g_K w (V - E_K) - g_L (V - E_L) + I;  w' = phi cosh((V - V_3)/(2 V_4)) (w_inf - w)

    m_inf = (1 + tanh((V - V_1)/V_2))/2, w_inf = (1 + tanh((V - V_3)/V_4))/2: Morris & Lecar 1981, eqs. 9-10.
    """
    V, w = y
    calcium = p["g_Ca"] * (1 + tanh((V - p["V_1"]) / p["V_2"])) / 2 * (V - p["E_Ca"])
    u = (V - p["V_3"]) / p["V_4"]
    current = i - calcium - p["g_K"] * w * (V - p["E_K"]) - p["g_L"] * (V - p["E_L"])
    return [current / p["C"], p["phi"] * ((1 + tanh(u)) / 2 - w) * cosh(min(max(u / 2, -20), 20))]


def fitzhugh_nagumo(p: Params, y: State, i: float) -> list[float]:
    """tau x' = x - x^3/3 - w + k_I I;  tau w' = eps (x + a - b w)            FitzHugh 1961, eqs. 1-2"""
    x, w = y
    return [(x - x * x * x / 3 - w + p["k_I"] * i) / p["tau"], p["eps"] * (x + p["a"] - p["b"] * w) / p["tau"]]


def hindmarsh_rose(p: Params, y: State, i: float) -> list[float]:
    """tau x' = y - x^3 + b x^2 - z + k_I I + I_0;  tau y' = 1 - d x^2 - y;  tau z' = r (s (x - x_R) - z)

    Hindmarsh & Rose 1984, eqs. 1-3.
    """
    x, u, z = y
    return [
        (u - x * x * x + p["b"] * x * x - z + p["k_I"] * i + p["I_0"]) / p["tau"],
        (1 - p["d"] * x * x - u) / p["tau"],
        p["r"] * (p["s"] * (x - p["x_R"]) - z) / p["tau"],
    ]


def theta(p: Params, y: State, i: float) -> list[float]:
    """tau theta' = (1 - cos theta) + (1 + cos theta)(eta + k_I I)            Ermentrout & Kopell 1986"""
    c = np.cos(y[0])
    return [((1 - c) + (1 + c) * (p["eta"] + p["k_I"] * i)) / p["tau"]]


def resonator(p: Params, y: State, i: float) -> list[float]:
    """y' = omega x + b y;  x' = b x - omega y + k_I I: y, which is a voltage, before x            Izhikevich 2001"""
    v, x = y
    return [p["omega"] * x + p["b"] * v, p["b"] * x - p["omega"] * v + p["k_I"] * i]
