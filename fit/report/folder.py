"""Writes and reads the output folder of a fit. It is written completely or not at all, and only over another fit's files.

Reads as well the `neuron.json` of one neuron, which the Studio writes.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from spikefab.errors import Advice, FileError, UsageError

if TYPE_CHECKING:
    from spikefab.fit.results import FitResults
    from spikefab.hw.neuron import Neuron

# the files of a fit's folder
FILES = ("result.json", "timings.json", "traces.npz", "ranking.png", "best.png", "report.html")


def fitted_neuron(path: str | Path, rank: int = 1, models: Any = None) -> tuple["Neuron", "np.ndarray | None"]:
    """The neuron of a given rank in the output folder of a fit, and a recorded current (T,) nA to run it with.

    The current is that of the sweep with the most spikes, and the neuron is in the state in which this sweep begins. Without
    `traces.npz` in the folder, the current is None. `models`: as for `FitResults.load`. Raises UsageError if there is no such
    rank, FileError if the folder is not the output of a fit.
    """
    from spikefab.fit.results import FitResults

    path = Path(path)
    results = FitResults.load(path, models)
    if not 1 <= rank <= len(results):
        raise UsageError(f"there is no rank {rank} in {path}: its ranks are 1 to {len(results)}.")
    traces = (path if path.is_dir() else path.parent) / "traces.npz"
    if not traces.is_file():
        return results[rank - 1].create_model(), None
    try:
        with np.load(traces) as kept:
            counts = [len(kept[f"data_spikes_{k}"]) for k in range(int(kept["sweeps"]))]
            sweep = int(np.argmax(counts))
            return results[rank - 1].create_model(sweep), kept[f"current_{sweep}"]
    except (OSError, ValueError, KeyError) as error:
        raise FileError(f"{traces} cannot be read: {error}.") from None


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
        if path.exists() and not path.is_dir():
            raise FileError(f"{path} is a file: ", Advice.OUT_IS_A_FOLDER, ".")
        taken = [name for name in FILES if (path / name).exists()]
        if taken and not _is_a_fit(path):
            raise UsageError(f"{path} holds a {taken[0]} that no fit wrote: ", Advice.OTHER_OUT, ".")
        above = next((p for p in (path.absolute(), *path.absolute().parents) if p.exists()), path)
        if not above.is_dir() or not os.access(above, os.W_OK):
            raise FileError(f"{path} cannot be written: {above} takes no files.")

    def save_fit(self, results: "FitResults", timings: dict[str, Any]) -> None:
        """Write the files of a fit. Files of an earlier fit are replaced; all other files in the folder stay."""
        from .plots import plot_best, plot_ranking

        def write(folder: Path) -> None:
            results.save(folder / "result.json")
            (folder / "timings.json").write_text(json.dumps(timings, indent=1) + "\n", encoding="utf-8")
            save_traces(results, folder / "traces.npz")
            plot_ranking(results, folder / "ranking.png")
            plot_best(results, folder / "best.png")
            results.report(folder / "report.html")

        self.fill(write)
        self.written = FILES

    def fill(self, write: Callable[[Path], None]) -> None:
        """Let `write` write files into a scratch folder, then move them into this folder by renaming."""
        target = self.path.absolute()
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
            try:
                write(scratch)
                if target.exists():
                    for file in sorted(scratch.iterdir()):
                        file.replace(target / file.name)
                else:
                    scratch.chmod(0o777 & ~_umask())  # mkdtemp makes folders that only the user can open
                    scratch.rename(target)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        except OSError as error:
            raise FileError(f"{self.path} cannot be written: {error.strerror or error}.") from None


def save_traces(results: "FitResults", path: Path) -> None:
    """Write the recorded and the simulated traces to an npz file, sweep by sweep, with the time step of the fit.

    The arrays are `sweeps` (their number), `dt` (ms) and `names`; for each sweep k `current_k` (nA), `voltage_k` (mV,
    recorded) and `data_spikes_k` (ms); for each model also `MODEL_voltage_k` (mV) and `MODEL_spikes_k` (ms). Voltages are
    float32, which holds the at most 24 bits of a read-out exactly.
    """
    import numpy as np

    task = results.task
    assert task is not None
    recorded = task.recording.sweeps
    arrays: dict[str, Any] = {
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


def _is_a_fit(folder: Path) -> bool:
    """Whether the folder has a `result.json` that a fit wrote."""
    try:
        content = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(content, dict) and {"schema", "results", "settings"} <= set(content)


def _umask() -> int:
    """The permissions that new files do not get; Python can read them only by setting them."""
    current = os.umask(0)
    os.umask(current)
    return current
