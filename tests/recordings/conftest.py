"""NWB files for tests: made series by series with h5py, because real files do not follow the schema exactly."""

import h5py
import numpy as np
import pytest

N = 1000
T = np.arange(N) * 0.1
V = -65 + 5 * np.sin(T / 9)  # mV
I = np.where((T > 20) & (T < 80), 0.1, 0.0)  # nA  # noqa: E741  (the current's own name)
RESPONSE, STIMULUS = "CurrentClampSeries", "CurrentClampStimulusSeries"


def add(file, path, data, unit, kind, number=None, **more):
    """A series of NWB 2; `more`: conversion, offset, rate, timestamps, begins (s), electrode."""
    group = file.create_group(path)
    group.attrs["neurodata_type"] = kind
    if number is not None:
        group.attrs["sweep_number"] = np.uint64(number)
    made = group.create_dataset("data", data=data, compression=more.get("compression"))
    made.attrs.update({k: v for k, v in {"unit": unit, **more}.items() if k in ("unit", "conversion", "offset")})
    if "timestamps" in more:
        group["timestamps"] = more["timestamps"]
    elif more.get("rate", 1e4):
        group["starting_time"] = more.get("begins", 0.0)
        group["starting_time"].attrs["rate"] = more.get("rate", 1e4)
    if "electrode" in more:
        cell = file.require_group(f"general/intracellular_ephys/{more['electrode']}")
        group["electrode"] = h5py.SoftLink(cell.name)
    return group


@pytest.fixture
def nwb(tmp_path):
    """nwb(build) writes an NWB 2 file: build(add) adds its series. The path."""

    def make(build):
        path = tmp_path / "cell.nwb"
        with h5py.File(path, "w") as file:
            file.attrs["nwb_version"] = "2.5.0"
            file.create_group("acquisition")
            file.create_group("stimulus/presentation")

            def put(*args, **more):
                return add(file, *args, **more)

            put.file = file
            build(put)
        return path

    return make


def pair(put, number, v=V, i=I, electrode="e", at="", **more):
    """Response and stimulus of one sweep, in volts and amperes."""
    put(f"acquisition/r{at}{number}", v / 1e3, "volts", RESPONSE, number, electrode=electrode, **more)
    put(f"stimulus/presentation/s{at}{number}", i / 1e9, "amperes", STIMULUS, number, electrode=electrode, **more)


def check(sweep, v=V, i=I, atol=1e-6):
    np.testing.assert_allclose(sweep.voltage, v, atol=atol)
    np.testing.assert_allclose(sweep.current, i, atol=atol)


def rows(put, series, names=("responses/response", "stimuli/stimulus")):
    """The table of intracellular recordings: `series` has (start, count) of the response and of the stimulus, each with the
    path of its series, for every row. A stimulus of None is written as the schema has it: -1 and the response.
    """
    file = put.file
    kind = np.dtype([("idx_start", "<i4"), ("count", "<i4"), ("timeseries", h5py.ref_dtype)])
    table = file.require_group("general/intracellular_ephys/intracellular_recordings")
    for k, name in enumerate(names):
        cells = [row[k] or (-1, -1, row[0][2]) for row in series]
        table[name] = np.array([(start, count, file[path].ref) for start, count, path in cells], dtype=kind)
