"""Times that are uneven, repeat or start again, with and without dt: resampled with a notice or refused, never a current."""

import os
from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import FileError, UsageError
from spikefab.fit.recordings.readers import read

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")


def simulated(duration=400.0, seed=0):
    """Times (ms) of a simulator with a variable step: short near 200 ms, long elsewhere; the last sample twice."""
    rng = np.random.default_rng(seed)
    t = [0.0]
    while t[-1] < duration:
        t.append(t[-1] + rng.uniform(0.5, 1.5) * (0.02 if abs(t[-1] - 200) < 5 else 0.5))
    t[-1] = duration
    return np.array([*t, duration])


def voltage(t):
    return -70 + 5 * np.sin(t / 40) + 90 * np.exp(-0.5 * ((t - 200) / 0.5) ** 2)


TIMES = simulated()
CURRENT = np.where((TIMES >= 100) & (TIMES < 300), 0.2, 0.0)


def write(path, *columns, header=""):
    np.savetxt(path, np.column_stack(columns), fmt="%.9g", header=header, comments="", delimiter=",")
    if not header:
        path.write_text(path.read_text().lstrip("\n"))
    return path


@pytest.mark.parametrize("dt", [None, 0.05, 0.1])
@pytest.mark.parametrize(
    "header", ["", "t_ms,V_mV,I_nA", "t (ms),V (mV),I (nA)", ",V_mV,I_nA", "x,ch0,ch1", "Time,Vm,Im"]
)
def test_a_variable_step_is_resampled(tmp_path, header, dt):
    recording = read(write(tmp_path / "a.csv", TIMES, voltage(TIMES), CURRENT, header=header), dt=dt)
    assert recording.dt == (dt or 0.02)
    assert any("resampled to steps of" in note for note in recording.notes)
    (sweep,) = recording.sweeps
    even = np.arange(len(sweep.voltage)) * recording.dt
    assert even[-1] == pytest.approx(400.0)
    np.testing.assert_allclose(sweep.voltage, voltage(even), atol=0.3)
    assert sweep.window == pytest.approx((100, 300), abs=1.0)
    assert sweep.current.max() == pytest.approx(0.2)
    assert [len(train.time) for train in recording.spikes()] == [1]


def test_seconds_and_a_counter(tmp_path):
    recording = read(write(tmp_path / "a.txt", TIMES / 1e3, voltage(TIMES), header="time (s),V (mV)"))
    assert len(recording.sweeps[0].voltage) == 20001
    counter = np.arange(len(TIMES))
    for header in ("", "n,time,V"):
        recording = read(write(tmp_path / "b.txt", counter, TIMES / 1e3, voltage(TIMES), header=header), dt=0.1)
        assert len(recording.sweeps[0].voltage) == 4001
        assert recording.sweeps[0].current is None


def test_sweeps_with_uneven_times_of_their_own(tmp_path):
    other = simulated(seed=1)
    n = min(len(TIMES), len(other))
    times, others = np.append(TIMES[: n - 1], 400.0), np.append(other[: n - 1], 400.0)
    columns = (times, voltage(times), others, voltage(others) - 5)
    recording = read(write(tmp_path / "a.csv", *columns, header="t0_ms,V0_mV,t1_ms,V1_mV"))
    for k, sweep in enumerate(recording.sweeps):
        even = np.arange(len(sweep.voltage)) * recording.dt
        np.testing.assert_allclose(sweep.voltage, voltage(even) - 5 * k, atol=0.3)


def test_a_current_of_a_variable_step(tmp_path):
    even = np.arange(4001) * 0.1
    path = write(tmp_path / "v.csv", even, voltage(even), header="t_ms,V_mV")
    recording = read(path, current=write(tmp_path / "i.csv", TIMES, CURRENT))
    assert recording.sweeps[0].window == pytest.approx((100, 300), abs=1.0)


EVEN = np.arange(400) * 0.1
GAP = np.where(np.arange(400) >= 200, EVEN + 5.0, EVEN)
TWICE = np.append(EVEN[:-1], EVEN[-2])
BACK = np.concatenate((EVEN[:250], EVEN[:150]))


@pytest.mark.parametrize("header", ["", "t_ms,V_mV"])
@pytest.mark.parametrize("dt", [None, 0.1])
@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        (GAP, r"line 20\d: the time goes from 19\.9 to 25 where its step is 0\.1"),
        (TWICE, r"line 40\d: the time goes from 39\.8 to 39\.8"),
        (BACK, r"the time starts again at line 25\d"),
        (
            np.concatenate((TIMES[:300], TIMES[:200])),
            r"the time starts again at line 30\d|line 30\d: the time goes from",
        ),
    ],
)
def test_faults_of_a_time_are_refused(tmp_path, header, dt, times, sentence):
    path = write(tmp_path / "a.csv", times, voltage(np.arange(len(times)) * 0.1), header=header)
    with pytest.raises(FileError, match=sentence):
        read(path, dt=dt)


def test_a_coarse_time_without_a_name_is_no_current(tmp_path):
    path = write(tmp_path / "a.csv", np.round(EVEN / 1e3, 3), voltage(EVEN))
    with pytest.raises(UsageError, match="column 1 is printed with too few digits"):
        read(path)
    assert read(path, dt=0.1).sweeps[0].current is None


@pytest.mark.parametrize("dt", [None, 0.1])
@pytest.mark.parametrize("header", ["", "t_ms,V_mV"])
def test_variable_steps_below_the_last_digit(tmp_path, header, dt):
    """A time that stands still more often than it goes on is a time, and no current."""
    fine = np.sort(np.append(TIMES, np.random.default_rng(1).uniform(190, 210, 1500)))
    times = np.round(fine, 1)
    assert np.mean(np.diff(times) == 0) > 0.5
    recording = read(write(tmp_path / "a.csv", times, voltage(fine), header=header), dt=dt)
    (sweep,) = recording.sweeps
    assert sweep.current is None and len(sweep.voltage) * recording.dt == pytest.approx(400.0, abs=0.2)
    assert [len(train.time) for train in recording.spikes()] == [1]


@pytest.mark.parametrize("header", ["", "t_ms,V_mV"])
def test_six_digits_of_an_even_time(tmp_path, header):
    """From 1000 ms on, printed times go on by .02 or .03 where they went on by .025."""
    even = np.arange(80_000) * 0.025
    times = [float(f"{t:.6g}") for t in even]
    recording = read(write(tmp_path / "a.csv", times, voltage(even), header=header))
    assert recording.dt == 0.025 and np.array_equal(
        recording.sweeps[0].voltage, np.loadtxt(tmp_path / "a.csv", delimiter=",", skiprows=int(bool(header)))[:, 1]
    )
    assert any("too few digits" in note for note in recording.notes)
    shaken = even + np.random.default_rng(0).uniform(-0.004, 0.004, len(even))
    with pytest.raises(FileError, match="time steps must be even"):
        read(write(tmp_path / "shaken.csv", shaken, voltage(even), header=header or "t_ms,V_mV"))
    lost = np.delete(np.column_stack((times, voltage(even))), 50_000, axis=0)
    with pytest.raises(FileError, match="time steps must be even"):
        read(write(tmp_path / "lost.csv", lost, header=header))


def test_a_slow_voltage_is_no_time(tmp_path):
    charging = -70 + 20 * (1 - np.exp(-EVEN / 10))
    assert read(write(tmp_path / "a.csv", charging), dt=0.1).sweeps[0].voltage[0] == -70
    both = read(write(tmp_path / "b.csv", charging, np.where(EVEN > 10, 0.1, 0.0)), dt=0.1)
    assert both.sweeps[0].current.max() == pytest.approx(0.1)


@real
@pytest.mark.parametrize(("name", "spikes"), [("sagtrace_1.txt", 0), ("init_burst3.txt", 7)])
@pytest.mark.parametrize("dt", [None, 0.1])
def test_strangers(name, spikes, dt):
    recording = read(Path(str(DATA)) / "strangers" / name, dt=dt)
    assert recording.sweeps[0].current is None
    assert "column 1 is a time (taken as ms) with steps of" in recording.notes[0]
    assert [len(train.time) for train in recording.spikes()] == [spikes]
