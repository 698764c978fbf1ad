"""Features of cells whose constants are known, of real ones, and what eFEL itself says."""

import math
import os
from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import RecordingError, UsageError
from spikefab.fit.features.extract import extract_features, recording_features
from spikefab.fit.features.recommend import recommend
from spikefab.fit.recordings.readers import read
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import find_spikes

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")

NAMES = (
    "spike_count firing_rate isi_cv adaptation_ratio latency rheobase ap_height ap_width ap_threshold ahp_depth v_rest"
    " input_resistance tau_m sag_ratio"
)
R, TAU, REST, DT = 100.0, 20.0, -70.0, 0.05  # MOhm, ms, mV, ms


def cell(amplitude, seed=0, start=100.0, stop=600.0, adapt=0.0):
    """A passive membrane with spikes of a known shape every 40 ms (+ `adapt` ms each) if driven over 15 mV."""
    n = round(800 / DT)
    t = np.arange(n) * DT
    i = np.where((t >= start) & (t < stop), amplitude, 0.0)
    rise, fall = 1 - np.exp(-np.maximum(t - start, 0) / TAU), np.exp(-np.maximum(t - stop, 0) / TAU)
    v = REST + R * amplitude * np.where(t < stop, rise, (1 - math.exp(-(stop - start) / TAU)) * fall)
    times, interval, time = [], 40.0, start + 15
    while R * amplitude > 15 and time < stop - 10:
        times.append(time)
        interval += adapt
        time += interval
    for time in times:
        v += 90 * np.exp(-0.5 * ((t - time) / 0.4) ** 2)
        v -= 10 * np.where(t > time + 1.5, np.exp(-(t - time - 1.5) / 8), 0.0)
    return v + np.random.default_rng(seed).normal(0, 0.05, n), i, np.array(times)


def test_all_names_and_plain_floats():
    v, i, _ = cell(0.2)
    for features in (extract_features(v, DT, i), extract_features(v, DT), extract_features([v, v], DT, [i, i])):
        assert set(NAMES.split()) == set(features)
        assert all(type(x) is float for x in features.values())


def test_a_spiking_step():
    v, i, times = cell(0.2, adapt=5.0)
    features = extract_features(v, DT, i)
    intervals = np.diff(times)
    assert features["spike_count"] == len(times)
    assert features["firing_rate"] == pytest.approx(2 * len(times))
    assert features["isi_cv"] == pytest.approx(np.std(intervals, ddof=1) / np.mean(intervals), rel=0.01)
    assert features["adaptation_ratio"] == pytest.approx(intervals[-1] / intervals[0], rel=0.01)
    assert features["latency"] == pytest.approx(15, abs=1)
    assert math.isnan(features["rheobase"])
    assert features["v_rest"] == pytest.approx(REST, abs=0.1)
    assert features["ap_height"] == pytest.approx(85, abs=8)
    assert features["ap_width"] == pytest.approx(2.355 * 0.4, abs=0.2)
    assert -60 < features["ap_threshold"] < -45


def test_passive_constants_over_sweeps():
    sweeps = [cell(a, seed=k) for k, a in enumerate((-0.2, -0.1, 0.1, 0.2, 0.3))]
    features = extract_features([s[0] for s in sweeps], DT, [s[1] for s in sweeps])
    assert features["input_resistance"] == pytest.approx(R, rel=0.02)
    assert features["tau_m"] == pytest.approx(TAU, rel=0.05)
    assert features["sag_ratio"] == pytest.approx(0.0, abs=0.02)
    assert features["rheobase"] == pytest.approx(0.2)
    assert features["spike_count"] == sum(len(s[2]) for s in sweeps)


def test_holding_current_is_no_part_of_the_step():
    v, i, _ = cell(-0.1)
    features = extract_features(v, DT, i - 0.074)
    assert features["input_resistance"] == pytest.approx(R, rel=0.02)


def test_the_window_is_found_without_a_current():
    for amplitude in (0.2, -0.1):
        v, i, times = cell(amplitude)
        known, found = extract_features(v, DT, i), extract_features(v, DT)
        assert found["spike_count"] == len(times)
        assert found["firing_rate"] == pytest.approx(known["firing_rate"], rel=0.02)
        assert found["latency"] == pytest.approx(known["latency"], abs=3, nan_ok=True)
        assert found["v_rest"] == pytest.approx(known["v_rest"], abs=0.3)
        assert math.isnan(found["rheobase"])
        assert math.isnan(found["input_resistance"])


def test_a_silent_and_a_flat_trace():
    v, i, _ = cell(0.05)
    features = extract_features(v, DT, i)
    assert features["spike_count"] == 0.0
    assert features["firing_rate"] == 0.0
    assert math.isnan(features["rheobase"])
    assert math.isnan(features["ap_height"])
    flat = extract_features(np.full(5000, -65.0), 0.1)
    assert flat["spike_count"] == 0.0
    assert flat["v_rest"] == pytest.approx(-65.0)


def test_a_cell_that_fires_by_itself_uses_all_of_the_sweep():
    t = np.arange(20_000) * 0.1
    v = np.full(len(t), -60.0)
    for time in np.arange(50, 1990, 100.0):
        v += 80 * np.exp(-0.5 * ((t - time) / 0.4) ** 2)
    assert extract_features(v, 0.1)["firing_rate"] == pytest.approx(10.0)
    assert extract_features(v, 0.1, np.full(len(t), 0.1))["firing_rate"] == pytest.approx(10.0)


def test_extra_names_pass_through():
    v, i, _ = cell(0.2)
    features = extract_features(v, DT, i, extra=("AP2_amp", "mean_frequency"))
    assert features["AP2_amp"] == pytest.approx(features["ap_height"], rel=0.1)
    assert features["mean_frequency"] > 0
    with pytest.raises(UsageError, match="no feature called AP99"):
        extract_features(v, DT, i, extra=("AP99",))


def test_bad_input():
    v, i, _ = cell(0.2)
    with pytest.raises(UsageError, match="samples of voltage but"):
        extract_features(v, DT, i[:-1])
    with pytest.raises(RecordingError, match="not a number"):
        extract_features(np.concatenate([v, [np.nan], v]), DT)
    with pytest.raises(UsageError, match="dt must be a positive number"):
        extract_features(v, -1.0)


def test_the_users_own_efel_settings_are_put_back():
    import efel

    before = (efel.get_settings().Threshold, efel.get_settings().interp_step)
    efel.set_setting("Threshold", -33.0)
    try:
        extract_features(*cell(0.2)[:1], DT)
        assert efel.get_settings().Threshold == -33.0
        assert efel.get_settings().interp_step == before[1]
    finally:
        efel.set_setting("Threshold", before[0])


@real
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "pyABF/18713001.abf",
            {"spike_count": (153, 0), "rheobase": (0.08, 0.001), "v_rest": (-64.5, 1), "input_resistance": (115, 15)},
            # 130 MOhm with the 15 MOhm of the electrode
        ),
        (
            "neuroptimus/ca3_pc_v2_4_with_current.csv",
            {"spike_count": (24, 0), "rheobase": (0.2, 0.001), "v_rest": (-59.5, 1), "tau_m": (22, 6)},
        ),
        ("pyABF/File_axon_5.abf", {"spike_count": (7, 0), "rheobase": (0.2, 0.001), "ap_threshold": (-47, 4)}),
        ("NWBShowcase/PYR2.abf", {"spike_count": (67, 0), "v_rest": (-60.8, 1), "rheobase": (0.075, 0.01)}),
        ("QSNMC2007/challengeA_set00_4reps.csv", {"spike_count": (3620, 0), "rheobase": (math.nan, 0)}),
    ],
)
def test_real_cells(name, expected):
    recording = read(Path(str(DATA)) / name)
    voltages, currents = [s.voltage for s in recording.sweeps], [s.current for s in recording.sweeps]
    features = extract_features(voltages, recording.dt, currents)
    assert features["spike_count"] == sum(len(find_spikes(v, recording.dt)) for v in voltages)
    for key, (value, tolerance) in expected.items():
        assert features[key] == pytest.approx(value, abs=tolerance, nan_ok=True), key


@real
def test_adaptation_is_seen():
    recording = read(Path(str(DATA)) / "pyABF/18713001.abf")
    sweep = recording.sweeps[-1]
    features = extract_features(sweep.voltage, recording.dt, sweep.current)
    assert features["adaptation_ratio"] > 2
    assert features["firing_rate"] == pytest.approx(18.0)


def test_a_short_step_is_no_noise():
    """50 ms, most of them within 10 ms of an edge of the current: beside a silent sweep its amplitude is the rheobase."""
    voltage, current = np.full(500, -65.0), np.zeros(500)
    current[50:450] = 10.0
    for k in (120, 270):
        voltage[k : k + 20] += 100 * np.exp(-(np.linspace(-2, 2, 20) ** 2))
    both = extract_features([np.full(500, -65.0), voltage], 0.1, [0.5 * current, current])
    assert both["rheobase"] == 10.0


@pytest.mark.parametrize("width", [0.8, 1.0, 2.0, 5.0])
def test_a_pulse(width):
    """What it evokes comes after it; eFEL would crash the process."""
    n = round(500 / DT)
    t = np.arange(n) * DT
    i = np.where((t >= 100) & (t < 100 + width), 2.0, 0.0)
    v = REST + 100 * np.exp(-0.5 * ((t - 103) / 0.4) ** 2) + np.random.default_rng(0).normal(0, 0.05, n)
    features = extract_features([v, np.full(n, REST)], DT, [i, i])
    assert features["spike_count"] == 1 and features["firing_rate"] == pytest.approx(1000 / 400)
    assert features["latency"] == pytest.approx(2.5, abs=0.5) and features["ap_height"] > 90
    assert features["v_rest"] == pytest.approx(REST, abs=0.1)
    assert math.isnan(features["input_resistance"]) and math.isnan(features["tau_m"])


def test_the_window_of_a_ramp_begins_where_it_does():
    t = np.arange(round(1000 / DT)) * DT
    ramp = np.clip((t - 200) / 600, 0, 1) * (t < 800) * 0.3
    recording = Recording.from_arrays(np.full(len(t), REST), ramp, DT)
    start, stop = recording.sweeps[0].window
    assert 200 <= start < 210 and stop == pytest.approx(800, abs=1)


def test_intervals_under_a_stimulus_that_changes_are_no_sign():
    v, i, times = cell(0.2, adapt=6.0)
    under = {"step": i, "ramp": i * np.linspace(0.2, 1, len(i)), "pulses": i * (np.arange(len(i)) * DT % 50 < 2)}
    found = {name: recording_features(Recording.from_arrays(v, x, DT)) for name, x in under.items()}
    assert [found[name]["constant"] for name in under] == [1, 0, 0]
    adapts = [any("adapts" in reason for _, reason in recommend(f)) for f in found.values()]
    assert adapts == [True, False, False]
    assert math.isnan(found["pulses"]["oscillation"]) and len(times) > 5
