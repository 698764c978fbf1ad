"""What `spikefab run` and the Studio share of a run in a board: its current, its noise, and the files run.csv and run.npz."""

from pathlib import Path
from typing import Any

import numpy as np

from spikefab.errors import FileError, UsageError
from spikefab.files import fill, unwritable
from spikefab.hw.neuron import Neuron

SILENT = 10  # a current step begins after one in so many parts of its length


def step_current(dt: float, level: float, seconds: float) -> np.ndarray:
    """A current (T,) nA of so many s, a sample each `dt` ms: nothing for its first tenth, then `level`."""
    current = np.full(max(1, round(1000 * seconds / dt)), float(level))
    current[: len(current) // SILENT] = 0.0
    return current


def noise_bits(neuron: Neuron, largest: float | None) -> int:
    """The most bits of noise that stay within so many nA; 0 for None. Raises UsageError if there are none."""
    if largest is None:
        return 0
    q = neuron.datapath.current
    if not q.lsb <= largest <= neuron.datapath.i_span:
        raise UsageError(f"noise of {largest:g} nA is not within {q.lsb:.3g} and {neuron.datapath.i_span:g} nA.")
    return int(np.floor(np.log2(largest / q.lsb))) + 1


def noise_words(neuron: Neuron, bits: int) -> str:
    """What noise of so many bits is, in words."""
    q = neuron.datapath.current
    return f"noise: uniform, -{(1 << bits - 1) * q.lsb:.4g} to {((1 << bits - 1) - 1) * q.lsb:.4g} nA"


def population(path: Path, neuron: Neuron) -> list[Neuron]:
    """The neurons of a table: a line for each, and a column for each parameter in which they differ from `neuron`.

    Raises FileError if the file is no such table, UsageError if a value is wrong.
    """
    try:
        lines = [line.split(",") for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
        head, rows = [name.strip() for name in lines[0]], [[float(cell) for cell in line] for line in lines[1:]]
    except OSError as error:
        raise FileError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, IndexError):
        raise FileError(f"{path} is no table of numbers, separated by commas, under the names of parameters.") from None
    if len({*head}) < len(head):
        raise FileError(f"{path} has two columns of the same name.")
    for k, row in enumerate(rows, 2):
        if len(row) != len(head):
            raise FileError(f"line {k} of {path} has {len(row)} numbers under {len(head)} names.")
    given: dict[str, Any] = {"word": neuron.word, "dt": neuron.dt, "i_span": neuron.datapath.i_span, **neuron.values}
    return [type(neuron)(**given | dict(zip(head, row, strict=True))) for row in rows]


class RunFiles:
    """Collects the samples of a run while they come, and writes them to run.csv and run.npz."""

    def __init__(self) -> None:
        self._parts: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []

    def take(self, steps: np.ndarray, voltage: np.ndarray, fired: np.ndarray) -> None:
        """New samples, as `Board.run` passes them to `watch`."""
        if len(steps) and steps[0] == 0:
            self._parts.clear()  # the run began anew
        self._parts.append((steps, voltage, fired))

    def save(self, out: Path, current: np.ndarray, dt: float, events: np.ndarray | None = None) -> int:
        """Write the files into a folder, if any sample has come. Returns the steps of which they tell. Raises FileError.

        events  (K, 2) step and neuron of each spike of a population, for a file spikes.csv
        """
        if not self._parts:
            return 0
        steps, voltage, fired = (np.concatenate(column) for column in zip(*self._parts, strict=True))
        ours = steps < len(current)
        steps, voltage, fired = steps[ours], voltage[ours], fired[ours]

        def write(folder: Path) -> None:
            columns = np.column_stack([steps * dt, current[steps], voltage, fired])
            lines = [f"{t:.9g},{i!r},{v!r},{s:.0f}\n" for t, i, v, s in columns.tolist()]
            text = "time_ms,current_nA,voltage_mV,spike\n" + "".join(lines)
            (folder / "run.csv").write_text(text, encoding="utf-8")
            np.savez_compressed(
                folder / "run.npz", step=steps, current=current, voltage=voltage, spike=fired, dt=np.array(dt)
            )

            if events is not None:
                rows = "".join(f"{step * dt:.9g},{n}\n" for step, n in events.tolist() if step < len(current))
                (folder / "spikes.csv").write_text("time_ms,neuron\n" + rows, encoding="utf-8")

        try:
            fill(out, write)
        except OSError as error:
            raise unwritable(out, error) from None
        return int(steps[-1]) + 1 if len(steps) else 0
