"""The peers of the batch kernel: Brian 2 for every model, jaxley for Hodgkin-Huxley. Run by benchmarks/kernels.py.

    PYTHON -m benchmarks.peers brian2|jaxley WORK.npz        WORK.npz: what kernels.py wrote

Prints one JSON object: candidate-steps a second, spikes, and how they were computed. No spikefab in here. Equations, scheme
and time step are those of the model as far as the peer has them; Brian keeps V at the reset where a spike shows its peak.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

import numpy as np

REPEATS = 3  # number of runs, of which the fastest counts


@dataclass(frozen=True)
class Brian:
    """A model in Brian's words: t is in ms, the rest without units; `I` is the current and `v` what the data are held against."""

    equations: str
    method: str
    threshold: str
    reset: str = ""
    refractory: str | bool = False
    v: str = "V"


HOLD = "t_ref*ms"
CROSSING = {"threshold": "v >= V_spike", "refractory": "v > V_spike - 15"}
LEAK = "dV/dt = (E_L - V + R_m*I)/(tau_m*ms) : 1"
EXPONENTIAL = "g_L*(E_L - V) + g_L*Delta_T*exp((V - V_T)/Delta_T)"

BRIAN = {
    "LapicqueNeuron": Brian(LEAK, "exponential_euler", "V >= V_th", "V = E_L"),
    "LIFNeuron": Brian(f"{LEAK} (unless refractory)", "exponential_euler", "V >= V_th", "V = V_reset", HOLD),
    "QuadraticIFNeuron": Brian(
        "dV/dt = (k*(V - E_L)*(V - V_c) + I)/(C*ms) : 1 (unless refractory)",
        "euler", "V >= V_peak", "V = V_reset", HOLD,
    ),
    "ExpIFNeuron": Brian(
        f"dV/dt = ({EXPONENTIAL} + I)/(C*ms) : 1 (unless refractory)", "euler", "V >= V_peak", "V = V_reset", HOLD,
    ),
    "AdExNeuron": Brian(
        f"""dV/dt = ({EXPONENTIAL} - w + I)/(C*ms) : 1 (unless refractory)
        dw/dt = (a*(V - E_L) - w)/(tau_w*ms) : 1""",
        "euler", "V >= V_peak", "V = V_reset; w += b", HOLD,
    ),
    "IzhikevichNeuron": Brian(
        """dv/dt = (k*(v - v_r)*(v - v_t) - u + I)/(C*ms) : 1
        du/dt = a*(b*(v - v_r) - u)/ms : 1""",
        "euler", "v >= v_peak", "v = c; u += d", v="v",
    ),
    "HodgkinHuxleyNeuron": Brian(
        """dV/dt = (g_Na*m*m*m*h*(E_Na - V) + g_K*n*n*n*n*(E_K - V) + g_L*(E_L - V) + I)/(C*ms) : 1
        dm/dt = phi_m*(exprel_m*(1 - m) - 4*exp(-(V - V_T + 65)/18)*m)/ms : 1
        dh/dt = phi_h*(0.07*exp(-(V - V_T - V_S + 65)/20)*(1 - h) - h/(1 + exp(-(V - V_T - V_S + 35)/10)))/ms : 1
        dn/dt = phi_n*(0.1*exprel_n*(1 - n) - 0.125*exp(-(V - V_T + 65)/80)*n)/ms : 1
        exprel_m = 1/exprel(-(V - V_T + 40)/10) : 1
        exprel_n = 1/exprel(-(V - V_T + 55)/10) : 1""",
        "exponential_euler", **CROSSING,
    ),
    "MorrisLecarNeuron": Brian(
        """dV/dt = (0.5*g_Ca*(1 + tanh((V - V_1)/V_2))*(E_Ca - V) + g_K*w*(E_K - V) + g_L*(E_L - V) + I)/(C*ms) : 1
        dw/dt = phi*(0.5*(1 + tanh((V - V_3)/V_4)) - w)*cosh((V - V_3)/(2*V_4))/ms : 1""",
        "exponential_euler", **CROSSING,
    ),
    "FitzHughNagumoNeuron": Brian(
        """dx/dt = (x - x*x*x/3 - w + k_I*I)/(tau*ms) : 1
        dw/dt = eps*(x + a - b*w)/(tau*ms) : 1""",
        "euler", v="V_0 + S*x", **CROSSING,
    ),
    "HindmarshRoseNeuron": Brian(
        """dx/dt = (y + x*x*(b - x) - z + k_I*I + I_0)/(tau*ms) : 1
        dy/dt = (1 - d*x*x - y)/(tau*ms) : 1
        dz/dt = r*(s*(x - x_R) - z)/(tau*ms) : 1""",
        "euler", v="V_0 + S*x", **CROSSING,
    ),
    "AlphaNeuron": Brian(
        """dV/dt = (E_L - V + R_m*y2)/(tau_m*ms) : 1 (unless refractory)
        dy1/dt = (I - y1)/(tau_s*ms) : 1
        dy2/dt = (y1 - y2)/(tau_s*ms) : 1""",
        "exponential_euler", "V >= V_th", "V = V_reset", HOLD,
    ),
    "ThetaNeuron": Brian(
        "dphase/dt = (1 - cos(pi*phase) + (1 + cos(pi*phase))*(eta + k_I*I))/(pi*tau*ms) : 1",
        "euler", "phase >= 1", "phase -= 2", v="V_0 + S*clip(tan(pi*phase/2), -8, 8)",
    ),
    "ResonateAndFireNeuron": Brian(
        """dx/dt = (b*x - omega*y + k_I*I)/ms : 1
        dy/dt = (omega*x + b*y)/ms : 1""",
        "rk2", "y >= y_th", "x = 0; y = y_reset", v="E_L + y",
    ),
    "MATNeuron": Brian(
        f"""{LEAK}
        dh1/dt = -h1/(10*ms) : 1
        dh2/dt = -h2/(200*ms) : 1""",
        "exponential_euler", "V >= E_L + omega + h1 + h2", "h1 += alpha_1; h2 += alpha_2", HOLD,
    ),
    "GLIFNeuron": Brian(
        f"""{LEAK}
        dh1/dt = -h1/(10*ms) : 1
        dh2/dt = -h2/(200*ms) : 1
        dtheta_r/dt = (kappa*clip(V - E_L - omega, 0, 1000) - theta_r)/(tau_s*ms) : 1""",
        "exponential_euler", "V >= E_L + omega + h1 + h2 + theta_r", "h1 += alpha_1; h2 += alpha_2", HOLD,
    ),
}  # fmt: skip


def brian2(work: SimpleNamespace, target: str) -> dict:
    """One group of candidates x sweeps neurons; `target`: a runtime code generation target, or cpp_standalone."""
    import brian2 as b2

    folder = None
    if target == "cpp_standalone":
        folder = tempfile.TemporaryDirectory()
        b2.set_device("cpp_standalone", build_on_run=False)
    else:
        if target == "auto":
            from brian2.codegen.runtime.cython_rt import CythonCodeObject

            target = "cython" if CythonCodeObject.is_available() else "numpy"
        b2.prefs.codegen.target = target
    b2.BrianLogger.log_level_error()
    b2.defaultclock.dt = work.dt * b2.ms
    model = BRIAN[work.model]
    sweeps, steps = work.current.shape
    namespace = {
        name: b2.TimedArray(getattr(work, name).T, dt=work.dt * b2.ms) for name in ("current", "data", "outside")
    }
    extra = [f"{name} : 1 (constant)" for name in work.params]
    extra += ["I = current(t, sweep) : 1", "sweep : integer (constant)", "masked : 1"]
    extra += [] if model.v == "v" else [f"v = {model.v} : 1"]
    group = b2.NeuronGroup(
        len(work.start) * sweeps,
        "\n".join([model.equations, *extra]),
        method=model.method,
        threshold=model.threshold,
        reset=model.reset,
        refractory=model.refractory,
        namespace=namespace,
    )
    monitor = b2.SpikeMonitor(group)
    # compared with the data before the reset, because the upstroke of a spike is there
    group.run_regularly("masked += outside(t, sweep)*(v - data(t, sweep))**2", when="after_thresholds")
    group.sweep = np.tile(np.arange(sweeps), len(work.start))
    for name, values in (work.params | work.states).items():
        if name not in ("hold", "armed"):  # Brian has its own refractory state
            setattr(group, name, np.repeat(values, sweeps))
    network = b2.Network(group, monitor)
    seconds = []
    if folder is not None:
        network.run(steps * work.dt * b2.ms)
        with folder:
            b2.device.build(directory=folder.name, compile=True, run=False)
            for _ in range(REPEATS + 1):
                b2.device.run(directory=folder.name, with_output=False, run_args=[])
                seconds.append(b2.device._last_run_time)
            spikes = int(monitor.num_spikes)
    else:
        network.store()
        network.run(2 * work.dt * b2.ms)  # compiles the model
        for _ in range(REPEATS):
            network.restore()
            network.run(0 * b2.ms)
            begun = time.perf_counter()
            network.run(steps * work.dt * b2.ms)
            seconds.append(time.perf_counter() - begun)
        spikes = int(monitor.num_spikes)
    return {"seconds": min(seconds), "spikes": spikes, "how": f"Brian {b2.__version__}, {target}"}


def jaxley(work: SimpleNamespace) -> dict:
    """One compartment with jaxley's HH channel, vmapped over candidates and sweeps, compiled as a whole, on one thread."""
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # must come before XLA starts its threads
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false intra_op_parallelism_threads=1"
    os.environ["JAX_PLATFORMS"] = "cpu"
    import jax
    import jaxley as jx
    from jaxley.channels import HH

    jax.config.update("jax_enable_x64", True)
    import jax.numpy as jnp

    cell = jx.Compartment()
    cell.insert(HH())
    radius = 10.0
    cell.set("radius", radius)
    cell.set("length", 1e5 / (2 * np.pi * radius))  # um: 0.001 cm2, which at 1 uF/cm2 are 1 nF
    cell.set("v", float(work.states["V"][0]))
    cell.init_states(delta_t=work.dt)
    cell.record(verbose=False)
    area = 1e-3  # cm2
    rows = {
        "capacitance": work.params["C"] * 1e-3 / area,  # uF/cm2
        "HH_gNa": work.params["g_Na"] * 1e-6 / area,  # S/cm2
        "HH_gK": work.params["g_K"] * 1e-6 / area,
        "HH_gLeak": work.params["g_L"] * 1e-6 / area,
        "HH_eNa": work.params["E_Na"],
        "HH_eK": work.params["E_K"],
        "HH_eLeak": work.params["E_L"],
    }

    def one(values, current, data, outside):
        state = None
        for name, value in values.items():
            state = cell.data_set(name, value, state)
        stimuli = cell.data_stimulate(current[None])
        v = jx.integrate(cell, param_state=state, data_stimuli=stimuli, delta_t=work.dt)[0, 1:]
        v = v[: len(data)]
        fired = jnp.sum((v[1:] >= 0) & (v[:-1] < 0))
        return fired, jnp.sum(outside * (v - data) ** 2)

    over_sweeps = jax.vmap(one, in_axes=(None, 0, 0, 0))
    both = jax.jit(jax.vmap(over_sweeps, in_axes=(0, None, None, None)))
    arguments = (
        {n: jnp.asarray(x) for n, x in rows.items()},
        *map(jnp.asarray, (work.current, work.data, work.outside)),
    )
    fired, _ = jax.block_until_ready(both(*arguments))
    seconds = []
    for _ in range(REPEATS):
        begun = time.perf_counter()
        jax.block_until_ready(both(*arguments))
        seconds.append(time.perf_counter() - begun)
    how = f"jaxley {jx.__version__}, jax {jax.__version__}, float64, one thread"
    return {"seconds": min(seconds), "spikes": int(fired.sum()), "how": how}


def load(path: Path) -> SimpleNamespace:
    with np.load(path) as f:
        arrays = dict(f)
    return SimpleNamespace(
        model=str(arrays["model"]),
        dt=float(arrays["dt"]),
        params=dict(zip(map(str, arrays["param_names"]), arrays["params"].T, strict=True)),
        states=dict(zip(map(str, arrays["state_names"]), arrays["start"].T, strict=True)),
        start=arrays["start"],
        **{name: arrays[name] for name in ("current", "data", "outside")},
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("peer", choices=["brian2", "jaxley"])
    parser.add_argument("work", type=Path)
    parser.add_argument("--target", default="auto", help="of Brian's code generation: cython, numpy, cpp_standalone")
    options = parser.parse_args()
    work = load(options.work)
    result = jaxley(work) if options.peer == "jaxley" else brian2(work, options.target)
    result["steps_per_s"] = len(work.start) * work.current.size / result["seconds"]
    json.dump(result, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
