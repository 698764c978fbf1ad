"""Recordings in memory: arrays, resampling, baselines, stimulus windows and warnings."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from spikefab.errors import RecordingError, UsageError
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.stimuli import is_noise
from spikefab.fit.recordings.summary import describe
from spikefab.fit.recordings.sweep import baseline_current, quiet_part, stimulus_window


def trace(n=400, seed=0):
    """A noisy rest at -65 mV, and a step of current."""
    v = -65 + np.random.default_rng(seed).normal(0, 1, n).round(3)
    i = np.where((np.arange(n) >= 100) & (np.arange(n) < 300), 0.1, 0.0)
    return v, i


V, STEP = trace()


# Arrays


def test_arrays_that_make_a_recording():
    for voltage, current in (
        (V, STEP),
        ([V, V], [STEP, STEP]),
        (np.stack([V, V]), STEP),
        ([V, V[:300]], [STEP, STEP[:300]]),
        (V, None),
    ):
        recording = Recording.from_arrays(voltage, current, 0.1)
        assert recording.sweeps[0].voltage.shape == (400,)
        assert recording.source == "arrays"
    assert Recording.from_arrays(V.tolist(), STEP.tolist(), 0.1).sweeps[0].window == (10.0, 30.0)


def test_what_pads_the_ends_is_cut_and_said():
    padded = np.where(np.arange(400) < 390, V, np.nan)
    recording = Recording.from_arrays([V, padded], [STEP, np.where(np.arange(400) < 5, np.nan, STEP)], 0.1)
    assert [len(s.voltage) for s in recording.sweeps] == [400, 385]
    assert recording.notes == ("samples that are no numbers are cut from the ends of 1 of 2 sweeps",)
    assert recording.sweeps[1].window == (9.5, 29.5)  # counted from what is left


@pytest.mark.parametrize(
    ("voltage", "current", "dt", "kind", "sentence"),
    [
        (V, STEP[:-1], 0.1, UsageError, "400 samples of voltage but 399 of current"),
        ([V, V], [STEP, STEP, STEP], 0.1, UsageError, "2 sweeps of voltage but 3 of current"),
        (np.where(np.arange(400) == 7, np.nan, V), STEP, 0.1, RecordingError, "voltage is not a number at sample 7"),
        (np.append(V[:-1], np.inf), STEP, 0.1, RecordingError, "voltage is not a number at sample 399"),
        (np.full(400, np.nan), STEP, 0.1, RecordingError, "no sample at which voltage and current are numbers"),
        ([V, V], [STEP, np.full(400, np.inf)], 0.1, RecordingError, "current is not a number at sample 0 of sweep 1"),
        ([], [], 0.1, RecordingError, "voltage is empty"),
        (V, [], 0.1, RecordingError, "current is empty"),
        (V, STEP, 0.0, UsageError, "positive number of ms"),
        (V, STEP, float("nan"), UsageError, "dt is one number in ms, not nan"),
        (np.zeros((2, 2, 2)), None, 0.1, UsageError, "shape"),
        ("volts", None, 0.1, UsageError, "numbers in mV"),
        (5.0, None, 0.1, UsageError, "shape"),
    ],
)
def test_arrays_that_do_not(voltage, current, dt, kind, sentence):
    with pytest.raises(kind, match=sentence):
        Recording.from_arrays(voltage, current, dt)


def test_require_fit():
    Recording.from_arrays(V, np.full(400, 0.3), 0.1).require_fit()  # a constant current is a stimulus
    with pytest.raises(RecordingError, match="zero throughout"):
        Recording.from_arrays(V, 0 * STEP, 0.1).require_fit()
    with pytest.raises(RecordingError, match="none was given"):
        Recording.from_arrays(V, None, 0.1).require_fit()
    with pytest.raises(RecordingError, match=r"No sweep .* is left"):
        Recording.from_arrays(V, STEP, 0.1).select([])
    with pytest.raises(RecordingError, match="no sweeps"):
        Recording((), 0.1).require_fit()
    assert describe(Recording((), 0.1))["cannot_be_fitted"] == "arrays holds no sweeps."


# Resampling


def test_resampling_keeps_charge_and_shape():
    rng = np.random.default_rng(0)
    t = np.arange(0, 500, 0.05)
    v = -65 + 10 * np.sin(t / 8) + 3 * np.cos(t / 2.5)
    i = rng.normal(0, 1, len(t))
    recording = Recording.from_arrays(v, i, 0.05)
    assert recording.resample(0.05) is recording
    for dt in (0.1, 0.2, 0.08, 0.025, 0.0333333):
        new = recording.resample(dt)
        w, j = new.sweeps[0].voltage, new.sweeps[0].current
        assert len(w) == len(j) == int(np.floor(t[-1] / dt + 1e-6)) + 1
        assert new.notes == (f"resampled from 0.05 to {dt:g} ms",)
        s = np.arange(len(w)) * dt
        middle = (s > 20) & (s < 480)
        np.testing.assert_allclose(w[middle], (-65 + 10 * np.sin(s / 8) + 3 * np.cos(s / 2.5))[middle], atol=0.02)
        charge = np.concatenate(([0], np.cumsum(i * 0.05)))
        whole = int(500 / dt + 1e-6) - 1
        expected = np.interp(np.arange(whole + 1) * dt, np.arange(len(t) + 1) * 0.05, charge)
        np.testing.assert_allclose(np.cumsum(j)[:whole] * dt, expected[1:], atol=1e-9)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    old=st.floats(0.01, 0.3),
    ratio=st.one_of(st.sampled_from([0.5, 2.0, 3.0, 2.5]), st.floats(0.2, 8.0)),
    samples=st.integers(2_000, 20_000),
    seed=st.integers(0, 99),
)
@example(old=0.25, ratio=3.0, samples=2000, seed=0)  # two thirds of a step at the end
@example(old=0.05, ratio=1.999, samples=20_000, seed=0)  # in no ratio of small numbers: late at the end, if rounded
@example(old=0.05, ratio=3.0007, samples=20_000, seed=0)  # the same with something fast in it
def test_resampling_keeps_every_charge_and_every_time(old, ratio, samples, seed):
    """Between any two new samples flows what flowed in the recording; slow voltages stay where they were in time; what
    the new step cannot hold is gone, not folded.
    """
    new = old * ratio
    t = np.arange(samples) * old
    period = 40 * max(old, new)
    fast = np.sin(2 * np.pi * t / (1.4 * new)) if ratio > 2 else 0.0
    i = np.random.default_rng(seed).normal(0, 1, samples)
    sweep = Recording.from_arrays(-65 + 10 * np.sin(2 * np.pi * t / period) + fast, i, old).resample(new).sweeps[0]
    s = np.arange(len(sweep.voltage)) * new
    assert t[-1] - new < s[-1] <= t[-1] + 1e-6 * new
    middle = (s > 12 * max(old, new)) & (s < t[-1] - 12 * max(old, new))
    off = sweep.voltage - (-65 + 10 * np.sin(2 * np.pi * s / period))
    assert np.max(np.abs(off[middle])) < 0.1
    edges = np.minimum(np.append(s, s[-1] + new), samples * old)
    flowed = np.interp(edges, np.arange(samples + 1) * old, np.concatenate(([0], np.cumsum(i) * old)))
    np.testing.assert_allclose(sweep.current * np.diff(edges), np.diff(flowed), atol=1e-6 * old)


def test_resampling_ends_cleanly():
    recording = Recording.from_arrays(np.full(1001, -65.0), np.full(1001, 0.1), 0.05)
    for dt in (0.1, 0.3, 0.01, 0.07):
        sweep = recording.resample(dt).sweeps[0]
        np.testing.assert_allclose(sweep.voltage, -65, atol=1e-9)
        np.testing.assert_allclose(sweep.current, 0.1, atol=1e-12)


def test_resampling_removes_what_would_alias():
    t = np.arange(0, 1000, 0.02)
    new = Recording.from_arrays(-65 + np.sin(2 * np.pi * 9.0 * t), None, 0.02).resample(0.1)  # 9 kHz, above 5 kHz
    assert np.std(new.sweeps[0].voltage[100:-100]) < 0.01


def test_resampling_does_not_smear_a_spike():
    t = np.arange(0, 100, 0.05)
    v = -65 + 100 * np.exp(-0.5 * ((t - 50) / 0.25) ** 2)
    new = Recording.from_arrays(v, None, 0.05).resample(0.1).sweeps[0].voltage
    np.testing.assert_allclose(new, v[::2], atol=1.0)


# Baseline, window, kind of stimulus


def test_baseline_and_window_of_a_step():
    rng = np.random.default_rng(0)
    i = np.where((np.arange(10_000) >= 156) & (np.arange(10_000) < 5156), 0.3, -0.07)
    for noise in (0.0, 0.004):
        noisy = i + rng.normal(0, noise, len(i)) if noise else i
        sweep = Recording.from_arrays(np.zeros(10_000), noisy, 0.1).sweeps[0]
        assert quiet_part(noisy, 0.1) == pytest.approx(156, abs=1)
        assert baseline_current(sweep, 0.1) == pytest.approx(-0.07, abs=0.002)
        assert sweep.window == pytest.approx((15.6, 515.6), abs=0.11)


def test_baseline_without_a_quiet_part():
    i = np.cumsum(np.random.default_rng(0).normal(0, 0.05, 5000))
    sweep = Recording.from_arrays(np.zeros(5000), i, 0.1).sweeps[0]
    assert i[:100].min() <= baseline_current(sweep, 0.1) <= i[:100].max()
    assert baseline_current(Recording.from_arrays(V, None, 0.1).sweeps[0], 0.1) == 0.0


def test_windows():
    dt, n = 0.1, 10_000
    t = np.arange(n) * dt
    assert stimulus_window(np.zeros(n), dt) is None
    assert stimulus_window(np.full(n, 0.2), dt) is None
    pulse_and_step = np.where((t >= 20) & (t < 70), -0.1, 0.0) + np.where((t >= 300) & (t < 800), 0.05, 0.0)
    assert stimulus_window(pulse_and_step, dt) == pytest.approx((300.0, 800.0))
    train = np.where((t >= 200) & (t < 700) & (t % 20 < 5), 0.3, 0.0)
    assert stimulus_window(train, dt) == pytest.approx((200.0, 685.0), abs=0.11)


def told(v, i, dt):
    made = Recording.from_arrays(v, i, dt)
    return is_noise(made.sweeps, made.dt)


def test_noise_is_told_from_steps():
    rng = np.random.default_rng(0)
    n, ou = 20_000, [0.0]
    for x in rng.normal(0, 0.05, n - 1):
        ou.append(ou[-1] * (1 - 0.1 / 3) + x)
    step = np.where((np.arange(n) > 2000) & (np.arange(n) < 9000), 0.3, 0.0)
    v = np.zeros(n)
    assert told(v, np.array(ou), 0.1)
    assert not told(v, step, 0.1)
    assert not told(v, step + rng.normal(0, 0.005, n), 0.1)
    pulse = np.where((np.arange(n) > 2000) & (np.arange(n) < 2100), 0.3, 0.0)
    assert not told(
        v, pulse + rng.normal(0, 0.005, n), 0.1
    )  # all that is seen of it elsewhere is the noise of its measurement
    assert not told(v, np.linspace(0, 1, n), 0.1)
    assert not told(v, np.zeros(n), 0.1)
    assert not told(v, None, 0.1)


# Doubts


def spiking(offset=0.0):
    """Five sweeps of steps 0.1-0.5 nA with a spike every 50 ms; `offset` MOhm of unbalanced bridge."""
    dt, n = 0.1, 5000
    t = np.arange(n) * dt
    voltages, currents = [], []
    for k in range(5):
        i = np.where((t >= 50) & (t < 450), 0.1 * (k + 1), 0.0)
        v = -70 + 10 * i / 0.5 + np.random.default_rng(k).normal(0, 0.2, n)
        for time in np.arange(80, 440, 50.0):
            v += 90 * np.exp(-0.5 * ((t - time) / 0.4) ** 2)
        voltages.append(v + offset * i)
        currents.append(i)
    return np.array(voltages), np.array(currents), dt


def only(recording, word):
    warnings = recording.warnings()
    return len(warnings) == 1 and word in warnings[0]


def test_warnings():
    v, i, dt = spiking()
    assert Recording.from_arrays(v, i, dt).warnings() == ()
    assert only(Recording.from_arrays(v + 50, i, dt), "rests at -20 mV")
    assert "as if it were in V" in Recording.from_arrays(v / 1000, i, dt).doubts[0]
    assert "no electrode passes" in Recording.from_arrays(v, i * 1000, dt).doubts[0]
    assert only(Recording.from_arrays(v[:, :700], i[:, :700], dt), "no spikes")
    assert only(Recording.from_arrays(np.minimum(v, 0.0), i, dt), "clipped above 0.0 mV")
    assert only(Recording.from_arrays(np.maximum(v, -69.9), i, dt), "clipped below -69.9 mV")
    assert "as no cell does" in Recording.from_arrays(v * 10, i, dt).doubts[0]
    assert "too little for a cell" in Recording.from_arrays(v, i / 1000, dt).doubts[0]
    noisy = v + np.random.default_rng(9).normal(0, 4, v.shape)
    assert any("noisy (4" in w for w in Recording.from_arrays(noisy, i, dt).warnings())
    assert only(Recording.from_arrays(np.full(3000, -70.0), np.full(3000, 0.1), dt), "does not change")
    bridged = Recording.from_arrays(*spiking(offset=60.0))
    assert only(bridged, "bridge was not balanced")
    drifting = v - np.arange(5)[:, None]
    assert only(
        Recording.from_arrays(drifting, i, dt), "before the stimulus goes from -70.0 mV in the first sweeps to -74.0"
    )
    assert Recording.from_arrays(drifting, i + np.arange(5)[:, None] * 0.02, dt).warnings() == ()  # held differently
    assert Recording.from_arrays(v + np.array([[0], [4], [0], [4], [0]]), i, dt).warnings() == ()  # to and fro
    again = Recording.from_arrays(v[[4] * 5] + 0.4 * np.arange(5)[:, None], i[[4] * 5], dt)
    assert only(again, "under one stimulus")
    coarse = Recording.from_arrays(v, i, dt).resample(0.25)
    assert only(coarse, "4 kHz")


def test_a_mask_over_half_is_a_doubt():
    dt, n = 0.1, 3000
    t = np.arange(n) * dt
    v = np.full(n, -65.0) + np.random.default_rng(0).normal(0, 0.1, n)
    for time in np.arange(6, 295, 4.0):
        v += 80 * np.exp(-0.5 * ((t - time) / 0.3) ** 2)
    assert any("cover" in w for w in Recording.from_arrays(v, np.full(n, 0.5), dt).warnings())
