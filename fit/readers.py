"""`read`: a file of any known kind to a Recording."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from spikefab.fit.recording import Recording, make_sweep
from spikefab.hw.errors import FileError, UsageError

TEXT = (".csv", ".tsv", ".txt", ".asc", ".dat")
KNOWN = (*TEXT, ".abf")


def read(
    path: str | os.PathLike[str],
    *,
    dt: float | None = None,
    current: str | os.PathLike[str] | None = None,
    current_channel: int | None = None,
) -> Recording:
    """The recording in a file, its kind told by the suffix: csv, tsv, txt, asc, dat (text) or abf (Axon 1 and 2).

    dt               ms between samples, for text that has no time column
    current          a file with the injected current: one for all sweeps, or one a sweep, as long as the voltage
    current_channel  the ADC channel (0, 1, ...) of an abf that recorded the current

    A file whose current is unknown loads without one, to view; `Recording.require_fit` says what is missing.
    Raises FileError for what cannot be read or is of the wrong kind, UsageError for options that do not fit the file.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if dt is not None and not (np.isfinite(dt) and dt > 0):
        raise UsageError(f"The time step must be a positive number of ms, not {dt}.")
    if current is not None and current_channel is not None:
        raise UsageError("The current comes from --current FILE or from --current-channel N, not from both.")
    _require(file)
    if suffix in TEXT:
        if current_channel is not None:
            raise UsageError(f"{file} is text: --current-channel is for ABF files.")
        from spikefab.fit.read_csv import read_csv

        recording = read_csv(file, dt)
    else:
        from spikefab.fit.read_abf import read_abf

        recording = read_abf(file, current_channel)
    recording = replace(recording, sha256=hashlib.sha256(file.read_bytes()).hexdigest())
    return recording if current is None else _with_current(recording, Path(current))


def _require(file: Path) -> None:
    if file.is_dir():
        raise FileError(f"{file} is a folder, not a recording.")
    if not file.exists():
        raise FileError(f"{file} does not exist.")
    if file.suffix.lower() not in KNOWN:
        kinds = ", ".join(suffix[1:] for suffix in KNOWN)
        raise FileError(
            f"{file} cannot be read by this version: it reads {kinds}, not {file.suffix or 'files without suffix'}."
        )
    try:
        with file.open("rb") as stream:
            if not stream.read(1):
                raise FileError(f"{file} is empty.")
    except OSError as error:
        raise FileError(f"{file} cannot be opened: {error.strerror}.") from None


def _with_current(recording: Recording, file: Path) -> Recording:
    """The recording with the current of another file in place of its own."""
    _require(file)
    if file.suffix.lower() in TEXT:
        from spikefab.fit.read_csv import read_current
    else:
        from spikefab.fit.read_abf import read_current
    currents, step, notes = read_current(file)
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
    return replace(recording, sweeps=made, current_origin=f"the file {file}", notes=(*recording.notes, *notes))
