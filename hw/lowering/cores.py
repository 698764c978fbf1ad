"""What wraps an exported Verilog module for other people's tools: a core file of FuseSoC, and a module of LiteX.

Both are text only: neither tool is imported.
"""

from spikefab import __version__

from .verilog import Design, module_name

CORE = """\
CAPI=2:

# Made by spikefab. In the folder of this file:
#
#   fusesoc --cores-root . run --target=sim {core}
#   fusesoc --cores-root . run --target=lint {core}

name: "{core}"
description: "{title}; word {word}, time step {dt:g} ms"

filesets:
  rtl:
    files: [{module}.v]
    file_type: verilogSource
  bench:
    files: [{module}_tb.v]
    file_type: verilogSource

targets:
  default: &default
    description: "The neuron, for a core that depends on this one"
    filesets: [rtl]
    toplevel: {module}

  sim:
    <<: *default
    description: "Play golden vectors of the exact reference, and compare"
    filesets: [rtl, bench]
    toplevel: {module}_tb
    flow: sim
    flow_options:
      tool: icarus
      iverilog_options: [-g2005]

  lint:
    <<: *default
    description: "Lint"
    flow: lint
    flow_options:
      tool: verilator
      verilator_options: [-Wall]
"""

LITEX = '''\
"""{module} for LiteX: the Verilog of {module}.v behind CSRs. Made by spikefab.

    from {module}_litex import {module}

    self.neuron = {module}(platform)  # in a SoC

{title}. Word {word}, time step {dt:g} ms. All numbers are codes in two's complement: a code c of Q(i, f) stands for
c / 2**f. A CSR of more than 32 bits takes two words, the upper one first; it acts when the lower one is written.
"""

from pathlib import Path

from litex.gen import LiteXModule
from litex.soc.interconnect.csr import CSRStatus, CSRStorage
from migen import ClockSignal, If, Instance, ResetSignal, Signal


class {module}(LiteXModule):
    """One neuron. A step is begun by writing `current`, a register is written by writing `data`; `ready` tells when it is done."""

    def __init__(self, platform):
        self.current = CSRStorage({i_bits}, description="input current of the next step, nA, {i_format}: begins it")
        self.ready = CSRStatus(1, reset=1, description="the last step or write is done")
        self.address = CSRStorage({address_bits}, description="of a register: see the head of {module}.v")
        self.data = CSRStorage({code_bits}, description="code, sign-extended: is written to the register of this address")
        self.spikes = CSRStatus(32, description="spikes since the reset")
{statuses}

        # # #

        offered, busy, writing = Signal(), Signal(), Signal()
        i_ready, o_valid, cfg_ready = Signal(), Signal(), Signal()
{signals}
        self.specials += Instance(
            "{module}",
            i_clk=ClockSignal("sys"),
            i_rst=ResetSignal("sys"),
            i_i_valid=offered & ~writing,
            o_i_ready=i_ready,
            i_i=self.current.storage,
            o_o_valid=o_valid,
            i_o_ready=1,
{outputs}
            i_cfg_valid=writing,
            o_cfg_ready=cfg_ready,
            i_cfg_addr=self.address.storage,
            i_cfg_data=self.data.storage,
        )
        platform.add_source(str(Path(__file__).with_name("{module}.v")))
        self.comb += self.ready.status.eq(~(offered | busy | writing))
        self.sync += [
            If(offered & ~writing & i_ready, offered.eq(0), busy.eq(1)),
            If(self.current.re, offered.eq(1)),
            If(writing & cfg_ready, writing.eq(0)),
            If(self.data.re, writing.eq(1)),
            If(
                o_valid,
                busy.eq(0),
                self.spikes.status.eq(self.spikes.status + o_spike),
{taken}
            ),
        ]
'''


def core_name(neuron: Design, name: str | None = None) -> str:
    """The name by which FuseSoC knows the neuron: vendor, library, name, version."""
    version = __version__.partition(".dev")[0]
    return f"spikefab:neuron:{module_name(neuron, name)}:{version}".lower()


def core_file(neuron: Design, name: str | None = None) -> str:
    """The text of a core file of FuseSoC (CAPI2) beside the files that `to_verilog` and `testbench` are written to."""
    return CORE.format(core=core_name(neuron, name), **_about(neuron, name))


def litex_module(neuron: Design, name: str | None = None) -> str:
    """The text of a Python module with a LiteX module beside the Verilog that `to_verilog` is written to."""
    dp = neuron.datapath
    ports = {"o_v": ("v", dp.readout.width, f"membrane potential to show, mV, {dp.readout}")}
    ports["o_spike"] = ("spike", 1, "1: the last step ended in a spike")
    ports |= {f"state_{n}": (f"state_{n}", q.width, f"state after the last step, {q}") for n, q in dp.states.items()}
    lines = {
        "statuses": '        self.{csr} = CSRStatus({width}, description="{doc}")',
        "signals": "        {port} = Signal({width})",
        "outputs": "            o_{port}={port},",
        "taken": "                self.{csr}.status.eq({port}),",
    }
    texts = {
        part: "\n".join(
            line.format(port=port, csr=csr, width=width, doc=doc) for port, (csr, width, doc) in ports.items()
        )
        for part, line in lines.items()
    }
    return LITEX.format(
        i_bits=dp.current.width,
        i_format=dp.current,
        address_bits=dp.address_bits,
        code_bits=dp.code_bits,
        **texts,
        **_about(neuron, name),
    )


def _about(neuron: Design, name: str | None) -> dict[str, object]:
    dp = neuron.datapath
    title = (dp.model.__doc__ or "").strip().splitlines()[0].rstrip(".").replace('"', "'")
    return {"module": module_name(neuron, name), "title": title, "word": dp.word, "dt": dp.dt}
