"""Does a fit find the model that a recording came from? Synthetic recordings, all models fitted, the ranking checked.

    python benchmarks/recovery.py OUT.json [--draws 10] [--budget 20000] [--quick]

Recordings are made in float64 by scipy's solve_ivp from the equations typed below, with no spikefab code in them: even
draws are steps, odd ones noise; 0.5 mV of recording noise on each. The generating model, or one that contains it, should
rank first, or within max(5 %, 0.02) of first, by held-out score. Draws already in OUT.json with the same settings are
skipped, so that a run can be broken off and taken up again.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from scipy.integrate import solve_ivp

from spikefab import Recording, fit
from spikefab.fit.spikes import find_spikes
from spikefab.fit.split import split

DT = 0.1  # ms
NOISE = 0.5  # mV, of the recording
REQUIRED = 0.8  # share of the draws of each model
# AdEx becomes a LIF with a = b = 0 and a small Delta_T, which its bounds allow. Nothing else here contains another:
# Izhikevich's quadratic never becomes a line, nor an exponential.
CONTAINS = {"LIFNeuron": {"AdExNeuron"}, "IzhikevichNeuron": set(), "AdExNeuron": set()}
Params = dict[str, float]


@dataclass(frozen=True)
class Cell:
    """Equations in continuous time: rhs(p, v, w, i), from (rest(p), 0); at v = level(p), v <- reset(p) and w <- w + jump(p).

    v is then held for t_ref, w is not. `draw` makes plausible parameters.
    """

    draw: Callable[[np.random.Generator], Params]
    rhs: Callable[[Params, float, float, float], list[float]]
    rest: str
    reset: str
    level: Callable[[Params], float]
    jump: Callable[[Params], float]
    peak: str


def draw_lif(rng: np.random.Generator) -> Params:
    e_l = rng.uniform(-78, -66)
    return {
        "tau_m": rng.uniform(8, 30), "R_m": rng.uniform(60, 250), "E_L": e_l, "V_th": e_l + rng.uniform(15, 28),
        "V_reset": e_l + rng.uniform(-4, 10), "t_ref": rng.uniform(1, 4), "V_peak": rng.uniform(15, 40),
    }  # fmt: skip


def draw_izhikevich(rng: np.random.Generator) -> Params:
    """Around the book's regular-spiking, bursting and chattering cells (p. 274 onwards)."""
    v_r = rng.uniform(-75, -58)
    v_t = v_r + rng.uniform(16, 28)
    return {
        "C": rng.uniform(0.05, 0.16), "k": rng.uniform(0.0006, 0.0015), "a": np.exp(rng.uniform(*np.log([0.01, 0.06]))),
        "b": rng.uniform(-0.003, 0.005), "c": v_t - rng.uniform(3, 14), "d": rng.uniform(0.03, 0.15), "v_r": v_r,
        "v_t": v_t, "v_peak": rng.uniform(20, 45), "t_ref": 0.0,
    }  # fmt: skip


def draw_adex(rng: np.random.Generator) -> Params:
    """Around Brette & Gerstner 2005 and Naud 2008."""
    e_l, C = rng.uniform(-75, -62), rng.uniform(0.1, 0.28)
    v_t = e_l + rng.uniform(12, 22)
    return {
        "C": C, "g_L": C / rng.uniform(8, 25), "Delta_T": rng.uniform(0.8, 3), "V_T": v_t, "a": rng.uniform(0, 0.006),
        "tau_w": np.exp(rng.uniform(*np.log([30, 250]))), "b": rng.uniform(0.01, 0.09), "E_L": e_l,
        "V_reset": v_t - rng.uniform(4, 18), "V_peak": rng.uniform(10, 30), "t_ref": rng.uniform(0.5, 2.5),
    }  # fmt: skip


def lif(p: Params, v: float, w: float, i: float) -> list[float]:
    return [(p["E_L"] - v + p["R_m"] * i) / p["tau_m"], 0.0]


def izhikevich(p: Params, v: float, w: float, i: float) -> list[float]:
    x = v - p["v_r"]
    return [(p["k"] * x * (v - p["v_t"]) - w + i) / p["C"], p["a"] * (p["b"] * x - w)]


def adex(p: Params, v: float, w: float, i: float) -> list[float]:
    x = v - p["E_L"]
    # the solver's trial steps go beyond `level`, to where an exponential overflows
    upstroke = p["g_L"] * p["Delta_T"] * np.exp(min((v - p["V_T"]) / p["Delta_T"], 30))
    return [(upstroke - p["g_L"] * x - w + i) / p["C"], (p["a"] * x - w) / p["tau_w"]]


CELLS = {
    "LIFNeuron": Cell(draw_lif, lif, "E_L", "V_reset", lambda p: p["V_th"], lambda p: 0.0, "V_peak"),
    "IzhikevichNeuron": Cell(draw_izhikevich, izhikevich, "v_r", "c", lambda p: p["v_peak"], lambda p: p["d"], "v_peak"),
    "AdExNeuron": Cell(
        # 15 Delta_T above V_T, infinity is less than a microsecond away: no solver needs to follow
        draw_adex, adex, "E_L", "V_reset", lambda p: min(p["V_peak"], p["V_T"] + 15 * p["Delta_T"]), lambda p: p["b"],
        "V_peak",
    ),
}  # fmt: skip


def simulate(cell: Cell, p: Params, knots: np.ndarray, current: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Voltage (T,) mV every DT and spike times (ms), of a current (knots,) nA that is linear between knots (ms).

    A pair of equal knots is a jump. The sample at which a spike is due shows the peak: so spikes look like spikes.
    """
    n = round(knots[-1] / DT)
    grid, v = np.arange(n) * DT, np.full(n, np.nan)
    y, free, spikes = np.array([p[cell.rest], 0.0]), 0.0, []

    def crossing(t, y):
        return y[0] - cell.level(p)

    crossing.terminal, crossing.direction = True, 1  # type: ignore[attr-defined]
    for t, stop, i, following in zip(knots[:-1], knots[1:], current[:-1], current[1:], strict=True):
        slope = (following - i) / (stop - t) if stop > t else 0.0
        start = t

        def moving(t, y, start=start, i=i, slope=slope):
            return cell.rhs(p, y[0], y[1], i + slope * (t - start))

        def held(t, y, moving=moving):
            return [0.0, moving(t, y)[1]]

        while t < stop:
            wait = t < free
            end = min(stop, free) if wait else stop
            inside = np.flatnonzero((grid >= t) & (grid < end))
            part = solve_ivp(
                held if wait else moving, (t, end), y, t_eval=[*grid[inside], end], rtol=1e-7, atol=1e-8,
                events=None if wait else crossing,
            )  # fmt: skip
            assert part.success, part.message
            seen = part.y[0][: len(inside)]
            v[inside[: len(seen)]] = seen
            if part.status == 1:
                t, y = float(part.t_events[0][0]), part.y_events[0][0]
                spikes.append(t)
                y = np.array([p[cell.reset], y[1] + cell.jump(p)])
                free = t + p["t_ref"]
            else:
                t, y = end, part.y[:, -1]
    shown = np.ceil(np.array(spikes) / DT).astype(int)
    v[shown[shown < n]] = p[cell.peak]
    return v, np.array(spikes)


def step_stimulus(amplitude: float) -> tuple[np.ndarray, np.ndarray]:
    """100 ms of nothing, 500 ms of a step, 100 ms of nothing."""
    return np.array([0.0, 100, 100, 600, 600, 700]), amplitude * np.array([0.0, 0, 1, 1, 0, 0])


def noise_stimulus(rng: np.random.Generator, mean: float, sigma: float) -> tuple[np.ndarray, np.ndarray]:
    """50 ms of nothing, then 950 ms of Ornstein-Uhlenbeck noise (5 ms), a knot every millisecond."""
    decay = np.exp(-1 / 5)
    level = np.empty(951)
    level[0] = 0.0
    for k, kick in enumerate(rng.normal(size=950)):
        level[k + 1] = level[k] * decay + np.sqrt(1 - decay**2) * kick
    return np.concatenate([[0.0], np.arange(50.0, 1001.0)]), np.concatenate([[0.0, 0.0], mean + sigma * level[1:]])


def amplitude_for(cell: Cell, p: Params, count: int) -> float | None:
    """The least step, nA, that evokes `count` spikes, within 2 %; None beyond 2 nA."""
    low, high = 0.0, 2.0
    if len(simulate(cell, p, *step_stimulus(high))[1]) < count:
        return None
    while high - low > 0.02 * high:
        middle = (low + high) / 2
        enough = len(simulate(cell, p, *step_stimulus(middle))[1]) >= count
        low, high = (low, middle) if enough else (middle, high)
    return high


def make_recording(cell: Cell, rng: np.random.Generator, noisy: bool) -> tuple[Params, Recording, int] | None:
    """Parameters, a recording and its number of held-out spikes; None where the cell does not fire sensibly."""
    p = {name: float(value) for name, value in cell.draw(rng).items()}
    rheobase, strongest = amplitude_for(cell, p, 1), amplitude_for(cell, p, int(rng.integers(12, 30)))
    if rheobase is None or strongest is None or strongest < 1.2 * rheobase:
        return None
    if noisy:
        means, sigma = np.linspace(rheobase, (rheobase + strongest) / 2, 6), 0.5 * strongest
        sweeps = [noise_stimulus(rng, mean, sigma) for mean in means]
    else:
        amplitudes = [-0.5 * rheobase, 0.6 * rheobase, *np.linspace(1.05 * rheobase, strongest, 6)]
        sweeps = [step_stimulus(amplitude) for amplitude in amplitudes]
    made = [simulate(cell, p, *sweep) for sweep in sweeps]
    voltages = [v + rng.normal(0, NOISE, len(v)) for v, _ in made]
    # an amplifier records the mean over each sample: of a line, its value in the middle
    currents = [np.interp((np.arange(len(v)) + 0.5) * DT, *sweep) for v, sweep in zip(voltages, sweeps, strict=True)]
    recording = Recording.from_arrays(voltages, currents, DT)
    found = [find_spikes(v, DT) for v in voltages]
    if [len(f) for f in found] != [len(times) for _, times in made]:
        return None  # doublets within a millisecond
    parts = split(recording, found).held_out
    held_out = sum(len(found[part.sweep]) for part in parts)  # whole sweeps: there are several stimuli
    return (p, recording, held_out) if held_out >= 5 else None


def run_draw(name: str, draw: int, budget: int) -> dict[str, Any]:
    """One recording, all models fitted, who came first."""
    rng = np.random.default_rng([list(CELLS).index(name), draw])
    noisy, rejected, made = bool(draw % 2), 0, None
    while (made := make_recording(CELLS[name], rng, noisy)) is None:
        rejected += 1
    params, recording, spikes = made
    begun = time.perf_counter()
    results = fit(recording, dt=DT, models=list(CELLS), budget=budget, seed=0)
    scores = {r.model_name: r.combined_score for r in results}
    own = min(scores[m] for m in {name, *CONTAINS[name]})
    return {
        "model": name,
        "draw": draw,
        "stimulus": "noise" if noisy else "steps",
        "params": params,
        "rejected": rejected,
        "held_out_spikes": spikes,
        "scores": scores,
        "train": {r.model_name: r.train["combined_score"] for r in results},
        "fitted": next(r.params for r in results if r.model_name == name),
        "first": results.best.model_name,
        "recovered": own <= scores[results.best.model_name] + max(0.05 * scores[results.best.model_name], 0.02),
        "seconds": round(time.perf_counter() - begun, 1),
    }


def machine() -> dict[str, Any]:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return {"cpus": os.cpu_count(), "processor": name}


def report(rows: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    packages = ("spikefab", "numpy", "scipy", "numba", "cmaes")
    summary = {}
    for name in CELLS:
        mine = [row["recovered"] for row in rows if row["model"] == name]
        summary[name] = {"draws": len(mine), "recovered": sum(mine), "required": int(np.ceil(REQUIRED * len(mine)))}
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "versions": {"python": platform.python_version()} | {package: version(package) for package in packages},
        "machine": machine(),
        "settings": settings,
        "summary": summary,
        "rows": rows,
    }


def table(row: dict[str, Any]) -> str:
    scores = " ".join(f"{row['scores'][name]:8.3f}" for name in CELLS)
    mark = "yes" if row["recovered"] else "NO"
    return f"{row['model']:17} {row['draw']:3} {row['stimulus']:6} {row['held_out_spikes']:6} {scores}  {mark}"


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out", type=Path, metavar="OUT.json")
    parser.add_argument("--draws", type=int, default=10, help="of each model")
    parser.add_argument("--budget", type=int, default=20_000, help="evaluations a fit of a model")
    parser.add_argument("--quick", action="store_true", help="2 draws, 2,000 evaluations: to see that it runs")
    options = parser.parse_args()
    draws, budget = (2, 2000) if options.quick else (options.draws, options.budget)
    settings = {"budget": budget, "dt": DT, "noise": NOISE, "word": 18, "seed": 0}
    rows: list[dict[str, Any]] = []
    if options.out.exists():
        before = json.loads(options.out.read_text())
        rows = before["rows"] if before["settings"] == settings else []
    done = {(row["model"], row["draw"]): row for row in rows}
    print("generated by      no. input  spikes      LIF Izhikevi     AdEx  recovered")
    for draw in range(draws):
        for name in CELLS:
            if (name, draw) not in done:
                done[name, draw] = run_draw(name, draw, budget)
                content = report([done[key] for key in sorted(done)], settings)
                part = options.out.with_suffix(".part")
                part.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n")
                part.replace(options.out)
            print(table(done[name, draw]), flush=True)
    summary = report([done[key] for key in sorted(done)], settings)["summary"]
    for name, count in summary.items():
        print(f"{name}: {count['recovered']} of {count['draws']} (required {count['required']})")
    return 0 if all(count["recovered"] >= count["required"] for count in summary.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
