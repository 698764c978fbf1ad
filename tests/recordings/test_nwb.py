"""NWB 1 and 2: what loads and as what, pairing, units, padding, and what is refused in which sentence."""

from contextlib import suppress
from datetime import UTC, datetime

import h5py
import numpy as np
import pytest

from spikefab.cli import main
from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.recordings.readers import read

from .conftest import RESPONSE, STIMULUS, I, N, T, V, check, pair

# What loads


def test_pynwb_reads_the_same(tmp_path):
    """A file by pynwb, with its tables, as counts of a converter; the stimuli stand in another order."""
    import pynwb
    from pynwb.icephys import CurrentClampSeries, CurrentClampStimulusSeries

    made = pynwb.NWBFile("a cell", "cell", datetime(2020, 1, 1, tzinfo=UTC))
    electrode = made.create_icephys_electrode(name="e", description="patch", device=made.create_device(name="amp"))
    scale = {"rate": 2e4, "electrode": electrode, "gain": 1.0}
    for k in (2, 10, 1):
        v = np.round((V + k) / 1e3 / 3.125e-5 + 7).astype(np.int16)
        i = np.round(k * I / 1e9 / 1.25e-13).astype(np.int16)
        response = CurrentClampSeries(name=f"trial_{k}", data=v, conversion=3.125e-5, offset=-7 * 3.125e-5, **scale)
        stimulus = CurrentClampStimulusSeries(name=f"wave_{20 - k}", data=i, conversion=1.25e-13, **scale)
        made.add_intracellular_recording(electrode=electrode, stimulus=stimulus, response=response)
    path = tmp_path / "made.nwb"
    with pynwb.NWBHDF5IO(str(path), "w") as io:
        io.write(made)
    recording = read(path)
    assert [s.name for s in recording.sweeps] == ["1", "2", "10"]
    assert recording.dt == 0.05
    assert recording.units == "steps of 0.03125 mV, steps of 0.000125 nA"
    assert "intracellular tables" in recording.current_origin
    for sweep, k in zip(recording.sweeps, (1, 2, 10), strict=True):
        check(sweep, V + k, k * I, atol=0.02)
    with pynwb.NWBHDF5IO(str(path), "r") as io:
        table = io.read().intracellular_recordings
        for row, k in enumerate((2, 10, 1)):
            sweep = next(s for s in recording.sweeps if s.name == str(k))
            for part, factor, ours in (
                (table[("responses", "response")][row], 1e3, sweep.voltage),
                (table[("stimuli", "stimulus")][row], 1e9, sweep.current),
            ):
                series = part.timeseries
                theirs = series.data[:] * series.conversion + series.offset
                np.testing.assert_allclose(ours, theirs * factor, rtol=1e-12, atol=1e-12)


def test_sweep_numbers_pair_and_sort(nwb):
    def build(put):
        for number, name in ((10, "a"), (9, "b"), (2, "c")):
            put(f"acquisition/{name}", (V + number) / 1e3, "volts", RESPONSE, number)
        for number, name in ((9, "a"), (10, "b"), (2, "c")):
            put(f"stimulus/presentation/{name}", number * I / 1e9, "amperes", STIMULUS, number)

    recording = read(nwb(build))
    assert [s.name for s in recording.sweeps] == ["2", "9", "10"]
    assert "sweep number" in recording.current_origin
    for sweep in recording.sweeps:
        check(sweep, V + int(sweep.name), int(sweep.name) * I)
    recording.require_fit(anyway=True)  # the made voltage does not follow its current


@pytest.mark.parametrize("number", [None, 0])  # sweep numbers that are all 0 tell nothing
def test_names_pair_and_sort_as_numbers(nwb, number):
    def build(put):
        for k in (1, 2, 11):
            put(f"acquisition/ic__Step__{k}", (V + k) / 1e3, "volts", RESPONSE, number)
            put(f"stimulus/presentation/ics__Step__{k}", k * I / 1e9, "amperes", STIMULUS, number)

    recording = read(nwb(build))
    assert [s.name for s in recording.sweeps] == ["1", "2", "11"]
    assert "paired by name" in recording.current_origin
    check(recording.sweeps[2], V + 11, 11 * I)


@pytest.mark.parametrize(
    ("units", "scales", "more"),
    [
        (("volts", "amperes"), (1e-3, 1e-9), {}),
        (("V", "A"), (1e-3, 1e-9), {"compression": "gzip"}),
        (("mV", "pA"), (1, 1e3), {}),
        ((b"millivolts", b"picoamperes"), (1, 1e3), {}),
        (("Volts", "Amps"), (1e-3, 1e-9), {"offset": 0.0}),
        (("volts", "nA"), (1e-3, 1), {"conversion": 1.0}),
        (("unknown", "unknown"), (1e-3, 1e-9), {}),  # a series without a unit is in that of the schema
    ],
)
def test_units(nwb, units, scales, more):
    def build(put):
        put("acquisition/r", V * scales[0], units[0], RESPONSE, 0, **more)
        put("stimulus/presentation/s", I * scales[1], units[1], STIMULUS, 0, **more)

    recording = read(nwb(build))
    check(recording.sweeps[0])
    assert recording.notes == ()


def test_a_unit_that_cannot_be_is_corrected_with_a_notice(nwb):
    def build(put):
        put("acquisition/r", V, "volts", RESPONSE, 0)
        put("stimulus/presentation/s", 1e3 * I, "amperes", STIMULUS, 0)

    recording = read(nwb(build))
    check(recording.sweeps[0])
    assert ["taken as mV" in n or "taken as pA" in n for n in recording.notes] == [True, True]


def test_timestamps_and_uneven_ones(nwb):
    even = read(nwb(lambda put: pair(put, 0, timestamps=12.5 + T / 1e3)))
    assert even.dt == pytest.approx(0.1)
    check(even.sweeps[0])
    gap = np.where(np.arange(N) < 300, T, T + 50) / 1e3
    with pytest.raises(FileError, match=r"from 29\.9 to 80 ms after sample 299.*must be even"):
        read(nwb(lambda put: pair(put, 0, timestamps=gap)))


def test_padding_is_cut(nwb):
    v, i = V.copy(), I.copy()
    v[:3], v[900:], i[850:] = np.nan, np.nan, np.nan
    zeros = np.where(np.arange(N) < 700, V, 0.0)

    def build(put):
        pair(put, 0, v, i)
        pair(put, 1, zeros, I)
        pair(put, 2, V[:600], I)
        pair(put, 3, np.full(N, np.nan), I)

    recording = read(nwb(build))
    assert [len(s.voltage) for s in recording.sweeps] == [847, 700, 600]
    check(recording.sweeps[0], V[3:850], I[3:850])
    check(recording.sweeps[1], V[:700], I[:700])
    assert [n for n in recording.notes if "sweep 3 left out" in n]
    assert "sweep 0 cut from 100 to 84.7 ms" in " ".join(recording.notes)
    v[400] = np.nan
    with pytest.raises(FileError, match="voltage of sweep 0 is not a number at sample 400"):
        read(nwb(lambda put: pair(put, 0, v)))


def test_a_stimulus_of_its_own_rate_or_start(nwb):
    def build(put):
        put("acquisition/r0", V / 1e3, "volts", RESPONSE, 0, begins=5.0)
        put("stimulus/presentation/s0", I[::2] / 1e9, "amperes", STIMULUS, 0, rate=5e3, begins=5.0)
        put("acquisition/r1", V / 1e3, "volts", RESPONSE, 1, begins=7.0)
        put("stimulus/presentation/s1", np.full(200, 1e-10), "amperes", STIMULUS, 1, begins=7.03)

    recording = read(nwb(build))
    np.testing.assert_allclose(recording.sweeps[0].current, np.repeat(I[::2], 2), atol=1e-9)
    assert np.flatnonzero(recording.sweeps[1].current).tolist() == list(range(300, 500))
    assert len(recording.notes) == 2


def test_what_is_left_out_is_said(nwb):
    """Another cell, another time step, voltage clamp, a sweep without a stimulus."""

    def build(put):
        for k in range(3):
            pair(put, k)
            pair(put, k, V + 9, electrode="other", at="o")
        pair(put, 3, V[::2], I[::2], rate=5e3)
        put("acquisition/r4", V / 1e3, "volts", RESPONSE, 4, electrode="e")
        put("acquisition/r5", I / 1e9, "amperes", "VoltageClampSeries", 5, electrode="e")

    recording = read(nwb(build))
    assert [s.name for s in recording.sweeps] == ["0", "1", "2"]
    for sweep in recording.sweeps:
        check(sweep)
    notes = " ".join(recording.notes)
    for words in (
        "of 2 electrodes, e is used",
        "time step of 0.2 ms",
        "sweep 4 left out: no stimulus",
        "voltage clamp",
    ):
        assert words in notes
    recording.require_fit(anyway=True)  # the made voltage does not follow its current


def two_cells(put):
    """Two electrodes, of which only the second is driven."""
    for k in range(3):
        pair(put, k, V, 0 * I, electrode="elec0", at="a")
        pair(put, k, V + 9, (k + 1) * I, electrode="elec1", at="b")


def test_the_electrode_that_was_driven_is_read_or_the_one_asked_for(nwb, capsys):
    path = nwb(two_cells)
    check(read(path).sweeps[2], V + 9, 3 * I)
    assert "of 2 electrodes, elec1 is used; left out: elec0 (3 sweeps)" in read(path).notes[0]
    check(read(path, electrode="elec1").sweeps[2], V + 9, 3 * I)
    asked = read(path, electrode="elec0")
    check(asked.sweeps[2], V, 0 * I)
    assert asked.notes == ("of 2 electrodes, elec0 is used, as asked",)
    with pytest.raises(UsageError, match="has no electrode 'elec2' in current clamp, but elec0, elec1"):
        read(path, electrode="elec2")
    assert main(["info", str(path), "--electrode", "elec0"]) == 0
    assert "elec0 is used" in capsys.readouterr().err
    assert main(["info", str(path), "--electrode", "elec2"]) == 2
    with pytest.raises(UsageError, match="names no electrodes"):
        read(nwb(lambda put: put("acquisition/r", V / 1e3, "volts", RESPONSE, 0)), electrode="e")


@pytest.mark.parametrize("command", ["features", "fit", "fit-many"])
def test_commands_take_an_electrode(nwb, tmp_path, capsys, command):
    """The name reaches the reader: there is none of it."""
    more = ["--out", str(tmp_path / "out")] if command != "features" else []
    status = main([command, str(nwb(two_cells)), "--electrode", "none such", *more])
    assert status == (4 if command == "fit-many" else 2)
    assert "has no electrode 'none such'" in capsys.readouterr().err


def test_a_clamp_at_zero_current_is_a_known_current(nwb):
    def build(put):
        pair(put, 0)
        put("acquisition/r1", V / 1e3, "volts", "IZeroClampSeries", 1, electrode="e")

    assert not np.any(read(nwb(build)).sweeps[1].current)


def test_allen_layout(tmp_path):
    path = tmp_path / "allen.nwb"
    with h5py.File(path, "w") as file:
        file["nwb_version"] = b"NWB-1.0.5"
        for k in (2, 10, 11):
            kind = "VoltageClampSeries" if k == 11 else RESPONSE
            for part, data, unit in (("response", V + k, b"Volts"), ("stimulus", k * I / 1e6, b"Amps")):
                group = file.create_group(f"epochs/Sweep_{k}/{part}")
                group["idx_start"], group["count"] = 100, 800
                series = group.create_group("timeseries")
                series.attrs["ancestry"] = [b"TimeSeries", b"PatchClampSeries", kind.encode()]
                series["data"] = data.astype(np.float32)
                series["data"].attrs.update({"unit": unit, "conversion": 1e-3})
                series["starting_time"] = 0.0
                series["starting_time"].attrs["rate"] = 1e4
            file.create_group(f"epochs/Experiment_{k}")
    recording = read(path)
    assert [s.name for s in recording.sweeps] == ["2", "10"]
    check(recording.sweeps[1], (V + 10)[100:900], 10 * I[100:900], atol=1e-4)
    assert any("voltage clamp" in n for n in recording.notes)


def test_without_a_stimulus_it_loads_to_view(nwb):
    recording = read(nwb(lambda put: put("acquisition/r", V / 1e3, "volts", RESPONSE, 0)))
    assert recording.sweeps[0].current is None
    with pytest.raises(RecordingError, match="the file holds no stimulus"):
        recording.require_fit()

    def two(put):
        pair(put, 0)
        put("stimulus/presentation/more", I / 1e9, "amperes", STIMULUS, 0, electrode="e")

    with pytest.raises(RecordingError, match="2 stimuli have its sweep number"):
        read(nwb(two)).require_fit()

    def volts(put):
        put("acquisition/r", V / 1e3, "volts", RESPONSE, 0)
        put("stimulus/presentation/s", I, "volts", STIMULUS, 0)

    with pytest.raises(RecordingError, match="stimulus s is in volts, no current"):
        read(nwb(volts)).require_fit()


# What is refused


@pytest.mark.parametrize(
    ("series", "sentence"),
    [
        ((V / 1e3, "amperes", RESPONSE), "calls r a CurrentClampSeries but it is in amperes"),
        ((V, "pA", RESPONSE), "but it is in pA"),
        ((I, "amperes", "VoltageClampSeries"), "is a voltage-clamp recording"),
        ((V, "volts", "ElectricalSeries"), "no current-clamp recording, only ElectricalSeries"),
        ((np.zeros((N, 3)), "volts", RESPONSE), "shape"),
        ((np.full(N, np.nan), "volts", RESPONSE), "holds no samples"),
        ((V, "volts", RESPONSE, {"rate": 0.0}), "neither a sampling rate nor timestamps"),
        ((V, "volts", RESPONSE, {"rate": 20.0}), "a time step of 50 ms"),
        ((V, "volts", RESPONSE, {"conversion": np.nan}), "a conversion of nan"),
    ],
)
def test_refused(nwb, series, sentence):
    data, unit, kind, *more = series
    path = nwb(lambda put: put("acquisition/r", data, unit, kind, 0, **(more[0] if more else {})))
    with pytest.raises(FileError, match=sentence) as caught:
        read(path)
    assert "\n" not in str(caught.value)
    assert "cell.nwb" in str(caught.value)


def test_files_that_are_no_nwb(tmp_path, nwb):
    whole = nwb(lambda put: pair(put, 0)).read_bytes()
    for name, content, sentence in (
        ("text.nwb", b"time,voltage\n", "not an HDF5 file"),
        ("cut.nwb", whole[: len(whole) // 2], "truncated or damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FileError, match=sentence):
            read(tmp_path / name)
    with h5py.File(tmp_path / "other.nwb", "w") as file:
        file["x"] = 1.0
    with pytest.raises(FileError, match="HDF5 file but not NWB"):
        read(tmp_path / "other.nwb")
    with pytest.raises(UsageError, match="is for text and ABF files"):
        read(nwb(lambda put: pair(put, 0)), current_channel=0)


def test_damaged_bytes_are_a_sentence(nwb, tmp_path):
    whole = nwb(lambda put: [pair(put, k, compression="gzip") for k in range(3)]).read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(100):
        broken = np.frombuffer(whole, np.uint8).copy()
        at = rng.integers(0, len(broken) - 40)
        broken[at : at + 40] = rng.integers(0, 256, 40)
        (tmp_path / "broken.nwb").write_bytes(broken.tobytes())
        with suppress(FileError, RecordingError):  # anything else would be a traceback
            read(tmp_path / "broken.nwb")
