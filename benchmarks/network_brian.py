"""The network of benchmarks/network.py in Brian 2, run by it.

    PYTHON -m benchmarks.network_brian WORK.npz SPIKES.npz        WORK.npz: what network.py wrote

No spikefab in here. Equations, scheme and time step are those of spikefab in float64: forward Euler for the neurons, the exact
decay of a step for the synaptic currents, and a spike acts in the next step.
"""

import json
import sys
from pathlib import Path

import numpy as np

from . import running
from .peers import BRIAN


def simulate(work: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray, str]:
    """Step and neuron of each spike, and with what they were computed."""
    import brian2 as b2
    from brian2.codegen.runtime.cython_rt import CythonCodeObject

    b2.prefs.codegen.target = target = "cython" if CythonCodeObject.is_available() else "numpy"
    b2.BrianLogger.log_level_error()
    dt = float(work["dt"]) * b2.ms
    b2.defaultclock.dt = dt
    model = BRIAN["IzhikevichNeuron"]
    params = {name.removeprefix("param_"): value for name, value in work.items() if name.startswith("param_")}
    states = {name.removeprefix("state_"): value for name, value in work.items() if name.startswith("state_")}
    steps, count = work["external"].shape
    equations = [model.equations, "I = external(t, i) + s : 1", "ds/dt = -k_s*s/dt : 1"]
    equations += [f"{name} : 1 (constant)" for name in params]
    group = b2.NeuronGroup(
        count,
        "\n".join(equations),
        method=model.method,
        threshold=model.threshold,
        reset=model.reset,
        namespace={"external": b2.TimedArray(work["external"], dt=dt), "k_s": float(work["k_s"])},
    )
    for name, values in (params | states).items():
        setattr(group, name, values)
    synapses = b2.Synapses(group, group, "w : 1", on_pre="s_post += w")
    synapses.connect(i=work["source"], j=work["target"])
    synapses.w = work["weight"]
    monitor = b2.SpikeMonitor(group)
    b2.Network(group, synapses, monitor).run(steps * dt)
    at = np.rint(np.asarray(monitor.t / dt)).astype(int)
    return at, np.asarray(monitor.i), f"Brian {b2.__version__}, {target}, float64"


def main() -> int:
    parser = running.parser(__doc__, output=False)
    parser.add_argument("work", type=Path)
    parser.add_argument("spikes", type=Path)
    options = parser.parse_args()
    with np.load(options.work) as f:
        step, neuron, how = simulate(dict(f))
    np.savez(options.spikes, step=step, neuron=neuron)
    json.dump({"how": how}, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
