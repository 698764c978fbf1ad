"""Exports a neuron as Verilog, with a testbench of results of the exact reference, also wrapped for FuseSoC or LiteX."""

from pathlib import Path

import numpy as np

from spikefab.calls import path_of, public, whole
from spikefab.errors import UsageError, shortened
from spikefab.files import fill, require_writable, unwritable
from spikefab.hw.lowering.cores import core_file, litex_module
from spikefab.hw.lowering.testbench import testbench
from spikefab.hw.lowering.verilog import module_name, to_verilog
from spikefab.hw.neuron import Neuron, require_neuron
from spikefab.units import currents

from . import reference
from .simulator import Simulator

# format: the files that it has beside design and testbench, and what makes their texts
FORMATS = {"verilog": {}, "fusesoc": {".core": core_file}, "litex": {"_litex.py": litex_module}}


@public
def export_verilog(
    neuron: Neuron, current_nA, out_dir: str | Path, *, name: str | None = None, steps: int = 2000, to: str = "verilog"
) -> list[Path]:
    """Write the design, `NAME.v`, and its testbench, `NAME_tb.v`, to a folder, which is created if needed.

    With `to="fusesoc"` or `to="litex"`, also `NAME.core` or `NAME_litex.py`, see `hw.lowering.cores`.

    The testbench starts in the initial state of the neuron and plays the first `steps` samples of `current_nA` (T,), one per
    time step. If it is None, it plays current steps up to 3/4 of the span of the input, which make most neurons fire. Returns
    the paths of the files. Raises FileError if the folder cannot be written.
    """
    dp, steps = require_neuron(neuron).datapath, whole(steps, "steps", 1)
    if to not in FORMATS:
        raise UsageError(f"to is one of {', '.join(FORMATS)}, not {shortened(to)}.")
    if current_nA is None:
        current_nA = np.repeat(dp.i_span * np.array([0.0, 0.1, 0.25, 0.5, 0.75]), steps // 5)
    current = Simulator(neuron).input_codes(currents(current_nA, dp.dt, several=False)[:steps])
    v, spikes, states = reference.run(dp, list(neuron.initial.values()), list(neuron.codes.values()), current)
    module, folder = module_name(neuron, name), path_of(out_dir, "out_dir")
    require_writable(folder)
    texts = {
        f"{module}.v": to_verilog(neuron, name),
        f"{module}_tb.v": testbench(neuron, current, v, spikes, states, name),
    }
    texts |= {f"{module}{ending}": made(neuron, name) for ending, made in FORMATS[to].items()}

    def write(scratch: Path) -> None:
        for file, text in texts.items():
            (scratch / file).write_text(text, encoding="utf-8")

    try:
        fill(folder, write)
    except OSError as error:
        raise unwritable(folder, error) from None
    return [folder / file for file in texts]
