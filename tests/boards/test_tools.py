"""Finding tools, and what a missing, old or failing one says."""

import importlib.util
import os
import subprocess
import tempfile

import pytest
from amaranth import Module, Signal, signed
from amaranth.back import rtlil
from amaranth.lib.memory import Memory

from spikefab.errors import ToolError
from spikefab.toolchain import tools

NEEDED = [name for name, source in tools.TOOLS.items() if not source.optional]


def fake(folder, name, says):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)


@pytest.mark.parametrize("name", NEEDED)
def test_every_tool_is_found_with_its_version(name):
    tool = tools.require_tool(name)
    assert tool.name == name
    assert tool.version[0].isdigit()


@pytest.mark.parametrize("name", tools.TOOLS)
def test_a_missing_tool_says_what_to_install(name, monkeypatch):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(importlib.util, "find_spec", lambda module: None)
    assert tools.find_tool(name) is None
    with pytest.raises(ToolError, match=r"(pip|apt) install \S+\.$") as error:
        tools.require_tool(name)
    assert str(error.value).startswith(name)


@pytest.mark.parametrize(("version", "taken"), [("0.4-1+b1", False), ("nextpnr-0.7", True), ("0.10-12-g1a", True)])
def test_a_native_router_is_preferred_when_recent(version, taken, tmp_path, monkeypatch):
    fake(tmp_path, "nextpnr-ice40", f'"nextpnr-ice40" -- Next Generation Place and Route (Version {version})')
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    tool = tools.require_tool("nextpnr-ice40")
    assert (tool.origin == str(tmp_path / "nextpnr-ice40")) is taken


def test_a_tool_works_from_its_package_alone(tmp_path, monkeypatch):
    """As in an environment that was not activated, on a machine with nothing of its own."""
    monkeypatch.setenv("PATH", "")
    tool = tools.require_tool("nextpnr-ice40")
    tools.run(tool, ["--version"], cwd=tmp_path, log=tmp_path / "log")
    assert "nextpnr" in (tmp_path / "log").read_text()


def test_the_first_call_says_that_it_compiles(tmp_path, monkeypatch):
    monkeypatch.delenv("SPIKEFAB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    said = []
    for _ in range(2):
        tool = tools.require_tool("ecppack")
        tools.run(tool, ["--help"], cwd=tmp_path, log=tmp_path / "log", notice=said.append)
    assert said == ["compiling ecppack for this machine, once"]
    assert (tmp_path / "spikefab" / "yowasp").is_dir()


def test_an_error_of_yosys_is_told_in_its_words(tmp_path):
    with pytest.raises(tools.ToolFailed, match=r"yosys stopped: .*absent.il.*The log is .*log\.$") as error:
        tools.yosys("read_rtlil absent.il", cwd=tmp_path, log=tmp_path / "log")
    assert "absent.il" in error.value.log.read_text()


def test_yosys_works_where_temporary_files_have_a_space_in_their_path(tmp_path, monkeypatch):
    """Its abc opened half of the path."""
    (tmp_path / "t mp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "t mp"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t mp"))
    (tmp_path / "and.v").write_text("module top(input a, b, output c); assign c = a & ~b; endmodule", encoding="utf-8")
    tools.yosys("read_verilog and.v\nsynth_ice40 -top top", cwd=tmp_path, log=tmp_path / "log")


def test_yosys_leaves_no_temporary_files(tmp_path, monkeypatch):
    """A yosys that is killed leaves those of abc."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    tools.yosys("exec -- touch $TMPDIR/left && ls $TMPDIR > seen", cwd=tmp_path, log=tmp_path / "log")
    assert (tmp_path / "seen").read_text() == "left\n"
    assert not list((tmp_path / "tmp").iterdir())


def test_no_place_for_temporary_files_is_a_sentence(monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", "/with space")
    monkeypatch.setattr(os, "access", lambda place, mode: False)
    with pytest.raises(ToolError, match=r"TMPDIR without spaces in its path: it is /with space\.$"):
        tools.plain_place()


def test_an_unknown_simulator_is_a_mistake_of_ours():
    with pytest.raises(ValueError, match="modelsim"):
        tools.simulator_env("modelsim")


def test_verilog_keeps_memories_and_verilator_reads_it_without_a_warning(tmp_path):
    m = Module()
    m.submodules.memory = memory = Memory(shape=signed(18), depth=8, init=[-(3**k) for k in range(8)])
    port = memory.read_port()
    factor, product, low = Signal(signed(18)), Signal(signed(36)), Signal()
    address = Signal(3)
    m.d.comb += [port.addr.eq(address), low.eq(factor < -5)]
    m.d.sync += product.eq(port.data * factor)
    verilog = tools.rtlil_to_verilog(rtlil.convert(m, ports=[address, factor, product, low]))
    for k in range(8):
        assert f"18'h{-(3**k) & 0x3FFFF:05x}" in verilog
    assert "(*" not in verilog, "attributes name the files of whoever wrote it"
    (tmp_path / "top.v").write_text(verilog)
    env = tools.simulator_env("verilator")
    subprocess.run(["verilator", "--lint-only", "top.v"], cwd=tmp_path, env=env, check=True)
