"""Conversions of parameters in physical units to the coefficients that the registers hold, and back."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Conversion:
    """How a parameter is converted to its coefficient `name`. Values are numbers or arrays.

    there    (value, p, c, dt) -> coefficient; p has all parameters, c the coefficients of parameters declared before
    back     (coefficient, p, c, dt) -> value; c has all coefficients, p the parameters declared before
    whole    whether the coefficient counts time steps, so that it is a whole number
    fastest  ms; for a coefficient dt/tau, the smallest tau that its register must be able to hold, if that is larger than
             the smallest that the bounds of the parameters allow
    """

    name: str
    there: Callable[[Any, Any, Any, float], Any]
    back: Callable[[Any, Any, Any, float], Any]
    whole: bool = False
    fastest: float | None = None


def decay(name: str) -> Conversion:
    """For a time constant tau: 1 - exp(-dt/tau), the share of a difference that has decayed after a step."""
    return Conversion(
        name, lambda tau, p, c, dt: -np.expm1(-dt / tau), lambda k, p, c, dt: -dt / np.log1p(-k)
    )  # fmt: skip


def decay_rate(name: str) -> Conversion:
    """For a rate b: 1 - exp(-b dt), the share of a difference that has decayed after a step."""
    return Conversion(name, lambda b, p, c, dt: -np.expm1(-b * dt), lambda k, p, c, dt: -np.log1p(-k) / dt)


def steps(name: str) -> Conversion:
    """For a duration t: t/dt, its number of time steps."""
    return Conversion(name, lambda t, p, c, dt: t / dt, lambda n, p, c, dt: n * dt, whole=True)


def dt_over(name: str) -> Conversion:
    """For a capacitance or a time constant x: dt/x."""
    return Conversion(name, lambda x, p, c, dt: dt / x, lambda k, p, c, dt: dt / k)


def dt_times(name: str, over: str | None = None, fastest: float | None = None) -> Conversion:
    """For a rate x: dt x. With `over`, the name of the capacitance, for a conductance x: dt x/C.

    The capacitance must be declared before the conductance.
    """
    if over is None:
        return Conversion(name, lambda x, p, c, dt: dt * x, lambda k, p, c, dt: k / dt, fastest=fastest)
    return Conversion(
        name,
        lambda x, p, c, dt: dt * x / getattr(p, over),
        lambda k, p, c, dt: k * getattr(p, over) / dt,
        fastest=fastest,
    )


def inverse(name: str, numerator: float = 1.0) -> Conversion:
    """For a width x: numerator/x, because the hardware cannot divide by x."""
    return Conversion(name, lambda x, p, c, dt: numerator / x, lambda k, p, c, dt: numerator / k)
