"""Features of a recording, through eFEL: what guides the choice of a model and tells a user what the cell does."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefab.errors import UsageError
from spikefab.fit.recordings.recording import Recording, Sweep, baseline_current, denoise, is_noise
from spikefab.fit.recordings.spikes import Spikes, find_spikes

from .indications import signs

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
NAMES = {
    "spike_count": "spikes",
    "isi_cv": "CV of the intervals",
    "adaptation_ratio": "last interval / first",
    "ap_height": "spike height",
    "ap_width": "spike width at half height",
    "ap_threshold": "spike onset",
    "ahp_depth": "after-hyperpolarisation",
    "v_rest": "resting potential",
    "tau_m": "membrane time constant",
    "fi_slope": "slope of the f-I curve",
    "noise": "fluctuating stimulus (1: yes)",
    "constant": "firing sweeps under a step",
    "bursts": "pauses among the intervals",
    "block": "sweeps that end in a block",
    "rebound": "rebound after inhibition",
    "resonance": "impedance, peak / 1 Hz",
    "oscillation": "subthreshold rhythm, rms",
}
UNITS = {
    "step": "nA",
    "firing_rate": "Hz",
    "peak_rate": "Hz",
    "fi_slope": "Hz/nA",
    "rheobase": "nA",
    "latency": "ms",
    "ap_height": "mV",
    "ap_width": "ms",
    "ap_threshold": "mV",
    "ahp_depth": "mV",
    "v_rest": "mV",
    "input_resistance": "MOhm",
    "tau_m": "ms",
    "oscillation": "mV",
}  # the others are counts, shares and ratios
PULSE = 10.0  # ms: what a shorter stimulus evokes comes after it, and it charges no membrane
FEWEST = 50  # samples of a window: eFEL's time_constant crashes the process with 25
TAUS = ("decay_time_constant_after_stim", "time_constant")  # the second where the sweep ends with its stimulus


def extract_features(
    voltage: ArrayLike, dt: float, current: ArrayLike | None = None, *, extra: Sequence[str] = ()
) -> dict[str, float]:
    """Features of one sweep (T,) or several (S, T): voltage mV, dt ms, current nA (shaped alike, or one for all
    sweeps).

    The stimulus window is found in the current, else in the voltage. Floats; nan where the recording does not show it.

    * spike_count: spikes of all sweeps, by the rule of `find_spikes`
    * firing_rate: Hz, spikes within the windows of the sweeps that fire, over the length of these windows (of a pulse
      shorter than 10 ms, from its start to the end of the sweep)
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
    return _features(_see(Recording.from_arrays(voltage, current, dt), extra), extra)


def recording_features(recording: Recording, trains: Sequence[Spikes] | None = None) -> dict[str, float]:
    """Features of a whole recording: those of `extract_features`, and what only sweeps together or a look at the
    stimulus can tell. Plain floats, nan where the recording does not show it.

    trains  the spikes of each sweep, where they are known already (a resampled trace may lose narrow ones)

    * peak_rate: Hz, of the sweep that fires fastest
    * fi_slope: Hz per nA, of the line through the sweeps that fire (two currents at least)
    * noise, constant, bursts, block, rebound, resonance, oscillation: see `signs`
    """
    seen = _see(recording, (), trains)
    rates = [_rate(o) for o in seen.sweeps]
    current, rate = f_i_curve(seen.sweeps)
    fires = rate > 0
    slope = float("nan")
    # repeats of one current are no curve
    if fires.any() and np.ptp(current[fires]) > 0.05 * np.max(np.abs(current[fires])):
        slope = float(np.polyfit(current[fires], rate[fires], 1)[0])
    return _features(seen) | {
        "peak_rate": max(rates, default=0.0),
        "fi_slope": slope,
        **signs(seen.sweeps, recording.dt, seen.noise),
    }


def sweep_features(recording: Recording, trains: Sequence[Spikes] | None = None) -> list[dict[str, float]]:
    """Features of each sweep by itself, as `extract_features` gives them, after `step`: nA above the baseline, nan
    where the stimulus is no step. A sweep's rheobase is its own step, if it fires.
    """
    seen = _see(recording, (), trains)
    found = []
    for k, o in enumerate(seen.sweeps):
        step = float("nan") if o.step is None else o.step
        found.append({"step": step} | _features(replace(seen, sweeps=[o], values=[seen.values[k]])))
    return found


def f_i_curve(
    recording: "Recording | Sequence[Observed]", times: Sequence[ArrayLike] | None = None
) -> tuple[Floats, Floats]:
    """The f-I curve: current (K,) nA above the baseline and rate (K,) Hz within the stimulus, sweeps in order of current.

    Only sweeps whose stimulus is a step; empty where none is. `times` are other spikes for the same sweeps, (n,) ms
    each, such as a model's. What `observe` found may be given instead of the recording, to look once for several curves.
    """
    sweeps = observe(recording) if isinstance(recording, Recording) else recording
    points = []
    for k, o in enumerate(sweeps):
        if o.step is not None:
            points.append((o.step, _rate(o, None if times is None else times[k])))
    points.sort(key=lambda point: point[0])
    current, rate = np.array(points, dtype=np.float64).reshape(-1, 2).T
    return current, rate


@dataclass(frozen=True, eq=False)
class Observed:
    """A sweep with its spikes, the window (start, stop) ms of its stimulus, and the step in nA, None for no step.

    pulse: the stimulus is shorter than PULSE, and the window goes on to the end of the sweep.
    """

    sweep: Sweep
    spikes: Spikes
    window: tuple[float, float]
    step: float | None
    pulse: bool = False

    @property
    def inside(self) -> Floats:
        """(n,) ms: spikes within the window."""
        time = self.spikes.time
        return time[(time >= self.window[0]) & (time <= self.window[1])]


@dataclass(frozen=True, eq=False)
class _Seen:
    """A recording's sweeps and eFEL's values of each."""

    sweeps: list[Observed]
    values: list[dict[str, Floats]]
    dt: float
    noise: bool


def observe(recording: Recording, trains: Sequence[Spikes] | None = None) -> list[Observed]:
    """Spikes (found, unless given), window and step of each sweep."""
    sweeps = []
    for k, sweep in enumerate(recording.sweeps):
        spikes = find_spikes(sweep.voltage, recording.dt) if trains is None else trains[k]
        window = _window(sweep, spikes, recording.dt)
        step = _amplitude(sweep, window, recording.dt)
        pulse = window[1] - window[0] < PULSE
        if pulse:
            end = len(sweep.voltage) * recording.dt
            window = (window[0] if end - window[0] >= PULSE else 0.0, end)
        sweeps.append(Observed(sweep, spikes, window, step, pulse))
    return sweeps


def _see(recording: Recording, extra: Sequence[str], trains: Sequence[Spikes] | None = None) -> _Seen:
    """The sweeps and eFEL's values of them. Raises UsageError for names that it does not have."""
    import efel

    unknown = [name for name in extra if name not in efel.get_feature_names()]
    if unknown:
        raise UsageError(f"eFEL has no feature called {', '.join(unknown)}: see efel.get_feature_names().")
    sweeps = observe(recording, trains)
    names = [*PER_SPIKE.values(), BASE, RESISTANCE, SAG, *TAUS, *extra]
    return _Seen(sweeps, _efel(sweeps, recording.dt, names), recording.dt, is_noise(recording))


def _features(seen: _Seen, extra: Sequence[str] = ()) -> dict[str, float]:
    sweeps, values = seen.sweeps, seen.values
    features = _trains(sweeps)
    features["rheobase"] = _rheobase(seen)
    fired = [(v, o.spikes) for v, o in zip(values, sweeps, strict=True) if len(o.spikes)]
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
    features["v_rest"] = _median(rests if len(rests) else [np.percentile(o.sweep.voltage, 20) for o in sweeps])
    features |= _passive(seen)
    for name in extra:
        found = _pooled(values, name)
        features[name] = float(np.mean(found)) if len(found) else float("nan")
    return features


def _rate(o: Observed, times: ArrayLike | None = None) -> float:
    """Hz within the window of a sweep, of its own spikes or of others (n,) ms."""
    inside = o.inside if times is None else np.asarray(times, dtype=np.float64)
    return 1000 * float(np.sum((inside >= o.window[0]) & (inside <= o.window[1]))) / (o.window[1] - o.window[0])


def _trains(sweeps: list[Observed]) -> dict[str, float]:
    """Counts, rates and intervals of the spike times."""
    fired = [o for o in sweeps if len(o.inside)]
    length = sum(o.window[1] - o.window[0] for o in fired)
    intervals = [np.diff(o.inside) for o in fired if len(o.inside) >= 3]
    return {
        "spike_count": float(sum(len(o.spikes) for o in sweeps)),
        "firing_rate": 1000 * sum(len(o.inside) for o in fired) / length if length else 0.0,
        "isi_cv": _mean([float(np.std(d, ddof=1) / np.mean(d)) for d in intervals]),
        "adaptation_ratio": _mean([float(d[-1] / d[0]) for d in intervals]),
        "latency": _median(np.array([o.inside[0] - o.window[0] for o in fired])),
    }


def _rheobase(seen: _Seen) -> float:
    """nA above the baseline: the lowest step that fires, or the current of a ramp when it does; nan for noise."""
    if seen.noise:
        return float("nan")
    found = []
    for o in seen.sweeps:
        onsets = [k for k in o.spikes.onset_index if o.window[0] <= k * seen.dt <= o.window[1]]
        if onsets and o.sweep.current is not None:
            ramp = float(o.sweep.current[onsets[0]]) - baseline_current(o.sweep, seen.dt)
            found.append(ramp if o.step is None else o.step)
    return min(found, default=float("nan"))


def _passive(seen: _Seen) -> dict[str, float]:
    """Resistance, time constant and sag from sweeps that step without a spike: from hyperpolarised ones, if there are
    any.
    """
    quiet = [
        (o.step, v)
        for o, v in zip(seen.sweeps, seen.values, strict=True)
        if o.step and not o.pulse and not len(o.spikes)
    ]
    down = sorted((pair for pair in quiet if pair[0] < 0), key=lambda pair: pair[0])
    used = [v for _, v in down or quiet]
    resistances = _pooled(used, RESISTANCE)
    taus = next((taus for taus in (_pooled(used, name) for name in TAUS) if len(taus)), np.empty(0))
    return {
        "input_resistance": _median(resistances),
        "tau_m": _median(taus[taus > 0]),
        "sag_ratio": _median(down[0][1][SAG]) if down else float("nan"),
    }


def _efel(sweeps: list[Observed], dt: float, names: list[str]) -> list[dict[str, Floats]]:
    """eFEL's values of each sweep, empty where it finds none, or the window has too few samples."""
    import efel

    half = [o.spikes.half_voltage for o in sweeps if len(o.spikes)]
    level = float(np.median(np.concatenate(half))) if half else 0.0
    traces = []
    seen = [round((o.window[1] - o.window[0]) / dt) >= FEWEST for o in sweeps]
    for o in (o for o, enough in zip(sweeps, seen, strict=True) if enough):
        t = np.arange(len(o.sweep.voltage)) * dt
        trace = {"T": t, "V": o.sweep.voltage, "stim_start": [o.window[0]], "stim_end": [o.window[1]]}
        traces.append(trace | ({"stimulus_current": [o.step]} if o.step else {}))
    with _settings(Threshold=level, interp_step=float(dt)):
        found = iter(efel.get_feature_values(traces, names, raise_warnings=False))
    values = [next(found) if enough else {} for enough in seen]
    return [{name: _finite(v.get(name)) for name in names} for v in values]


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
    if sweep.window is not None or (sweep.current is not None and np.any(sweep.current)):
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
    inside = signal[round(window[0] / dt) : round(window[1] / dt)] - base
    low, step, high = np.percentile(inside, [10, 50, 90])
    if sweep.window is not None and abs(step) < 0.5 * np.percentile(np.abs(inside), 99):
        return None  # pulses, and mostly nothing between them
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
