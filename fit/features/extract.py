"""Features of a recording, most of them by eFEL. They guide the choice of models and tell a user how the cell behaves."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefab.errors import UsageError
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import Spikes
from spikefab.fit.recordings.stimuli import is_noise
from spikefab.fit.recordings.sweep import baseline_current

from .indications import indications
from .observed import Observed, observe

Floats = NDArray[np.float64]

# our name of a feature: eFEL's name; eFEL gives one value per spike, or one per sweep
PER_SPIKE = {
    "ap_height": "AP_amplitude",
    "ap_width": "spike_half_width",
    "ap_threshold": "AP_begin_voltage",
    "ahp_depth": "AHP_depth",
}
BASE = "voltage_base"  # eFEL's name of the resting potential
RESISTANCE = "ohmic_input_resistance_vb_ssse"  # eFEL's name of the input resistance
SAG = "sag_ratio1"  # eFEL's name of the sag ratio
# our name of a feature: what tables and reports call it (other features: their own name)
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
# unit of each feature that has one; the others are counts, shares and ratios
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
}
FEWEST = 50  # samples of a stimulus window for eFEL to be called: its `time_constant` crashes the process with 25
# eFEL's two features for the membrane time constant; the second is used if a sweep ends with its stimulus.
TAUS = ("decay_time_constant_after_stim", "time_constant")


def extract_features(
    voltage: ArrayLike, dt: float, current: ArrayLike | None = None, *, extra: Sequence[str] = ()
) -> dict[str, float]:
    """Features of one sweep (T,) or of several sweeps (S, T), as floats; nan if the recording does not show a feature.

    voltage  mV
    dt       ms, the sample step of the recording
    current  nA, of the same shape as the voltage, or (T,) for all sweeps
    extra    further features by eFEL's names; each result is the mean of all values that eFEL returns

    The time window of the stimulus is found in the current, or in the voltage if there is no current. The features:

    * spike_count: number of spikes in all sweeps, as `find_spikes` counts them
    * firing_rate: Hz, number of spikes within the stimulus windows of the sweeps that fire, divided by the length of these
      windows (the window of a pulse shorter than 10 ms lasts from its start to the end of the sweep)
    * isi_cv: standard deviation of the interspike intervals divided by their mean; mean over sweeps with at least 3 spikes
    * adaptation_ratio: last interval divided by the first, mean over the same sweeps: 1 is regular, above 1 adapts
    * rheobase: nA above the baseline, the lowest current at which a sweep fires
    * latency: ms from the start of the stimulus to the first spike, median over sweeps
    * ap_height: mV, eFEL's AP_amplitude (from our own spike onset if eFEL finds none), median over spikes
    * ap_width: ms, eFEL's spike_half_width, median over spikes
    * ap_threshold: mV, eFEL's AP_begin_voltage (or our own spike onset), median over spikes
    * ahp_depth: mV, eFEL's AHP_depth (lowest voltage after the spike minus the resting voltage), median over spikes
    * v_rest: mV, eFEL's voltage_base (voltage before the stimulus), median over sweeps; if the stimulus starts with the
      sweep, the 20th percentile of the voltage
    * input_resistance: MOhm, eFEL's ohmic_input_resistance_vb_ssse, median over the hyperpolarised sweeps, or, if there
      are none, over the sweeps without spikes
    * tau_m: ms, eFEL's decay_time_constant_after_stim, else its time_constant, median over the same sweeps
    * sag_ratio: eFEL's sag_ratio1 of the most hyperpolarised sweep: 0 without a sag

    Raises UsageError for a name that eFEL does not have, and everything that Recording.from_arrays raises.
    """
    return _features(_see(Recording.from_arrays(voltage, current, dt), extra), extra)


def recording_features(recording: Recording, trains: Sequence[Spikes] | None = None) -> dict[str, float]:
    """Features of a whole recording, as floats; nan if the recording does not show a feature.

    trains  the spikes of each sweep if they are known already; pass them for a resampled recording, because resampling
            may lose narrow spikes

    These are the features of `extract_features` and those that need all sweeps together, or the stimulus:

    * peak_rate: Hz, firing rate of the sweep that fires fastest
    * fi_slope: Hz per nA, slope of a straight line through the f-I curve of the sweeps that fire (at least two currents)
    * noise, constant, bursts, block, rebound, resonance, oscillation: see `indications`
    """
    seen = _see(recording, (), trains)
    rates = [_rate(o) for o in seen.sweeps]
    current, rate = f_i_curve(seen.sweeps)
    fires = rate > 0
    slope = float("nan")
    # a slope needs different currents: repeats of one current give none
    if fires.any() and np.ptp(current[fires]) > 0.05 * np.max(np.abs(current[fires])):
        slope = float(np.polyfit(current[fires], rate[fires], 1)[0])
    return _features(seen) | {
        "peak_rate": max(rates, default=0.0),
        "fi_slope": slope,
        **indications(seen.sweeps, recording.dt, seen.noise),
    }


def sweep_features(recording: Recording, trains: Sequence[Spikes] | None = None) -> list[dict[str, float]]:
    """The features of `extract_features` for each sweep alone, preceded by `step`.

    `step` is the current step in nA above the baseline, nan if the stimulus is not a step. The rheobase of a single sweep
    is its own step if the sweep fires.
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
    """The f-I curve: current (K,) nA above the baseline, ascending, and firing rate (K,) Hz during the stimulus.

    Only sweeps whose stimulus is a step are on the curve; without such sweeps it is empty. `times` replaces the spikes of
    each sweep by others, (n,) ms, such as those of a model. For several curves of one recording, pass the result of
    `observe` in place of the recording: the spikes are then searched only once.
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
class _Seen:
    """The sweeps of a recording and, for each, the values that eFEL returned by eFEL's names."""

    sweeps: list[Observed]
    values: list[dict[str, Floats]]
    dt: float
    noise: bool


def _see(recording: Recording, extra: Sequence[str], trains: Sequence[Spikes] | None = None) -> _Seen:
    """Observe the sweeps and call eFEL. Raises UsageError for a name in `extra` that eFEL does not have."""
    import efel

    unknown = [name for name in extra if name not in efel.get_feature_names()]
    if unknown:
        raise UsageError(f"eFEL has no feature called {', '.join(unknown)}: see efel.get_feature_names().")
    sweeps = observe(recording, trains)
    names = [*PER_SPIKE.values(), BASE, RESISTANCE, SAG, *TAUS, *extra]
    return _Seen(sweeps, _efel(sweeps, recording.dt, names), recording.dt, is_noise(recording.sweeps, recording.dt))


def _features(seen: _Seen, extra: Sequence[str] = ()) -> dict[str, float]:
    """The features of `extract_features`."""
    sweeps, values = seen.sweeps, seen.values
    features = _trains(sweeps)
    features["rheobase"] = _rheobase(seen)
    fired = [(v, o.spikes) for v, o in zip(values, sweeps, strict=True) if len(o.spikes)]
    for ours, name in PER_SPIKE.items():
        features[ours] = _median(_pooled([v for v, _ in fired], name))
    if fired:  # eFEL finds no onset in a spike of only a few samples: our own onset takes its place
        own = {
            "ap_height": np.concatenate([s.peak_voltage - s.onset_voltage for _, s in fired]),
            "ap_threshold": np.concatenate([s.onset_voltage for _, s in fired]),
        }
        features |= {name: _median(v) for name, v in own.items() if np.isnan(features[name])}
    rests = _pooled(values, BASE)
    # If the stimulus starts with the sweep: a low percentile of the voltage, where the cell is when it does not fire.
    features["v_rest"] = _median(rests if len(rests) else [np.percentile(o.sweep.voltage, 20) for o in sweeps])
    features |= _passive(seen)
    for name in extra:
        found = _pooled(values, name)
        features[name] = float(np.mean(found)) if len(found) else float("nan")
    return features


def _rate(o: Observed, times: ArrayLike | None = None) -> float:
    """Firing rate, Hz, within the stimulus window of a sweep: of its own spikes or of the spike times given, (n,) ms."""
    inside = o.inside if times is None else np.asarray(times, dtype=np.float64)
    return 1000 * float(np.sum((inside >= o.window[0]) & (inside <= o.window[1]))) / (o.window[1] - o.window[0])


def _trains(sweeps: list[Observed]) -> dict[str, float]:
    """The features that depend on spike times only: count, rate, intervals, latency."""
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
    """nA above the baseline: the lowest step at which the cell fires, or a ramp's current at the first spike.

    nan if the stimulus is noise, or no sweep fires.
    """
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
    """Input resistance, membrane time constant and sag ratio.

    They are measured on sweeps with a current step and no spike; if some of these are hyperpolarised, only on those.
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
    """The values of eFEL's features `names` for each sweep; empty arrays if eFEL finds none or the window is too short."""
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
    """Change settings of eFEL and restore them afterwards: eFEL has one set per process, which may hold the user's own."""
    import efel

    before = {name: getattr(efel.get_settings(), name) for name in values}
    try:
        for name, value in values.items():
            efel.set_setting(name, value)
        yield
    finally:
        for name, value in before.items():
            efel.set_setting(name, value)


def _pooled(values: list[dict[str, Floats]], name: str) -> Floats:
    """All values of one eFEL feature over all sweeps."""
    return np.concatenate([v[name] for v in values]) if values else np.empty(0)


def _finite(values: Any) -> Floats:
    """The finite values as an array, whatever eFEL returned: None, a number or a sequence."""
    found = np.atleast_1d(np.asarray([] if values is None else values, dtype=np.float64))
    return found[np.isfinite(found)]


def _median(values: ArrayLike) -> float:
    array = np.asarray(values, dtype=np.float64)
    return float(np.median(array)) if array.size else float("nan")


def _mean(values: list[float]) -> float:
    return float(np.mean(values)) if values else float("nan")
