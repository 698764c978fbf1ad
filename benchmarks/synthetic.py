"""Synthetic recordings: the cells of `cells.py` under steps or noise, integrated by scipy's solve_ivp, with recording noise."""

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from scipy.integrate import solve_ivp

from spikefab import Recording
from spikefab.fit.recordings.spikes import find_spikes
from spikefab.fit.scoring.scores import one_to_one
from spikefab.fit.scoring.split import split

from .cells import Cell, Params

DT = 0.1  # sample step of the recordings, ms
NOISE = 0.5  # noise of the recorded voltage, mV rms
FEWEST = 5  # least number of spikes in the held-out sweeps
REARM = 15.0  # mV below the spike level to which the voltage must fall before the next spike
REST = 6000.0  # ms without input in which a cell reaches its resting state, if it has one
FACTOR = 1.6  # ratio of successive amplitudes that are tried
AMPLITUDES = 0.004 * FACTOR ** np.arange(14)  # amplitudes of steps that are tried, nA: up to 1.8
REPEATED = 3  # spikes in a step from which on a cell counts as firing: one spike at the onset is not enough


class Made(NamedTuple):
    """A recording, the parameters of its cell, when it spiked in each sweep (ms), and how many spikes are held out."""

    params: Params
    recording: Recording
    spikes: list[np.ndarray]
    held_out: int


def settled(cell: Cell, p: Params) -> np.ndarray | None:
    """The state to which it comes without input; None if it does not rest."""

    def alone(t, y):
        return cell.rhs(p, y.tolist(), 0.0)

    part = solve_ivp(alone, (0, REST), cell.start(p), method="LSODA", rtol=1e-8, atol=1e-10, t_eval=[0.8 * REST, REST])
    before, after = part.y.T
    return after if np.allclose(before, after, rtol=1e-4, atol=1e-6) else None


def crossings(over: np.ndarray) -> np.ndarray:
    """ms of the samples at which `over` (T,) mV rises to zero, armed again REARM below it."""
    times, armed = [], True
    for k, above in enumerate(over.tolist()):
        if armed and above >= 0:
            times.append(k * DT)
            armed = False
        elif above <= -REARM:
            armed = True
    return np.array(times)


def simulate(
    cell: Cell, p: Params, rest: np.ndarray, knots: np.ndarray, current: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Voltage (T,) mV every DT and spike times (ms), of a current (knots,) nA that is linear between knots (ms).

    A pair of equal knots is a jump, at which the solver starts anew. The sample at which a spike is due shows the peak.
    """
    n = round(knots[-1] / DT)
    grid, states = np.arange(n) * DT, np.full((len(rest), n), np.nan)
    y, free, spikes = np.array(rest), 0.0, []

    def crossing(t, y):
        return cell.over(p, y)

    crossing.terminal, crossing.direction = True, 1  # type: ignore[attr-defined]
    jumps = np.flatnonzero(np.diff(knots) == 0) + 1
    for first, after in pairwise([0, *jumps, len(knots)]):
        when, level = knots[first:after], current[first:after]
        constant = float(level[0]) if np.ptp(level) == 0 else None
        # largest step of the solver, ms, so that it misses no change of the current and no spike
        longest = 1.0 if constant is None else 4.0

        def moving(t, y, when=when, level=level, constant=constant):
            return cell.rhs(p, y.tolist(), float(np.interp(t, when, level)) if constant is None else constant)

        def held(t, y, moving=moving):
            return [0.0, *moving(t, y)[1:]]

        t, stop = float(when[0]), float(when[-1])
        while t < stop:
            wait = t < free
            end = min(stop, free) if wait else stop
            inside = np.flatnonzero((grid >= t) & (grid < end))
            part = solve_ivp(
                held if wait and cell.held else moving, (t, end), y, method=cell.method, t_eval=[*grid[inside], end],
                rtol=1e-6, atol=1e-7, max_step=longest, events=None if wait or cell.spike is None else crossing,
            )  # fmt: skip
            assert part.success, part.message
            # it is an empty list if a spike came before the first sample
            seen = np.reshape(part.y, (len(rest), -1))[:, : len(inside)]
            states[:, inside[: seen.shape[1]]] = seen
            fired = part.status == 1
            t, y = (float(part.t_events[0][0]), part.y_events[0][0]) if fired else (end, part.y[:, -1])
            # without a reset, the voltage may have passed the threshold during t_ref
            if cell.spike is not None and (fired or (wait and t == free and cell.over(p, y) >= 0)):
                spikes.append(t)
                y = np.array(cell.spike(p, y))
                free = t + p.get("t_ref", 0.0)
    v = cell.shown(p, states)
    if cell.spike is None:
        return v, crossings(cell.over(p, states))
    due = np.ceil(np.array(spikes) / DT).astype(int)
    v[due[due < n]] = p[cell.peak]
    return v, np.array(spikes)


def chaotic(cell: Cell, p: Params, rest: np.ndarray, amplitudes: np.ndarray) -> bool:
    """Whether two solutions that begin 1e-6 apart part from each other under one of these constant currents (nA).

    Both are solved together, so that they take the same steps, for 1600 tau: on a cycle they stay as far apart as its phase
    was moved, some 1e-5, where chaos doubles their distance again and again. It is chaos if in the last quarter they are
    three times as far apart as in the second (of what is at rest: as 1e-6), or 1e-3.
    """
    n, runs = len(rest), len(amplitudes)
    current = np.tile(amplitudes, 2)
    start = np.repeat(np.asarray(rest)[:, None], 2 * runs, axis=1)
    start[0, runs:] += 1e-6

    def both(t, y):
        return np.concatenate(cell.rhs(p, y.reshape(n, -1), current))  # type: ignore[arg-type]

    span = 1600 * p["tau"]
    part = solve_ivp(both, (0, span), start.ravel(), rtol=1e-6, atol=1e-7, t_eval=np.linspace(0, span, 8001)[1:])
    y = part.y.reshape(n, 2, runs, -1)
    apart = np.abs(y[:, 0] - y[:, 1]).max(axis=0)
    second, last = (apart[:, k * 2000 : (k + 1) * 2000].max(axis=1) for k in (1, 3))
    return bool(np.any((last > 3 * np.maximum(second, 1e-6)) | (last > 1e-3)))


def step_stimulus(amplitude: float) -> tuple[np.ndarray, np.ndarray]:
    """50 ms of nothing, 450 ms of a step, 100 ms of nothing."""
    return np.array([0.0, 50, 50, 500, 500, 600]), amplitude * np.array([0.0, 0, 1, 1, 0, 0])


def noise_stimulus(rng: np.random.Generator, mean: float, sigma: float, tau: float) -> tuple[np.ndarray, np.ndarray]:
    """50 ms of nothing, 600 ms of Ornstein-Uhlenbeck noise (tau ms), a knot every millisecond, 50 ms of nothing."""
    decay = np.exp(-1 / tau)
    level = np.zeros(600)
    for k, kick in enumerate(rng.normal(size=599)):
        level[k + 1] = level[k] * decay + np.sqrt(1 - decay**2) * kick
    knots = np.concatenate([[0.0], np.arange(50.0, 651.0), [700.0]])
    return knots, np.concatenate([[0.0, 0.0], mean + sigma * level[1:], [0.0, 0.0]])


def firing_range(cell: Cell, p: Params, rest: np.ndarray, target: int) -> tuple[float, float] | None:
    """nA: the least step that evokes REPEATED spikes, within 2 %, and one that evokes `target`.

    The latter is at least 1.4 times as strong; of a cell that never fires so many, what evokes most. None if it does not fire.
    """

    def count(amplitude: float) -> int:
        return len(simulate(cell, p, rest, *step_stimulus(amplitude))[1])

    high = next((amplitude for amplitude in AMPLITUDES if count(amplitude) >= REPEATED), None)
    if high is None:
        return None
    low = high / FACTOR
    while high > 1.02 * low:
        middle = np.sqrt(low * high)
        low, high = (low, middle) if count(middle) >= REPEATED else (middle, high)
    tried: dict[float, int] = {}
    for amplitude in 1.4 * high * 1.2 ** np.arange(10):
        spikes = count(amplitude)
        tried[float(amplitude)] = min(spikes, target)
        # above some current, a cell with Hodgkin-Huxley dynamics is blocked
        if spikes >= target or spikes < 0.6 * max(tried.values()):
            break
    return float(high), max(tried, key=tried.__getitem__)


def unpredictable(
    cell: Cell, p: Params, rest: np.ndarray, sweeps: list[tuple[np.ndarray, np.ndarray]], spikes: list[np.ndarray]
) -> bool:
    """Whether 0.1 % more current moves one spike in twenty by over 3 ms, adds it or takes it away: nobody could reproduce
    such a recording.
    """
    alone, total = 0, 0
    for (knots, current), before in zip(sweeps, spikes, strict=True):
        after = simulate(cell, p, rest, knots, 1.001 * current)[1]
        alone += len(before) + len(after) - 2 * len(one_to_one(before, after, 3.0)[0])
        total += len(before) + len(after)
    return alone > 0.05 * total


def make_recording(cell: Cell, rng: np.random.Generator, noisy: bool) -> Made | str:
    """A draw of the cell under seven stimuli, and inhibited; or why it is none."""
    p = {name: value if isinstance(value, str) else float(value) for name, value in cell.draw(rng).items()}
    rest = settled(cell, p)
    if rest is None:
        return "fires without input"
    ends = firing_range(cell, p, rest, int(rng.integers(8, 16)))
    if ends is None:
        return "does not fire"
    weakest, strongest = ends
    levels = np.linspace(1.1 * weakest, strongest, 7)
    if noisy:
        means = np.linspace(1.1 * weakest, (weakest + strongest) / 2, 7)
        # with faster noise, a spike that takes milliseconds may not be completed
        tau = 5.0 if cell.spike else 20.0
        sweeps = [noise_stimulus(rng, mean, 0.5 * strongest, tau) for mean in means]
    else:
        sweeps = [step_stimulus(amplitude) for amplitude in (-0.5 * weakest, *levels)]
    made = [simulate(cell, p, rest, *sweep) for sweep in sweeps]
    spikes = [times for _, times in made]
    voltages = [v + rng.normal(0, NOISE, len(v)) for v, _ in made]
    # an amplifier records the mean over each sample: on a straight line, this is the value in the middle
    currents = [np.interp((np.arange(len(v)) + 0.5) * DT, *sweep) for v, sweep in zip(voltages, sweeps, strict=True)]
    recording = Recording.from_arrays(voltages, currents, DT)
    found = [find_spikes(v, DT) for v in voltages]
    if [len(f) for f in found] != [len(times) for times in spikes]:
        return "spikes not recognised"  # for example doublets within a millisecond, or incomplete spikes
    if "x_R" in p and chaotic(cell, p, rest, levels):
        return "chaotic"
    if unpredictable(cell, p, rest, sweeps, spikes):
        return "unpredictable"
    parts = split(recording, found).held_out
    # the parts are whole sweeps, because there are several stimuli
    held_out = sum(len(found[part.sweep]) for part in parts)
    return Made(p, recording, spikes, held_out) if held_out >= FEWEST else "few spikes held out"
