"""What is found in each sweep before features are computed: its spikes, its stimulus window and the size of its step."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import Spikes
from spikefab.fit.recordings.sweep import Sweep, baseline_current, denoise

Floats = NDArray[np.float64]

# Length, ms, below which a stimulus is a pulse: its spikes come after it, and it is too short to charge the membrane.
PULSE = 10.0


@dataclass(frozen=True, eq=False)
class Observed:
    """A sweep, its spikes, and its stimulus.

    sweep   its voltage is without that of an electrode that was not compensated
    window  (start, stop) ms of the stimulus; for a pulse, from its start to the end of the sweep
    step    size of the current step, nA above the baseline; None if the stimulus is not a step
    pulse   whether the stimulus is shorter than PULSE
    """

    sweep: Sweep
    spikes: Spikes
    window: tuple[float, float]
    step: float | None
    pulse: bool = False

    @property
    def inside(self) -> Floats:
        """Times (n,) ms of the spikes within the stimulus window."""
        time = self.spikes.time
        return time[(time >= self.window[0]) & (time <= self.window[1])]


def observe(recording: Recording, trains: Sequence[Spikes] | None = None) -> list[Observed]:
    """Spikes, stimulus window and current step of each sweep. `trains` are other spikes than those of the recording.

    The voltages are those without an electrode that was not compensated.
    """
    sweeps = []
    for raw, spikes in zip(recording.sweeps, recording.spikes() if trains is None else trains, strict=True):
        sweep = replace(raw, voltage=recording.compensated(raw))
        window = _window(sweep, spikes, recording.dt)
        step = _amplitude(sweep, window, recording.dt)
        pulse = window[1] - window[0] < PULSE
        if pulse:
            end = len(sweep.voltage) * recording.dt
            window = (window[0] if end - window[0] >= PULSE else 0.0, end)
        sweeps.append(Observed(sweep, spikes, window, step, pulse))
    return sweeps


def _window(sweep: Sweep, spikes: Spikes, dt: float) -> tuple[float, float]:
    """(start, stop) ms of the stimulus, found in the current, or without a current in the voltage.

    If neither shows a stimulus, it is the whole sweep.
    """
    whole = (0.0, len(sweep.voltage) * dt)
    if sweep.window is not None or (sweep.current is not None and np.any(sweep.current)):
        return sweep.window or whole
    from scipy.ndimage import median_filter

    # a running median over 5 ms removes the spikes
    smooth = median_filter(sweep.voltage, 2 * max(1, round(2.5 / dt)) + 1, mode="nearest")
    away = np.abs(smooth - np.median(smooth[: max(1, round(10.0 / dt))]))
    level = np.percentile(away, 95)
    departed = np.flatnonzero(away > 0.5 * level)
    if level < 1.0 or not len(departed):
        return whole
    level = np.median(away[departed])
    calm = np.flatnonzero(away[: departed[0]] < 0.1 * level)
    start = (calm[-1] + 1 if len(calm) else 0) * dt
    stop = (np.flatnonzero(away >= 0.85 * level)[-1] + 1) * dt
    if any(not start - 5 <= time <= stop + 5 for time in spikes.time):
        return whole  # the cell fires without a stimulus, so the voltage does not show one
    return float(start), float(stop)


def _amplitude(sweep: Sweep, window: tuple[float, float], dt: float) -> float | None:
    """Size of a current step, nA above the baseline; None without a current, and for ramps, noise and pulse trains."""
    if sweep.current is None:
        return None
    signal, noise = denoise(sweep.current, dt)
    base = 0.0 if sweep.window is None else baseline_current(sweep, dt)
    inside = signal[round(window[0] / dt) : round(window[1] / dt)] - base
    low, step, high = np.percentile(inside, [10, 50, 90])
    if sweep.window is not None and abs(step) < 0.5 * np.percentile(np.abs(inside), 99):
        return None  # a train of pulses: the current is near the baseline for most of the window
    return float(step) if high - low <= max(0.2 * abs(step), 5 * noise) else None
