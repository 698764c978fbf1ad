"""Reads recordings in Neurodata Without Borders (NWB 2, and NWB 1 as the Allen Institute writes it) with h5py.

h5py is used and not pynwb, because many files do not follow the schema exactly; pynwb refuses or changes such files,
although they can be read. `nwb_file` opens the file and follows its links, `nwb_pairs` finds the time series and pairs
responses with stimuli, `nwb_clock` lays the two together by time, `nwb_units` gives mV and nA; this module makes sweeps of
one cell with one sample step.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.errors import Advice, FileError, Sentence, UsageError

from . import nwb_clock as clock
from . import nwb_pairs as nwb
from .nwb_clock import listed, listed_sweeps
from .nwb_file import opened
from .nwb_units import attribute, plausible, values
from .recording import Recording
from .sweep import Floats, make_sweep

# Exact zeros at the end of a voltage that last at least this long, ms, were written in place of the rest of an aborted sweep.
PADDING = 2.0
SAME_STEP = 1e-4  # share of a sample step: steps that differ by less are one
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

    A sweep is a series, a row (start, count) of the intracellular tables, or a part of a long series between two pauses. Its
    current is what the stimulus was at the time of the response, 0 where a stimulus ends at 0 or is a pulse; a sweep is cut
    to the part in which its current is known.

    Sweeps in voltage clamp, of another cell, with another sample step or without a stimulus are left out, with a notice, if
    other sweeps remain. If there is no stimulus at all, the sweeps have no current, and `current_origin` says why. Raises
    FileError if the file is of another kind, truncated, damaged or in voltage clamp, if times are uneven, or if a linked file
    or an HDF5 filter is missing; RecordingError if no cell can have such a voltage; UsageError if there is no electrode of
    the given name.
    """
    with opened(path) as file:
        notes: list[str] = []
        pairs = _pairs(path, file, notes)
        pairs = _one_cell(path, pairs, notes) if electrode is None else _of_electrode(path, pairs, electrode, notes)
        pairs = _sweeps(file, pairs, notes)
        traces = _one_step(path, _with_current(_traces(path, pairs, notes), notes), notes)
        return _recording(path, traces, notes)


def _recording(path: Path, traces: list[_Trace], notes: list[str]) -> Recording:
    """The recording made of sweeps that all have the same sample step."""
    response = traces[0].pair.response.series
    stimuli = [t.pair.stimulus.series for t in traces if t.pair.stimulus]
    voltages = plausible(path, [t.voltage for t in traces], [t.pair.response.series for t in traces], "V", notes)
    currents: list[Floats | None] = [t.current for t in traces]
    known = [k for k, t in enumerate(traces) if t.current is not None and t.pair.stimulus]
    scaled = plausible(
        path, [x for t in traces if t.pair.stimulus and (x := t.current) is not None], stimuli, "A", notes
    )
    for k, current in zip(known, scaled, strict=True):
        currents[k] = current
    dt = traces[0].dt
    sweeps = tuple(make_sweep(v, i, dt, t.name) for v, i, t in zip(voltages, currents, traces, strict=True))
    hows = " and ".join(dict.fromkeys(t.pair.how for t in traces))
    origin = f"stimulus series, {hows}" if stimuli else hows
    units = ", ".join(f"{s.unit or 'no unit'} x {attribute(s, 'conversion', 1.0):g}" for s in [response, *stimuli[:1]])
    return Recording(sweeps, dt, str(path), None, origin, tuple(dict.fromkeys(notes)), units)


def _pairs(path: Path, file: Any, notes: list[str]) -> list[nwb.Pair]:
    """The responses in current clamp with their stimuli."""
    pairs = nwb.pair_by_epoch(file)
    if pairs:
        keep = _responses(path, [p.response.series for p in pairs], [], notes)
        return [p for p in pairs if p.response.series in keep]
    acquired, presented, (lost, lost_stimuli) = nwb.find_series(file)
    responses = _responses(path, acquired, lost, notes)
    stimuli = [s for s in presented if _has_type(s, "CurrentClampStimulusSeries", "CurrentClampSeries", *PLAIN)]
    # a stimulus in volts beside stimuli in amperes is not the current: it is a trigger or drives a light
    stimuli = [s for s in stimuli if s.measures != "V"] or stimuli
    notes += [f"left out: {why}" for why in (*lost, *lost_stimuli)]
    pairs = nwb.pair_by_table(file, responses, stimuli, notes)
    found = {id(p.response.series) for p in pairs}
    rest = [s for s in responses if id(s) not in found]
    if rest:
        pairs += nwb.pair_by_number_or_name(rest, stimuli, (lost_stimuli or ["the file holds no stimulus"])[0])
    return pairs


def _sweeps(file: Any, pairs: list[nwb.Pair], notes: list[str]) -> list[nwb.Pair]:
    """One pair for each sweep, in the order of the sweeps: series that hold several are cut, unless a table says the sweeps."""
    intervals = clock.intervals_of(file)
    sweeps = []
    for pair in pairs:
        parts, why = clock.cut(pair, intervals) if pair.response.count is None else ([pair], "")
        sweeps += parts
        notes += [why] if why else []
    numbered = all(p.response.series.number is not None for p in sweeps)

    def order(pair: nwb.Pair) -> Any:
        series = pair.response.series
        return (series.number if numbered else 0, nwb.natural(series.name), pair.response.start)

    return sorted(sweeps, key=order)


def _has_type(series: nwb.Series, *kinds: str) -> bool:
    """Whether the type of a series is one of `kinds`, or ends in one: extensions of NWB put a word in front of the type."""
    return series.kind in kinds or any(series.kind.endswith(kind) for kind in kinds if kind not in PLAIN)


def _responses(path: Path, acquired: list[nwb.Series], lost: list[str], notes: list[str]) -> list[nwb.Series]:
    """The series that recorded a voltage in current clamp. Raises FileError if there is none.

    lost  sentences on links to series that lead to nothing
    """
    typed = [s for s in acquired if _has_type(s, "CurrentClampSeries", "IZeroClampSeries")]
    clamped = [s for s in acquired if _has_type(s, "VoltageClampSeries")]
    # Series whose type does not say the clamp are used only if no others are there, and only if they are in volts.
    plain = [s for s in acquired if _has_type(s, *PLAIN) and not clamped]
    in_amps = [s for s in typed or plain if s.measures == "A"]
    responses = [s for s in typed if s.measures != "A"] or [s for s in plain if s.measures == "V"]
    if not responses:
        if lost:
            raise FileError(f"{path} holds no current clamp that can be read: {lost[0]}.")
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
            notes.append(f"left out, being {what}: {listed([s.name for s in series])}")
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
        return bool(np.any(np.nan_to_num(values(path, stimulus))))
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
        notes.append(f"{listed_sweeps([t.name for t in without if t.pair.how == why])} left out: {why}")
    return [t for t in traces if t.current is not None]


def _traces(path: Path, pairs: list[nwb.Pair], notes: list[str]) -> list[_Trace]:
    """The sweeps of pairs of series, with notices on how the stimuli were laid over their responses."""
    spans = {
        k: clock.span(path, pair.response) for k, pair in enumerate(pairs) if pair.response.stop - pair.response.start
    }
    timed = [(p.response, spans[k], s) for k, p in enumerate(pairs) if k in spans and (s := _of_amperes(p))]
    one_clock = clock.share_a_clock([(r, span, s, clock.extent(path, s)) for r, span, s in timed])
    if not one_clock:
        notes.append(
            "the times of the stimuli are not those of their responses: each is taken to begin with its response"
        )
    laid = clock.Laid()
    traces = []
    for k, (name, pair) in enumerate(zip(_names(pairs), pairs, strict=True)):
        if k not in spans:
            notes.append(f"sweep {name} left out: it has no samples")
            continue
        traces += _trace(path, name, pair, spans[k], None if one_clock else spans[k].begins, laid, notes)
    notes += laid.notes()
    return traces


def _of_amperes(pair: nwb.Pair) -> nwb.Stretch | None:
    """The stimulus of a pair if it is a current with samples."""
    stimulus = pair.stimulus
    if stimulus is None or stimulus.series.measures == "V" or _has_type(pair.response.series, "IZeroClampSeries"):
        return None
    return stimulus if stimulus.stop - stimulus.start > 0 else None


def _trace(
    path: Path, name: str, pair: nwb.Pair, span: clock.Span, begins: float | None, laid: clock.Laid, notes: list[str]
) -> list[_Trace]:
    """The sweep of a pair of series, cut to the samples for which voltage and current are known.

    span    of the response
    begins  the time, s, at which the stimulus begins; None: that of the file
    laid    where notices on laying stimuli over responses are collected

    The result is a list of one sweep, or an empty list if there are no samples.
    """
    dt = span.step
    v = values(path, pair.response)
    finite = np.flatnonzero(np.isfinite(v))
    if not len(finite):
        notes.append(f"sweep {name} left out: it has no samples")
        return []
    i, pair = _current(path, name, pair, span, begins, laid)
    first, last = int(finite[0]), int(finite[-1]) + 1
    last -= _zeros_at_end(v[:last], dt)
    if i is not None:
        known = np.flatnonzero(np.isfinite(i))
        first, last = max(first, int(known[0])), min(last, int(known[-1]) + 1)
    if last - first < len(v):
        notes.append(f"sweep {name} cut from {len(v) * dt:g} to {max(0, last - first) * dt:g} ms, where all is known")
    v, i = v[first:last], None if i is None else i[first:last]
    for what, samples in (("voltage", v), ("current", i)):
        bad = np.flatnonzero(~np.isfinite(samples if samples is not None else 0.0))
        if len(bad):
            raise FileError(f"{path}: the {what} of sweep {name} is not a number at sample {first + bad[0]}.")
    bias = pair.response.series.group.get("bias_current")
    held = 0.0 if bias is None else float(bias[()]) * nwb.si(nwb.text(bias.attrs.get("unit", "A")))[1] * 1e9
    if np.isfinite(held) and held:
        # In the files of some rigs, the stimulus includes the bias current already: it is not added, but a notice tells it.
        notes.append(f"a bias current of {held:g} nA is on record; the current is the stimulus without it")
    return [_Trace(pair, name, v, i, dt)] if len(v) > 1 else []


def _current(
    path: Path, name: str, pair: nwb.Pair, span: clock.Span, begins: float | None, laid: clock.Laid
) -> tuple[Floats | None, nwb.Pair]:
    """(current (T,) nA of a sweep or None, the pair, which says why there is none)."""
    if _has_type(pair.response.series, "IZeroClampSeries"):
        return np.zeros(span.count), nwb.Pair(pair.response, None, "a clamp at zero current")
    if pair.stimulus is None:
        return None, pair
    stimulus = pair.stimulus.series
    if stimulus.measures == "V":
        return None, nwb.Pair(pair.response, None, f"its stimulus {stimulus.name} is in {stimulus.unit}, no current")
    current = None
    if _of_amperes(pair):
        current = clock.lay(path, name, span, pair.stimulus, begins, partial(values, path), laid)
    if current is not None and np.any(np.isfinite(current)):
        return current, pair
    return None, nwb.Pair(pair.response, None, "its stimulus has no samples at its time")


def _zeros_at_end(v: Floats, dt: float) -> int:
    """The number of samples at the end of a voltage (T,) that are padding: exact zeros, if the cell rests below -20 mV."""
    zeros = len(v) - 1 - int(np.flatnonzero(v)[-1]) if np.any(v) else 0
    return zeros if zeros * dt >= PADDING and np.percentile(v[: len(v) - zeros], 20) < -20 else 0


def _one_step(path: Path, traces: list[_Trace], notes: list[str]) -> list[_Trace]:
    """The sweeps with the most frequent sample step, with a notice for the others."""
    if not traces:
        raise FileError(f"{path} holds no samples of a voltage.")
    count = Counter(t.dt for t in traces)
    step = max(count, key=lambda dt: (count[dt], -dt))
    for other in sorted({t.dt for t in traces if not _same(t.dt, step)}):
        names = [t.name for t in traces if t.dt == other]
        notes.append(f"{listed_sweeps(names)} left out: a time step of {other:g} ms, where most have {step:g} ms")
    return [replace(t, dt=step) for t in traces if _same(t.dt, step)]


def _same(step: float, other: float) -> bool:
    """Whether two sample steps are one, but for the rounding of timestamps."""
    return abs(step / other - 1) <= SAME_STEP
