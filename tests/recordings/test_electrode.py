"""The electrode that was not compensated: found in made cells, and taken off where spikes are sought."""

import os
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from spikefab.cli import main
from spikefab.fit.features.extract import recording_features
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.scoring.task import Task

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")
REST = -65.0


def response(current, dt, R, tau):
    """mV of a passive membrane at rest; the current of sample k acts from there on."""
    k = -np.expm1(-dt / tau)
    return REST + R * lfilter([0, k], [1, k - 1], current)


def spike_shape(t, time, height=80.0):
    return height * np.exp(-0.5 * ((t - time) / 0.35) ** 2) - 8 * np.where(t > time, np.exp(-(t - time) / 5), 0)


def made(kind, dt, electrode, R=100.0, tau=15.0, noise=0.3, spikes=5, seed=0, duration=400.0, change=None):
    """A recording of a membrane with spikes through an electrode; its stimuli are steps, or noise. Returns (v, i) too.

    change(v, i, t)  what the rig makes of voltage and current
    """
    rng = np.random.default_rng(seed)
    n = round(duration / dt)
    t = np.arange(n) * dt
    currents, voltages = [], []
    for share in np.linspace(-0.6, 1.4, 5) if kind == "steps" else (1, 1, 1):
        if kind == "steps":
            i = np.where((t >= 50) & (t < 0.75 * duration), share * 15 / R, 0.0)
        else:
            k = np.exp(-dt / 3)
            i = 10 / R + 16 / R * lfilter([np.sqrt(1 - k * k)], [1, -k], rng.normal(size=n))
        v = response(i, dt, R, tau)
        if share > 0:
            v = v + sum(spike_shape(t, time) for time in np.linspace(70, duration - 40, spikes))
        shown, known = (v, i) if change is None else change(v, i, dt)
        voltages.append(shown + electrode * i + rng.normal(0, noise, n))
        currents.append(known)
    return Recording.from_arrays(np.array(voltages), np.array(currents), dt)


def near(found, true):
    return abs(found - true) <= max(2.0, 0.1 * true)


@pytest.mark.parametrize("kind", ["steps", "noise"])
@pytest.mark.parametrize("dt", [0.1, *(pytest.param(dt, marks=pytest.mark.slow) for dt in (0.02, 0.2))])
@pytest.mark.parametrize(
    "cell", [{"R": 100.0, "tau": 15.0}, {"R": 60.0, "tau": 7.0}, {"R": 250.0, "tau": 30.0, "noise": 0.15}]
)
def test_an_electrode_is_found(kind, dt, cell):
    for seed, true in enumerate((0.0, 8.0, 25.0, 60.0)):
        recording = made(kind, dt, true, seed=seed, **cell)
        assert near(recording.electrode_resistance, true), (true, recording.electrode_resistance)
        counts = [len(s) for s in recording.spikes()]
        assert counts == ([0, 0, 5, 5, 5] if kind == "steps" else [5, 5, 5])


def blurred(v, i, dt):
    """The current as a slow monitor records it."""
    k = np.exp(-dt / 0.15)
    return v, lfilter([1 - k], [1, -k], i - i[0]) + i[0]


def transient(v, i, dt):
    """What a capacity of the electrode leaves of each step: 30 MOhm for a tenth of a millisecond."""
    return v + 30 * lfilter([1], [1, -np.exp(-dt / 0.1)], np.diff(i, prepend=i[0])), i


def image(v, i, dt):
    """A current with an image of each spike, larger than the step."""
    return v, i + 2e-3 * np.gradient(v, dt)


def noisy(v, i, dt):
    return v, i + np.random.default_rng(7).normal(0, 0.003, len(i))


def late(v, i, dt):
    """A current that was sampled a moment before the voltage."""
    return v, np.append(i[1:], i[-1])


@pytest.mark.parametrize("change", [blurred, transient, image, noisy, late])
@pytest.mark.parametrize("true", [0.0, 30.0])
def test_what_a_rig_does_is_no_electrode(change, true):
    recording = made("steps", 0.1, true, change=change)
    assert near(recording.electrode_resistance, true), recording.electrode_resistance


def test_slow_stimuli_show_no_electrode():
    """A ramp and a slow wave: the membrane may answer them like an electrode."""
    dt, n = 0.1, 10_000
    t = np.arange(n) * dt
    currents = [np.clip((t - 100) / 2000, 0, 0.3), 0.1 * np.sin(2 * np.pi * t / 200)]
    rng = np.random.default_rng(0)
    voltages = [response(i, dt, 100, 15) + rng.normal(0, 0.3, n) for i in currents]
    assert Recording.from_arrays(np.array(voltages), np.array(currents), dt).electrode_resistance == 0
    assert Recording.from_arrays(voltages, None, dt).electrode_resistance == 0
    assert Recording.from_arrays(voltages, np.zeros((2, n)), dt).electrode_resistance == 0
    assert Recording.from_arrays([1.0, 2.0, 3.0], [0.0, 1.0, 0.0], dt).electrode_resistance == 0


def test_noise_that_voltage_and_current_share_is_no_electrode():
    """A monitor that shows a thousandth of a nA of noise, which the voltage shows too: it would be 60 MOhm."""
    rng = np.random.default_rng(0)
    i = rng.normal(0.015, 0.0007, 20_000)
    v = REST + 60 * (i - 0.015) + rng.normal(0, 0.05, len(i)) + spike_shape(np.arange(len(i)) * 0.1, 700.0)
    recording = Recording.from_arrays(v, i, 0.1)
    assert recording.electrode_resistance == 0 and [len(s) for s in recording.spikes()] == [1]


def test_noise_through_an_electrode_is_no_spike(tmp_path, capsys):
    """Fast noise jumps by 20 mV through 40 MOhm; the features are those of the membrane."""
    recordings = [made("noise", 0.2, true, R=60, tau=8) for true in (0.0, 40.0)]
    for recording in recordings:
        assert [len(s) for s in recording.spikes()] == [5, 5, 5]
    without, through = map(recording_features, recordings)
    shift = 40 * np.mean(
        [np.median(s.current) for s in recordings[1].sweeps]
    )  # the electrode's voltage at the median current
    for name, moved in (("spike_count", 0), ("ap_height", 0), ("ap_threshold", shift), ("v_rest", shift)):
        assert through[name] == pytest.approx(without[name] + moved, abs=2.0)
    said = "The voltage follows the current at once by"
    notes = [[note for note in Task.of(r, 0.1).notes if said in note] for r in recordings]
    assert notes[0] == [] and len(notes[1]) == 1
    assert f"by {recordings[1].electrode_resistance:.0f} MOhm" in notes[1][0]
    file = tmp_path / "electrode.csv"
    v, i = (np.array([getattr(s, name) for s in recordings[1].sweeps]) for name in ("voltage", "current"))
    columns = np.stack([np.arange(v.shape[1]) * 0.2, v[0], i[0]], axis=1)
    np.savetxt(file, columns, delimiter=",", header="t_ms,V_mV,I_nA", comments="")
    assert main(["info", str(file)]) == 0
    assert "MOhm, not compensated" in capsys.readouterr().out


@pytest.mark.parametrize("dt", [0.1, 0.2])
def test_a_voltage_that_is_a_sample_late(dt):
    """Without the lag each jump of the noise would leave a peak of one sample."""
    recording = made("noise", dt, 60.0, R=60, tau=8, change=late)
    assert recording.electrode_resistance == pytest.approx(60, abs=3)
    assert [len(s) for s in recording.spikes()] == [5, 5, 5]


def test_a_resampled_or_selected_recording_has_the_same_electrode():
    recording = made("noise", 0.1, 30.0)
    coarse = recording.resample(0.5)
    assert coarse.electrode_resistance == recording.select([1]).electrode_resistance == recording.electrode_resistance
    sweep = coarse.sweeps[0]
    taken_off = sweep.voltage - coarse.compensated(sweep)
    expected = recording.electrode_resistance * (sweep.current - np.median(recording.sweeps[0].current))
    assert np.allclose(taken_off, expected, atol=0.5)


@real
@pytest.mark.parametrize("added", [0, 10, 17, 20, 25, 30, 40, 50])
def test_set_05_through_an_electrode(added):
    recording = read(Path(str(DATA)) / "QSNMC2007/challengeA_set05_4reps.csv")
    v = [s.voltage + added * (s.current - s.current.mean()) for s in recording.sweeps]
    recording = Recording.from_arrays(v, [s.current for s in recording.sweeps], recording.dt)
    assert np.all(np.abs(np.array([len(s) for s in recording.spikes()]) - [45, 40, 43, 44]) <= 1)
    assert recording.electrode_resistance == pytest.approx(15.4 + added, abs=0.5)


@real
@pytest.mark.parametrize(
    ("name", "true"),
    [
        ("QSNMC2007/challengeA_set04_4reps.csv", 15),
        ("QSNMC2007/challengeA_set12_4reps.csv", 15),
        ("QSNMC2007/challengeB_C010302A1_IDRest.csv", 0),
        ("pyABF/18713001.abf", 15),
        ("pyABF/190619B_0003.abf", 0),  # its bridge is off, but the voltage across it follows within a millisecond only
        ("pyABF/171116sh_0017.abf", 0),
    ],
)
def test_electrodes_of_real_recordings(name, true):
    """As the mean of the voltage around the steps of the current shows them, at a glance."""
    recording = read(Path(str(DATA)) / name)
    assert recording.electrode_resistance == pytest.approx(true, abs=2)
