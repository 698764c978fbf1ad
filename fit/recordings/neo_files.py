"""Recordings in formats that spikefab does not read itself, through neo, if it is installed (pip install spikefab[neo]).

neo gives recorded signals only: a command that no channel recorded is unknown here.
"""

import warnings
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spikefab.errors import FileError

from .recording import Recording, make_sweep

Floats = NDArray[np.float64]


def is_installed() -> bool:
    """Whether neo can be imported."""
    return find_spec("neo") is not None


def read_neo(path: Path) -> Recording:
    """The current-clamp recording in a file that neo knows: a segment is a sweep.

    The voltage is the channel in volts that moves most; the current is the first in amperes, if one was recorded with it.
    Raises FileError for what neo cannot read, for voltage clamp, and for sweeps of different time steps.
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


def _segments(path: Path) -> list[dict[str, list[tuple[str, float, Floats]]]]:
    """For each segment its channels in volts and in amperes: name, step (ms) and samples (T,) mV or nA."""
    import neo

    try:
        # A pickle runs whatever code its writer liked: no way to open a file from elsewhere.
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
        return [_channels(segment) for block in blocks for segment in block.segments]
    except Exception as error:  # neo's readers raise whatever the bytes lead to
        first = (str(error).strip().splitlines() or [""])[0].rstrip(".")
        raise FileError(f"{path} cannot be read by neo ({type(error).__name__}: {first}).") from None


def _channels(segment: Any) -> dict[str, list[tuple[str, float, Floats]]]:
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
