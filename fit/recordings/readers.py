"""The function `read`, which reads a recording from a file of any known format."""

import contextlib
import hashlib
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.calls import listed, path_of, public, whole
from spikefab.errors import Advice, FileError, RecordingError, SpikefabError, UsageError, shortened
from spikefab.units import step

from . import abf, limits, neo_files, nwb, text
from .channels import AS_NAMED, parse_channel, parse_units
from .recording import Recording
from .spikes import prominence_of
from .sweep import LARGEST, Floats, make_sweep

Currents = tuple[list[Floats], float | None, tuple[str, ...]]  # (T,) nA each, their sample step in ms or None, notices


# What the parser of a format raises if a file does not keep to the format, at any place where it is read: bytes are missing,
# are no text or no number, a name or position in the file does not exist, a length does not fit into memory. Among them are
# exceptions that a mistake of spikefab may raise as well; so the sentence names the exception, and carries it as its cause.
# Only what happens while a file is parsed counts: an exception in what is done with the samples is always a defect.
DAMAGE = (
    OSError, EOFError, LookupError, ValueError, ArithmeticError, RuntimeError, MemoryError, struct.error, zlib.error
)  # fmt: skip
# In HDF5, the file says which type a value has, and whether a name is that of a group or of a dataset.
HDF5_DAMAGE = (*DAMAGE, TypeError, AttributeError)


@dataclass(frozen=True)
class Format:
    """A file format that spikefab reads itself.

    suffixes      of its files
    name          for messages
    read          a function that reads a file, given its path and, as keywords, those of its options that the user gave
    options       names of those options of the function `read` below that it takes
    read_current  a function that reads the currents in a file, given its path, the sample step of the recording to which
                  they belong, and the unit that the user says they have ("" if none); None if the injected current cannot
                  come from a file of this format
    by_sweep      whether `read` takes the numbers of the sweeps that are used, `sweeps`, and may leave out samples of others
    damage        exceptions which mean that a file is damaged, if they are raised while it is read
    """

    suffixes: tuple[str, ...]
    name: str
    read: Callable[..., Recording]
    options: tuple[str, ...]
    read_current: Callable[[Path, float, str], Currents] | None = None
    by_sweep: bool = False
    damage: tuple[type[Exception], ...] = DAMAGE


FORMATS = (
    Format(
        (".csv", ".tsv", ".txt", ".asc", ".dat", ".atf", ".lvm"),
        "text",
        text.read_csv,
        ("dt", "voltage_channel", "current_channel", "units"),
        text.read_current,
    ),
    Format((".abf",), "ABF", abf.read_abf, ("voltage_channel", "current_channel", "units"), abf.read_current),
    Format((".nwb",), "NWB", nwb.read_nwb, ("electrode", "units"), by_sweep=True, damage=HDF5_DAMAGE),
)
# option of `read` that only some formats have -> how a message to a user who gives it with another file begins. The step dt
# may be given with any file, because the files of a folder have different formats.
ONLY = {
    "voltage_channel": Advice.VOLTAGE_CHANNEL_IS_FOR,
    "current_channel": Advice.CURRENT_CHANNEL_IS_FOR,
    "units": Advice.UNITS_IS_FOR,
    "electrode": Advice.ELECTRODE_IS_FOR,
}
TEXT = FORMATS[0].suffixes
KNOWN = tuple(suffix for format in FORMATS for suffix in format.suffixes)
# Entry points through which other packages add formats: the name is a file suffix, the object a function that takes a
# path and returns a Recording.
GROUP = "spikefab.readers"


@public
def read(
    path: str | os.PathLike[str],
    *,
    dt: float | None = None,
    current: str | os.PathLike[str] | None = None,
    voltage_channel: int | str | None = None,
    current_channel: int | str | None = None,
    units: str | None = None,
    electrode: str | None = None,
    sweeps: str | Sequence[int] | None = None,
    spike_prominence: float | None = None,
) -> Recording:
    """Read a recording from a file. The suffix tells the format: csv, tsv, txt, asc, dat, atf and lvm (text), abf (Axon 1
    and 2), nwb (1 and 2), a suffix that an installed package has registered in the entry points `spikefab.readers`, or one that
    neo knows.

    dt               ms between samples, for a text file without a time column or with times of too few digits
    current          another file, with the injected current: one for all sweeps, or one for each; as long as the voltage
    voltage_channel  the channel (ABF) or column (text) with the membrane's voltage: its number (0, 1, ...) or its name; of
                     text also a part of the name, or several with commas
    current_channel  the channel that recorded the injected current, likewise
    units            units of voltage and current of the numbers in the file, "mV,pA" or one of them (",pA"), if the file
                     names none or wrong ones; the second also holds for the file `current`
    electrode        name of the electrode to read from an nwb file with several (default: the one stimulated most)
    sweeps           the sweeps to keep, counted from 0 in the order of the file: [0, 3, 4] or "0,3-4" (default: all)
    spike_prominence  mV: least prominence of a spike (default 20); less for cells whose spikes are small

    If the current is not known, the recording has none and can only be viewed; `Recording.require_fit` then says what is
    missing. Raises FileError if the file cannot be read or is of the wrong kind, UsageError if an option does not suit the
    file, and RecordingError if no sweep is left.
    """
    file = path_of(path, "read")
    suffix = file.suffix.lower()
    dt = None if dt is None else step(dt)
    if current is not None and current_channel is not None:
        raise UsageError(Advice.ONE_CURRENT, ".")
    if sweeps is None or isinstance(sweeps, str):
        chosen = None if sweeps is None else parse_sweeps(sweeps)
    else:
        numbers = listed(sweeps, "sweeps are a text such as 0,3-7, or numbers")
        chosen = [whole(k, "the number of a sweep") for k in numbers]
    for name, word in (("units", units), ("electrode", electrode)):
        if not isinstance(word, str | None):
            raise UsageError(f"{name} is a text, not {shortened(word)}.")
    prominence = prominence_of(spike_prominence)
    _require(file)
    given = {
        "dt": dt,
        "current": None if current is None else os.fspath(path_of(current, "current")),
        "voltage_channel": None if voltage_channel is None else parse_channel(voltage_channel),
        "current_channel": None if current_channel is None else parse_channel(current_channel),
        "units": units,
        "electrode": electrode,
        "sweeps": chosen,
        "spike_prominence": None if spike_prominence is None else prominence,
    }
    given = {name: value for name, value in given.items() if value is not None}
    parsed = AS_NAMED if units is None else parse_units(units)
    options = given if units is None else {**given, "units": parsed}
    _refuse_other(file, suffix, options)
    recording = _read(file, suffix, options)
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    recording = replace(recording, sha256=digest, spike_prominence=prominence)
    if current is not None:
        recording = _with_current(recording, Path(current), parsed.current)
    _require_measured(recording)
    if chosen is not None:
        recording = _chosen(recording, chosen)
    lengths = [len(sweep.voltage) for sweep in recording.sweeps]
    if (need := limits.memory(sum(lengths), max(lengths))) > limits.NOTABLE:
        note = f"its {sum(lengths):,} samples take about {need / 1e9:.1f} GB of memory"
        recording = replace(recording, notes=(*recording.notes, note))
    return replace(recording.cleaned(), reading=given)


def parse_sweeps(text: str) -> list[int]:
    """The numbers in a list of sweeps such as "0,3-7": [0, 3, 4, 5, 6, 7]. Raises UsageError for any other text."""
    sweeps: list[int] = []
    for part in text.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        # At most 11 digits in all, and below a million: no file has more sweeps, and a list of 10^12 would fill the memory.
        if not (first.isdecimal() and len(first + last) < 12 and (last.isdecimal() if dash else True)):
            raise UsageError(f"Sweeps are numbers and ranges from 0 on, such as 0,3-7, not {text!r}.")
        stop = int(last) if dash else int(first)
        if stop < int(first) or stop >= 1_000_000:
            raise UsageError(f"The range of sweeps {part.strip()} holds none: write the smaller number first.")
        sweeps += range(int(first), stop + 1)
    return sorted(set(sweeps))


def _require_measured(recording: Recording) -> None:
    """Raise RecordingError if a voltage or current is no finite number, or beyond all that is measured."""
    for sweep in recording.sweeps:
        for what, unit, x in (("voltage", "mV", sweep.voltage), ("current", "nA", sweep.current)):
            far = 0.0 if x is None else max(float(x.max()), -float(x.min()))
            if not far <= LARGEST:
                raise RecordingError(
                    f"{recording.source}: the {what} of sweep {sweep.name} reaches {far:g} {unit}, which nothing measures:"
                    " repair the file."
                )


def _chosen(recording: Recording, sweeps: Sequence[int]) -> Recording:
    """The recording with only these sweeps, and a notice that says so."""
    chosen = recording.select(sweeps)
    listed = ", ".join(map(str, sweeps)) if len(sweeps) <= 8 else f"{sweeps[0]} to {sweeps[-1]}, {len(sweeps)} of them"
    note = f"of {len(recording.sweeps)} sweeps, those chosen are used: {listed}"
    return replace(chosen, notes=(*chosen.notes, note))


def _format(suffix: str) -> Format | None:
    """The format of files with this suffix, or None if spikefab does not read them itself."""
    return next((format for format in FORMATS if suffix in format.suffixes), None)


def options_for(file: str | os.PathLike[str]) -> tuple[str, ...]:
    """The options of `read` that the format of this file has."""
    suffix = Path(file).suffix.lower()
    if (format := _format(suffix)) is not None:
        return format.options
    return neo_files.OPTIONS if neo_files.is_installed() and _registered(suffix) is None else ()


def _refuse_other(file: Path, suffix: str, options: Mapping[str, Any]) -> None:
    """Raise UsageError if an option is for files of other formats."""
    own = options_for(file)
    for option, advice in ONLY.items():
        foreign = option in options and option not in own
        if foreign and not (option == "units" and "current" in options and not options["units"].voltage):
            kind = "text" if suffix in TEXT else f"a {suffix[1:] or 'no'} file"
            others = " and ".join(format.name for format in FORMATS if option in format.options)
            raise UsageError(f"{file} is {kind}: ", advice, f" {others} files.")


def _read(file: Path, suffix: str, options: Mapping[str, Any]) -> Recording:
    """The recording in a file with this suffix. Raises FileError if there is no reader for it."""
    if (format := _format(suffix)) is not None:
        with _parsing(file, format):
            taken = (*format.options, "sweeps") if format.by_sweep else format.options
            return format.read(file, **{name: options[name] for name in taken if name in options})
    if (entry := _registered(suffix)) is not None:
        return _foreign(entry, file)
    if neo_files.is_installed():
        return neo_files.read_neo(file, **{name: options[name] for name in neo_files.OPTIONS if name in options})
    adds = "reads waves of Igor, with neo and igor2" if suffix in neo_files.IGOR else "adds what neo knows"
    raise FileError(
        f"{file} cannot be read by this version: it reads {_kinds(KNOWN)}, not {suffix or 'files without suffix'};"
        f" pip install spikefab[neo] {adds}."
    )


@contextlib.contextmanager
def _parsing(file: Path, format: Format | None) -> Iterator[None]:
    """Turn what a parser raises for a damaged file into a FileError. `format`: None if it is not one of FORMATS."""
    damage = DAMAGE if format is None else format.damage
    try:
        yield
    except SpikefabError:
        raise
    except damage as error:
        what = f"damaged or no {format.name} as it should be" if format is not None else "damaged"
        if isinstance(error, MemoryError):
            raise FileError(f"{file} does not fit into memory, or is {what}.") from error
        first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise FileError(f"{file} is {what} ({type(error).__name__}: {first}).") from error


def _kinds(suffixes: Sequence[str]) -> str:
    """The suffixes as text, for a message."""
    return ", ".join(suffix[1:] for suffix in suffixes)


def _registered(suffix: str) -> Any:
    """The entry point that a package registered for a suffix (with or without the dot), or None."""
    found = metadata.entry_points(group=GROUP)
    return next((e for e in found if suffix and e.name.lower().lstrip(".") == suffix[1:]), None)


def _foreign(entry: Any, path: Path) -> Recording:
    """Call a reader from another package. Its failure becomes a FileError that names the reader."""
    try:
        recording = entry.load()(path)
    except SpikefabError:
        raise
    except Exception as error:  # another package may raise any exception
        first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise FileError(
            f"{path} cannot be read: the reader {entry.value} failed ({type(error).__name__}: {first})."
        ) from None
    if not isinstance(recording, Recording) or not recording.sweeps:
        raise FileError(f"{path} cannot be read: the reader {entry.value} returned no recording.")
    return replace(recording, source=str(path))


def _require(file: Path) -> None:
    if file.is_dir():
        raise FileError(f"{file} is a folder, not a recording.")
    if not file.exists():
        raise FileError(f"{file} does not exist.")
    try:
        with file.open("rb") as stream:
            if not stream.read(1):
                raise FileError(f"{file} is empty.")
    except OSError as error:
        raise FileError(f"{file} cannot be opened: {error.strerror}.") from None


def _with_current(recording: Recording, file: Path, unit: str) -> Recording:
    """The recording with the current of another file in place of its own; `unit` is that of its numbers, "" if not given."""
    _require(file)
    suffix = file.suffix.lower()
    format = _format(suffix)
    read_current = format.read_current if format is not None else None
    if suffix in neo_files.IGOR and neo_files.is_installed():
        read_current = neo_files.read_current  # Igor has voltage and current in files of their own
    if read_current is None:
        kinds = _kinds([suffix for format in FORMATS if format.read_current for suffix in format.suffixes])
        raise FileError(f"{file} cannot be read as a current: ", Advice.CURRENT_TAKES, f" {kinds}.")
    with _parsing(file, format):
        currents, step, notes = read_current(file, recording.dt, unit)
    if step is not None and not np.isclose(step, recording.dt, rtol=1e-3):
        raise FileError(f"{file} has a time step of {step:g} ms but {recording.source} one of {recording.dt:g} ms.")
    sweeps = recording.sweeps
    if len(currents) == 1:
        currents = currents * len(sweeps)
    if len(currents) != len(sweeps):
        raise FileError(f"{file} holds {len(currents)} currents but {recording.source} {len(sweeps)} sweeps.")
    for sweep, i in zip(sweeps, currents, strict=True):
        if len(i) != len(sweep.voltage):
            raise FileError(
                f"{file} holds {len(i)} samples of current but sweep {sweep.name} of {recording.source}"
                f" {len(sweep.voltage)} of voltage."
            )
    made = tuple(make_sweep(s.voltage, i, recording.dt, s.name) for s, i in zip(sweeps, currents, strict=True))
    return replace(recording, sweeps=made, current_origin=f"the file {file.name}", notes=(*recording.notes, *notes))
