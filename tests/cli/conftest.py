"""The command line called in this process, and a fit."""

import json
from dataclasses import dataclass
from typing import Any

import pytest


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one object on stdout; NaN would not be JSON."""
        return json.loads(self.out, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))

    @property
    def sentence(self) -> str:
        """The last line of stderr, which is all that a user's mistake may leave there besides notes."""
        *before, last = self.err.strip().splitlines()
        assert all(line.startswith("note: ") for line in before), before
        assert last.startswith("spikefab: ")
        assert last.endswith((".", "?"))
        assert "Traceback" not in self.err
        return last.removeprefix("spikefab: ")


@pytest.fixture
def spikefab(capsys):
    def run(*args: object) -> Ran:
        from spikefab.cli import main

        capsys.readouterr()
        code = main([str(arg) for arg in args])
        captured = capsys.readouterr()
        return Ran(code, captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def fitted(recording):
    """The folder of a fit of the recording: LIF only, few evaluations."""
    from spikefab.cli import main

    out = recording.parent / "fit"
    assert main(["fit", str(recording), "--models", "lif", "--budget", "96", "--out", str(out)]) == 0
    return out


@pytest.fixture
def build_report():
    """build_report(board, model, word, out): the report of a build that was not done."""

    def made(board, model, word, out):
        from spikefab.boards.build import BuildReport

        size = {"cells": 900, "multipliers": 1, "block_rams": 0, "mhz": 30.0, "clock_mhz": 12.0, "pll": False}
        speed = {"interval": 17, "latency": 17, "neurons": 1, "baud": 115200, "steps_per_second": 2304}
        speed |= {"times_real_time": 0.23, "free_run": 1.0, "possible_neurons": 70}
        return BuildReport(board, model, word, **size, **speed, bitstream=str(out / "a.bin"))

    return made
