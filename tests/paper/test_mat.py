"""Kobayashi, Tsubo & Shinomoto 2009, Front. Comput. Neurosci. 3:9; cells and current of its authors' code (ModelDB 226422)."""

import numpy as np
import pytest
from scipy.optimize import brentq

from spikefab import MATNeuron

PASSIVE = {"tau_m": 5.0, "R_m": 50.0, "E_L": -65.0, "t_ref": 2.0, "V_peak": 20.0}
RS, IB, FS = (
    {**PASSIVE, "alpha_1": a_1, "alpha_2": a_2, "omega": omega}
    for a_1, a_2, omega in ((30.0, 2.0, 20.0), (7.5, 1.5, 19.0), (10.0, 0.2, 10.0))
)
I_NA = 0.6


def depolarisation(p, i_nA, t):
    """tau_m V' = -(V - E_L) + R_m I: V - E_L after t ms of a step from rest. Spikes leave no mark on it."""
    return -p["R_m"] * i_nA * np.expm1(-t / p["tau_m"])


def lift(p, t, spikes):
    """mV above omega: every spike before t adds alpha_1 exp(-s/10 ms) + alpha_2 exp(-s/200 ms), s ms after it."""
    s = np.asarray(t)[..., None] - np.asarray(spikes)
    return (p["alpha_1"] * np.exp(-s / 10) + p["alpha_2"] * np.exp(-s / 200)).sum(axis=-1)


def solve(p, i_nA, duration):
    """Spike times of the continuous model under a step from rest: t_ref after the last, or where V meets the threshold."""
    spikes: list[float] = []

    def above(t):
        return depolarisation(p, i_nA, t) - p["omega"] - lift(p, t, spikes)

    start = 0.0
    while start < duration:
        t = np.arange(start, start + 10, 0.01)
        met = np.flatnonzero(above(t) >= 0)
        if len(met):
            first = met[0]
            spikes.append(float(t[0] if first == 0 else brentq(above, t[first - 1], t[first], xtol=1e-12)))
            start = spikes[-1] + p["t_ref"]
        else:
            start = t[-1]
    return np.array([s for s in spikes if s < duration])


def steady_interval(p, i_nA):
    """ms: the spikes before lift the threshold by a geometric series, alpha / (exp(T/tau) - 1) each."""
    return brentq(
        lambda t: p["R_m"] * i_nA - p["omega"] - p["alpha_1"] / np.expm1(t / 10) - p["alpha_2"] / np.expm1(t / 200),
        0.1, 1000,
    )  # fmt: skip


def spikes_of(neuron, i_nA, duration, dt=0.1):
    neuron.reset()
    neuron.run(np.full(round(duration / dt), i_nA))
    return neuron.spikes


@pytest.mark.parametrize("dt", [0.05, 0.1, 0.5])
def test_exact_between_spikes_at_any_step(dt):
    """V knows of no spike but shows it; the threshold is what the spikes that were make of it."""
    ideal = MATNeuron(**IB, dt=dt, word=24).ideal()
    p = ideal.neuron.values
    voltage = ideal.run(np.full(round(60 / dt), I_NA))
    ends = (np.arange(len(voltage)) + 1) * dt
    quiet = ~np.isin(np.arange(len(voltage)), np.round(ideal.spikes / dt))
    passive = p["E_L"] + depolarisation(p, I_NA, ends)
    np.testing.assert_allclose(voltage[quiet], passive[quiet], rtol=0, atol=1e-9)
    assert len(ideal.spikes) >= 5
    assert np.all(voltage[~quiet] == p["V_peak"])
    # decays are constants of the hardware: a word of 24 bits holds them to 2**-24
    found = ideal.state["h1"] + ideal.state["h2"]
    assert found == pytest.approx(float(lift(p, ends[-1], ideal.spikes + dt)), abs=1e-5)


@pytest.mark.parametrize("cell", [RS, IB, FS])
def test_spikes_converge_with_the_step(cell):
    """A spike is seen at the end of its step, and one that is late makes the next late at most as much: first order."""
    for dt in (0.4, 0.1, 0.025):
        ideal = MATNeuron(**cell, dt=dt, word=24).ideal()
        ideal.run(np.full(round(120 / dt), I_NA))
        exact = solve(ideal.neuron.values, I_NA, 120)
        late = ideal.spikes + dt - exact[: len(ideal.spikes)]  # step k ends at (k + 1) dt
        assert len(exact) - len(ideal.spikes) in (0, 1)
        assert len(ideal.spikes) >= 3
        assert np.all(late >= -1e-4)  # the decays, to 2**-24, over a threshold that falls by 0.1 mV/ms
        assert np.all(late <= np.arange(1, len(late) + 1) * dt + 1e-4)


@pytest.mark.parametrize("fixed_point", [False, True])
@pytest.mark.parametrize("cell", [RS, IB, FS])
def test_adapts_to_the_steady_interval(fixed_point, cell):
    """Intervals grow towards that at which a spike adds what decays between two; the slow threshold needs some tau_2."""
    dt = 0.1
    model = MATNeuron(**cell, i_span=1.0)
    p = model.values
    intervals = np.diff(spikes_of(model if fixed_point else model.ideal(), I_NA, 800))
    steady = steady_interval(p, I_NA)
    assert np.all(np.diff(intervals[1:]) >= -dt - 1e-9)  # they never shrink, but for the grid of steps
    # a spike may be a step late, and 0.01 mV, what the words of the drive and of h hide, on the slope of the threshold
    falls = p["alpha_1"] / np.expm1(steady / 10) / 10 + p["alpha_2"] / np.expm1(steady / 200) / 200
    hidden = 0.01 / falls if fixed_point else 0.0
    assert abs(np.mean(intervals[-10:]) - steady) < dt + hidden
    assert intervals[0] < steady - dt


@pytest.mark.parametrize("fixed_point", [False, True])
def test_firing_patterns(fixed_point):
    """One current, and the threshold alone makes the pattern: alpha_1 says how soon a spike can follow, alpha_2 how much
    slower the last ones come than the first."""
    cells = {
        "RS": RS,
        "IB": IB,
        "FS": FS,
        "IB, alpha_1": {**IB, "alpha_1": 30.0},
        "RS, alpha_2": {**RS, "alpha_2": 0.0},
    }
    found = {}
    for name, cell in cells.items():
        model = MATNeuron(**cell, i_span=1.0)
        found[name] = np.diff(spikes_of(model if fixed_point else model.ideal(), I_NA, 400))
        exact = np.diff(solve(model.values, I_NA, 100))
        # each spike rounded up to its step, the one before as well
        np.testing.assert_allclose(found[name][: len(exact)], exact, rtol=0, atol=0.1)
    growth = {name: intervals[-1] / intervals[0] for name, intervals in found.items()}
    # regular spiking: no burst, and slower with time; its adaptation is that of the slow threshold
    assert np.all(found["RS"] > 10)
    assert growth["RS"] > 2.5
    assert growth["RS, alpha_2"] < 1.2  # exp(-12/10) of one lift is left at the next spike
    assert np.ptp(found["RS, alpha_2"][2:]) < 0.11
    # intrinsically bursting: the first spikes in a group, the last ones single; a large alpha_1 lets no burst happen
    assert np.all(found["IB"][:4] < 10)
    assert np.all(found["IB"][-4:] > 25)
    assert growth["IB"] > 2 * growth["RS"]
    assert np.all(found["IB, alpha_1"] > 10)
    # fast spiking: several times the rate of the others, to the end
    assert found["FS"].max() < found["IB"][-1] / 4 < found["RS"][-1] / 4
    assert growth["FS"] < growth["RS"]


@pytest.mark.parametrize("fixed_point", [False, True])
@pytest.mark.parametrize("t_ref", [0.5, 2.0])
def test_no_interval_is_shorter_than_the_refractory_time(fixed_point, t_ref):
    model = MATNeuron(**{**FS, "alpha_1": 0.0, "alpha_2": 0.0, "t_ref": t_ref})
    neuron = model if fixed_point else model.ideal()
    intervals = np.diff(spikes_of(neuron, I_NA, 50))
    np.testing.assert_allclose(intervals, t_ref, rtol=0, atol=1e-9)


@pytest.mark.slow
def test_fixed_point_stays_with_the_ideal():
    """Where the threshold falls by 0.1 mV/ms, the 0.01 mV that words hide are a step: spikes may be two apart."""
    rng = np.random.default_rng(1)
    steady = np.full(3000, I_NA)
    noise = 0.5 + 0.4 * np.repeat(rng.normal(size=300), 10)
    for cell in (RS, IB, FS):
        for current in (steady, noise):
            model = MATNeuron(**cell, word=18)
            ideal = model.ideal()
            shown, wanted = model.run(current), ideal.run(current)
            assert len(model.spikes) == len(ideal.spikes) >= 9
            assert np.abs(model.spikes - ideal.spikes).max() < 0.21
            quiet = (shown != model.values["V_peak"]) & (wanted != model.values["V_peak"])
            assert np.abs(shown - wanted)[quiet].max() < 0.01  # to the end: V knows of no spike
