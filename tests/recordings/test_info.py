"""`spikefab info`: what was understood, the picture, and the choice of sweeps."""

import json

import h5py
import numpy as np
import pytest

from spikefab.cli import main
from spikefab.errors import RecordingError, UsageError
from spikefab.fit.recordings.readers import parse_sweeps, read

DT, N = 0.1, 5000
T = np.arange(N) * DT


def cell(amplitude, spikes):
    """A step of current (nA) from 100 to 400 ms upon a holding current, and so many spikes (mV) on a rest of -68."""
    i = np.where((T >= 100) & (T < 400), amplitude, -0.02)
    v = -68 + np.random.default_rng(0).normal(0, 0.2, N)
    for time in np.linspace(120, 380, spikes):
        v += 90 * np.exp(-0.5 * ((T - time) / 0.4) ** 2)
    return v, i


@pytest.fixture
def path(tmp_path):
    """Five sweeps named 11 to 15 with 0 to 4 spikes."""
    made = [cell(0.1 * k, k) for k in range(5)]
    names = [f"{what}_{k}_{unit}" for k in range(11, 16) for what, unit in (("V", "mV"), ("I", "nA"))]
    rows = np.column_stack([T, *(column for pair in made for column in pair)])
    file = tmp_path / "cell.csv"
    np.savetxt(file, rows, fmt="%.4f", delimiter=",", header=",".join(["t_ms", *names]), comments="")
    return file


def test_what_was_understood(path, capsys):
    assert main(["info", str(path), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert (shown["dt"], shown["units"], shown["cannot_be_fitted"]) == (DT, "mV, nA", None)
    assert "I_11_nA" in shown["current_origin"]
    assert [s["spikes"] for s in shown["sweeps"]] == [0, 1, 2, 3, 4]
    for k, sweep in enumerate(shown["sweeps"]):
        assert (sweep["number"], sweep["name"]) == (k, str(11 + k))
        assert sweep["window"] == pytest.approx([100, 400], abs=0.2)
        assert sweep["rest"] == pytest.approx(-68, abs=0.1)
        assert sweep["baseline_current"] == pytest.approx(-0.02)
    assert main(["info", str(path)]) == 0
    text = capsys.readouterr().out
    for words in ("5 sweeps, dt 0.1 ms (10 kHz), 10 spikes", "units in the file: mV, nA", "100.0 .. 400.0", "-68.0"):
        assert words in text


@pytest.mark.parametrize(
    ("options", "names"),
    [(["--sweeps", "0,3-4"], "11 14 15"), (["--sweeps", "2"], "13"), (["--sweeps", "3 - 4,0,3"], "11 14 15")],
)
def test_chosen_sweeps(path, capsys, options, names):
    assert main(["info", str(path), "--json", *options]) == 0
    captured = capsys.readouterr()
    sweeps = json.loads(captured.out)["sweeps"]
    assert [s["name"] for s in sweeps] == names.split()
    assert [s["number"] + 11 for s in sweeps] == [int(s["name"]) for s in sweeps]
    assert "of 5 sweeps, those chosen are used" in captured.err
    assert main(["features", str(path), "--json", *options]) == 0
    assert json.loads(capsys.readouterr().out)["sweeps"] == len(sweeps)


def test_a_fit_of_chosen_sweeps(path, tmp_path, capsys):
    out = tmp_path / "fit"
    args = ["fit", str(path), "--sweeps", "3-4", "--models", "lif", "--budget", "64", "--out", str(out)]
    assert main(args) == 0
    capsys.readouterr()
    with np.load(out / "traces.npz") as traces:
        assert traces["names"].tolist() == ["14", "15"]


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("", "are numbers and ranges from 0 on"),
        ("1,", "are numbers and ranges from 0 on"),
        ("-1", "are numbers and ranges from 0 on"),
        ("two", "are numbers and ranges from 0 on"),
        ("3-1", "range of sweeps 3-1 holds none"),
        ("0-99999999999", "are numbers and ranges|holds none"),
        ("5", "has no sweep 5: its sweeps are 0 to 4"),
        ("2-9", "has no sweep 5"),
    ],
)
def test_choices_that_are_refused(path, capsys, given, sentence):
    for command in ("info", "features", "fit"):
        assert main([command, str(path), f"--sweeps={given}"]) == 2
    with pytest.raises(UsageError, match=sentence):
        read(path, sweeps=given)
    assert capsys.readouterr().out == ""


def test_a_choice_of_none(path):
    with pytest.raises(RecordingError, match=r"No sweep .* is left"):
        read(path, sweeps=[])
    assert parse_sweeps(" 0, 3-5 ,4") == [0, 3, 4, 5]


def test_the_picture(path, tmp_path, capsys):
    from matplotlib.image import imread

    out = tmp_path / "cell.png"
    assert main(["info", str(path), "--picture", str(out)]) == 0
    assert f"drawn in {out}" in capsys.readouterr().out
    picture = imread(out)
    assert picture.shape[1] > 1000
    # Left of the legend: spikes of the last sweep above, and both currents of the first and the last below.
    left = picture[:, : int(0.85 * picture.shape[1]), :3]
    top, bottom = np.split(left, [picture.shape[0] * 2 // 3])
    first, last = ((0x30, 0x63, 0x8E), (0xED, 0xAE, 0x49))
    for half, colour in ((top, last), (bottom, first), (bottom, last)):
        assert np.sum(np.all(np.abs(half - np.array(colour) / 255) < 0.1, axis=-1)) > 100


def test_a_long_train_is_drawn_to_its_end(tmp_path):
    """Traces longer than the picture is wide are drawn as outlines: every spike and the last sample must be in."""
    from spikefab.fit.report.recording_picture import _outline

    v = np.zeros(100_001)
    v[[17, 50_000, 99_998]] = 50, -70, 60
    t, shown = _outline(v, 0.1, 0.0, 10_000.1)
    assert t[-1] == pytest.approx(10_000, abs=5)
    assert sorted(shown[shown != 0]) == [-70, 50, 60]


def test_pictures_that_cannot_be(path, tmp_path, capsys):
    assert main(["info", str(path), "--picture", str(path)]) == 2
    assert main(["info", str(path), "--picture", str(tmp_path / "no" / "a.png")]) == 3
    assert "a.png cannot be written" in capsys.readouterr().err
    assert path.read_text().startswith("t_ms")


def test_wrong_kinds_have_their_exit_codes(tmp_path, capsys):
    for name, kind, unit, code in (
        ("clamp", "VoltageClampSeries", "amperes", 3),
        ("bare", "CurrentClampSeries", "V", 4),
    ):
        with h5py.File(tmp_path / f"{name}.nwb", "w") as file:
            file.attrs["nwb_version"] = "2.5.0"
            series = file.create_group("acquisition/r")
            series.attrs["neurodata_type"] = kind
            series["data"] = cell(0.2, 3)[0] / 1e3
            series["data"].attrs["unit"] = unit
            series["starting_time"] = 0.0
            series["starting_time"].attrs["rate"] = 1e4
        assert main(["fit", str(tmp_path / f"{name}.nwb")]) == code
        *_, last = capsys.readouterr().err.strip().splitlines()
        assert last.startswith("spikefab: ")
        assert last.endswith(".")
    assert main(["info", str(tmp_path / "bare.nwb")]) == 0
