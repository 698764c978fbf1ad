"""A disk that is full, in the middle of any command: one sentence, nothing half-written, nothing left."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from spikefab import LIFNeuron, read
from spikefab.boards.build import build
from spikefab.errors import FileError, ToolError
from spikefab.fit.report.recording_picture import picture_recording
from spikefab.sim import rtl_simulation
from spikefab.sim.export import export_verilog


def full(monkeypatch, names):
    """Writing a file whose name holds one of `names` ends in the middle."""
    written = Path.write_text

    def write_text(self, text, *args, **options):
        if any(name in self.name for name in names):
            written(self, text[: len(text) // 2], *args, **options)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return written(self, text, *args, **options)

    monkeypatch.setattr(Path, "write_text", write_text)


@pytest.mark.parametrize("name", ["LIFNeuron.v", "LIFNeuron_tb.v"])
def test_export(name, tmp_path, monkeypatch):
    export_verilog(LIFNeuron(), None, tmp_path, steps=50)
    before = {p.name: p.read_text() for p in tmp_path.iterdir()}
    full(monkeypatch, [name])
    with pytest.raises(FileError, match="No space left on device"):
        export_verilog(LIFNeuron(tau_m=33), None, tmp_path, steps=50)
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == before


@pytest.mark.parametrize("name", ["top.il", "top.json"])
def test_build(name, tmp_path, monkeypatch):
    full(monkeypatch, [name])
    with pytest.raises(FileError, match="No space left on device"):
        build(LIFNeuron(), "icebreaker", tmp_path / "out")
    assert all(p.suffix == ".log" for p in (tmp_path / "out").iterdir())


def test_yosys_wrote_half_a_netlist(tmp_path, monkeypatch):
    from spikefab.toolchain import tools

    def yosys(script, *, cwd, log):
        (cwd / "top.json").write_bytes(b'{"modules": {')

    monkeypatch.setattr(tools, "yosys", yosys)
    with pytest.raises(ToolError, match=r"yosys did not write all of its output: see whether the disk of .* is full"):
        build(LIFNeuron(), "icebreaker", tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"x" * 100])
def test_half_of_the_answers(content, tmp_path, monkeypatch):
    def run(simulator, method, options, env, log, cocotb=""):
        Path(env["SPIKEFAB_ANSWERS"]).write_bytes(content)
        log.write_bytes(b"")

    monkeypatch.setattr(rtl_simulation, "_run", run)
    monkeypatch.setattr(rtl_simulation, "simulator_env", lambda simulator: {})
    with pytest.raises(ToolError, match="did not write all of its answers"):
        rtl_simulation.play(tmp_path / "built", "verilator", {"x": np.zeros(3)})


def test_a_picture(tmp_path, monkeypatch, recording):
    from matplotlib.figure import Figure

    def savefig(self, path, **options):
        Path(path).write_bytes(b"half")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Figure, "savefig", savefig)
    with pytest.raises(OSError, match="No space"):
        picture_recording(read(recording), tmp_path / "x.png")
    assert [p.name for p in tmp_path.iterdir() if p != recording] == []


def test_a_table_runs_no_formulas(tmp_path):
    from spikefab.fit.many.collect import collect

    names = ['=HYPERLINK("http://x").csv', "+1.csv", "-1.csv", "@a.csv", "plain.csv"]
    (tmp_path / "shards").mkdir()
    content = {"run": "r", "files": names, "cells": []}
    (tmp_path / "shards" / "r-1-of-1.json").write_text(json.dumps(content))
    collect(tmp_path)
    rows = (tmp_path / "table.csv").read_text().splitlines()[1:]
    assert len(rows) == 5
    assert all(row.lstrip('"')[0] in "'p" for row in rows)
