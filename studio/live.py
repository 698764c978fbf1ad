"""Simulates a model while the user moves its sliders, in fixed point and in float64, and scores it against a recording."""

import json
import math
import threading
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np

from spikefab.errors import UsageError
from spikefab.fit.scoring.scale import Scale, scale, timing_sentence
from spikefab.fit.scoring.split import Part
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.space import start
from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.neuron import Neuron
from spikefab.hw.pages.literature import CELLS
from spikefab.sim.engine import FixedPoint, Float64

from . import neuron_requests
from .commands import reading
from .project import Project
from .recordings import recording_of, sweep_of

KEPT = 4  # number of recordings that are kept ready for simulation
LONGEST = 2_000_000  # steps of a simulation, at most
SCORES = (
    "combined_score",
    "voltage",
    "timing_term",
    "masked_rmse",
    "timing",
    "count",
    "gamma",
    "spikes_model",
    "spikes_data",
)


class Bench:
    """Runs the simulations that the page requests, one at a time, because a kernel uses all cores by itself."""

    def __init__(self, project: Project):
        self.project = project
        self._tasks: OrderedDict[tuple[str, str, float], Task] = OrderedDict()
        self._scales: WeakKeyDictionary[Task, dict[int, Scale]] = WeakKeyDictionary()  # task -> sweep -> scale
        self._lock = threading.Lock()

    def parameters(self, model: type[Neuron], word: int, dt: float, key: str | None) -> dict[str, Any]:
        """The parameters that the user can change, with their ranges and initial values.

        The initial values are measured in the recording `key`, if there is one.
        """
        with self._lock:
            seen = key is not None and not self.project.recording(key)["cannot_be_fitted"]
            task = self._task(key, dt) if seen and key is not None else None
            dp = datapath(model, word, dt, None if task is None else task.i_span)
            begin = model.defaults() if task is None else start(dp, task.measured)
        return {
            "model": model.__name__,
            "word": word,
            "dt": dt,
            "i_span": dp.i_span,
            "settings": dict(model.chosen),
            "parameters": [
                {
                    "name": name,
                    "unit": p.unit,
                    "doc": p.doc,
                    "bounds": [float(x) for x in p.bounds],
                    "log": p.log,
                    "default": p.default,
                    "value": float(np.clip(begin[name], *p.bounds)),
                }
                for name, p in dp.params.items()
            ],
            "presets": [
                {"name": c.name, "source": c.source, "params": c.params, "settings": c.settings}
                for c in CELLS.get(model.__name__, ())
            ],
        }

    def trial(self, model: type[Neuron], word: int, dt: float, key: str) -> dict[str, Any]:
        """Whether a model fires with the values measured in a recording: in the sweep in which the cell has most spikes."""
        with self._lock:
            task = self._task(key, dt)
            dp = datapath(model, word, dt, task.i_span)
            recorded = [len(s.time) for s in task.spikes]
            sweep = int(np.argmax(recorded))
            begin = start(dp, task.measured)
            codes = dp.quantise({name: float(np.clip(begin[name], *p.bounds)) for name, p in dp.params.items()})[0]
            current = np.asarray(task.recording.sweeps[sweep].current)
            _, (spikes,), _ = FixedPoint(dp).run(codes, [current], task.baselines[[sweep]])
        return {"sweep": task.recording.sweeps[sweep].name, "spikes": len(spikes), "recorded": recorded[sweep]}

    def simulate(self, body: Mapping[str, Any]) -> bytes:
        """Simulate a model. The result is binary: the length of a JSON text, the text, and the float32 arrays that it names."""
        model, word = neuron_requests.model(body), neuron_requests.whole(body, "word", 18)
        dt = neuron_requests.number(body, "dt", 0.1, 0.005, 1)
        with self._lock:
            if body.get("recording") is not None:
                key = neuron_requests.text(body, "recording")
                sweep = neuron_requests.whole(body, "sweep", 0)
                content = self.project.recording(key)
                sweep_of(content, sweep)
                task = self._task(key, dt)
                span = task.i_span
                current = np.asarray(task.recording.sweeps[sweep].current)
                baseline = float(task.baselines[sweep])
                where = f"recording = {reading(content)}.resample({dt:g})", f"recording.sweeps[{sweep}].current"
            else:
                task, sweep, baseline = None, 0, 0.0
                current, where = _stimulus(neuron_requests.table(body, "stimulus"), dt)
                span = _span(model, current)
            # given codes may belong to another span than that of this current
            given = neuron_requests.number(body, "i_span", span, 1e-6)
            if given < np.abs(current).max():
                raise UsageError(f"This current is beyond the {given:g} nA for which these codes were made.")
            dp = datapath(model, word, dt, given)
            codes = self._codes(dp, body)
            return self._answer(dp, codes, current, baseline, task, sweep, bool(body.get("ideal")), where)

    def _codes(self, dp: Datapath, body: Mapping[str, Any]) -> np.ndarray:
        if body.get("codes") is not None:
            given = neuron_requests.numbers(body, "codes")
            if set(given) != set(dp.coefficients):
                raise UsageError(f"{dp.model.__name__} needs a code for each of {', '.join(dp.coefficients)}.")
            for name, q in dp.coefficients.items():
                if not q.lo <= given[name] <= q.hi or given[name] != int(given[name]):
                    raise UsageError(f"code {given[name]:g} of {name} is outside {q}.")
            return np.array([int(given[name]) for name in dp.coefficients], dtype=np.int64)
        params = neuron_requests.numbers(body, "params")
        for name, value in params.items():
            dp.model.check_parameter(name)
            lo, hi = dp.params[name].bounds
            slack = 1e-2 * max(abs(lo), abs(hi), hi - lo)  # the value of a code may be slightly outside the bounds
            if not lo - slack <= value <= hi + slack:
                raise UsageError(f"{name} can be {lo:g} to {hi:g} {dp.params[name].unit}, not {value:g}.")
        values = {name: float(np.clip(params.get(name, p.default), *p.bounds)) for name, p in dp.params.items()}
        move = neuron_requests.table(body, "nudge")
        if move:
            name = neuron_requests.text(move, "param")
            dp.model.check_parameter(name)
            values[name] = nudged(dp, values, name, neuron_requests.whole(move, "by", least=-1, most=1))
        return dp.quantise(values)[0]

    def _answer(
        self,
        dp: Datapath,
        codes: np.ndarray,
        current: np.ndarray,
        baseline: float,
        task: Task | None,
        sweep: int,
        with_ideal: bool,
        where: tuple[str, str],
    ) -> bytes:
        (voltage,), (spikes,), initial = FixedPoint(dp).run(codes, [current], np.array([baseline]))
        exact = {name: float(v) for name, v in dp.dequantise(codes).items()}
        arrays = {"voltage": voltage}
        content: dict[str, Any] = {"spikes": spikes.tolist(), "data_spikes": [], "ideal_spikes": [], "score": None}
        if with_ideal:
            arrays["ideal"], fired = _ideal(dp, exact, current, baseline)
            content["ideal_spikes"] = fired.tolist()
        if task is None:
            arrays["current"] = current
        else:
            arrays["residual"] = task.recording.sweeps[sweep].voltage - voltage
            content["data_spikes"] = task.spikes[sweep].time.tolist()
            scores = task.score([Part(sweep, 0, len(voltage))], {sweep: voltage}, {sweep: spikes})  # type: ignore[arg-type]
            assert scores is not None
            content["score"] = {name: getattr(scores, name) for name in SCORES}
            content |= self._between(task, sweep)
        named = dict(zip(dp.coefficients, map(int, codes), strict=True))
        state = dict(zip(dp.states, map(int, initial[0]), strict=True))
        chosen = "".join(f", {name}={value!r}" for name, value in dp.model.chosen.items())
        python = (
            f"from spikefab import {dp.model.__name__}, read\n\n{where[0]}\n"
            f"neuron = {dp.model.__name__}(\n    codes={named},\n    initial={state},\n"
            f"    word={dp.word}, dt={dp.dt:g}, i_span={dp.i_span:g}{chosen},\n)\nvoltage = neuron.run({where[1]})"
        )
        content |= {
            "n": len(voltage),
            "dt": dp.dt,
            "arrays": [*arrays],
            "codes": named,
            "formats": {name: str(q) for name, q in dp.coefficients.items()},
            "values": exact,
            "i_span": dp.i_span,
            "python": python,
            "command": "",
        }
        head = json.dumps(content, allow_nan=False).encode()
        head += b" " * (-(4 + len(head)) % 8)
        return b"".join(
            [len(head).to_bytes(4, "little"), head, *(np.asarray(a, dtype="<f4").tobytes() for a in arrays.values())]
        )

    def _between(self, task: Task, sweep: int) -> dict[str, Any]:
        """Floor and ceiling of the scores of a sweep, and what is said of them."""
        known = self._scales.setdefault(task, {})
        if sweep not in known:
            known[sweep] = scale(task, [Part(sweep, 0, len(task.recording.sweeps[sweep].voltage))])
        return {"scale": known[sweep].marks(), "scale_sentences": [s for s in [timing_sentence(known[sweep])] if s]}

    def _task(self, key: str, dt: float) -> Task:
        """The task of scoring all sweeps of a recording, resampled to dt ms. The last KEPT tasks are cached."""
        content = self.project.recording(key)
        mark = (key, str(content.get("current_origin")) + str(content["sha256"]), dt)
        if mark not in self._tasks:
            if sum(s["duration"] for s in content["sweeps"]) / dt > 50 * LONGEST:
                raise UsageError(f"{content['name']} is too long to be simulated at dt = {dt:g} ms.")
            recording = recording_of(self.project.recording_folder(key), content)
            self._tasks[mark] = Task.of(recording, dt, "none")
            while len(self._tasks) > KEPT:
                self._tasks.popitem(last=False)
        self._tasks.move_to_end(mark)
        return self._tasks[mark]


def nudged(dp: Datapath, values: Mapping[str, float], name: str, by: int) -> float:
    """The nearest value of a parameter, above (`by` 1) or below (-1), that changes a code; the bound if there is none."""
    lo, hi = dp.params[name].bounds
    now, end = values[name], hi if by > 0 else lo
    before = dp.quantise(values)[0]

    def same(value: float) -> bool:
        return bool(np.array_equal(dp.quantise({**values, name: value})[0], before))

    step = max(abs(now), hi - lo) * 1e-9
    while abs(step) < abs(end - now) and same(now + by * step):
        step *= 2
    near, far = 0.0, min(step, abs(end - now))
    if not by or same(now + by * far):
        return end if by else now
    for _ in range(50):
        middle = (near + far) / 2
        near, far = (middle, far) if same(now + by * middle) else (near, middle)
    return now + by * far


def _stimulus(body: Mapping[str, Any], dt: float) -> tuple[np.ndarray, tuple[str, str]]:
    """A current step, and the Python code that makes it."""
    height = neuron_requests.number(body, "amplitude", 0.5, -1e3, 1e3)
    duration = neuron_requests.number(body, "duration", 700.0, 1.0)
    first, last = neuron_requests.number(body, "start", 100.0, 0.0), neuron_requests.number(body, "stop", 600.0, 0.0)
    if not first < last:
        raise UsageError("The current must end after it begins.")
    if duration / dt > LONGEST:
        raise UsageError(f"These are more than {LONGEST:,} steps: take a shorter stimulus.")
    current = np.zeros(round(duration / dt))
    begin, end = round(first / dt), round(last / dt)
    current[begin:end] = height
    lines = f"import numpy as np\n\ncurrent = np.zeros({len(current)})\ncurrent[{begin}:{end}] = {height:g}  # nA"
    return current, (lines, "current")


def _span(model: type[Neuron], current: np.ndarray) -> float:
    """The span of the input, nA: that of the model, or the smallest power of two above the current if that is larger."""
    largest = float(np.abs(current).max()) * (1 + 2.0**-15)
    return max(model.i_span, 2.0 ** math.ceil(math.log2(largest))) if largest else model.i_span


def _ideal(
    dp: Datapath, params: dict[str, float], current: np.ndarray, baseline: float
) -> tuple[np.ndarray, np.ndarray]:
    """The same neuron in float64. Returns voltage (T,) mV and spikes (n,) ms."""
    engine = Float64(dp)
    (voltage,), (spikes,), _ = engine.run(engine.quantise(params)[0], [current], np.array([baseline]))
    return np.nan_to_num(voltage), spikes
