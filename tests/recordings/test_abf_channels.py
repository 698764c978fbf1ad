"""Which channel of an ABF file is the membrane, which signal the current, and what the user's choice changes."""

import os
import struct
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import lfilter

from spikefab.errors import FileError, UsageError
from spikefab.fit.recordings.readers import read

from .abf_files import write_abf

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")
N, DT = 6400, 0.1
T = np.arange(N) * DT
STEPS = [np.where((T >= 110) & (T < 310), 50.0 * k - 50, 0.0) for k in range(4)]  # pA
PROTOCOL = {"kind": [1, 1], "level": [0, -50], "level_step": [0, 50], "duration": [1000, 2000]}  # plays STEPS


def noise(size, seed):
    return np.random.default_rng(seed).normal(0, size, N)


def membrane(currents, resistance=0.2, tau=15.0, seed=0):
    """The voltages, mV, of a passive cell under currents in pA, with a spike wherever it is above -58 mV for long."""
    made = []
    for k, i in enumerate(currents):
        v = -66 + lfilter([resistance * DT / tau], [1, DT / tau - 1], i)
        for n in range(1200, N, 400):
            if v[n] > -58:
                v[n : n + 8] = 30 - 10 * np.arange(8)
        made.append(v + noise(0.2, seed + k))
    return made


VM = membrane(STEPS)
LARGE = [300 * (np.sin(T / 20 + k) > 0.99) - 10.0 for k in range(4)]  # mV, a stimulator's pulses
FIELD = [v * 0.01 + noise(0.05, 9) for v in VM]


def file(path, *channels, **fields):
    return write_abf(path / "a.abf", channels, dt=DT, **PROTOCOL, **fields)


@pytest.mark.parametrize(
    ("other", "name"),
    [
        (("IN 0", "mV", LARGE), "Vm"),  # it deviates most, but is no membrane
        (("stim", "V", [x / 1e3 for x in LARGE]), "IN 1"),
        (("LED", "mV", [v * 1.1 for v in VM]), "IN 1"),  # a copy: the name tells
        (("field", "mV", [v * 1.5 + 20 for v in VM]), "IN 1"),
        (("IN 0", "mV", FIELD), "IN 1"),
        (
            ("IN 0", "mV", membrane([np.roll(STEPS[3], 1500)] * 4, seed=5)),
            "IN 1",
        ),  # another cell, under another stimulus
        (("IN 0", "mV", [v * 1.1 for v in VM]), "10_Vm"),
        (("IN 0", "mV", [v * 1.1 for v in VM]), "V_m"),
        (("IN 0", "mV", [v * 1.1 for v in VM]), "Membrane"),
    ],
)
def test_the_membrane_among_several_voltages(tmp_path, other, name):
    recording = read(file(tmp_path, other, (name, "mV", VM)))
    np.testing.assert_allclose(recording.sweeps[3].voltage, VM[3], atol=0.05)
    assert f"of 2 voltage channels, ADC 1 ({name}) is used; voltage_channel=N takes another" in recording.notes
    np.testing.assert_allclose([s.current.max() for s in recording.sweeps], [0, 0, 0.05, 0.1], atol=1e-6)
    recording = read(file(tmp_path, (name, "mV", VM), other))
    np.testing.assert_allclose(recording.sweeps[3].voltage, VM[3], atol=0.05)


def test_the_user_chooses_the_voltage(tmp_path):
    path = file(tmp_path, ("stim", "V", [x / 1e3 for x in LARGE]), ("Vm", "mV", VM))
    for chosen in (0, "0", "stim", "STIM"):
        recording = read(path, voltage_channel=chosen)
        np.testing.assert_allclose(recording.sweeps[0].voltage, LARGE[0], atol=0.1)
        assert recording.reading == {"voltage_channel": 0 if chosen in (0, "0") else chosen}
    for wrong, sentence in (
        (2, "no channel 2: its channels are 0 to 1"),
        ("Im", r"no channels named 'Im': its channels are 0 \(stim\), 1 \(Vm\)"),
        (" ", "not an empty text"),
        (-1, "a number from 0 on, or a name, not -1"),
    ):
        with pytest.raises(UsageError, match=sentence):
            read(path, voltage_channel=wrong)
    with pytest.raises(UsageError, match="cannot be both voltage and current"):
        read(path, voltage_channel=1, current_channel="Vm")


# The current


def test_a_noise_monitor_beside_a_command(tmp_path):
    """The monitor of an amplifier that is not connected: the voltage follows the command."""
    idle = [15 + noise(1.0, k) for k in range(4)]
    recording = read(file(tmp_path, ("Vm", "mV", VM), ("I_MTest 1", "pA", idle)))
    assert recording.current_origin == "command of DAC 0 (Cmd 0)"
    assert any(
        "follows the command of DAC 0 (Cmd 0), not the current on ADC 1 (I_MTest 1)" in n for n in recording.notes
    )
    chosen = read(file(tmp_path, ("Vm", "mV", VM), ("I_MTest 1", "pA", idle)), current_channel=1)
    np.testing.assert_allclose(chosen.sweeps[0].current, idle[0] / 1e3, atol=1e-4)
    alone = read(write_abf(tmp_path / "b.abf", [("Vm", "mV", VM), ("I", "pA", idle)], dt=DT, enable=0))
    assert alone.current_origin == "recorded on ADC 1 (I)"


def test_the_current_among_several(tmp_path):
    idle, true = [15 + noise(1.0, k) for k in range(4)], [i + noise(2.0, 4) for i in STEPS]
    recording = read(write_abf(tmp_path / "a.abf", [("I", "pA", idle), ("Vm", "mV", VM), ("J", "nA", true)], dt=DT))
    assert recording.current_origin == "recorded on ADC 2 (J)"
    recording = read(write_abf(tmp_path / "a.abf", [("I", "pA", true), ("Vm", "mV", VM), ("J", "pA", idle)], dt=DT))
    assert recording.current_origin == "recorded on ADC 0 (I)"
    assert "of 2 recorded currents, current on ADC 0 (I) is used; current_channel=N takes another" in recording.notes


def test_a_recorded_current_is_preferred_to_an_equal_command(tmp_path):
    recording = read(file(tmp_path, ("Vm", "mV", VM), ("Im", "pA", [i + noise(3.0, 4) for i in STEPS])))
    assert recording.current_origin == "recorded on ADC 1 (Im)" and recording.notes == ()


def test_the_command_of_another_output(tmp_path):
    """Voltage and current of one amplifier are channels 1 and 0, its command is output 0."""
    path = file(tmp_path, ("temp", "C", [noise(1, 1)] * 4), ("Vm", "mV", VM))
    recording = read(path)
    assert recording.current_origin == "command of DAC 0 (Cmd 0)"
    assert any("the voltage follows the command of DAC 0" in note for note in recording.notes)
    still = file(tmp_path, ("temp", "C", [noise(1, 1)] * 4), ("Vm", "mV", [-66 + noise(0.2, k) for k in range(4)]))
    assert read(still).sweeps[0].current is None, "an output that nothing follows drives something else"


def test_the_reason_is_that_of_the_command_in_pa(tmp_path):
    """The voltage is channel 1, and output 1 is in mV: what matters is why output 0 is not known."""
    path = file(tmp_path, ("temp", "C", [noise(1, 1)] * 4), ("Vm", "mV", VM), user_list=1)
    assert read(path).current_origin == "its command follows a user list, which cannot be rebuilt"


# Units and clamp


def test_a_channel_that_is_labelled_wrongly(tmp_path):
    path = file(tmp_path, ("IN 0", "pA", VM))
    with pytest.raises(FileError, match=r"voltage-clamp recording .* with voltage_channel=N and units=mV") as refused:
        read(path)
    assert refused.value.sentence.options == ("voltage_channel", "units")
    for options in ({"units": "mV"}, {"voltage_channel": 0, "units": "mV,pA"}, {"voltage_channel": "IN 0"}):
        recording = read(path, **options)
        np.testing.assert_allclose(recording.sweeps[3].voltage, VM[3], atol=0.05)
        assert recording.sweeps[3].current.max() == pytest.approx(0.1)
        assert recording.notes == (() if "units" in options else ("ADC 0 (IN 0) is in pA: taken as mV",))
    assert read(path, units="V", voltage_channel=0).sweeps[3].voltage.min() < -60e3
    with pytest.raises(UsageError, match="such as mV,pA or ,nA, not 'pA'"):
        read(path, units="pA")


def test_a_wrong_label_has_a_wrong_scale_too(tmp_path):
    """In current clamp, a telegraph of voltage clamp gives pA, at .5 mV a pA where it is 10 mV a mV."""
    path = file(tmp_path, ("IN 0", "pA", [v * 20 for v in VM]), telegraph=1, additional=1.0, amplifier=1)
    with pytest.raises(FileError, match=r"\(it holds pA\), though its amplifier was in current clamp; .* units=mV"):
        read(path)
    recording = read(path, units="0.05mV")
    np.testing.assert_allclose(recording.sweeps[3].voltage, VM[3], atol=0.05)
    assert recording.units == "0.05mV, pA" and recording.reading == {"units": "0.05mV"}
    for wrong in ("0mV", "mVmV", "1e999mV", "--1mV", "mV,2", "mV,mA,pA"):
        with pytest.raises(UsageError, match="such as mV,pA"):
            read(path, units=wrong)


def test_micro_units(tmp_path):
    """pyabf drops the micro sign, so that µV read as V."""
    path = write_abf(
        tmp_path / "a.abf", [("Vm", "µV", [v * 1e3 for v in VM]), ("Im", "µA", [i / 1e6 for i in STEPS])], dt=DT
    )
    recording = read(path)
    np.testing.assert_allclose(recording.sweeps[3].voltage, VM[3], atol=0.05)
    assert recording.sweeps[3].current.max() == pytest.approx(0.1, rel=1e-3) and recording.units == "uV, uA"


def test_a_current_to_a_nerve_is_no_current_to_the_cell(tmp_path):
    recording = read(file(tmp_path, ("Vm", "mV", VM), ("isolator", "mA", [np.roll(i, 300) / 50 for i in STEPS])))
    assert recording.current_origin == "command of DAC 0 (Cmd 0)"


def test_units_of_the_current(tmp_path):
    path = file(tmp_path, ("Vm", "mV", VM), outputs=("mV", "mV", "mV", "mV"))
    assert read(path).current_origin == "its command is in mV, not in pA"
    recording = read(path, units=",pA")
    assert recording.sweeps[3].current.max() == pytest.approx(0.1) and recording.units == "mV, pA"
    recorded = file(tmp_path, ("Vm", "mV", VM), ("Im", "nA", STEPS))
    assert read(recorded).sweeps[3].current.max() == pytest.approx(100, abs=0.1)
    assert read(recorded, units=",pA").sweeps[3].current.max() == pytest.approx(0.1, abs=1e-4)
    assert read(recorded, units=",-pA").sweeps[3].current.min() == pytest.approx(-0.1, abs=1e-4)
    other = read(path, current=write_abf(tmp_path / "i.abf", [("IN 0", "mV", STEPS)], dt=DT), units=",pA")
    assert other.sweeps[3].current.max() == pytest.approx(0.1, abs=1e-4)
    assert not any("taken as pA" in note for note in other.notes)


def test_an_electrode_that_was_not_balanced_is_no_voltage_clamp(tmp_path):
    """The voltage jumps with the current, as in voltage clamp, but relaxes, and the current is a step."""
    shown = [v + 0.9 * i for v, i in zip(membrane(STEPS, resistance=0.15, tau=5.0), STEPS, strict=True)]
    shown = [np.minimum(v, 20) for v in shown]
    channels = ("Im", "nA", [i / 1e3 + noise(1e-3, 4) for i in STEPS]), ("10_Vm", "mV", shown)
    recording = read(write_abf(tmp_path / "a.abf", channels, dt=DT, enable=0))
    assert recording.current_origin == "recorded on ADC 0 (Im)"


def clamped(steps=True):
    """Voltage and current of a cell in voltage clamp."""
    command = [np.where((T >= 110) & (T < 310), -70 + 10.0 * k, -70) for k in range(4)]
    if not steps:
        command = [np.interp(T, [110, 310], [-70, -70 + 20.0 * k]) for k in range(4)]
    jump = [np.gradient(v) for v in command]
    relaxing = [np.convolve(j, np.exp(-np.arange(600) / 200))[:N] for j in jump]
    return command, [5 * (v + 70) + 60 * r + noise(1, 3) for v, r in zip(command, relaxing, strict=True)]


def test_an_output_that_is_labelled_as_a_current(tmp_path):
    """It is the voltage that follows it exactly: voltage clamp."""
    command, _ = clamped()
    ohmic = [3 * (v + 70) + noise(1, 3) for v in command]
    fields = {"kind": [1, 1], "level": [-70, -70], "level_step": [0, 10], "duration": [1000, 2000], "holding": -70}
    with pytest.raises(FileError, match="moves in steps"):
        read(write_abf(tmp_path / "a.abf", [("Im", "pA", ohmic), ("Vm", "mV", command)], dt=DT, **fields))


def test_voltage_clamp_is_refused_unless_the_user_says_otherwise(tmp_path):
    command, current = clamped()
    path = write_abf(tmp_path / "a.abf", [("Im", "pA", current), ("Vm", "mV", command)], dt=DT, enable=0)
    with pytest.raises(FileError, match=r"moves in steps, .* with voltage_channel=N and current_channel=N"):
        read(path)
    recording = read(path, voltage_channel=1, current_channel=0)
    np.testing.assert_allclose(recording.sweeps[3].voltage, command[3], atol=0.05)
    command, current = clamped(steps=False)
    fields = {"kind": [1, 2], "level": [-70, -70], "level_step": [0, 20], "duration": [1000, 2000], "holding": -70}
    command = [np.where(T >= 310, -70, v) for v in command]
    path = write_abf(
        tmp_path / "b.abf", [("Im", "pA", current), ("Vm", "mV", command)], dt=DT, outputs=["mV"] * 4, **fields
    )
    with pytest.raises(FileError, match="its voltage is the command of an output"):
        read(path)


# Real files


@real
@pytest.mark.parametrize(
    ("name", "origin", "voltage", "current"),
    [
        ("18425108.abf", "recorded on ADC 0 (Imemb)", (-91, 20), (0.02, 2.6)),
        ("2019_05_02_DIC2_0011.abf", "recorded on ADC 1 (I_MTest 1)", (-93, 44), (0.013, 0.018)),
        ("File_axon_3.abf", "its command is in mV, not in pA", (-83, 25), None),
        ("alternate_dac.abf", "command of DAC 0 (Cmd 0)", (-88, 44), (-0.1, 0.28)),
    ],
)
def test_strangers(name, origin, voltage, current):
    recording = read(Path(str(DATA)) / "strangers" / name)
    assert recording.current_origin == origin
    assert min(s.voltage.min() for s in recording.sweeps) == pytest.approx(voltage[0], abs=1)
    assert max(s.voltage.max() for s in recording.sweeps) == pytest.approx(voltage[1], abs=1)
    if current is not None:
        assert min(s.current.min() for s in recording.sweeps) == pytest.approx(current[0], abs=0.002)
        assert max(s.current.max() for s in recording.sweeps) == pytest.approx(current[1], abs=0.03)
    if name == "alternate_dac.abf":
        driven = [bool(np.ptp(s.current)) for s in recording.sweeps]
        assert driven == [k % 2 == 0 for k in range(30)]
    if name == "File_axon_3.abf":
        assert read(recording.source, voltage_channel="stim").sweeps[0].voltage.min() < -200


@real
@pytest.mark.parametrize(
    ("byte", "kind", "value", "why"),
    [  # byte within the entry of output 0 in the section of outputs
        (60, "h", 1, "follows a conditioning train"),
        (92, "h", 1, "leak subtraction"),
        (42, "h", 2, "stimulus file without a name"),
        (42, "h", 0, "flat at"),
        (40, "h", 0, "flat at"),
    ],
)
def test_the_header_of_abf_2(tmp_path, byte, kind, value, why):
    raw = bytearray((Path(str(DATA)) / "pyABF/18713001.abf").read_bytes())
    block, _, _ = struct.unpack_from("IIi", raw, 108)
    struct.pack_into(kind, raw, 512 * block + byte, value)
    (tmp_path / "a.abf").write_bytes(raw)
    recording = read(tmp_path / "a.abf")
    assert why in recording.current_origin and recording.sweeps[0].current is None


@real
def test_the_level_that_abf_2_keeps(tmp_path):
    raw = bytearray((Path(str(DATA)) / "pyABF/18713001.abf").read_bytes())
    block, _, _ = struct.unpack_from("IIi", raw, 108)
    struct.pack_into("h", raw, 512 * block + 44, 1)
    (tmp_path / "a.abf").write_bytes(raw)
    plain, kept = read(Path(str(DATA)) / "pyABF/18713001.abf"), read(tmp_path / "a.abf")
    assert kept.sweeps[5].current[0] == kept.sweeps[4].current[-1]
    middle = len(plain.sweeps[5].current) // 2
    assert kept.sweeps[5].current[middle] == plain.sweeps[5].current[middle]
