"""`spikefab doctor` says what is not ready for some uses, and what to do about each."""

import grp
import importlib.metadata
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest

from spikefab import parts
from spikefab.boards import ports
from spikefab.boards.table import BOARDS
from spikefab.hw.models import MODELS
from spikefab.sim.engine import INTERPRETED
from spikefab.toolchain import cache

ROOT = Path(__file__).parents[2]


def studio(folder: Path, *, web: bool, page: bool) -> Path:
    if page:
        (folder / "static").mkdir()
        for name in ("index.html", "app.js"):
            (folder / "static" / name).write_text("", encoding="utf-8")
    if web:
        (folder / "web" / "src").mkdir(parents=True)
        (folder / "web" / "src" / "main.ts").write_text("", encoding="utf-8")
        os.utime(folder / "web" / "src" / "main.ts", (1, 1))
    return folder


def test_every_part_that_is_not_ready_says_what_to_do(spikefab):
    ran = spikefab("doctor", "--json")
    found = {p["name"]: p for p in ran.json["parts"]}
    assert {"cache", "disk", "kernels of a fit", "the Studio's page", *parts.EXTRAS} <= found.keys()
    assert all(p["ready"] or p["advice"] for p in found.values())
    assert all(p["state"] for p in found.values())


def test_a_part_that_is_not_ready_is_no_failure(spikefab, monkeypatch, tmp_path):
    monkeypatch.setattr(parts, "_studio_folder", lambda: tmp_path)
    before = spikefab("doctor", "--json")
    assert before.code == (5 if before.json["missing"] else 0)
    out = spikefab("doctor").out
    assert "missing from the package" in out
    if before.code == 0:
        assert "For some uses: " in out.splitlines()[-1] and "the Studio's page" in out.splitlines()[-1]


def test_the_page_of_a_wheel(tmp_path):
    assert parts.page_state(studio(tmp_path, web=False, page=True)).ready
    shutil.rmtree(tmp_path / "static")
    assert "pip install --force-reinstall" in parts.page_state(tmp_path).advice


def test_the_page_of_a_checkout(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    told = parts.page_state(studio(tmp_path, web=True, page=False))
    assert not told.ready and told.state == "not built in this checkout"
    assert "apt install nodejs npm" in told.advice and "make studio" in told.advice
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/npm")
    assert "nodejs" not in parts.page_state(tmp_path).advice
    studio(tmp_path, web=False, page=True)
    assert parts.page_state(tmp_path).ready
    os.utime(tmp_path / "web" / "src" / "main.ts", (2**33, 2**33))
    told = parts.page_state(tmp_path)
    assert not told.ready and "before its sources were changed" in told.state


def test_the_advice_about_the_page_is_a_target_of_make():
    assert "\nstudio: " in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_a_cache_that_cannot_be_used(spikefab, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setenv("SPIKEFAB_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr(cache, "refused", {})
    ran = spikefab("doctor", "--json")
    assert "note: the cache" in ran.err
    found = {p["name"]: p for p in ran.json["parts"]}
    assert not found["cache"]["ready"]
    assert str(tmp_path / "file") in found["cache"]["state"] and "SPIKEFAB_CACHE=" in found["cache"]["advice"]


def test_kernels_are_counted_by_model(tmp_path):
    first, second = [*MODELS][:2]
    for name in (f"{first}_0a", f"{first}_0b", f"{second}_ideal_0c", "Strange_0d"):
        (tmp_path / f"{name}.json").write_text("{}", encoding="utf-8")
    assert f"for 1 of {len(MODELS)} models" in parts.kernel_state(tmp_path).state
    assert "the first fit" in parts.kernel_state(tmp_path).state
    for name in MODELS:
        (tmp_path / f"{name}_0.json").write_text("{}", encoding="utf-8")
    assert parts.kernel_state(tmp_path).state == f"compiled for {len(MODELS)} of {len(MODELS)} models"


def test_compiled_kernels_are_shown(spikefab, monkeypatch, tmp_path):
    """By model and arithmetic; one that is damaged does not count."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPIKEFAB_CACHE", raising=False)
    folder = cache.cache_dir("kernels")
    (folder / "__pycache__").mkdir()
    for name in ("LIFNeuron_0a", "LIFNeuron_0b", "LIFNeuron_ideal_0c", "ThetaNeuron_0d", "ThetaNeuron_ideal_0e"):
        made = folder / "__pycache__" / f"{name}.kernel-1.py311.1.nbc"
        made.write_text(name, encoding="utf-8")
        cache.seal(folder / f"{name}.json", [made])
    (folder / "__pycache__" / "ThetaNeuron_0d.kernel-1.py311.1.nbc").write_text("edited", encoding="utf-8")
    found = {
        k["model"]: (k["fixed_point"], k["float64"]) for k in spikefab("doctor", "--json").json["kernels"]["models"]
    }
    assert found == {**dict.fromkeys(MODELS, (0, 0)), "LIFNeuron": (2, 1), "ThetaNeuron": (0, 1)}
    out = spikefab("doctor").out
    assert "LIFNeuron 2 1" in " ".join(out.split()) and "ThetaNeuron - 1" in " ".join(out.split())
    assert f"sweeps of more than {INTERPRETED:,} steps" in " ".join(out.split())


def test_a_missing_package_is_still_told(spikefab, monkeypatch):
    version = importlib.metadata.version

    def missing(name):
        if name == "numba":
            raise importlib.metadata.PackageNotFoundError
        return version(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    ran = spikefab("doctor")
    assert ran.code == 5 and "numba: pip install numba" in ran.err and "Compiled kernels" not in ran.out


def test_a_full_disk(monkeypatch, tmp_path):
    assert parts.disk_state(tmp_path).ready == (shutil.disk_usage(tmp_path).free > parts.DISK)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2e7))
    told = parts.disk_state(tmp_path)
    assert not told.ready and "20 MB for the cache" in told.state


def test_a_board_whose_port_may_not_be_opened(monkeypatch, tmp_path):
    port = tmp_path / "ttyUSB1"
    port.write_text("", encoding="utf-8")
    monkeypatch.setattr(ports, "connected", lambda: {str(port): [BOARDS["icebreaker"]]})
    assert [p.ready for p in parts.port_states()] == [True]
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    (told,) = parts.port_states()
    assert not told.ready
    assert told.advice == f"sudo usermod -aG {port.group()} $USER, then log in again"


def test_connected_boards_are_found_by_their_ids(monkeypatch):
    usb = BOARDS["ulx3s-25f"].usb
    port = SimpleNamespace(vid=usb[0], pid=usb[1], location="1-1:1.0", device="/dev/ttyUSB7")
    monkeypatch.setattr(ports.list_ports, "comports", lambda: [port])
    (names,) = [[board.name for board in boards] for boards in ports.connected().values()]
    assert names == [f"ulx3s-{size}f" for size in (12, 25, 45, 85)]
    (told,) = parts.port_states()
    assert told.name.startswith("board ulx3s-12f or ulx3s-25f or") and "/dev/ttyUSB7" in told.state


@pytest.mark.parametrize(("groups", "ready"), [((), False), ((4711,), True)])
def test_without_a_board_the_group_of_ports_is_asked(monkeypatch, groups, ready):
    monkeypatch.setattr(ports, "connected", dict)
    monkeypatch.setattr(grp, "getgrnam", lambda name: SimpleNamespace(gr_gid=4711, gr_name=name))
    for name, value in (("geteuid", 1000), ("getegid", 1000), ("getgroups", list(groups))):
        monkeypatch.setattr(os, name, lambda value=value: value)
    (told,) = parts.port_states()
    assert told.ready is ready
    assert ("usermod -aG dialout" in told.advice) is not ready


def test_another_distribution_has_another_group(monkeypatch):
    def group(name):
        if name == "dialout":
            raise KeyError(name)
        return SimpleNamespace(gr_gid=4711, gr_name=name)

    monkeypatch.setattr(grp, "getgrnam", group)
    assert parts._join_group(None) == "sudo usermod -aG uucp $USER, then log in again"


def test_extras_are_those_of_the_package(monkeypatch):
    """Each package of `neo` and `table` is told; how to install one is a command that names an extra that exists."""
    wanted = importlib.metadata.requires("spikefab") or []
    optional = {line.split(">")[0] for line in wanted if 'extra == "neo"' in line or 'extra == "table"' in line}
    assert optional <= parts.EXTRAS.keys()

    def none(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", none)
    told = {p.name: p.advice for p in parts.extra_states()}
    assert told["pandas"] == "pip install 'spikefab[table]'" and told["hdf5plugin"] == "pip install hdf5plugin"


def test_a_broken_reader_of_another_package(monkeypatch):
    class Point:
        name, module, dist = ".rig", "our_rig", SimpleNamespace(name="our-rig")

        def load(self):
            raise ModuleNotFoundError("No module named 'our_rig'")

    monkeypatch.setattr(
        importlib.metadata, "entry_points", lambda group: [Point()] if group == "spikefab.readers" else []
    )
    (told,) = parts.plugin_states()
    assert not told.ready and told.name == "reader .rig"
    assert "No module named 'our_rig'" in told.state and told.advice.endswith("our-rig")
