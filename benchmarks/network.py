"""A network of 512 Izhikevich neurons and 16,384 synapses for a second: the reference, the hardware, and Brian 2.

    python -m benchmarks.network OUT.json [--rtl] [--peers PYTHON] [--steps 10000]

Excitatory neurons (four in five) are regular spiking, inhibitory ones fast spiking (Izhikevich 2003), each with synapses from 26
excitatory and 6 inhibitory neurons drawn at random, the inhibitory ones five times as strong (Brunel 2000). Each neuron has an
external current of its own, Ornstein-Uhlenbeck noise. Rates and CV of the intervals are compared. With --rtl, the hardware
is simulated in Verilator and every result compared with the reference. The interpreter of --peers has Brian 2
(benchmarks/requirements-peers.txt): it computes the same network in float64, same step and scheme. Rows that OUT.json has are kept.
"""

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from spikefab import IzhikevichNeuron
from spikefab.hw.bank import Bank
from spikefab.hw.network import Network
from spikefab.hw.synapses import Synapses
from spikefab.sim import network, network_rtl

from . import running

SEED = 20
COUNT, EXCITATORY = 512, 410  # neurons
FROM_EXCITATORY, FROM_INHIBITORY = 26, 6  # synapses of a target
WEIGHT, RATIO = 0.08, 5.0  # nA of an excitatory synapse; by how much an inhibitory one is stronger
TAU_S = 5.0  # ms
NOISE, CORRELATED = 0.6, 5.0  # external current: standard deviation, nA, and time constant, ms
LONG = 10  # intervals that a neuron must have for its CV to count
WINDOW = 10.0  # ms: in each, somebody spikes
WITHIN = 0.10  # largest relative difference of Brian's rate and CV


@dataclass(frozen=True)
class Brunel:
    """The network, in codes.

    synapses  the table, and with it the datapath
    neuron    an excitatory one
    codes     (COUNT, coefficients)
    states    (COUNT, states) at the start: at rest
    external  (steps, COUNT) current
    """

    synapses: Synapses
    neuron: IzhikevichNeuron
    codes: np.ndarray
    states: np.ndarray
    external: np.ndarray

    def hardware(self, **more: Any) -> Network:
        """The same in hardware, a step of a neuron in each clock; `more` as a bank takes it."""
        names = [*self.synapses.datapath.coefficients]
        own = {name: self.codes[:, k] for k, name in enumerate(names) if np.ptp(self.codes[:, k])}
        bank = Bank(self.neuron, COUNT, multipliers=5, broadcast=False, own=own, initial=self.states, **more)
        return Network(bank, self.synapses)


def brunel(steps: int) -> Brunel:
    rng = np.random.default_rng(SEED)
    kinds = [IzhikevichNeuron.from_2003(*abcd) for abcd in ((0.02, 0.2, -65, 8), (0.1, 0.2, -65, 2))]
    dp = kinds[0].datapath
    excitatory = np.arange(COUNT) < EXCITATORY
    codes, states = (
        np.where(excitatory[:, None], *rows)
        for rows in (
            [kind.reset_codes[: len(dp.coefficients)] for kind in kinds],
            [[*kind.initial.values()] for kind in kinds],
        )
    )
    sources = [
        [rng.integers(0, EXCITATORY, FROM_EXCITATORY), rng.integers(EXCITATORY, COUNT, FROM_INHIBITORY)]
        for _ in range(COUNT)
    ]
    source = np.concatenate([part for row in sources for part in row])
    target = np.repeat(np.arange(COUNT), FROM_EXCITATORY + FROM_INHIBITORY)
    weight = dp.current.encode(np.where(excitatory[source], WEIGHT, -RATIO * WEIGHT))
    x, kept = rng.normal(0, 1, (steps, COUNT)), np.exp(-dp.dt / CORRELATED)
    x[1:] *= np.sqrt(1 - kept**2)
    for t in range(1, steps):
        x[t] += kept * x[t - 1]
    synapses = Synapses(dp, COUNT, source, target, weight, tau_s=TAU_S)
    return Brunel(synapses, kinds[0], codes, states, dp.current.encode(NOISE * x))


def statistics(spikes: np.ndarray, dt: float) -> dict[str, Any]:
    """Of spikes (steps, COUNT): rates in Hz, mean CV of the intervals, spikes in the emptiest window."""
    per_s = 1000 / dt
    cvs = []
    for neuron in spikes.T:
        intervals = np.diff(np.flatnonzero(neuron))
        if len(intervals) >= LONG:
            cvs.append(intervals.std() / intervals.mean())
    window = round(WINDOW / dt)
    whole = spikes[: len(spikes) // window * window].reshape(-1, window * COUNT)
    return {
        "spikes": int(spikes.sum()),
        "rate": round(float(per_s * spikes.mean()), 3),
        "rate_excitatory": round(float(per_s * spikes[:, :EXCITATORY].mean()), 3),
        "rate_inhibitory": round(float(per_s * spikes[:, EXCITATORY:].mean()), 3),
        "cv": round(float(np.mean(cvs)), 4) if cvs else None,
        "cv_neurons": len(cvs),
        "least_in_10_ms": int(whole.sum(axis=1).min()) if len(whole) else None,
    }


def brian(net: Brunel, python: str) -> tuple[np.ndarray, str]:
    """Brian's spikes (steps, COUNT), and how it computed them."""
    synapses, dp = net.synapses, net.synapses.datapath
    params = {name: np.broadcast_to(value, COUNT) for name, value in dp.dequantise(net.codes).items()}
    states = {name: q.decode(net.states[:, k]) for k, (name, q) in enumerate(dp.states.items())}
    with tempfile.TemporaryDirectory() as folder:
        work, out = Path(folder) / "work.npz", Path(folder) / "spikes.npz"
        np.savez(
            work,
            dt=dp.dt,
            k_s=synapses.k.decode(synapses.decay),
            source=synapses.sources,
            target=synapses.targets,
            weight=dp.current.decode(synapses.weights),
            external=dp.current.decode(net.external),
            **{f"param_{name}": value for name, value in params.items()},
            **{f"state_{name}": value for name, value in states.items()},
        )
        command = [python, "-m", "benchmarks.network_brian", str(work), str(out)]
        done = subprocess.run(command, cwd=running.ROOT, capture_output=True, text=True, encoding="utf-8")
        if done.returncode:
            sys.exit(f"Brian 2 failed: {done.stderr.strip().splitlines()[-1]}")
        with np.load(out) as found:
            spikes = np.zeros(net.external.shape, dtype=np.int64)
            spikes[found["step"], found["neuron"]] = 1
    return spikes, json.loads(done.stdout.splitlines()[-1])["how"]


def missed(rows: list[running.Row]) -> list[str]:
    """What the rows do not show as they should."""
    by = {row["run"]: row for row in rows}
    found = []
    if not by["reference"]["least_in_10_ms"]:
        found.append("no spike in 10 ms")
    if "rtl" in by and by["rtl"]["mismatches"]:
        found.append("the hardware differs from the reference")
    if "brian2" in by:
        for name in ("rate", "rate_excitatory", "rate_inhibitory", "cv"):
            ours, its = by["reference"][name], by["brian2"][name]
            if ours is None or its is None or abs(its - ours) > WITHIN * ours:
                found.append(f"{name}: {ours}, Brian 2 has {its}")
    return found


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--rtl", action="store_true", help="simulate the hardware too")
    parser.add_argument("--peers", metavar="PYTHON", help="an interpreter that has Brian 2")
    parser.add_argument("--steps", type=int, default=10_000, help="of 0.1 ms")
    options = parser.parse_args()
    net = brunel(options.steps)
    synapses, dt = net.synapses, net.synapses.datapath.dt
    settings = {"neurons": COUNT, "synapses": len(synapses), "steps": options.steps, "dt": dt, "seed": SEED}
    formats = {name: str(getattr(synapses, name)) for name in ("current", "synaptic", "arrivals", "k")}
    rows = running.Rows(options.output, ("run",), ("numpy",), settings=settings, formats=formats)
    begun = time.perf_counter()
    ours = network.run(synapses, net.states, net.codes, net.external)
    seconds = round(time.perf_counter() - begun, 1)
    print(rows.keep({"run": "reference"} | statistics(ours.spikes, dt) | {"seconds": seconds}))
    alone = Synapses(synapses.datapath, COUNT, [], [], [], tau_s=TAU_S)
    control = network.run(alone, net.states, net.codes, net.external)
    print(rows.keep({"run": "without synapses"} | statistics(control.spikes, dt)))
    if options.rtl:
        begun = time.perf_counter()
        found, clocks = network_rtl.play(net.hardware(), net.external, progress=print)
        seconds = round(time.perf_counter() - begun, 1)
        different = sum(int((a != b).sum()) for a, b in zip(ours, found, strict=True))
        compared = sum(a.size for a in ours)
        figures = {"compared": compared, "mismatches": different, "clocks": clocks, "seconds": seconds}
        print(rows.keep({"run": "rtl"} | figures | {"clocks_a_step": round(clocks / options.steps, 1)}))
    if options.peers is not None:
        spikes, how = brian(net, options.peers)
        print(rows.keep({"run": "brian2"} | statistics(spikes, dt) | {"how": how}))
    for sentence in (short := missed(rows.rows)):
        print(sentence)
    return running.MISSED if short else 0


if __name__ == "__main__":
    sys.exit(main())
