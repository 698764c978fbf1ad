"""What is exported for FuseSoC and LiteX, run in these: FuseSoC's simulation and lint, and a SoC of LiteX in Icarus Verilog."""

import importlib.util
import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import UsageError
from spikefab.hw.lowering.cores import core_name
from spikefab.hw.lowering.verilog import to_verilog
from spikefab.hw.models import MODELS
from spikefab.sim import reference
from spikefab.sim.export import export_verilog
from spikefab.sim.simulator import Simulator
from spikefab.toolchain import tools

SOC = Path(__file__).with_name("litex_soc.py")
MISSING = [name for name in ("fusesoc", "litex") if importlib.util.find_spec(name) is None]
needs = pytest.mark.skipif(bool(MISSING), reason=f"{MISSING} not installed: pip install 'spikefab[dev]'")


def ran(*words, cwd, env=None):
    done = subprocess.run([str(w) for w in words], cwd=cwd, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@needs
@pytest.mark.parametrize("name", ["LIFNeuron", pytest.param("HodgkinHuxleyNeuron", marks=pytest.mark.slow)])
def test_fusesoc_simulates_and_lints_it(name, tmp_path):
    neuron = MODELS[name](word=18)
    files = export_verilog(neuron, None, tmp_path, to="fusesoc", steps=500)
    assert [file.name for file in files] == [f"{name}.v", f"{name}_tb.v", f"{name}.core"]
    env = tools.simulator_env("verilator") | {"XDG_CONFIG_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path)}
    run = [sys.executable, "-m", "fusesoc.main", "--cores-root", ".", "run"]
    assert "PASS: 500 steps, 0 mismatches" in ran(*run, "--target=sim", core_name(neuron), cwd=tmp_path, env=env)
    ran(*run, "--target=lint", core_name(neuron), cwd=tmp_path, env=env)
    # a design that differs fails, and FuseSoC with it
    first = next(iter(neuron.values))
    (tmp_path / f"{name}.v").write_text(to_verilog(MODELS[name](word=18, **{first: 1.1 * neuron.values[first]})))
    failed = subprocess.run([*run, "--target=sim", core_name(neuron)], cwd=tmp_path, env=env, capture_output=True)
    assert failed.returncode != 0


@needs
@pytest.mark.parametrize(("name", "bits"), [("LIFNeuron", 18), pytest.param("AdExNeuron", 24, marks=pytest.mark.slow)])
def test_a_soc_of_litex_runs_it_step_by_step(name, bits, tmp_path):
    """Registers are written over the CSRs, also those that take two words of the bus, then each step is compared."""
    neuron, other = MODELS[name](word=bits), MODELS[name](word=bits, E_L=-60.0)
    files = export_verilog(other, None, tmp_path, to="litex", steps=5)
    assert [file.name for file in files] == [f"{name}.v", f"{name}_tb.v", f"{name}_litex.py"]
    dp = neuron.datapath
    codes = Simulator(neuron).input_codes(np.repeat(dp.i_span * np.array([0.0, 0.6, -0.1, 0.9]), 100))
    v, spikes, states = reference.run(dp, list(neuron.initial.values()), list(neuron.codes.values()), codes)
    assert sum(map(int, spikes)) > 0
    plan = [("ready", "wait", 1)]
    for register, code in zip(dp.registers, neuron.reset_codes, strict=True):
        plan += [("address", "write", register.address), ("data", "write", int(code)), ("ready", "wait", 1)]
    for current, shown, spiked, after in zip(codes, v, spikes, states, strict=True):
        plan += [("current", "write", int(current)), ("ready", "wait", 1)]
        plan += [("v", "read", int(shown)), ("spike", "read", int(spiked))]
        plan += [(f"state_{n}", "read", int(code)) for n, code in zip(dp.states, after, strict=True)]
    plan += [("spikes", "read", sum(map(int, spikes)))]
    (tmp_path / "plan.json").write_text(json.dumps(plan))
    ran(sys.executable, SOC, name, cwd=tmp_path)
    ran(*tools.require_tool("iverilog").command, "-g2005", "-o", "soc.vvp", "tb.v", "soc.v", f"{name}.v", cwd=tmp_path)
    accesses, wrong = re.search(r"(\d+) accesses, +(\d+) wrong", ran("vvp", "soc.vvp", cwd=tmp_path)).groups()
    assert int(accesses) >= len(plan) and int(wrong) == 0


def test_a_format_that_there_is_not(tmp_path):
    with pytest.raises(UsageError, match="to is one of verilog, fusesoc, litex, not 'vhdl'"):
        export_verilog(MODELS["LIFNeuron"](), None, tmp_path, to="vhdl")
