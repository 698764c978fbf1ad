"""The recordings of a project: read in a separate process, stored as arrays, and sent to the page in the parts it shows."""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.errors import SpikefabError, UsageError

from .words import said

MOST = 1_000_000  # number of samples that are sent unchanged, at most
POINTS = 200_000  # number of points that are sent in place of more samples
DAMAGED = "The stored samples of this recording are damaged: remove it, and import its file again."
FEATURE_SWEEPS = 200  # number of sweeps of which features are computed: the first ones, if there are more


def take_in(file: str, folder: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Read a file and store its samples in `folder`. Returns the description of the recording, or {"error", "options"}: why
    the file is refused, and the options of `read` that would help. All sentences are in the Studio's words.

    It is called in a separate process, see `readers`.
    """
    from spikefab.fit.recordings.readers import options_for, read
    from spikefab.fit.recordings.summary import describe

    kept = Path(folder)
    try:
        recording = read(file, **options)
        found = describe(recording)
    except SpikefabError as error:
        return {"error": said(error, kept), "options": error.sentence.options}
    nothing = np.empty(0)
    np.save(kept / "voltage.npy", np.concatenate([s.voltage for s in recording.sweeps]))
    currents = [nothing if s.current is None else s.current for s in recording.sweeps]
    np.save(kept / "current.npy", np.concatenate(currents))
    if recording.image is not None:  # the page shows the current as it was recorded, too
        raw = [i if s.recorded is None else s.recorded for s, i in zip(recording.sweeps, currents, strict=True)]
        np.save(kept / "recorded.npy", np.concatenate(raw))
    np.save(kept / "spikes.npy", np.concatenate([spikes.time for spikes in recording.spikes()]))
    del found["source"]  # a folder of this machine
    for name in ("current_origin", "cannot_be_fitted"):
        found[name] = found[name] and said(found[name], kept)
    for name in ("notes", "warnings", "doubts"):
        found[name] = [said(text, kept) for text in found[name]]
    return found | {
        "added": datetime.now(UTC).isoformat(timespec="microseconds"),
        "file": Path(file).name,
        "options": {n: value if n != "current" else Path(value).name for n, value in (recording.reading or {}).items()},
        "reading_options": [*(name for name in options_for(file) if name != "dt"), "spike_prominence"],
        "sweeps": [{"index": k} | s for k, s in enumerate(found["sweeps"])],
    }


def options_of(content: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """The options of `read` with which a recording was read."""
    options = dict(content["options"])
    if "current" in options:
        options["current"] = folder / "current" / options["current"]
    return options


@lru_cache(maxsize=8)
def _samples(path: Path, stamp: int) -> np.ndarray:
    return np.load(path, mmap_mode="r", allow_pickle=False)


def samples(folder: Path, name: str) -> np.ndarray:
    """The samples (or the spikes) of all sweeps. Raises UsageError if they are damaged."""
    path = folder / f"{name}.npy"
    try:
        found = _samples(path, path.stat().st_mtime_ns)
    except Exception:  # numpy lets through what its parsers of a head raise
        raise UsageError(DAMAGED) from None
    if found.ndim != 1 or found.dtype != np.float64:
        raise UsageError(DAMAGED)
    return found


def sweep_of(content: Mapping[str, Any], index: int) -> dict[str, Any]:
    if not 0 <= index < len(content["sweeps"]):
        raise UsageError(f"There is no sweep {index}: {content['name']} has {len(content['sweeps'])}.")
    return content["sweeps"][index]


def _place(content: Mapping[str, Any], index: int, what: str) -> slice:
    """The place of a sweep in the array with the samples (or the spikes) of all sweeps."""

    def size(sweep: Mapping[str, Any]) -> int:
        if what == "spikes":
            return sweep["spikes"]
        return sweep["samples"] if what == "voltage" or sweep["current"] is not None else 0

    start = sum(size(s) for s in content["sweeps"][:index])
    return slice(start, start + size(content["sweeps"][index]))


def part(folder: Path, content: Mapping[str, Any], index: int, what: str) -> np.ndarray:
    """The voltage (T,) mV, current or recorded current (T,) nA (empty if not known) or spikes (n,) ms of a sweep."""
    sweep_of(content, index)
    place, found = _place(content, index, what), samples(folder, what)
    if not 0 <= place.start <= place.stop <= len(found) or (what == "voltage" and place.start == place.stop):
        raise UsageError(DAMAGED)
    return found[place]


def trace(folder: Path, content: Mapping[str, Any], index: int, start: float | None, stop: float | None) -> bytes:
    """A sweep between two times (ms), in the binary form that the page draws, see `wire`."""
    dt, v = content["dt"], part(folder, content, index, "voltage")
    first = 0 if start is None else min(max(0, int(start / dt)), len(v) - 1)
    last = len(v) if stop is None else min(max(first + 1, int(np.ceil(stop / dt)) + 1), len(v))
    i = part(folder, content, index, "current")
    raw = part(folder, content, index, "recorded") if (folder / "recorded.npy").exists() else i[:0]
    return wire(v[first:last], *(x[first:last] if len(x) else None for x in (i, raw)), t0=first * dt, dt=dt)


def wire(
    voltage: np.ndarray, current: np.ndarray | None, recorded: np.ndarray | None, *, t0: float, dt: float
) -> bytes:
    """A trace in binary form, little-endian: a header, the voltage and, if there are any, the current as it is used and as it
    was recorded, as float32.

    The header has the number of points, the samples per bucket, t0, the ms per point, and whether there are these currents.
    More than MOST samples are reduced to two points per bucket: its lowest and its highest sample, in their order.
    """
    n = len(voltage)
    bucket = 1 if n <= MOST else -(-2 * n // POINTS)
    arrays = [a if bucket == 1 else ends(a, bucket) for a in (voltage, current, recorded) if a is not None]
    step = dt if bucket == 1 else dt * bucket / 2
    head = struct.pack("<IIddII", len(arrays[0]), bucket, t0, step, current is not None, recorded is not None)
    return head + b"".join(np.asarray(a, dtype="<f4").tobytes() for a in arrays)


def ends(x: np.ndarray, bucket: int) -> np.ndarray:
    """The lowest and the highest of every `bucket` samples, in the order in which they occur."""
    whole = len(x) // bucket * bucket
    rows = [np.asarray(x[:whole]).reshape(-1, bucket)] + ([np.asarray(x[whole:])[None]] if whole < len(x) else [])
    found = []
    for row in rows:
        low, high = row.argmin(axis=1), row.argmax(axis=1)
        at = np.sort(np.stack([low, high], axis=1), axis=1)
        found.append(np.take_along_axis(row, at, axis=1).ravel())
    return np.concatenate(found)


def recording_of(folder: Path, content: Mapping[str, Any]) -> Any:
    """The `Recording` as it was read, from the stored arrays."""
    from spikefab.fit.recordings.recording import Recording
    from spikefab.fit.recordings.spikes import PROMINENCE
    from spikefab.fit.recordings.sweep import Sweep

    sweeps = []
    for k, s in enumerate(content["sweeps"]):
        i = part(folder, content, k, "current")
        window = None if s["window"] is None else (s["window"][0], s["window"][1])
        sweeps.append(
            Sweep(
                np.asarray(part(folder, content, k, "voltage")),
                np.asarray(i) if s["current"] is not None else None,
                window,
                s["name"],
            )
        )
    return Recording(
        tuple(sweeps),
        content["dt"],
        content["name"],
        content["sha256"],
        content["current_origin"],
        tuple(content["notes"]),
        content["units"],
        spike_prominence=content.get("spike_prominence", PROMINENCE),
    )


def features(folder: str, content: Mapping[str, Any]) -> dict[str, Any]:
    """Features of a recording, recommended models, and the f-I curve. It is called in a separate process, see `readers`."""
    from spikefab.fit.features.extract import f_i_curve, recording_features
    from spikefab.fit.features.recommend import recommend

    recording = recording_of(Path(folder), content)
    if len(recording.sweeps) > FEATURE_SWEEPS:
        recording = recording.select(range(FEATURE_SWEEPS))
    found = recording_features(recording)
    current, rate = f_i_curve(recording)
    return {
        "features": [_feature(name, x) for name, x in found.items()],
        "recommended": [{"model": name, "reason": reason} for name, reason in recommend(found)],
        "f_i": {"current": current.tolist(), "rate": rate.tolist()},
        "sweeps": len(recording.sweeps),
    }


def spike_shapes(folder: str, content: Mapping[str, Any], index: int) -> dict[str, Any]:
    """The shape of each spike of a sweep, see `spikefab.fit.features.extract.spike_shapes`, and the features that it has.

    It is called in a separate process, see `readers`.
    """
    from spikefab.fit.features.definitions import feature
    from spikefab.fit.features.extract import SHAPES
    from spikefab.fit.features.extract import spike_shapes as shapes

    sweep_of(content, index)
    found = shapes(recording_of(Path(folder), content), index)
    named = [
        {"name": name, "label": (f := feature(name)).label, "unit": f.unit, "definition": f.definition}
        for name in SHAPES
    ]
    return {
        "spikes": [dict(zip(found, map(float, row), strict=True)) for row in zip(*found.values(), strict=True)],
        "features": named,
    }


def window_features(
    folder: Path, content: Mapping[str, Any], index: int, window: tuple[float, float]
) -> dict[str, Any]:
    """Features of a sweep with a stimulus window that the user has set. It is called in a separate process."""
    from dataclasses import replace

    from spikefab.fit.features.extract import sweep_features

    recording = recording_of(Path(folder), content).select([index])
    (sweep,) = recording.sweeps
    (found,) = sweep_features(replace(recording, sweeps=(replace(sweep, window=(window[0], window[1])),)))
    return {"features": [_feature(name, x) for name, x in found.items()]}


def _feature(name: str, value: float) -> dict[str, Any]:
    from spikefab.fit.features.definitions import feature

    known = feature(name)
    return {
        "name": name,
        "label": known.label,
        "unit": known.unit,
        "definition": known.definition,
        "value": float(value) if np.isfinite(value) else None,
    }
