"""Writes and reads the output folder of a fit. It is written completely or not at all, and only over another fit's files.

Reads as well the `neuron.json` of one neuron, which the Studio writes.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import Advice, FileError, UsageError
from spikefab.files import fill, require_writable, unwritable, write_json

if TYPE_CHECKING:
    from spikefab.fit.result import FitResult
    from spikefab.fit.results import FitResults
    from spikefab.hw.neuron import Neuron

# the files of a fit's folder
FILES = ("result.json", "timings.json", "traces.npz", "ranking.png", "best.png", "report.html")


def fitted_neuron(
    path: str | Path, rank: int = 1, models: Any = None, sweep: int | None = None
) -> tuple["Neuron", "np.ndarray | None"]:
    """The neuron of a given rank in the output folder of a fit, and a recorded current (T,) nA to run it with.

    The current is that of `sweep`, by default the one with the most spikes, and the neuron is in the state in which this
    sweep begins. Without `traces.npz` in the folder, the current is None. `models`: as for `FitResults.load`. Raises UsageError
    if there is no such rank or sweep, FileError if the folder is not the output of a fit, or holds files of two.
    """
    from spikefab.fit.results import FitResults

    path = Path(path)
    results = FitResults.load(path, models)
    if not 1 <= rank <= len(results):
        raise UsageError(f"there is no rank {rank} in {path}: its ranks are 1 to {len(results)}.")
    result = path / "result.json" if path.is_dir() else path
    traces = result.parent / "traces.npz"
    if not traces.is_file():
        if sweep is not None:
            raise UsageError(f"{result.parent} has no traces.npz, in which the currents of the sweeps are.")
        return results[rank - 1].create_model(), None
    sweep, current = _recorded(traces, _digest(result), results[rank - 1], sweep)
    return results[rank - 1].create_model(sweep), current


def _recorded(traces: Path, digest: str, result: "FitResult", wanted: int | None) -> tuple[int, "np.ndarray"]:
    """A sweep, None for the one with the most recorded spikes, and its current (T,) nA, from the `traces.npz` of a result.

    Raises FileError if the file is damaged, or belongs to another `result.json`, UsageError if there is no such sweep.
    """
    try:
        with np.load(traces) as kept:
            if "result" in kept and str(kept["result"]) != digest:
                raise FileError(f"{traces} is not of the result.json beside it: fit again, or move one of them away.")
            sweeps = int(kept["sweeps"])
            counts = [len(kept[f"data_spikes_{k}"]) for k in range(sweeps)]
            sweep = int(np.argmax(counts)) if wanted is None else wanted
            if not 0 <= sweep < sweeps:
                raise UsageError(f"there is no sweep {sweep}: the sweeps of {traces.parent} are 0 to {sweeps - 1}.")
            current = np.asarray(kept[f"current_{sweep}"], dtype=np.float64)
    except (FileError, UsageError, MemoryError):
        raise
    except Exception as error:  # numpy and zipfile raise many kinds for a damaged file
        raise FileError(
            f"{traces} is damaged and cannot be read ({_short(error)}): fit again, or move it away."
        ) from None
    if sweeps != len(result.initial) or current.ndim != 1 or not np.all(np.abs(current) <= result.i_span):
        raise FileError(f"{traces} is not of the result.json beside it: fit again, or move one of them away.")
    return sweep, current


def described_neuron(path: Path) -> "Neuron":
    """The neuron of a `neuron.json` of the Studio: an object with model, settings, word, dt, i_span and codes.

    Raises FileError if the file does not describe a neuron.
    """
    from spikefab.hw.models import every_model

    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        model = every_model()[content["model"]].variant(**content["settings"])
        return model(**{name: content[name] for name in ("codes", "word", "dt", "i_span")})
    except (ValueError, KeyError, TypeError, AttributeError):
        raise FileError(f"{path} does not describe a neuron: model, settings, word, dt, i_span and codes.") from None


class OutputFolder:
    """The folder that is written at the end of a fit. The constructor checks, before the long work, that this is possible."""

    def __init__(self, path: Path):
        self.path = path
        self.written: tuple[str, ...] = ()
        require_writable(path)
        taken = [name for name in FILES if (path / name).exists()]
        if taken and not _is_a_fit(path):
            raise UsageError(f"{path} holds a {taken[0]} that no fit wrote: ", Advice.OTHER_OUT, ".")

    def save_fit(self, results: "FitResults", timings: dict[str, Any]) -> None:
        """Write the files of a fit. Files of an earlier fit are replaced; all other files in the folder stay.

        If the folder cannot be written, the results are kept in a folder for temporary files, and the FileError names it.
        """
        from .plots import plot_best, plot_ranking

        def write(folder: Path) -> None:
            made = folder / "result.json"
            write_json(made, results.to_dict())
            (folder / "timings.json").write_text(json.dumps(timings, indent=1) + "\n", encoding="utf-8")
            save_traces(results, folder / "traces.npz", _digest(made))
            plot_ranking(results, folder / "ranking.png")
            plot_best(results, folder / "best.png")
            results.report(folder / "report.html")

        try:
            self.fill(write)
        except FileError as error:
            kept = Path(tempfile.mkdtemp(prefix="spikefab-fit-"))
            try:
                write(kept)
            except (OSError, FileError):
                shutil.rmtree(kept, ignore_errors=True)
                raise error from None
            raise FileError(f"{str(error).removesuffix('.')}; the results are kept in {kept}.") from None
        self.written = FILES

    def fill(self, write: Callable[[Path], None]) -> None:
        """Let `write` write files into a scratch folder, from where they appear in this folder all together, see `files.fill`."""
        try:
            fill(self.path, write)
        except OSError as error:
            raise unwritable(self.path, error) from None


def save_traces(results: "FitResults", path: Path, digest: str) -> None:
    """Write the recorded and the simulated traces to an npz file, sweep by sweep, with the time step of the fit.

    The arrays are `sweeps` (their number), `dt` (ms), `names`, and `result`, the SHA-256 of the `result.json` beside it; for
    each sweep k `current_k` (nA), `voltage_k` (mV, recorded) and `data_spikes_k` (ms); for each model also `MODEL_voltage_k`
    (mV) and `MODEL_spikes_k` (ms). Voltages are float32, which holds the at most 24 bits of a read-out exactly.
    """
    import numpy as np

    task = results.task
    assert task is not None
    recorded = task.recording.sweeps
    arrays: dict[str, Any] = {
        "result": np.array(digest),
        "sweeps": np.array(len(recorded)),
        "dt": np.array(task.dt),
        "names": np.array([s.name for s in recorded]),
    }
    for k, sweep in enumerate(recorded):
        arrays[f"current_{k}"] = sweep.current
        arrays[f"voltage_{k}"] = sweep.voltage.astype(np.float32)
        arrays[f"data_spikes_{k}"] = task.spikes[k].time
        for r in results:
            arrays[f"{r.model_name}_voltage_{k}"] = r.voltages[k].astype(np.float32)
            arrays[f"{r.model_name}_spikes_{k}"] = r.spikes[k]
    np.savez_compressed(path, **arrays)


def _short(error: Exception) -> str:
    """The first line of an error's text, or its kind."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")


def _is_a_fit(folder: Path) -> bool:
    """Whether the folder has a `result.json` that a fit wrote."""
    try:
        content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"schema", "results", "settings"} <= set(content)


def _digest(result: Path) -> str:
    """The hash by which `traces.npz` names the `result.json` to which it belongs."""
    return hashlib.sha256(result.read_bytes()).hexdigest()
