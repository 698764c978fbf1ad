"""Features of a recording, most of them by eFEL. They guide the choice of models and tell a user how the cell behaves."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from spikefab.calls import listed, public
from spikefab.errors import UsageError, shortened
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.spikes import TROUGH_WINDOW, Spikes
from spikefab.fit.recordings.stimuli import is_noise
from spikefab.fit.recordings.sweep import baseline_current
from spikefab.units import array

from .indications import indications
from .observed import Observed, observe

Floats = NDArray[np.float64]

BASE = "voltage_base"  # eFEL's name of the resting potential
RESISTANCE = "ohmic_input_resistance_vb_ssse"  # eFEL's name of the input resistance
SAG = "sag_ratio1"  # eFEL's name of the sag ratio
# the features of the shape of a spike, each of which is a median over spikes
SHAPES = ("ap_height", "ap_width", "ap_threshold", "ahp_depth")
AFTER = 100.0  # ms after a spike in which its trough is sought under a steady stimulus
FEWEST = 50  # samples of a stimulus window for eFEL to be called: its `time_constant` crashes the process with 25
# eFEL's two features for the membrane time constant; the second is used if a sweep ends with its stimulus.
TAUS = ("decay_time_constant_after_stim", "time_constant")


@public
def extract_features(
    voltage: ArrayLike,
    dt: float | None = None,
    current: ArrayLike | None = None,
    *,
    extra: Sequence[str] = (),
    spike_prominence: float | None = None,
) -> dict[str, float]:
    """Features of one sweep (T,) or of several sweeps (S, T), as floats; nan if the recording does not show a feature.

    voltage  mV
    dt       ms, the sample step of the recording; it may be left out if a signal carries it (neo)
    current  nA, of the same shape as the voltage, or (T,) for all sweeps
    extra    further features by eFEL's names; each result is the mean of all values that eFEL returns
    spike_prominence  mV: least prominence of a spike (default 20), see `find_spikes`

    The time window of the stimulus is found in the current, or in the voltage if there is no current. `definitions` and
    docs/features.md say what each feature is. One sweep has no rheobase: that takes several. What is so doubtful about the
    units or the current that a fit would stop (`Recording.doubts`) is a UserWarning.

    Raises UsageError for a name that eFEL does not have, and everything that Recording.from_arrays raises.
    """
    recording = Recording.from_arrays(voltage, current, dt, spike_prominence=spike_prominence)
    for doubt in recording.doubts:
        warnings.warn(str(doubt), stacklevel=3)  # the frame above that of `public`
    return _features(_see(recording, extra), extra)


@public
def recording_features(recording: Recording, trains: Sequence[Spikes] | None = None) -> dict[str, float]:
    """Features of a whole recording, as floats; nan if the recording does not show a feature.

    trains  the spikes of each sweep if they are known already; pass them for a resampled recording, because resampling
            may lose narrow spikes

    These are the features of `extract_features` and those that need all sweeps together, or the stimulus, see `definitions`.
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

    `step` is the current step in nA above the baseline, nan if the stimulus is not a step. The rheobase of every sweep is nan:
    it takes several sweeps.
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
    if not isinstance(sweeps, list | tuple) or not all(isinstance(o, Observed) for o in sweeps):
        raise UsageError(f"an f-I curve is that of a Recording, not of {shortened(recording)}.")
    if times is not None:
        times = [array(x, "ms", "a spike time") for x in listed(times, "times are the spike times of each sweep")]
        if len(times) != len(sweeps):
            raise UsageError(f"There are {len(sweeps)} sweeps but {len(times)} arrays of spike times.")
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

    if not isinstance(recording, Recording):
        raise UsageError(
            f"features are those of a Recording, not of {shortened(recording)}: see Recording.from_arrays."
        )
    extra, known = listed(extra, "extra takes names of features"), efel.get_feature_names()
    unknown = [shortened(name).strip("'") for name in extra if not (isinstance(name, str) and name in known)]
    if unknown:
        raise UsageError(f"eFEL has no feature called {', '.join(unknown)}: see efel.get_feature_names().")
    sweeps = observe(recording, trains)
    names = [BASE, RESISTANCE, SAG, *TAUS, *extra]
    return _Seen(sweeps, _efel(sweeps, recording.dt, names), recording.dt, is_noise(recording.sweeps, recording.dt))


def _features(seen: _Seen, extra: Sequence[str] = ()) -> dict[str, float]:
    """The features of `extract_features`."""
    sweeps, values = seen.sweeps, seen.values
    features = _trains(sweeps)
    features["rheobase"] = _rheobase(seen)
    features |= _shape(sweeps, seen.dt)
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


def _shape(sweeps: list[Observed], dt: float) -> dict[str, float]:
    """The features of the shape of a spike: its height, width, onset, and the trough after it."""
    shapes = [_shapes(o, dt) for o in sweeps]
    return {name: _median(_finite(np.concatenate([np.empty(0), *(s[name] for s in shapes)]))) for name in SHAPES}


def spike_shapes(recording: Recording, sweep: int) -> dict[str, Floats]:
    """The shape of each spike of a sweep, (n,) each: the features of `SHAPES`, of which a recording's are the medians.

    An entry is nan where a spike does not count for a feature. Besides, in ms: `onset_time`, `time` (the middle of the upstroke)
    and `end_time`, until which the spike lasts: its trough within 20 ms.
    """
    (seen,) = observe(recording.select([sweep]))
    spikes, dt = seen.spikes, recording.dt
    onset, end = (np.asarray(index * dt, dtype=np.float64) for index in (spikes.onset_index, spikes.trough_index))
    return {"onset_time": onset, "time": spikes.time, "end_time": end, **_shapes(seen, dt)}


def _shapes(o: Observed, dt: float) -> dict[str, Floats]:
    """The features of `SHAPES` for each spike of a sweep, (n,) each."""
    s = o.spikes
    values = (s.peak_voltage - s.onset_voltage, _widths(o, dt), s.onset_voltage, _troughs(o, dt))
    return dict(zip(SHAPES, values, strict=True))


def _widths(o: Observed, dt: float) -> Floats:
    """Time, ms, that each spike of a sweep spends above the middle between onset and peak; nan if the sweep ends before."""
    v, found = o.sweep.voltage, np.full(len(o.spikes), np.nan)
    spikes = zip(o.spikes.time, o.spikes.peak_index, o.spikes.half_voltage, strict=True)
    for n, (time, peak, half) in enumerate(spikes):
        below = np.flatnonzero(v[peak:] < half)
        if len(below):
            k = int(peak + below[0])
            found[n] = (k - (half - v[k]) / (v[k - 1] - v[k])) * dt - time
    return found


def _troughs(o: Observed, dt: float) -> Floats:
    """Onset minus trough, mV, of each spike of a sweep.

    The trough is sought until the next spike, or AFTER ms after the peak, or until the stimulus starts or ends: the voltage that
    falls back to rest is no trough of the spike. For a spike so close to an edge that nothing is seen of its trough it is nan.
    """
    s, v = o.spikes, o.sweep.voltage
    steady = (o.step is not None or o.sweep.current is None) and not o.pulse
    reach = AFTER if steady else TROUGH_WINDOW  # later minima are due to a stimulus that fluctuates
    edges = [round(edge / dt) for edge in o.window] + [len(v)]
    found = np.full(len(s), np.nan)
    following = np.append(s.peak_index[1:], len(v) + 1)[: len(s)]  # the last spike has none within the sweep
    for n, (onset, peak, after) in enumerate(zip(s.onset_voltage, s.peak_index, following, strict=True)):
        edge = min(k for k in edges if k > peak)
        stop = min(int(after), int(peak) + round(reach / dt) + 1, edge)
        if after <= stop or stop - peak >= TROUGH_WINDOW / dt:
            found[n] = onset - float(np.min(v[peak:stop]))
    return found


def _rheobase(seen: _Seen) -> float:
    """nA above the baseline: the weakest step at which the cell fires, or a ramp's current at the first spike.

    nan if this does not bound the current at which the cell begins to fire: of one sweep or without a weaker step that leaves
    the cell silent, of a cell that fires by itself, and for noise and pulses.
    """
    if seen.noise or len(seen.sweeps) < 2:
        return float("nan")
    fires: list[float] = []
    silent: list[float] = []
    ramps: list[float] = []
    for o in seen.sweeps:
        if o.sweep.current is None or o.pulse:
            continue
        onsets = [k for k in o.spikes.onset_index if o.window[0] <= k * seen.dt <= o.window[1]]
        if o.step is not None:
            (fires if onsets else silent).append(o.step)
        elif onsets:
            ramps.append(float(o.sweep.current[onsets[0]]) - baseline_current(o.sweep, seen.dt))
    lowest = min(fires + ramps, default=float("nan"))
    bounded = lowest in ramps or any(step < lowest for step in silent)
    return lowest if bounded and lowest > 0 else float("nan")


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
