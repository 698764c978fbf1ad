"""The base class of all models. A model is an Amaranth component and, for users, a simulator of a neuron."""

import difflib
import inspect
from abc import abstractmethod
from collections.abc import Mapping
from numbers import Integral
from typing import Any, ClassVar

import numpy as np
from amaranth.hdl import Elaboratable, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from numpy.typing import ArrayLike

from spikefab.calls import public
from spikefab.delegates import delegate
from spikefab.errors import UsageError, shortened
from spikefab.hw.lowering.schedule import schedule
from spikefab.hw.lowering.shared import OVERHEAD, lower
from spikefab.units import number, step

from .datapath import Datapath, datapath
from .parameter_table import ParameterTable
from .spec import Names, Param, Spec, State, Trait
from .trace import Value

SHOWN = 4  # parameters in the short text of a neuron, at most


class Neuron(wiring.Component):
    """A point neuron in fixed point.

    As an Amaranth component, it takes one input sample per time step and returns the read-out, the spike and all states:

    | port | dir | shape | meaning |
    |---|---|---|---|
    | `i_valid` `i_ready` | in, out | 1 | a step starts when both are high |
    | `i` | in | signed(word) | input current, a code of the format `datapath.current` |
    | `o_valid` `o_ready` | out, in | 1 | a result is transferred when both are high |
    | `o_v` | out | signed | membrane potential, a code of the format `datapath.readout` |
    | `o_spike` | out | 1 | the neuron spiked in this step |
    | `state_NAME` | out | signed | code of each state after the step |
    | `cfg_valid` `cfg_ready` | in, out | 1 | a register is written when both are high, which is only between steps |
    | `cfg_addr` | in | unsigned | address of a register, see `datapath.registers` |
    | `cfg_data` | in | signed | code to write; a narrower register takes the low bits |

    If `o_ready` is always high, a result comes `latency` clocks after its input, and a step can start every `interval`
    clocks.

    In Python, `step(i_nA)` computes one time step in exact integers; `v` (mV) and `spiked` are its results, `reset()` returns
    to the initial state, and `ideal()` gives the same neuron in float64. `mathematics()` are the equations, `parameters()` a
    table, `plot()` draws the last run; a notebook shows a neuron with its equations and parameters.
    """

    # A model declares the following, and its states and parameters, as attributes of its class (see `State`, `Param`).
    scheme: ClassVar[str]  # how the equations are integrated, in words for people
    best_for: ClassVar[str]  # what the model is good at, in words for people
    traits: ClassVar[frozenset[Trait]] = frozenset()  # what the model is good at, for recommending models
    settings: ClassVar[Mapping[str, tuple]] = {}  # choices between variants: name -> values, the default first
    tried: ClassVar[tuple[dict[str, Any], ...]] = ({},)  # settings of the variants that a fit tries
    # (setting, value) -> parameters that have other defaults or bounds with this setting
    adapted: ClassVar[Mapping[tuple[str, Any], Mapping[str, Param]]] = {}
    first: ClassVar[tuple[str, ...]] = ()  # coefficients whose registers come before the others
    resting: ClassVar[Any] = None  # function of the parameters that gives the states at rest, if they need a formula
    i_span: ClassVar[float] = 4.0  # span of the input, nA, by default; a fit takes it from the recording
    # `__init_subclass__` sets the following. A variant is a model under one choice of its settings, such as its kinetics.
    __signature__: ClassVar[
        inspect.Signature
    ]  # the parameters and settings in place of `**params`, for help and editors
    spec: ClassVar[Spec]  # the states and parameters that the class of this variant declares
    chosen: ClassVar[Mapping[str, Any]] = {}  # settings of this variant
    _variants: ClassVar[dict[tuple, "type[Neuron]"]]  # values of the settings -> class of the variant
    # Amaranth warns of components that are not used in a design; a simulated neuron need not be
    _MustUse__silence = True

    def __new__(cls, *args: Any, src_loc_at: int = 0, **given: Any):
        if args:
            some = ", ".join(f"{name}={value:g}" for name, value in [*cls.defaults().items()][:2])
            raise UsageError(f"parameters are given by name, such as {cls.__name__}({some}).")
        if cls is Neuron:
            raise UsageError("Neuron is what all models have in common: take one of them, such as LIFNeuron.")
        choice = {k: v for k, v in given.items() if k in cls.settings}
        for declared in (cls.spec.every[k] for k in given if k in cls.spec.every):
            if declared.only is not None:  # a parameter that only one variant has selects that variant
                choice.setdefault(*declared.only)
        return super().__new__(cls.variant(**choice), src_loc_at=src_loc_at + 1)

    def __init__(
        self,
        *,
        dt: float = 0.1,
        word: int = 18,
        i_span: float | None = None,
        codes: Mapping[str, int] | None = None,
        initial: Mapping[str, int] | None = None,
        **params: Any,
    ):
        """A neuron with given parameters or codes.

        dt       time step, ms
        word     word length, bits
        i_span   span of the input, nA, a power of two; None takes that of the model
        codes    coefficient -> code, in place of parameters
        initial  state -> code at the start; None: at rest
        params   parameters in their physical units, or as quantities with a unit; and settings

        Raises UsageError if a name or a value is wrong.
        """
        kind = type(self)
        params = {name: value for name, value in params.items() if name not in kind.settings}
        span = None if i_span is None else number(i_span, "nA", "i_span")
        self.datapath: Datapath = datapath(kind, word, step(dt), span)
        self.word, self.dt = word, self.datapath.dt
        self._codes = self._quantised(params) if codes is None else self._given(codes, self.datapath.coefficients)
        if codes is not None and params:
            raise UsageError(f"{kind.__name__}: give parameters or codes, not both.")
        rest = dict(zip(self.datapath.states, map(int, self.datapath.rest(list(self._codes.values()))), strict=True))
        self.initial = rest if initial is None else self._given(initial, self.datapath.states)
        super().__init__(
            {
                "i_valid": In(1),
                "i_ready": Out(1),
                "i": In(signed(self.datapath.current.width)),
                "o_valid": Out(1),
                "o_ready": In(1),
                "o_v": Out(signed(self.datapath.readout.width)),
                "o_spike": Out(1),
                **{f"state_{name}": Out(signed(q.width)) for name, q in self.datapath.states.items()},
                "cfg_valid": In(1),
                "cfg_ready": Out(1),
                "cfg_addr": In(self.datapath.address_bits),
                "cfg_data": In(signed(self.datapath.code_bits)),
            }
        )
        self._sim = None
        self._named = [*params] if codes is None else None  # the parameters that were given

    # -- methods of a model --------------------------------------------------------------------------------------

    @staticmethod
    @abstractmethod
    def equations(dp: Datapath, s: Names, c: Names, i: Value) -> dict[str, Value]:
        """One step, traced on symbolic values: states s, coefficients c and the input current i.

        Returns the next state under each state's name, the read-out under `.v` and the spike under `.spike`.
        """

    @staticmethod
    def shown(s: Names, p: Names) -> float:
        """The membrane potential, mV, that is shown before the first step, from states and parameters in physical units.

        It is the first state, unless a model defines it otherwise.
        """
        return next(iter(s))

    def __init_subclass__(cls, variant: Mapping[str, Any] | None = None, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        declared = {k: v for k, v in vars(cls).items() if isinstance(v, State | Param)}
        for name in declared:
            # a state may be called v although `neuron.v` is the read-out: keep the attribute of Neuron
            if hasattr(Neuron, name):
                setattr(cls, name, inspect.getattr_static(Neuron, name))
        inherited = cls.spec.every if hasattr(cls, "spec") else {}
        if variant is None:
            cls._variants = {}
        cls.chosen = variant or {name: values[0] for name, values in cls.settings.items()}
        cls._variants[tuple(cls.chosen.values())] = cls
        cls.spec = Spec(cls.__name__, cls.chosen, {**inherited, **declared}, cls.adapted, cls.first)
        cls.__signature__ = _signature(cls)

    @classmethod
    def variant(cls, **choice: Any) -> "type[Neuron]":
        """The variant of this model with other settings: a subclass of the same name, made once for each choice.

        It is a class, because a variant has its own states, registers and ports, and all functions that compile, draw or fit a
        model take a class. Calling a model with the settings of another variant makes a neuron of that subclass.
        """
        for name, value in choice.items():
            if name not in cls.settings or value not in cls.settings[name]:
                offered = "; ".join(f"{n}: {', '.join(map(str, values))}" for n, values in cls.settings.items())
                raise UsageError(f"{cls.__name__} has no setting {name} = {value}: there are {offered or 'none'}.")
        chosen = {**cls.chosen, **choice}
        key = tuple(chosen.values())
        if key not in cls._variants:
            body = {"__doc__": cls.__doc__, "__module__": cls.__module__}
            type(cls.__name__, (cls,), body, variant=chosen)  # `__init_subclass__` adds it to _variants
        return cls._variants[key]

    @classmethod
    def states(cls) -> dict[str, State]:
        return cls.spec.states

    @classmethod
    def params(cls) -> dict[str, Param]:
        return cls.spec.params

    @classmethod
    def defaults(cls) -> dict[str, float]:
        return {k: p.default for k, p in cls.params().items()}

    # -- parameters and codes ---------------------------------------------------------------------------------

    @classmethod
    def check_parameter(cls, name: str) -> None:
        """Raise UsageError if the model has no parameter of this name."""
        if name not in cls.params():
            close = difflib.get_close_matches(str(name), cls.params(), n=1)
            hint = f"did you mean {close[0]}?" if close else f"it has {', '.join(cls.params())}."
            raise UsageError(f"{cls.__name__} has no parameter {shortened(name)}: {hint}")

    def _quantised(self, params: Mapping[str, float]) -> dict[str, int]:
        """The codes of parameters. Raises UsageError if one is out of its bounds, or its coefficient out of its register."""
        kind = type(self)
        for name in params:
            kind.check_parameter(name)
        units = {name: p.unit for name, p in kind.params().items()}
        params = {name: number(x, units[name], f"{kind.__name__}: {name}") for name, x in params.items()}
        wanted = {**kind.defaults(), **params}
        with np.errstate(all="ignore"):  # no warnings of numpy: wrong values are refused below
            row = self.datapath.quantise(wanted)[0]
        for name, value in params.items():
            lo, hi = self.datapath.params[name].bounds
            # accept values slightly outside the bounds: the value of a code may be, if its code is next to a bound
            near = lo - 1e-2 * abs(lo) <= value <= hi + 1e-2 * abs(hi)
            inside = {**wanted, name: np.clip(value, lo, hi)}
            if not near and not (np.isfinite(value) and np.array_equal(row, self.datapath.quantise(inside)[0])):
                unit = kind.params()[name].unit
                raise UsageError(f"{kind.__name__}: {name} = {value:g} {unit} is outside {lo:g}..{hi:g} {unit}.")
        for name, value in kind.spec.coefficients(wanted, self.dt).items():
            q = self.datapath.coefficients[name]
            if not q.lo - 0.5 <= value / q.lsb <= q.hi + 1:
                raise UsageError(
                    f"{kind.__name__}: these parameters need {name} = {value:.4g}, beyond the {q.hi * q.lsb:.4g} that its "
                    f"register holds at dt = {self.dt} ms: take a smaller dt or slower parameters."
                )
        return dict(zip(self.datapath.coefficients, map(int, row), strict=True))

    def _given(self, codes: Mapping[str, int], formats: Mapping[str, Any]) -> dict[str, int]:
        """The codes in the order of the registers. Raises UsageError if one is missing or outside its format."""
        if not isinstance(codes, Mapping) or set(codes) != set(formats):
            raise UsageError(f"{type(self).__name__} needs a code for each of {', '.join(formats)}.")
        for name, q in formats.items():
            if isinstance(codes[name], bool) or not isinstance(codes[name], Integral):
                raise UsageError(
                    f"{type(self).__name__}: the code of {name} is a whole number, not {shortened(codes[name])}."
                )
            if not q.lo <= codes[name] <= q.hi:
                raise UsageError(f"{type(self).__name__}: code {codes[name]} of {name} is outside {q}.")
        return {name: int(codes[name]) for name in formats}

    @property
    def codes(self) -> dict[str, int]:
        """coefficient -> integer in its register."""
        return dict(self._codes)

    @property
    def reset_codes(self) -> tuple[int, ...]:
        """The codes in all registers after a reset, in the order of `datapath.registers`."""
        return tuple(map(int, self.datapath.register_codes([*self._codes.values()], [*self.initial.values()])))

    @property
    def values(self) -> dict[str, float]:
        """The exact physical parameters that the codes stand for."""
        exact = self.datapath.dequantise(list(self._codes.values()))
        return {name: float(exact[name]) for name in type(self).params()}

    # -- what people see ----------------------------------------------------------------------------------------

    def parameters(self) -> ParameterTable:
        """The parameters with values, units, bounds and meanings: a list of dicts, shown as a table."""
        return ParameterTable.of(self.datapath.params, self.values)

    @classmethod
    def mathematics(cls) -> Any:
        """The equations of the model, which a notebook shows typeset: `hw.pages.mathematics.Mathematics`."""
        return delegate("mathematics")(cls)

    def plot(self, current: Any = None) -> Any:
        """A matplotlib figure of voltage and current. The state of the neuron stays as it is.

        current  (T,) nA, to which the response from the initial state is drawn; None: the last `run` since the last `reset`,
                 or, if there is none, the response to a step half again as strong as the least that makes the neuron fire
        """
        return delegate("plot_neuron")(self, current)

    def __repr__(self) -> str:
        kind, values = type(self), self.values
        names = self._named or []
        told = ["from codes"] if self._named is None else []
        told += [f"{name} {values[name]:.4g} {kind.params()[name].unit}".strip() for name in names[:SHOWN]]
        told += [f"{len(names) - SHOWN} more"] if len(names) > SHOWN else []
        chosen = [f"{n} {x}" for n, x in kind.chosen.items() if x != kind.settings[n][0]]
        return f"<{kind.__name__}: {', '.join([*chosen, *told, f'word {self.word}', f'dt {self.dt:g} ms'])}>"

    def _repr_html_(self) -> str:
        return delegate("neuron_html")(self)

    # -- simulation, done by spikefab.sim -----------------------------------------------------------------------

    @property
    def simulation(self) -> Any:
        """The `spikefab.sim.simulator.Simulator` of this neuron."""
        if self._sim is None:
            self._sim = delegate("simulator")(self)
        return self._sim

    @public
    def step(self, i_nA: float) -> float:
        """Compute one time step with an input current in nA. Returns the membrane potential, mV."""
        return self.simulation.step(i_nA)

    @public
    def run(self, current: ArrayLike) -> np.ndarray:
        """Compute one step for each sample of a current in nA. Returns the voltage, mV; `spikes` then has the spikes.

        (T,)    goes on from the state in which the neuron is; the voltage is (T,)
        (N, T)  N currents, each from the initial state, as after `reset`; the voltage is (N, T), `spikes` a list of N arrays

        Raises UsageError for another shape, samples that are no numbers, and a current beyond the span of the input.
        """
        return self.simulation.run(current)

    def reset(self) -> None:
        """Return to the initial state."""
        self.simulation.reset()

    @public
    def ideal(self, *, tables: bool = False) -> Any:
        """The same neuron in float64, without rounding, with exact functions or (`tables`) with the tables of the hardware."""
        return self.simulation.ideal(tables=tables)

    @property
    def v(self) -> float:
        """The membrane potential after the last step, mV."""
        return self.simulation.v

    @property
    def spiked(self) -> bool:
        """Whether the neuron spiked in the last step."""
        return self.simulation.spiked

    @property
    def spikes(self) -> np.ndarray | list[np.ndarray]:
        """The spike times, ms, of the last `run`; of (N, T), a list of N arrays.

        A spike in step k, whose voltage is sample k of the result, is at k dt.
        """
        return self.simulation.spikes

    @property
    def state(self) -> dict[str, float]:
        """The states, in their physical units."""
        return self.simulation.state

    # -- the hardware ----------------------------------------------------------------------------------------------

    @property
    def latency(self) -> int:
        """The clocks from an accepted input to its result."""
        return schedule(self.datapath.trace).length + OVERHEAD

    @property
    def interval(self) -> int:
        """The clocks from one step to the next: an input can be accepted in the clock that delivers a result."""
        return self.latency

    def elaborate(self, platform: Any) -> Elaboratable:
        return lower(self, self.datapath, self.reset_codes)


def require_neuron(neuron: Any) -> Neuron:
    """The neuron. Raises UsageError for anything else, such as the class of a model."""
    if isinstance(neuron, type) and issubclass(neuron, Neuron):
        raise UsageError(f"{neuron.__name__} is a model: make a neuron of it, {neuron.__name__}(...).")
    if not hasattr(neuron, "datapath"):  # the hardware's builders take any design that has one
        raise UsageError(
            f"this takes a neuron, such as LIFNeuron() or results.best.create_model(), not {shortened(neuron)}."
        )
    return neuron


def _signature(kind: type[Neuron]) -> inspect.Signature:
    """The signature of `kind(...)`: its parameters and settings with their defaults, and the options of every neuron."""
    declared = {name: p.default for name, p in kind.spec.every.items() if isinstance(p, Param)} | kind.defaults()
    own = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default)
        for name, default in (declared | dict(kind.chosen)).items()
    ]
    _, *options = inspect.signature(Neuron.__init__).parameters.values()
    return inspect.Signature([*own, *(p.replace(annotation=p.empty) for p in options if p.kind is p.KEYWORD_ONLY)])
