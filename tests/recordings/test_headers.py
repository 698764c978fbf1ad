"""Text as strangers write it: units and names in headers, sweeps that pair, decimal commas, coarse times, stacked sweeps."""

from functools import partial

import numpy as np
import pytest

from spikefab.cli import main
from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.recordings.readers import read

from . import text_files

N = 400
T = np.arange(N) * 0.1
V = -65 + np.random.default_rng(0).normal(0, 1, N).round(3)
STEP = np.where((np.arange(N) >= 100) & (np.arange(N) < 300), 0.1, 0.0)
OTHER = np.full(N, 32.1)


@pytest.fixture
def write(tmp_path):
    """write(header, *columns) makes a CSV file, or one of another delimiter, name or decimal sign. The path."""

    def made(header, *columns, name="a.csv", delimiter=",", comma=False, encoding="utf-8", before="", after=""):
        rows = [delimiter.join(f"{x:.6g}" for x in row) for row in zip(*columns, strict=True)]
        data = "\n".join(rows) + "\n"
        text = before + (header + "\n" if header else "") + (data.replace(".", ",") if comma else data) + after
        path = tmp_path / name
        path.write_bytes(text.encode(encoding))
        return path

    return made


check = partial(text_files.check, unit=1.0)  # pairs of mV and nA


# Units


@pytest.mark.parametrize(
    ("header", "columns"),
    [
        ("t (ms),V (mV),I (mA)", (T, V, STEP * 1e-6)),
        ("time (min),V (mV),I_mA", (T / 60_000, V, STEP * 1e-6)),
        ("t (ms),V_mV (raw),I (nA) [filtered]", (T, V, STEP)),
        ("t (ms),V mV,Ch1 (pA)", (T, V, STEP * 1e3)),  # a unit alone tells
    ],
)
def test_units_that_are_known(write, header, columns):
    recording = read(write(header, *columns))
    assert recording.dt == 0.1
    assert recording.notes == ()
    check(recording, (V, STEP))


@pytest.mark.parametrize(
    ("header", "sentence"),
    [
        ("t (ms),V (mV),I (uA/cm2)", r"column I \(uA/cm2\) is in uA/cm2: the current must be in A, mA, uA, nA or pA"),
        ("t (ms),V (mV),Im (pA/pF)", "is in pA/pF"),
        ("t (ms),V (mV),I_uA_per_cm2", "is in uA_per_cm2"),
        ("t (ms),V (mV),Im/uA/cm2", "is in uA/cm2"),
        ("t (ms),V (mV),I (pA pF-1)", "is in pA pF-1"),
        ("t (ms),V (mV),I (fA)", "is in fA"),
        ("t (ms),V (kV),I (nA)", "is in kV: the voltage must be in V, mV or uV"),
        ("t (ns),V (mV),I (nA)", "is in ns: the time must be in s, ms, us or min"),
        ("t (kHz),V (mV),I (nA)", "is in kHz"),
        ("t (ms),V (mV),I (V)", "called a current but is in V"),
    ],
)
def test_other_units_are_refused_by_name(write, header, sentence):
    with pytest.raises(FileError, match=sentence) as caught:
        read(write(header, T, V, STEP))
    assert "a.csv" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["V (filtered)", "V [soma]", "V (1/3)", "V_min", "V_ma", "Soma.V(0.5)", "soma.V"])
def test_words_that_are_no_unit(write, name):
    recording = read(write(f"t_ms,{name},I_nA", T, V, STEP))
    assert recording.notes == (f'no unit for the voltage in "{name}": taken as mV',)
    check(recording, (V, STEP))


# Names


@pytest.mark.parametrize("name", ["TTL", "Temperature (C)", "sweep", "dV/dt (mV/ms)", "g (nS)"])
def test_a_column_that_is_no_signal_is_left_out(write, name):
    alone = read(write(f"t_ms,V_mV,{name}", T, V, OTHER))
    assert alone.sweeps[0].current is None
    assert f'left out, having neither the name nor the unit of a voltage or a current: "{name}"' in alone.notes
    with pytest.raises(RecordingError, match=r"without its current .*: pass the injected current with current=FILE\."):
        alone.require_fit()
    both = read(write(f"t_ms,{name},V_mV,I_nA,more", T, OTHER, V, STEP, OTHER))
    assert f'"{name}", "more"' in both.notes[0]
    check(both, (V, STEP))
    current = write(f"t_ms,{name},I_nA", T, OTHER, STEP, name="i.csv")
    given = read(write(f"t_ms,V_mV,{name}", T, V, OTHER), current=current)
    check(given, (V, STEP))


def test_what_rests_like_a_voltage_is_left_out_too_beside_a_named_one(write):
    recording = read(write("t_ms,V_mV,reference,I_nA", T, V, V + 5, STEP))
    assert '"reference"' in recording.notes[0]
    check(recording, (V, STEP))


def test_names_that_say_nothing_are_guessed_as_ever(write):
    recording = read(write("x,ch0,ch1", T, V, STEP * 1e3))
    assert 'no header tells what "ch1" is: taken as current' in recording.notes
    check(recording, (V, STEP))
    check(read(write("t_ms,soma,I_nA", T, V, STEP)), (V, STEP))


# Pairs


@pytest.mark.parametrize(
    ("voltages", "currents", "names"),
    [
        (("V_2024_s3_mV", "V_2024_s4_mV"), ("I_2024_s4_nA", "I_2024_s3_nA"), ["3", "4"]),
        (("V_ch1_s3_mV", "V_ch1_s4_mV"), ("I_ch2_s4_nA", "I_ch2_s3_nA"), ["3", "4"]),
        (("V_-10_mV", "V_10_mV"), ("I_10_nA", "I_-10_nA"), ["-10", "10"]),
        (("V_03_mV", "V_04_mV"), ("I_4_nA", "I_3_nA"), ["03", "04"]),
        (("V_1_1_mV", "V_1_2_mV"), ("I_1_2_nA", "I_1_1_nA"), ["1", "2"]),
    ],
)
def test_sweeps_pair_by_what_differs(write, voltages, currents, names):
    recording = read(write(",".join(("t_ms", *voltages, *currents)), T, V, V + 5, 2 * STEP, STEP))
    assert [s.name for s in recording.sweeps] == names
    assert recording.notes == ()
    check(recording, (V, STEP), (V + 5, 2 * STEP))


@pytest.mark.parametrize("currents", ["I_5_nA,I_6_nA", "I_3_nA,I_3_nA", "I_nA,I_nA"])
def test_labels_that_do_not_match_pair_by_place(write, currents):
    recording = read(write(f"t_ms,V_3_mV,V_4_mV,{currents}", T, V, V + 5, STEP, 2 * STEP))
    assert "paired in the order of the columns" in recording.notes[0]
    check(recording, (V, STEP), (V + 5, 2 * STEP))


def test_too_many_currents(write):
    with pytest.raises(FileError, match="has 1 column of voltage but 2 of current: keep one current for all"):
        read(write("t_ms,V_mV,I_pA,I_nA", T, V, STEP, STEP))


# Decimal commas


def test_decimal_commas_after_whole_numbers(write):
    whole = np.concatenate(([-65.0], V[1:]))
    for delimiter in ";\t ":
        name = f"a{ord(delimiter)}.txt"
        path = write(
            delimiter.join(("t_ms", "V_mV", "I_nA")), T, whole, STEP, delimiter=delimiter, comma=True, name=name
        )
        assert "\n0" + delimiter + "-65" + delimiter + "0\n" in path.read_text()
        check(read(path), (whole, STEP))
    mixed = write("t_ms;V_mV;I_nA", T, whole, STEP, delimiter=";", before="", after="40;-65,5;0\n")
    with pytest.raises(FileError, match="line 402: '-65,5' is not a number"):
        read(mixed)


def test_quoted_decimal_commas(tmp_path):
    path = tmp_path / "a.csv"
    rows = [",".join(f'"{x:.6g}"'.replace(".", ",") for x in row) for row in zip(T, V, STEP, strict=True)]
    path.write_text("\n".join(["t_ms,V_mV,I_nA", *rows]))
    check(read(path), (V, STEP))


# Times


def test_a_time_of_too_few_digits_needs_dt(tmp_path):
    for digits, dt in ((3, 0.1), (4, 0.25), (3, 1 / 3)):
        path = tmp_path / "a.csv"
        rows = [f"{k * dt / 1e3:.{digits}f},{v},{i}" for k, (v, i) in enumerate(zip(V, STEP, strict=True))]
        path.write_text("\n".join(["t_s,V_mV,I_nA", *rows]))
        with pytest.raises(UsageError, match=r'"t_s" is printed with too few digits .*: pass dt=MS'):
            read(path)
        recording = read(path, dt=dt)
        assert recording.dt == dt
        assert f"the time step is the given one, {dt:g} ms" in recording.notes[0]
        check(recording, (V, STEP))
        with pytest.raises(UsageError, match=r"does not have a time step of 0\.2 ms: its 400 samples cover"):
            read(path, dt=0.2)


def test_a_sample_twice_or_a_time_that_stands_still_is_no_lack_of_digits(write):
    twice = T.copy()
    twice[200:] -= 0.1
    with pytest.raises(FileError, match=r"line 202: the time goes from 19\.9 to 19\.9 where its step is 0\.1"):
        read(write("t_ms,V_mV", twice, V))
    with pytest.raises(FileError, match="line 3: the time goes from 5 to 5 and does not increase"):
        read(write("t_ms,V_mV", 5 + 0 * T, V))


# Sweeps one below the other


STACKED = np.concatenate((V, V + 5)), np.concatenate((STEP, 2 * STEP))


@pytest.mark.parametrize("header", ["t_ms,V_mV,I_nA", "sweep,t_ms,V_mV,I_nA", ""])
def test_stacked_sweeps_are_split(write, header):
    columns = (np.tile(T, 2), *STACKED)
    if "sweep" in header:
        columns = (np.repeat([0, 1], N), *columns)
    path = write(header, *columns)
    recording = read(path)
    assert recording.dt == 0.1
    assert [s.name for s in recording.sweeps] == ["0", "1"]
    line = N + 1 + bool(header)
    assert f"the time starts again at line {line}: taken as 2 sweeps of 400 samples" in recording.notes
    check(recording, (V, STEP), (V + 5, 2 * STEP))


def test_a_stack_of_currents_goes_to_the_sweeps(write):
    voltages = write("t_ms,V_mV", np.tile(T, 2), STACKED[0])
    currents = write("t_ms,I_nA", np.tile(T, 2), STACKED[1], name="i.csv")
    check(read(voltages, current=currents), (V, STEP), (V + 5, 2 * STEP))


def test_stacked_sweeps_of_different_lengths_are_refused(write):
    path = write("t_ms,V_mV,I_nA", np.tile(T, 2)[:-9], *(c[:-9] for c in STACKED))
    with pytest.raises(FileError, match="the time starts again at line 402: sweeps belong side by side, a column each"):
        read(path)


# Other text


def test_comments_below_and_among_the_data(write):
    path = write("t_ms,V_mV,I_nA", T, V, STEP, before="# rig 3\n% cell 7\n", after="# end of file\n%\n")
    check(read(path), (V, STEP))


def test_utf_16_and_line_ends_of_old(write, tmp_path):
    check(read(write("t_µs,V_mV,I_nA", T * 1e3, V, STEP, encoding="utf-16")), (V, STEP))
    (tmp_path / "odd.csv").write_bytes(b"\xff\xfe1,2\n3")
    with pytest.raises(FileError, match="is not text"):
        read(tmp_path / "odd.csv")
    path = write("t_ms,V_mV,I_nA", T, V, STEP)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r"))
    check(read(path), (V, STEP))


ATF = 'ATF\t1.0\n3\t5\n"AcquisitionMode=Episodic Stimulation"\n"SyncTimeUnits=20"\n"Signals="\t"Vm"\t"Im"\n'


@pytest.mark.parametrize("name", ["a.atf", "a.txt"])
def test_axon_text_files(write, name):
    titles = "\t".join(
        f'"{title}"' for title in ("Time (s)", *(f"Trace #{k} ({u})" for k in (1, 2) for u in ("mV", "pA")))
    )
    columns = (T / 1e3, V, STEP * 1e3, V + 5, 2e3 * STEP)
    recording = read(write(titles, *columns, name=name, delimiter="\t", before=ATF))
    assert recording.notes == ()
    assert [s.name for s in recording.sweeps] == ["1", "2"]
    check(recording, (V, STEP), (V + 5, 2 * STEP))
    with pytest.raises(FileError, match=r"no Axon Text File .*second line"):
        read(write(titles, *columns, name=name, delimiter="\t", before="ATF 1.0\n"))


def test_only_files_with_channels_are_offered_them(write, capsys):
    assert main(["info", str(write("t_ms,V_mV", T, V))]) == 0
    said = capsys.readouterr()
    assert "--current-channel" not in said.out + said.err
    with pytest.raises(UsageError, match="is text: electrode is for NWB files"):
        read(write("t_ms,V_mV", T, V), electrode="e")
