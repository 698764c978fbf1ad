"""A summary of a recording as it was read, for `spikefab info` and the Studio."""

from typing import Any

from spikefab.errors import RecordingError

from .recording import Recording
from .sweep import Floats, baseline_current, rest_of


def describe(recording: Recording) -> dict[str, Any]:
    """Properties of a recording and of each of its sweeps, in mV, nA and ms.

    `cannot_be_fitted` is the reason why the recording cannot be fitted, or None if it can; `doubts` are those with which it is
    fitted only if the user insists.
    """
    sweeps = []
    for sweep, spikes in zip(recording.sweeps, recording.spikes(), strict=True):
        i = sweep.current
        sweeps.append(
            {
                "name": sweep.name,
                "samples": len(sweep.voltage),
                "duration": len(sweep.voltage) * recording.dt,
                "window": sweep.window,
                "spikes": len(spikes.time),
                "rest": rest_of(sweep, recording.dt),
                "voltage": [float(sweep.voltage.min()), float(sweep.voltage.max())],
                "current": _ends(i),
                "recorded_current": _ends(sweep.recorded),
                "baseline_current": None if i is None else baseline_current(sweep, recording.dt),
            }
        )
    try:
        recording.require_fit(anyway=True)
        obstacle = None
    except RecordingError as error:
        obstacle = error.sentence
    return {
        "source": recording.source,
        "sha256": recording.sha256,
        "dt": recording.dt,
        "units": recording.units,
        "spike_prominence": recording.spike_prominence,
        "electrode_resistance": recording.electrode_resistance,
        "current_origin": recording.current_origin,
        "sweeps": sweeps,
        "notes": list(recording.notes),
        "warnings": list(recording.warnings()),
        "doubts": list(recording.doubts),
        "cannot_be_fitted": obstacle,
    }


def _ends(values: Floats | None) -> list[float] | None:
    return None if values is None else [float(values.min()), float(values.max())]
