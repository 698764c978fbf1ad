"""Plays external currents to the hardware of a network in Verilator, without Python in the loop."""

import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from amaranth.back import rtlil
from amaranth.hdl import Cat, Elaboratable, Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike

from spikefab.errors import ToolError
from spikefab.files import temporary_prefix
from spikefab.hw.network import Network
from spikefab.toolchain.tools import kill_with_us

from . import rtl_simulation
from .network import Activity

MAIN = Path(__file__).with_name("network.cpp")


class Played(wiring.Component):
    """A network with the results in a form that `network.cpp` writes as it is: words of 32 bits, and `s` in 64."""

    def __init__(self, network: Network):
        self.network, self.parts = network, ["o_v", "o_spike", *(f"state_{n}" for n in network.bank.datapath.states)]
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i": In(signed(32)),
                "s_valid": Out(1),
                "s": Out(signed(64)),
                "o_valid": Out(1),
                "o_record": Out(32 * (1 + len(self.parts))),
            }
        )

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        m.submodules.network = network = self.network
        m.d.comb += [network.i_valid.eq(self.i_valid), network.i.eq(self.i)]
        m.d.comb += [getattr(self, name).eq(getattr(network, name)) for name in ("i_ready", "s_valid", "s", "o_valid")]
        words = []
        for part in ("o_neuron", *self.parts):
            word = Signal(signed(32), name=f"word_{part}")
            m.d.comb += word.eq(getattr(network, part))
            words.append(word)
        m.d.comb += self.o_record.eq(Cat(words))
        return m


def play(
    network: Network, external: ArrayLike, *, idle: int = 0, progress: Callable[[str], None] | None = None
) -> tuple[Activity, int]:
    """What the hardware computes, and the number of clocks that it took.

    external  (T, count) codes, or (T,) if the network takes one for all
    idle      of 256 clocks, in how many on average no current is offered although there is one

    Raises ToolError.
    """
    codes, count = np.asarray(external, dtype=np.int32), network.bank.count
    assert codes.ndim == (1 if network.broadcast else 2)
    design = rtlil.convert(Played(network), name=rtl_simulation.TOP, emit_src=False)
    program = rtl_simulation.program(design, MAIN, progress=progress)
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as scratch:
        files = [Path(scratch) / name for name in ("currents", "results", "synaptic")]
        codes.tofile(files[0])
        command = [*kill_with_us(), str(program), *map(str, files), str(len(codes) * count), str(idle)]
        done = subprocess.run(command, capture_output=True, text=True, encoding="utf-8")
        if done.returncode:
            raise ToolError(f"the simulation of the network broke off with status {done.returncode}.")
        words = np.fromfile(files[1], dtype=np.int32).reshape(len(codes), count, -1).astype(np.int64)
        synaptic = np.fromfile(files[2], dtype=np.int64).reshape(len(codes), count)
    if not (words[:, :, 0] == np.arange(count)).all():
        raise ToolError("the neurons of the network do not come in their order.")
    return Activity(words[:, :, 1], words[:, :, 2], words[:, :, 3:], synaptic), int(done.stdout)
