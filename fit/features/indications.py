"""Features of a recording that suggest a kind of model: bursts, block, rebound, resonance, rhythm, noise stimuli."""

import numpy as np
from numpy.typing import NDArray

from .observed import Observed

Floats = NDArray[np.float64]

PAUSE = 2.0  # an interspike interval that is this many times longer than both its neighbours lies between two bursts
SILENCE = 0.3  # share of the stimulus that must be without spikes at its end for a depolarisation block
REBOUND = 300.0  # ms after the end of a hyperpolarising step in which a spike counts as rebound
BAND = (1.0, 60.0)  # frequencies, Hz, between which a resonance of the membrane is searched
SHARPEST = 1000.0  # length, ms, of the segments from which the impedance is estimated: resolves 1 Hz
# Least coherence of voltage and current (the share of the voltage that the current explains) at a frequency for the
# impedance to be used there: at other frequencies, the estimate is noise.
COHERENT = 0.8
RHYTHM = (4.0, 100.0)  # frequencies, Hz, between which a subthreshold oscillation is searched
# Least correlation of a voltage with itself one period later for a rhythm: noise filtered by a membrane stays below it.
REPEATS = 0.4


def indications(observed: list[Observed], dt: float, noise: bool) -> dict[str, float]:
    """One float per feature, see `definitions`; nan if the recording cannot show it. dt in ms."""
    return {
        "noise": float(noise),
        "constant": _constant(observed),
        "bursts": _bursts(observed),
        "block": _block(observed, dt),
        "rebound": _rebound(observed),
        "resonance": _resonance(observed, dt),
        "oscillation": _oscillation(observed, dt),
    }


def _constant(observed: list[Observed]) -> float:
    fired = [o.step is not None and not o.pulse for o in observed if len(o.inside) >= 3]
    return float(np.mean(fired)) if fired else float("nan")


def _bursts(observed: list[Observed]) -> float:
    pauses = []
    for o in observed:
        d = np.diff(o.inside)
        if len(d) >= 3:
            pauses.append(d[1:-1] >= PAUSE * np.maximum(d[:-2], d[2:]))
    return float(np.mean(np.concatenate(pauses))) if pauses else float("nan")


def _block(observed: list[Observed], dt: float) -> float:
    fired = [o for o in observed if len(o.inside) and o.step is not None and o.step > 0]
    if not fired:
        return float("nan")
    # threshold from the first sweep that fires, usually the weakest step: close to the block, spikes start higher
    threshold = float(np.median(fired[0].spikes.onset_voltage))
    found = []
    for o in fired:
        last, (start, stop) = o.inside[-1], o.window
        # the second half of the time after the last spike, when its trough and after-potential are over
        rest = o.sweep.voltage[round((last + 0.5 * (stop - last)) / dt) : round(stop / dt)]
        long = stop - last >= max(SILENCE * (stop - start), 3 * float(np.max(np.diff(o.inside), initial=0.0)))
        found.append(bool(long and len(rest) and np.median(rest) > threshold))
    return float(np.mean(found))


def _rebound(observed: list[Observed]) -> float:
    down = [o for o in observed if o.step is not None and o.step < 0 and not len(o.inside)]
    after = []
    for o in down:
        time, stop = o.spikes.time, o.window[1]
        # a cell that also fires before the step fires by itself, which is no rebound
        after.append(bool(np.any((time > stop) & (time <= stop + REBOUND)) and not np.any(time < o.window[0])))
    return float(np.mean(after)) if after else float("nan")


def _resonance(observed: list[Observed], dt: float) -> float:
    from scipy.signal import coherence, csd, welch

    found = []
    for o in observed:
        if o.sweep.current is None or o.step is not None or len(o.spikes):
            continue
        lo, hi = round(o.window[0] / dt), round(o.window[1] / dt)
        i, v = o.sweep.current[lo:hi], o.sweep.voltage[lo:hi]
        size = round(SHARPEST / dt)
        if len(i) < 2 * size:
            continue
        rate = 1000.0 / dt
        f, cross = csd(i, v, rate, nperseg=size)
        impedance = np.abs(cross) / np.maximum(welch(i, rate, nperseg=size)[1], 1e-30)
        known = (f >= BAND[0]) & (f <= BAND[1]) & (coherence(i, v, rate, nperseg=size)[1] >= COHERENT)
        # a slow ramp contains almost one frequency only, too few to see a peak of the impedance
        if known.sum() >= 5 and f[known][0] <= 2 * BAND[0]:
            found.append(float(np.max(impedance[known]) / impedance[known][0]))
    return float(np.median(found)) if found else float("nan")


def _oscillation(observed: list[Observed], dt: float) -> float:
    found = []
    for o in observed:
        if o.sweep.current is None or o.step is None or len(o.spikes):
            continue
        start, stop = o.window
        # the second half of the step, when the membrane is charged
        v = o.sweep.voltage[round((start + stop) / 2 / dt) : round(stop / dt)]
        if len(v) * dt >= 2000.0 / RHYTHM[0] / 2:
            found.append(_rhythm(v, dt))
    return float(np.max(found)) if found else float("nan")


def _rhythm(v: Floats, dt: float) -> float:
    """Root mean square, mV, of a voltage (T,) that repeats itself with some period of RHYTHM; 0 if it is noise."""
    from scipy.signal import detrend, fftconvolve

    v = detrend(v)
    width = max(1, round(2.0 / dt))
    v = np.convolve(v, np.full(width, 1 / width), "valid")
    power = fftconvolve(v, v[::-1])[len(v) - 1 :]
    if power[0] <= 0:
        return 0.0
    # divide by the number of products at each lag, so that the autocorrelation does not decrease only because of the lag
    r = power / power[0] * len(v) / np.arange(len(v), 0, -1)
    low, high = round(1000 / RHYTHM[1] / dt), min(round(1000 / RHYTHM[0] / dt), len(v) // 2)
    below = np.flatnonzero(r[:high] < 0)
    if not len(below):
        return 0.0
    first = max(low, int(below[0]))
    peak = float(np.max(r[first:high], initial=0.0))
    return float(np.std(v)) if peak >= REPEATS else 0.0
