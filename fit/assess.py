"""What codes do on a recording: every sweep simulated, in fixed point and in float64, and scored."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from spikefab.fit.scoring.task import Task
from spikefab.hw.datapath import Datapath
from spikefab.sim import ideal, ideal_kernel, kernels

from .results import FitResult

INTERPRETED = 50_000  # steps: the float64 model of a longer sweep is compiled, which takes some seconds, once


def assess(dp: Datapath, task: Task, codes: np.ndarray) -> FitResult:
    """Simulate codes (coefficients,) over every sweep of a task and score them; `ideal_scores` are for those kept."""
    sweeps = task.recording.sweeps
    initial = kernels.settle(dp, codes[None], dp.current.encode(task.baselines))
    voltage, spikes = [], []
    for k, sweep in enumerate(sweeps):
        batch = kernels.simulate(
            dp,
            codes,
            dp.current.encode(sweep.current),
            initial=initial[:, k],
            max_spikes=len(sweep.voltage),
            trace=True,
        )
        assert batch.trace is not None
        voltage.append(batch.trace[0, 0])
        spikes.append(batch.spikes[0, 0, : batch.count[0, 0]] * task.dt)
    train = task.score(task.split.train, voltage, spikes)
    assert train is not None
    exact = {n: float(v) for n, v in dp.dequantise(codes).items()}
    return FitResult(
        model_name=dp.model.__name__,
        settings=dict(dp.model.chosen),
        params=exact,
        codes=dict(zip(dp.coefficients, map(int, codes), strict=True)),
        initial=[dict(zip(dp.states, map(int, row), strict=True)) for row in initial[0]],
        word=dp.word,
        dt=dp.dt,
        i_span=dp.i_span,
        train=train,
        held_out=task.score(task.split.held_out, voltage, spikes),
        ideal={"train": None, "held_out": None},
        currents=[np.asarray(s.current) for s in sweeps],
        voltages=voltage,
        spikes=spikes,
        data=[s.voltage for s in sweeps],
    )


def ideal_scores(
    dp: Datapath, task: Task, params: Mapping[str, float], notice: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """The same scores for the same parameters in float64. `notice` is told of a kernel that is being compiled."""
    coefficients = ideal.real_coefficients(dp, dict(params))
    currents = [np.asarray(s.current) for s in task.recording.sweeps]
    run = _interpreted
    if max(map(len, currents)) > INTERPRETED:
        try:
            ideal_kernel.announce(dp, notice)
            run = _compiled
        except TypeError:  # a user's model has a table of a function that is not written out
            pass
    voltage, spikes = run(dp, coefficients, currents, task.baselines)
    parts = task.split
    return {"train": task.score(parts.train, voltage, spikes), "held_out": task.score(parts.held_out, voltage, spikes)}


Runs = tuple[list[np.ndarray], list[np.ndarray]]  # mV and spike times (ms) of each sweep


def _interpreted(dp: Datapath, coefficients: dict[str, Any], currents: list[np.ndarray], held: np.ndarray) -> Runs:
    current = np.zeros((max(map(len, currents)), len(currents)))
    for k, i in enumerate(currents):
        current[: len(i), k] = i
    rest = {n: np.full(current.shape[1], x) for n, x in ideal.rest(dp, coefficients).items()}
    before = np.broadcast_to(held, (round(kernels.SETTLE / dp.dt), current.shape[1]))
    _, _, states = ideal.run(dp, rest, coefficients, before)
    v, fired, _ = ideal.run(dp, states, coefficients, current)
    return (
        [v[: len(i), k] for k, i in enumerate(currents)],
        [np.flatnonzero(fired[: len(i), k]) * dp.dt for k, i in enumerate(currents)],
    )


def _compiled(dp: Datapath, coefficients: dict[str, Any], currents: list[np.ndarray], held: np.ndarray) -> Runs:
    row = np.array([[float(coefficients[name]) for name in dp.coefficients]])
    initial = ideal_kernel.settle(dp, row, held)
    voltage, spikes = [], []
    for k, i in enumerate(currents):
        out = ideal_kernel.simulate(dp, row, i, initial=initial[:, k], max_spikes=len(i), trace=True)
        assert out.trace is not None
        voltage.append(out.trace[0, 0])
        spikes.append(out.spikes[0, 0, : out.count[0, 0]] * dp.dt)
    return voltage, spikes
