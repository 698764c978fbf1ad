"""Columns that are no sweeps of the cell, cells side by side, columns that are chosen, remarks above the names."""

import os
from pathlib import Path

import pytest

from spikefab.cli import main
from spikefab.errors import FileError, UsageError
from spikefab.fit.recordings.readers import read

from .text_files import AUX, STEP, T, V, W, check, writer

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")


@pytest.fixture
def write(tmp_path):
    return writer(tmp_path)


# Other signals


@pytest.mark.parametrize(
    "name",
    [
        *(
            "TTL (V)",
            "trigger_V",
            "Trig 1 [V]",
            "LED (V)",
            "LED current (mA)",
            "laser (V)",
            "blue-laser V",
            "valve (V)",
        ),
        *("Photodiode (mV)", "LFP (uV)", "Field potential (mV)", "fieldPotential [mV]", "EEG (uV)", "Bath temp (mV)"),
        *("Temperature (V)", "Pressure (V)", "frameClock (V)", "Camera exposure (V)", "Sync (V)", "piezo (V)"),
        *("Respiration (mV)", "Digital in (V)", "reference electrode (mV)", "opto stim (V)", "threshold (mV)"),
        *("Vm_filt (mV)", "Vm (mV) smoothed", "Membrane potential, lowpass (mV)", "V_mean_mV", "V model (mV)"),
        *("IN 7 (V)", "wheel (mV)", "aux (V)"),
    ],
)
def test_a_name_outranks_a_unit(write, name):
    for header, columns in (
        ("Time (ms),Vm (mV),Im (pA),{}", (T, V, STEP, AUX)),
        ("Time (ms),{},Membrane potential (mV),I_pA", (T, AUX, V, STEP)),
    ):
        recording = read(write(header.format(f'"{name}"'), *columns))
        check(recording, (V, STEP))
        assert len(recording.notes) == 1
        assert recording.notes[0].startswith("left out") and name in recording.notes[0]


def test_an_only_voltage_is_read_though_its_name_says_filtered(write):
    check(read(write("t_ms,Vm_filt_mV,I_pA", T, V, STEP)), (V, STEP))
    check(read(write("t_ms,V_sim_1_mV,V_sim_2_mV,I_pA", T, V, W, STEP)), (V, STEP), (W, STEP))


def test_another_signal_alone_is_no_voltage(write):
    with pytest.raises(
        FileError, match=r"holds no voltage of a cell .*\(\"LFP \(mV\)\"\): choose with voltage_channel=NAME"
    ):
        read(write("t_ms,LFP (mV)", T, V))
    check(read(write("t_ms,Vm during light (mV),light (V),Im_pA", T, V, AUX, STEP)), (V, STEP))
    with pytest.raises(FileError, match="holds no voltage"):
        read(write("t_ms,trigger", T, AUX))
    recording = read(write("t_ms,soma,TTL", T, V, AUX))
    assert recording.sweeps[0].current is None and '"TTL"' in recording.notes[-2]
    check(read(write("t_ms,LFP (mV)", T, V), voltage_channel="LFP (mV)"), (V, None))


def test_a_stimulus_in_volts_beside_a_current(write):
    recording = read(write("t_ms,V_mV,I_pA,stimulus (V)", T, V, STEP, AUX))
    check(recording, (V, STEP))
    assert 'left out: "stimulus (V)" is called a current but is in V' in recording.notes[0]
    given = read(write("t_ms,V_mV,stimulus (V)", T, V, STEP), units=",pA")
    check(given, (V, STEP))
    assert "taken as pA, as asked, whatever the header says" in given.notes[0]


# Cells side by side


PAIRS = [
    ("Cell A Vm (mV)", "Cell A Im (pA)", "Cell B Vm (mV)", "Cell B Im (pA)", "Cell B"),
    ("Vm_A_mV", "Im_A_pA", "Vm_B_mV", "Im_B_pA", "Vm_B_mV"),
    ("VmA (mV)", "ImA (pA)", "VmB (mV)", "ImB (pA)", "VmB"),
    ("V cell1 (mV)", "I cell1 (pA)", "V cell2 (mV)", "I cell2 (pA)", "cell2"),
    ("neuron 1: V (mV)", "neuron 1: I (pA)", "neuron 2: V (mV)", "neuron 2: I (pA)", "neuron 2"),
    ("pre Vm (mV)", "pre Im (pA)", "post Vm (mV)", "post Im (pA)", "post"),
    ("Vpre (mV)", "Ipre (pA)", "Vpost (mV)", "Ipost (pA)", "Vpost"),
    ("V_ch0_mV", "I_ch0_pA", "V_ch1_mV", "I_ch1_pA", "ch1"),
    ("Vmon-1 (mV)", "Imon-1 (pA)", "Vmon-2 (mV)", "Imon-2 (pA)", "Vmon-2"),
    ("Vm_A", "Im_A", "Vm_B", "Im_B", "Vm_B"),
    ("A mV", "A pA", "B mV", "B pA", "B"),
    ("left (mV)", "left (pA)", "right (mV)", "right (pA)", "right"),
    ("headstage 1 V_mV", "headstage 1 I_pA", "headstage 2 V_mV", "headstage 2 I_pA", "headstage 2"),
]


@pytest.mark.parametrize("names", PAIRS)
def test_two_cells_are_not_two_sweeps(write, names):
    v1, i1, v2, i2, choice = names
    for header, columns in (
        ((v1, i1, v2, i2), (V, STEP, W, 2 * STEP)),
        ((v1, v2, i2, i1), (V, W, 2 * STEP, STEP)),
    ):
        path = write(",".join(("t (ms)", *header)), T, *columns)
        with pytest.raises(UsageError, match=r"2 voltages side by side .*voltage_channel=NAME\.") as caught:
            read(path)
        assert v1 in str(caught.value) and v2 in str(caught.value)
        chosen = read(path, voltage_channel=choice)
        check(chosen, (W, 2 * STEP))
        assert any(v2 in note and "of 2 columns of voltage" in note for note in chosen.notes)
        assert any(i2 in note and "of 2 columns of current" in note for note in chosen.notes)
        check(read(path, voltage_channel=1 + header.index(v1), current_channel=i1), (V, STEP))
        both = read(path, voltage_channel=f"{v1},{v2}")
        check(both, (V, STEP), (W, 2 * STEP))


def test_two_cells_under_a_line_of_groups(write):
    path = write(",Cell A,,Cell B,\nt (ms),Vm (mV),Im (pA),Vm (mV),Im (pA)", T, V, STEP, W, 2 * STEP)
    with pytest.raises(UsageError, match="Cell A Vm"):
        read(path)
    check(read(path, voltage_channel="Cell B"), (W, 2 * STEP))


def test_sites_and_conditions_are_asked_for(write):
    for names in (("soma (mV)", "dendrite (mV)"), ("V control (mV)", "V TTX (mV)"), ("dend1 (mV)", "dend2 (mV)")):
        path = write(f"t (ms),{names[0]},{names[1]},I (pA)", T, V, W, STEP)
        with pytest.raises(UsageError, match="not sweeps of one cell"):
            read(path)
        check(read(path, voltage_channel=names[1]), (W, STEP))


@pytest.mark.parametrize(
    "names",
    [
        *(("V1_mV", "V2_mV"), ("Vm 1 (mV)", "V 2 (mV)"), ("sweep A (mV)", "sweep B (mV)"), ("V (mV)", "V (mV).1")),
        *(
            ("V_-50pA_mV", "V_100pA_mV"),
            ("Cell 3 sweep 1 (mV)", "Cell 3 sweep 2 (mV)"),
            ("trial_1_V_mV", "trial_2_V_mV"),
        ),
        ("Trace #1 (mV)", "Trace #2 (mV)"),
    ],
)
def test_numbered_sweeps_stay_sweeps(write, names):
    check(read(write(f"t (ms),{names[0]},{names[1]},I (pA)", T, V, W, STEP)), (V, STEP), (W, STEP))


@pytest.mark.parametrize(
    "names",
    [
        ("IN 0 (mV)", "IN 7 (V)"),
        ("IN 0 (mV)", "IN 2 (mV)"),
        ("V (mV)", "Vm (mV)"),
        ("Vm raw (mV)", "Vm (mV)"),
        ("x (mV)", "x (V)"),
    ],
)
def test_what_only_looks_like_sweeps(write, names):
    path = write(f"t (ms),{names[0]},{names[1]},I (pA)", T, V, W, STEP)
    with pytest.raises(UsageError, match="2 voltages side by side"):
        read(path)
    check(read(path, voltage_channel=names[0]), (V, STEP))


def test_the_signals_of_an_axon_text_file(write):
    above = 'ATF\t1.0\n3\t7\n"AcquisitionMode=Episodic"\n"SyncTimeUnits=20"\n"Signals="'
    titles = '"Time (s)"' + "".join(f'\t"Trace #{k} (mV)"\t"Trace #{k} (pA)"\t"Trace #{k} (V)"' for k in (1, 2))
    columns = (T / 1e3, V, STEP, AUX, W, 2 * STEP, AUX)
    for signals in ('\t"Vm"\t"Im"\t"TTL"', '\t"Vm"\t"Im"\t"TTL"' * 2):
        recording = read(write(f"{above}{signals}\n{titles}", *columns, name="a.atf", delimiter="\t"))
        check(recording, (V, STEP), (W, 2 * STEP))
        assert [s.name for s in recording.sweeps] == ["1", "2"]
        assert "TTL Trace #1 (V)" in recording.notes[0]
    with pytest.raises(UsageError, match="side by side"):
        read(write(f"{above}\n{titles}", *columns, name="a.atf", delimiter="\t"))


def test_columns_that_are_chosen(write, capsys):
    path = write("t_ms,V1_mV,V2_mV,I1_pA,I2_pA", T, V, W, STEP, 2 * STEP)
    check(read(path, voltage_channel=2), (W, 2 * STEP))
    check(read(path, voltage_channel="v2"), (W, 2 * STEP))
    check(read(path, voltage_channel="1,2", current_channel="I2_pA"), (V, 2 * STEP), (W, 2 * STEP))
    for options, sentence in (
        ({"voltage_channel": "V3"}, r"no column 'V3' that may be a voltage: its columns are 0 \(t_ms\), 1 \(V1_mV\)"),
        ({"current_channel": 7}, "no column 7 that may be a current"),
        ({"current_channel": 0}, '"t_ms" is the time, and not a current'),
    ):
        with pytest.raises(UsageError, match=sentence):
            read(path, **options)
    with pytest.raises(
        FileError, match="keep one current for all, or one for each voltage, or choose with current_channel"
    ):
        read(write("t_ms,V_mV,Imon_pA,Icmd_pA", T, V, STEP, 2 * STEP))
    path = write("t_ms,V_mV,Imon_pA,Icmd_pA", T, V, STEP, 2 * STEP)
    check(read(path, current_channel="Icmd_pA"), (V, 2 * STEP))
    assert main(["info", str(path), "--current-channel", "Icmd_pA"]) == 0
    assert "of 2 columns of current" in capsys.readouterr().err
    assert main(["info", str(path)]) == 3
    assert "--current-channel NAME" in capsys.readouterr().err


def test_chosen_columns_without_a_header(write):
    path = write(None, T, V, W, STEP)
    check(read(path, voltage_channel=2, current_channel=3), (W, STEP))
    check(read(write(None, T, AUX, V), voltage_channel=2), (V, AUX * 1e3))


def test_units_that_are_given(write):
    path = write("t_ms,V_mV,I_nA", T, V / 1e3, STEP)
    recording = read(path, units="V,pA")
    check(recording, (V, STEP))
    assert recording.units == "V, pA"
    check(read(write("t_ms,V,I", T, V, STEP), units=",pA"), (V, STEP))


# Lines above the names


@pytest.mark.parametrize(
    "above",
    [
        *("Date,3/1/2018,10 V", "Experiment,2018-03-01,cell 4\nAmplifier,Axopatch,gain 10\nStimulus,step,voltage ok"),
        *("Vm,Im,Time\nUnits: mV,pA,ms", "rig 3\n\nholding,-70 mV,0 pA\n", "# date,2018,x", "2018,Axopatch,gain 10"),
    ],
)
@pytest.mark.parametrize(
    "names", ["Time (ms),Vm (mV),Im (pA)", "Time,Vm,Im\nms,mV,pA", "ms,mV,pA\nTime,Vm,Im", "(ms),(mV),(pA)"]
)
def test_remarks_above_the_names(write, above, names):
    recording = read(write(f"{above}\n{names}", T, V, STEP))
    check(recording, (V, STEP))
    assert recording.notes == ()


def test_remarks_without_names(write):
    recording = read(write("Date,3/1/2018,10 V", T, V, STEP))
    check(recording, (V, STEP))
    amplitudes = read(write("t (ms),-50 pA,100 pA", T, V, W))
    check(amplitudes, (V, None), (W, None))


# The strangers


@real
@pytest.mark.parametrize(
    ("name", "spikes", "amplitudes"),
    [
        *(
            (f"{name}.csv", [5], [0.1])
            for name in ("trigger_in_volts", "aux_led", "photodiode", "date_row", "meta_rows")
        ),
        *((f"{name}.csv", [2, 5], [0.06, 0.1]) for name in ("nan_padding", "empty_padding")),
        ("german_thousands.csv", [52], [0.15]),
        *((name, [0, 2, 5, 10], [0.0, 0.06, 0.1, 0.15]) for name in ("heka_patchmaster.asc", "labchart_blocks.txt")),
        *(
            (name, [5], [0.1])
            for name in ("labchart_one.txt", "spike2_export.txt", "labview_lvm.txt", "noise_current.csv")
        ),
    ],
)
def test_strangers(name, spikes, amplitudes):
    recording = read(Path(str(DATA)) / "strangers" / name)
    assert recording.dt == 0.1
    assert [len(train.time) for train in recording.spikes()] == spikes
    if name != "noise_current.csv":
        assert [round(float(s.current.max()), 6) for s in recording.sweeps] == amplitudes
