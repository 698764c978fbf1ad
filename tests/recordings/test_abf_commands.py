"""The command of an ABF file is rebuilt as pCLAMP played it, or not known, with the reason."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import FileError, RecordingError
from spikefab.fit.recordings.readers import read

from .abf_files import write_abf, write_atf

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")
N, DT = 6400, 0.1  # samples of a sweep; the first 100 are before the epochs
REST = np.full(N, -65.0)
STEP = {"kind": [1, 1], "level": [0.0, 100.0], "level_step": [0.0, 50.0], "duration": [1000, 2000]}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.abf"


def voltages(sweeps=1, seed=0):
    return [REST + np.random.default_rng(seed + k).normal(0, 0.1, N) for k in range(sweeps)]


def currents(path, sweeps=1, **fields):
    """The commands, in pA, of a file with one voltage."""
    recording = read(write_abf(path, [("Vm", "mV", voltages(sweeps))], dt=DT, **fields))
    recording.require_fit(anyway=True)  # the voltage is none of a cell
    return [sweep.current * 1e3 for sweep in recording.sweeps]


def reason(path, sweeps=1, **fields):
    recording = read(write_abf(path, [("Vm", "mV", voltages(sweeps))], dt=DT, **fields))
    assert recording.sweeps[0].current is None
    with pytest.raises(RecordingError):
        recording.require_fit()
    return recording.current_origin


def test_steps(path):
    first, second = currents(path, 2, holding=-20.0, **STEP)
    expected = np.full(N, -20.0)
    expected[100:1100], expected[1100:3100] = 0.0, 100.0
    np.testing.assert_allclose(first, expected)
    expected[1100:3100] = 150.0
    np.testing.assert_allclose(second, expected)


def test_outputs_that_play_in_turn(path):
    made = currents(path, 5, alternates=1, **STEP)
    assert [i.max() for i in made] == [100, 0, 200, 0, 300]
    swapped = [0] * 10 + STEP["kind"], [0] * 10 + STEP["level"], [0] * 10 + STEP["duration"]
    fields = dict(zip(("kind", "level", "duration"), swapped, strict=True), enable=[0, 1], source=[1, 1])
    second = write_abf(
        path,
        [("stim", "V", voltages(4)), ("Vm", "mV", voltages(4))],
        outputs=("mV", "pA", "mV", "mV"),
        alternates=1,
        **fields,
    )
    assert [s.current.max() for s in read(second).sweeps] == [0, 0.1, 0, 0.1]


def test_the_level_that_is_kept(path):
    """Between the sweeps, the level of the last epoch is held; the first sweep begins at the holding level."""
    fields = STEP | {"level": [0.0, 60.0], "level_step": [0.0, 10.0]}
    first, second = currents(path, 2, keeps=1, holding=-20.0, **fields)
    assert first[0] == -20 and first[-1] == 60
    assert second[0] == 60 and second[1100] == 70 and second[-1] == 70


def train(kind, path, duration=1000, period=300, width=100, level=100.0):
    """The train, without what is around it; all other samples must be at the holding level."""
    (made,) = currents(path, kind=kind, level=level, duration=duration, period=period, width=width, holding=-20.0)
    assert np.all(made[:100] == -20) and np.all(made[100 + duration :] == -20)
    return made[100 : 100 + duration]


def test_trains_of_pulses(path):
    """pyabf draws those of ABF 1 as a constant current, and leaves out the last pulse of a train that ends after it."""
    made = train(3, path)
    begins = np.flatnonzero(np.diff(made) > 0) + 1
    assert made[0] == 100 and begins.tolist() == [300, 600, 900] and np.sum(made == 100) == 400
    assert np.sum(train(3, path, duration=980) == 100) == 300, "a part of a pulse is not played"
    made = train(7, path)
    assert np.sum(made == 100) == 200 and np.sum(made == -140) == 200 and made[50] == -140
    made = train(4, path, width=150)
    assert made[0] == -20 and made[75] == 40 and made[150] == 100 and made[225] == 40 and np.all(made[900:] == -20)
    made = train(5, path)
    assert made[150] == 100 and made[300] == -20 and made[75] == pytest.approx(40) and np.all(made[900:] == -20)


def test_ramps(path):
    (made,) = currents(path, kind=[1, 2], level=[0.0, 100.0], duration=[100, 1000])
    np.testing.assert_allclose(made[200:1200], np.arange(1, 1001) / 10)


def test_epochs_that_shrink(path):
    fields = {"kind": [1, 1], "level": [50.0, 100.0], "duration": [1000, 500], "duration_step": [-600, 0]}
    made = currents(path, 3, **fields)
    assert [int(np.sum(i == 50)) for i in made] == [1000, 400, 0]
    assert [int(np.flatnonzero(i == 100)[0]) for i in made] == [1100, 500, 100]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"user_list": 1}, "its command follows a user list, which cannot be rebuilt"),
        ({"train": 1}, "its command follows a conditioning train, which cannot be rebuilt"),
        ({"leak": 1}, "its command was played again for leak subtraction"),
        ({"kind": [1, 9]}, "an epoch of kind 9"),
        ({"kind": [1, 3]}, "a train of pulses of 0 samples every 0"),
        ({"duration": [1000, 9000]}, "its command is longer than its sweeps"),
        ({"episodes": 1}, "its protocol has 1 sweeps but the file 2"),
        ({"ltp": 2, "ltp_use": 1}, "its command is that of an LTP protocol"),
        ({"added": 35.0}, "its command was added to a holding level of the amplifier (35)"),
        ({"first": 5}, "its command begins with episode 5"),
        ({"level": [0.0, float("nan")]}, "its command cannot be rebuilt"),
        ({"holding": float("nan")}, "its header does not hold the command"),
        ({"source": 3}, "source 3, which is not known"),
        ({"mode": 3}, "flat at 0 nA"),
        ({"enable": 0}, "flat at 0 nA"),
        ({"alternates": 1, "keeps": 1}, "alternate in a way that cannot be rebuilt"),
    ],
)
def test_what_is_not_rebuilt(path, fields, why):
    assert why in reason(path, 2, **STEP | fields)


def test_a_sample_step_that_changes(path):
    write_abf(path, [("Vm", "mV", voltages())], second_step=500.0, clock_change=3000)
    with pytest.raises(FileError, match="changes its sample step within each sweep"):
        read(path)
    write_abf(path, [("Vm", "mV", voltages())], second_step=100.0, clock_change=3000)
    assert read(path).dt == 0.1


# Stimulus files


WAVE = np.round(np.sin(np.arange(N) / 200) * 80, 3)
RIG = r"C:\Protocols\noise\wave.atf"


@pytest.fixture
def beside(tmp_path):
    """A folder with a stimulus file."""
    write_atf(tmp_path / "Wave.ATF", [WAVE])
    return tmp_path


def test_a_stimulus_file_beside_the_recording(beside, monkeypatch, path, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    write_atf(elsewhere / "wave.atf", [WAVE * 0 + 7])
    write_atf(elsewhere / RIG, [WAVE * 0 + 8])
    monkeypatch.chdir(elsewhere)
    made = currents(path, 2, file=RIG)
    for i in made:
        np.testing.assert_allclose(i, WAVE, atol=1e-6)
    assert read(path).current_origin == "stimulus file wave.atf"
    (beside / "Wave.ATF").unlink()
    assert reason(path, file=RIG) == "the stimulus file wave.atf that it names is not beside it"


def test_its_scale_offset_sweep_and_channel(beside, path):
    np.testing.assert_allclose(currents(path, file=RIG, scale=0.5, offset=-3.0)[0], WAVE / 2 - 3, atol=1e-6)
    write_atf(beside / "Wave.ATF", [WAVE, WAVE * 2, WAVE * 3])
    assert [i.max().round() for i in currents(path, 3, file=RIG)] == [80, 160, 240]
    assert [i.max().round() for i in currents(path, 5, file=RIG, episode=2)] == [160] * 5
    assert "has other sweeps" in reason(path, 4, file=RIG)
    assert "has other sweeps" in reason(path, 4, file=RIG, episode=4)
    write_atf(beside / "Wave.ATF", [WAVE, WAVE * 2], signals=("A", "B"))
    assert currents(path, file=RIG, channel=1)[0].max().round() == 160
    assert "cannot be read" in reason(path, file=RIG, channel=5)


def test_a_stimulus_file_that_does_not_fit(beside, path):
    write_atf(beside / "Wave.ATF", [WAVE[:-1]])
    assert "shorter than a sweep" in reason(path, file=RIG)
    write_atf(beside / "Wave.ATF", [WAVE], dt=0.05)
    assert "time step of 0.05 ms, not of 0.1 ms" in reason(path, file=RIG)
    write_atf(beside / "Wave.ATF", [WAVE], unit="nA")
    assert "is in nA but was played in pA" in reason(path, file=RIG)
    (beside / "Wave.ATF").write_text("ATF\nno table")
    assert "cannot be read" in reason(path, file=RIG)


def test_a_stimulus_file_in_turn_with_an_output(beside, path):
    assert [i.max().round() for i in currents(path, 3, file=RIG, alternates=1, holding=-5.0)] == [80, -5, 80]


def test_an_abf_is_a_stimulus_file_too(path, tmp_path):
    write_abf(tmp_path / "two.abf", [("x", "mV", [WAVE / 2]), ("y", "mV", [WAVE])])
    for channel, factor in ((0, 0.5), (1, 1.0)):
        np.testing.assert_allclose(currents(path, file=r"D:\two.abf", channel=channel)[0], WAVE * factor, atol=0.02)


@real
def test_a_real_stimulus_file(tmp_path, monkeypatch):
    folder = Path(str(DATA)) / "strangers/stim_cwd"
    monkeypatch.chdir(folder / "elsewhere")
    recording = read(folder / "171116sh_0017.abf")
    assert max(s.current.max() for s in recording.sweeps) == pytest.approx(0.02, abs=1e-4)
    assert min(s.current.min() for s in recording.sweeps) == pytest.approx(-0.02, abs=1e-4)
    shutil.copy(folder / "171116sh_0017.abf", tmp_path)
    assert "is not beside it" in read(tmp_path / "171116sh_0017.abf").current_origin
