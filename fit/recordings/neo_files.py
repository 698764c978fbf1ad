"""Reads formats that spikefab has no reader of its own for, with the package neo (pip install spikefab[neo]).

neo returns only signals that were recorded: a command current that was not recorded on a channel is not known.
"""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

from .channels import factor
from .recording import Recording
from .sweep import make_sweep

Floats = NDArray[np.float64]

IGOR = (".ibw",)  # suffix of files of a single Igor wave


def is_installed() -> bool:
    """Whether neo can be imported."""
    return find_spec("neo") is not None


def read_neo(path: Path) -> Recording:
    """The current-clamp recording in a file of a format that neo knows; each of neo's segments is a sweep.

    The voltage is the channel in volts that varies most. The current is the first channel in amperes with the same sample
    step and length, if there is one. Raises FileError if neo cannot read the file, if the recording is in voltage clamp,
    and if the sweeps differ in their sample step.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        sweeps = _segments(path)
    if not any(channels["V"] for channels in sweeps):
        in_amps = any(channels["A"] for channels in sweeps)
        kind = "is a voltage-clamp recording (it holds a current only)" if in_amps else "holds no voltage"
        raise FileError(f"{path} {kind}: only current clamp can be read.")
    sweeps = [channels for channels in sweeps if channels["V"]]
    count = min(len(channels["V"]) for channels in sweeps)
    chosen = max(range(count), key=lambda c: max(float(np.std(channels["V"][c][2])) for channels in sweeps))
    voltages = [channels["V"][chosen] for channels in sweeps]
    steps = {step for _, step, _ in voltages}
    if len(steps) > 1:
        raise FileError(f"{path} has sweeps of different time steps: {', '.join(f'{s:g} ms' for s in sorted(steps))}.")
    notes = (f"of {count} voltage channels, {voltages[0][0]} is used",) if count > 1 else ()
    currents = [
        next((i for _, step, i in channels["A"] if step == v[1] and len(i) == len(v[2])), None)
        for channels, v in zip(sweeps, voltages, strict=True)
    ]
    known = all(i is not None for i in currents)
    for k, (v, i) in enumerate(zip(voltages, currents, strict=True)):
        if not np.all(np.isfinite(v[2])) or (i is not None and not np.all(np.isfinite(i))):
            raise FileError(f"{path}: sweep {k} has samples that are no numbers.")
    dt = steps.pop()
    made = tuple(
        make_sweep(v, i if known else None, dt, str(k))
        for k, ((_, _, v), i) in enumerate(zip(voltages, currents, strict=True))
    )
    origin = f"recorded on {sweeps[0]['A'][0][0]}" if known else "the file recorded none, and neo knows no command"
    return Recording(made, dt, str(path), None, origin, notes, "as neo scales them")


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


def _segments(path: Path) -> list[dict[str, list[tuple[str, float, Floats]]]]:
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


def _columns(channels: dict[str, list[tuple[str, float, Floats]]]) -> list[dict[str, list[tuple[str, float, Floats]]]]:
    """The sweeps in one wave of Igor, whose columns are sweeps, while neo takes them for channels."""
    return [{"V": [], "A": [], kind: [found]} for kind, all_found in channels.items() for found in all_found]


def _channels(segment: Any) -> dict[str, list[tuple[str, float, Floats]]]:
    """The channels of one segment, see `_segments`."""
    found: dict[str, list[tuple[str, float, Floats]]] = {"V": [], "A": []}
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
