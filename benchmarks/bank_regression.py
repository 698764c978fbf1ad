"""How fast the regression of hardware is: a bank of 512 Izhikevich neurons, and one neuron with an await a step.

    python -m benchmarks.bank_regression benchmarks/results/bank_regression.json [--steps 4000000] [--soak 10000000]

Steps of a neuron a second, in Verilator, word 18: through the bench of banks (cocotb), which is to be at least 500,000; with the
comparison and all else, but without compiling; the soak run without Python, compared while it runs; and through the bench of single
neurons. Both benches are also counted by processor time, because other work on the machine makes a run longer: the ratio and the
requirement are of this. Ends with status 8 if it is missed.
"""

import os
import sys
import time

import numpy as np

from spikefab.hw.bank import Bank
from spikefab.hw.lowering.pipelined import products
from spikefab.hw.lowering.verilog import to_rtlil
from spikefab.hw.models import IzhikevichNeuron
from spikefab.sim import bank_stimuli, bank_verify, rtl_simulation, verify

from . import running

NEURONS, LEAST = 512, 500_000


def of_bank(bank: Bank, steps: int) -> dict[str, float]:
    rng, longest = np.random.default_rng(0), bank_stimuli.LONGEST
    plan = [bank_stimuli.built(bank, longest, rng) for _ in range(-(-steps // bank.count // longest))]
    bank_verify.play(bank, plan[:1])  # compiles
    start = time.perf_counter()
    found, (seconds, processor) = bank_verify.play(bank, plan)
    golden = bank_stimuli.Golden(bank)
    for segment, (rows, asked) in zip(plan, found, strict=True):
        if not np.array_equal(golden.play(segment, asked)[0], rows):
            raise SystemExit("the bank and the reference differ.")
    played = len(plan) * longest * bank.count
    everything = time.perf_counter() - start
    return {
        "steps": played,
        "bench": played / seconds,
        "bench_cpu": played / processor,
        "compared": played / everything,
    }


def of_soak(bank: Bank, steps: int) -> dict[str, float]:
    bank_verify.soak(bank, steps=1)  # compiles
    start = time.perf_counter()
    check = bank_verify.soak(bank, steps=steps)
    if check["mismatches"]:
        raise SystemExit("the bank and the reference differ.")
    kept = {"soak_steps": check["steps"], "soak_spikes": check["spikes"], "soak_mismatches": check["mismatches"]}
    return kept | {"soak": check["steps"] / (time.perf_counter() - start)}


def of_one(neuron: IzhikevichNeuron, steps: int) -> dict[str, float]:
    """Through the bench of single neurons: what more steps take, so that the start of the simulator does not count."""
    built = rtl_simulation.build(to_rtlil(neuron, rtl_simulation.TOP), "verilator")
    stimulus = verify.prepare(neuron, steps=1_000).stimuli[0]
    seconds = []
    for count in (1, steps):
        dp = neuron.datapath
        job = {
            "ports": ["o_valid", "o_v", "o_spike", *(f"state_{name}" for name in dp.states)],
            "interval": neuron.interval,
            "stimuli": 1,
            "addresses": [register.address for register in dp.registers],
            "registers_0": dp.register_codes(stimulus.coefficients, stimulus.states),
            "current_0": np.resize(stimulus.current, (count, 1)),
            "stalls_0": False,
        }
        start = np.array([time.perf_counter(), sum(os.times()[2:4])])
        rtl_simulation.play(built, "verilator", job)
        seconds.append(np.array([time.perf_counter(), sum(os.times()[2:4])]) - start)
    wall, processor = (steps - 1) / (seconds[1] - seconds[0])
    return {"one_neuron": float(wall), "one_neuron_cpu": float(processor)}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--steps", type=int, default=4_000_000)
    parser.add_argument("--soak", type=int, default=10_000_000)
    options = parser.parse_args()
    neuron = IzhikevichNeuron(word=18)
    bank = Bank(neuron, NEURONS, multipliers=products(neuron.datapath.trace))
    found = {"model": "IzhikevichNeuron", "neurons": NEURONS, "interval": bank.interval} | of_bank(bank, options.steps)
    found |= of_soak(bank, options.soak)
    found |= of_one(neuron, 40_000)
    found["ratio"] = found["bench_cpu"] / found["one_neuron_cpu"]
    found["load"] = os.getloadavg()[0]
    found = {key: round(value) if isinstance(value, float) else value for key, value in found.items()}
    running.write(options.output, running.head("cocotb", "verilator") | found)
    print("{neurons} neurons: {bench:,} steps of a neuron a second, {compared:,} with everything, {soak:,} without Python; "
          "one neuron an await: {one_neuron:,}. "
          "By processor time: {bench_cpu:,} and {one_neuron_cpu:,}, ratio {ratio}; load {load}".format(**found))  # fmt: skip
    return 0 if found["bench_cpu"] >= LEAST else running.MISSED


if __name__ == "__main__":
    sys.exit(main())
