"""Warnings about a recording that can be fitted but may be bad: unusual rest, no spikes, clipping, drift, ...

What is so doubtful that it stops a fit is in `doubts`.
"""

from collections.abc import Callable, Sequence

import numpy as np

from spikefab.errors import Advice, Sentence

from .small_peaks import recurring_peaks
from .spikes import Spikes, spike_mask
from .stimuli import stimuli
from .sweep import QUIET, Floats, Sweep, baseline_current, quiet_part, rest_of

HIGHEST_REST = -30.0  # resting potential, mV, above which no healthy neuron rests
FLAT = 0.01  # range of the voltage, mV, below which the trace shows no cell
NOISIEST = 2.0  # noise of the voltage, mV rms, above which spikes cannot be counted reliably
SMALL = 25.0  # height of a spike, mV, below which others may be too small to count as spikes
MISSED = 1.5  # ratio of the number of small peaks that recur to the number of spikes above which spikes may be missed
COARSEST = 0.2  # sample step, ms, above which the shape of spikes is lost
# Slope, MOhm, of the spikes' voltages over the current, above which the bridge was not balanced. It was at most 6 in well
# balanced recordings and 75 in an unbalanced one.
BRIDGE = 20.0
SWEEPS = 5  # number of sweeps below which a drift cannot be told from chance
DRIFT_REPEATS = 1.0  # mV: a smaller change of the median voltage between repeats of one stimulus is no drift
DRIFT_REST = 3.0  # mV: a smaller change of the voltage before the stimulus is no drift
# difference of holding currents, nA, above which they change the resting potential and may look like a drift
HELD = 0.01


def quality_warnings(
    sweeps: Sequence[Sweep], dt: float, spikes: Sequence[Spikes], compensated: Callable[[Sweep], Floats]
) -> tuple[str, ...]:
    """The warnings about a recording with sample step dt (ms): one sentence each, none for a good recording.

    spikes       the spikes of each sweep
    compensated  gives the voltage of a sweep without that of an electrode that was not compensated
    """
    if not sweeps:
        return ()
    found = []
    rest = float(np.median([rest_of(sweep, dt) for sweep in sweeps]))
    if rest > HIGHEST_REST and max(float(np.max(np.abs(sweep.voltage))) for sweep in sweeps) >= 1.0:  # else it is in V
        found.append(f"The cell rests at {rest:.0f} mV: it is depolarised, damaged or not a neuron.")
    if max(float(np.ptp(sweep.voltage)) for sweep in sweeps) < FLAT:
        found.append("The voltage does not change: nothing of a cell can be seen.")
    else:
        found += _few_spikes(sweeps, [compensated(sweep) for sweep in sweeps], dt, spikes)
    for end, sign in (("above", 1.0), ("below", -1.0)):
        level = _clipped([sign * sweep.voltage for sweep in sweeps], dt)
        if level is not None:
            found.append(f"The voltage is clipped {end} {sign * level:.1f} mV: the amplifier's range was too small.")
    if dt > COARSEST * 1.001:
        found.append(f"It was sampled at {1 / dt:.3g} kHz: below 5 kHz the shape of spikes is lost.")
    slope = _bridge(sweeps, spikes)
    if slope is not None:
        found.append(
            f"Onset, peak and trough of the spikes move by {slope:.0f} mV per nA: the bridge was not balanced."
        )
    noise = float(np.median([_noise(sweep.voltage) for sweep in sweeps]))
    if noise > NOISIEST:
        found.append(
            f"The voltage is noisy ({noise:.1f} mV rms from sample to sample): counts of spikes are not reliable."
        )
    drift = _drift(sweeps, dt)
    if drift is not None:
        found.append(
            f"The cell drifts: {drift[0]} goes from {drift[1]:.1f} mV in the first sweeps to {drift[2]:.1f} mV in the last,"
            " which no model here follows."
        )
    masked = sum(
        len(v.voltage) * spike_mask(s.time, len(v.voltage), dt)[1] for v, s in zip(sweeps, spikes, strict=True)
    )
    share = masked / sum(len(v.voltage) for v in sweeps)
    if share > 0.5:
        found.append(f"Spikes cover {share:.0%} of the trace: little voltage is left between them to compare.")
    return tuple(found)


def _few_spikes(sweeps: Sequence[Sweep], voltages: list[Floats], dt: float, spikes: Sequence[Spikes]) -> list[str]:
    """A warning if there are no spikes, or only some of many small ones; `voltages` are without that of an electrode."""
    number = sum(map(len, spikes))
    if number and np.median(np.concatenate([s.peak_voltage - s.onset_voltage for s in spikes])) > SMALL:
        return []
    peaks = recurring_peaks(sweeps, voltages, dt)
    if peaks is None or peaks[1] <= MISSED * number:
        return [] if number else ["There are no spikes: only the passive membrane can be fitted."]
    height, least = f"peaks of {peaks[0]:.0f} mV recur", f", such as {0.6 * peaks[0]:.0f}."
    counted = "There are no spikes, but" if not number else f"Of {peaks[1]} peaks only {number} count as spikes, but"
    return [Sentence(f"{counted} {height}: are these spikes? Then ", Advice.SMALLER_SPIKES, least)]


def _noise(v: Floats) -> float:
    """The noise of a voltage (T,), mV rms, from the median difference between samples: spikes are too few to change it."""
    return float(1.4826 * np.median(np.abs(np.diff(v))) / np.sqrt(2)) if len(v) > 1 else 0.0


def _clipped(voltages: list[Floats], dt: float) -> float | None:
    """The highest voltage, mV, if it is the limit of the amplifier; else None.

    It is a limit if the traces stay exactly at it: three times for at least three samples, or once for more than 2 ms.
    """
    level = max(float(np.max(v)) for v in voltages)
    lengths: list[int] = []
    for v in voltages:
        if np.ptp(v) > 5.0:  # only sweeps with a range above 5 mV: a quiet sweep may stay at one value of the converter
            edges = np.flatnonzero(np.diff(np.concatenate(([False], v == level, [False])).astype(np.int8)))
            lengths += list(edges[1::2] - edges[::2])
    plateaus = [n for n in lengths if n >= 3]
    return level if len(plateaus) >= 3 or any(n * dt > 2.0 and n >= 5 for n in plateaus) else None


def _bridge(sweeps: Sequence[Sweep], spikes: Sequence[Spikes]) -> float | None:
    """The electrode resistance, MOhm, that was not balanced: the slope of the spikes' voltages over the current.

    None unless onset, peak and trough of the spikes all follow the current of their sweep.
    """
    points = []
    for sweep, s in zip(sweeps, spikes, strict=True):
        if sweep.current is not None and len(s):
            # Medians over each sweep, because within a sweep adaptation moves all three voltages.
            v = [
                sweep.voltage[at] for at in (s.onset_index, s.peak_index, s.trough_index)
            ]  # with that of the electrode
            points.append([float(np.median(x)) for x in (sweep.current[s.onset_index], *v)])
    if len(points) < 3:
        return None
    current, *voltages = np.array(points).T
    if np.ptp(current) < 0.02:
        return None
    slopes = [float(np.polyfit(current, v, 1)[0]) for v in voltages]
    # The points must lie on a line: the median currents of repeats of one noise differ by chance, and give a slope too.
    straight = all(np.ptp(v) > 0 and np.corrcoef(current, v)[0, 1] > 0.8 for v in voltages)
    return float(np.median(slopes)) if straight and min(slopes) > BRIDGE else None


def _drift(sweeps: Sequence[Sweep], dt: float) -> tuple[str, float, float] | None:
    """A voltage that changes steadily from sweep to sweep under the same current: what it is, its first and last value, mV.

    This is the median voltage under repeats of one stimulus, or the voltage before the stimulus; None if neither changes.
    """
    if len(sweeps) < SWEEPS or any(s.current is None for s in sweeps):
        return None
    for group in stimuli(sweeps, dt):
        if (moved := _along_a_line([float(np.median(sweeps[k].voltage)) for k in group], DRIFT_REPEATS)) is not None:
            return "the median voltage under one stimulus", *moved
    quiet = [s for s in sweeps if s.current is not None and quiet_part(s.current, dt) * dt >= QUIET]
    if not quiet or np.ptp([baseline_current(s, dt) for s in quiet]) > HELD:
        return None
    moved = _along_a_line([rest_of(s, dt) for s in quiet], DRIFT_REST)
    return None if moved is None else ("the voltage before the stimulus", *moved)


def _along_a_line(values: list[float], least: float) -> tuple[float, float] | None:
    """First and last value of the straight line through values.

    None if the line explains less than 64 % of their variance, or if its ends differ by less than `least`.
    """
    order = np.arange(len(values))
    if len(values) < SWEEPS or np.ptp(values) < least or np.corrcoef(order, values)[0, 1] ** 2 < 0.64:
        return None
    slope, begin = np.polyfit(order, values, 1)
    end = begin + slope * order[-1]
    return (float(begin), float(end)) if abs(end - begin) >= least else None
