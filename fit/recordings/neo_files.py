"""Reads formats that spikefab has no reader of its own for, with the package neo (pip install spikefab[neo]).

neo returns only signals that were recorded: a command current that was not recorded on a channel is not known.
"""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import Advice, FileError, Sentence, UsageError

from .agreement import followed, likeness
from .channels import factor
from .limits import require_memory
from .recording import Recording
from .sweep import make_sweep

Floats = NDArray[np.float64]
Channel = tuple[str, float, Floats]  # name, sample step in ms, samples (T,) in mV or nA
Channels = dict[str, list[Channel]]  # of one segment: those in volts under "V", those in amperes under "A"

OPTIONS = ("voltage_channel", "current_channel")  # options of `read` that `read_neo` has
BYTES = 4  # of a file for each sample, at least: two each of the voltage and of the current
IGOR = (".ibw",)  # suffix of files of a single Igor wave


def is_installed() -> bool:
    """Whether neo can be imported."""
    return find_spec("neo") is not None


def read_neo(
    path: Path, voltage_channel: int | str | None = None, current_channel: int | str | None = None
) -> Recording:
    """The current-clamp recording in a file of a format that neo knows; each of neo's segments is a sweep.

    The voltage is the channel in volts that is most like a membrane, or `voltage_channel`: its name, or its number among the
    channels in volts. The current is the first channel in amperes with the same sample step and length, unless the voltage
    follows another, or `current_channel`, likewise. Raises FileError if neo cannot read the file, if the recording is in
    voltage clamp, and if the sweeps differ in their sample step; UsageError if there is no such channel.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sweeps = _segments(path)
    if not any(channels["V"] for channels in sweeps):
        in_amps = any(channels["A"] for channels in sweeps)
        kind = "is a voltage-clamp recording (it holds a current only)" if in_amps else "holds no voltage"
        raise FileError(f"{path} {kind}: only current clamp can be read.")
    sweeps = [channels for channels in sweeps if channels["V"]]
    notes: list[Any] = []
    voltages = _membrane(path, sweeps, voltage_channel, notes)
    steps = {step for _, step, _ in voltages}
    if len(steps) > 1:
        raise FileError(f"{path} has sweeps of different time steps: {', '.join(f'{s:g} ms' for s in sorted(steps))}.")
    dt = steps.pop()
    traces = [v for _, _, v in voltages]
    found = _currents(sweeps, voltages)
    chosen = 0
    if current_channel is not None:
        chosen = _channel(path, "current", [name for name, _ in found], current_channel)
    elif len(found) > 1 and all(np.all(np.isfinite(v)) for v in traces):
        chosen = followed(traces, [values for _, values in found], dt)
        notes.append(Sentence(f"of {len(found)} currents, {found[chosen][0]} is used", Advice.OTHER_CHANNEL))
    currents: list[Any] = found[chosen][1] if found else [None] * len(traces)
    for k, (v, i) in enumerate(zip(traces, currents, strict=True)):
        if not np.all(np.isfinite(v)) or (i is not None and not np.all(np.isfinite(i))):
            raise FileError(f"{path}: sweep {k} has samples that are no numbers.")
    made = tuple(make_sweep(v, i, dt, str(k)) for k, (v, i) in enumerate(zip(traces, currents, strict=True)))
    origin = f"recorded on {found[chosen][0]}" if found else "the file recorded none, and neo knows no command"
    return Recording(made, dt, str(path), None, origin, tuple(notes), "as neo scales them")


def _membrane(path: Path, sweeps: list[Channels], asked: int | str | None, notes: list[Any]) -> list[Channel]:
    """The channel in volts of each sweep that is taken as the membrane; of several, with a notice."""
    count = min(len(channels["V"]) for channels in sweeps)
    names = [sweeps[0]["V"][c][0] for c in range(count)]
    if asked is not None:
        chosen = _channel(path, "voltage", names, asked)
        return [channels["V"][chosen] for channels in sweeps]

    def like(c: int) -> tuple[float, float]:
        voltages = [channels["V"][c] for channels in sweeps]
        currents = [values for _, values in _currents(sweeps, voltages)]
        return likeness(names[c], False, [v for _, _, v in voltages], currents, voltages[0][1])

    chosen = max(range(count), key=like) if count > 1 else 0
    if count > 1:
        notes.append(Sentence(f"of {count} voltage channels, {names[chosen]} is used", Advice.OTHER_VOLTAGE))
    return [channels["V"][chosen] for channels in sweeps]


def _currents(sweeps: list[Channels], voltages: list[Channel]) -> list[tuple[str, list[Floats]]]:
    """The channels in amperes, (name, (T,) nA for each sweep), that have the sample step and the length of the voltages."""
    fit = [
        [(name, i) for name, step, i in channels["A"] if step == v[1] and len(i) == len(v[2])]
        for channels, v in zip(sweeps, voltages, strict=True)
    ]
    return [(fit[0][c][0], [found[c][1] for found in fit]) for c in range(min(map(len, fit)))]


def _channel(path: Path, kind: str, names: list[str], given: int | str) -> int:
    """The number, among the channels of one kind, of the one that the user named. Raises UsageError if there is none."""
    same = [c for c, name in enumerate(names) if name.lower() == given.lower()] if isinstance(given, str) else [given]
    if len(same) != 1 or same[0] >= len(names):
        listed = ", ".join(f"{c} ({name})" for c, name in enumerate(names)) or "none"
        raise UsageError(f"{path} has no {kind} {given!r}: its {kind}s are {listed}.")
    return same[0]


def read_current(path: Path, _: float, unit: str = "") -> tuple[list[Floats], float | None, tuple[str, ...]]:
    """The currents (T,) nA in a file that neo knows: the first channel in amperes of each segment, and their step in ms.

    `unit`, if given, is that of the numbers, which neo then takes for amperes. Raises FileError if there is no current.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [channels["A"][0] for channels in _segments(path) if channels["A"]]
    if not found:
        raise FileError(f"{path} holds no current.")
    scale = factor(unit) * 1e-9 if unit else 1.0
    return [i * scale for _, _, i in found], found[0][1], ()


def _segments(path: Path) -> list[Channels]:
    """The channels of each segment: under "V" and "A", a list of (name, sample step in ms, samples (T,) in mV or nA)."""
    import neo

    try:
        # Formats based on pickle are excluded: a pickle file may run any code when it is opened.
        kinds = [io for io in neo.io.list_candidate_ios(str(path)) if "pickle" not in io.__name__.lower()]
    except ValueError:
        kinds = []
    if not kinds:
        raise FileError(
            f"{path} cannot be read by this version: neither spikefab nor neo knows"
            f" {path.suffix or 'files without suffix'}."
        )
    size = path.stat().st_size
    require_memory(path, size // BYTES, 0)
    try:
        blocks = kinds[0](str(path)).read()
        segments = [_channels(segment) for block in blocks for segment in block.segments]
        return [sweep for channels in segments for sweep in _columns(channels)] if path.suffix in IGOR else segments
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        raise FileError(
            f"{path} cannot be read without the package {package}, which neo needs for {path.suffix}:"
            f" pip install {package} adds it."
        ) from None
    except Exception as error:  # a damaged file may make neo's readers raise any exception
        first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise FileError(f"{path} cannot be read by neo ({type(error).__name__}: {first}).") from None


def _columns(channels: dict[str, list[tuple[str, float, Floats]]]) -> list[Channels]:
    """The sweeps in one wave of Igor, whose columns are sweeps, while neo takes them for channels."""
    return [{"V": [], "A": [], kind: [found]} for kind, all_found in channels.items() for found in all_found]


def _channels(segment: Any) -> Channels:
    """The channels of one segment, see `_segments`."""
    found: Channels = {"V": [], "A": []}
    for signal in segment.analogsignals:
        for kind, unit in (("V", "mV"), ("A", "nA")):
            if signal.dimensionality.simplified != _dimension(unit):
                continue
            step = float(f"{float(signal.sampling_period.rescale('ms')):.9g}")
            values = np.asarray(signal.rescale(unit).magnitude, dtype=np.float64)
            names = signal.array_annotations.get("channel_names", [signal.name or kind] * values.shape[1])
            found[kind] += [(str(names[c]), step, values[:, c]) for c in range(values.shape[1])]
    return found


def _dimension(unit: str) -> Any:
    import quantities

    return quantities.Quantity(1, unit).dimensionality.simplified
