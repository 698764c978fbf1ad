"""What a model declares: its states, its parameters, what they are, and what the model is good at."""

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from .conversions import Conversion, dt_times


class Role(Enum):
    """What a parameter is to its neuron. A fit measures, bounds and solves parameters by their roles, not by their names."""

    CAPACITANCE = "membrane capacitance, nF"
    RESISTANCE = "input resistance, MOhm"
    LEAK = "leak conductance, uS"
    TAU = "membrane time constant, ms"
    REST = "resting potential, mV"
    LEAK_REVERSAL = "reversal potential of a leak, at which a cell with other currents need not rest, mV"
    THRESHOLD = "potential from which it fires, mV"
    THRESHOLD_ABOVE_REST = "threshold counted from rest, mV"
    RESET = "potential after a spike, mV"
    RESET_ABOVE_REST = "reset counted from rest, mV"
    REFRACTORY = "time after a spike without another, ms"
    PEAK = "what is shown on the step of a spike, mV"
    SPIKE_LEVEL = "level whose upward crossing is a spike, mV"
    OFFSET = "read-out where its state is zero, mV"
    SCALE = "read-out of one unit of its state, mV"
    COUPLING = "conductance by which the potential moves adaptation or recovery, uS"
    JUMP = "what a spike adds to adaptation or recovery, nA"
    INPUT_GAIN = "speed of the potential under a unit of current, mV/(ms nA)"


class Trait(Enum):
    """What a model is good at. A fit recommends models by the traits that a recording's features point at."""

    FEWEST_PARAMETERS = "fits with the fewest parameters"
    REGULAR = "fires regularly, without adaptation"
    ADAPTING = "adapts"
    BURSTING = "fires in bursts"
    FIRING_PATTERNS = "has many firing patterns, adapting ones among them"
    FLUCTUATING_CURRENTS = "has its spikes at the right times under currents that fluctuate"
    SPIKE_SHAPE = "has the shape of the spike, from currents that open with the voltage"
    BROAD_SPIKES = "has broad spikes"
    CALCIUM_SPIKES = "has calcium spikes, whose height falls with the current"
    BLOCK = "falls silent under strong currents"
    AFTER_INHIBITION = "fires after inhibition"
    REBOUND = "answers the end of an inhibition with a spike, by a recovery of its own"
    OSCILLATION = "oscillates below threshold"
    RESONANCE = "prefers inputs of one frequency"


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

    `register`: how it becomes the coefficient that the hardware holds; without one it is its own coefficient. `role`: what
    it is, if a recording says something about it. `per_input`: its bounds are those of its product with the input's span.
    `per_nF`: bounds of a conductance over the capacitance, within which a search keeps. `only`: the (setting, value) under
    which it exists.
    """

    default: float
    unit: str
    bounds: tuple[float, float]
    free: bool = True
    log: bool = False
    source: str = ""
    doc: str = ""
    register: Conversion | None = None
    role: Role | None = None
    per_input: bool = False
    per_nF: tuple[float, float] | None = None
    only: tuple[str, Any] | None = None


def conductance(
    name: str, default: float, bounds: tuple[float, float], *, fastest: float, log: bool = True, **more: Any
) -> Param:
    """A conductance g (uS), whose coefficient `name` is dt g/C, C being declared before it. `fastest`: ms, the least C/g."""
    return Param(default, "uS", bounds, log=log, register=dt_times(name, over="C", fastest=fastest), **more)


class Names:
    """Values as attributes: the states, coefficients or parameters of a model, as its methods get them."""

    def __init__(self, model: str, values: Mapping[str, Any]):
        self._model, self._values = model, values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # asked by Python itself, of a copy that has no values yet
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        model = self._model.removesuffix("Neuron")
        close = difflib.get_close_matches(name, self._values, n=1)
        raise AttributeError(
            f"{model} has no {name}: "
            + (f"did you mean {close[0]}?" if close else f"there are {', '.join(self._values)}.")
        )

    def __iter__(self) -> Iterator[Any]:
        """The values."""
        return iter(self._values.values())


@dataclass(frozen=True)
class Spec:
    """The declarations of a model in one variant.

    model     name of its class
    chosen    the settings of this variant
    every     all states and parameters, those of other variants too
    adapted   by (setting, value): parameters that have another default or other bounds under it
    first     coefficients whose registers come before the others; these follow in the order of their parameters
    """

    model: str
    chosen: Mapping[str, Any] = field(default_factory=dict)
    every: Mapping[str, State | Param] = field(default_factory=dict)
    adapted: Mapping[tuple[str, Any], Mapping[str, Param]] = field(default_factory=dict)
    first: tuple[str, ...] = ()

    @cached_property
    def states(self) -> dict[str, State]:
        return {n: s for n, s in self.every.items() if isinstance(s, State) and self._exists(s)}

    @cached_property
    def params(self) -> dict[str, Param]:
        every = dict(self.every)
        for choice in self.chosen.items():
            every |= self.adapted.get(choice, {})
        return {n: p for n, p in every.items() if isinstance(p, Param) and self._exists(p)}

    @cached_property
    def registers(self) -> dict[str, str]:
        """The parameter that stands behind each coefficient, in the order of the registers."""
        names = {n if p.register is None else p.register.name: n for n, p in self.params.items()}
        return {name: names[name] for name in (*self.first, *names)}

    @cached_property
    def conversions(self) -> dict[str, Conversion]:
        """By coefficient, of those that are no parameter themselves."""
        found = {p.register.name: p.register for p in self.params.values() if p.register is not None}
        return {name: found[name] for name in self.registers if name in found}

    def _exists(self, declared: State | Param) -> bool:
        return declared.only is None or declared.only in self.chosen.items()

    def having(self, *roles: Role) -> list[str]:
        """Names of the parameters that have one of the roles."""
        return [n for n, p in self.params.items() if p.role in roles]

    def names(self, values: Mapping[str, Any]) -> Names:
        return Names(self.model, values)

    def coefficients(self, params: Mapping[str, Any], dt: float) -> dict[str, Any]:
        """Real-valued coefficients, in the order of the registers, of parameters: numbers, or arrays of one shape."""
        found: dict[str, Any] = {}
        p, c = self.names(params), self.names(found)
        for name, declared in self.params.items():
            if declared.register is None:
                found[name] = params[name]
            else:
                found[declared.register.name] = declared.register.there(params[name], p, c, dt)
        return {name: found[name] for name in self.registers}

    def parameters(self, coefficients: Mapping[str, Any], dt: float) -> dict[str, Any]:
        """The inverse of `coefficients`."""
        found: dict[str, Any] = {}
        p, c = self.names(found), self.names(coefficients)
        for name, declared in self.params.items():
            if declared.register is None:
                found[name] = coefficients[name]
            else:
                found[name] = declared.register.back(coefficients[declared.register.name], p, c, dt)
        return found
