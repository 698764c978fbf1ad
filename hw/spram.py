"""The states of a bank in memories with one port, such as the SB_SPRAM256KA of an iCE40 UltraPlus."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Cat, ClockSignal, Const, Elaboratable, Instance, Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from spikefab.errors import UsageError

from .fixed import Q
from .words import Block, Fields, Words, levels

BITS, WORDS = 16, 1 << 14  # of an SB_SPRAM256KA
# the shapes of a block RAM, SB_RAM40_4K
SHAPES = (Block(16, 256), Block(8, 512), Block(4, 1024), Block(2, 2048))


@dataclass(frozen=True)
class Spram:
    """A bank's states are in single-port memories, and in block RAMs what these have no room for.

    memories  how many memories there are, each of 16,384 words of 16 bits: an even number
    """

    memories: int = 4

    def __post_init__(self) -> None:
        if self.memories not in (2, 4):
            raise UsageError(f"the memories of a bank are 2 or 4, not {self.memories}.")

    def halves(self, interval: int) -> int:
        """Groups of memories that are used in the same clock: one is read while the other is written, if a step begins in each."""
        return 2 if interval == 1 else 1

    def bits(self, width: int, interval: int) -> int:
        """How many bits of a word of this width are in them."""
        return min(width, BITS * self.memories // self.halves(interval))

    def most(self, interval: int) -> int:
        """The largest number of neurons."""
        return WORDS * self.halves(interval)

    def meets(self, latency: int, interval: int) -> bool:
        """Whether a step would be read when another one, which is shown `latency` clocks after its current, is written."""
        return latency % max(2, interval) == 0

    def shape(self, width: int, count: int) -> Block:
        """The shape of block RAMs for so many words of the bits that are left: that which takes the fewest."""
        return min(SHAPES, key=lambda s: (-(-width // s.bits) * s.groups(count), s.groups(count)))


class SinglePort(wiring.Component):
    """A memory that is written in a clock, or read: then `out` is the word in the next clock. After a write, it is undefined."""

    def __init__(self, width: int):
        """width: bits of a word, 1 to 16."""
        self.width = width
        super().__init__({"address": In(range(WORDS)), "data": In(width), "write": In(1), "out": Out(width)})

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        if getattr(platform, "device", "").startswith("iCE40UP"):
            data, out = Signal(BITS), Signal(BITS)
            m.d.comb += [data.eq(self.data), self.out.eq(out)]
            m.submodules.spram = Instance(
                "SB_SPRAM256KA",
                i_ADDRESS=self.address, i_DATAIN=data, i_MASKWREN=Const(0b1111), i_WREN=self.write, i_CHIPSELECT=Const(1),
                i_CLOCK=ClockSignal(), i_STANDBY=Const(0), i_SLEEP=Const(0), i_POWEROFF=Const(1), o_DATAOUT=out,
            )  # fmt: skip
        else:
            m.submodules.memory = memory = Memory(shape=unsigned(self.width), depth=WORDS, init=[])
            reads, writes = memory.read_port(), memory.write_port()
            m.d.comb += [reads.addr.eq(self.address), writes.addr.eq(self.address), reads.en.eq(~self.write)]
            m.d.comb += [writes.data.eq(self.data), writes.en.eq(self.write), self.out.eq(reads.data)]
        return m


class SpramWords(Fields):
    """A memory with a word for each neuron, as `Words` is one.

    If a step begins in each clock, the even neurons are in one half of the memories and the odd ones in the other. Neuron n begins
    in clocks whose number is even or odd as n is: the steps that are read and those that are written then never need the same half.
    With a longer interval, all memories are side by side, and read and written in different clocks of the interval. What they show
    after a write is undefined, so that a word that was read is held in a register.
    """

    def __init__(self, m: Module, name: str, formats: Mapping[str, Q], spram: Spram, count: int, interval: int):
        super().__init__(m, name, formats)
        self.low = spram.bits(self.width, interval)
        self.halves: list[list[SinglePort]] = []
        for half in range(spram.halves(interval)):
            memories = [SinglePort(min(BITS, self.low - at)) for at in range(0, self.low, BITS)]
            for k, memory in enumerate(memories):
                m.submodules[f"{name}_{half}_{k}"] = memory
            self.halves.append(memories)
        self.rest = None
        if self.low < self.width:
            left = self.width - self.low
            shape, formats_left = spram.shape(left, count), {"rest": Q(left, 0)}
            self.rest = Words(m, f"{name}_rest", formats_left, {"rest": np.zeros(count, dtype=int)}, shape)
        self.writing = [Signal(name=f"{name}_writing_{half}") for half in range(len(self.halves))]

    def _half(self, address: Any) -> tuple[Any, Any]:
        """Which half a neuron is in, and its address there."""
        return (Const(0), address) if len(self.halves) == 1 else (address[0], address[1:])

    def reads(self, address: Any, enable: Any, clocks: int) -> None:
        """Read the word at an address, if enabled and not just written to, which is shown 1 + `clocks` clocks later: 2 or more."""
        m = self.m
        half, self.read_at = self._half(address)
        read, which = Signal(name=f"{self.name}_read"), Signal(name=f"{self.name}_half")
        m.d.sync += [read.eq(enable & ~Mux(half, self.writing[-1], self.writing[0])), which.eq(half)]
        shown = [Cat(memory.out for memory in memories) for memories in self.halves]
        word: Any = Signal(self.low, name=f"{self.name}_held", reset_less=True)
        with m.If(read):
            m.d.sync += word.eq(Mux(which, shown[-1], shown[0]))
        for k in range(clocks - 1):
            word = self._held(word, f"held_{k}")
        if self.rest is not None:
            self.rest.reads(address, enable, 0)
            high: Any = self.rest.word
            for k in range(clocks - levels(len(self.rest.groups))):
                high = self._held(high, f"rest_held_{k}")
            word = Cat(word, high)
        m.d.comb += self.word.eq(word)

    def writes(self, address: Any, word: Any, enable: Any) -> None:
        """Write a word to an address, if enabled, in the next clock."""
        m = self.m
        if self.rest is not None:
            self.rest.writes(address, word[self.low :], enable)
        half, address = self._half(address)
        at, word = self._held(address, "written_at"), self._held(word[: self.low], "written")
        here = [enable] if len(self.halves) == 1 else [enable & ~half, enable & half]
        for enabled, writing, memories in zip(here, self.writing, self.halves, strict=True):
            m.d.sync += writing.eq(enabled)
            for k, memory in enumerate(memories):
                m.d.comb += [
                    memory.address.eq(Mux(writing, at, self.read_at)),
                    memory.data.eq(word[BITS * k : BITS * (k + 1)]),
                    memory.write.eq(writing),
                ]
