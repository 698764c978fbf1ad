"""The user's choices about which parameters a search may change, and the parameters that are searched as a result."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from spikefab.errors import UsageError
from spikefab.hw.models import get_model
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role


def solved(params: Mapping[str, Param]) -> list[str]:
    """The names of offset and scale of the read-out, which are solved for, not searched (see `loss.Loss.read_out`).

    The list is empty if the model has no such read-out.
    """
    found = {p.role: n for n, p in params.items()}
    return [found[role] for role in (Role.OFFSET, Role.SCALE)] if {Role.OFFSET, Role.SCALE} <= found.keys() else []


def unsearched(params: Mapping[str, Param]) -> set[str]:
    """The parameters that are not searched by default: peak and level of a spike, which are measured, and the read-out.

    The read-out is solved for. In a model with a read-out, the level is searched, because its spikes may be shown lower than
    those of the recording.
    """
    read_out = solved(params)
    known = {Role.PEAK} if read_out else {Role.PEAK, Role.SPIKE_LEVEL}
    return {*read_out, *(n for n, p in params.items() if p.role in known)}


@dataclass(frozen=True)
class Freedom:
    """The user's choices about the search.

    free    names of the parameters to search; None: all that are not measured
    fixed   name -> value of parameters that are kept fixed
    bounds  name -> (lo, hi) between which to search, instead of around the measured value
    also    model -> names of parameters that are searched in this model in addition
    """

    free: tuple[str, ...] | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    also: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def check(self, models: Iterable[type[Neuron]]) -> None:
        """Raise UsageError if none of the models has a parameter, or if one of them cannot take a value."""
        params = [(m.__name__, m.params()) for m in models]
        for model, names in self.also.items():
            for name in names:
                get_model(model).check_parameter(name)
        for name in (*(self.free or ()), *self.fixed, *self.bounds):
            if not any(name in p for _, p in params):
                raise UsageError(f"none of the models has a parameter {name}.")
        freed = {*(self.free or ()), *(name for names in self.also.values() for name in names)}
        for name in self.fixed.keys() & {*freed, *self.bounds}:
            raise UsageError(f"{name} cannot be fixed and searched at once.")
        for model, p in params:
            if not self.searched(model, p):
                raise UsageError(
                    f"{model}: no parameter is left to be searched; name models that have {self._named()}."
                )
        ends = {n: (v, v) for n, v in self.fixed.items()} | dict(self.bounds)
        for name, (low, high) in ends.items():
            if name in self.bounds and not low < high:
                raise UsageError(f"the bounds of {name} must be two rising numbers, not {low:g} and {high:g}.")
            for model, p in params:
                # bounds that depend on the span of the current are not known before there is a recording
                if name in p and not p[name].per_input and not p[name].bounds[0] <= low <= high <= p[name].bounds[1]:
                    lo, hi = p[name].bounds
                    raise UsageError(f"{model}: {name} can be {lo:g} to {hi:g} {p[name].unit}.")

    def _named(self) -> str:
        return " or ".join(self.free) if self.free else "others"

    def searched(self, model: str, params: Mapping[str, Param]) -> tuple[str, ...]:
        """The names of the parameters that are searched in a model, in the order of the model."""
        held = unsearched(params) if self.free is None else params.keys() - {*self.free}
        held -= {*self.also.get(model, ())}
        return tuple(n for n in params if n in self.bounds or (n not in held and n not in self.fixed))
