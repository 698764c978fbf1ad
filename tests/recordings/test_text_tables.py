"""Tables of text that are not plain: padded sweeps, thousands separators, lines that are sweeps, names that are numbers."""

import numpy as np
import pytest

from spikefab.errors import FileError, UsageError
from spikefab.fit.recordings.readers import read

from .text_files import STEP, N, T, V, W, check, writer


@pytest.fixture
def write(tmp_path):
    return writer(tmp_path)


# Names


def test_names_that_are_only_numbers(write):
    counted = read(write(",0,1,2,3", np.arange(N), V, W, V + 1, W + 1), dt=0.1)
    check(counted, (V, None), (W, None), (V + 1, None), (W + 1, None))
    check(read(write("0,1,2,3", V, W, V + 1, W + 1), dt=0.1), (V, None), (W, None), (V + 1, None), (W + 1, None))


# Padding


def padded(x, n):
    return np.where(np.arange(N) < n, x, np.nan)


@pytest.mark.parametrize("empty", ["NaN", "nan", "", "NA", "#N/A"])
def test_padded_sweeps_are_cut(write, empty):
    columns = (T, V, STEP, padded(W, 320), padded(2 * STEP, 320))
    for delimiter in ",;\t":
        path = write(
            delimiter.join(("t_ms", "V0_mV", "I0_pA", "V1_mV", "I1_pA")), *columns, empty=empty, delimiter=delimiter
        )
        recording = read(path)
        check(recording, (V, STEP), (W[:320], 2 * STEP[:320]))
        assert recording.notes == ("sweeps that are only filled up (NaN, empty or zero) are cut: 1 after 32 ms",)


def test_sweeps_with_times_of_their_own_are_cut(write):
    columns = (T, V, STEP, padded(T, 320), padded(W, 320), padded(2 * STEP, 320))
    recording = read(write("t0_ms,V0_mV,I0_pA,t1_ms,V1_mV,I1_pA", *columns, empty=""))
    check(recording, (V, STEP), (W[:320], 2 * STEP[:320]))


def test_a_current_that_ends_early_and_zeros(write):
    recording = read(write("t_ms,V_mV,I_pA", T, V, padded(STEP, 390)))
    check(recording, (V[:390], STEP[:390]))
    zeros = np.where(np.arange(N) < 350, W, 0.0)
    recording = read(write("t_ms,V0_mV,V1_mV,I_pA", T, V, zeros, STEP))
    check(recording, (V, STEP), (W[:350], STEP[:350]))
    assert "cut: 1 after 35 ms" in recording.notes[0]


def test_lines_that_end_early(write):
    path = write("t_ms,V0_mV,I0_pA,V1_mV,I1_pA", T, V, STEP, padded(W, 320), padded(2 * STEP, 320), empty="")
    path.write_text(path.read_text().replace(",,\n", "\n"))
    check(read(path), (V, STEP), (W[:320], 2 * STEP[:320]))
    path.write_text(write("t_ms,V_mV,I_pA", T, V, STEP).read_text() + "40.0,-6\n")  # a broken copy
    with pytest.raises(FileError, match="line 402: 2 values where the lines above have 3"):
        read(path)


def test_holes_are_no_padding(write):
    hole = V.copy()
    hole[200] = np.nan
    with pytest.raises(FileError, match=r"line 202: the value in column 2 is not a number"):
        read(write("t_ms,V_mV", T, hole))
    with pytest.raises(FileError, match=r"line 202: column 2 is empty"):
        read(write("t_ms,V_mV,I_pA", T, hole, STEP, empty=""))


def test_an_empty_column_is_left_out(write):
    recording = read(write("t_ms,V_mV,I_pA,comment", T, V, STEP, padded(T, 0), empty=""))
    check(recording, (V, STEP))
    recording = read(write("t_ms,V_mV,temperature,I_pA", T, V, padded(T, 0), STEP, empty=""))
    check(recording, (V, STEP))
    assert recording.notes == ('left out, being empty: "temperature"',)


# Thousands


def grouped(x, sign, separator):
    text = f"{x:,.3f}".replace(",", "_").replace(".", sign)
    return text.replace("_", separator)


@pytest.mark.parametrize(
    ("sign", "separator", "delimiter"),
    [(",", ".", ";"), (",", ".", "\t"), (".", ",", ";"), (",", "\u202f", ";"), (".", "'", ",")],
)
def test_thousands_separators(tmp_path, sign, separator, delimiter):
    times, current = T + 980, STEP * 50
    rows = [delimiter.join(grouped(x, sign, separator) for x in row) for row in zip(times, V, current, strict=True)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([delimiter.join(("t_ms", "V_mV", "I_pA")), *rows]), encoding="utf-8")
    recording = read(path)
    check(recording, (V, current))
    assert "numbers have thousands separators: " in recording.notes[0] and "is read as 5000.000" in recording.notes[0]


def test_thousands_that_are_not_sure_are_quoted(tmp_path):
    path = tmp_path / "a.csv"
    rows = [f"{k};-65,{k % 7};0,0" for k in range(990, 1000)] + [f"1.00{k};-65,{k};0,0" for k in range(10)]
    path.write_text("\n".join(["t_ms;V_mV;I_pA", *rows]))
    with pytest.raises(FileError, match=r"line 12: '1\.000' is not a number"):
        read(path)


# Sweeps as lines


@pytest.mark.parametrize("delimiter", [",", "\t", " ", ";"])
def test_lines_that_are_sweeps(tmp_path, delimiter):
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(delimiter.join(f"{x:.6g}" for x in row) for row in (V, W)) + "\n")
    with pytest.raises(UsageError, match="seems to have a sweep in each line, and no times: pass dt="):
        read(path)
    recording = read(path, dt=0.1)
    check(recording, (V, None), (W, None))
    assert recording.notes[0] == "each line of the file is taken as a signal: 2 lines of 400 numbers"
    current = tmp_path / "i.csv"
    current.write_text("\n".join(delimiter.join(f"{x:.6g}" for x in row) for row in (STEP, 2 * STEP)))
    check(read(path, dt=0.1, current=current), (V, STEP), (W, 2 * STEP))


def test_lines_of_different_lengths(tmp_path):
    path = tmp_path / "rows.csv"
    for ending in ("", "," * 80, ",NaN" * 80):
        path.write_text(
            "\n".join(",".join(f"{x:.6g}" for x in row) for row in (V[:320], W)).replace("\n", ending + "\n")
        )
        check(read(path, dt=0.1), (V[:320], None), (W, None))


def test_lines_with_a_name_or_a_time(tmp_path):
    path = tmp_path / "rows.csv"
    for names in (("t_ms,", "V1_mV,", "V2_mV,", "I_pA,"), ("", "", "", "")):
        rows = [name + ",".join(f"{x:.6g}" for x in row) for name, row in zip(names, (T, V, W, STEP), strict=True)]
        path.write_text("\n".join(rows))
        check(read(path), (V, STEP), (W, STEP))
    frame = ["," + ",".join(map(str, range(N)))] + [
        f"{k}," + ",".join(f"{x:.6g}" for x in row) for k, row in enumerate((V, W))
    ]
    path.write_text("\n".join(frame))
    check(read(path, dt=0.1), (V, None), (W, None))
