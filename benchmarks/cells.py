"""Cells that recordings can be made of: the 15 models in continuous time.

Their equations are those of `spikefab.sim.continuous`, which has nothing of the models that are fitted; `draw` makes plausible
parameters, with the names and units (mV, ms, nA, nF, uS, MOhm) of the models. `synthetic.py` integrates them. What a spike looks
like:

    integrate-and-fire     its voltage has no spike, or one that would take a microsecond: one sample shows V_peak
    Hodgkin-Huxley, Morris-Lecar, FitzHugh-Nagumo, Hindmarsh-Rose     it is in the solution, and nothing is reset
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import pi
from typing import Any

import numpy as np

from spikefab.sim import continuous
from spikefab.sim.continuous import State

X_R = -1.6  # constant x_R of Hindmarsh & Rose
Params = dict[str, Any]


def voltage(p: Params, y: np.ndarray) -> np.ndarray:
    return y[0]


@dataclass(frozen=True)
class Cell:
    """Equations in continuous time: y' = rhs(p, y, i), from where it comes to rest if left alone from `start(p)`.

    over     of p and y: a spike is where it rises through zero; of a cell without `spike`, in mV
    spike    y after a spike; None: a spike is part of the solution
    shown    mV of states (n, T)
    held     whether y[0] is held for t_ref after a spike; else t_ref is only the least interval
    peak     what the sample at a spike shows
    """

    draw: Callable[[np.random.Generator], Params]
    rhs: Callable[[Params, State, float], list[float]]
    start: Callable[[Params], list[float]]
    over: Callable[[Params, Any], Any]
    spike: Callable[[Params, State], list[float]] | None = None
    shown: Callable[[Params, np.ndarray], np.ndarray] = voltage
    held: bool = True
    peak: str = "V_peak"
    method: str = "RK45"


# -- plausible parameters ------------------------------------------------------------------------------------------


def log_uniform(rng: np.random.Generator, low: float, high: float) -> float:
    return float(np.exp(rng.uniform(np.log(low), np.log(high))))


def draw_lapicque(rng: np.random.Generator) -> Params:
    e_l = rng.uniform(-78, -66)
    return {
        "tau_m": rng.uniform(8, 30), "R_m": rng.uniform(60, 250), "E_L": e_l, "V_th": e_l + rng.uniform(15, 28),
        "V_peak": rng.uniform(15, 40),
    }  # fmt: skip


def draw_lif(rng: np.random.Generator) -> Params:
    p = draw_lapicque(rng)
    return p | {"V_reset": p["E_L"] + rng.uniform(-4, 10), "t_ref": rng.uniform(1, 4)}


def draw_alpha(rng: np.random.Generator) -> Params:
    """Behind a synapse: from AMPA's time constant to GABA_A's."""
    return draw_lif(rng) | {"tau_s": log_uniform(rng, 1.5, 8)}


def draw_quadratic(rng: np.random.Generator) -> Params:
    """By resistance 1/(k (V_c - E_L)) and time constant at rest: 7 ms in the book's cell (a slow one's onset is gentle)."""
    e_l, width, R = rng.uniform(-75, -60), rng.uniform(14, 26), rng.uniform(60, 250)
    return {
        "C": rng.uniform(5, 8) / R, "k": 1 / (R * width), "E_L": e_l, "V_c": e_l + width,
        "V_reset": e_l + rng.uniform(0, 0.8) * width, "V_peak": rng.uniform(20, 45), "t_ref": rng.uniform(0.5, 3),
    }  # fmt: skip


def draw_exponential(rng: np.random.Generator) -> Params:
    e_l, C = rng.uniform(-75, -62), rng.uniform(0.08, 0.25)
    v_t = e_l + rng.uniform(12, 22)
    return {
        "C": C, "g_L": C / rng.uniform(8, 25), "Delta_T": rng.uniform(0.8, 3.5), "V_T": v_t, "E_L": e_l,
        "V_reset": v_t - rng.uniform(4, 18), "V_peak": rng.uniform(10, 30), "t_ref": rng.uniform(1, 3),
    }  # fmt: skip


def draw_adex(rng: np.random.Generator) -> Params:
    """Around Brette & Gerstner 2005 and Naud 2008."""
    e_l, C = rng.uniform(-75, -62), rng.uniform(0.1, 0.28)
    v_t = e_l + rng.uniform(12, 22)
    return {
        "C": C, "g_L": C / rng.uniform(8, 25), "Delta_T": rng.uniform(0.8, 3), "V_T": v_t, "a": rng.uniform(0, 0.006),
        "tau_w": log_uniform(rng, 30, 250), "b": rng.uniform(0.01, 0.09), "E_L": e_l,
        "V_reset": v_t - rng.uniform(4, 18), "V_peak": rng.uniform(10, 30), "t_ref": rng.uniform(0.5, 2.5),
    }  # fmt: skip


def draw_izhikevich(rng: np.random.Generator) -> Params:
    """Around the book's regular-spiking, bursting and chattering cells (p. 274 onwards)."""
    v_r = rng.uniform(-75, -58)
    v_t = v_r + rng.uniform(16, 28)
    return {
        "C": rng.uniform(0.05, 0.16), "k": rng.uniform(0.0006, 0.0015), "a": log_uniform(rng, 0.01, 0.06),
        "b": rng.uniform(-0.003, 0.005), "c": v_t - rng.uniform(3, 14), "d": rng.uniform(0.03, 0.15), "v_r": v_r,
        "v_t": v_t, "v_peak": rng.uniform(20, 45),
    }  # fmt: skip


def draw_hodgkin_huxley(rng: np.random.Generator) -> Params:
    """Half of them around the squid's axon (1952), half around Pospischil's cortical cells (2008), of 50 to 200 pF."""
    C = log_uniform(rng, 0.05, 0.2)
    if rng.random() < 0.5:
        p: Params = {"kinetics": "1952", "E_K": rng.uniform(-82, -73), "E_L": rng.uniform(-58, -52)}
        p["V_T"], per_nF = rng.uniform(-5, 5), (rng.uniform(90, 150), rng.uniform(28, 45), rng.uniform(0.2, 0.4))
    else:
        p = {"kinetics": "traub-miles", "E_K": rng.uniform(-100, -85), "E_L": rng.uniform(-75, -65)}
        p["V_T"], per_nF = rng.uniform(-62, -53), (rng.uniform(45, 80), rng.uniform(4, 9), rng.uniform(0.02, 0.06))
    return p | {
        "C": C, "g_Na": C * per_nF[0], "g_K": C * per_nF[1], "g_L": C * per_nF[2], "E_Na": rng.uniform(45, 60),
        "V_S": rng.uniform(-4, 4), "phi_m": log_uniform(rng, 0.7, 1.4), "phi_h": log_uniform(rng, 0.7, 1.4),
        "phi_n": log_uniform(rng, 0.7, 1.4),
    }  # fmt: skip


def draw_morris_lecar(rng: np.random.Generator) -> Params:
    """Around both classes of Rinzel & Ermentrout 1998, two to four times as fast: else a spike is too slow to be one."""
    C, first = log_uniform(rng, 0.05, 0.2), rng.random() < 0.5
    speed = rng.uniform(2, 2.5) if first else rng.uniform(3, 3.6)
    v_3, v_4, phi, g_ca = (12.0, 17.4, 0.0667, 0.2) if first else (2.0, 30.0, 0.04, 0.22)
    return {
        "C": C, "g_Ca": C * speed * g_ca * rng.uniform(0.95, 1.15), "g_K": C * speed * 0.4 * rng.uniform(0.85, 1.1),
        "g_L": C * speed * 0.1 * rng.uniform(0.85, 1.1), "V_1": rng.uniform(-3, 1), "V_2": rng.uniform(16, 19),
        "V_3": v_3 + rng.uniform(-2, 2), "V_4": v_4 * rng.uniform(0.93, 1.07), "phi": speed * phi * rng.uniform(0.8, 1.1),
        "E_Ca": rng.uniform(110, 130), "E_K": rng.uniform(-90, -80), "E_L": rng.uniform(-63, -57),
    }  # fmt: skip


def draw_fitzhugh_nagumo(rng: np.random.Generator) -> Params:
    return {
        "a": rng.uniform(0.62, 0.85), "b": rng.uniform(0.6, 0.9), "eps": log_uniform(rng, 0.06, 0.12),
        "tau": rng.uniform(0.35, 0.6), "k_I": log_uniform(rng, 1.5, 6), "V_0": rng.uniform(-38, -28),
        "S": rng.uniform(23, 31),
    }  # fmt: skip


def draw_hindmarsh_rose(rng: np.random.Generator) -> Params:
    """Around the paper's b = 3, d = 5, s = 4, with the fast adaptation of bursts and single spikes of tens of ms."""
    return {
        "b": rng.uniform(2.95, 3.2), "d": rng.uniform(4.7, 5.4), "r": log_uniform(rng, 0.02, 0.045),
        "s": rng.uniform(3.5, 4.5), "tau": rng.uniform(2.3, 2.9), "k_I": log_uniform(rng, 3, 12),
        "I_0": rng.uniform(-1, 0.8), "x_R": X_R, "V_0": rng.uniform(-34, -24), "S": rng.uniform(29, 37),
    }  # fmt: skip


def draw_theta(rng: np.random.Generator) -> Params:
    """By resistance and time constant at rest. A whole turn is shown over 16 S: S is small, or the trough is not a cell's."""
    S, eta = rng.uniform(3, 4.5), rng.uniform(-0.9, -0.25)
    root = np.sqrt(-eta)
    return {
        "tau": 2 * root * rng.uniform(9, 25), "eta": eta, "k_I": 2 * root * rng.uniform(90, 200) / S,
        "V_0": rng.uniform(-70, -58), "S": S, "V_peak": rng.uniform(15, 40),
    }  # fmt: skip


def draw_resonator(rng: np.random.Generator) -> Params:
    """8 to 50 Hz, its oscillation falling to 1/e within 0.3 to 2 radians of a turn and more."""
    omega = log_uniform(rng, 0.05, 0.3)
    y_th = rng.uniform(10, 25)
    return {
        "b": -omega * rng.uniform(0.1, 0.5), "omega": omega, "k_I": rng.uniform(4, 15), "y_th": y_th,
        "y_reset": rng.uniform(-0.4, 0.4) * y_th, "E_L": rng.uniform(-75, -62), "V_peak": rng.uniform(15, 40),
    }  # fmt: skip


def draw_mat(rng: np.random.Generator) -> Params:
    """Around the cells of Kobayashi 2009 and of its code."""
    return {
        "tau_m": rng.uniform(4, 20), "R_m": rng.uniform(40, 200), "alpha_1": rng.uniform(8, 40),
        "alpha_2": rng.uniform(0.3, 4), "omega": rng.uniform(10, 25), "E_L": rng.uniform(-75, -62),
        "t_ref": rng.uniform(1.5, 3.5), "V_peak": rng.uniform(20, 45),
    }  # fmt: skip


def draw_glif(rng: np.random.Generator) -> Params:
    """Membranes of the mouse cells of Teeter et al. 2018; a threshold that follows V by 40 to 80 %."""
    return {
        "tau_m": rng.uniform(7, 25), "R_m": rng.uniform(80, 250), "alpha_1": rng.uniform(8, 30),
        "alpha_2": rng.uniform(0.5, 4), "omega": rng.uniform(12, 25), "kappa": rng.uniform(0.4, 0.8),
        "tau_s": log_uniform(rng, 2, 10), "E_L": rng.uniform(-75, -62), "t_ref": rng.uniform(1.5, 3.5),
        "V_peak": rng.uniform(20, 45),
    }  # fmt: skip


# -- what is seen of them -------------------------------------------------------------------------------------------


def read_out(p: Params, y: np.ndarray) -> np.ndarray:
    return p["V_0"] + p["S"] * y[0]


def upstroke(p: Params, y: State) -> float:
    """15 Delta_T above V_T, infinity is less than a microsecond away: no solver needs to follow."""
    return y[0] - min(p["V_peak"], p["V_T"] + 15 * p["Delta_T"])


CELLS = {
    "LapicqueNeuron": Cell(
        draw_lapicque, continuous.leaky, lambda p: [p["E_L"]], lambda p, y: y[0] - p["V_th"], lambda p, y: [p["E_L"]]
    ),
    "LIFNeuron": Cell(
        draw_lif, continuous.leaky, lambda p: [p["E_L"]], lambda p, y: y[0] - p["V_th"], lambda p, y: [p["V_reset"]],
    ),
    "QuadraticIFNeuron": Cell(
        draw_quadratic, continuous.quadratic, lambda p: [p["E_L"]], lambda p, y: y[0] - p["V_peak"],
        lambda p, y: [p["V_reset"]],
    ),
    "ExpIFNeuron": Cell(
        draw_exponential, continuous.exponential, lambda p: [p["E_L"]], upstroke, lambda p, y: [p["V_reset"]],
    ),
    "AdExNeuron": Cell(
        draw_adex, continuous.adex, lambda p: [p["E_L"], 0.0], upstroke, lambda p, y: [p["V_reset"], y[1] + p["b"]]
    ),
    "IzhikevichNeuron": Cell(
        draw_izhikevich, continuous.izhikevich, lambda p: [p["v_r"], 0.0], lambda p, y: y[0] - p["v_peak"],
        lambda p, y: [p["c"], y[1] + p["d"]], peak="v_peak",
    ),
    "HodgkinHuxleyNeuron": Cell(
        draw_hodgkin_huxley, continuous.hodgkin_huxley, lambda p: [p["E_K"] + 10, 0.0, 0.6, 0.3], lambda p, y: y[0] + 10,
        method="LSODA",
    ),
    "MorrisLecarNeuron": Cell(
        draw_morris_lecar, continuous.morris_lecar, lambda p: [p["E_L"], 0.0], lambda p, y: y[0], method="LSODA"
    ),
    "FitzHughNagumoNeuron": Cell(
        draw_fitzhugh_nagumo, continuous.fitzhugh_nagumo, lambda p: [-1.2, -0.6], lambda p, y: p["S"] * (y[0] - 1),
        shown=read_out, method="LSODA",
    ),
    "HindmarshRoseNeuron": Cell(
        draw_hindmarsh_rose, continuous.hindmarsh_rose, lambda p: [-1.6, 1 - p["d"] * 2.56, 0.0],
        lambda p, y: p["S"] * (y[0] - 1), shown=read_out, method="LSODA",
    ),
    "AlphaNeuron": Cell(
        draw_alpha, continuous.alpha, lambda p: [p["E_L"], 0.0, 0.0], lambda p, y: y[0] - p["V_th"],
        lambda p, y: [p["V_reset"], y[1], y[2]],
    ),
    "ThetaNeuron": Cell(
        # the read-out y = tan(theta/2) is limited to -8..8
        draw_theta, continuous.theta, lambda p: [-2.0], lambda p, y: y[0] - pi, lambda p, y: [-pi],
        lambda p, y: p["V_0"] + p["S"] * np.clip(np.tan(y[0] / 2), -8, 8),
    ),
    "ResonateAndFireNeuron": Cell(
        draw_resonator, continuous.resonator, lambda p: [0.0, 0.0], lambda p, u: u[0] - p["y_th"],
        lambda p, u: [p["y_reset"], 0.0], lambda p, u: p["E_L"] + u[0],
    ),
    "MATNeuron": Cell(
        # at a spike, V is not reset; only the threshold moves
        draw_mat, continuous.mat, lambda p: [p["E_L"], 0.0, 0.0],
        lambda p, y: y[0] - (p["E_L"] + p["omega"] + y[1] + y[2]), lambda p, y: [y[0], y[1] + p["alpha_1"], y[2] + p["alpha_2"]],
        held=False,
    ),
    "GLIFNeuron": Cell(
        draw_glif, continuous.glif, lambda p: [p["E_L"], 0.0, 0.0, 0.0],
        lambda p, y: y[0] - (p["E_L"] + p["omega"] + y[1] + y[2] + y[3]),
        lambda p, y: [y[0], y[1] + p["alpha_1"], y[2] + p["alpha_2"], y[3]], held=False,
    ),
}  # fmt: skip
