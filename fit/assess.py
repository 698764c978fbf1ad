"""Simulates a candidate on every sweep of a recording, in fixed point and in float64, and scores it."""

from collections.abc import Callable, Mapping

import numpy as np

from spikefab.fit.scoring.scores import Scores
from spikefab.fit.scoring.task import Task
from spikefab.hw.datapath import Datapath
from spikefab.hw.models import model_source
from spikefab.sim.engine import Engine, Float64

from .result import FitResult


def assess(engine: Engine, task: Task, row: np.ndarray) -> FitResult:
    """Simulate a candidate (coefficients,) on every sweep of a task, and score it. `ideal` of the result is left empty."""
    task.require_step(engine.dp)
    dp, sweeps = engine.dp, task.recording.sweeps
    currents = [np.asarray(s.current) for s in sweeps]
    voltage, spikes, initial = engine.run(row, currents, task.baselines)
    train = task.score(task.split.train, voltage, spikes)
    assert train is not None
    exact = {n: float(v) for n, v in engine.dequantise(row).items()}
    codes, states = engine.codes(row), engine.state_codes(initial)
    return FitResult(
        model_name=dp.model.__name__,
        model_source=model_source(dp.model),
        arithmetic=engine.arithmetic,
        settings=dict(dp.model.chosen),
        params=exact,
        codes=dict(zip(dp.coefficients, map(int, codes), strict=True)),
        initial=[dict(zip(dp.states, map(int, row), strict=True)) for row in states],
        word=dp.word,
        dt=dp.dt,
        i_span=dp.i_span,
        train=train,
        held_out=task.score(task.split.held_out, voltage, spikes),
        ideal={"train": None, "held_out": None},
        currents=currents,
        voltages=voltage,
        spikes=spikes,
        data=[s.voltage for s in sweeps],
        task=task,
    )


def ideal_engine(dp: Datapath, task: Task, notice: Callable[[str], None] | None = None) -> Float64:
    """The engine with which `ideal_scores` simulates the sweeps of a task. `notice` is called before a kernel is compiled."""
    return Float64.of(dp, max(len(sweep.voltage) for sweep in task.recording.sweeps), notice)


def ideal_scores(
    dp: Datapath, task: Task, params: Mapping[str, float], notice: Callable[[str], None] | None = None
) -> dict[str, Scores | None]:
    """The scores of parameters in float64. `notice` is called before a kernel is compiled."""
    task.require_step(dp)
    currents = [np.asarray(s.current) for s in task.recording.sweeps]
    engine = ideal_engine(dp, task, notice)
    voltage, spikes, _ = engine.run(engine.quantise(params)[0], currents, task.baselines)
    parts = task.split
    return {"train": task.score(parts.train, voltage, spikes), "held_out": task.score(parts.held_out, voltage, spikes)}
