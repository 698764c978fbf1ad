"""Gating variables and exponential Euler: what Hodgkin-Huxley and Morris-Lecar share.

A gate x' = phi (x_inf(u) - x)/tau(u) moves exactly while u holds: x += (1 - exp(-phi dt/tau(u))) (x_inf(u) - x). Three
tables serve it, x_inf and dt/tau over u and 1 - exp(-z) over z = phi dt/tau, so that no table depends on a parameter:
shifts of u and the speed phi are registers. The membrane then moves exactly while its conductances hold,

    V += (sum of G_i (E_i - V) + dt I/C) (1 - exp(-z))/z,   G_i = dt g_i/C,   z = sum of G_i,

without a division: a table gives (1 - exp(-z))/z, which is 1 at z = 0.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, reduce
from typing import Any

import numpy as np

from .fixed import Q
from .ops import Add, Table
from .tables import interpolate, linear
from .trace import Value

STEEPEST = 4.0  # phi dt/tau is limited here: a gate then moves 98 % of the way in a step
# the error of linear interpolation falls with the square of their number
ENTRIES = {16: 256, 18: 512, 24: 1024}
EXPREL_ENTRIES = {16: 512, 18: 1024, 24: 2048}


def over(low: float, high: float, entries: int, f: Callable) -> Callable:
    """f as a function of the entry z, 0..entries, that spans low..high."""
    return lambda z: f(low + np.asarray(z) * ((high - low) / entries))


def index(u: Value, span: float, entries: int) -> Value:
    """The entry of u in a table over -span..span (a power of two): two wires and an addition."""
    return u.word(span).times2(int(math.log2(entries / (2 * span)))) + entries // 2


@cache
def saturating_table(top: float, word: int) -> Table:
    """1 - exp(-z) for z in 0..top."""
    n = ENTRIES[word]
    return linear("saturating", over(0, top, n, lambda z: -np.expm1(-z)), n, word, span=1)


@cache
def exprel_table(most: float, word: int) -> Table:
    """(1 - exp(-z))/z for z in 0..most."""
    from scipy.special import exprel

    n = EXPREL_ENTRIES[word]
    return linear("exprel", over(0, most, n, lambda z: exprel(-z)), n, word, span=1)


def gate(x: Value, at: Value, x_inf: Table, rate: Table, phi: Value, top: float) -> Value:
    """The gate after one step. `at`: the entry of u; `rate`: dt/tau; phi dt/tau is limited at `top` (a power of two)."""
    word = at.trace.word
    z = (phi * interpolate(rate, at).word(2.0 ** (rate.columns[0].q.i_bits - 1))).word(top)
    moved = interpolate(saturating_table(top, word), z.times2(int(math.log2(ENTRIES[word] / top)))).word(1)
    goal = interpolate(x_inf, at)
    away = (goal - x).word(1)
    # moved is in 0..1 and the goal at most 1 less a code, so that x ends between where it was and the goal, up to a rounding
    # of away: half a code of the word, which that code has room for
    if x.trace.intervals[goal.index][1] >= 1 << goal.q.f_bits:
        raise AssertionError(f"{x_inf.name} reaches 1: limit it at a code below")
    change = (moved * away).like(x)
    q = Q(x.q.i_bits + 1, x.q.f_bits)
    return x.trace.add(Add(), (x, change), q, known=(x.q.lo, x.q.hi)).like(x)


@dataclass(frozen=True)
class Channel:
    """Conductances with one reversal potential: each the product of two factors, so that neither is small where the whole
    is not. In units of C/dt. `most`: a power of two that they stay below, together."""

    reversal: Value
    factors: tuple[tuple[Value, Value], ...]
    most: float


def membrane(
    V: Value, channels: Sequence[Channel], k_L: Value, E_L: Value, drive: Value, dt: float, most: float
) -> Value:
    """V after one step: `channels`, a leak, and `drive` = dt I/C; dt times all conductance over C is limited at `most`.

    Leak and drive together are limited at 160 mV/ms.
    """
    word = V.trace.word
    steepest = power_of_two(160 * dt)
    z = k_L
    for channel in channels:
        for a, b in channel.factors:
            z = z + (a * b).word(most)
    entries = EXPREL_ENTRIES[word]
    at = z.word(most).times2(int(math.log2(entries / most)))
    factor = interpolate(exprel_table(most, word), at).word(1)
    passive = (k_L * (E_L - V).word(256)).word(steepest) + drive.word(steepest)
    moved = (passive.word(steepest) * factor).like(V)
    for channel in channels:
        share = min(1.0, channel.most)  # a conductance times the factor is the share of the way that it moves V
        parts = [(a * (b * factor).word(1)).word(share) for a, b in channel.factors]
        total = reduce(lambda a, b: (a + b).word(share), parts)
        moved = moved + (total * (channel.reversal - V).word(256)).like(V)
    return (V + moved).like(V)


def power_of_two(x: float) -> float:
    """The least power of two that is no less than x."""
    return 2.0 ** math.ceil(math.log2(x))


def at_rest(inward: Callable, gates: Callable, lowest: Any) -> dict[str, Any]:
    """States at rest of parameters (...): V where `inward(V)` first falls through zero above `lowest`, and the gates there."""
    grid = np.reshape(np.linspace(-20, 120, 281), (-1, *np.ones(np.ndim(lowest), dtype=int)))
    V = lowest + grid
    sign = inward(V) <= 0
    first = np.where(sign.any(axis=0), sign.argmax(axis=0), len(grid) // 2)
    high = lowest + grid.reshape(-1)[first]
    low = high - 0.5
    for _ in range(30):
        middle = (low + high) / 2
        falling = inward(middle) <= 0
        low, high = np.where(falling, low, middle), np.where(falling, middle, high)
    return {"V": high, **gates(high), "armed": np.ones_like(high)}
