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
WEAK = 0.25  # correlation of the voltage below which the rate of spikes is looked at
MANY = 10  # number of spikes from which on there is a rate
CHANGE = 0.05  # share of the span of the current that is a change from one bin to the next
AROUND = 300  # bins before and after such a change that count
TAUS = (1.0, 3.0, 10.0, 30.0, 100.0)  # ms, time constants of the membranes that are tried
LAGS = (20, 30, 50, 80, 120, 200, 300, 500, 800)  # bins by which the current is shifted, both ways, for comparison


@dataclass(frozen=True)
class Drive:
    """How well the response of a passive membrane to the current explains the voltage.

    correlation  between the voltage, limited at half the height of spikes, and that response; -1..1
    resistance   MOhm, the slope of the voltage over that response: the input resistance of the cell; nan if only the rate of
                 its spikes follows the current
    elsewhere    the largest correlation if the current is shifted by 20 ms or more
    """

    correlation: float
    resistance: float
    elsewhere: float


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
    best, elsewhere = (0.0, 0.0), 0.0
    for tau in TAUS:
        responses = [response(i, b, tau, BIN) for i, b in zip(currents, before, strict=True)]
        best = max(best, along(v, np.concatenate(responses)[near]), key=lambda found: abs(found[0]))
        for lag in (*LAGS, *(-lag for lag in LAGS)):
            shifted = np.concatenate([np.roll(x, lag) for x in responses])[near]
            elsewhere = max(elsewhere, abs(along(v, shifted)[0]))
    if abs(best[0]) < WEAK and sum(len(p) for _, p in known) >= MANY:
        # a cell that fires all the time hides what the membrane does: but its rate follows what drives it
        rates = [
            np.bincount((p.time / BIN).astype(int).clip(0, len(i) - 1), minlength=len(i)).astype(np.float64)
            for i, (_, p) in zip(currents, known, strict=True)
        ]
        smooth = [[response(x, x.mean(), 10.0, BIN) for x in signal] for signal in (rates, currents)]
        rate, drives = np.concatenate(smooth[0]), smooth[1]
        follows = along(rate, np.concatenate(drives))[0]
        shifts = [np.concatenate([np.roll(x, lag) for x in drives]) for k in LAGS for lag in (k, -k)]
        beside = max(abs(along(rate, x)[0]) for x in shifts)
        if follows > max(WEAK, beside + 0.1):
            return Drive(follows, float("nan"), beside)
    return Drive(*best, elsewhere)


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
