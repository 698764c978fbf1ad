"""Reads recordings of Axon's pCLAMP (ABF 1 and 2): which channel is the membrane, and which signal the injected current.

Of several voltages, the membrane is the one that looks like a cell, has the name of a membrane and follows a current. The
current is a channel that recorded it, else the command of an output; if they differ, the one that the voltage follows. The
user's choice of channels and units overrules all of this.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.errors import Advice, FileError, Sentence, UsageError

from .abf_command import command_of
from .abf_file import Floats, in_current_clamp, labels_of, open_abf, protocol_of, samples_of, step_of
from .abf_stimulus import NotKnownError, file_name
from .agreement import agreement, followed, likeness
from .channels import AMPS, AS_NAMED, VOLTS, Units, factor, is_unit
from .membrane import along
from .recording import Recording
from .sweep import make_sweep

CURRENTS = {*AMPS} - {"mA"}  # units of a current that a cell receives; mA go to a nerve
CLEARLY = 0.5  # agreement from which a current is taken that has no other reason to be taken
SAME = 0.97  # correlation of a recorded signal with a command from which it follows the command


@dataclass(frozen=True, eq=False)
class Candidate:
    """A signal that may be the injected current: (T,) nA for each sweep.

    origin   in words, for the user
    unit     of the numbers in the file
    channel  number of the ADC channel that recorded it, None for a command
    output   number of the DAC whose command it is, None for a recorded current
    """

    values: list[Floats]
    origin: str
    unit: str
    channel: int | None = None
    output: int | None = None


@dataclass(frozen=True)
class _File:
    """An open file: pyabf's object, path, units and names of its channels, its sample step, and what the user chose."""

    abf: Any
    path: Path
    told: list[str]
    names: list[str]
    dt: float
    units: Units
    voltage: int | None
    current: int | None

    def channel(self, c: int) -> str:
        return f"ADC {c} ({self.names[c]})"


def read_abf(
    path: Path,
    voltage_channel: int | str | None = None,
    current_channel: int | str | None = None,
    units: Units = AS_NAMED,
) -> Recording:
    """The current-clamp recording in an ABF file. `voltage_channel` and `current_channel`, if given, are its ADC channels
    with the voltage and the current, by number or name; `units`, if given, are those of their numbers.

    If no current can be trusted, the sweeps have no current, and `current_origin` says why. Raises FileError if the file is
    of another kind, truncated or in voltage clamp, and UsageError if there is no such channel.
    """
    abf = open_abf(path)
    names, told = labels_of(abf)
    chosen = [None if given is None else _channel(path, names, given) for given in (voltage_channel, current_channel)]
    if chosen[0] is not None and chosen[0] == chosen[1]:
        raise UsageError(f"Channel {chosen[0]} of {path} cannot be both voltage and current.")
    file = _File(abf, path, told, names, step_of(abf), units, *chosen)
    traces = {c: samples_of(abf, c, factor(_volts(file, c))) for c in _voltages(file)}
    recorded = _recorded(file)
    lengths = [len(v) for v in next(iter(traces.values()))]
    commands, of_voltage, reasons = _commands(file, lengths)
    notes: list[Any] = []
    voltage = _membrane(file, traces, recorded, commands, notes)
    recorded = [c for c in recorded if c.channel != voltage]
    if voltage == file.voltage and not units.voltage and file.told[voltage] not in VOLTS:
        notes.append(f"{file.channel(voltage)} is in {file.told[voltage]}: taken as mV")
    current = _current(file, voltage, traces[voltage], recorded, commands, notes)
    if current is not None and current.channel is not None and not _asked(file):
        _require_current_clamp(file, traces[voltage], current, commands, of_voltage)
    origin = current.origin if current is not None else reasons.get(voltage) or reasons.get(None, "")
    values = [None] * len(lengths) if current is None else current.values
    sweeps = tuple(
        make_sweep(v, i, file.dt, str(k)) for k, (v, i) in enumerate(zip(traces[voltage], values, strict=True))
    )
    in_file = ", ".join(u for u in (_volts(file, voltage), "" if current is None else current.unit) if u)
    return Recording(sweeps, file.dt, str(path), None, origin, tuple(notes), in_file)


def read_current(path: Path, _: float, unit: str = "") -> tuple[list[Floats], float | None, tuple[str, ...]]:
    """The currents in an ABF file that need not have a voltage, such as a stimulus file; `unit`, if given, is theirs.

    Returns one current (T,) nA per sweep, the sample step in ms, and notices.
    """
    abf = open_abf(path)
    told = labels_of(abf)[1]
    channel = next((c for c, u in enumerate(told) if u in CURRENTS), 0)
    unit = unit or told[channel]
    notes = () if is_unit(unit, AMPS) else (f"ADC {channel} of {path} is in {unit}: taken as pA",)
    return samples_of(abf, channel, factor("pA" if notes else unit)), step_of(abf), notes


def _channel(path: Path, names: list[str], given: int | str) -> int:
    """The number of the ADC channel that the user named. Raises UsageError, with the names of all, if there is none."""
    if isinstance(given, str):
        found = [c for c, name in enumerate(names) if name.lower() == given.lower()]
        if len(found) == 1:
            return found[0]
        listed = ", ".join(f"{c} ({name})" for c, name in enumerate(names))
        raise UsageError(f"{path} has {len(found) or 'no'} channels named {given!r}: its channels are {listed}.")
    if given >= len(names):
        raise UsageError(f"{path} has no channel {given}: its channels are 0 to {len(names) - 1}.")
    return given


def _asked(file: _File) -> bool:
    """Whether the user chose a channel or a unit."""
    return file.voltage is not None or file.current is not None or any(file.units)


def _volts(file: _File, channel: int) -> str:
    """The unit of the numbers of a channel that is taken as a voltage."""
    told = file.told[channel]
    return file.units.voltage or (told if told in VOLTS else "mV")


def _voltages(file: _File) -> list[int]:
    """The channels that may be the membrane: the one that the user chose, or all in a unit of voltage.

    Raises FileError if there is none.
    """
    if file.voltage is not None:
        return [file.voltage]
    told = file.told
    rest = [c for c in range(len(told)) if c != file.current]
    found = [c for c in rest if told[c] in VOLTS]
    if not found and file.units.voltage and len(rest) == 1:
        return rest
    if not found:
        listed = ", ".join(told)
        kind = f"is a voltage-clamp recording (it holds {listed}): only current clamp can be read"
        if not any(unit in CURRENTS for unit in told):
            kind = f"holds no voltage: its channels are in {listed}"
        elif any(in_current_clamp(file.abf)):
            kind = f"is labelled as a voltage-clamp recording (it holds {listed}), though its amplifier was in current clamp"
        raise FileError(f"{file.path} {kind}", Advice.RELABEL, ".")
    return found


def _recorded(file: _File) -> list[Candidate]:
    """The channels that may have recorded the current: the one that the user chose, or all in a unit of current that change."""
    channels = [c for c, unit in enumerate(file.told) if unit in CURRENTS] if file.current is None else [file.current]
    found = []
    for c in channels:
        unit = file.units.current or (file.told[c] if file.told[c] in AMPS else "pA")
        values = samples_of(file.abf, c, factor(unit))
        if c == file.current or any(np.ptp(i) > 0 for i in values):
            found.append(Candidate(values, f"recorded on {file.channel(c)}", unit, channel=c))
    return found


def _commands(file: _File, lengths: list[int]) -> tuple[list[Candidate], list[list[Floats]], dict[int | None, str]]:
    """The commands that change: those in a unit of current, and those in a unit of voltage, (T,) mV for each sweep.

    Also why the commands of the other outputs are not known, by their numbers; for outputs that the file does not have, by
    None. If a command in a unit of current cannot be rebuilt, that is the reason for outputs in other units too.
    """
    protocol = protocol_of(file.abf)
    if protocol is None:
        return [], [], {None: "its old header does not hold the command"}
    found: list[Candidate] = []
    of_voltage: list[list[Floats]] = []
    reasons: dict[int | None, str] = {None: "its command is in no unit, not in pA"}
    others: list[int | None] = [None]
    blocked: list[str] = []
    for output in protocol.outputs:
        unit = file.units.current or output.unit
        in_amps = bool(file.units.current) or unit in CURRENTS
        if not in_amps:
            reasons[output.number] = f"its command is in {unit or 'no unit'}, not in pA"
            others.append(output.number)
        if not in_amps and unit not in VOLTS:
            continue
        try:
            values = [factor(unit) * c for c in command_of(file.path, protocol, output, lengths, file.dt)]
        except NotKnownError as reason:
            reasons.setdefault(output.number, str(reason))
            blocked += [str(reason)] if in_amps else []
            continue
        level = values[0][0]
        flat = all(np.all(i == level) for i in values)
        if flat:
            reasons.setdefault(
                output.number, f"its command is flat at {level:g} nA, so that something else drove the cell"
            )
        elif in_amps:
            named = f"stimulus file {file_name(output)}" if output.plays == "file" else None
            origin = named or f"command of DAC {output.number} ({output.name})"
            found.append(Candidate(values, origin, unit, output=output.number))
        else:
            of_voltage.append(values)
    return found, of_voltage, reasons | dict.fromkeys(others, blocked[0]) if blocked else reasons


def _membrane(
    file: _File, traces: dict[int, list[Floats]], recorded: list[Candidate], commands: list[Candidate], notes: list[Any]
) -> int:
    """The channel that recorded the membrane; if there are several voltages, with a notice."""
    if len(traces) == 1:
        return next(iter(traces))

    def like(c: int) -> tuple[float, float]:
        currents = [x.values for x in (*recorded, *commands) if x.channel != c]
        return likeness(file.names[c], file.told[c] == "mV", traces[c], currents, file.dt)

    chosen = max(traces, key=like)
    used = f"of {len(traces)} voltage channels, {file.channel(chosen)} is used"
    notes.append(Sentence(used, Advice.OTHER_VOLTAGE))
    return chosen


def _current(
    file: _File, voltage: int, v: list[Floats], recorded: list[Candidate], commands: list[Candidate], notes: list[Any]
) -> Candidate | None:
    """The signal that is taken as the injected current, or None.

    Usually it is the first channel that recorded a current, else the command of the output with the number of the voltage's
    channel. Another is taken, with a notice, if the voltage follows it clearly better.
    """
    if file.current is not None:
        (chosen,) = recorded
        if not file.units.current and file.told[file.current] not in AMPS:
            notes.append(f"{file.channel(file.current)} is in {file.told[file.current]}: taken as pA")
        return chosen
    usual = next(iter([*recorded, *(c for c in commands if c.output == voltage)]), None)
    others = [c for c in (*recorded, *commands) if c is not usual]
    if not others:
        return usual
    if usual is None:
        best = max(others, key=lambda c: agreement(v, c.values, file.dt))
        if agreement(v, best.values, file.dt) < CLEARLY:
            return None
        notes.append(Sentence(f"the voltage follows the {_bare(best)}: taken as its current", Advice.OTHER_CHANNEL))
        return best
    best = [usual, *others][followed(v, [c.values for c in (usual, *others)], file.dt)]
    if best is not usual:
        why = f"the voltage follows the {_bare(best)}, not the {_bare(usual)}: taken as its current"
        notes.append(Sentence(why, Advice.OTHER_CHANNEL))
        return best
    if len(recorded) > 1:
        notes.append(Sentence(f"of {len(recorded)} recorded currents, {_bare(usual)} is used", Advice.OTHER_CHANNEL))
    return usual


def _bare(candidate: Candidate) -> str:
    """A signal in words, within a sentence."""
    return candidate.origin.replace("recorded on", "current on")


def _require_current_clamp(
    file: _File, v: list[Floats], current: Candidate, commands: list[Candidate], of_voltage: list[list[Floats]]
) -> None:
    """Raise FileError if a voltage and a recorded current show a voltage clamp.

    In voltage clamp, the voltage is a command. It moves in steps, or it is the command in mV of an output; and the current
    relaxes. If the current moves in steps and the voltage relaxes, or if the current is the command, it is current clamp.
    """
    for potential in of_voltage:
        r, slope = along(np.concatenate(v), np.concatenate(potential))
        if r > SAME and 0.9 < slope < 1.1:
            clause = "its voltage is the command of an output"
            break
    else:
        moves, unsteady = _steps(v, file.dt)
        clause = "its voltage moves in steps, as only a command does"
        if not moves:
            return
        for command in commands:
            r, _ = along(np.concatenate(current.values), np.concatenate(command.values))
            if r > SAME and r > along(np.concatenate(v), np.concatenate(command.values))[0]:
                return
        if _steps(current.values, file.dt)[1] < 0.5 * unsteady:
            return
    raise FileError(f"{file.path} is a voltage-clamp recording: {clause}", Advice.IN_CURRENT_CLAMP, ".")


def _steps(signals: list[Floats], dt: float) -> tuple[bool, float]:
    """Whether signals move in steps of at least 5 (mV), and how much they change between their steps, as a share of their range.

    Apart from spikes, the largest change of such a signal within 0.3 ms is most of its whole range.
    """
    from scipy.ndimage import median_filter

    width = 2 * max(1, round(1.0 / dt)) + 1
    smooth = [median_filter(x, width, mode="nearest") for x in signals]
    span = max(float(np.ptp(x)) for x in smooth)
    if span == 0:
        return False, 0.0
    lag = max(1, round(0.3 / dt))
    jumps = [np.abs(x[lag:] - x[:-lag]) for x in smooth]
    rest = []
    for x, jump in zip(smooth, jumps, strict=True):
        edges = np.flatnonzero(np.diff((jump > 0.3 * span).astype(np.int8))) + 1
        rest += [part - np.median(part) for part in np.split(x, edges) if len(part) > 2 * lag]
    largest = max(float(np.max(jump, initial=0.0)) for jump in jumps)
    return span >= 5.0 and largest > 0.8 * span, float(np.sqrt(np.mean(np.concatenate(rest) ** 2))) / span
