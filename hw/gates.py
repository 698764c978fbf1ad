"""One step of gating variables and of the membrane by exponential Euler, for Hodgkin-Huxley and Morris-Lecar models.

A gate follows x' = phi (x_inf(u) - x)/tau(u). If u is constant during a step, x += (1 - exp(-phi dt/tau(u))) (x_inf(u) - x)
is exact. A gate uses three tables: x_inf and dt/tau as functions of u, and 1 - exp(-z) as a function of z = phi dt/tau. None
of them depends on a parameter, because shifts of u and the speed phi are held in registers. If the conductances are constant
during a step, the membrane moves exactly by

    V += (sum of G_i (E_i - V) + dt I/C) (1 - exp(-z))/z,   G_i = dt g_i/C,   z = sum of G_i.

There is no division: a table gives (1 - exp(-z))/z, which is 1 at z = 0.
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

STEEPEST = 4.0  # upper limit of phi dt/tau: a gate then moves 98 % of the way to x_inf in one step
# Entries of the tables of gates, by word length; the error of linear interpolation falls with the square of their number.
ENTRIES = {16: 256, 18: 512, 24: 1024}
EXPREL_ENTRIES = {16: 512, 18: 1024, 24: 2048}  # entries of the table of (1 - exp(-z))/z, by word length


def over(low: float, high: float, entries: int, f: Callable) -> Callable:
    """f(x) as a function of z, where z = 0..entries corresponds to x = low..high."""
    return lambda z: f(low + np.asarray(z) * ((high - low) / entries))


def index(u: Value, span: float, entries: int) -> Value:
    """The place of u, in entries, in a table over -span..span (a power of two). Its logic is a single addition."""
    return u.word(span).times2(int(math.log2(entries / (2 * span)))) + entries // 2


@cache
def saturating_table(top: float, word: int) -> Table:
    """Table of 1 - exp(-z) for z in 0..top."""
    n = ENTRIES[word]
    return linear("saturating", over(0, top, n, lambda z: -np.expm1(-z)), n, word, span=1)


@cache
def exprel_table(most: float, word: int) -> Table:
    """Table of (1 - exp(-z))/z for z in 0..most."""
    from scipy.special import exprel

    n = EXPREL_ENTRIES[word]
    return linear("exprel", over(0, most, n, lambda z: exprel(-z)), n, word, span=1)


def gate(x: Value, at: Value, x_inf: Table, rate: Table, phi: Value, top: float) -> Value:
    """The gate x after one step.

    at     place of u in the tables, in entries
    x_inf  table of the steady state
    rate   table of dt/tau
    phi    speed of the gate
    top    limit of phi dt/tau, a power of two
    """
    word = at.trace.word
    z = (phi * interpolate(rate, at).word(2.0 ** (rate.columns[0].q.i_bits - 1))).word(top)
    moved = interpolate(saturating_table(top, word), z.times2(int(math.log2(ENTRIES[word] / top)))).word(1)
    goal = interpolate(x_inf, at)
    away = (goal - x).word(1)
    # The new x is x + moved (goal - x), with `moved` in 0..1, so it lies between the old x and the goal. Rounding goal - x to a
    # word adds half a code of the word at most. If the goal is below 1 by such a code, the sum still fits the format of x.
    if x.trace.intervals[goal.index][1] >= 1 << goal.q.f_bits:
        raise AssertionError(f"{x_inf.name} reaches 1: limit it at a code below")
    change = (moved * away).like(x)
    q = Q(x.q.i_bits + 1, x.q.f_bits)
    return x.trace.add(Add(), (x, change), q, known=(x.q.lo, x.q.hi)).like(x)


@dataclass(frozen=True)
class Channel:
    """Conductances with the same reversal potential, in units of C/dt.

    Each is given as two factors whose product it is, chosen so that no factor is small while the product is large. `most` is
    a power of two that the sum of the conductances does not reach.
    """

    reversal: Value
    factors: tuple[tuple[Value, Value], ...]
    most: float


def membrane(
    V: Value, channels: Sequence[Channel], k_L: Value, E_L: Value, drive: Value, dt: float, most: float
) -> Value:
    """V after one step with the currents of `channels`, a leak (k_L, E_L), and `drive` = dt I/C.

    z (dt times the sum of all conductances, divided by C) is limited to `most`. The change of V by leak and drive is
    limited to 160 mV/ms.
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
        # conductance x factor is the share of the way to its reversal that a channel moves V: at most 1
        share = min(1.0, channel.most)
        parts = [(a * (b * factor).word(1)).word(share) for a, b in channel.factors]
        total = reduce(lambda a, b: (a + b).word(share), parts)
        moved = moved + (total * (channel.reversal - V).word(256)).like(V)
    return (V + moved).like(V)


def power_of_two(x: float) -> float:
    """The smallest power of two that is at least x."""
    return 2.0 ** math.ceil(math.log2(x))


def at_rest(inward: Callable, gates: Callable, lowest: Any) -> dict[str, Any]:
    """The resting state for parameters of any shape (...): the potential and the gates at it.

    It is the lowest V, from 20 mV below `lowest` on, at which the inward current `inward(V)` falls through zero.
    """
    grid = np.linspace(-20, 120, 281)
    first = np.full(np.shape(lowest), len(grid))
    for begin in range(0, len(grid), 71):  # in pieces, as most fall through zero in the first ones
        part = np.reshape(grid[begin : begin + 71], (-1, *np.ones(np.ndim(lowest), dtype=int)))
        sign = inward(lowest + part) <= 0
        first = np.minimum(first, np.where(sign.any(axis=0), begin + sign.argmax(axis=0), len(grid)))
        if np.all(first < len(grid)):
            break
    high = lowest + grid[np.where(first < len(grid), first, len(grid) // 2)]
    low = high - 0.5
    for _ in range(30):
        middle = (low + high) / 2
        falling = inward(middle) <= 0
        low, high = np.where(falling, low, middle), np.where(falling, middle, high)
    return {"V": high, **gates(high), "armed": np.ones_like(high)}
