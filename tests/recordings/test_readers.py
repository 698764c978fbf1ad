"""What files load, as what, and what is refused in which sentence."""

import os
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.recordings.readers import read

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")


def data(name):
    return Path(str(DATA)) / name


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def trace(n=400, seed=0):
    """A noisy rest at -65 mV, and a step of current."""
    v = -65 + np.random.default_rng(seed).normal(0, 1, n).round(3)
    i = np.where((np.arange(n) >= 100) & (np.arange(n) < 300), 0.1, 0.0)
    return v, i


def table(*columns, header="", delimiter=","):
    rows = [delimiter.join(f"{x:.6g}" for x in row) for row in zip(*columns, strict=True)]
    return "\n".join(([header] if header else []) + rows) + "\n"


# Text that loads


T = np.arange(400) * 0.1
V, STEP = trace()


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("t_ms,V_mV,I_nA", (T, V, STEP)),
        ("time (s),V [mV],I [pA]", (T / 1000, V, STEP * 1000)),
        ("I_pA,t_us,v_V", (STEP * 1000, T * 1000, V / 1000)),
        ("t,v,i", (T, V, STEP)),
        ("t,i,v", (T / 1000, STEP * 1000, V / 1000)),
        ("Time_ms,Membrane potential (mV),Injected current (A)", (T, V, STEP * 1e-9)),
        (",time/ms,Vm/mV,stim/nA", (np.arange(400), T, V, STEP)),
        ("", (T, V, STEP)),
        ("", (T, STEP * 1000, V)),
    ],
)
def test_headers_and_units(tmp_path, header, columns):
    recording = read(write(tmp_path / "a.csv", table(*columns, header=header)))
    assert recording.dt == 0.1
    assert len(recording.sweeps) == 1
    np.testing.assert_allclose(recording.sweeps[0].voltage, V, atol=1e-3)
    np.testing.assert_allclose(recording.sweeps[0].current, STEP, atol=1e-6)
    assert recording.sweeps[0].window == (10.0, 30.0)
    units_given = "_" in header or "(" in header or "/" in header or "[" in header
    assert bool(recording.notes) != units_given


def test_delimiters_decimal_commas_and_comments(tmp_path):
    for name, text in {
        "tab.tsv": table(T, V, STEP, header="t_ms\tv_mV\ti_nA", delimiter="\t"),
        "spaces.txt": table(T, V, STEP, header="# t_ms v_mV i_nA", delimiter="  "),
        "brackets.dat": table(T, V, STEP, header="t (ms)  v (mV)  i (nA)", delimiter=" "),
        "german.csv": table(T, V, STEP, header="t_ms;v_mV;i_nA", delimiter=";").replace(".", ","),
        "units.asc": '"ms"\n"mV"\n"nA"\n' + table(T, V, STEP, delimiter="\t"),
        "two.csv": "rig 3, cell 7\nt,v,i\nms,mV,nA\n" + table(T, V, STEP),
        "bom.csv": "\ufeff" + table(T, V, STEP, header="t_ms,v_mV,i_nA").replace("\n", "\r\n"),
        "trailing.csv": table(T, V, STEP, header="t_ms,v_mV,i_nA").replace("\n", ",\n"),
    }.items():
        recording = read(write(tmp_path / name, text))
        assert recording.notes == (), name
        np.testing.assert_allclose(recording.sweeps[0].voltage, V, atol=1e-3)
        np.testing.assert_allclose(recording.sweeps[0].current, STEP, atol=1e-6)


def test_sweeps_pair_by_label_or_place(tmp_path):
    other, _ = trace(seed=1)
    text = table(T, 2 * STEP, STEP, V, other, header="t_ms,I_8_nA,I_7_nA,V_7_mV,V_8_mV")
    recording = read(write(tmp_path / "a.csv", text))
    assert [s.name for s in recording.sweeps] == ["7", "8"]
    np.testing.assert_allclose(recording.sweeps[1].current, 2 * STEP)
    np.testing.assert_allclose(recording.sweeps[1].voltage, other, atol=1e-3)
    pairs = read(write(tmp_path / "b.csv", table(T, V, STEP * 1000, T, other, STEP * 2000)))
    assert len(pairs.sweeps) == 2
    np.testing.assert_allclose(pairs.sweeps[1].current, 2 * STEP, atol=1e-6)
    shared = read(write(tmp_path / "c.csv", table(T, V, other, STEP, header="t_ms,V1_mV,V2_mV,I_nA")))
    np.testing.assert_allclose(shared.sweeps[0].current, shared.sweeps[1].current)


def test_voltage_alone_loads_and_only_the_fit_refuses_it(tmp_path):
    recording = read(write(tmp_path / "v.txt", table(V)), dt=0.1)
    assert recording.sweeps[0].current is None
    assert recording.warnings()
    with pytest.raises(RecordingError, match=r"without its current.*current=FILE"):
        recording.require_fit()


def test_columns_of_voltage_are_no_pairs_of_time_and_voltage(tmp_path):
    voltages = [trace(seed=k)[0] for k in range(4)]
    path = write(tmp_path / "v.csv", table(*voltages, delimiter="\t"))
    with pytest.raises(UsageError, match="no time column: pass dt="):
        read(path)
    assert len(read(path, dt=0.2).sweeps) == 4


def test_an_index_is_no_time(tmp_path):
    for name, header in (("a.csv", ""), ("b.csv", ",v_mV"), ("c.csv", "sample,v_mV")):
        path = write(tmp_path / name, table(np.arange(400), V, header=header))
        with pytest.raises(UsageError, match="only counts its samples: pass dt="):
            read(path)
        assert read(path, dt=0.2).dt == 0.2


def test_the_files_own_time_stands(tmp_path):
    path = write(tmp_path / "a.csv", table(T, V, header="t_ms,v_mV"))
    assert read(path, dt=0.2).dt == 0.1
    assert "0.1 ms is the time step of the file itself" in read(path, dt=0.2).notes


def test_current_from_another_file(tmp_path):
    voltage = write(tmp_path / "v.csv", table(T, V, header="t_ms,v_mV"))
    current = write(tmp_path / "i.csv", table(T, STEP * 1000, header="t_ms,pA"))
    recording = read(voltage, current=current)
    np.testing.assert_allclose(recording.sweeps[0].current, STEP, atol=1e-6)
    recording.require_fit(anyway=True)  # the voltage is none of a cell
    bare = write(tmp_path / "bare.txt", table(STEP * 1000))
    np.testing.assert_allclose(read(voltage, current=bare).sweeps[0].current, STEP, atol=1e-6)
    with pytest.raises(FileError, match=r"399 samples of current but sweep 0 .* 400 of voltage"):
        read(voltage, current=write(tmp_path / "short.txt", table(STEP[:-1])))
    with pytest.raises(FileError, match=r"time step of 0\.2 ms"):
        read(voltage, current=write(tmp_path / "slow.csv", table(2 * T, STEP, header="t_ms,i_nA")))
    with pytest.raises(FileError, match=r"2 currents but .* 1 sweeps"):
        read(voltage, current=write(tmp_path / "two.csv", table(STEP, STEP, header="i1_nA,i2_nA")))
    with pytest.raises(FileError, match="does not exist"):
        read(voltage, current=tmp_path / "none.csv")
    with pytest.raises(UsageError, match="not from both"):
        read(voltage, current=current, current_channel=1)


# Text that is refused


GOOD = ["t_ms,v_mV,i_nA"] + [f"{k / 10:g},{-65 + k % 3},0.1" for k in range(20)]


def spoilt(line, text):
    return "\n".join([*GOOD[: line - 1], text, *GOOD[line:]]) + "\n"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (spoilt(7, "0.5,abc,0.1"), "line 7: 'abc' is not a number"),
        (spoilt(7, "0.5,nan,0.1"), "line 7: the value in column 2 is not a number"),
        (spoilt(7, "0.5,-65,inf"), "line 7: the value in column 3 is not a number"),
        (spoilt(7, "0.5,-65"), "line 7: 2 values where the lines above have 3"),
        (spoilt(7, "0.5,-65,0.1,7"), "line 7: 4 values where"),
        (spoilt(7, "0.5,,0.1"), "line 7: column 2 is empty"),
        (spoilt(7, "0.55,-65,0.1"), r"line 7: the time goes from 0\.4 to 0\.55"),
        (spoilt(7, "0,-65,0.1"), r"line 7: the time goes from 0\.4 to 0 where"),
        (
            spoilt(8, "0.8,-65,0.1").replace("\n0.5,-63,0.1", "\n\n0.5,-63,0.1"),
            r"line 9: the time goes from 0\.5 to 0\.8",
        ),
        (spoilt(2, "0,abc,0.1"), "line 2: text among numbers"),
        (spoilt(1, "t_ms,v_pA,i_nA"), "column v_pA is called a voltage but is in pA"),
        (spoilt(1, "t_ms,j_pA,i_nA"), "holds no voltage.*a current alone"),
        (spoilt(1, "t_ms,t2_ms,t3_ms"), "the time goes from|holds no voltage"),
        ("t_ms,v1_mV,v2_mV,v3_mV,i1_nA,i2_nA\n" + "0,1,2,3,4,5\n0.1,1,2,3,4,5\n" * 1, "3 columns of voltage but 2 of"),
        ("only words\nand more\n", "holds no line of numbers"),
        ("t_ms,v_mV\n0,-65\n", "a single sample"),
        ("t_s,v_mV\n0,-65\n0.1,-65\n0.2,-65\n", r"a time step of 100 ms: the unit of .t_s. must be wrong"),
    ],
)
def test_bad_text_is_refused_by_line(tmp_path, text, sentence):
    with pytest.raises(FileError, match=sentence) as caught:
        read(write(tmp_path / "bad.csv", text))
    assert str(caught.value).count("\n") == 0
    assert "bad.csv" in str(caught.value)


def test_files_that_are_none(tmp_path):
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "binary.dat").write_bytes(b"\x00\x01" * 500)
    (tmp_path / "cell.xyz").write_bytes(b"1 2 3")
    for name, sentence in {
        "missing.csv": "does not exist",
        ".": "is a folder",
        "empty.csv": "is empty",
        "binary.dat": "is not text",
        "cell.xyz": r"cannot be read by this version: .*\.xyz",
    }.items():
        with pytest.raises(FileError, match=sentence):
            read(tmp_path / name)
    for dt, words in ((0.0, "positive number of ms"), (-0.1, "positive number of ms"), (float("nan"), "not nan")):
        with pytest.raises(UsageError, match=words):
            read(tmp_path / "missing.csv", dt=dt)


# ABF


LONG_V, LONG_I = np.tile(V, 10), np.repeat(STEP, 10)


def abf1(path, sweeps, unit="mV", rate=10_000):
    """An ABF 1 file of one channel, without a command: its header is the short one of old files."""
    from pyabf.abfWriter import writeABF1

    writeABF1(np.asarray(sweeps, dtype=float), str(path), rate, unit)
    return path


def abf1_pair(path, first, second, units, names=("A", "B")):
    """An ABF 1 file of two channels, interleaved as rigs write them."""
    mixed = np.stack([first, second], axis=-1).reshape(len(first), -1)
    raw = bytearray(abf1(path, mixed, rate=20_000).read_bytes())
    struct.pack_into("h", raw, 120, 2)
    struct.pack_into("16h", raw, 378, *range(16))  # logical channel of each ADC
    struct.pack_into("16h", raw, 410, *range(16))  # sampling sequence
    for k in range(2):
        struct.pack_into("10s", raw, 442 + 10 * k, names[k].encode().ljust(10))
        struct.pack_into("8s", raw, 602 + 8 * k, units[k].encode().ljust(8))
        for offset in (730, 922, 1050):  # programmable gain, instrument scale, signal gain
            (value,) = struct.unpack_from("f", raw, offset)
            struct.pack_into("f", raw, offset + 4 * k, value)
    path.write_bytes(raw)
    return path


def test_abf_without_a_command_loads_to_view(tmp_path):
    recording = read(abf1(tmp_path / "a.abf", [LONG_V, LONG_V]))
    assert recording.dt == 0.1
    assert len(recording.sweeps) == 2
    np.testing.assert_allclose(recording.sweeps[1].voltage, LONG_V, atol=0.01)
    with pytest.raises(RecordingError, match="without its current"):
        recording.require_fit()
    given = read(tmp_path / "a.abf", current=write(tmp_path / "i.txt", table(LONG_I * 1000)))
    np.testing.assert_allclose(given.sweeps[1].current, LONG_I, atol=1e-6)
    given.require_fit(anyway=True)


def test_abf_with_a_recorded_current(tmp_path):
    path = abf1_pair(tmp_path / "a.abf", [LONG_I * 1000, LONG_I * 500], [LONG_V, LONG_V], ("pA", "mV"))
    recording = read(path)
    assert recording.current_origin == "recorded on ADC 0 (A)"
    np.testing.assert_allclose(recording.sweeps[0].voltage, LONG_V, atol=0.05)
    np.testing.assert_allclose(recording.sweeps[1].current, LONG_I / 2, atol=1e-4)
    with pytest.raises(UsageError, match="no channel 5: its channels are 0 to 1"):
        read(path, current_channel=5)
    odd = abf1_pair(tmp_path / "b.abf", [LONG_I * 1000], [LONG_V], ("mV", "mV"))
    chosen = read(odd, current_channel=0)
    np.testing.assert_allclose(chosen.sweeps[0].current, LONG_I, atol=1e-4)
    assert "taken as pA" in chosen.notes[0]


def test_bad_abf_is_refused(tmp_path):
    with pytest.raises(FileError, match="voltage-clamp recording"):
        read(abf1(tmp_path / "vc.abf", [LONG_V], unit="pA"))
    command = np.where(LONG_I > 0, -20.0, -70.0)
    with pytest.raises(FileError, match="voltage-clamp recording: its voltage moves in steps"):
        read(abf1_pair(tmp_path / "both.abf", [LONG_I * 1000 + LONG_V], [command], ("pA", "mV")))
    with pytest.raises(FileError, match="not an Axon Binary Format file"):
        read(write(tmp_path / "text.abf", "time,voltage\n0,-70\n"))
    whole = abf1(tmp_path / "whole.abf", [LONG_V, LONG_V]).read_bytes()
    for size in (4, 100, 1500, 2100, 2400):
        (tmp_path / "cut.abf").write_bytes(whole[:size])
        with pytest.raises(FileError, match="truncated or damaged"):
            read(tmp_path / "cut.abf")
    with pytest.raises(UsageError, match="is for text and ABF files"):
        read(write(tmp_path / "a.nwb", "no file"), current_channel=1)


def test_noise_named_abf_is_refused(tmp_path):
    rng = np.random.default_rng(0)
    for k, signature in enumerate((b"ABF ", b"ABF2") * 4):
        path = tmp_path / f"{k}.abf"
        path.write_bytes(signature + rng.bytes(8000))
        with pytest.raises(FileError):
            read(path)


# Real files


@real
@pytest.mark.parametrize(
    ("name", "sweeps", "dt", "origin", "first", "last"),
    [  # first and last: mean current of the first and last sweep within its window, nA
        ("QSNMC2007/challengeA_set04_4reps.csv", 4, 0.2, "I1_pA", 0.47, 0.47),
        ("QSNMC2007/challengeB_C010302A1_IDRest.csv", 10, 0.25, "I_76_pA", 0.146, 0.359),
        ("QSNMC2007/challengeB_C140201C_IDRest.csv", 5, 0.25, "I_101_pA", None, 0.206),
        ("QSNMC2007/traceascii_C140201C_IDRest_103.asc", 1, 0.25, "pA", 0.115, 0.115),
        ("neuroptimus/ca3_pc_v2_4_with_current.csv", 4, 0.2, "I1_pA", 0.15, 0.6),
        ("pyABF/18713001.abf", 30, 0.05, "command of DAC 0", -0.1, 0.29),
        ("pyABF/171116sh_0016.abf", 11, 0.05, "command of DAC 0", None, 0.095),
        ("pyABF/File_axon_5.abf", 9, 0.05, "command of DAC 0", -0.1, 0.3),
        ("pyABF/171116sh_0017.abf", 3, 0.1, "stimulus file sine sweep", 0.0, 0.0),
        ("pyABF/190619B_0003.abf", 10, 0.1, "command of DAC 0", -0.12, 0.42),
        ("pyABF/2020_03_02_0000.abf", 16, 0.1, "recorded on ADC 1", -0.2, 0.60),
        ("NWBShowcase/PYR2.abf", 13, 0.1, "recorded on ADC 0", -0.05, 0.24),
        ("NWBShowcase/LantyerEtAl2018_180817_ME_9_CC.nwb", 10, 0.05, "sweep number", 0.04, 0.4),
        ("derived_odd/lantyer_nwb1_allen_layout.nwb", 5, 0.05, "epochs of the file", 0.08, 0.4),
        ("GIFFittingToolbox/gif_cell3_frozen_noise_9reps.nwb", 10, 0.1, "intracellular tables", None, 0.16),
        ("BluePyEfe/99111002.nwb", 16, 0.1, "intracellular tables", -2.0, None),
    ],
)
def test_real_files_that_load(name, sweeps, dt, origin, first, last):
    recording = read(data(name))
    assert len(recording.sweeps) == sweeps
    assert recording.dt == dt
    assert origin in recording.current_origin
    for sweep, expected in ((recording.sweeps[0], first), (recording.sweeps[-1], last)):
        if expected is not None:
            inside = slice(*(round(x / dt) for x in sweep.window))
            assert np.mean(sweep.current[inside]) == pytest.approx(expected, abs=0.02)


@real
def test_a_flat_command_is_no_current():
    recording = read(data("pyABF/opto_aps_good_units.abf"))
    assert recording.sweeps[0].current is None
    with pytest.raises(RecordingError, match="flat at 0 nA"):
        recording.require_fit()


@real
def test_a_command_from_a_user_list_is_no_current(monkeypatch):
    """pyabf rebuilds it without the list; only the recorded current of this file is true."""
    from spikefab.fit.recordings import abf as read_abf

    recorded = read_abf.samples_of
    monkeypatch.setattr(read_abf, "samples_of", lambda *args: [s * (args[1] == 0) for s in recorded(*args)])
    with pytest.raises(RecordingError, match="its command follows a user list, which cannot be rebuilt"):
        read(data("pyABF/2020_03_02_0000.abf")).require_fit()


@real
def test_a_missing_stimulus_file_is_named(tmp_path):
    shutil.copy(data("pyABF/171116sh_0017.abf"), tmp_path)
    recording = read(tmp_path / "171116sh_0017.abf")
    with pytest.raises(RecordingError, match=r"stimulus file sine sweep magnitude 20\.abf that it names is not beside"):
        recording.require_fit()
    given = read(tmp_path / "171116sh_0017.abf", current=data("pyABF/sine sweep magnitude 20.abf"))
    beside = read(data("pyABF/171116sh_0017.abf"))
    np.testing.assert_allclose(given.sweeps[2].current, beside.sweeps[2].current, atol=1e-9)


@real
def test_voltages_of_four_columns():
    recording = read(data("neuroptimus/ca3_pc_v2_4.csv"), dt=0.2)
    same = read(data("neuroptimus/ca3_pc_v2_4_with_current.csv"))
    for a, b in zip(recording.sweeps, same.sweeps, strict=True):
        assert a.current is None
        np.testing.assert_allclose(a.voltage, b.voltage, atol=1e-5)
