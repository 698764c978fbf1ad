"""Reads recordings in Neurodata Without Borders (NWB 2, and NWB 1 as the Allen Institute writes it) with h5py.

h5py is used and not pynwb, because many files do not follow the schema exactly; pynwb refuses or changes such files,
although they can be read. `nwb_file` opens the file and follows its links, `nwb_pairs` finds the time series and pairs
responses with stimuli, `nwb_clock` lays the two together by time, `nwb_units` gives mV and nA; this module makes sweeps of
one cell with one sample step.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.errors import Advice, FileError, Sentence, UsageError

from . import limits
from . import nwb_clock as clock
from . import nwb_pairs as nwb
from .channels import AS_NAMED, Units
from .nwb_clock import listed, listed_sweeps
from .nwb_file import opened
from .nwb_series import Pair, Series, Stretch, natural, numbers, si, text
from .nwb_units import in_words, plausible, values
from .recording import Recording
from .sweep import Floats, make_sweep, zeros_at_end

SAME_STEP = 1e-4  # share of a sample step: steps that differ by less are one
PLAIN = ("TimeSeries", "PatchClampSeries")  # types of series that do not say whether they are in current clamp


@dataclass(frozen=True, eq=False)
class _Trace:
    """One sweep while it is being read: the pair of series, name, voltage (T,) mV, current (T,) nA or None, dt ms.

    Of a recording that does not fit into memory, only the first samples are kept at first; `again` reads the sweep again.
    """

    pair: Pair
    name: str
    voltage: Floats
    current: Floats | None
    dt: float
    again: "Callable[[], list[_Trace]] | None" = None

    def beginning(self, again: "Callable[[], list[_Trace]]") -> "_Trace":
        """The sweep with only its first samples, copied so that the others need not stay in memory."""
        current = None if self.current is None else self.current[:2].copy()
        return replace(self, voltage=self.voltage[:2].copy(), current=current, again=again)


@dataclass(frozen=True)
class _Reading:
    """What is needed all along while a file is read: path, units that the user gave, sweeps to be used, notices so far."""

    path: Path
    units: Units
    sweeps: Sequence[int] | None
    notes: list[str]
    laid: clock.Laid = field(default_factory=clock.Laid)

    def voltage(self, stretch: Stretch) -> Floats:
        """The samples of a response, (T,) mV."""
        return values(self.path, stretch, "V", self.units.voltage)

    def current(self, stretch: Stretch) -> Floats:
        """The samples of a stimulus, (T,) nA."""
        return values(self.path, stretch, "A", self.units.current)

    def is_volts(self, series: Series) -> bool:
        """Whether a stimulus is in volts, and the user does not say otherwise."""
        return series.measures == "V" and not self.units.current


def read_nwb(
    path: Path, electrode: str | None = None, units: Units = AS_NAMED, sweeps: Sequence[int] | None = None
) -> Recording:
    """The current-clamp recording of one electrode in an NWB file; by default, of the electrode that was stimulated most.

    units  of the numbers in the file, if it gives them wrongly: of data x conversion, or of the data alone if the conversion is
           a power of 1000
    sweeps of those that are read, counted from 0, the ones that will be used. If all together would not fit into memory,
           the others have two samples only.

    A sweep is a series, a row (start, count) of the intracellular tables, or a part of a long series between two pauses. Its
    current is what the stimulus was at the time of the response, 0 where a stimulus ends at 0 or is a pulse; a sweep is cut
    to the part in which its current is known.

    Sweeps in voltage clamp, of another cell, with another sample step or without a stimulus are left out, with a notice, if
    other sweeps remain. If there is no stimulus at all, the sweeps have no current, and `current_origin` says why. Raises
    FileError if the file is of another kind, truncated, damaged or in voltage clamp, if times are uneven, or if a linked file
    or an HDF5 filter is missing; RecordingError if no cell can have such a voltage; UsageError if there is no electrode of
    the given name.
    """
    reading = _Reading(path, units, sweeps, [])
    with opened(path) as file:
        pairs, stimuli = _pairs(reading, file)
        pairs = _one_cell(reading, pairs) if electrode is None else _of_electrode(reading, pairs, electrode)
        pairs = _sweeps(reading, file, pairs, stimuli)
        traces = _one_step(reading, _with_current(_traces(reading, pairs), reading.notes))
        return _recording(reading, _whole(reading, traces))


def _recording(reading: _Reading, traces: list[_Trace]) -> Recording:
    """The recording made of sweeps that all have the same sample step."""
    path, told, notes = reading.path, reading.units, reading.notes
    stimulated = [k for k, t in enumerate(traces) if t.current is not None and t.pair.stimulus]
    responses = [t.pair.response.series for t in traces]
    stimuli = [s.series for k in stimulated if (s := traces[k].pair.stimulus)]
    voltages = [t.voltage for t in traces]
    currents = [t.current for t in traces]
    if not told.voltage:
        voltages = plausible(path, voltages, responses, "V", notes)
    if not told.current:
        known = [i for k in stimulated if (i := currents[k]) is not None]
        for k, i in zip(stimulated, plausible(path, known, stimuli, "A", notes), strict=True):
            currents[k] = i
    dt = traces[0].dt
    sweeps = tuple(make_sweep(v, i, dt, t.name) for v, i, t in zip(voltages, currents, traces, strict=True))
    hows = " and ".join(dict.fromkeys(t.pair.how for t in traces))
    origin = f"stimulus series, {hows}" if stimuli else hows
    in_file = [(responses[0], told.voltage, "V"), *((s, told.current, "A") for s in stimuli[:1])]
    units = ", ".join(told or in_words(s, kind) for s, told, kind in in_file)
    return Recording(sweeps, dt, str(path), None, origin, tuple(dict.fromkeys(notes)), units)


def _pairs(reading: _Reading, file: Any) -> tuple[list[Pair], list[Series]]:
    """(the responses in current clamp with their stimuli, all stimuli)."""
    notes = reading.notes
    pairs, lost = nwb.pair_by_epoch(file)
    if pairs or lost:
        notes += [f"left out: {why}" for why in lost]
        keep = _responses(reading, [p.response.series for p in pairs], lost)
        return [p for p in pairs if p.response.series in keep], []
    acquired, presented, (lost, lost_stimuli) = nwb.find_series(file)
    responses = _responses(reading, acquired, lost)
    stimuli = [s for s in presented if _has_type(s, "CurrentClampStimulusSeries", "CurrentClampSeries", *PLAIN)]
    # a stimulus in volts beside stimuli in amperes is not the current: it is a trigger or drives a light
    stimuli = [s for s in stimuli if not reading.is_volts(s)] or stimuli
    notes += [f"left out: {why}" for why in (*lost, *lost_stimuli)]
    pairs = nwb.pair_by_table(file, responses, stimuli, notes)
    found = {id(p.response.series) for p in pairs}
    rest = [s for s in responses if id(s) not in found]
    if rest:
        pairs += nwb.pair_by_number_or_name(rest, stimuli, (lost_stimuli or ["the file holds no stimulus"])[0])
    return pairs, stimuli


def _sweeps(reading: _Reading, file: Any, pairs: list[Pair], stimuli: list[Series]) -> list[Pair]:
    """One pair for each sweep, in the order of the sweeps: series that hold several are cut, unless a table says the sweeps."""
    intervals = clock.intervals_of(file)
    sweeps = []
    for pair in pairs:
        parts, why = clock.cut(pair, intervals) if pair.response.count is None else ([pair], "")
        sweeps += parts
        reading.notes.extend([why] if why else [])
    if stimuli and all(pair.how == nwb.UNPAIRED for pair in sweeps):
        sweeps = clock.pair_by_time(reading.path, sweeps, stimuli)
    numbered = all(p.response.series.number is not None for p in sweeps)

    def order(pair: Pair) -> Any:
        series = pair.response.series
        return (series.number if numbered else 0, natural(series.name), pair.response.start)

    return sorted(sweeps, key=order)


def _has_type(series: Series, *kinds: str) -> bool:
    """Whether the type of a series is one of `kinds`, or ends in one: extensions of NWB put a word in front of the type."""
    return series.kind in kinds or any(series.kind.endswith(kind) for kind in kinds if kind not in PLAIN)


def _responses(reading: _Reading, acquired: list[Series], lost: list[str]) -> list[Series]:
    """The series that recorded a voltage in current clamp. Raises FileError if there is none.

    lost  sentences on links to series that lead to nothing
    """
    path, told = reading.path, reading.units.voltage
    typed = [s for s in acquired if _has_type(s, "CurrentClampSeries", "IZeroClampSeries")]
    clamped = [s for s in acquired if _has_type(s, "VoltageClampSeries")]
    # Series whose type does not say the clamp are used only if no others are there, and only if they are in volts.
    plain = [s for s in acquired if _has_type(s, *PLAIN) and not clamped]
    in_amps = [s for s in typed or plain if s.measures == "A" and not (told and typed)]
    responses = [s for s in typed if s.measures != "A" or told] or [s for s in plain if s.measures == "V"]
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
            reading.notes.append(f"left out, being {what}: {listed([s.name for s in series])}")
    return responses


def _of_electrode(reading: _Reading, pairs: list[Pair], name: str) -> list[Pair]:
    """The sweeps of the electrode of this name. Raises UsageError, with the names of all electrodes, if there are none."""
    path = reading.path
    there = list(dict.fromkeys(p.response.series.electrode for p in pairs))
    if not any(there):
        raise UsageError(f"{path} names no electrodes: ", Advice.NO_ELECTRODE, ".")
    if name not in there:
        raise UsageError(
            f"{path} has no electrode {name!r} in current clamp, but {', '.join(there_is or 'none' for there_is in there)}."
        )
    if len(there) > 1:
        reading.notes.append(f"of {len(there)} electrodes, {name} is used, as asked")
    return [p for p in pairs if p.response.series.electrode == name]


def _one_cell(reading: _Reading, pairs: list[Pair]) -> list[Pair]:
    """The sweeps of the electrode with the most stimuli that are not zero; if several have as many, with the most sweeps."""
    count = Counter(p.response.series.electrode for p in pairs)
    if len(count) < 2:
        return pairs
    numbers = {p.response.series.number for p in pairs}
    if max(count.values()) == 1 and None not in numbers and len(numbers) == len(pairs):
        reading.notes.append(f"each of the {len(pairs)} sweeps names an electrode of its own: taken as one cell")
        return pairs
    stimuli = Counter(p.response.series.electrode for p in pairs if p.stimulus)
    # Stimuli of zeros do not count: amplifiers write them for each electrode that they do not drive.
    driven = Counter(p.response.series.electrode for p in pairs if p.stimulus and _drives(reading, p.stimulus))
    best = max(count, key=lambda name: (driven[name], stimuli[name], count[name]))
    others = ", ".join(f"{name or 'none'} ({n} sweeps)" for name, n in count.items() if name != best)
    used = f"of {len(count)} electrodes, {best or 'none'} is used; left out: {others}"
    reading.notes.append(Sentence(used, Advice.OTHER_ELECTRODE))
    return [p for p in pairs if p.response.series.electrode == best]


def _drives(reading: _Reading, stimulus: Stretch) -> bool:
    """Whether a stimulus is not all zero. One that cannot be read counts as driving: the error is then raised later."""
    try:
        return bool(np.any(np.nan_to_num(reading.current(stimulus))))
    except FileError:
        return True


def _names(pairs: list[Pair]) -> list[str]:
    """A short name for each sweep: its number, else a number or name that only its series has, else its position."""
    series = [p.response.series for p in pairs]
    tries: list[Callable[[Series], str]] = [
        lambda s: "" if s.number is None else str(s.number),
        lambda s: str(numbers(s.name)[-1]) if numbers(s.name) else "",
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


def _traces(reading: _Reading, pairs: list[Pair]) -> list[_Trace]:
    """The sweeps of pairs of series, with notices on how the stimuli were laid over their responses."""
    path, notes = reading.path, reading.notes
    spans = {k: clock.span(path, p.response) for k, p in enumerate(pairs) if p.response.stop > p.response.start}
    timed = [(pairs[k].response, span, s) for k, span in spans.items() if (s := _of_amperes(reading, pairs[k]))]
    counts = [span.count for span in spans.values()]
    total, longest = sum(counts), max(counts, default=0)
    long = reading.sweeps is not None and limits.memory(total, longest) > limits.MEMORY
    limits.require_memory(path, longest if long else total, longest, len(counts))
    one_clock = clock.share_a_clock([(r, span, s, clock.extent(path, s)) for r, span, s in timed])
    if not one_clock:
        notes.append(
            "the times of the stimuli are not those of their responses: each is taken to begin with its response"
        )
    traces = []
    for k, (name, pair) in enumerate(zip(_names(pairs), pairs, strict=True)):
        if k not in spans:
            notes.append(f"sweep {name} left out: it has no samples")
            continue
        read = partial(_trace, reading, name, pair, spans[k], None if one_clock else spans[k].begins)
        traces += [t.beginning(read) for t in read()] if long else read()
    notes += reading.laid.notes()
    return traces


def _whole(reading: _Reading, traces: list[_Trace]) -> list[_Trace]:
    """The sweeps; of a recording too long for memory, those that will be used with all their samples."""
    used = {k for k in reading.sweeps or () if 0 <= k < len(traces) and traces[k].again is not None}
    counts = [clock.span(reading.path, traces[k].pair.response).count for k in used]
    limits.require_memory(reading.path, sum(counts), max(counts, default=0), len(counts))
    for k in used:
        if (again := traces[k].again) is not None:
            (whole,) = again()
            traces[k] = replace(whole, dt=traces[k].dt)
    return traces


def _of_amperes(reading: _Reading, pair: Pair) -> Stretch | None:
    """The stimulus of a pair if it is a current with samples."""
    stimulus = pair.stimulus
    if stimulus is None or reading.is_volts(stimulus.series) or _has_type(pair.response.series, "IZeroClampSeries"):
        return None
    return stimulus if stimulus.stop > stimulus.start else None


def _trace(reading: _Reading, name: str, pair: Pair, span: clock.Span, begins: float | None) -> list[_Trace]:
    """The sweep of a pair of series, cut to the samples for which voltage and current are known.

    span    of the response
    begins  the time, s, at which the stimulus begins; None: that of the file

    The result is a list of one sweep, or an empty list if there are no samples.
    """
    dt, notes = span.step, reading.notes
    v = reading.voltage(pair.response)
    finite = np.flatnonzero(np.isfinite(v))
    if not len(finite):
        notes.append(f"sweep {name} left out: it has no samples")
        return []
    i, pair = _current(reading, name, pair, span, begins)
    first, last = int(finite[0]), int(finite[-1]) + 1
    last -= zeros_at_end(v[:last], dt)
    if i is not None:
        known = np.flatnonzero(np.isfinite(i))
        first, last = max(first, int(known[0])), min(last, int(known[-1]) + 1)
    if last - first < len(v):
        notes.append(f"sweep {name} cut from {len(v) * dt:g} to {max(0, last - first) * dt:g} ms, where all is known")
    v, i = v[first:last], None if i is None else i[first:last]
    for what, samples in (("voltage", v), ("current", i)):
        bad = np.flatnonzero(~np.isfinite(samples if samples is not None else 0.0))
        if len(bad):
            raise FileError(f"{reading.path}: the {what} of sweep {name} is not a number at sample {first + bad[0]}.")
    bias = pair.response.series.group.get("bias_current")
    held = 0.0 if bias is None else float(bias[()]) * si(text(bias.attrs.get("unit", "A")))[1] * 1e9
    if np.isfinite(held) and held:
        # In the files of some rigs, the stimulus includes the bias current already: it is not added, but a notice tells it.
        notes.append(f"a bias current of {held:g} nA is on record; the current is the stimulus without it")
    return [_Trace(pair, name, v, i, dt)] if len(v) > 1 else []


def _current(
    reading: _Reading, name: str, pair: Pair, span: clock.Span, begins: float | None
) -> tuple[Floats | None, Pair]:
    """(current (T,) nA of a sweep or None, the pair, which says why there is none)."""
    if _has_type(pair.response.series, "IZeroClampSeries"):
        return np.zeros(span.count), Pair(pair.response, None, "a clamp at zero current")
    if pair.stimulus is None:
        return None, pair
    stimulus = pair.stimulus.series
    if reading.is_volts(stimulus):
        return None, Pair(pair.response, None, f"its stimulus {stimulus.name} is in {stimulus.unit}, no current")
    current = None
    if _of_amperes(reading, pair):
        current = clock.lay(reading.path, name, span, pair.stimulus, begins, reading.current, reading.laid)
    if current is not None and np.any(np.isfinite(current)):
        return current, pair
    return None, Pair(pair.response, None, "its stimulus has no samples at its time")


def _one_step(reading: _Reading, traces: list[_Trace]) -> list[_Trace]:
    """The sweeps with the most frequent sample step, with a notice for the others."""
    if not traces:
        raise FileError(f"{reading.path} holds no samples of a voltage.")
    count = Counter(t.dt for t in traces)
    step = max(count, key=lambda dt: (count[dt], -dt))
    for other in sorted({t.dt for t in traces if not _same(t.dt, step)}):
        names = [t.name for t in traces if t.dt == other]
        reading.notes.append(
            f"{listed_sweeps(names)} left out: a time step of {other:g} ms, where most have {step:g} ms"
        )
    return [replace(t, dt=step) for t in traces if _same(t.dt, step)]


def _same(step: float, other: float) -> bool:
    """Whether two sample steps are one, but for the rounding of timestamps."""
    return abs(step / other - 1) <= SAME_STEP
