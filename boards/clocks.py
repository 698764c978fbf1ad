"""Clocks above a board's crystal: the settings of the PLLs (SB_PLL40, EHXPLLL), and the gateware that uses one."""

import math
from dataclasses import dataclass
from typing import Any

from amaranth import ClockDomain, ClockSignal, Const, DomainRenamer, Instance, Module, ResetSignal, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import io, wiring
from amaranth.lib.cdc import FFSynchronizer, ResetSynchronizer
from amaranth.lib.wiring import In, Out

from spikefab.errors import UsageError

# Hz. Lattice FPGA-DS-02008 (iCE40 UltraPlus), table 4.12: phase detector 10..133 MHz, oscillator 533..1066 MHz;
# FPGA-DS-02012 (ECP5), table 3.22: 8..400 MHz (3.125 with fractional division), 400..800 MHz.
ICE40_OSCILLATOR, ICE40_DETECTOR = (533e6, 1066e6), (10e6, 133e6)
ECP5_OSCILLATOR, ECP5_DETECTOR = (400e6, 800e6), (8e6, 400e6)
OUTPUT = {"iCE40": (16e6, 275e6), "ECP5": (3.125e6, 400e6)}  # Hz, of a PLL, by family, from the same tables
# Clocks after the lock for which the reset stays. iCE40 RAMs read zeros for some 3 us at first (see amaranth's siliconblue
# platform): with the fastest clock that a design reaches there, 50 MHz, it stays for 10.
SETTLED = 1 << 9


@dataclass(frozen=True)
class PLL:
    """The dividers of a PLL, whose oscillator is at `output` times the clock that it makes.

    The loop is closed by that clock, which is crystal * multiply / divide; or, of an ECP5, by a second one, at the oscillator's
    clock divided by `feedback`: then it is this one that is crystal * multiply / divide, and more clocks can be made.
    """

    crystal: int  # Hz
    divide: int
    multiply: int
    output: int
    feedback: int = 0

    @property
    def hz(self) -> float:
        return self.crystal * self.multiply * (self.feedback or self.output) / (self.divide * self.output)


def pll(family: str, crystal: int, wanted: float) -> PLL:
    """The setting of a family's PLL nearest to a clock, Hz. Raises UsageError if none is within 1 %."""
    near = [setting for setting in _settings(family, crystal, wanted) if abs(setting.hz - wanted) <= 1e-2 * wanted]
    if family not in OUTPUT:
        raise UsageError(
            f"spikefab sets no PLL of a {family}: {wanted / 1e6:g} MHz cannot be made, only the crystal's clock."
        )
    if not near:
        lo, hi = OUTPUT[family]
        raise UsageError(
            f"a clock of {wanted / 1e6:g} MHz cannot be made from this board's {crystal / 1e6:g} MHz: its PLL makes "
            f"{lo / 1e6:g} to {hi / 1e6:g} MHz, and not all of them."
        )
    return min(near, key=lambda setting: abs(setting.hz - wanted))


def slowest(family: str, crystal: int, least: float) -> PLL:
    """The slowest setting of a family's PLL that makes at least so many Hz. Raises UsageError if there is none."""
    lowest = max(least, OUTPUT.get(family, (0.0, 0.0))[0])
    near = [setting for percent in range(100, 131) for setting in _settings(family, crystal, lowest * percent / 100)]
    found = [setting for setting in near if setting.hz >= least]
    if not found:
        raise UsageError(f"no PLL of this board makes a clock of {least / 1e6:.1f} MHz, which so many neurons need.")
    return min(found, key=lambda setting: setting.hz)


def _settings(family: str, crystal: int, wanted: float) -> list[PLL]:
    """Settings near a clock, Hz, that the data sheet allows."""
    if family not in OUTPUT:
        return []
    ice40 = family == "iCE40"
    (lo, hi), (least, most) = OUTPUT[family], ICE40_DETECTOR if ice40 else ECP5_DETECTOR
    found: list[PLL] = []
    if lo <= wanted <= hi:
        for divide in (n for n in range(1, 17) if least <= crystal / n <= most):
            found += _ice40(crystal, divide, wanted) if ice40 else _ecp5(crystal, divide, wanted)
    return [setting for setting in found if lo <= setting.hz <= hi]


def _ice40(crystal: int, divide: int, wanted: float) -> list[PLL]:
    """Settings with simple feedback: the oscillator is at crystal * (DIVF + 1) / (DIVR + 1), the output 2**DIVQ slower."""
    found = []
    for halvings in range(1, 7):
        f = round(wanted * 2**halvings * divide / crystal)
        oscillator = crystal * f / divide
        if 1 <= f <= 128 and ICE40_OSCILLATOR[0] <= oscillator <= ICE40_OSCILLATOR[1]:
            found.append(PLL(crystal, divide * 2**halvings, f, 2**halvings))
    return found


def _ecp5(crystal: int, divide: int, wanted: float) -> list[PLL]:
    """Settings with the output as feedback, at crystal * CLKFB_DIV / CLKI_DIV, and with one at half the oscillator."""
    middle = round(sum(ECP5_OSCILLATOR) / 2 / wanted)
    found = [PLL(crystal, divide, round(wanted * divide / crystal), middle)]
    for output in range(max(1, math.ceil(ECP5_OSCILLATOR[0] / wanted)), int(ECP5_OSCILLATOR[1] / wanted) + 1):
        found.append(PLL(crystal, divide, round(wanted * output * divide / (2 * crystal)), output, 2))
    return [
        setting
        for setting in found
        if 1 <= setting.multiply <= 80
        and 1 <= setting.output <= 128
        and ECP5_OSCILLATOR[0] <= setting.hz * setting.output <= ECP5_OSCILLATOR[1]
    ]


class Release(wiring.Component):
    """`reset` is high from the first clock on, until `locked` (asynchronous) has been high for 512 clocks."""

    def __init__(self) -> None:
        super().__init__({"locked": In(1), "reset": Out(1, init=1)})

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        locked = Signal()
        waited = Signal(range(SETTLED + 1))  # the last bit is high at the end, as SETTLED is a power of two
        m.submodules.synchronizer = FFSynchronizer(self.locked, locked)
        m.d.sync += self.reset.eq(~waited[-1])
        with m.If(~locked):
            m.d.sync += waited.eq(0)
        with m.Elif(~waited[-1]):
            m.d.sync += waited.eq(waited + 1)
        return m


class Clock(Elaboratable):
    """Clock and reset of the domain `sync`, from a PLL. The reset is released 512 clocks after the PLL has locked.

    crystal  name of a domain that has the crystal's clock, and is in reset for as long
    pad      of an iCE40, whether the crystal is at the pin of a PLL
    """

    def __init__(self, setting: PLL, crystal: str | None = None, pad: bool = True) -> None:
        self.setting, self.crystal, self.pad = setting, crystal, pad

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        s = self.setting
        clock, locked = Signal(), Signal()
        outputs: dict[str, Any]
        pin = platform.request(platform.default_clk, dir="-")
        if platform.device.startswith("iCE40"):
            detector = s.crystal * s.output / s.divide
            outputs, kind = {"o_PLLOUTGLOBAL": clock}, "SB_PLL40_PAD"
            source: dict[str, Any] = {"i_PACKAGEPIN": pin.io}
            if not self.pad:
                m.submodules.buffer = buffer = io.Buffer("i", pin)
                source, kind = {"i_REFERENCECLK": buffer.i}, "SB_PLL40_CORE"
                if self.crystal is not None:
                    m.d.comb += ClockSignal(self.crystal).eq(buffer.i)
            elif self.crystal is not None:  # the pin has no way around the PLL, but through its other output
                kind = "SB_PLL40_2_PAD"
                outputs = {"o_PLLOUTGLOBALA": ClockSignal(self.crystal), "o_PLLOUTGLOBALB": clock}
                outputs |= {"p_PLLOUT_SELECT_PORTB": "GENCLK"}
            m.submodules.pll = Instance(
                kind,
                p_FEEDBACK_PATH="SIMPLE",
                p_DIVR=Const(s.divide // s.output - 1, 4),
                p_DIVF=Const(s.multiply - 1, 7),
                p_DIVQ=Const(s.output.bit_length() - 1, 3),
                # the loop filter's range, by the frequency of the phase detector: the table of icepll (Project IceStorm)
                p_FILTER_RANGE=Const(1 + sum(detector >= f for f in (17e6, 26e6, 44e6, 66e6, 101e6)), 3),
                i_RESETB=Const(1),
                i_BYPASS=Const(0),
                o_LOCK=locked,
                **source,
                **outputs,
            )
        else:
            m.submodules.buffer = buffer = io.Buffer("i", pin)
            if self.crystal is not None:
                m.d.comb += ClockSignal(self.crystal).eq(buffer.i)
            outputs = {"i_CLKFB": clock, "o_CLKOP": clock, "p_CLKOP_DIV": s.output, "p_CLKOP_CPHASE": s.output - 1}
            if s.feedback:
                loop = Signal()
                outputs = {
                    "i_CLKFB": loop,
                    "o_CLKOP": loop,
                    "p_CLKOP_DIV": s.feedback,
                    "p_CLKOP_CPHASE": s.feedback - 1,
                }
                outputs |= {"o_CLKOS": clock, "p_CLKOS_DIV": s.output, "p_CLKOS_CPHASE": s.output - 1}
                outputs |= {"p_CLKOS_ENABLE": "ENABLED"}
            m.submodules.pll = Instance(
                "EHXPLLL",
                a_ICP_CURRENT="12",
                a_LPF_RESISTOR="8",
                a_MFG_ENABLE_FILTEROPAMP="1",
                a_MFG_GMCREF_SEL="2",
                p_CLKI_DIV=s.divide,
                p_CLKFB_DIV=s.multiply,
                p_CLKOP_ENABLE="ENABLED",
                p_FEEDBK_PATH="CLKOP",
                i_CLKI=buffer.i,
                i_RST=Const(0),
                i_STDBY=Const(0),
                i_ENCLKOP=Const(0),
                o_LOCK=locked,
                **outputs,
            )
        platform.add_clock_constraint(clock, s.hz)
        m.domains.start = start = ClockDomain(reset_less=True)
        m.submodules.release = release = DomainRenamer("start")(Release())
        m.d.comb += [start.clk.eq(clock), release.locked.eq(locked)]
        m.d.comb += [ClockSignal().eq(clock), ResetSignal().eq(release.reset)]
        if self.crystal is not None:
            m.submodules.crystal = ResetSynchronizer(release.reset, domain=self.crystal)
        return m
