"""Many candidates over many currents, in physical units: the compiled kernel for whoever has a search of their own."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from spikefab.errors import UsageError
from spikefab.hw.datapath import datapath
from spikefab.hw.models import get_model
from spikefab.hw.neuron import Neuron

from . import kernels


@dataclass(frozen=True)
class Simulation:
    """What N candidates did under S currents.

    spikes   spikes[n][s] (count,) ms, k dt for step k
    counts   (N, S)
    params   name -> (N,), the values that were simulated: what the nearest codes stand for
    voltage  (N, S, T) mV, or None
    """

    spikes: list[list[np.ndarray]]
    counts: np.ndarray
    params: dict[str, np.ndarray]
    voltage: np.ndarray | None


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
    """Simulate N candidates of a model under S currents: the integers of the hardware, on all threads.

    model       a class, such as `AdExNeuron`, or a model's name
    params      name -> number or (N,), in physical units and within their bounds; those not named have their default. What
                is too fast for a register at this dt is held at its end: `params` of the result says at what
    currents    (S, T) or (T,) nA, one sample a step
    i_span      nA, a power of two that holds every current; the least one if None
    max_spikes  that are kept for each candidate and current; `counts` has them all
    traces      whether to keep the voltages

    Each candidate starts at rest. Memory, bytes: 8 N (C + S (max_spikes / 2 + 2 K + 5)) for C coefficients and K states,
    and 8 N S T with traces. Raises UsageError for a name, a shape or a current that does not fit.
    """
    if isinstance(model, str):
        model = get_model(model)
    for name in params:
        model.check_parameter(name)
    given = {name: np.asarray(value, dtype=np.float64) for name, value in params.items()}
    shapes = {name: value.shape for name, value in given.items() if value.ndim}
    if any(len(shape) != 1 for shape in shapes.values()) or len(set(shapes.values())) > 1:
        told = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UsageError(f"{model.__name__}: parameters are numbers or arrays of one length, not {told}.")
    current = np.atleast_2d(np.asarray(currents, dtype=np.float64))
    if current.ndim != 2 or not current.size:
        raise UsageError(f"currents must be (sweeps, steps), not {np.shape(currents)}.")
    if not np.isfinite(current).all():
        raise UsageError("a current is not a number.")
    largest = float(np.abs(current).max())
    # the upper end of a span is one code short of it
    span = i_span or 2.0 ** np.ceil(np.log2(max(largest, 1e-3) * (1 + 2.0**-15)))
    if largest > span:
        raise UsageError(f"a current of {largest:g} nA is outside the input's span of {span:g} nA.")
    dp = datapath(model, word, dt, span)
    for name, value in given.items():
        lo, hi = dp.params[name].bounds
        outside = ~((value >= lo) & (value <= hi))  # also catches NaN
        if outside.any():
            worst = value[outside].flat[0]
            raise UsageError(f"{model.__name__}: {name} = {worst:g} {dp.params[name].unit} is outside {lo:g}..{hi:g}.")
    codes = dp.quantise({**model.defaults(), **given})
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
