"""Izhikevich 2001, Neural Networks 14:883: resonate-and-fire, with its reset (z <- i where Im z reaches 1) and others."""

from functools import partial

import numpy as np
import pytest

from spikefab import ResonateAndFireNeuron
from spikefab.sim import continuous

CELL = {"b": -0.025, "omega": 0.25, "k_I": 10.0, "y_th": 15.0, "y_reset": 15.0, "E_L": -65.0, "V_peak": 30.0}
CYCLE = 2 * np.pi / CELL["omega"]  # ms


def solve(integrate, p, i_nA, duration, start=(0.0, 0.0)):
    return integrate(
        partial(continuous.resonator, p, i=i_nA), list(start), duration, p["y_th"], lambda z: [p["y_reset"], 0.0]
    )


def gain(p, frequency):
    """mV/nA of y under exp(i W t): y'' - 2 b y' + (b^2 + omega^2) y = omega k_I I."""
    return p["k_I"] * p["omega"] / np.abs(p["omega"] ** 2 + p["b"] ** 2 - frequency**2 - 2j * p["b"] * frequency)


def spikes_of(neuron, current):
    neuron.reset()
    neuron.run(current)
    return neuron.spikes


def pulses(dt, *kicks):
    """200 ms of nothing but one-step pulses: (ms, nA)."""
    current = np.zeros(round(200 / dt))
    for at, i_nA in kicks:
        current[round(at / dt)] += i_nA
    return current


@pytest.mark.parametrize("dt", [0.05, 0.1, 1.0])
def test_free_oscillation_is_exact_at_any_step(dt):
    """z(t) = z(0) exp((b + i omega) t)"""
    formats = ResonateAndFireNeuron(**CELL, dt=dt).datapath.states
    start = {"y": 12.0, "x": -7.0}
    initial = {name: int(formats[name].encode(value)) for name, value in start.items()}
    ideal = ResonateAndFireNeuron(**CELL, dt=dt, initial=initial).ideal()
    p = ideal.neuron.values
    assert ideal.v == p["E_L"] + 12
    voltage = ideal.run(np.zeros(round(60 / dt)))
    t = (np.arange(len(voltage)) + 1) * dt
    z = (start["x"] + 1j * start["y"]) * np.exp((p["b"] + 1j * p["omega"]) * t)
    np.testing.assert_allclose(voltage, p["E_L"] + z.imag, rtol=0, atol=1e-9)


def test_second_order_below_threshold(integrate, order):
    steps, errors = (0.8, 0.4, 0.2, 0.1), []
    for dt in steps:
        ideal = ResonateAndFireNeuron(**CELL, dt=dt).ideal()
        state = (0.0, 0.0)
        for i_nA, milliseconds in ((0.2, 12.0), (-0.4, 4.0)):
            ideal.run(np.full(round(milliseconds / dt), i_nA))
            spikes, state = solve(integrate, ideal.neuron.values, i_nA, milliseconds, state)
            assert not len(spikes)
        errors.append([abs(ideal.state["y"] - state[0]), abs(ideal.state["x"] - state[1])])
    for error in np.transpose(errors):
        assert 1.95 < order(steps, error) < 2.05


@pytest.mark.parametrize("y_reset", [15.0, 0.0, -10.0])
def test_spikes_converge_with_the_step(integrate, y_reset):
    """A spike is seen at the end of its step, so the n-th is late by at most n steps: first order. The rest is second."""
    i_nA = 0.4
    for dt in (0.4, 0.1, 0.025):
        ideal = ResonateAndFireNeuron(**{**CELL, "y_reset": y_reset}, dt=dt).ideal()
        ideal.run(np.full(round(100 / dt), i_nA))
        exact, _ = solve(integrate, ideal.neuron.values, i_nA, 100.0)
        late = ideal.spikes + dt - exact[: len(ideal.spikes)]  # step k ends at (k + 1) dt
        assert len(exact) >= len(ideal.spikes) >= 5
        each = dt + (CELL["omega"] * dt) ** 2
        assert np.all(late >= -(each - dt) * np.arange(1, len(late) + 1))
        assert np.all(late <= each * np.arange(1, len(late) + 1))


@pytest.mark.parametrize("fixed_point", [False, True])
def test_resonates(fixed_point):
    """A sine moves y by |H(i W)|, which peaks at sqrt(omega^2 - b^2) and not at omega, here 0.229 and 0.25 rad/ms."""
    dt = 0.1
    model = ResonateAndFireNeuron(**{**CELL, "b": -0.1}, dt=dt, i_span=0.5)
    p = model.values
    frequencies = np.array([0.02, 0.08, 0.15, 0.19, 0.21, 0.23, 0.25, 0.27, 0.35, 0.6])
    t = (np.arange(3000) + 1) * dt
    found = []
    for frequency in frequencies:
        neuron = model if fixed_point else model.ideal()
        neuron.reset()
        # a step's input is its mean: the sine in its middle, to second order
        y = neuron.run(0.2 * np.sin(frequency * (t - dt / 2))) - p["E_L"]
        late = t > 100  # exp(-10) of the onset is left
        basis = np.stack([np.sin(frequency * t), np.cos(frequency * t)], axis=1)[late]
        found.append(np.hypot(*np.linalg.lstsq(basis, y[late], rcond=None)[0]) / 0.2)
        assert not len(neuron.spikes)
    # second order: half of (omega dt)^2 is 3e-4; the rounding of a word, 0.001 mV of some mV, averages out over 2000 samples
    np.testing.assert_allclose(found, gain(p, frequencies), rtol=3e-4)
    # 1/|H|^2 is a parabola of W^2
    bend, slope, _ = np.polyfit(frequencies**2, 1 / np.square(found), 2)
    assert np.sqrt(-slope / 2 / bend) == pytest.approx(np.sqrt(p["omega"] ** 2 - p["b"] ** 2), rel=1e-4)


@pytest.mark.parametrize("fixed_point", [False, True])
def test_fires_on_resonant_doublets_only(fixed_point):
    """A pulse kicks x by A, and y = A exp(b t) sin(omega t) reaches 0.86 A, here 0.75 y_th: one pulse does not fire it.
    Two do a cycle apart, where exp(2 pi b/omega) = 0.53 of the first is left to add, and not half a cycle before or after.
    An inhibitory pulse half a cycle ahead of an excitatory one does as well."""
    dt = 0.1
    model = ResonateAndFireNeuron(**CELL, dt=dt, i_span=16.0)  # a kick of 13 nA and one step
    neuron = model if fixed_point else model.ideal()
    angle = np.arctan2(CELL["omega"], -CELL["b"])  # omega t of the first maximum
    reach = np.exp(CELL["b"] / CELL["omega"] * angle) * np.sin(angle)
    i_nA = 0.75 * CELL["y_th"] / reach / (CELL["k_I"] * dt)
    assert not len(spikes_of(neuron, pulses(dt, (10, i_nA))))
    for cycles, fires in ((0.5, 0), (0.75, 0), (1.0, 1), (1.25, 0), (1.5, 0), (2.0, 0)):
        spikes = spikes_of(neuron, pulses(dt, (10, i_nA), (10 + cycles * CYCLE, i_nA)))
        assert (len(spikes) > 0) == fires, cycles
    assert 0 < spikes_of(neuron, pulses(dt, (10, i_nA), (10 + CYCLE, i_nA)))[0] - 10 - CYCLE < CYCLE / 4
    assert len(spikes_of(neuron, pulses(dt, (10, -i_nA), (10 + CYCLE / 2, i_nA))))
    assert not len(spikes_of(neuron, pulses(dt, (10, -i_nA), (10 + CYCLE, i_nA))))


@pytest.mark.parametrize("fixed_point", [False, True])
def test_rebound(fixed_point):
    """Released from a long inhibition z falls back along a spiral whose next maximum of y may be beyond the threshold."""
    model = ResonateAndFireNeuron(**{**CELL, "y_reset": 0.0})
    p = model.values
    neuron = model if fixed_point else model.ideal()
    t = np.arange(0, CYCLE, 0.01)
    z = 1j * p["k_I"] / (p["omega"] - 1j * p["b"]) * np.exp((p["b"] + 1j * p["omega"]) * t)
    threshold = p["y_th"] / z.imag.min()  # nA, negative: of the step under which z was -k_I I / (b + i omega)
    held, free = np.ones(4000), np.zeros(1000)
    for strength, fires in ((0.99, 0), (1.01, 1)):
        # from rest, slowly: the onset itself must not ring
        current = strength * threshold * np.concatenate([np.linspace(0, 1, 1000), held, free])
        spikes = spikes_of(neuron, current)
        assert len(spikes) == fires
        assert np.all(spikes > 500)


@pytest.mark.slow
def test_fixed_point_stays_with_the_ideal():
    rng = np.random.default_rng(1)
    steady = np.full(3000, 0.4)
    noise = 0.2 + 0.6 * np.repeat(rng.normal(size=300), 10)
    for y_reset in (15.0, 0.0):
        for current in (steady, noise):
            model = ResonateAndFireNeuron(**{**CELL, "y_reset": y_reset}, word=18)
            ideal = model.ideal()
            shown, wanted = model.run(current), ideal.run(current)
            assert len(model.spikes) == len(ideal.spikes) > 10
            assert np.abs(model.spikes - ideal.spikes).max() < 0.11  # one step: a crossing at its very end
            before = slice(0, round(ideal.spikes[0] / 0.1) - 1)
            assert np.abs(shown - wanted)[before].max() < 0.01
