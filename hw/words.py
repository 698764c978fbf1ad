"""The memory of a bank: a word for each neuron, in as many block RAMs as that takes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, signed, unsigned
from amaranth.lib.memory import Memory

from spikefab.calls import whole
from spikefab.errors import UsageError

from .fixed import Q

CHOICES = 4  # words of which one is chosen between two registers


@dataclass(frozen=True)
class Block:
    """The shape in which a block RAM is used.

    bits   of a word
    words  a power of two

    Raises UsageError for values that cannot be.
    """

    bits: int
    words: int

    def __post_init__(self) -> None:
        whole(self.bits, "bits", 1)
        if whole(self.words, "words", 2) & (self.words - 1):
            raise UsageError(f"the words of a block RAM are a power of two, not {self.words}.")

    def groups(self, count: int) -> int:
        """How many block RAMs a slice of `count` words takes."""
        return -(-count // self.words)


def levels(groups: int) -> int:
    """The clocks in which the word of one group is chosen."""
    return 0 if groups == 1 else 1 + levels(-(-groups // CHOICES))


class Fields:
    """What memories of words have in common: the `word` that was read, and its parts, the `fields`, by name."""

    def __init__(self, m: Module, name: str, formats: Mapping[str, Q]):
        self.m, self.name, self.width = m, name, sum(q.width for q in formats.values())
        self.word = Signal(self.width, name=f"{name}_word")
        self.fields, at = {}, 0
        for field, q in formats.items():
            self.fields[field] = Signal(signed(q.width), name=f"{name}_{field}")
            m.d.comb += self.fields[field].eq(self.word[at : at + q.width])
            at += q.width

    def _held(self, value: Any, name: str) -> Any:
        """A value a clock later."""
        held = Signal(len(value), name=f"{self.name}_{name}", reset_less=True)
        self.m.d.sync += held.eq(value)
        return held


class Words(Fields):
    """A memory with a word for each neuron, to read and to write.

    Words are cut into slices of `block.bits`, and their number into groups of `block.words`. With a `block`, a word is written a
    clock later, and where there are several groups it is chosen in `levels` more clocks after it was read, so that no path leads
    across all of them.
    """

    def __init__(
        self, m: Module, name: str, formats: Mapping[str, Q], codes: Mapping[str, np.ndarray], block: Block | None
    ):
        super().__init__(m, name, formats)
        self.late = block is not None
        rows, at = np.zeros(len(next(iter(codes.values()))), dtype=object), 0
        for field, q in formats.items():
            rows += np.array([(int(code) & ((1 << q.width) - 1)) << at for code in codes[field]], dtype=object)
            at += q.width
        bits, self.depth = (block.bits, block.words) if block is not None else (at, len(rows))
        self.groups: list[list[tuple[Any, Any]]] = []  # in each, the ports of each slice, the lowest bits first
        for first in range(0, len(rows), self.depth):
            ports = []
            for low in range(0, at, bits):
                width, group = min(bits, at - low), rows[first : first + self.depth]
                part = [row >> low & (1 << width) - 1 for row in group]
                memory = Memory(shape=unsigned(width), depth=len(part), init=part, attrs={"ram_style": "block"})
                m.submodules[f"{name}_{first}_{low}"] = memory
                ports.append((memory.read_port(), memory.write_port()))
            self.groups.append(ports)

    def reads(self, address: Any, enable: Any, registers: int) -> None:
        """Read the word at an address, if enabled, which is shown 1 + `registers` + `levels` clocks later."""
        m = self.m
        group = Signal(range(len(self.groups)), name=f"{self.name}_group")
        with m.If(enable):
            m.d.sync += group.eq(address // self.depth)
        for ports in self.groups:
            for reads, _ in ports:
                m.d.comb += [reads.addr.eq(address), reads.en.eq(enable)]
        words: list[Any] = [Cat(reads.data for reads, _ in ports) for ports in self.groups]
        which: Any = group
        for k in range(registers):
            words = [self._held(word, f"read_{n}_{k}") for n, word in enumerate(words)]
            which = self._held(which, f"group_{k}")
        while len(words) > 1:
            chosen = []
            for first in range(0, len(words), CHOICES):
                some, word = words[first : first + CHOICES], words[first]
                for k, other in enumerate(some[1:], 1):
                    word = Mux(which % CHOICES == k, other, word)
                chosen.append(self._held(word, f"chosen_{len(words)}_{first}"))
            words, which = chosen, self._held(which // CHOICES, f"group_of_{len(words)}")
        m.d.comb += self.word.eq(words[0])

    def writes(self, address: Any, word: Any, enable: Any) -> None:
        """Write a word to an address, if enabled: now, or in the next clock with a `block`."""
        m = self.m
        here = (
            [enable & (address // self.depth == n) for n in range(len(self.groups))]
            if len(self.groups) > 1
            else [enable]
        )
        if self.late:
            address, word = self._held(address, "written_at"), self._held(word, "written")
            here = [self._held(enabled, f"writes_{n}") for n, enabled in enumerate(here)]
        for enabled, ports in zip(here, self.groups, strict=True):
            low = 0
            for _, writes in ports:
                size = len(writes.data)
                m.d.comb += [
                    writes.addr.eq(address),
                    writes.en.eq(enabled),
                    writes.data.eq(word[low : low + size]),
                ]
                low += size
