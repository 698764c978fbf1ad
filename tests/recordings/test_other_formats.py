"""Formats beyond spikefab's own: readers of other packages, neo, and what is said without them."""

import struct
import sys

import numpy as np
import pytest

from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.recordings import neo_files as read_neo
from spikefab.fit.recordings.readers import read

V = -65 + 5 * np.sin(np.arange(1000) / 90)
I = np.where(np.arange(1000) > 200, 0.1, 0.0)  # noqa: E741  (the current's own name)

RIG = """
import numpy as np
from spikefab.fit.recordings.recording import Recording
from spikefab.errors import RecordingError

def rig(path):
    return Recording.from_arrays(np.loadtxt(path), None, 0.1)

def refuse(path):
    raise RecordingError(f"{path} was made on the first of April.")

def broken(path):
    return 1 / 0

def nothing(path):
    return "a string"
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An installed package that registers readers of .rig and other suffixes, with and without a dot."""
    (tmp_path / "rigs_of_ours.py").write_text(RIG)
    info = tmp_path / "rigs_of_ours-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: rigs-of-ours\nVersion: 1.0\n")
    names = ((".rig", "rig"), ("ref", "refuse"), (".bro", "broken"), (".non", "nothing"), (".csv", "broken"))
    lines = [f"{suffix} = rigs_of_ours:{function}" for suffix, function in (*names, (".gone", "absent"))]
    (info / "entry_points.txt").write_text("\n".join(["[spikefab.readers]", *lines]) + "\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_a_registered_reader(package):
    path = package / "cell.RIG"
    np.savetxt(path, V)
    recording = read(path)
    np.testing.assert_allclose(recording.sweeps[0].voltage, V)
    assert recording.source == str(path)
    assert len(recording.sha256) == 64
    np.savetxt(package / "i.txt", I)
    np.testing.assert_allclose(read(path, current=package / "i.txt").sweeps[0].current, I)


@pytest.mark.parametrize(
    ("name", "kind", "sentence"),
    [
        ("cell.ref", RecordingError, "first of April"),
        ("cell.bro", FileError, "the reader rigs_of_ours:broken failed .ZeroDivisionError: division by zero"),
        ("cell.non", FileError, "the reader rigs_of_ours:nothing returned no recording"),
        ("cell.gone", FileError, "the reader rigs_of_ours:absent failed .AttributeError"),
        ("cell.csv", FileError, "holds no line of numbers"),  # spikefab's own kinds stay its own
    ],
)
def test_a_registered_reader_that_fails(package, name, kind, sentence):
    (package / name).write_text("no numbers")
    with pytest.raises(kind, match=sentence):
        read(package / name)


def test_without_neo_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(read_neo, "is_installed", lambda: False)
    (tmp_path / "cell.smr").write_text("1 2 3")
    with pytest.raises(FileError, match=r"not \.smr; pip install spikefab\[neo\]"):
        read(tmp_path / "cell.smr")


def written(path, *segments):
    """A file that neo writes: a segment is a list of (samples (T, channels), unit)."""
    import neo
    import quantities

    block = neo.Block()
    for signals in segments:
        segment = neo.Segment()
        for k, (samples, unit) in enumerate(signals):
            rate = quantities.Quantity(10, "kHz")
            made = neo.AnalogSignal(np.array(samples).T, units=unit, sampling_rate=rate, name=f"S{k}")
            segment.analogsignals.append(made)
        block.segments.append(segment)
    neo.io.NeoMatlabIO(str(path)).write_block(block)
    return path


def test_neo(tmp_path):
    pytest.importorskip("neo")
    both = [([V / 1e3], "V"), ([I * 1e3], "pA")]
    recording = read(written(tmp_path / "cell.mat", both, both))
    assert recording.dt == 0.1
    assert len(recording.sweeps) == 2
    assert recording.current_origin == "recorded on S1"
    np.testing.assert_allclose(recording.sweeps[1].voltage, V, atol=1e-9)
    np.testing.assert_allclose(recording.sweeps[1].current, I, atol=1e-9)
    alone = read(written(tmp_path / "alone.mat", [([0 * V, V], "mV")]))
    np.testing.assert_allclose(alone.sweeps[0].voltage, V)
    assert alone.notes == ("of 2 voltage channels, S0 is used; voltage_channel=N takes another",)
    assert np.all(read(alone.source, voltage_channel=0).sweeps[0].voltage == 0)
    with pytest.raises(RecordingError, match="the file recorded none"):
        alone.require_fit()
    with pytest.raises(FileError, match="voltage-clamp"):
        read(written(tmp_path / "clamp.mat", [([I], "nA")]))


def test_neo_with_several_channels(tmp_path):
    """The membrane rests as a cell does and follows the current, whatever else varies more."""
    pytest.importorskip("neo")
    large = 500 * np.sin(np.arange(len(V)) / 30)
    idle = np.random.default_rng(0).normal(0, 0.01, len(V))
    membrane = -66 + np.cumsum(np.exp(-np.arange(1000) / 100))[np.maximum(np.arange(1000) - 201, 0)] * (I > 0) / 10
    path = written(tmp_path / "cell.mat", [([large, membrane], "mV"), ([idle], "nA"), ([I], "nA")])
    recording = read(path)
    np.testing.assert_allclose(recording.sweeps[0].voltage, membrane)
    np.testing.assert_allclose(recording.sweeps[0].current, I)
    assert recording.current_origin == "recorded on S2" and "of 2 currents, S2 is used" in recording.notes[1]
    for chosen in (0, "S1"):
        np.testing.assert_allclose(read(path, current_channel=chosen).sweeps[0].current, idle)
    with pytest.raises(UsageError, match=r"has no current 5: its currents are 0 \(S1\), 1 \(S2\)"):
        read(path, current_channel=5)
    with pytest.raises(UsageError, match="units is for"):
        read(path, units="mV")


def test_what_neo_cannot_read(tmp_path):
    pytest.importorskip("neo")
    for name, sentence in (
        ("cell.xyz", r"cannot be read by this version: neither spikefab nor neo knows \.xyz"),
        ("cell.pkl", r"neither spikefab nor neo knows \.pkl"),  # a pickle would run its code
        ("cell.smr", "cannot be read by neo"),
    ):
        (tmp_path / name).write_text("1 2 3")
        with pytest.raises(FileError, match=sentence) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value)


def wave(path, values, unit, step=1e-4):
    """An Igor binary wave, version 5, of float32: (T,) or, with a column each, (T, sweeps)."""
    values = np.asarray(values, dtype="<f4")
    shape = [*values.shape, 0, 0, 0][:4]
    about = struct.pack("<3I i 2h 6x h 32s 2I 4i", 0, 0, 0, values.size, 2, 0, 1, b"ch0", 0, 0, *shape)
    about += struct.pack("<8d 4s 16s", step, 1, 1, 1, 0, 0, 0, 0, unit.encode(), b"s").ljust(320 - len(about), b"\0")
    data = values.tobytes(order="F")

    def head(checksum):
        return struct.pack("<hH 15i", 5, checksum, len(about) + len(data), *[0] * 14)

    check = -sum(struct.unpack("<192H", head(0) + about)) & 0xFFFF  # the sum of all words of the header is 0
    path.write_bytes(head(check) + about + data)
    return path


def test_waves_of_igor(tmp_path):
    pytest.importorskip("igor2")
    volts = np.stack((V, V - 5), axis=1) / 1e3
    recording = read(wave(tmp_path / "v.ibw", volts, "V"), current=wave(tmp_path / "i.ibw", I * 1e-9, "A"))
    assert recording.dt == 0.1
    assert len(recording.sweeps) == 2
    np.testing.assert_allclose(recording.sweeps[1].voltage, V - 5, atol=1e-4)
    np.testing.assert_allclose(recording.sweeps[1].current, I, atol=1e-6)


def test_what_a_wave_of_igor_needs_is_named(tmp_path, monkeypatch):
    path = wave(tmp_path / "v.ibw", V / 1e3, "V")
    if read_neo.is_installed():
        monkeypatch.setitem(sys.modules, "igor2", None)
        with pytest.raises(FileError, match=r"without the package igor2, .*: pip install igor2 adds it\."):
            read(path)
    monkeypatch.setattr(read_neo, "is_installed", lambda: False)
    with pytest.raises(
        FileError, match=r"not \.ibw; pip install spikefab\[neo\] reads waves of Igor, with neo and igor2\."
    ):
        read(path)
