"""Files that leave the house: Verilog with a testbench whose golden vectors come from the exact reference."""

from pathlib import Path

import numpy as np

from spikefab.hw.lowering.testbench import testbench
from spikefab.hw.lowering.verilog import module_name, to_verilog
from spikefab.hw.neuron import Neuron

from . import reference
from .simulator import Simulator


def export_verilog(
    neuron: Neuron, current_nA, out_dir: str | Path, *, name: str | None = None, steps: int = 2000
) -> list[Path]:
    """Write `NAME.v` and `NAME_tb.v` to `out_dir` (made if absent): the design, and its testbench.

    The testbench plays the first `steps` samples of `current_nA` (T,), one a time step of the neuron, from its
    initial state; None: steps up to full scale, so that there are spikes whatever the threshold. Returns the paths.
    """
    dp = neuron.datapath
    if current_nA is None:
        current_nA = np.repeat(dp.i_span * np.array([0.0, 0.1, 0.25, 0.5, 0.75]), steps // 5)
    current = Simulator(neuron).input_codes(np.asarray(current_nA, dtype=np.float64).ravel()[:steps])
    v, spikes, states = reference.run(dp, list(neuron.initial.values()), list(neuron.codes.values()), current)
    module, folder = module_name(neuron, name), Path(out_dir)
    texts = {
        f"{module}.v": to_verilog(neuron, name),
        f"{module}_tb.v": testbench(neuron, current, v, spikes, states, name),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in texts.items():
        (folder / file).write_text(text)
    return [folder / file for file in texts]
