"""Candidate-steps a second of every model: the batch kernel, a plain numba loop, Brian 2, and jaxley for Hodgkin-Huxley.

    python -m benchmarks.kernels [--json OUT.json] [--picture OUT.png] [--peers PYTHON] [--models LIF,AdEx]

One run measures all: candidates around each model's defaults, as a block of a search, under two fluctuating currents on
which they fire; spikes and a masked error sum are kept. Ours (exact integers, word 18) and the plain loops
(benchmarks/plain.py, float64) take turns on one thread, the best of the repetitions counts, compiling does not; then ours
on all threads. The peers run on one thread in the interpreter of --peers, which has benchmarks/requirements-peers.txt
installed, and are skipped without it.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.hw.datapath import Datapath, datapath
from spikefab.hw.models import MODELS
from spikefab.sim import kernels, threads

from . import running
from .plain import LOOPS

KEYS = ("ours_1", "ours_all", "plain_1", "brian2", "jaxley")
FIVEFOLD = {"Lapicque", "LIF", "QuadraticIF", "ExpIF", "AdEx", "Izhikevich", "Alpha", "MAT", "GLIF"}
RATE = 30.0  # firing rate of the neuron with default parameters, Hz
MAX_SPIKES = 1000


def least_ratio(model: str) -> float:
    """What ours over plain should at least be."""
    return 5.0 if model.removesuffix("Neuron") in FIVEFOLD else 2.0


@dataclass(frozen=True)
class Work:
    """What every contender gets: N candidates and S sweeps of T steps."""

    dp: Datapath
    codes: np.ndarray  # (N, coefficients) codes of the candidates
    initial: np.ndarray  # (N, states) codes at the start
    current: np.ndarray  # (S, T) codes of the input
    data: np.ndarray  # (S, T) mV, recorded voltage
    outside: np.ndarray  # (S, T) 1 at samples that count in the error, else 0

    @property
    def steps(self) -> int:
        return len(self.codes) * self.current.size

    def physical(self) -> dict[str, Any]:
        """The same in physical units, as float64 contenders take it: exactly what the codes stand for."""
        params = self.dp.dequantise(self.codes)
        start = [q.decode(self.initial[:, k]) for k, q in enumerate(self.dp.states.values())]
        return {
            "params": np.stack([np.broadcast_to(params[n], len(self.codes)) for n in self.dp.params], axis=1),
            "start": np.stack(start, axis=1),
            "current": self.dp.current.decode(self.current),
            "data": self.data,
            "outside": self.outside,
        }


def wander(rng: np.random.Generator, steps: int, tau: float) -> np.ndarray:
    """Ornstein-Uhlenbeck noise of variance 1."""
    x, kept = np.zeros(steps), np.exp(-1 / tau)
    for t, kick in enumerate(rng.normal(0, np.sqrt(1 - kept**2), steps)):
        x[t] = kept * x[t - 1] + kick
    return x


def around(dp: Datapath, n: int, rng: np.random.Generator) -> np.ndarray:
    """Codes (n, coefficients): potentials within 2 mV of the default, all else within 20 %; the first is the default."""
    values = {}
    for name, p in dp.params.items():
        level = p.unit == "mV" and p.bounds[0] < 0
        spread = rng.uniform(-2, 2, n) if level else p.default * rng.uniform(-0.2, 0.2, n)
        spread[0] = 0
        values[name] = np.clip(p.default + spread, *p.bounds)
    return dp.quantise(values)


def make_work(model: str, candidates: int, sweeps: int, steps: int, dt: float = 0.1) -> Work:
    rng = np.random.default_rng(0)
    dp = datapath(MODELS[model], 18, dt)
    codes = around(dp, candidates, rng)
    noise = 0.3 * np.array([wander(rng, steps, 5 / dt) for _ in range(sweeps)])
    levels = dp.i_span * np.geomspace(0.002, 0.6, 60)
    tried = kernels.simulate(dp, codes[0], dp.current.encode(levels[:, None] * (1 + noise[:1])), max_spikes=1)
    rates = tried.count[0] / (steps * dt / 1000)
    level = levels[int(np.argmin(np.abs(rates - RATE)))]
    current = dp.current.encode(level * (1 + noise))
    own = kernels.simulate(dp, codes[0], current, max_spikes=steps, trace=True)
    assert own.trace is not None
    outside = np.ones(current.shape)
    for s in range(sweeps):
        for k in own.spikes[0, s, : own.count[0, s]]:
            outside[s, max(0, k - round(1 / dt)) : k + round(5 / dt)] = 0  # leave out 1 ms before to 5 ms after a spike
    data = own.trace[0] + rng.normal(0, 1, current.shape)
    return Work(dp, codes, dp.rest(codes), current, data, outside)


def ours(work: Work, count: int) -> Callable[[], Any]:
    @threads.limited(count)
    def run():
        return kernels.simulate(
            work.dp,
            work.codes,
            work.current,
            initial=work.initial,
            data=work.data,
            outside=work.outside,
            max_spikes=MAX_SPIKES,
        )

    return run


def plain(work: Work, loop: Callable) -> Callable[[], Any]:
    given = work.physical()
    shape = (len(work.codes), len(work.current))

    def run():
        count, masked = np.empty(shape, dtype=np.int64), np.empty(shape)
        spikes = np.zeros((*shape, MAX_SPIKES), dtype=np.int32)
        loop(*given.values(), work.dp.dt, count, spikes, masked)
        return count

    return run


def best(contenders: dict[str, Callable[[], Any]], repeats: int) -> dict[str, float]:
    """Seconds of each, the least of `repeats`, in turns after one to warm up."""
    seconds = dict.fromkeys(contenders, np.inf)
    for repeat in range(repeats + 1):
        for name, run in contenders.items():
            begun = time.perf_counter()
            run()
            if repeat:
                seconds[name] = min(seconds[name], time.perf_counter() - begun)
    return seconds


def peer(name: str, python: str, work: Work, target: str) -> dict[str, Any]:
    """What `peers.py` says in the peers' interpreter."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "work.npz"
        np.savez(
            path,
            model=work.dp.model.__name__,
            dt=work.dp.dt,
            param_names=list(work.dp.params),
            state_names=list(work.dp.states),
            **work.physical(),
        )
        command = [python, "-m", "benchmarks.peers", name, str(path), "--target", target]
        done = subprocess.run(command, cwd=running.ROOT, capture_output=True, text=True, encoding="utf-8")
    if done.returncode:
        print(f"{name} failed on {work.dp.model.__name__}: {done.stderr.strip().splitlines()[-1]}", file=sys.stderr)
        return {"steps_per_s": None, "spikes": None, "how": None}
    return json.loads(done.stdout.splitlines()[-1])


def measured_on() -> str:
    here = running.machine()
    packages = ", ".join(f"{name} {v}" for name, v in running.versions("numba", "numpy").items())
    return f"{here['processor']}, {here['cpus']} cores, {packages}"


def row(model: str, result: dict[str, float | None], rate: float) -> str:
    """A line of the table: millions of candidate-steps a second, then ratios."""

    def million(x: float | None) -> str:
        return "-".rjust(9) if x is None else f"{x / 1e6:9.1f}"

    def ratio(a: str, b: str) -> str:
        x, y = result[a], result[b]
        return "-".rjust(7) if x is None or y is None else f"{x / y:6.1f}x"

    wanted = least_ratio(model)
    assert result["ours_1"] is not None and result["plain_1"] is not None
    short = " " if result["ours_1"] / result["plain_1"] >= wanted else "<"
    return (
        f"{model.removesuffix('Neuron'):16} {rate:6.1f}" + "".join(million(result[key]) for key in KEYS)
        + f" {ratio('ours_1', 'plain_1')} {short} {wanted:.0f}x {ratio('ours_all', 'ours_1')}"
        + f" {ratio('ours_1', 'brian2')} {ratio('ours_1', 'jaxley')}"
    )  # fmt: skip


HEAD = (
    f"{'':16} {'rate':>6}" + "".join(f"{key:>9}" for key in KEYS)
    + f" {'ours_1/plain_1':>12} {'all/1':>6} {'/brian2':>7} {'/jaxley':>7}"
    + f"\n{'':16} {'Hz':>6}" + f"{'M candidate-steps/s':>45} {'wanted':>13}"
)  # fmt: skip


def picture(results: dict[str, dict[str, float | None]], path: Path, caption: str) -> None:
    """Every contender's speed, a row a model, on one logarithmic axis."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    looks = {
        "ours_all": ("spikefab, all threads", "o", "none"),
        "ours_1": ("spikefab, one thread", "o", "C0"),
        "plain_1": ("plain numba loop", "s", "C1"),
        "brian2": ("Brian 2", "^", "C2"),
        "jaxley": ("jaxley", "D", "C3"),
    }
    models = list(results)[::-1]
    figure, axes = pyplot.subplots(figsize=(6.4, 0.8 + 0.28 * len(models)), layout="constrained")
    for key, (label, marker, face) in looks.items():
        points = [(results[m][key], k) for k, m in enumerate(models) if results[m][key] is not None]
        if points:
            x, y = zip(*points, strict=True)
            edge = "C0" if face == "none" else face
            axes.plot(x, y, marker, label=label, markerfacecolor=face, markeredgecolor=edge, markersize=5)
    axes.set_xscale("log")
    axes.set_yticks(range(len(models)), [m.removesuffix("Neuron") for m in models])
    axes.set_xlabel("candidate-steps a second")
    axes.grid(axis="x", alpha=0.3)
    figure.legend(loc="outside upper center", ncols=3, frameon=False, fontsize="small")
    figure.text(0, 0, caption, fontsize=4, color="0.5")
    figure.savefig(path, dpi=110)


def main() -> int:
    parser = running.parser(__doc__, output=False)
    parser.add_argument("--json", type=Path, metavar="OUT.json")
    parser.add_argument("--picture", type=Path, metavar="OUT.png")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has Brian 2 and jaxley")
    parser.add_argument("--brian", default="auto", help="its code generation: cython, numpy, cpp_standalone")
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--candidates", type=int, default=512)
    parser.add_argument("--sweeps", type=int, default=2)
    parser.add_argument("--steps", type=int, default=10_000)
    parser.add_argument("--repeats", type=int, default=10)
    options = parser.parse_args()
    cores = threads.count()
    if options.peers is None:
        print("Brian 2 and jaxley are skipped: give --peers PYTHON, see benchmarks/requirements-peers.txt")
    caption = (
        f"{measured_on()}; word 18, dt 0.1 ms, {options.candidates} candidates x {options.sweeps} x {options.steps}"
    )
    print(caption, f"load {os.getloadavg()[0]:.1f}", sep="\n")
    print(HEAD)
    results: dict[str, dict[str, float | None]] = {}
    ways = set()
    for model in options.models:
        work = make_work(model, options.candidates, options.sweeps, options.steps)
        mine = ours(work, cores)().count
        seconds = best({"ours_1": ours(work, 1), "plain_1": plain(work, LOOPS[model])}, options.repeats)
        # measured last, because waiting threads of this run would slow down the others
        seconds |= best({"ours_all": ours(work, cores)}, options.repeats)
        results[model] = {key: work.steps / seconds[key] if key in seconds else None for key in KEYS}
        if options.peers is not None:
            for name in ("brian2", "jaxley") if model == "HodgkinHuxleyNeuron" else ("brian2",):
                answer = peer(name, options.peers, work, options.brian)
                results[model][name] = answer["steps_per_s"]
                if answer["how"]:
                    ways.add(answer["how"])
        rate = float(np.median(mine)) / (options.steps * work.dp.dt / 1000)
        print(row(model, results[model], rate), flush=True)
    print(*sorted(ways), sep="\n")
    if options.json:
        running.write(options.json, results)
    if options.picture:
        picture(results, options.picture, caption)
    return 0


if __name__ == "__main__":
    sys.exit(main())
