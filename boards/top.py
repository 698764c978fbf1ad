"""The top level of a board: a neuron behind its serial link, and the pins on which it can be seen."""

import math
from typing import Any

from amaranth import ClockDomain, DomainRenamer, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import io, wiring
from amaranth.lib.wiring import In, Out

from spikefab.calls import whole
from spikefab.errors import UsageError
from spikefab.hw.lowering.schedule import schedule
from spikefab.hw.neuron import Neuron

from .clocks import Clock, pll, slowest
from .crossing import CLOCKS, Crossing
from .identity import identity
from .link import Layout, identity_block
from .linked import LinkedNeuron
from .population import Crowd, Population
from .table import Board
from .uart import divisor

SLOWEST = 9600  # bits per second, of a serial line
STIMULUS = 512  # entries of the stimulus of a population, at most: it needs the memory for its states
LED_SECONDS = 0.02  # s for which the LED lights after a spike: visible, and still dark between spikes at 25 Hz


class Setup:
    """What one bitstream is made of: a neuron, a board, its clock and the speed of its line.

    clock_hz  Hz; None: that of the board, mostly its crystal's, without a PLL; of a population, the slowest with which it keeps up
              with dt
    baud      bits per second of the line; None: the board's
    crowd     None: one neuron

    part       the gateware: the neuron, or the population
    link_hz    Hz, of the link: that of the neurons, but the crystal's, if the neurons of a population have a PLL
    crosses    whether these are two clocks
    """

    def __init__(
        self, neuron: Neuron, board: Board, clock_hz: float | None = None, baud: int | None = None,
        crowd: Crowd | None = None,
    ) -> None:  # fmt: skip
        self.neuron, self.board, self.crowd = neuron, board, crowd
        self.part: Neuron | Population = neuron
        if crowd is not None:
            self.part = Population(crowd.lanes_of(neuron, board))
            if self.part.number_bits > neuron.datapath.readout.width:
                raise UsageError(
                    f"{crowd.neurons:,} neurons are more than the link can tell apart at word {neuron.word}."
                )
            clock_hz = self._fast_enough(self.part) if clock_hz is None else clock_hz
        clock_hz = board.neuron_hz if clock_hz is None else clock_hz
        self.pll = None if clock_hz == board.clock_hz else pll(board.family.name, board.clock_hz, clock_hz)
        self.clock_hz = board.clock_hz if self.pll is None else self.pll.hz
        self.crosses = crowd is not None and self.pll is not None
        self.link_hz = board.clock_hz if self.crosses else self.clock_hz
        self.baud = board.uart_baud if baud is None else whole(baud, "baud", 1)
        if self.baud < SLOWEST:
            raise UsageError(f"a line of {self.baud} baud is slower than {SLOWEST}, the least that makes sense.")
        try:
            # a frame with a write takes more than 20 bits: the neuron has taken it before the next one has arrived
            if crowd is None and neuron.latency >= 20 * divisor(self.clock_hz, self.baud):
                raise ValueError
            divisor(self.link_hz, self.baud)
        except ValueError:
            raise UsageError(
                f"a line of {self.baud:,} baud cannot be made from a clock of {self.clock_hz / 1e6:g} MHz, or is too fast for "
                "this neuron: take a slower one, or a faster --clock."
            ) from None
        self.tick = max(2, round(self.link_hz * neuron.dt / 1000))
        depth = board.stimulus
        if isinstance(self.part, Population):  # with another clock than its own it may be slower than dt
            self.tick, depth = max(self.tick, self.ticks), min(depth, STIMULUS)
        dp = neuron.datapath
        self.layout = Layout(dp.code_bits, dp.current.width, dp.readout.width, depth)

    def _fast_enough(self, population: Population) -> float:
        """Hz, of the slowest clock of the board with which all neurons make a step every dt."""
        board, seconds = self.board, self.neuron.dt / 1000
        if population.clocks + population.between <= board.clock_hz * seconds:
            return board.clock_hz
        seconds -= (population.between + CLOCKS) / board.clock_hz
        return slowest(board.family.name, board.clock_hz, population.clocks / seconds).hz

    @property
    def ticks(self) -> int:
        """Clocks of the link that a step of a population takes, at most."""
        population = self.part
        assert isinstance(population, Population)
        clocks = math.ceil(population.clocks * self.link_hz / self.clock_hz)
        return clocks + population.between + CLOCKS * self.crosses

    @property
    def occupancy(self) -> float:
        """The share of the clocks in which a multiplier begins a product, while steps follow each other."""
        population = isinstance(self.part, Population)
        plan = self.part.lanes.banks[0].plan if population else schedule(self.neuron.datapath.trace)
        return len(plan.unit) / (self.part.interval * max(1, len({*plan.unit.values()})))

    @property
    def identity(self) -> dict[str, Any]:
        """What the board says of itself."""
        block = identity(self.neuron.datapath, self.layout, self.board.name, self.link_hz, self.tick)
        if self.crowd is not None:
            crowd: dict[str, Any] = {"neurons": self.crowd.neurons, "lanes": self.crowd.lanes, "clock": self.clock_hz}
            crowd["own"] = list(self.crowd.per_neuron)
            block |= {"crowd": crowd}
        return block

    def system(self) -> Elaboratable:
        """The `System`, to be simulated with one clock."""
        return DomainRenamer({"fast": "sync"})(System(self)) if self.crosses else System(self)


class System(wiring.Component):
    """A neuron on its serial line, with what shows its spikes and its voltage: all of a bitstream but pins and clock.

    | port | dir | meaning |
    |---|---|---|
    | `rx` `tx` | in, out | the serial line |
    | `led` | out | high for about 20 ms after each spike |
    | `spike` | out | high for about 1 ms after each spike |
    | `voltage` | out | the read-out as a stream of pulses (first-order sigma-delta): the share of high clocks is that of the
    read-out in its format's range |
    """

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        super().__init__(
            {"rx": In(1, init=1), "tx": Out(1, init=1), **{n: Out(1) for n in ("led", "spike", "voltage")}}
        )

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        s = self.setup
        block = identity_block(s.identity)
        m.submodules.linked = linked = LinkedNeuron(
            s.part if not s.crosses else Crossing(s.part), s.layout, block, clock_hz=s.link_hz, baud=s.baud, tick=s.tick
        )
        m.d.comb += [linked.rx.eq(self.rx), self.tx.eq(linked.tx)]

        # A spike loads the LED counter with all ones, not with an exact count: registers that are set and
        # registers that are reset cannot share a tile of an iCE40; a carry chain split for this was the slowest path.
        shown = Signal(round(s.link_hz * LED_SECONDS).bit_length())
        with m.If(linked.fired):
            m.d.sync += shown.eq(~0)
        with m.Elif(shown != 0):
            m.d.sync += shown.eq(shown - 1)
        # registers keep glitches of the comparisons from the pins
        m.d.sync += [self.led.eq(shown != 0), self.spike.eq(shown[-4:].all())]

        v = linked.neuron.o_v
        total = Signal(len(v) + 1)
        m.d.sync += total.eq(total[:-1] + (v + (1 << len(v) - 1)).as_unsigned()[: len(v)])
        m.d.comb += self.voltage.eq(total[-1])
        return m


class Top(Elaboratable):
    """A `System` on the pins of a board: its first UART and LED, two pins of a connector, and its clock."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        board = self.setup.board
        if self.setup.pll is not None:
            m.domains.sync = ClockDomain()
            crystal = "crystal" if self.setup.crosses else None
            clock: Elaboratable = Clock(self.setup.pll, crystal, board.pll_pad)
            if crystal is not None:
                m.domains.fast = ClockDomain()
                clock = DomainRenamer({"sync": "fast", crystal: "sync"})(clock)
            m.submodules.clock = clock
        m.submodules.system = system = System(self.setup)
        pins = board.request(platform)
        m.submodules.rx = rx = io.Buffer("i", pins.pop("rx"))
        m.d.comb += system.rx.eq(rx.i)
        for name, pin in pins.items():
            m.submodules[name] = buffer = io.Buffer("o", pin)
            m.d.comb += buffer.o.eq(getattr(system, name))
        return m
