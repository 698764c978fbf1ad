"""Clocks above a board's crystal: the settings of the PLLs (SB_PLL40, EHXPLLL), and the gateware that uses one."""

from dataclasses import dataclass
from math import inf
from typing import Any

from amaranth import ClockDomain, Const, Instance, Module, Signal
from amaranth.hdl import Elaboratable
from amaranth.lib import io
from amaranth.lib.cdc import ResetSynchronizer

from spikefab.errors import UsageError

# Hz. Lattice FPGA-DS-02008 (iCE40 UltraPlus), table 4.12: phase detector 10..133 MHz, oscillator 533..1066 MHz;
# FPGA-DS-02012 (ECP5), table 3.22: 8..400 MHz (3.125 with fractional division), 400..800 MHz.
ICE40_OSCILLATOR, ICE40_DETECTOR = (533e6, 1066e6), (10e6, 133e6)
ECP5_OSCILLATOR, ECP5_DETECTOR = (400e6, 800e6), (8e6, 400e6)
SETTLED = (
    1 << 9
)  # clocks after the lock for which the reset stays: more than the 15 us in which iCE40 RAMs read zeros, at 30 MHz


@dataclass(frozen=True)
class PLL:
    """The dividers of a PLL: crystal * multiply / divide, from an oscillator of `output` times that."""

    crystal: int  # Hz
    divide: int
    multiply: int
    output: int

    @property
    def hz(self) -> float:
        return self.crystal * self.multiply / self.divide


def pll(family: str, crystal: int, wanted: int) -> PLL:
    """The setting of a family's PLL nearest to a clock, Hz. Raises UsageError if none is within 1 %."""
    best, error = None, inf
    for divide in range(1, 17):
        detector = crystal / divide
        lo, hi = ICE40_DETECTOR if family == "iCE40" else ECP5_DETECTOR
        if not lo <= detector <= hi:
            continue
        for setting in _ice40(crystal, divide, wanted) if family == "iCE40" else _ecp5(crystal, divide, wanted):
            if abs(setting.hz - wanted) < error:
                best, error = setting, abs(setting.hz - wanted)
    if best is None or error > 1e-2 * wanted:
        raise UsageError(f"a clock of {wanted / 1e6:g} MHz cannot be made from this board's {crystal / 1e6:g} MHz.")
    return best


def _ice40(crystal: int, divide: int, wanted: int) -> list[PLL]:
    """Settings with simple feedback: the oscillator is at crystal * (DIVF + 1) / (DIVR + 1), the output 2**DIVQ slower."""
    found = []
    for halvings in range(1, 7):
        f = round(wanted * 2**halvings * divide / crystal)
        oscillator = crystal * f / divide
        if 1 <= f <= 128 and ICE40_OSCILLATOR[0] <= oscillator <= ICE40_OSCILLATOR[1]:
            found.append(PLL(crystal, divide * 2**halvings, f, 2**halvings))
    return found


def _ecp5(crystal: int, divide: int, wanted: int) -> list[PLL]:
    """Settings with the output as feedback: the output is at crystal * CLKFB_DIV / CLKI_DIV."""
    multiply = round(wanted * divide / crystal)
    output = round(600e6 / wanted)  # the middle of the oscillator's range
    if not (1 <= multiply <= 80 and 1 <= output <= 128):
        return []
    setting = PLL(crystal, divide, multiply, output)
    return [setting] if ECP5_OSCILLATOR[0] <= setting.hz * output <= ECP5_OSCILLATOR[1] else []


class Clock(Elaboratable):
    """The domain `sync` from a PLL. Its reset is released when the PLL has locked, and 512 clocks later."""

    def __init__(self, setting: PLL) -> None:
        self.setting = setting

    def elaborate(self, platform: Any) -> Elaboratable:
        m = Module()
        s = self.setting
        clock, locked = Signal(), Signal()
        pin = platform.request(platform.default_clk, dir="-")
        if platform.device.startswith("iCE40"):
            detector = s.crystal * s.output / s.divide
            m.submodules.pll = Instance(
                "SB_PLL40_PAD",
                p_FEEDBACK_PATH="SIMPLE",
                p_DIVR=Const(s.divide // s.output - 1, 4),
                p_DIVF=Const(s.multiply - 1, 7),
                p_DIVQ=Const(s.output.bit_length() - 1, 3),
                # the loop filter's range, by the frequency of the phase detector: the table of icepll (Project IceStorm)
                p_FILTER_RANGE=Const(1 + sum(detector >= f for f in (17e6, 26e6, 44e6, 66e6, 101e6)), 3),
                i_PACKAGEPIN=pin.io,
                i_RESETB=Const(1),
                i_BYPASS=Const(0),
                o_PLLOUTGLOBAL=clock,
                o_LOCK=locked,
            )
        else:
            m.submodules.buffer = buffer = io.Buffer("i", pin)
            m.submodules.pll = Instance(
                "EHXPLLL",
                a_ICP_CURRENT="12",
                a_LPF_RESISTOR="8",
                a_MFG_ENABLE_FILTEROPAMP="1",
                a_MFG_GMCREF_SEL="2",
                p_CLKI_DIV=s.divide,
                p_CLKFB_DIV=s.multiply,
                p_CLKOP_DIV=s.output,
                p_CLKOP_ENABLE="ENABLED",
                p_CLKOP_CPHASE=s.output - 1,
                p_FEEDBK_PATH="CLKOP",
                i_CLKI=buffer.i,
                i_CLKFB=clock,
                i_RST=Const(0),
                i_STDBY=Const(0),
                i_ENCLKOP=Const(0),
                o_CLKOP=clock,
                o_LOCK=locked,
            )
        platform.add_clock_constraint(clock, s.hz)
        m.domains.start = start = ClockDomain(reset_less=False)
        m.domains.sync = sync = ClockDomain()
        m.d.comb += [start.clk.eq(clock), sync.clk.eq(clock)]
        m.submodules.locked = ResetSynchronizer(~locked, domain="start")
        waited = Signal(range(SETTLED))
        with m.If(waited != SETTLED - 1):
            m.d.start += waited.eq(waited + 1)
        m.d.start += sync.rst.eq(waited != SETTLED - 1)
        return m
