"""Published parameter sets for each model, with their sources: pure data, in the units of spikefab's models.

If a source does not give a parameter (a reset, a refractory time, a read-out), the model's default is used.
"""

from typing import Any, NamedTuple

from numpy import pi

from spikefab.hw.models import GLIFNeuron


class Cell(NamedTuple):
    """A published cell: name, parameters and source."""

    name: str
    params: dict[str, float]
    source: str
    step: float | None = None  # constant current, nA, under which the source shows the cell, if it gives one
    settings: dict[str, Any] = {}  # settings that choose the variant of the model


MICE = "Teeter et al. 2018: 5, 50 and 95 % of 645 mouse cells"
BRUNEL = "Brunel 2000, J. Comput. Neurosci. 8:183: theta 20 mV, reset 10 mV, 2 ms"
TROYER = "Troyer & Miller 1997, Neural Comput. 9:971"
SONG = "Song, Miller & Abbott 2000, Nat. Neurosci. 3:919"
BOOK = "Izhikevich 2007, Dynamical Systems in Neuroscience, ch. 8"
SIMPLE = "Izhikevich 2003, IEEE Trans. Neural Netw. 14:1569, fig. 2"
BRETTE = "Brette & Gerstner 2005, J. Neurophysiol. 94:3637"
NAUD = "Naud et al. 2008, Biol. Cybern. 99:335, table 1"
FOURCAUD = "Fourcaud-Trocme et al. 2003, J. Neurosci. 23:11628"
HODGKIN = "Hodgkin & Huxley 1952, J. Physiol. 117:500"
POSPISCHIL = "Pospischil et al. 2008, Biol. Cybern. 99:427"
RINZEL = "Rinzel & Ermentrout 1998, Methods in Neuronal Modeling, table 7.1"
FITZHUGH = "FitzHugh 1961, Biophys. J. 1:445; Nagumo, Arimoto & Yoshizawa 1962"
HINDMARSH = "Hindmarsh & Rose 1984, Proc. R. Soc. Lond. B 221:87"
KOBAYASHI = "Kobayashi, Tsubo & Shinomoto 2009, Front. Comput. Neurosci. 3:9; ModelDB 226422"
RESONATOR = "Izhikevich 2001, Neural Networks 14:883: b/omega = -1/10"

# name, membrane time constant (ms), input resistance (MOhm), E_L (mV), threshold (mV), source
PASSIVE = (
    ("median mouse cell", 16.5, 188.0, -74.0, -40.0, MICE),
    ("fast mouse cell", 6.8, 92.0, -74.0, -40.0, MICE),
    ("slow mouse cell", 38.0, 412.0, -74.0, -40.0, MICE),
    ("low threshold", 16.5, 188.0, -64.0, -51.0, MICE),
    ("high threshold", 16.5, 188.0, -81.0, -24.5, MICE),
)
# name, parameters, source of published leaky integrate-and-fire neurons
LEAKY = (
    ("Brunel", {"tau_m": 20.0, "R_m": 100.0, "E_L": -70.0, "V_th": -50.0, "V_reset": -60.0, "t_ref": 2.0}, BRUNEL),
    ("Troyer", {"tau_m": 20.0, "R_m": 40.0, "E_L": -74.0, "V_th": -54.0, "V_reset": -60.0, "t_ref": 1.8}, TROYER),
    ("Song", {"tau_m": 20.0, "R_m": 100.0, "E_L": -70.0, "V_th": -54.0, "V_reset": -60.0, "t_ref": 0.0}, SONG),
)
LIF = (
    *(
        Cell(name, {"tau_m": tau, "R_m": R, "E_L": E_L, "V_th": V_th, "V_reset": E_L + 5, "t_ref": 2.0}, source)
        for name, tau, R, E_L, V_th, source in PASSIVE
    ),
    *(Cell(*row) for row in LEAKY),
)
LAPICQUE = tuple(Cell(x.name, {n: x.params[n] for n in ("tau_m", "R_m", "E_L", "V_th")}, x.source) for x in LIF)
# Decay times, ms, of synaptic currents (AMPA and GABA_A receptors): one for each cell of LIF, to make one of ALPHA.
SYNAPSES = (2.0, 5.0, 5.0, 2.0, 10.0, 5.0, 2.0, 10.0)
ALPHA = tuple(
    Cell(x.name, x.params | {"tau_s": tau_s}, f"{x.source}; tau_s of Destexhe, Mainen & Sejnowski 1998")
    for x, tau_s in zip(LIF, SYNAPSES, strict=True)
)

# C = tau/R, and k is such that the model has the cell's resistance R at rest: 1/(k (V_c - E_L)) = R
QUADRATIC = (
    *(
        Cell(name, {"C": tau / R, "k": 1 / (R * (V_c - E_L)), "E_L": E_L, "V_c": V_c, "V_reset": E_L + 5}, source)
        for name, tau, R, E_L, V_c, source in PASSIVE
    ),
    Cell("RS", {"C": 0.1, "k": 0.0007, "E_L": -60, "V_c": -40, "V_reset": -50, "V_peak": 35}, BOOK),
    Cell("IB", {"C": 0.15, "k": 0.0012, "E_L": -75, "V_c": -45, "V_reset": -56, "V_peak": 50}, BOOK),
)
# The cells of QUADRATIC, rescaled to y' = y^2 + eta + k_I I: tau is 2 tau_m, eta is -1, k_I is 4 R/(V_c - E_L), and y = 1
# corresponds to half of V_c - E_L.
THETA = (
    *(
        Cell(name, {"tau": 2 * tau, "eta": -1.0, "k_I": 4 * R / (V_c - E_L), "V_0": (E_L + V_c) / 2,
                    "S": min(15.0, (V_c - E_L) / 2)}, source)
        for name, tau, R, E_L, V_c, source in PASSIVE
    ),
    Cell("defaults", {"tau": 5.0, "eta": -0.25, "k_I": 2.0}, "Ermentrout & Kopell 1986, SIAM J. Appl. Math. 46:233"),
)  # fmt: skip

FOURCAUD_CELL = {
    "C": 0.1, "g_L": 0.01, "Delta_T": 3.48, "V_T": -59.9, "V_reset": -68.0, "E_L": -65.0, "V_peak": 20.0, "t_ref": 1.7,
}  # fmt: skip
BRETTE_CELL = {
    "C": 0.281, "g_L": 0.030, "E_L": -70.6, "V_T": -50.4, "Delta_T": 2.0, "V_reset": -70.6, "V_peak": 20.0, "t_ref": 0.0,
}  # fmt: skip
EXPONENTIAL = (
    Cell("Fourcaud-Trocme", FOURCAUD_CELL, FOURCAUD),
    Cell("Brette", BRETTE_CELL, f"{BRETTE}, without adaptation"),
    Cell("Naud tonic", {"C": 0.2, "g_L": 0.01, "E_L": -70, "V_T": -50, "Delta_T": 2, "V_reset": -58, "V_peak": 0,
                        "t_ref": 0}, f"{NAUD}, without adaptation"),
    *(
        Cell(name, {"C": tau / R, "g_L": 1 / R, "E_L": E_L, "V_T": V_T, "Delta_T": 2.0, "V_reset": E_L + 5,
                    "V_peak": 20.0, "t_ref": 2.0}, source)
        for name, tau, R, E_L, V_T, source in PASSIVE
    ),
)  # fmt: skip

# firing pattern: C (pF), g_L (nS), E_L (mV), a (nS), tau_w (ms), b (pA), V_reset (mV), current step (pA). All have V_T -50 mV
# and Delta_T 2 mV.
PATTERNS = {
    "tonic": (200, 10, -70, 2, 30, 0, -58, 500),
    "adapting": (200, 12, -70, 2, 300, 60, -58, 500),
    "initial burst": (130, 18, -58, 4, 150, 120, -50, 400),
    "bursting": (200, 10, -58, 2, 120, 100, -46, 210),
    "delayed accelerating": (200, 12, -70, -10, 300, 0, -58, 300),
    "delayed bursting": (100, 10, -65, -10, 90, 30, -47, 110),
    "transient": (100, 10, -65, 10, 90, 100, -47, 180),
    "irregular": (100, 12, -60, -11, 130, 30, -48, 160),
}
ADEX = (
    Cell("regular", BRETTE_CELL | {"tau_w": 144.0, "a": 0.004, "b": 0.0805}, BRETTE, 1.0),
    Cell("regular bursting", BRETTE_CELL | {"tau_w": 20.0, "a": 0.004, "b": 0.5, "V_reset": -45.4}, BRETTE, 0.8),
    *(
        Cell(name, {"C": C / 1e3, "g_L": g_L / 1e3, "E_L": E_L, "V_T": -50.0, "Delta_T": 2.0, "a": a / 1e3,
                    "tau_w": tau_w, "b": b / 1e3, "V_reset": V_reset, "V_peak": 0.0, "t_ref": 0.0}, NAUD, step / 1e3)
        for name, (C, g_L, E_L, a, tau_w, b, V_reset, step) in PATTERNS.items()
    ),
)  # fmt: skip

# type of cell: C (pF), k (nS/mV), v_r, v_t and v_peak (mV), a (1/ms), b (nS), c (mV), d (pA)
SIMPLE_2007 = {
    "RS": (100, 0.7, -60, -40, 35, 0.03, -2, -50, 100),
    "IB": (150, 1.2, -75, -45, 50, 0.01, 5, -56, 130),
    "CH": (50, 1.5, -60, -40, 25, 0.03, 1, -40, 150),
}
# type of cell: a, b, c, d of v' = .04 v^2 + 5 v + 140 - u + I. `of_2003` converts them, with C = 0.05 nF.
SIMPLE_2003 = {
    "RS": (0.02, 0.2, -65, 8), "IB": (0.02, 0.2, -55, 4), "CH": (0.02, 0.2, -50, 2), "FS": (0.1, 0.2, -65, 2),
    "LTS": (0.02, 0.25, -65, 2), "TC": (0.02, 0.25, -65, 0.05), "RZ": (0.1, 0.26, -65, 2),
}  # fmt: skip


def of_2003(a: float, b: float, c: float, d: float, C: float = 0.05) -> dict[str, float]:
    """Parameters of `IzhikevichNeuron` from those of the 2003 paper; v_r is the lower root of .04 v^2 + 5 v + 140 = b v."""
    v_r = (b - 5 - ((5 - b) ** 2 - 0.16 * 140) ** 0.5) / 0.08
    return {
        "C": C,
        "k": 0.04 * C,
        "a": a,
        "b": b * C,
        "c": c,
        "d": d * C,
        "v_r": v_r,
        "v_t": -125 - v_r,
        "v_peak": 30.0,
    }


IZHIKEVICH = (
    *(
        Cell(f"{name} 2007", {"C": C / 1e3, "k": k / 1e3, "v_r": v_r, "v_t": v_t, "v_peak": v_peak, "a": a, "b": b / 1e3,
                              "c": c, "d": d / 1e3}, BOOK)
        for name, (C, k, v_r, v_t, v_peak, a, b, c, d) in SIMPLE_2007.items()
    ),
    *(Cell(f"{name} 2003", of_2003(*row), SIMPLE, 0.5) for name, row in SIMPLE_2003.items()),
)  # fmt: skip


def cylinder(
    name: str, diameter: float, g_L: float, E_L: float, g_Na: float, g_K: float, V_T: float, g_M: float | None = None,
    tau_max: float = 1000.0,
) -> Cell:  # fmt: skip
    """A cell whose membrane is a cylinder as long as its diameter (um), with 1 uF/cm2 and conductances in S/cm2.

    Without `g_M`, the cell does not adapt.
    """
    area = pi * (diameter * 1e-4) ** 2  # cm2
    slow = {} if g_M is None else {"g_M": g_M * area * 1e6, "tau_max": tau_max}
    g = {"g_L": g_L * area * 1e6, "g_Na": g_Na * area * 1e6, "g_K": g_K * area * 1e6}
    params = {"C": area * 1e3, "E_Na": 50.0, "E_K": -100.0, "E_L": E_L, "V_T": V_T} | g | slow
    return Cell(name, params, POSPISCHIL, None, {"kinetics": "traub-miles", "m_current": g_M is not None})


CONDUCTANCES = (
    Cell("1952", {"C": 1.0, "g_Na": 120.0, "g_K": 36.0, "g_L": 0.3, "E_Na": 50.0, "E_K": -77.0, "E_L": -54.4}, HODGKIN,
         10.0),
    cylinder("RS", 96, 1e-4, -70, 0.05, 0.005, -55, 7e-5),
    cylinder("RS without g_M", 96, 1e-4, -70, 0.05, 0.005, -55),
    cylinder("RS fitted", 61.4, 2.05e-5, -70.3, 0.056, 0.006, -56.2, 7.5e-5, 608.0),
    cylinder("FS", 67, 1.5e-4, -70, 0.05, 0.01, -55),
    cylinder("FS fitted", 56.9, 3.8e-5, -70.4, 0.058, 0.0039, -57.9, 7.87e-5, 502.0),
    cylinder("FS fitted, without g_M", 56.9, 3.8e-5, -70.4, 0.058, 0.0039, -57.9),
)  # fmt: skip

# a membrane of 1e-5 cm2, on which a published current of 100 uA/cm2 is 1 nA
MUSCLE = {
    "C": 0.2, "g_Ca": 0.044, "g_K": 0.08, "g_L": 0.02, "E_Ca": 120.0, "E_K": -84.0, "E_L": -60.0, "V_1": -1.2, "V_2": 18.0,
}  # fmt: skip
BARNACLE = (
    Cell("class II", MUSCLE | {"V_3": 2.0, "V_4": 30.0, "phi": 0.04}, RINZEL, 0.9),
    Cell("class I", MUSCLE | {"g_Ca": 0.04, "V_3": 12.0, "V_4": 17.4, "phi": 0.0667}, RINZEL),
    Cell("homoclinic", MUSCLE | {"g_Ca": 0.04, "V_3": 12.0, "V_4": 17.4, "phi": 0.23}, RINZEL),
)

CUBIC = (
    *(
        Cell(f"eps .08, tau {tau:g} ms", {"a": 0.7, "b": 0.8, "eps": 0.08, "tau": tau, "k_I": 1.0}, FITZHUGH)
        for tau in (0.5, 1.0, 2.5)
    ),
    Cell("c = 3, tau 1 ms", {"a": 0.7, "b": 0.8, "eps": 1 / 9, "tau": 1.0, "k_I": 1.0}, f"{FITZHUGH}, c = 3"),
)

BURSTING = tuple(
    Cell(f"r = {r:g}", {"b": 3.0, "d": 5.0, "s": 4.0, "x_R": -1.6, "r": r, "tau": 2.0, "k_I": 1.0, "I_0": 0.0},
         HINDMARSH, step)
    for r, step in ((0.001, 2.0), (0.003, 2.0), (0.005, 3.25), (0.006, 3.25))
)  # fmt: skip

THRESHOLDS = tuple(
    Cell(name, {"tau_m": 5.0, "R_m": 50.0, "alpha_1": a_1, "alpha_2": a_2, "omega": omega, "E_L": -65.0, "t_ref": 2.0},
         KOBAYASHI, 0.6)
    for name, a_1, a_2, omega in (("RS", 30.0, 2.0, 20.0), ("RS, page", 37.0, 2.0, 19.0), ("IB", 7.5, 1.5, 19.0),
                                  ("FS", 10.0, 0.2, 10.0))
)  # fmt: skip


def passive(tau_m: float, R_m: float, omega: float, E_L: float, t_ref: float) -> dict[str, float]:
    return {"tau_m": tau_m, "R_m": R_m, "omega": omega, "E_L": E_L, "t_ref": t_ref}


ATLAS = "Allen Cell Types Database, model {}; Teeter et al. 2018"
RESET_RULES, AFTER_SPIKES = ("f_v", "d_v", "a_s", "b_s"), ("tau_1", "tau_2", "a_1", "a_2")
# One mouse cell for each level of the paper, from the files of the atlas: line of the mouse, current step (nA), number of the
# model, then tau_m, R_m, omega, E_L, t_ref, and what only some levels have. t_ref is one step of 0.05 ms less than the spike
# that the atlas cuts out.
ATLAS_CELLS: dict[int, tuple[str, float, int, dict[str, float]]] = {
    1: ("Cux2", 0.2, 486557295, passive(21.2642, 183.830, 24.4456, -73.3361, 2.6)),
    2: ("Cux2", 0.25, 486558431, passive(24.5300, 228.271, 40.6218, -78.2867, 6.65)
        | dict(zip(RESET_RULES, (0.634513, -4.59917, 1.79558, 0.117596), strict=True))),
    3: ("Sst", 0.15, 485904755, passive(24.9996, 397.794, 27.8875, -67.5720, 2.1)
        | dict(zip(AFTER_SPIKES, (10.0, 3.33333, -0.137495, 0.472555), strict=True))),
    4: ("Rbp4", 0.35, 486052403, passive(18.9364, 112.691, 25.7897, -71.7073, 4.5)
        | dict(zip(RESET_RULES, (0.595514, -5.57799, 1.37558, 0.136449), strict=True))
        | dict(zip(AFTER_SPIKES, (33.3333, 10.0, -0.0204040, -0.223387), strict=True))),
    5: ("Scnn1a-Tg3", 0.2, 566283540, passive(17.6235, 226.503, 22.0184, -73.0492, 2.55)
        | dict(zip(RESET_RULES, (0.983105, 15.3943, 1.20235, 0.0331118), strict=True))
        | dict(zip(AFTER_SPIKES, (33.3333, 3.33333, -0.0517550, 0.130623), strict=True))
        | {"a_v": 0.00387984, "b_v": 0.0294060}),
}  # fmt: skip
GENERALISED = tuple(
    Cell(f"GLIF{level}, {line}", params, ATLAS.format(model), nA, dict(GLIFNeuron.LEVELS[level]))
    for level, (line, nA, model, params) in ATLAS_CELLS.items()
)

OSCILLATORS = tuple(
    Cell(f"{1000 * omega / (2 * pi):.0f} Hz", {"b": -omega / 10, "omega": omega, "k_I": 10.0, "y_th": 15.0,
                                               "y_reset": 0.0}, RESONATOR)
    for omega in (0.1, 0.25, 0.5, 1.0)
)  # fmt: skip

CELLS: dict[str, tuple[Cell, ...]] = {
    "LapicqueNeuron": LAPICQUE,
    "LIFNeuron": LIF,
    "QuadraticIFNeuron": QUADRATIC,
    "ExpIFNeuron": EXPONENTIAL,
    "AdExNeuron": ADEX,
    "IzhikevichNeuron": IZHIKEVICH,
    "HodgkinHuxleyNeuron": CONDUCTANCES,
    "MorrisLecarNeuron": BARNACLE,
    "FitzHughNagumoNeuron": CUBIC,
    "HindmarshRoseNeuron": BURSTING,
    "AlphaNeuron": ALPHA,
    "ThetaNeuron": THETA,
    "ResonateAndFireNeuron": OSCILLATORS,
    "MATNeuron": THRESHOLDS,
    "GLIFNeuron": GENERALISED,
}
