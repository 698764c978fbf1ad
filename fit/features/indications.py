"""Signs of a recording that point at a kind of model: bursts, block, rebound, resonance, rhythm, a fluctuating stimulus."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from .extract import Observed

Floats = NDArray[np.float64]

PAUSE = 2.0  # times both neighbours: such an interval stands between two bursts
SILENCE = 0.3  # of the stimulus, at least, without spikes at its end: a block
REBOUND = 300.0  # ms after the end of an inhibition
BAND = (1.0, 60.0)  # Hz, in which a membrane's resonance is sought
SHARPEST = 1000.0  # ms, of a segment of the impedance
COHERENT = 0.8  # the share of the voltage that the current explains: elsewhere the impedance is noise
RHYTHM = (4.0, 100.0)  # Hz, of subthreshold oscillations
REPEATS = 0.4  # correlation of a voltage with itself one period later: noise that a membrane filters stays below


def signs(observed: "list[Observed]", dt: float, noise: bool) -> dict[str, float]:
    """One float a sign; nan where the recording cannot show it. dt in ms.

    * noise: 1 where the stimulus fluctuates all along, else 0
    * constant: share of the sweeps with three spikes or more whose stimulus is a step: what intervals tell of the cell
    * bursts: share, 0..1, of intervals at least twice as long as both neighbours, over all sweeps: none in regular and
      in adapting trains, half of them in doublets
    * block: share of the firing sweeps that fall silent, above the threshold of their spikes, while the step goes on
    * rebound: share of the inhibiting steps with a spike within 300 ms of their end
    * resonance: greatest impedance within 1..60 Hz over the one at 1 Hz, from a fluctuating or swinging current that
      evokes no spike; 1 is a passive membrane
    * oscillation: mV, root mean square of a subthreshold rhythm of 4..100 Hz under a constant current; 0 without one
    """
    return {
        "noise": float(noise),
        "constant": _constant(observed),
        "bursts": _bursts(observed),
        "block": _block(observed, dt),
        "rebound": _rebound(observed),
        "resonance": _resonance(observed, dt),
        "oscillation": _oscillation(observed, dt),
    }


def _constant(observed: "list[Observed]") -> float:
    fired = [o.step is not None and not o.pulse for o in observed if len(o.inside) >= 3]
    return float(np.mean(fired)) if fired else float("nan")


def _bursts(observed: "list[Observed]") -> float:
    pauses = []
    for o in observed:
        d = np.diff(o.inside)
        if len(d) >= 3:
            pauses.append(d[1:-1] >= PAUSE * np.maximum(d[:-2], d[2:]))
    return float(np.mean(np.concatenate(pauses))) if pauses else float("nan")


def _block(observed: "list[Observed]", dt: float) -> float:
    fired = [o for o in observed if len(o.inside) and o.step is not None and o.step > 0]
    if not fired:
        return float("nan")
    # of weak steps, whose spikes begin where a blocked cell's no longer can
    threshold = float(np.median(fired[0].spikes.onset_voltage))
    found = []
    for o in fired:
        last, (start, stop) = o.inside[-1], o.window
        # the trough and the after-potential of the last spike are no plateau
        rest = o.sweep.voltage[round((last + 0.5 * (stop - last)) / dt) : round(stop / dt)]
        long = stop - last >= max(SILENCE * (stop - start), 3 * float(np.max(np.diff(o.inside), initial=0.0)))
        found.append(bool(long and len(rest) and np.median(rest) > threshold))
    return float(np.mean(found))


def _rebound(observed: "list[Observed]") -> float:
    down = [o for o in observed if o.step is not None and o.step < 0 and not len(o.inside)]
    after = []
    for o in down:
        time, stop = o.spikes.time, o.window[1]
        # a cell that fires by itself does not rebound
        after.append(bool(np.any((time > stop) & (time <= stop + REBOUND)) and not np.any(time < o.window[0])))
    return float(np.mean(after)) if after else float("nan")


def _resonance(observed: "list[Observed]", dt: float) -> float:
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
        # a slow ramp drives one frequency only: there is no peak to see
        if known.sum() >= 5 and f[known][0] <= 2 * BAND[0]:
            found.append(float(np.max(impedance[known]) / impedance[known][0]))
    return float(np.median(found)) if found else float("nan")


def _oscillation(observed: "list[Observed]", dt: float) -> float:
    found = []
    for o in observed:
        if o.sweep.current is None or o.step is None or len(o.spikes):
            continue
        start, stop = o.window
        # the second half: the charging of the membrane is over
        v = o.sweep.voltage[round((start + stop) / 2 / dt) : round(stop / dt)]
        if len(v) * dt >= 2000.0 / RHYTHM[0] / 2:
            found.append(_rhythm(v, dt))
    return float(np.max(found)) if found else float("nan")


def _rhythm(v: Floats, dt: float) -> float:
    """mV rms of what repeats itself in a voltage (T,); 0 for noise."""
    from scipy.signal import detrend, fftconvolve

    v = detrend(v)
    width = max(1, round(2.0 / dt))
    v = np.convolve(v, np.full(width, 1 / width), "valid")
    power = fftconvolve(v, v[::-1])[len(v) - 1 :]
    if power[0] <= 0:
        return 0.0
    # of n - lag products: the estimate must not fall with the lag by itself
    r = power / power[0] * len(v) / np.arange(len(v), 0, -1)
    low, high = round(1000 / RHYTHM[1] / dt), min(round(1000 / RHYTHM[0] / dt), len(v) // 2)
    below = np.flatnonzero(r[:high] < 0)
    if not len(below):
        return 0.0
    first = max(low, int(below[0]))
    peak = float(np.max(r[first:high], initial=0.0))
    return float(np.std(v)) if peak >= REPEATS else 0.0
