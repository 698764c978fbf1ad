"""What an NWB file needs and is not there is named: HDF5 filters, linked files, parts of the file itself."""

import subprocess
import sys

import h5py
import numpy as np
import pytest

from spikefab.cli import main
from spikefab.errors import FileError, RecordingError
from spikefab.fit.recordings.readers import read

from .conftest import RESPONSE, STIMULUS, I, V, check, pair, rows

R, S = "acquisition/r0", "stimulus/presentation/s0"


def compress(file, path, number, name=b""):
    """Write a dataset again as if compressed by a filter of HDF5, in one chunk of bytes that only this filter could read."""
    values = file[path][()]
    attributes = dict(file[path].attrs)
    del file[path]
    made = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    made.set_chunk(values.shape)
    made.set_filter(number, h5py.h5z.FLAG_OPTIONAL, (1,))
    space = h5py.h5s.create_simple(values.shape)
    dataset = h5py.h5d.create(file.id, path.encode(), h5py.h5t.py_create(values.dtype), space, made)
    dataset.write_direct_chunk((0,) * values.ndim, b"compressed" * 9)
    file[path].attrs.update(attributes)


@pytest.mark.parametrize(
    ("number", "name", "install"),
    [
        (32015, "Zstandard", "pip install hdf5plugin"),
        (32001, "Blosc", "pip install hdf5plugin"),
        (32004, "LZ4", "pip install hdf5plugin"),
        (32008, "bitshuffle", "pip install hdf5plugin"),
        (32026, "Blosc2", "pip install hdf5plugin"),
        (307, "bzip2", "pip install hdf5plugin"),
        (305, "LZO", "install its plugin for HDF5"),
        (300, "an unknown method", "install its plugin for HDF5"),
    ],
)
@pytest.mark.parametrize("part", [f"{R}/data", f"{S}/data", f"{R}/timestamps"])
def test_a_missing_filter_is_named(nwb, number, name, install, part):
    if h5py.h5z.filter_avail(number):
        pytest.skip(f"HDF5 filter {number} is installed")

    def build(put):
        pair(put, 0, timestamps=np.arange(len(V)) / 1e4)
        compress(put.file, part, number)

    with pytest.raises(FileError) as caught:
        read(nwb(build))
    said = f"cell.nwb: {part} is compressed with {name} (HDF5 filter {number}), which is not installed: {install}."
    assert str(caught.value).endswith(said)


def test_a_missing_filter_of_a_table_is_named(nwb, capsys):
    def build(put):
        pair(put, 0)
        rows(put, [((0, len(V), R), (0, len(V), S))])
        put.file["general/intracellular_ephys/intracellular_recordings/stimuli/stimulus"].attrs["x"] = 1
        path = "general/intracellular_ephys/sweep_table/sweep_number"
        put.file[path] = np.arange(1)
        put.file["general/intracellular_ephys/sweep_table/series"] = np.array([put.file[R].ref], dtype=h5py.ref_dtype)
        compress(put.file, path, 32015)

    if h5py.h5z.filter_avail(32015):
        pytest.skip("the filter is installed")
    path = nwb(build)
    assert main(["info", str(path)]) == 3
    assert "sweep_table/sweep_number is compressed with Zstandard" in capsys.readouterr().err


def test_hdf5plugin_is_imported_if_it_is_there(nwb, tmp_path, monkeypatch):
    """Its import makes its filters known to HDF5. One that fails is as good as none."""
    path = nwb(lambda put: pair(put, 0))
    for text in ("raise OSError('a library of another system')", ""):
        (tmp_path / "hdf5plugin.py").write_text(text)
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.delitem(sys.modules, "hdf5plugin", raising=False)
        check(read(path).sweeps[0])
    assert sys.modules["hdf5plugin"].__file__ == str(tmp_path / "hdf5plugin.py")
    monkeypatch.delitem(sys.modules, "hdf5plugin")


# Links


def raw_file(folder, name="raw.h5"):
    """A file with one series of each kind, to which an NWB file can link."""
    with h5py.File(folder / name, "w") as file:
        for path, values, unit, kind in (("r", V / 1e3, "volts", RESPONSE), ("s", I / 1e9, "amperes", STIMULUS)):
            file[f"{path}/data"] = values
            file[f"{path}/data"].attrs["unit"] = unit
            file[path].attrs.update({"neurodata_type": kind, "sweep_number": 0})
            file[f"{path}/starting_time"] = 0.0
            file[f"{path}/starting_time"].attrs["rate"] = 1e4


def link_series(put, name="raw.h5"):
    put.file[R], put.file[S] = h5py.ExternalLink(name, "/r"), h5py.ExternalLink(name, "/s")


def link_data(put, name="raw.h5"):
    pair(put, 0)
    del put.file[f"{R}/data"]
    put.file[f"{R}/data"] = h5py.ExternalLink(name, "/r/data")


def link_group(put, name="raw.h5"):
    pair(put, 0)
    del put.file["acquisition"]
    put.file["acquisition"] = h5py.ExternalLink(name, "/")


def link_stamps(put, name="raw.h5"):
    pair(put, 0)
    del put.file[f"{R}/starting_time"]
    put.file[f"{R}/timestamps"] = h5py.ExternalLink(name, "/t")


@pytest.mark.parametrize(
    ("link", "place"),
    [(link_series, R), (link_data, f"{R}/data"), (link_group, "acquisition"), (link_stamps, f"{R}/timestamps")],
)
def test_a_missing_linked_file_is_named(nwb, tmp_path, monkeypatch, link, place):
    """One beside the recording is read; one of the same name in another folder is not, be it the working folder."""
    path = nwb(link)
    (tmp_path / "elsewhere").mkdir()
    raw_file(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(FileError) as caught:
        read(path)
    assert f"{place} is in the file raw.h5, which is missing: put it beside the recording" in str(caught.value)
    raw_file(tmp_path)
    if link is link_stamps:
        with pytest.raises(FileError, match=r"r0/timestamps is /t of the file raw\.h5, which has no such part"):
            read(path)
        return
    check(read(path).sweeps[0])
    (tmp_path / "raw.h5").write_bytes(b"no HDF5")
    with pytest.raises(FileError, match=r"of the file raw\.h5, which has no such part or is damaged"):
        read(path)


@pytest.mark.parametrize("name", ["/data/2019/raw.h5", "C:\\data\\raw.h5"])
def test_a_linked_file_may_have_moved_with_the_recording(nwb, tmp_path, name):
    path = nwb(lambda put: link_series(put, name))
    with pytest.raises(FileError, match=r"raw\.h5, which is missing"):
        read(path)
    raw_file(tmp_path)
    if name.startswith("/"):
        check(read(path).sweeps[0])


def test_links_to_nowhere_are_named(nwb):
    def nowhere(put):
        pair(put, 0)
        del put.file[R]
        put.file[R] = h5py.SoftLink("/raw/r0")

    with pytest.raises(FileError, match=r"acquisition/r0 is a link to /raw/r0, which is not there"):
        read(nwb(nowhere))

    def loop(put):
        put.file["acquisition/a"] = h5py.SoftLink("/acquisition/b")
        put.file["acquisition/b"] = h5py.SoftLink("/acquisition/a")

    with pytest.raises(FileError, match="acquisition/a is a link to /acquisition/b, which is not there"):
        read(nwb(loop))


def test_what_is_missing_beside_other_sweeps_is_said(nwb):
    def build(put):
        pair(put, 1)
        link_series(put)

    recording = read(nwb(build))
    assert len(recording.sweeps) == 1
    assert recording.notes == tuple(
        f"left out: {place} is in the file raw.h5, which is missing: put it beside the recording" for place in (R, S)
    )

    def stimulus(put):
        pair(put, 0)
        del put.file[S]
        put.file[S] = h5py.ExternalLink("raw.h5", "/s")

    recording = read(nwb(stimulus))
    assert recording.sweeps[0].current is None
    with pytest.raises(RecordingError, match=r"s0 is in the file raw\.h5, which is missing"):
        recording.require_fit()


def epochs(put, *sweeps):
    """Sweeps as NWB 1 has them: an epoch links to the series of its response and of its stimulus."""
    for k, (response, stimulus) in enumerate(sweeps):
        put.file[f"epochs/Sweep_{k}/response/timeseries"] = response
        put.file[f"epochs/Sweep_{k}/stimulus/timeseries"] = stimulus


def test_a_missing_file_of_an_epoch_is_named(nwb, tmp_path):
    here = h5py.SoftLink(f"/{R}"), h5py.SoftLink(f"/{S}")
    raw = h5py.ExternalLink("raw.h5", "/r"), h5py.ExternalLink("raw.h5", "/s")

    def whole(put):
        pair(put, 0)
        epochs(put, here, raw, (here[0], raw[1]))

    path = nwb(whole)
    recording = read(path)
    check(recording.sweeps[0])
    assert len(recording.sweeps) == 1
    place, missing = (
        "epochs/Sweep_{}/{}/timeseries",
        " is in the file raw.h5, which is missing: put it beside the recording",
    )
    assert f"left out: {place.format(1, 'response')}{missing}" in recording.notes
    assert f"sweep 2 left out: {place.format(2, 'stimulus')}{missing}" in recording.notes
    with pytest.raises(FileError, match=r"epochs/Sweep_0/response/timeseries is in the file raw\.h5, which is missing"):
        read(nwb(lambda put: epochs(put, raw)))
    raw_file(tmp_path)
    check(read(nwb(lambda put: epochs(put, raw))).sweeps[0])


def test_an_electrode_that_is_not_there(nwb):
    def build(put):
        pair(put, 0)
        for path in (R, S):
            del put.file[f"{path}/electrode"]
            put.file[f"{path}/electrode"] = h5py.SoftLink(f"/{path}/electrode")

    check(read(nwb(build)).sweeps[0])


# Samples in other files


def test_raw_files_are_read_beside_the_recording(nwb, tmp_path, monkeypatch):
    """HDF5 would seek them in the working folder."""
    raw = (V / 1e3).astype("<f8").tobytes()

    def build(put):
        pair(put, 0)
        attributes = dict(put.file[f"{R}/data"].attrs)
        del put.file[f"{R}/data"]
        parts = [("a.bin", 16, 800), ("b.bin", 0, h5py.h5f.UNLIMITED)]
        put.file.create_dataset(f"{R}/data", V.shape, "<f8", external=parts).attrs.update(attributes)

    path = nwb(build)
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    for folder in (tmp_path / "elsewhere", tmp_path):
        with pytest.raises(FileError, match=r"r0/data is in the file a\.bin, which is missing: put it beside"):
            read(path)
        (folder / "a.bin").write_bytes(b"0" * 16 + raw[:800])
        (folder / "b.bin").write_bytes(raw[800:])
    check(read(path).sweeps[0])
    (tmp_path / "b.bin").write_bytes(raw[800:-8])
    with pytest.raises(FileError, match=r"r0/data is in the file b\.bin, which is too short"):
        read(path)


def test_a_virtual_dataset_without_its_source(nwb, tmp_path, monkeypatch):
    """HDF5 would give zeros."""

    def build(put):
        pair(put, 0)
        attributes = dict(put.file[f"{R}/data"].attrs)
        del put.file[f"{R}/data"]
        layout = h5py.VirtualLayout(V.shape, "f8")
        layout[:] = h5py.VirtualSource("raw.h5", "r/data", shape=V.shape)
        put.file.create_virtual_dataset(f"{R}/data", layout).attrs.update(attributes)

    path = nwb(build)
    (tmp_path / "elsewhere").mkdir()
    raw_file(tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path / "elsewhere")
    with pytest.raises(FileError, match=r"r0/data is in the file raw\.h5, which is missing: put it beside"):
        read(path)
    raw_file(tmp_path)
    check(read(path).sweeps[0])
    if not h5py.h5z.filter_avail(32015):
        with h5py.File(tmp_path / "raw.h5", "r+") as file:
            compress(file, "r/data", 32015)
        with pytest.raises(FileError, match="r0/data is compressed with Zstandard"):
            read(path)
    with h5py.File(tmp_path / "raw.h5", "r+") as file:
        del file["r/data"]
    with pytest.raises(FileError, match=r"r0/data is r/data of the file raw\.h5, which has no such part"):
        read(path)


def test_a_file_that_another_program_writes(nwb):
    path = nwb(lambda put: pair(put, 0))
    writer = f"import h5py, sys; f = h5py.File({str(path)!r}, 'r+'); print(flush=True); sys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", writer], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout and other.stdin
        other.stdout.readline()
        with pytest.raises(FileError, match="is open for writing in another program"):
            read(path)
        other.stdin.close()
    check(read(path).sweeps[0])
