"""Draws a neuron: the voltage of its last run over the current, or its response to a step."""

from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import UsageError
from spikefab.hw.datapath import Datapath
from spikefab.hw.neuron import Neuron
from spikefab.sim import kernels
from spikefab.units import currents

from .recording_picture import Trace, draw_traces

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BEFORE, STEP, AFTER = 50.0, 400.0, 50.0  # ms before, in and after the step of current
STRONGER = 1.5  # factor from the least current that makes the neuron fire to the current that is shown


def plot_neuron(neuron: Neuron, current: Any = None) -> "Figure":
    """The figure of a neuron, see `Neuron.plot`."""
    simulation = neuron.simulation
    what = ""
    if current is not None:
        start, codes = _initial(neuron), simulation.input_codes(currents(current, neuron.dt, several=False))
    elif simulation.last_run is not None:
        start, codes = simulation.last_run
    else:
        nA = step_height(neuron)
        times = np.arange(round((BEFORE + STEP + AFTER) / neuron.dt)) * neuron.dt
        step = np.where((times >= BEFORE) & (times < BEFORE + STEP), nA, 0.0)
        start, codes, what = _initial(neuron), simulation.input_codes(step), f"a step of {nA:g} nA, "
    if np.ndim(codes) != 1 or not len(codes):
        raise UsageError(f"plot draws a current of shape (T,) with at least one sample, not {np.shape(codes)}.")
    voltage, spikes = simulation.repeat(start, codes)
    drawn = Trace("", voltage, np.asarray(neuron.datapath.current.decode(codes), dtype=np.float64))
    count = "one spike" if len(spikes) == 1 else f"{len(spikes)} spikes"
    title = f"{type(neuron).__name__}, word {neuron.word}, dt {neuron.dt:g} ms: {what}{count}"
    return draw_traces([drawn], neuron.dt, title)


def firing_heights(dp: Datapath, codes: np.ndarray, duration: float) -> tuple[np.ndarray, int | None]:
    """Heights (n,) nA of steps from 0.1 % of the input's span on, to two digits, and the place of the first that evokes a spike.

    codes     (coefficients,) of the neuron, which is at rest before
    duration  ms of the step

    The place is None if no step evokes a spike.
    """
    heights = np.unique([float(f"{x:.1e}") for x in np.geomspace(1e-3, 1, 120) * dp.i_span * 0.99])
    current = np.repeat(dp.current.encode(heights)[:, None], round(duration / dp.dt), axis=1)
    fires = np.flatnonzero(kernels.simulate(dp, codes, current, max_spikes=1).count[0] > 0)
    return heights, int(fires[0]) if len(fires) else None


def step_height(neuron: Neuron) -> float:
    """nA, a current that makes the neuron fire: half again the least that does; half the input's span if none does."""
    dp = neuron.datapath
    heights, first = firing_heights(dp, np.array([*neuron.codes.values()]), STEP)
    if first is None:
        return dp.i_span / 2
    return min(float(f"{STRONGER * heights[first]:.1e}"), float(heights[-1]))


def _initial(neuron: Neuron) -> np.ndarray:
    return np.array([*neuron.initial.values()], dtype=np.int64)
