"""Features of a recording, through eFEL: what guides the choice of a model and tells a user what the cell does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefab.fit.recording import Recording, Sweep, baseline_current, denoise, is_noise
from spikefab.fit.spikes import Spikes, find_spikes
from spikefab.hw.errors import UsageError

Floats = NDArray[np.float64]

# ours: eFEL's name, a value a spike (or one a sweep)
PER_SPIKE = {
    "ap_height": "AP_amplitude",
    "ap_width": "spike_half_width",
    "ap_threshold": "AP_begin_voltage",
    "ahp_depth": "AHP_depth",
}
BASE = "voltage_base"
RESISTANCE, SAG = "ohmic_input_resistance_vb_ssse", "sag_ratio1"
TAUS = ("decay_time_constant_after_stim", "time_constant")  # the second where the sweep ends with its stimulus


def extract_features(
    voltage: ArrayLike, dt: float, current: ArrayLike | None = None, *, extra: Sequence[str] = ()
) -> dict[str, float]:
    """Features of one sweep (T,) or several (S, T): voltage mV, dt ms, current nA (shaped alike, or one for all
    sweeps).

    The stimulus window is found in the current, else in the voltage. Floats; nan where the recording does not show it.

    * spike_count: spikes of all sweeps, by the rule of `find_spikes`
    * firing_rate: Hz, spikes within the windows of the sweeps that fire, over the length of these windows
    * isi_cv: standard deviation of the intervals over their mean, mean over sweeps with three spikes or more
    * adaptation_ratio: last interval over first, mean over the same sweeps: 1 is regular, above 1 adapts
    * rheobase: nA above the baseline, the lowest current of a sweep at which it fires
    * latency: ms from the start of the stimulus to its first spike, median over sweeps
    * ap_height: mV, eFEL's AP_amplitude, median over spikes like the next three (by our own onset if it has none)
    * ap_width: ms, spike_half_width
    * ap_threshold: mV, AP_begin_voltage
    * ahp_depth: mV, AHP_depth: lowest voltage after the spike, above the resting voltage
    * v_rest: mV, voltage_base: before the stimulus (the 20th percentile where there is no before), median over sweeps
    * input_resistance: MOhm, ohmic_input_resistance_vb_ssse, median over sweeps without spikes (hyperpolarised, if any)
    * tau_m: ms, decay_time_constant_after_stim, else time_constant, of the same sweeps
    * sag_ratio: sag_ratio1 of the most hyperpolarised sweep: 0 without a sag

    `extra` takes further names of eFEL, each the mean of all its values. Raises UsageError for a name that eFEL does
    not have, and what Recording.from_arrays raises.
    """
    import efel

    unknown = [name for name in extra if name not in efel.get_feature_names()]
    if unknown:
        raise UsageError(f"eFEL has no feature called {', '.join(unknown)}: see efel.get_feature_names().")
    recording = Recording.from_arrays(voltage, current, dt)
    spikes = [find_spikes(sweep.voltage, dt) for sweep in recording.sweeps]
    windows = [_window(sweep, s, dt) for sweep, s in zip(recording.sweeps, spikes, strict=True)]
    steps = [_amplitude(sweep, window, dt) for sweep, window in zip(recording.sweeps, windows, strict=True)]
    values = _efel(recording, spikes, windows, steps, [*PER_SPIKE.values(), BASE, RESISTANCE, SAG, *TAUS, *extra])
    features = _trains(spikes, windows)
    features["rheobase"] = _rheobase(recording, spikes, windows, steps)
    fired = [(v, s) for v, s in zip(values, spikes, strict=True) if len(s)]
    for ours, name in PER_SPIKE.items():
        features[ours] = _median(_pooled([v for v, _ in fired], name))
    if fired:  # eFEL finds no onset in spikes of a few samples
        own = {
            "ap_height": np.concatenate([s.peak_voltage - s.onset_voltage for _, s in fired]),
            "ap_threshold": np.concatenate([s.onset_voltage for _, s in fired]),
        }
        features |= {name: _median(v) for name, v in own.items() if np.isnan(features[name])}
    rests = _pooled(values, BASE)
    # Without anything before the stimulus, where the voltage is when the cell does not fire.
    features["v_rest"] = _median(rests if len(rests) else [np.percentile(s.voltage, 20) for s in recording.sweeps])
    features |= _passive(values, spikes, steps)
    for name in extra:
        found = _pooled(values, name)
        features[name] = float(np.mean(found)) if len(found) else float("nan")
    return features


def _trains(spikes: list[Spikes], windows: list[tuple[float, float]]) -> dict[str, float]:
    """Counts, rates and intervals of the spike times."""
    inside = [s.time[(s.time >= a) & (s.time <= b)] for s, (a, b) in zip(spikes, windows, strict=True)]
    fired = [k for k, times in enumerate(inside) if len(times)]
    length = sum(windows[k][1] - windows[k][0] for k in fired)
    intervals = [np.diff(times) for times in inside if len(times) >= 3]
    return {
        "spike_count": float(sum(len(s) for s in spikes)),
        "firing_rate": 1000 * sum(len(inside[k]) for k in fired) / length if length else 0.0,
        "isi_cv": _mean([float(np.std(d, ddof=1) / np.mean(d)) for d in intervals]),
        "adaptation_ratio": _mean([float(d[-1] / d[0]) for d in intervals]),
        "latency": _median(np.array([inside[k][0] - windows[k][0] for k in fired])),
    }


def _rheobase(
    recording: Recording, spikes: list[Spikes], windows: list[tuple[float, float]], steps: list[float | None]
) -> float:
    """nA above the baseline: the lowest step that fires, or the current of a ramp when it does; nan for noise."""
    if is_noise(recording):
        return float("nan")
    found = []
    for sweep, s, (start, stop), step in zip(recording.sweeps, spikes, windows, steps, strict=True):
        onsets = [k for k in s.onset_index if start <= k * recording.dt <= stop]
        if onsets and sweep.current is not None:
            ramp = float(sweep.current[onsets[0]]) - baseline_current(sweep, recording.dt)
            found.append(ramp if step is None else step)
    return min(found, default=float("nan"))


def _passive(values: list[dict[str, Floats]], spikes: list[Spikes], steps: list[float | None]) -> dict[str, float]:
    """Resistance, time constant and sag from sweeps that step without a spike: from hyperpolarised ones, if there are
    any.
    """
    quiet = [(step, v) for step, v, s in zip(steps, values, spikes, strict=True) if step and not len(s)]
    down = sorted((pair for pair in quiet if pair[0] < 0), key=lambda pair: pair[0])
    used = [v for _, v in down or quiet]
    resistances = _pooled(used, RESISTANCE)
    taus = next((taus for taus in (_pooled(used, name) for name in TAUS) if len(taus)), np.empty(0))
    return {
        "input_resistance": _median(resistances),
        "tau_m": _median(taus[taus > 0]),
        "sag_ratio": _median(down[0][1][SAG]) if down else float("nan"),
    }


def _efel(
    recording: Recording,
    spikes: list[Spikes],
    windows: list[tuple[float, float]],
    steps: list[float | None],
    names: list[str],
) -> list[dict[str, Floats]]:
    """eFEL's values of each sweep, empty where it finds none."""
    import efel

    half = [s.half_voltage for s in spikes if len(s)]
    level = float(np.median(np.concatenate(half))) if half else 0.0
    traces = []
    for sweep, (start, stop), step in zip(recording.sweeps, windows, steps, strict=True):
        t = np.arange(len(sweep.voltage)) * recording.dt
        trace = {"T": t, "V": sweep.voltage, "stim_start": [start], "stim_end": [stop]}
        traces.append(trace | ({"stimulus_current": [step]} if step else {}))
    with _settings(Threshold=level, interp_step=float(recording.dt)):
        found = efel.get_feature_values(traces, names, raise_warnings=False)
    return [{name: _finite(values[name]) for name in names} for values in found]


@contextmanager
def _settings(**values: float) -> Iterator[None]:
    """eFEL keeps its settings for the whole process: a user's own are put back."""
    import efel

    before = {name: getattr(efel.get_settings(), name) for name in values}
    try:
        for name, value in values.items():
            efel.set_setting(name, value)
        yield
    finally:
        for name, value in before.items():
            efel.set_setting(name, value)


def _window(sweep: Sweep, spikes: Spikes, dt: float) -> tuple[float, float]:
    """(start, stop) ms of the stimulus: of the current, else of the voltage; all of the sweep where neither shows
    one.
    """
    whole = (0.0, len(sweep.voltage) * dt)
    if sweep.current is not None and np.any(sweep.current):
        return sweep.window or whole
    from scipy.ndimage import median_filter

    # The median over 5 ms is blind to spikes.
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
        return whole  # a cell that fires by itself
    return float(start), float(stop)


def _amplitude(sweep: Sweep, window: tuple[float, float], dt: float) -> float | None:
    """nA above the baseline of a step of current; None for no current and for ramps, noise and trains."""
    if sweep.current is None:
        return None
    signal, noise = denoise(sweep.current, dt)
    base = 0.0 if sweep.window is None else baseline_current(sweep, dt)
    low, step, high = np.percentile(signal[round(window[0] / dt) : round(window[1] / dt)], [10, 50, 90]) - base
    return float(step) if high - low <= max(0.2 * abs(step), 5 * noise) else None


def _pooled(values: list[dict[str, Floats]], name: str) -> Floats:
    return np.concatenate([v[name] for v in values]) if values else np.empty(0)


def _finite(values: Any) -> Floats:
    found = np.atleast_1d(np.asarray([] if values is None else values, dtype=np.float64))
    return found[np.isfinite(found)]


def _median(values: ArrayLike) -> float:
    array = np.asarray(values, dtype=np.float64)
    return float(np.median(array)) if array.size else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
