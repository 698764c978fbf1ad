"""The cache: what is in it is executed, so what is damaged, edited or another's is made again, with a notice."""

import json
import os
import random
import stat
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numba
import numpy as np
import pytest

from spikefab.sim import kernels
from spikefab.toolchain.cache import CacheNotice, cache_dir

SOURCE = """
import numba


@numba.njit(cache=True)
def kernel(x, out):
    for k in range(len(x)):
        out[k] = x[k] * 3 + 1
"""
X = np.arange(50.0)


def run(name="Tiny_0123456789abcdef", source=SOURCE):
    """Load the kernel as a new process would, and run it."""
    kernels.load.cache_clear()
    module = kernels.load(name, source)
    out = np.zeros_like(X)
    kernels.prepare(module, (numba.typeof(X), numba.typeof(out)))
    module.kernel(X, out)
    return out


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPIKEFAB_CACHE", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield tmp_path / "spikefab" / "kernels"
    kernels.load.cache_clear()
    os.environ.pop("SPIKEFAB_CACHE", None)


def entries(place):
    """The files of the kernel, without the lock, which holds nothing."""
    return sorted(p for p in place.rglob("*") if p.is_file() and p.suffix != ".lock")


DAMAGES = {
    "truncated": lambda data, rng: data[: rng.randrange(len(data))],
    "zeroed": lambda data, rng: bytes(len(data)),
    "empty": lambda data, rng: b"",
    "a bit": lambda data, rng: flipped(data, [rng.randrange(8 * len(data))]),
    "bits": lambda data, rng: flipped(data, [rng.randrange(8 * len(data)) for _ in range(40)]),
    "longer": lambda data, rng: data + b"\0",
    "noise": lambda data, rng: rng.randbytes(len(data)),
}


def flipped(data, bits):
    made = bytearray(data)
    for bit in bits:
        made[bit // 8] ^= 1 << bit % 8
    return bytes(made)


def damaged(place, count, seed):
    """Damage one file of the cache after the other, and run the kernel each time."""
    rng = random.Random(seed)
    assert np.array_equal(run(), 3 * X + 1)
    assert {p.suffix for p in entries(place)} == {".py", ".json", ".nbi", ".nbc"}
    done = Counter()
    while done.total() < count:
        file = rng.choice(entries(place))
        how = rng.choice([*DAMAGES])
        before = file.read_bytes()
        after = DAMAGES[how](before, rng)
        if after == before or (file.suffix == ".json" and after.strip() == before.strip()):
            continue  # nothing was damaged
        done[f"{file.suffix} {how}"] += 1
        file.write_bytes(after)
        with pytest.warns(CacheNotice, match="compiled again"):
            assert np.array_equal(run(), 3 * X + 1), (file.name, how)
        assert kernels.cached("Tiny_0123456789abcdef")
    return done


def test_damaged_entries_are_compiled_again(place):
    damaged(place, 25, seed=1)


@pytest.mark.long
def test_five_hundred_damaged_entries(place, account):
    done = damaged(place, 500, seed=2)
    account(
        "damaged entries of the cache", damaged=done.total(), rebuilt=done.total(), kinds=dict(sorted(done.items()))
    )


def test_what_was_added_to_a_source_is_not_run(place, tmp_path):
    run()
    (source,) = place.glob("*.py")
    times = source.stat()
    source.write_text(source.read_text().replace("* 3 + 1", "* 3 + 2") + f"\nopen({str(tmp_path / 'ran')!r}, 'w')\n")
    os.utime(source, ns=(times.st_atime_ns, times.st_mtime_ns))
    with pytest.warns(CacheNotice, match="was changed"):
        assert np.array_equal(run(), 3 * X + 1)
    assert not (tmp_path / "ran").exists() and source.read_text() == SOURCE


def test_an_entry_that_is_missing(place):
    run()
    for file in entries(place):
        file.unlink()
        assert not kernels.cached("Tiny_0123456789abcdef") or file.suffix == ".py"
        if file.suffix in (".nbc", ".nbi", ".json"):
            with pytest.warns(CacheNotice, match="not as it was made"):
                run()
        else:
            assert np.array_equal(run(), 3 * X + 1)


def test_what_another_can_write_is_closed(place):
    run()
    place.chmod(0o777)
    run()
    assert not stat.S_IMODE(place.stat().st_mode) & 0o022
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to another user")
def test_what_belongs_to_another_is_not_used(place):
    run()
    os.chown(place, 12345, 12345)
    with pytest.warns(CacheNotice, match="belongs to another user"):
        assert np.array_equal(run(), 3 * X + 1)
    assert cache_dir("kernels") != place


@pytest.mark.parametrize("case", ["a file", "kind is a file", "below a file", "pycache is a file"])
def test_no_usable_cache(case, tmp_path, monkeypatch, recwarn):
    home = tmp_path / "cache"
    blocked = {
        "a file": home,
        "kind is a file": home / "spikefab" / "kernels",
        "below a file": tmp_path / "x",
        "pycache is a file": home / "spikefab" / "kernels" / "__pycache__",
    }[case]
    blocked.parent.mkdir(parents=True, exist_ok=True)
    blocked.write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(home if blocked != tmp_path / "x" else blocked / "y"))
    monkeypatch.delenv("SPIKEFAB_CACHE", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    try:
        assert np.array_equal(run(), 3 * X + 1)
        told = [str(w.message) for w in recwarn if issubclass(w.category, CacheNotice)]
        assert len(told) == (case != "pycache is a file")
        assert all("cannot be used" in text and "until this process ends" in text for text in told)
    finally:
        os.environ.pop("SPIKEFAB_CACHE", None)


@pytest.mark.parametrize(
    "command", [["doctor"], ["export", "lif", "--to", "verilog", "--out", "{}/out"], ["fit", "{}/none.csv"]]
)
def test_the_command_line_without_a_cache(command, tmp_path):
    (tmp_path / "cache").write_text("")
    (tmp_path / "tmp").mkdir()
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": str(tmp_path / "tmp")}
    env.pop("SPIKEFAB_CACHE", None)
    words = [word.format(tmp_path) for word in command]
    ran = subprocess.run([sys.executable, "-m", "spikefab", *words], capture_output=True, text=True, env=env)
    assert ran.returncode == (3 if "fit" in words else 0), ran.stderr
    assert "Traceback" not in ran.stderr and ran.stderr.count("cannot be used") <= 1
    assert not list((tmp_path / "tmp").iterdir())


def test_a_defect_without_a_place_for_its_report(tmp_path):
    """The log of a defect goes elsewhere, or to the terminal: it never is a second defect."""
    (tmp_path / "cache").write_text("")
    program = "import spikefab.cli as cli, spikefab.doctor as d; d.doctor = lambda *_: 1 / 0; cli.entry()"
    for place, says in ((str(tmp_path), "Details are in"), ("/proc", "Details are above")):
        env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache"), "TMPDIR": place}
        body = program if place != "/proc" else f"import tempfile; tempfile.tempdir = '/proc'; {program}"
        ran = subprocess.run([sys.executable, "-c", body, "doctor"], capture_output=True, text=True, env=env)
        assert ran.returncode == 1 and "ZeroDivisionError" in ran.stderr and says in ran.stderr, ran.stderr


def test_a_damaged_simulation_is_built_again(tmp_path):
    from spikefab.sim import rtl_simulation

    made, kept = tmp_path / "made", tmp_path / "kept"
    for text in ("first", "second"):
        made.mkdir()
        (made / "dut").write_text(text)
        rtl_simulation._keep(made, kept)
        assert rtl_simulation._kept(kept) and (kept / "dut").read_text() == text
        (kept / "dut").write_text(text.upper())
        with pytest.warns(CacheNotice, match="damaged"):
            assert not rtl_simulation._kept(kept)
        assert not kept.exists()
        for file in made.iterdir():
            file.unlink()
        made.rmdir()


def test_a_record_that_is_no_record(place):
    run()
    (record,) = place.glob("*.json")
    for text in ("", "[]", "{}", "null", json.dumps({"x": 1}), "[" * 100_000, "\udcff"):
        record.write_bytes(text.encode("utf-8", "surrogateescape"))
        with pytest.warns(CacheNotice, match="not as it was made"):
            assert np.array_equal(run(), 3 * X + 1)
    assert Path(place).is_dir()


def test_one_kernel_serves_all_arrays(place):
    """Arrays that cannot be written, skip numbers, or begin with another axis do not compile again: an entry stays sealed."""
    from spikefab.hw.datapath import datapath
    from spikefab.hw.models import LIFNeuron

    dp = datapath(LIFNeuron)
    codes = dp.quantise(LIFNeuron.defaults())
    current = np.zeros((2, 40))
    kept = np.zeros((2, 80))[:, ::2]
    kept.flags.writeable = current.flags.writeable = False
    for given in (np.zeros((2, 40)), current, kept, np.zeros((40, 2)).T):
        kernels.simulate(dp, codes, given, data=kept, outside=current, length=np.array([3, 4], dtype=np.int32))
        kernels.simulate(dp, codes, given, trace=True, regress=True, clip=0)
    name, source = kernels._source(dp)
    assert len(kernels.load(name, source).kernel.signatures) == 1
    assert kernels.cached(name)
