"""Lapicque 1907; Gerstner, Kistler, Naud & Paninski 2014, Neuronal Dynamics, ch. 1.3: equations 1.5-1.9."""

from functools import partial

import numpy as np
import pytest

from spikefab import LIFNeuron
from spikefab.sim import continuous

CELL = {"tau_m": 15.0, "R_m": 120.0, "V_th": -48.0, "V_reset": -62.0, "E_L": -71.0, "t_ref": 3.0, "V_peak": 20.0}


def period(p, v_inf):
    """ms between spikes under a constant current: t_ref + tau_m ln((V_inf - V_reset) / (V_inf - V_th))."""
    return p["t_ref"] + p["tau_m"] * np.log((v_inf - p["V_reset"]) / (v_inf - p["V_th"]))


@pytest.mark.parametrize("dt", [0.05, 0.1, 0.5])
def test_exact_below_threshold_at_any_step(integrate, dt):
    ideal = LIFNeuron(**CELL, dt=dt).ideal()
    p = ideal.neuron.values
    start = [p["E_L"]]
    for i_nA, milliseconds in ((0.1, 20), (-0.4, 13), (0.0, 5), (0.17, 40)):
        voltage = ideal.run(np.full(round(milliseconds / dt), i_nA))
        spikes, start = integrate(
            partial(continuous.leaky, p, i=i_nA), start, milliseconds, p["V_th"], lambda y: [p["V_reset"]]
        )
        assert not len(spikes)
        assert not len(ideal.spikes)
        assert voltage[-1] == pytest.approx(start[0], abs=1e-7)  # the tolerance of solve_ivp


def test_spikes_converge_with_the_step(integrate):
    """A spike is seen at the end of its step, so the n-th is late by at most n steps: first order."""
    current, duration = 0.31, 150.0
    for dt in (0.4, 0.1, 0.025):
        ideal = LIFNeuron(**{**CELL, "t_ref": 2.0}, dt=dt).ideal()
        p = ideal.neuron.values
        ideal.run(np.full(round(duration / dt), current))
        exact, _ = integrate(
            partial(continuous.leaky, p, i=current),
            [p["E_L"]],
            duration,
            p["V_th"],
            lambda y, p=p: [p["V_reset"]],
            p["t_ref"],
        )
        late = ideal.spikes + dt - exact[: len(ideal.spikes)]  # step k ends at (k + 1) dt
        assert len(exact) - len(ideal.spikes) in (0, 1)
        assert len(ideal.spikes) >= 9
        assert np.all(late >= -1e-9)
        assert np.all(late <= np.arange(1, len(late) + 1) * dt + 1e-9)


@pytest.mark.parametrize("fixed_point", [False, True])
def test_frequency_against_current_is_the_closed_form(fixed_point):
    """One step of rounding up per interval and no more; in fixed point the drive is rounded to its codes as well."""
    dt = 0.1
    model = LIFNeuron(**CELL, dt=dt)
    p = model.values
    # E_L - V and R_m I are words that span 512 mV, and I is one that spans the input: half a code each
    rounding = 512 / 2**17 + p["R_m"] * model.datapath.current.lsb / 2 if fixed_point else 0.0
    rheobase = (p["V_th"] - p["E_L"]) / p["R_m"]
    for i_nA in (0.98 * rheobase, 1.02 * rheobase, 0.25, 0.5, 1.0, 3.5):
        neuron = model if fixed_point else model.ideal()
        neuron.reset()
        neuron.run(np.full(3000, i_nA))
        intervals = np.diff(neuron.spikes)
        if i_nA < rheobase:
            assert not len(neuron.spikes)
            continue
        assert len(intervals) >= 2
        v_inf = p["E_L"] + p["R_m"] * i_nA
        assert intervals.min() >= period(p, v_inf + rounding) - 1e-9
        assert intervals.max() < period(p, v_inf - rounding) + dt + 1e-9


def test_fixed_point_stays_with_the_ideal():
    rng = np.random.default_rng(1)
    steady = np.full(5000, 0.25)
    noise = 0.2 + 0.4 * np.repeat(rng.normal(size=500), 10)
    for current in (steady, noise):
        model = LIFNeuron(**CELL, word=18)
        ideal = model.ideal()
        shown, wanted = model.run(current), ideal.run(current)
        assert len(model.spikes) == len(ideal.spikes) > 10
        assert np.abs(model.spikes - ideal.spikes).max() <= 0.2
        before = slice(0, round(ideal.spikes[0] / 0.1) - 1)
        assert np.abs(shown - wanted)[before].max() < 0.01
