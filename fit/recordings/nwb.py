"""Reads recordings in Neurodata Without Borders (NWB 2, and NWB 1 as the Allen Institute writes it) with h5py.

h5py is used and not pynwb, because many files do not follow the schema exactly; pynwb refuses or changes such files,
although they can be read. `nwb_pairs` finds the time series and pairs responses with stimuli; this module converts them
to mV and nA with one sample step.
"""

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import Advice, FileError, Sentence, SpikefabError, UsageError

from . import nwb_pairs as nwb
from .recording import Recording
from .resampling import resample_current
from .sweep import make_sweep

Floats = NDArray[np.float64]

# Exact zeros at the end of a voltage that last at least this long, ms, were written in place of the rest of an aborted sweep.
PADDING = 2.0
LARGEST = {"V": 1000.0, "A": 1e4}  # mV and nA: if a signal is larger than this, the unit in the file must be wrong
PLAIN = ("TimeSeries", "PatchClampSeries")  # types of series that do not say whether they are in current clamp


@dataclass(frozen=True, eq=False)
class _Trace:
    """One sweep while it is being read: the pair of series, name, voltage (T,) mV, current (T,) nA or None, dt ms."""

    pair: nwb.Pair
    name: str
    voltage: Floats
    current: Floats | None
    dt: float


def read_nwb(path: Path, electrode: str | None = None) -> Recording:
    """The current-clamp recording of one electrode in an NWB file; by default, of the electrode that was stimulated most.

    Sweeps in voltage clamp, of another cell, with another sample step or without a stimulus are left out, with a notice, if
    other sweeps remain. If there is no stimulus at all, the sweeps have no current, and `current_origin` says why. Raises
    FileError if the file is of another kind, truncated, damaged or in voltage clamp, or if times are uneven; UsageError if
    there is no electrode of the given name.
    """
    with _opened(path) as file:
        notes: list[str] = []
        pairs = _pairs(path, file, notes)
        pairs = _one_cell(path, pairs, notes) if electrode is None else _of_electrode(path, pairs, electrode, notes)
        traces = [t for n, p in zip(_names(pairs), pairs, strict=True) for t in _trace(path, n, p, notes)]
        traces = _one_step(path, _with_current(traces, notes), notes)
        return _recording(path, traces, notes)


def _recording(path: Path, traces: list[_Trace], notes: list[str]) -> Recording:
    """The recording made of sweeps that all have the same sample step."""
    response = traces[0].pair.response
    stimulus = next((t.pair.stimulus for t in traces if t.pair.stimulus), None)
    voltages = _plausible(path, [t.voltage for t in traces], "V", response, notes)
    known = [t.current for t in traces if t.current is not None]
    if known and stimulus:
        known = _plausible(path, known, "A", stimulus, notes)
    currents: list[Floats | None] = [*known] if known else [None] * len(traces)
    dt = traces[0].dt
    sweeps = tuple(make_sweep(v, i, dt, t.name) for v, i, t in zip(voltages, currents, traces, strict=True))
    hows = " and ".join(dict.fromkeys(t.pair.how for t in traces))
    origin = f"stimulus series, {hows}" if stimulus else hows
    series = [response.series, *([stimulus.series] if stimulus else [])]
    units = ", ".join(f"{s.unit or 'no unit'} x {_attribute(s, 'conversion', 1.0):g}" for s in series)
    return Recording(sweeps, dt, str(path), None, origin, tuple(dict.fromkeys(notes)), units)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The open HDF5 file. What h5py raises while the file is open becomes a FileError."""
    import h5py

    try:
        file = h5py.File(path, "r")
    except OSError as error:
        if "signature" in str(error):
            raise FileError(f"{path} is named .nwb but is not an HDF5 file, as NWB files are.") from None
        raise FileError(f"{path} is truncated or damaged: HDF5 cannot open it.") from None
    with file:
        if "nwb_version" not in file.attrs and "nwb_version" not in file:
            raise FileError(f"{path} is an HDF5 file but not NWB: it has no nwb_version.")
        try:
            yield file
        except SpikefabError:
            raise
        # a damaged file may make h5py raise any of these
        except (OSError, LookupError, RuntimeError, ValueError, TypeError, AttributeError, MemoryError) as error:
            first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
            raise FileError(f"{path} is damaged or no NWB as it should be ({type(error).__name__}: {first}).") from None


def _pairs(path: Path, file: Any, notes: list[str]) -> list[nwb.Pair]:
    """The responses in current clamp with their stimuli, in the order of the sweeps."""
    pairs = nwb.pair_by_epoch(file)
    if pairs:
        keep = _responses(path, [p.response.series for p in pairs], notes)
        return [p for p in pairs if p.response.series in keep]
    acquired, presented = nwb.find_series(file)
    responses = _responses(path, acquired, notes)
    stimuli = [s for s in presented if _has_type(s, "CurrentClampStimulusSeries", "CurrentClampSeries", *PLAIN)]
    # a stimulus in volts beside stimuli in amperes is not the current: it is a trigger or drives a light
    stimuli = [s for s in stimuli if s.measures != "V"] or stimuli
    pairs = nwb.pair_by_table(file, responses, stimuli)
    listed = {id(p.response.series) for p in pairs}
    rest = [s for s in responses if id(s) not in listed]
    if rest:
        pairs += nwb.pair_by_number_or_name(rest, stimuli)
    numbered = all(p.response.series.number is not None for p in pairs)

    def order(pair: nwb.Pair) -> Any:
        series = pair.response.series
        return (series.number if numbered else 0, nwb.natural(series.name), pair.response.start)

    return sorted(pairs, key=order)


def _has_type(series: nwb.Series, *kinds: str) -> bool:
    """Whether the type of a series is one of `kinds`, or ends in one: extensions of NWB put a word in front of the type."""
    return series.kind in kinds or any(series.kind.endswith(kind) for kind in kinds if kind not in PLAIN)


def _responses(path: Path, acquired: list[nwb.Series], notes: list[str]) -> list[nwb.Series]:
    """The series that recorded a voltage in current clamp. Raises FileError if there is none."""
    typed = [s for s in acquired if _has_type(s, "CurrentClampSeries", "IZeroClampSeries")]
    clamped = [s for s in acquired if _has_type(s, "VoltageClampSeries")]
    # Series whose type does not say the clamp are used only if no others are there, and only if they are in volts.
    plain = [s for s in acquired if _has_type(s, *PLAIN) and not clamped]
    in_amps = [s for s in typed or plain if s.measures == "A"]
    responses = [s for s in typed if s.measures != "A"] or [s for s in plain if s.measures == "V"]
    if not responses:
        if in_amps:
            s = in_amps[0]
            raise FileError(
                f"{path} calls {s.name} a {s.kind} but it is in {s.unit}, no voltage: only current clamp can be read."
            )
        if clamped:
            raise FileError(f"{path} is a voltage-clamp recording ({clamped[0].name}): only current clamp can be read.")
        kinds = ", ".join(dict.fromkeys(s.kind for s in acquired))
        raise FileError(f"{path} holds no current-clamp recording" + (f", only {kinds}." if kinds else "."))
    for series, what in ((clamped, "in voltage clamp"), (in_amps if typed else [], "in a unit of current")):
        if series:
            notes.append(f"left out, being {what}: {_listed([s.name for s in series])}")
    return responses


def _of_electrode(path: Path, pairs: list[nwb.Pair], name: str, notes: list[str]) -> list[nwb.Pair]:
    """The sweeps of the electrode of this name. Raises UsageError, with the names of all electrodes, if there are none."""
    there = list(dict.fromkeys(p.response.series.electrode for p in pairs))
    if not any(there):
        raise UsageError(f"{path} names no electrodes: ", Advice.NO_ELECTRODE, ".")
    if name not in there:
        raise UsageError(
            f"{path} has no electrode {name!r} in current clamp, but {', '.join(there_is or 'none' for there_is in there)}."
        )
    if len(there) > 1:
        notes.append(f"of {len(there)} electrodes, {name} is used, as asked")
    return [p for p in pairs if p.response.series.electrode == name]


def _one_cell(path: Path, pairs: list[nwb.Pair], notes: list[str]) -> list[nwb.Pair]:
    """The sweeps of the electrode with the most stimuli that are not zero; if several have as many, with the most sweeps."""
    count = Counter(p.response.series.electrode for p in pairs)
    if len(count) < 2:
        return pairs
    numbers = {p.response.series.number for p in pairs}
    if max(count.values()) == 1 and None not in numbers and len(numbers) == len(pairs):
        notes.append(f"each of the {len(pairs)} sweeps names an electrode of its own: taken as one cell")
        return pairs
    stimuli = Counter(p.response.series.electrode for p in pairs if p.stimulus)
    # Stimuli of zeros do not count: amplifiers write them for each electrode that they do not drive.
    driven = Counter(p.response.series.electrode for p in pairs if p.stimulus and _drives(path, p.stimulus))
    best = max(count, key=lambda name: (driven[name], stimuli[name], count[name]))
    others = ", ".join(f"{name or 'none'} ({n} sweeps)" for name, n in count.items() if name != best)
    used = f"of {len(count)} electrodes, {best or 'none'} is used; left out: {others}"
    notes.append(Sentence(used, Advice.OTHER_ELECTRODE))
    return [p for p in pairs if p.response.series.electrode == best]


def _drives(path: Path, stimulus: nwb.Stretch) -> bool:
    """Whether a stimulus is not all zero. One that cannot be read counts as driving: the error is then raised later."""
    try:
        return bool(np.any(np.nan_to_num(_values(path, stimulus))))
    except FileError:
        return True


def _names(pairs: list[nwb.Pair]) -> list[str]:
    """A short name for each sweep: its number, else a number or name that only its series has, else its position."""
    series = [p.response.series for p in pairs]
    tries: list[Callable[[nwb.Series], str]] = [
        lambda s: "" if s.number is None else str(s.number),
        lambda s: str(nwb.numbers(s.name)[-1]) if nwb.numbers(s.name) else "",
        lambda s: s.name,
    ]
    for make in tries:
        names = [make(s) for s in series]
        if all(names) and len(set(names)) == len(names):
            return names
    return [str(k) for k in range(len(series))]


def _with_current(traces: list[_Trace], notes: list[str]) -> list[_Trace]:
    """The sweeps whose current is known, with a notice for the others; all sweeps if no current is known."""
    if all(t.current is None for t in traces):
        return traces
    without = [t for t in traces if t.current is None]
    for why in dict.fromkeys(t.pair.how for t in without):
        notes.append(f"{_sweeps([t.name for t in without if t.pair.how == why])} left out: {why}")
    return [t for t in traces if t.current is not None]


def _trace(path: Path, name: str, pair: nwb.Pair, notes: list[str]) -> list[_Trace]:
    """The sweep of a pair of series, cut to the samples for which voltage and current are known.

    The result is a list of one sweep, or an empty list if there are no samples.
    """
    dt = _step(path, pair.response.series)
    v = _values(path, pair.response)
    finite = np.flatnonzero(np.isfinite(v))
    if not len(finite):
        notes.append(f"sweep {name} left out: it has no samples")
        return []
    i = None
    if _has_type(pair.response.series, "IZeroClampSeries"):
        i, pair = np.zeros(len(v)), nwb.Pair(pair.response, None, "a clamp at zero current")
    elif pair.stimulus is not None and pair.stimulus.series.measures == "V":
        name_, unit = pair.stimulus.series.name, pair.stimulus.series.unit
        pair = nwb.Pair(pair.response, None, f"its stimulus {name_} is in {unit}, no current")
    elif pair.stimulus is not None:
        i = _aligned(path, name, pair, _values(path, pair.stimulus), len(v), dt, notes)
    first, last = int(finite[0]), int(finite[-1]) + 1
    last -= _zeros_at_end(v[:last], dt)
    if i is not None:
        known = np.flatnonzero(np.isfinite(i))
        if not len(known):
            i, pair = None, nwb.Pair(pair.response, None, "its stimulus has no samples")
        else:
            first, last = max(first, int(known[0])), min(last, int(known[-1]) + 1)
    if last - first < len(v):
        notes.append(f"sweep {name} cut from {len(v) * dt:g} to {(last - first) * dt:g} ms, where all is known")
    v, i = v[first:last], None if i is None else i[first:last]
    for what, values in (("voltage", v), ("current", i)):
        bad = np.flatnonzero(~np.isfinite(values if values is not None else 0.0))
        if len(bad):
            raise FileError(f"{path}: the {what} of sweep {name} is not a number at sample {first + bad[0]}.")
    bias = pair.response.series.group.get("bias_current")
    held = 0.0 if bias is None else float(bias[()]) * nwb.si(nwb.text(bias.attrs.get("unit", "A")))[1] * 1e9
    if np.isfinite(held) and held:
        # In the files of some rigs, the stimulus includes the bias current already: it is not added, but a notice tells it.
        notes.append(f"a bias current of {held:g} nA is on record; the current is the stimulus without it")
    return [_Trace(pair, name, v, i, dt)] if len(v) > 1 else []


def _aligned(path: Path, name: str, pair: nwb.Pair, i: Floats, n: int, dt: float, notes: list[str]) -> Floats:
    """A stimulus (T,) nA brought to the n samples of its response, with steps of dt ms.

    It is resampled if its sample step differs, and shifted if it starts later than the response: it is 0 before and after
    a stimulus that starts later, and NaN after one that ends before the response.
    """
    assert pair.stimulus is not None
    step = _step(path, pair.stimulus.series)
    if not np.isclose(step, dt, rtol=1e-4):
        notes.append(f"the stimulus of sweep {name} brought from steps of {step:g} to {dt:g} ms")
        i = resample_current(i, step, dt, max(1, int(len(i) * step / dt + 1e-6)))
    begins = [s.series.group.get("starting_time") for s in (pair.response, pair.stimulus)]
    late = 0
    if all(b is not None for b in begins) and not (pair.response.start or pair.stimulus.start):
        late = round(float(begins[1][()] - begins[0][()]) * 1e3 / dt)
    if late > 0 and len(i) < n and late + len(i) <= n:
        notes.append(f"the stimulus of sweep {name} covers {len(i) * dt:g} ms from {late * dt:g} ms on: 0 outside")
        return np.concatenate((np.zeros(late), i, np.zeros(n - late - len(i))))
    return i[:n] if len(i) >= n else np.concatenate((i, np.full(n - len(i), np.nan)))


def _zeros_at_end(v: Floats, dt: float) -> int:
    """The number of samples at the end of a voltage (T,) that are padding: exact zeros, if the cell rests below -20 mV."""
    zeros = len(v) - 1 - int(np.flatnonzero(v)[-1]) if np.any(v) else 0
    return zeros if zeros * dt >= PADDING and np.percentile(v[: len(v) - zeros], 20) < -20 else 0


def _values(path: Path, stretch: nwb.Stretch) -> Floats:
    """The samples of a stretch, (T,) in mV or nA: data x conversion + offset of the file, converted from the file's unit."""
    series = stretch.series
    data = series.group["data"]
    if sum(n > 1 for n in data.shape) > 1:
        raise FileError(f"{path}: {series.name} has the shape {data.shape}, where a sweep is one row of samples.")
    stop = None if stretch.count is None else stretch.start + stretch.count
    values = np.asarray(data[()], dtype=np.float64).ravel()[stretch.start : stop]
    conversion, offset = _attribute(series, "conversion", 1.0), _attribute(series, "offset", 0.0)
    if not np.isfinite(conversion) or conversion == 0 or not np.isfinite(offset):
        raise FileError(f"{path}: {series.name} has a conversion of {conversion:g} and an offset of {offset:g}.")
    # a series without a unit is in that of the schema, volts or amperes
    kind, factor = nwb.si(series.unit)
    current = kind == "A" or (not kind and "Stimulus" in series.kind)
    return (values * conversion + offset) * factor * (1e9 if current else 1e3)


def _attribute(series: nwb.Series, name: str, otherwise: float) -> float:
    """A number among the attributes of the data of a series; `otherwise` if it is absent."""
    return float(np.ravel(series.group["data"].attrs.get(name, otherwise))[0])


def _step(path: Path, series: nwb.Series) -> float:
    """The sample step, ms, from the sampling rate or the timestamps. Raises FileError if the timestamps are uneven."""
    start, stamps = series.group.get("starting_time"), series.group.get("timestamps")
    if start is not None and "rate" in start.attrs:
        rate = float(np.ravel(start.attrs["rate"])[0])
        step = 1e3 / rate if rate > 0 else np.nan
    elif stamps is not None and stamps.size > 1:
        t = np.asarray(stamps[()], dtype=np.float64).ravel() * 1e3
        steps = np.diff(t)
        step, typical = float(t[-1] - t[0]) / len(steps), float(np.median(steps))
        uneven = np.flatnonzero(~(np.abs(steps - typical) <= 0.2 * abs(typical)))
        if len(uneven):
            k = int(uneven[0])
            raise FileError(
                f"{path}: the time of {series.name} goes from {t[k]:g} to {t[k + 1]:g} ms after sample {k}, where its"
                f" step is {typical:g}; time steps must be even."
            )
    else:
        raise FileError(f"{path}: {series.name} has neither a sampling rate nor timestamps.")
    if not 1e-4 < step < 10:
        raise FileError(f"{path}: {series.name} has a time step of {step:g} ms, which no recording of a cell has.")
    return float(f"{step:.9g}")


def _one_step(path: Path, traces: list[_Trace], notes: list[str]) -> list[_Trace]:
    """The sweeps with the most frequent sample step, with a notice for the others."""
    if not traces:
        raise FileError(f"{path} holds no samples of a voltage.")
    count = Counter(t.dt for t in traces)
    step = max(count, key=lambda dt: (count[dt], -dt))
    for other in sorted(set(count) - {step}):
        names = [t.name for t in traces if t.dt == other]
        notes.append(f"{_sweeps(names)} left out: a time step of {other:g} ms, where most have {step:g} ms")
    return [t for t in traces if t.dt == step]


def _plausible(path: Path, signals: list[Floats], kind: str, example: nwb.Stretch, notes: list[str]) -> list[Floats]:
    """The signals in mV or nA. If the file's unit makes them too large for any cell, another unit is taken, with a notice."""
    largest = max(float(np.max(np.abs(x))) for x in signals)
    if largest < LARGEST[kind]:
        return signals
    _, factor = nwb.si(example.series.unit)
    raw = largest / factor / (1e3 if kind == "V" else 1e9)  # the largest number in the file, as it is written there
    # 10 nA would be far too much for a neuron, but 10 pA is a usual current step
    unit, scale = ("mV", 1.0) if kind == "V" else ("nA", 1.0) if raw < 10 else ("pA", 1e-3)
    what = "voltage" if kind == "V" else "current"
    if raw * scale >= LARGEST[kind]:
        raise FileError(f"{path}: the {what} of {example.series.name} reaches {raw:g} {example.series.unit}.")
    notes.append(f"the {what} would reach {raw:g} {example.series.unit or 'in SI'}: taken as {unit}")
    return [x * (raw * scale / largest) for x in signals]


def _sweeps(names: list[str]) -> str:
    return f"{'sweep' if len(names) == 1 else 'sweeps'} {_listed(names)}"


def _listed(names: list[str]) -> str:
    return ", ".join(names if len(names) <= 6 else [*names[:5], "…", names[-1]])
