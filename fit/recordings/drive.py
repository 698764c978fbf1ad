"""Whether the recorded current drives the cell: how well it explains the voltage, and what resistance that gives."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .membrane import along, response
from .spikes import Spikes
from .sweep import Floats, Sweep, baseline_current, samples

BIN = 1.0  # ms over which voltage and current are averaged
LONGEST = 60_000  # number of such bins that are looked at; of a longer recording, the beginning of each sweep
SHORTEST = 200  # bins below which a recording shows too little
WEAK = 0.25  # correlation of the voltage below which it is looked at whether the cell follows the current all the same
MANY = 10  # number of spikes from which on there is a rate
CHANGE = 0.05  # share of the span of the current that is a change from one bin to the next
AROUND = 300  # bins before and after such a change that count
TAUS = (1.0, 3.0, 10.0, 30.0, 100.0)  # ms, time constants of the membranes that are tried
USUAL = 100.0  # MOhm, resistance by which a current is weak or not
SMOOTH = 1e-3  # share of its span by which a command may bend from one sample to the next
LEAST = 0.05  # correlation that is too small to mean anything
LEAST_CHANGE = 5e-4  # nA rms: changes of a current, as a membrane sees them, below which no cell follows it
RATE_OVER = 30.0  # ms over which the rate of the spikes is averaged
SHIFTS = 199  # number of times that the current is shifted as it happens
LAGS = (20, 30, 50, 80, 120, 200, 300, 500, 800)  # bins by which the current is shifted, both ways, for comparison


@dataclass(frozen=True)
class Drive:
    """How well the response of a passive membrane to the current explains the voltage.

    correlation  between the voltage, limited at half the height of spikes, and that response; -1..1
    resistance   MOhm, the slope of the voltage over that response: the input resistance of the cell
    elsewhere    the largest correlation if the current is shifted by 20 ms or more
    follows      if the correlation is weak: whether the cell follows the current all the same, surely, or whether it may because
                 the current is a command, without noise, and too weak to explain the voltage of a cell
    """

    correlation: float
    resistance: float
    elsewhere: float
    follows: bool = False


def drive(sweeps: Sequence[Sweep], trains: Sequence[Spikes], dt: float) -> Drive | None:
    """How the current drives the cell; None if the current never changes or the recording is too short to tell.

    Of the membranes with the time constants TAUS, the one that explains the voltage best counts.
    """
    known = [(s, p) for s, p in zip(sweeps, trains, strict=True) if s.current is not None]
    halves = np.concatenate([p.half_voltage for _, p in known]) if known else np.empty(0)
    top = float(np.median(halves)) if len(halves) else np.inf
    width = samples(BIN, dt)
    each = max(1, LONGEST // max(1, len(known)))
    voltages, currents, before = [], [], []
    for sweep, _ in known:
        assert sweep.current is not None
        voltages.append(_binned(np.minimum(sweep.voltage, top), width)[:each])
        currents.append(_binned(sweep.current, width)[:each])
        before.append(baseline_current(sweep, dt))
    if sum(map(len, currents)) < SHORTEST or np.ptp(np.concatenate(currents)) == 0:
        return None
    near = np.concatenate([_near_changes(i, float(np.ptp(np.concatenate(currents)))) for i in currents])
    if not near.any():
        near[:] = True
    v = np.concatenate(voltages)[near]
    if np.ptp(v) == 0:
        return None
    best, tau, elsewhere, shown = (0.0, 0.0), TAUS[0], 0.0, 0.0
    for each_tau in TAUS:
        responses = [response(i, b, each_tau, BIN) for i, b in zip(currents, before, strict=True)]
        found = along(v, np.concatenate(responses)[near])
        if abs(found[0]) > abs(best[0]):
            best, tau = found, each_tau
        shown = max(shown, USUAL * float(np.std(np.concatenate(responses)[near]) / np.std(v)))
        for lag in (*LAGS, *(-lag for lag in LAGS)):
            shifted = np.concatenate([np.roll(x, lag) for x in responses])[near]
            elsewhere = max(elsewhere, abs(along(v, shifted)[0]))
    if abs(best[0]) >= WEAK:
        return Drive(*best, elsewhere)
    if shown < WEAK and all(_is_command(s.current) for s, _ in known if s.current is not None):
        return Drive(*best, elsewhere, follows=True)
    responses = [response(i, b, tau, BIN) for i, b in zip(currents, before, strict=True)]
    if float(np.std(np.concatenate(responses)[near])) < LEAST_CHANGE:
        return Drive(*best, elsewhere)
    follows = _follows(v, responses, near)
    if not follows and sum(len(p) for _, p in known) >= MANY:
        # a cell that fires all the time hides what the membrane does: but its rate follows what drives it
        rates = [
            np.bincount((p.time / BIN).astype(int).clip(0, len(i) - 1), minlength=len(i)).astype(np.float64)
            for i, (_, p) in zip(currents, known, strict=True)
        ]
        smooth = [response(x, x[0], RATE_OVER, BIN) for x in rates]
        follows = _follows(np.concatenate(smooth), responses, np.ones(len(near), dtype=bool))
    return Drive(*best, elsewhere, follows)


def _follows(signal: Floats, responses: Sequence[Floats], near: NDArray[np.bool_]) -> bool:
    """Whether a signal (T,) surely follows the responses, those of all sweeps in the bins `near`, however little it shows.

    It does if no other place in time fits as well, when the response of each sweep is shifted as it happens.
    """
    rng = np.random.default_rng(0)
    here = along(signal, np.concatenate(responses)[near])[0]
    shifts = [rng.integers(LAGS[0], max(LAGS[0], len(x) - LAGS[0]) + 1, SHIFTS) for x in responses]
    worse = 0
    for k in range(SHIFTS):
        shifted = np.concatenate([np.roll(x, s[k]) for x, s in zip(responses, shifts, strict=True)])
        worse += along(signal, shifted[near])[0] < here
    return here > LEAST and worse == SHIFTS


def _is_command(current: Floats) -> bool:
    """Whether a current (T,) has no noise: it goes on in lines, as a command does and no measured current."""
    bends = np.abs(np.diff(current, 2))
    return not len(bends) or float(np.percentile(bends, 95)) <= SMOOTH * float(np.ptp(current))


def _binned(x: Floats, width: int) -> Floats:
    """The means over bins of `width` samples; what is left at the end is dropped unless it is all there is."""
    n = len(x) // width
    return x[: n * width].reshape(n, width).mean(axis=1) if n else x.mean(keepdims=True)


def _near_changes(current: Floats, span: float) -> NDArray[np.bool_]:
    """The bins (T,) around changes of a current: a step tells nothing more where it has long been constant."""
    changes = np.flatnonzero(np.abs(np.diff(current)) > CHANGE * span)
    near = np.zeros(len(current) + 1, dtype=np.int64)
    np.add.at(near, np.maximum(0, changes - AROUND), 1)
    np.add.at(near, np.minimum(len(current), changes + AROUND), -1)
    return np.cumsum(near)[:-1] > 0
