"""The two queues of a board's link: the stimulus, which the host fills, and the records, which the line empties.

Neither uses what its memory reads at an address in the clock in which this address is written (proved in tests/formal), so
that a memory may be any that the device has.
"""

from typing import Any

from amaranth import Module, Mux, Signal, signed, unsigned
from amaranth.hdl import Elaboratable
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from .link import BODY, Layout


class StimulusQueue(wiring.Component):
    """Holds up to `depth` entries, each a current code and the steps for which it lasts.

    | port | dir | meaning |
    |---|---|---|
    | `opening` | in | what was stored since the last `commit` is forgotten |
    | `write` `entry` | in | store an entry: it can be played only after a `commit` |
    | `full` | out | there is no room: a `write` stores nothing |
    | `commit` | in | the entries stored since the last `opening` are to be played |
    | `code` `empty` | out | the current code of the next step; there is none |
    | `advance` | in | the step was done. `code` and `empty` are valid again two clocks later |
    | `again` | in | begin again with the first entry of the memory. `code` is valid two clocks later |
    | `begun` | out | entries that were played to their end, modulo twice the depth |

    Only one of `opening`, `write` and `commit` comes at a time, and so with `advance` and `again`; `advance` not if `empty`.
    Between two of `opening`, there are at most 63 of `write`. The depth is a power of two.
    """

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.entry_layout = data.StructLayout({"steps": 8, "code": signed(layout.current)})
        super().__init__(
            {
                "opening": In(1),
                "write": In(1),
                "entry": In(self.entry_layout),
                "full": Out(1),
                "commit": In(1),
                "code": Out(signed(layout.current)),
                "empty": Out(1),
                "advance": In(1),
                "again": In(1),
                "begun": Out(range(2 * layout.depth)),
            }
        )

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        depth = self.layout.depth
        m.submodules.memory = memory = Memory(shape=self.entry_layout, depth=depth, init=[])
        write, read = memory.write_port(), memory.read_port()
        kept = Signal(range(2 * depth))  # entries that were committed; the top bit tells a full queue from an empty one
        more = Signal(range(BODY))  # entries stored since
        stored = Signal(range(2 * depth))
        done = Signal(8)  # steps done of the entry at the head
        m.d.comb += [
            stored.eq(kept + more),
            write.addr.eq(stored),
            write.data.eq(self.entry),
            write.en.eq(self.write & ~self.full),
            read.addr.eq(self.begun),
            self.full.eq(stored == (self.begun ^ depth)),
            self.empty.eq(self.begun == kept),
            self.code.eq(read.data.code),
        ]
        with m.If(write.en):
            m.d.sync += more.eq(more + 1)
        with m.If(self.opening | self.commit):
            m.d.sync += more.eq(0)
        with m.If(self.commit):
            m.d.sync += kept.eq(stored)
        with m.If(self.advance):
            m.d.sync += done.eq(done + 1)
            with m.If(done == read.data.steps):
                m.d.sync += [done.eq(0), self.begun.eq(self.begun + 1)]
        with m.If(self.again):
            m.d.sync += self.begun.eq(0)
        return m


class RecordQueue(wiring.Component):
    """Holds up to `slots` records and gives them out byte by byte, the low byte first.

    | port | dir | meaning |
    |---|---|---|
    | `records` | in | records; not ready: there is no room |
    | `empty` | out | there is no record |
    | `bytes` | out | bytes; `last` marks the last one of each record |
    """

    def __init__(self, layout: Layout, slots: int) -> None:
        self.count, self.slots = layout.record_bytes, slots
        self.record_layout = data.StructLayout({"spike": 1, "time": 15, "v": signed(8 * (self.count - 2))})
        super().__init__(
            {
                "records": In(stream.Signature(self.record_layout)),
                "empty": Out(1),
                "bytes": Out(stream.Signature(data.StructLayout({"byte": unsigned(8), "last": 1}))),
            }
        )

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        m.submodules.memory = memory = Memory(
            shape=unsigned(8 * self.count), depth=self.slots, init=[], attrs={"ram_style": "block"}
        )
        write, read = memory.write_port(), memory.read_port()
        stored, sent = Signal(range(2 * self.slots)), Signal(range(2 * self.slots))
        got = Signal(range(self.count))  # bytes sent of the record that is being sent
        settled = Signal()  # the memory has read the record that is being sent
        m.d.comb += [
            self.empty.eq(stored == sent),
            self.records.ready.eq(stored != (sent ^ self.slots)),
            write.addr.eq(stored),
            write.data.eq(self.records.payload),
            write.en.eq(self.records.valid & self.records.ready),
            read.addr.eq(sent),
            self.bytes.payload.byte.eq(read.data.word_select(got, 8)),
            self.bytes.payload.last.eq(got == self.count - 1),
            self.bytes.valid.eq(~self.empty & settled),
        ]
        with m.If(write.en):
            m.d.sync += stored.eq(stored + 1)
        m.d.sync += settled.eq(~self.empty)
        with m.If(self.bytes.valid & self.bytes.ready):
            m.d.sync += got.eq(Mux(self.bytes.payload.last, 0, got + 1))
            with m.If(self.bytes.payload.last):
                m.d.sync += [settled.eq(0), sent.eq(sent + 1)]
        return m
