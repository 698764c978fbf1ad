"""Constants of a cell that are measured directly in its recording, before any search: rest, resistance, reset and others."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from spikefab.fit.recordings.membrane import response
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import Spikes
from spikefab.fit.recordings.sweep import QUIET, baseline_current, quiet_part

TAUS = np.geomspace(1.5, 80, 40)  # membrane time constants, ms, that the subthreshold regression tries
AFTER = 15.0  # ms after a spike in which the voltage does not count as subthreshold
T_REF_MOST = 8.0  # upper limit, ms, of a measured refractory time
# An uncompensated electrode resistance is assumed only if it lowers the mean square error to less than this share.
JUMP = 0.9
FALLING = -2.0  # slope of the voltage, V/s, above which the fast repolarisation of a spike is over


@dataclass(frozen=True)
class Measured:
    """Constants of a cell. Those that need spikes are None for a recording without spikes.

    E_L      resting potential, mV
    R        input resistance, MOhm
    tau      membrane time constant, ms
    drive    largest deviation of the current from its baseline, nA
    onset    voltage at which spikes start, mV
    reset    voltage after the fast fall of a spike, mV
    trough   lowest voltage after a spike, mV
    peak     highest voltage of a spike, mV
    half     voltage halfway between onset and peak, mV
    t_ref    time from a spike to the end of its fast fall, ms
    passive  whether the recording shows R and tau at all; if not, they are guesses
    jump     resistance, MOhm, of an electrode that was not compensated: the voltage follows the current at once by this; or 0
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
        """Capacitance, nF."""
        return self.tau / self.R


def _subthreshold(n: int, spikes: Spikes, dt: float, after: float) -> np.ndarray:
    """(n,) bool: the subthreshold samples, which are not near a spike: neither 2 ms before nor `after` ms after its onset."""
    quiet = np.ones(n, dtype=bool)
    for onset in spikes.onset_index:
        quiet[max(0, onset - round(2 / dt)) : onset + round(after / dt)] = False
    return quiet


def membrane(recording: Recording, spikes: Sequence[Spikes]) -> tuple[float, float, float, bool, float]:
    """The passive membrane that explains the subthreshold voltage of all sweeps best.

    Returns (E_L mV, R MOhm, tau ms, whether the recording shows R and tau, resistance of the electrode MOhm). For each tau
    in TAUS, the response of a membrane to the whole current is computed, and the voltage is regressed on it; noise in the
    recording does not bias this, as it biases a regression of V(t + dt) on V(t). The 15 ms after each spike are left out,
    or 3 ms if the cell fires so fast that too little would be left. An electrode whose resistance was not compensated adds
    a voltage that follows the current at once, which looks like a smaller tau. Therefore the current itself is tried as a
    second regressor; if that lowers the error by a tenth, its coefficient is the resistance of the electrode.
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
    plain, jumping = (np.inf, *start), (np.inf, *start)  # best fits so far: mean square error, E_L, R, tau, jump
    for tau in TAUS:
        x = np.concatenate([response(np.asarray(s.current), baseline_current(s, dt), tau, dt)[k] for s, k in injected])
        if np.ptp(x) == 0:
            continue
        plain = min(plain, _line(v, [x], base, tau))
        jumping = min(jumping, _line(v, [x, i], base, tau))
    seen = plain[0] < np.inf
    # if the best tau is the first or last one tried, the reason is a complicated membrane, not the electrode
    electrode = seen and jumping[0] < JUMP * plain[0] and TAUS[0] < jumping[3] < TAUS[-1]
    _, e_l, r, tau, jump = jumping if electrode else plain
    return e_l, float(np.clip(r, 20, 1000)), tau, seen, jump


def _line(
    v: np.ndarray, regressors: list[np.ndarray], base: tuple[float, float] | None, tau: float
) -> tuple[float, float, float, float, float]:
    """Regress the voltage on the response of the membrane (first regressor) and on the current itself (second, if given).

    Returns (mean square error, E_L, R, tau, resistance of the electrode). If there is a baseline (mV, nA), the line is
    forced through it, because cells rectify when depolarised, which would shift the intercept. If a resistance comes out
    negative, the error is infinite.
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
    """Voltage and current (mV, nA) before the stimuli: medians over the parts, at least 10 ms long, of constant current.

    None if no sweep starts with such a part.
    """
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
    """The sample at which the fast fall of a spike after its peak is over, or the last sample of `v`.

    A fixed time after the peak would not work: spikes are 0.5 to 5 ms wide, and a reset voltage measured on the falling
    flank of a broad spike would start the search at a wrong place.
    """
    width = max(1, round(0.5 / dt))
    slope = (v[peak + width :] - v[peak:-width]) / (width * dt) if len(v) > peak + width else np.empty(0)
    fast = np.flatnonzero(slope < 4 * FALLING)
    start = fast[0] if len(fast) else 0  # skip the rounded top of the spike, where the voltage also falls slowly
    slow = np.flatnonzero(slope[start:] > FALLING)
    return int(peak + start + slow[0]) if len(slow) else len(v) - 1


def measure(recording: Recording, spikes: Sequence[Spikes]) -> Measured:
    """Measure the constants of a cell. The recording should hold training sweeps only; `spikes` has one entry per sweep."""
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
        v = recording.compensated(sweep)
        ends = [*found.onset_index[1:], len(v) - 1][: len(found)]
        for time, peak, end in zip(found.time, found.peak_index, ends, strict=True):
            stop = _repolarised(v[: end + 1], int(peak), dt)
            waits.append(stop * dt - time)
            resets.append(float(v[stop]))
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
