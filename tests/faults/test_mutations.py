"""Damaged files of every format that is read or loaded: each is read or refused in a sentence, in 10 s and with 2 GB.

By hand: `pytest tests/faults/test_mutations.py -m long`; with SPIKEFAB_DATA, real files are damaged too.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest

from tests.recordings.abf_files import write_abf, write_atf
from tests.recordings.conftest import RESPONSE, STIMULUS, add, pair, rows

from .mutations import mutated
from .reading import Reader, journal_record

FEW, MANY, OF_REAL = 4, 340, 40  # damaged files of each base file, in CI and by hand, and of each real file
LARGEST = 500_000  # bytes of a real file that is damaged
N = 2000
T = np.arange(N) * 0.1
CURRENTS = [np.where((T > 50) & (T < 150), 0.1 * k, 0.0) for k in (1, 2, 3)]  # nA
VOLTAGES = [-65 + 60 * i + 50 * (i > 0.15) * np.exp(-(((T % 25) - 12) ** 2)) for i in CURRENTS]  # mV
LOADER = {"result": "load_results", "traces": "load_neuron", "neuron": "load_neuron", "losses": "load_journal"}
# (base file, seed) of damaged files that were not read as they should be
FOUND = [("table.csv", 153), ("table.csv", 178), ("bare.txt", 153), ("bare.txt", 178)]  # 1e308 in a current


class Put:
    """Adds series to an NWB file, see `tests/recordings/conftest.py`."""

    def __init__(self, file):
        self.file = file

    def __call__(self, *args, **more):
        return add(self.file, *args, **more)


def write_nwb(path: Path, build) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["nwb_version"] = "2.5.0"
        file.create_group("acquisition")
        file.create_group("stimulus/presentation")
        build(Put(file))
    return path


def plain_nwb(put):
    for k, (v, i) in enumerate(zip(VOLTAGES, CURRENTS, strict=True)):
        pair(put, k, v, i)


def packed_nwb(put):
    """One long series, compressed, with a timestamp for each sample, cut into sweeps by the tables."""
    t = np.concatenate([T / 1e3 + k for k in range(3)])
    more = {"compression": "gzip", "timestamps": t, "electrode": "e"}
    put("acquisition/long", np.concatenate(VOLTAGES).astype("f4"), "millivolts", RESPONSE, conversion=1.0, **more)
    put("stimulus/presentation/long", np.concatenate(CURRENTS).astype("f4"), "nanoamperes", STIMULUS, **more)
    names = "acquisition/long", "stimulus/presentation/long"
    rows(put, [tuple((k * N, N, name) for name in names) for k in range(3)])


def old_nwb(put):
    """NWB 1: the epochs name response and stimulus of each sweep."""
    plain_nwb(put)
    for k in range(3):
        for part, name in (("response", f"acquisition/r{k}"), ("stimulus", f"stimulus/presentation/s{k}")):
            group = put.file.create_group(f"epochs/Sweep_{k}/{part}")
            group["timeseries"] = put.file[name]
            group["idx_start"], group["count"] = 0, N


def write_table(path: Path, header: str, delimiter: str = ",") -> Path:
    columns = np.column_stack([T / 1e3, *VOLTAGES[:2], *(1e3 * i for i in CURRENTS[:2])])
    lines = [delimiter.join(f"{x:.6g}" for x in row) for row in columns]
    path.write_text("\n".join([*([header] if header else []), *lines]) + "\n")
    return path


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The base files, by their names; a `result` has its folder around it."""
    place = tmp_path_factory.mktemp("bases")
    write_abf(place / "one.abf", [("IN 0", "mV", VOLTAGES), ("IN 1", "pA", [1e3 * i for i in CURRENTS])])
    write_abf(place / "two.abf", [("IN 0", "mV", VOLTAGES)], kind=[1], level=[100.0], duration=[1000])
    write_atf(place / "axon.atf", VOLTAGES, unit="mV")
    write_table(place / "table.csv", "time (s),v1 (mV),v2 (mV),i1 (pA),i2 (pA)")
    write_table(place / "bare.txt", "time (s)\tv1 (mV)\tv2 (mV)\ti1 (pA)\ti2 (pA)", "\t")
    for build in (plain_nwb, packed_nwb, old_nwb):
        write_nwb(place / f"{build.__name__}.nwb", build)
    results(place)
    return {path.name: path for path in sorted(place.iterdir()) if path.is_file()}


def results(place: Path) -> None:
    """The files of a fit, a neuron as the Studio keeps it, and the journal of a search."""
    from spikefab.fit import fit
    from spikefab.fit.report.folder import save_traces
    from spikefab.fit.search.journal import Journal

    found = fit(voltage=VOLTAGES, current=CURRENTS, dt=0.1, models=["LIF", "AdEx"], budget=60, seed=1, anyway=True)
    found.save(place / "result.json")
    save_traces(found, place / "traces.npz", hashlib.sha256((place / "result.json").read_bytes()).hexdigest())
    best = json.loads((place / "result.json").read_text())["results"][0]
    kept = {"model": best["model_name"], **{name: best[name] for name in ("settings", "codes", "word", "dt", "i_span")}}
    (place / "neuron.json").write_text(json.dumps(kept))
    journal = Journal(place / "losses")
    for k in range(3):
        journal.keep(*journal_record(k))


@pytest.fixture(scope="module")
def reader():
    made = Reader()
    yield made
    made.close()


def ended(reader, base: Path, seed: int, folder: Path) -> str:
    """How the reading of a base file ended that is damaged with this seed."""
    path = folder / base.name
    if path.name == "traces.npz":
        shutil.copyfile(base.with_name("result.json"), folder / "result.json")
    path.write_bytes(mutated(base.read_bytes(), seed))
    return reader.read(LOADER.get(path.stem, "load_recording"), path)


def wrong(reader, bases, folder: Path, cases) -> list[str]:
    """Of damaged files (base, seed), those that were neither read nor refused in a sentence."""
    found = []
    for name, seed in cases:
        how = ended(reader, bases[name], seed, folder)
        if how and not how.startswith("SpikefabError: "):
            found.append(f"({name!r}, {seed}): {how}")
    return found


def test_base_files_are_read(reader, bases, tmp_path):
    for base in bases.values():
        assert reader.read(LOADER.get(base.stem, "load_recording"), base) == "", base.name


def test_damaged_files_are_read_or_refused(reader, bases, tmp_path):
    assert wrong(reader, bases, tmp_path, [(name, seed) for name in bases for seed in range(FEW)]) == []


def test_what_was_found_is_right_now(reader, bases, tmp_path):
    assert wrong(reader, bases, tmp_path, FOUND) == []


@pytest.mark.long
def test_many_damaged_files(reader, bases, tmp_path, account):
    data = os.environ.get("SPIKEFAB_DATA")
    real = sorted(p for p in Path(data).rglob("*") if p.suffix in (".abf", ".nwb", ".csv", ".txt")) if data else []
    files = {p.name: p for p in real if p.is_file() and p.stat().st_size < LARGEST}
    cases = [(name, seed) for name in bases for seed in range(MANY)]
    cases += [(name, seed) for name in files for seed in range(OF_REAL)]
    assert wrong(reader, {**bases, **files}, tmp_path, cases) == []
    account("mutated files", files=len(cases), bases=len(bases), recordings=len(files), wrong=0)
