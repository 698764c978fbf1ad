"""The function `simulate`, for users who write their own search: many parameter sets under many currents, at full speed."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spikefab.calls import public, whole
from spikefab.errors import UsageError, shortened
from spikefab.hw.datapath import datapath
from spikefab.hw.models import get_model
from spikefab.hw.neuron import Neuron
from spikefab.units import array, number, step
from spikefab.units import currents as input_currents

from . import kernels


@dataclass(frozen=True)
class Simulation:
    """The result of simulating N parameter sets under S currents.

    spikes   spikes[n][s] are the spike times (count,) in ms; a spike in step k is at k dt
    counts   (N, S) numbers of spikes
    params   name -> (N,) values that were simulated: those of the codes nearest to the given values
    voltage  (N, S, T) mV, or None
    """

    spikes: list[list[np.ndarray]]
    counts: np.ndarray
    params: dict[str, np.ndarray]
    voltage: np.ndarray | None


@public
def simulate(
    model: type[Neuron] | str,
    params: Mapping[str, ArrayLike],
    currents: ArrayLike,
    *,
    dt: float = 0.1,
    word: int = 18,
    i_span: float | None = None,
    max_spikes: int = 1000,
    traces: bool = False,
) -> Simulation:
    """Simulate N parameter sets of a model under S currents in the integers of the hardware, with all threads.

    model       a class, such as `AdExNeuron`, or the name of a model
    params      name -> number or (N,), in physical units or with a unit of its own, and within their bounds; others have their
                default. A value that needs a coefficient too large for its register at this dt is limited; `params` of the
                result has the limit
    currents    (S, T) or (T,) nA, one sample per time step; or in another unit that they carry
    dt          time step, ms
    word        word length, bits
    i_span      range of the input, nA: a power of two above all currents; None takes the smallest one
    max_spikes  number of spikes to keep for each parameter set and current; `counts` has the full numbers
    traces      whether to keep the voltages

    Each simulation starts at rest. It needs 8 N (C + S (max_spikes / 2 + 2 K + 5)) bytes for C coefficients and K states,
    and 8 N S T bytes more with traces. Raises UsageError if a name, a shape or a current is wrong.
    """
    kind = model if isinstance(model, type) and issubclass(model, Neuron) and model is not Neuron else get_model(model)
    if not isinstance(params, Mapping):
        raise UsageError(f"params are values by name, such as {{'tau_m': 10}}, not {shortened(params)}.")
    for name in params:
        kind.check_parameter(name)
    dt, max_spikes = step(dt), whole(max_spikes, "max_spikes", 1)
    units = {name: kind.params()[name].unit for name in params}
    given = {name: array(value, units[name], f"{kind.__name__}: {name}", gaps=True) for name, value in params.items()}
    shapes = {name: value.shape for name, value in given.items() if value.ndim}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UsageError(f"{kind.__name__}: parameters are numbers or arrays of one length, not {told}.")
    current = np.atleast_2d(input_currents(currents, dt))
    largest = float(np.abs(current).max())
    # a little more than the largest current, because the largest code is one step below the span
    smallest = 2.0 ** np.ceil(np.log2(max(largest, 1e-3) * (1 + 2.0**-15)))
    span = smallest if i_span is None else number(i_span, "nA", "i_span")
    if largest > span:
        raise UsageError(f"a current of {largest:g} nA is outside the input's span of {span:g} nA.")
    dp = datapath(kind, word, dt, span)
    for name, value in given.items():
        lo, hi = dp.params[name].bounds
        outside = ~((value >= lo) & (value <= hi))  # true for NaN as well
        if outside.any():
            worst = value[outside].flat[0]
            raise UsageError(f"{kind.__name__}: {name} = {worst:g} {dp.params[name].unit} is outside {lo:g}..{hi:g}.")
    codes = dp.quantise({**kind.defaults(), **given})
    max_spikes = min(max_spikes, current.shape[1])  # a neuron has at most one spike a step
    batch = kernels.simulate(dp, codes, dp.current.encode(current), max_spikes=max_spikes, trace=traces)
    kept = np.minimum(batch.count, max_spikes)
    return Simulation(
        [
            [row[:n] * dp.dt for row, n in zip(rows, ns, strict=True)]
            for rows, ns in zip(batch.spikes, kept, strict=True)
        ],
        batch.count,
        {name: np.asarray(value) for name, value in dp.dequantise(codes).items()},
        batch.trace,
    )
