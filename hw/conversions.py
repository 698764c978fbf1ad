"""From a parameter in physical units to the coefficient that a register holds in its place, and exactly back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Conversion:
    """The coefficient `name` of a parameter. Values are numbers or arrays.

    there    (value, p, c, dt) -> coefficient: p has all parameters, c the coefficients of those declared before this one
    back     (coefficient, p, c, dt) -> value: c has all coefficients, p the parameters declared before this one
    whole    whether it counts time steps
    fastest  ms; of a coefficient that grows with dt/tau: the least tau that its register must hold, where the bounds of the
             parameters would allow less
    """

    name: str
    there: Callable[[Any, Any, Any, float], Any]
    back: Callable[[Any, Any, Any, float], Any]
    whole: bool = False
    fastest: float | None = None


def decay(name: str) -> Conversion:
    """Of a time constant, the share of a difference that is gone after a step: 1 - exp(-dt/tau)."""
    return Conversion(
        name, lambda tau, p, c, dt: -np.expm1(-dt / tau), lambda k, p, c, dt: -dt / np.log1p(-k)
    )  # fmt: skip


def steps(name: str) -> Conversion:
    """Of a duration, the number of steps in it: t/dt."""
    return Conversion(name, lambda t, p, c, dt: t / dt, lambda n, p, c, dt: n * dt, whole=True)


def dt_over(name: str) -> Conversion:
    """Of a capacitance or a time constant x: dt/x."""
    return Conversion(name, lambda x, p, c, dt: dt / x, lambda k, p, c, dt: dt / k)


def dt_times(name: str, over: str | None = None, fastest: float | None = None) -> Conversion:
    """Of a rate x: dt x; of a conductance, with `over` the capacitance's name: dt x/C. `over` must be declared before it."""
    if over is None:
        return Conversion(name, lambda x, p, c, dt: dt * x, lambda k, p, c, dt: k / dt, fastest=fastest)
    return Conversion(
        name,
        lambda x, p, c, dt: dt * x / getattr(p, over),
        lambda k, p, c, dt: k * getattr(p, over) / dt,
        fastest=fastest,
    )


def inverse(name: str, numerator: float = 1.0) -> Conversion:
    """Of a width x, which the hardware cannot divide by: numerator/x."""
    return Conversion(name, lambda x, p, c, dt: numerator / x, lambda k, p, c, dt: numerator / k)
