"""What a model declares: its states and its parameters."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class State:
    """A state variable. `span`: it ranges over -span..span; where `per_input`, span times the input's span.

    `slowest` (ms): the slowest time constant that moves it. It sets the guard bits below the word: with a coefficient
    k a difference of `operand_span` stands still below 2**(log2(1/k) - 1 - g) codes of the operand.
    `rest`: the coefficient that is its resting value, else 0 (a model with `resting` says it by formula).
    `unit` "steps" makes a counter, "flag" one bit. `only`: the (setting, value) under which it exists.
    """

    unit: str
    span: float = 0
    per_input: bool = False
    slowest: float = 0
    operand_span: float | None = None
    rest: str | None = None
    doc: str = ""
    only: tuple[str, Any] | None = None


@dataclass(frozen=True)
class Param:
    """A physical parameter. `free`: searched by default; otherwise measured from the recording and refined late.

    `per_input`: its bounds are those of its product with the input's span. `per_nF`: bounds of a conductance over the
    capacitance, within which a search keeps. `only`: the (setting, value) under which it exists.
    """

    default: float
    unit: str
    bounds: tuple[float, float]
    free: bool = True
    log: bool = False
    source: str = ""
    doc: str = ""
    per_input: bool = False
    per_nF: tuple[float, float] | None = None
    only: tuple[str, Any] | None = None
