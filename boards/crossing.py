"""A population with a clock of its own, faster than that of the link: what passes between the two clocks."""

from typing import Any

from amaranth import Cat, DomainRenamer, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import wiring
from amaranth.lib.cdc import FFSynchronizer
from amaranth.lib.fifo import AsyncFIFOBuffered

from .population import Population

# Clocks of the link from the signal that a step is done until it counts: an event that was put into the queue before it may be
# seen this much later.
SETTLE = 5
EVENTS = 16  # events that can be on their way from one clock to the other
CLOCKS = 2 * SETTLE + 8  # clocks of the link that the passage of a step takes, at most


class Crossing(wiring.Component):
    """The ports of a `Population`, in the domain `sync`. The population itself is in the domain `fast`.

    A step, and a write, is asked for by a level that stays until the answer has come, which is a level too, and goes when it
    goes. What is passed beside a level does not change while it is up.
    """

    _MustUse__silence = True

    def __init__(self, population: Population) -> None:
        self.population = population
        self.datapath, self.addresses = population.datapath, population.addresses
        super().__init__(dict(population.signature.members))

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        there = self.population
        m.submodules.population = DomainRenamer("fast")(there)
        self._writes(m, there)
        self._steps(m, there)
        return m

    def _writes(self, m: Module, there: Population) -> None:
        asked, done, finished = Signal(), Signal(), Signal()
        wanted = self._across(m, asked, "write_asked", "fast")
        answered = self._across(m, done, "write_done", "sync")
        given = Cat(there.cfg_addr, there.cfg_data)
        held = Signal(len(given))  # until the write is done
        m.d.comb += [given.eq(held), there.cfg_valid.eq(wanted & ~done), self.cfg_ready.eq(finished)]
        with m.If(there.cfg_valid & there.cfg_ready):
            m.d.fast += done.eq(1)
        with m.Elif(~wanted):
            m.d.fast += done.eq(0)
        m.d.sync += finished.eq(asked & answered)
        with m.If(asked & answered):
            m.d.sync += asked.eq(0)
        with m.Elif(~asked & ~answered & self.cfg_valid & ~finished):
            m.d.sync += [asked.eq(1), held.eq(Cat(self.cfg_addr, self.cfg_data))]

    def _steps(self, m: Module, there: Population) -> None:
        asked, begun, done = Signal(), Signal(), Signal()
        wanted = self._across(m, asked, "step_asked", "fast")
        answered = self._across(m, done, "step_done", "sync")
        m.submodules.events = events = AsyncFIFOBuffered(
            width=there.number_bits, depth=EVENTS, r_domain="sync", w_domain="fast"
        )
        settled = Signal(range(SETTLE + 1))
        m.d.comb += [
            there.i_valid.eq(wanted & ~begun),
            there.o_ready.eq(done & ~wanted),
            events.w_data.eq(there.events.payload),
            events.w_en.eq(there.events.valid),
            there.events.ready.eq(events.w_rdy),
            self.events.payload.eq(events.r_data),
            self.events.valid.eq(events.r_rdy),
            events.r_en.eq(self.events.ready),
            self.o_v.eq(there.o_v),
            self.i_ready.eq(~asked & ~answered),
            self.o_valid.eq(asked & (settled == SETTLE) & ~events.r_rdy),
        ]
        m.d.fast += done.eq(begun & there.o_valid)
        with m.If(there.i_valid & there.i_ready):
            m.d.fast += begun.eq(1)
        with m.Elif(there.o_ready & there.o_valid):
            m.d.fast += begun.eq(0)
        with m.If(~answered):
            m.d.sync += settled.eq(0)
        with m.Elif(settled != SETTLE):
            m.d.sync += settled.eq(settled + 1)
        with m.If(self.i_valid & self.i_ready):
            m.d.sync += [asked.eq(1), there.i.eq(self.i)]
        with m.If(self.o_valid & self.o_ready):
            m.d.sync += asked.eq(0)

    def _across(self, m: Module, level: Signal, name: str, domain: str) -> Signal:
        """A level, in another domain."""
        seen = Signal(name=name)
        m.submodules[f"to_{name}"] = FFSynchronizer(level, seen, o_domain=domain)
        return seen
