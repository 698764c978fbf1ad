"""What can be read off a recording before any search: resting potential, resistance, time constant, threshold, reset."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikefab.fit.recordings.recording import Recording, baseline_current, quiet_part
from spikefab.fit.recordings.spikes import Spikes

TAUS = np.geomspace(1.5, 80, 40)  # ms, tried by the subthreshold regression
AFTER = 15.0  # ms after a spike before the voltage counts as subthreshold again
T_REF_MOST = 8.0  # ms
QUIET = 10.0  # ms: a shorter start of a sweep is no baseline
JUMP = 0.9  # share of the mean square error that must be left for an electrode's jump to be believed
FALLING = -2.0  # V/s: slower than this, a spike's fast repolarisation is over


@dataclass(frozen=True)
class Measured:
    """Constants of a cell: mV, MOhm, ms, nF. Those of spikes are None for a recording without any.

    drive: nA, the largest departure of the current from its baseline. passive: whether R and tau were seen at all.
    jump: MOhm, of an electrode that was not compensated: the voltage follows the current at once by so much; else 0.
    """

    E_L: float
    R: float
    tau: float
    drive: float
    onset: float | None
    reset: float | None
    trough: float | None
    peak: float | None
    half: float | None
    t_ref: float
    passive: bool = True
    jump: float = 0.0

    @property
    def C(self) -> float:
        return self.tau / self.R


def _subthreshold(n: int, spikes: Spikes, dt: float, after: float) -> np.ndarray:
    """(n,) bool: samples from which the leak can be seen."""
    quiet = np.ones(n, dtype=bool)
    for onset in spikes.onset_index:
        quiet[max(0, onset - round(2 / dt)) : onset + round(after / dt)] = False
    return quiet


def _filtered(current: np.ndarray, baseline: float, tau: float, dt: float) -> np.ndarray:
    """The current through a leaky membrane of unit resistance that has settled under its baseline."""
    from scipy.signal import lfilter

    k = -np.expm1(-dt / tau)
    return baseline + lfilter([k], [1, k - 1], current - baseline)


def membrane(recording: Recording, spikes: Sequence[Spikes]) -> tuple[float, float, float, bool, float]:
    """(E_L mV, R MOhm, tau ms, whether they were seen, jump MOhm): what explains the subthreshold samples best.

    Of all sweeps together. The response to the whole current is simulated for each tau and regressed on the voltage, so
    recording noise does not bias it as it does a regression of V(t + dt) on V(t). Spikes pull the voltage: 15 ms after
    each are left out (3 ms where the cell fires so fast that nothing else would be left). An electrode whose resistance
    was not compensated adds its own drop at once, which looks like a smaller tau: where the current itself as a second
    regressor explains a tenth of the error, it is one.
    """
    dt = recording.dt
    after = AFTER
    keep = [_subthreshold(len(s.voltage), p, dt, after) for s, p in zip(recording.sweeps, spikes, strict=True)]
    if np.mean(np.concatenate(keep)) < 0.2:
        keep = [_subthreshold(len(s.voltage), p, dt, 3.0) for s, p in zip(recording.sweeps, spikes, strict=True)]
    if not np.any(np.concatenate(keep)):
        keep = [np.ones(len(s.voltage), dtype=bool) for s in recording.sweeps]
    base = _baseline(recording, keep)
    injected = [(s, k) for s, k in zip(recording.sweeps, keep, strict=True) if s.current is not None]
    v = np.concatenate([s.voltage[k] for s, k in injected])
    i = np.concatenate([np.asarray(s.current)[k] for s, k in injected])
    start = float(np.median(v)), 100.0, 15.0, 0.0
    plain, jumping = (np.inf, *start), (np.inf, *start)  # mean square error, E_L, R, tau, jump
    for tau in TAUS:
        x = np.concatenate([_filtered(np.asarray(s.current), baseline_current(s, dt), tau, dt)[k] for s, k in injected])
        if np.ptp(x) == 0:
            continue
        plain = min(plain, _line(v, [x], base, tau))
        jumping = min(jumping, _line(v, [x, i], base, tau))
    seen = plain[0] < np.inf
    # at an end of the grid it is not an electrode that is seen, but a membrane that is no simple one
    electrode = seen and jumping[0] < JUMP * plain[0] and TAUS[0] < jumping[3] < TAUS[-1]
    _, e_l, r, tau, jump = jumping if electrode else plain
    return e_l, float(np.clip(r, 20, 1000)), tau, seen, jump


def _line(
    v: np.ndarray, regressors: list[np.ndarray], base: tuple[float, float] | None, tau: float
) -> tuple[float, float, float, float, float]:
    """(mean square error, E_L, R, tau, jump) of the voltage against the filtered current and, with two, the current itself.

    Through the baseline (mV, nA) if there is one: depolarised cells rectify, and would move the intercept. The error is
    infinite where a resistance is negative.
    """
    if base is None:
        columns, y = [np.ones_like(v), *regressors], v
    else:
        columns, y = [x - base[1] for x in regressors], v - base[0]
    a = np.stack(columns, axis=1)
    found = np.linalg.lstsq(a, y, rcond=None)[0]
    r, jump = (*found[-len(regressors) :], 0.0)[:2]
    e_l = float(found[0]) if base is None else base[0] - (r + jump) * base[1]
    error = float(np.mean((y - a @ found) ** 2)) if r > 0 and jump >= 0 else np.inf
    return error, float(e_l), float(r), float(tau), float(jump)


def _baseline(recording: Recording, keep: Sequence[np.ndarray]) -> tuple[float, float] | None:
    """(mV, nA) before the stimuli: medians over the quiet parts of 10 ms or more; None if no sweep has one."""
    volts, amps = [], []
    for sweep, subthreshold in zip(recording.sweeps, keep, strict=True):
        if sweep.current is None:
            continue
        quiet = quiet_part(sweep.current, recording.dt)
        if quiet * recording.dt >= QUIET and quiet < len(sweep.current) and np.any(subthreshold[:quiet]):
            volts.append(float(np.median(sweep.voltage[:quiet][subthreshold[:quiet]])))
            amps.append(baseline_current(sweep, recording.dt))
    return (float(np.median(volts)), float(np.median(amps))) if volts else None


def _repolarised(v: np.ndarray, peak: int, dt: float) -> int:
    """The sample after a peak where the fast fall of the spike is over, or the last of `v`.

    A fixed time after the spike will not do: spikes are 0.5 to 5 ms broad, and a reset on the falling flank of a broad
    one sends the search to the wrong place.
    """
    width = max(1, round(0.5 / dt))
    slope = (v[peak + width :] - v[peak:-width]) / (width * dt) if len(v) > peak + width else np.empty(0)
    fast = np.flatnonzero(slope < 4 * FALLING)
    start = fast[0] if len(fast) else 0  # the rounded top of a spike is slow as well
    slow = np.flatnonzero(slope[start:] > FALLING)
    return int(peak + start + slow[0]) if len(slow) else len(v) - 1


def measure(recording: Recording, spikes: Sequence[Spikes]) -> Measured:
    """Constants of the cell from the (training) sweeps of a recording and their spikes."""
    dt = recording.dt
    e_l, r, tau, seen, jump = membrane(recording, spikes)
    drive = max(
        float(np.max(np.abs(s.current - baseline_current(s, dt)))) for s in recording.sweeps if s.current is not None
    )
    drive = drive or max(float(np.max(np.abs(s.current))) for s in recording.sweeps if s.current is not None)
    intervals = np.concatenate([np.diff(p.time) for p in spikes])
    if not any(len(p) for p in spikes):
        return Measured(e_l, r, tau, drive, None, None, None, None, None, 0.0, seen, jump)
    waits, resets = [], []
    for sweep, found in zip(recording.sweeps, spikes, strict=True):
        ends = [*found.onset_index[1:], len(sweep.voltage) - 1][: len(found)]
        for time, peak, end in zip(found.time, found.peak_index, ends, strict=True):
            stop = _repolarised(sweep.voltage[: end + 1], int(peak), dt)
            waits.append(stop * dt - time)
            resets.append(float(sweep.voltage[stop]))
    shortest = float(np.percentile(intervals, 2)) / 2 if len(intervals) else np.inf
    t_ref = float(np.clip(np.median(waits), 0, min(T_REF_MOST, shortest)))

    def median(name: str) -> float:
        return float(np.median(np.concatenate([getattr(p, name) for p in spikes])))

    return Measured(
        E_L=e_l,
        R=r,
        tau=tau,
        drive=drive,
        onset=median("onset_voltage"),
        reset=float(np.median(resets)),
        trough=median("trough_voltage"),
        peak=median("peak_voltage"),
        half=median("half_voltage"),
        t_ref=t_ref,
        passive=seen,
        jump=jump,
    )
