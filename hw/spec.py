"""The declarations of a model: its states, its parameters with their roles, and the traits of the model."""

import difflib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from typing import Any

from .conversions import Conversion, dt_times


class Role(Enum):
    """What a parameter means in its model. A fit measures, bounds and solves for parameters by role, not by name."""

    CAPACITANCE = "membrane capacitance, nF"
    RESISTANCE = "input resistance, MOhm"
    LEAK = "leak conductance, uS"
    TAU = "membrane time constant, ms"
    REST = "resting potential, mV"
    LEAK_REVERSAL = "reversal potential of a leak, at which a cell with other currents need not rest, mV"
    REVERSAL = "reversal potential of a current other than the leak, mV"
    HALF_ACTIVATION = "potential at which a gate is half open, or by which all gates are shifted, mV"
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
    """What a model is good at. The models recommended for a recording are those whose traits suit its features."""

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
    """A state variable.

    unit          physical unit; "steps" for a counter, "flag" for a single bit
    span          the range of the state is -span..span
    per_input     the span is multiplied by the span of the input
    slowest       slowest time constant, ms, with which the state moves. It determines the number g of guard bits below the
                  word: a state that moves by k times a difference does not move at all if the difference is smaller than
                  2**(log2(1/k) - 1 - g) codes of the operand
    operand_span  span of that difference, if it is not `span`
    rest          coefficient that is the resting value; None: 0 (or as `resting` of the model says)
    doc           meaning, for people
    only          (setting, value) of the model with which the state exists; None: always
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
class Quantity:
    """What a search varies in the place of a parameter, because a fit depends on it more directly. Values may be arrays.

    A search whose model has quantities with `in_turn` varies in turn the parameters themselves, in one run, and these in the next.

    text    the quantity, for people, such as "{}/C"; {} stands for the parameter
    of      the parameter on which it depends, declared before; or the parameter itself
    bounds  lowest and highest value that is searched
    there   (value, p) -> quantity; p has all parameters
    back    (quantity, p) -> value; p has the parameters declared before
    log     searched on a logarithmic scale
    in_turn  see above
    """

    text: str
    of: str
    bounds: tuple[float, float]
    there: Callable[[Any, Any], Any]
    back: Callable[[Any, Any], Any]
    log: bool = False
    in_turn: bool = False


@dataclass(frozen=True)
class Param:
    """A physical parameter.

    default    value of a neuron that is made without it
    unit       physical unit
    bounds     lowest and highest possible value
    free       searched by default; otherwise measured in the recording and refined at the end of the search
    log        searched on a logarithmic scale, if it has no `quantity`
    source     where the default comes from
    doc        meaning, for people
    register   conversion to the coefficient that the hardware holds; None: the parameter is its own coefficient
    role       what it means, if a recording tells something about it
    per_input  the bounds are those of the product with the span of the input
    quantity   what is searched in its place
    only       (setting, value) of the model with which the parameter exists; None: always
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
    quantity: Quantity | None = None
    only: tuple[str, Any] | None = None


def conductance(
    name: str,
    default: float,
    bounds: tuple[float, float],
    *,
    fastest: float,
    per_nF: tuple[float, float] | None = None,
    log: bool = True,
    **more: Any,
) -> Param:
    """A conductance g, uS, whose coefficient `name` is dt g/C. C must be declared before it.

    fastest  smallest C/g, ms
    per_nF   bounds of g/C, if that is searched in its place
    """
    ratio = per_nF and Quantity("{}/C", "C", per_nF, lambda g, p: g / p["C"], lambda x, p: x * p["C"], log)
    register = dt_times(name, over="C", fastest=fastest)
    return Param(default, "uS", bounds, log=log, quantity=ratio or None, register=register, **more)


class Names:
    """The states, coefficients or parameters of a model as attributes. The methods of a model receive them in this form."""

    def __init__(self, model: str, values: Mapping[str, Any]):
        self._model, self._values = model, values

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # Python looks these up itself, when it copies the object, before there are values
            raise AttributeError(name)
        if name in self._values:
            return self._values[name]
        model = self._model.removesuffix("Neuron")
        close = difflib.get_close_matches(name, self._values, n=1)
        raise AttributeError(
            f"{model} has no {name}: "
            + (f"did you mean {close[0]}?" if close else f"there are {', '.join(self._values) or 'none'}.")
        )

    def __iter__(self) -> Iterator[Any]:
        """The values in order, without their names."""
        return iter(self._values.values())


@dataclass(frozen=True)
class Spec:
    """The declarations of one variant of a model.

    model    name of the class of the model
    chosen   settings of this variant
    every    all states and parameters, including those that only other variants have
    adapted  (setting, value) -> parameters that have other defaults or bounds with this setting
    first    coefficients whose registers come first; the others follow in the order of their parameters
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
        """coefficient -> parameter from which it is computed, in the order of the registers."""
        names = {n if p.register is None else p.register.name: n for n, p in self.params.items()}
        return {name: names[name] for name in (*self.first, *names)}

    @cached_property
    def conversions(self) -> dict[str, Conversion]:
        """coefficient -> conversion from its parameter, for those coefficients that are not parameters themselves."""
        found = {p.register.name: p.register for p in self.params.values() if p.register is not None}
        return {name: found[name] for name in self.registers if name in found}

    def _exists(self, declared: State | Param) -> bool:
        return declared.only is None or declared.only in self.chosen.items()

    def having(self, *roles: Role) -> list[str]:
        """The names of the parameters that have one of these roles."""
        return [n for n, p in self.params.items() if p.role in roles]

    def names(self, values: Mapping[str, Any]) -> Names:
        return Names(self.model, values)

    def coefficients(self, params: Mapping[str, Any], dt: float) -> dict[str, Any]:
        """The coefficients, as real numbers in the order of the registers, of parameters (numbers or arrays of one shape)."""
        found: dict[str, Any] = {}
        p, c = self.names(params), self.names(found)
        for name, declared in self.params.items():
            if declared.register is None:
                found[name] = params[name]
            else:
                found[declared.register.name] = declared.register.there(params[name], p, c, dt)
        return {name: found[name] for name in self.registers}

    def parameters(self, coefficients: Mapping[str, Any], dt: float) -> dict[str, Any]:
        """The parameters of coefficients: the inverse of `coefficients`."""
        found: dict[str, Any] = {}
        p, c = self.names(found), self.names(coefficients)
        for name, declared in self.params.items():
            if declared.register is None:
                found[name] = coefficients[name]
            else:
                found[name] = declared.register.back(coefficients[declared.register.name], p, c, dt)
        return found
