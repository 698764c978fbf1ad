"""The exported Verilog and its testbench, as a user runs them: PASS, and FAIL with a status when a result is wrong."""

import re
import subprocess

import numpy as np
import pytest

from spikefab.boards.absorb import into_primitives
from spikefab.boards.netlist import synthesised
from spikefab.boards.netlist import to_verilog as to_netlist
from spikefab.boards.table import BOARDS
from spikefab.errors import UsageError
from spikefab.hw.lowering.verilog import to_verilog
from spikefab.hw.models import MODELS, AdExNeuron, LIFNeuron, MorrisLecarNeuron
from spikefab.sim.export import export_verilog
from spikefab.toolchain.tools import WAIVERS, find_tool, simulator_env


def simulated(folder, name, simulator):
    """The testbench's exit status and output, from the commands that its header gives."""
    header = (folder / f"{name}_tb.v").read_text().split("\nmodule")[0]
    line = next(text for text in header.splitlines() if ("iverilog" if simulator == "icarus" else "verilator") in text)
    done = subprocess.run(
        line.removeprefix("//").strip().removeprefix("$"), shell=True, cwd=folder, env=simulator_env(simulator),
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def export(neuron, folder, **options):
    current = np.random.default_rng(0).normal(0.3, 0.5, 400) * neuron.datapath.i_span
    return export_verilog(neuron, np.clip(current, -neuron.datapath.i_span, neuron.datapath.i_span), folder, **options)


@pytest.mark.parametrize(
    ("kind", "simulator"),
    [*((kind, "icarus") for kind in MODELS.values()), pytest.param(AdExNeuron, "verilator", marks=pytest.mark.slow)],
    indirect=["simulator"],
)
def test_pass_and_fail(kind, simulator, tmp_path):
    design, bench = export(kind(word=16), tmp_path, steps=250)
    name = kind.__name__
    assert [design.name, bench.name] == [f"{name}.v", f"{name}_tb.v"]
    status, out = simulated(tmp_path, name, simulator)
    assert (status, "PASS: 250 steps, 0 mismatches" in out) == (0, True), out
    # one bit of the last golden vector: the last state is off by one
    text = bench.read_text()
    golden = re.findall(r"golden\[249\] = \d+'h[0-9a-f]+;", text)[0]
    head, _, digits = golden.rstrip(";").rpartition("h")
    bench.write_text(text.replace(golden, f"{head}h{int(digits, 16) ^ 1:x};"))
    status, out = simulated(tmp_path, name, simulator)
    assert status != 0
    assert "FAIL: 1 of 250 steps differ" in out
    assert "PASS" not in out
    assert f"step 249: state_{list(kind.states())[-1]} is" in out


@pytest.mark.skipif(find_tool("iverilog") is None, reason="Icarus Verilog is not installed: apt install iverilog")
def test_icarus_reads_it_as_verilog_2005(kind, word, tmp_path):
    assert read_by(["iverilog", "-g2005", "-o", "n", "n.v"], "icarus", kind(word=word), tmp_path) == (0, "")


@pytest.mark.parametrize("simulator", ["icarus"], indirect=True)
@pytest.mark.parametrize(
    ("right", "wrong", "said"),
    [
        ("18'h2e800", "18'h2e801", "steps differ"),  # E_L
        ("assign i_ready = ", "assign i_ready = 1'b0 & ", "FAIL: no answer"),
    ],
)
def test_a_fault_of_the_design_is_a_status(right, wrong, said, simulator, tmp_path):
    design, _ = export(LIFNeuron(), tmp_path, steps=50)
    text = design.read_text(encoding="utf-8")
    assert right in text
    design.write_text(text.replace(right, wrong), encoding="utf-8")
    status, out = simulated(tmp_path, "LIFNeuron", simulator)
    assert status != 0 and said in out


def test_verilator_has_nothing_to_complain_about(kind, word, tmp_path):
    """Of the design and its testbench, but for what is waived in them with a reason; it truncates nothing."""
    neuron = kind(word=word)
    files = export_verilog(neuron, np.zeros(20), tmp_path)
    texts = [file.read_text(encoding="utf-8") for file in files]
    assert [set(re.findall(r"lint_off (\w+) \*/  // \w+", text)) for text in texts] == [
        set(WAIVERS),
        {"PINCONNECTEMPTY"},
    ]
    for text, file in zip(texts, files, strict=True):
        off, on = (re.findall(rf"verilator lint_{switch} (\w+)", text) for switch in ("off", "on"))
        assert off == on, "what is waived here is not waived in other files"
        # the waived names are groups, of which these are the members that occur; the other of WIDTH is a truncation
        finer = text.replace("WIDTH */", "WIDTHEXPAND */").replace("UNUSED */", "UNUSEDSIGNAL */")
        file.write_text(finer, encoding="utf-8")
    command = ["verilator", "--lint-only", "-Wall", "--top-module", f"{kind.__name__}_tb", *(f.name for f in files)]
    done = subprocess.run(
        command, cwd=tmp_path, env=simulator_env("verilator"), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow  # synthesis, and a simulation of its netlist
@pytest.mark.parametrize(
    ("kind", "board"), [(AdExNeuron, "icebreaker"), (LIFNeuron, "ulx3s-25f"), (MorrisLecarNeuron, "tang_nano_9k")]
)
def test_the_netlist_of_one_neuron_passes_the_same_bench(kind, board, tmp_path):
    """With registers moved into multipliers, as a bitstream has it; those of a Gowin stay where they are."""
    family = BOARDS[board].family
    neuron = kind(word=16 if family.name == "iCE40" else 18)
    design, bench = export(neuron, tmp_path, steps=400)
    net = synthesised(neuron, family, absorbed=False)
    assert (into_primitives(net, family.name) > 0) == (family.name != "Gowin")
    design.write_text(to_netlist(net, family, kind.__name__), encoding="utf-8")
    command = [
        "verilator",
        "--binary",
        "--timing",
        "-Wno-fatal",
        "-Wno-lint",
        "-Wno-style",
        "--top-module",
        f"{kind.__name__}_tb",
    ]
    env = simulator_env("verilator")
    subprocess.run([*command, design.name, bench.name], cwd=tmp_path, env=env, capture_output=True, check=True)
    done = subprocess.run([tmp_path / "obj_dir" / f"V{kind.__name__}_tb"], capture_output=True, text=True, check=False)
    assert (done.returncode, "PASS: 400 steps, 0 mismatches" in done.stdout) == (0, True), done.stdout


def read_by(command, simulator, neuron, folder):
    (folder / "n.v").write_text(to_verilog(neuron))
    done = subprocess.run(
        command, cwd=folder, env=simulator_env(simulator), capture_output=True, text=True, check=False
    )
    return done.returncode, done.stderr


def test_header_documents_every_port_and_register(kind):
    neuron = kind()
    text = to_verilog(neuron, "cell_a")
    header, body = text.split("module cell_a(")
    ports = body.split(")")[0].replace(" ", "").split(",")
    for port in ports:
        assert re.search(rf"^// {port} ", header, re.MULTILINE), f"{port} is not documented"
    for r, code in zip(neuron.datapath.registers, neuron.reset_codes, strict=True):
        row = rf"^// {r.address} +{r.name} +{r.format.width} +{re.escape(str(r.format))} +{code} "
        assert re.search(row, header, re.MULTILINE)
    for name in kind.params():
        assert re.search(rf"^// {name} ", header, re.MULTILINE)
    assert f"Latency {neuron.latency} clocks" in header
    assert "time step 0.1 ms" in header


def test_register_map_is_the_hardware_s(kind):
    """Coefficients in order, then states in order: addresses that hosts and exported files have by now."""
    neuron = kind()
    dp = neuron.datapath
    assert [r.address for r in dp.registers] == list(range(len(dp.coefficients) + len(dp.states)))
    assert {r.name: r.format for r in dp.registers if r.kind == "coefficient"} == dp.coefficients
    assert {r.name: r.format for r in dp.registers if r.kind == "state"} == dp.states
    assert [r.name for r in dp.registers] == [*dp.coefficients, *dp.states]
    held = {r.name: code for r, code in zip(dp.registers, neuron.reset_codes, strict=True)}
    assert held == {**neuron.codes, **neuron.initial}
    assert len(neuron.cfg_addr) == dp.address_bits
    assert len(neuron.cfg_data) == dp.code_bits


def test_same_neuron_same_text():
    assert to_verilog(LIFNeuron()) == to_verilog(LIFNeuron())


@pytest.mark.parametrize("name", ["2fast", "a b", "naïve", ""])
def test_bad_module_name(name):
    with pytest.raises(UsageError, match="cannot name a Verilog module"):
        to_verilog(LIFNeuron(), name)


def test_current_beyond_the_input_is_refused(tmp_path):
    with pytest.raises(UsageError, match="outside the input's span"):
        export_verilog(MODELS["LIFNeuron"](i_span=1.0), [0.5, 1.5], tmp_path / "out")
    assert not (tmp_path / "out").exists()
