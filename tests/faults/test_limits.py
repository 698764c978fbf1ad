"""Readers have limits of memory and time, and their exceptions are sentences; defects stay defects."""

import struct
from dataclasses import replace

import h5py
import numpy as np
import pytest

from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.recordings import limits, readers
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.small_peaks import recurring_peaks
from spikefab.fit.recordings.sweep import make_sweep


def write_nwb(path, n, shape=None):
    """An NWB file with a response and a stimulus of n samples, or of a shape of which nothing is written."""
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.5.0"
        for name, unit, kind in (
            ("acquisition/r", "volts", "CurrentClampSeries"),
            ("stimulus/presentation/s", "amperes", "CurrentClampStimulusSeries"),
        ):
            group = file.create_group(name)
            group.attrs["neurodata_type"] = kind
            data = group.create_dataset("data", shape or (n,), "f4", chunks=True)
            data.attrs["unit"] = unit
            group["starting_time"] = 0.0
            group["starting_time"].attrs["rate"] = 5e4
    return path


def test_a_circle_in_hdf5_is_refused(tmp_path):
    """The free space of a heap has the size 0: HDF5 stays at it for ever."""
    path = write_nwb(tmp_path / "circle.nwb", 2000)
    data = bytearray(path.read_bytes())
    place = data.find(b"GCOL") + 16  # of the first object in the heap: number, count, size, and its bytes in eights
    while (found := struct.unpack_from("<HHIQ", data, place))[0]:
        place += 16 + -(-found[3] // 8) * 8
    struct.pack_into("<Q", data, place + 8, 0)
    path.write_bytes(data)
    with pytest.raises(FileError, match="HDF5 hangs or crashes"):
        readers.read(path)


@pytest.mark.parametrize(("minutes", "words"), [(60, "180,000,000 samples would take"), (10**6, "is too long")])
def test_a_recording_larger_than_the_memory_is_declined(tmp_path, minutes, words):
    path = write_nwb(tmp_path / "long.nwb", minutes * 60 * 50_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(FileError, match=words):
        readers.read(path)


@pytest.fixture
def sweeps(tmp_path):
    """An NWB file of six sweeps, the third without stimulus, with 2,000 samples each, and steps of current."""
    path = tmp_path / "sweeps.nwb"
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.5.0"
        for k in range(6):
            for name, unit, x in (
                (f"acquisition/r{k}", "volts", -0.065 + 0.001 * np.sin(np.arange(2000) / (9 + k))),
                (f"stimulus/presentation/s{k}", "amperes", 1e-11 * k * (np.arange(2000) > 500)),
            ):
                if name == "stimulus/presentation/s2":
                    continue
                group = file.create_group(name)
                group.attrs["neurodata_type"] = "CurrentClamp" + ("" if "r" in name[11:13] else "Stimulus") + "Series"
                group["data"] = x
                group["data"].attrs["unit"] = unit
                group["starting_time"] = 10.0 * k
                group["starting_time"].attrs["rate"] = 1e4
    return path


@pytest.mark.parametrize("chosen", [[0], [4, 1], "2-3"])
def test_of_a_recording_larger_than_the_memory_sweeps_are_read(sweeps, monkeypatch, chosen):
    """What is chosen is what it would be if all were read."""
    whole = readers.read(sweeps, sweeps=chosen)
    assert len(readers.read(sweeps).sweeps) == 5  # one has no stimulus
    monkeypatch.setattr(limits, "MEMORY", limits.memory(4000, 2000))
    with pytest.raises(
        FileError, match=r"too long: its 12,000 samples in 6 sweeps .* choose some of them with sweeps="
    ):
        readers.read(sweeps)
    part = readers.read(sweeps, sweeps=chosen)
    assert part.notes == whole.notes and part.reading == whole.reading and part.dt == whole.dt
    for a, b in zip(part.sweeps, whole.sweeps, strict=True):
        assert a.name == b.name and np.array_equal(a.voltage, b.voltage) and np.array_equal(a.current, b.current)
    with pytest.raises(FileError, match=r"its 6,000 samples in 3 sweeps"):
        readers.read(sweeps, sweeps=[0, 1, 2])
    with pytest.raises(UsageError, match="has no sweep 5"):
        readers.read(sweeps, sweeps=[5])


def test_a_long_abf_is_declined_before_it_is_read(tmp_path):
    path = tmp_path / "long.abf"
    with path.open("wb") as file:
        file.write(b"ABF " + bytes(12) + struct.pack("<i", 1))
        file.truncate(720_000_000)  # takes no place on the disk
    with pytest.raises(FileError, match="is too long: its 180,000,000 samples"):
        readers.read(path)


def test_a_long_text_is_declined_before_it_is_read(tmp_path):
    path = tmp_path / "long.csv"
    with path.open("w") as file:
        file.write("t_ms,V_mV,I_nA\n0,-65,0\n")
        file.truncate(500_000_000)  # takes no place on the disk
    with pytest.raises(FileError, match=r"is too long: its 500 MB of text would take 5.0 GB"):
        readers.read(path)


def test_a_recording_that_takes_much_says_so(tmp_path, monkeypatch, recording):
    monkeypatch.setattr(limits, "NOTABLE", 1e5)
    assert readers.read(recording).notes[-1] == "its 25,000 samples take about 0.0 GB of memory"
    monkeypatch.undo()
    assert not any("memory" in note for note in readers.read(recording).notes)


@pytest.mark.parametrize(
    "error", [KeyError("Unable to open object"), RuntimeError("x"), MemoryError(), struct.error("x")]
)
def test_what_a_parser_raises_is_a_sentence(tmp_path, monkeypatch, error):
    path = tmp_path / "a.csv"
    path.write_text("1,2\n")

    def broken(path, **options):
        raise error

    broken_format = replace(readers.FORMATS[0], read=broken)
    monkeypatch.setattr(readers, "FORMATS", (broken_format,))
    with pytest.raises(FileError, match="damaged or no text as it should be") as raised:
        readers.read(path)
    assert raised.value.__cause__ is error


def test_a_defect_is_no_damaged_file(tmp_path, monkeypatch):
    path = tmp_path / "a.csv"
    path.write_text("1,2\n")

    def broken(path, **options):
        raise AssertionError("a defect")

    monkeypatch.setattr(readers, "FORMATS", (replace(readers.FORMATS[0], read=broken),))
    with pytest.raises(AssertionError):
        readers.read(path)


def test_numbers_that_nothing_measures(tmp_path):
    v, i = np.full(1000, -65.0), np.zeros(1000)
    i[500] = -1e305
    with pytest.raises(RecordingError, match="current is -1e\\+305 at sample 500, which nothing measures"):
        Recording.from_arrays(v, i, 0.1)
    path = tmp_path / "a.csv"
    rows = "\n".join(f"{k / 1e4:g},{a:g},{b:g}" for k, (a, b) in enumerate(zip(v, i, strict=True)))
    path.write_text("time (s),v (mV),i (nA)\n" + rows + "\n")
    with pytest.raises(RecordingError, match="which nothing measures"):
        readers.read(path)


def test_a_sweep_without_peaks_beside_one_with_peaks():
    t = np.arange(20_000) * 0.1
    small = -65 + 13 * np.exp(-0.5 * ((t % 200 - 100) / 0.8) ** 2)
    sweeps = [make_sweep(v, np.zeros(len(t)), 0.1, "0") for v in (small, np.full(len(t), -65.0))]
    assert recurring_peaks(sweeps, [s.voltage for s in sweeps], 0.1) is not None
