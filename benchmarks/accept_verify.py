"""Hardware == reference: every model, every word, 50,000 steps each in Verilator. Rows as JSON to a file.

    python -m benchmarks.accept_verify benchmarks/results/verify.json [--steps 50000] [--models LIF,AdEx] [--simulators icarus]

Takes about an hour; the large models in Icarus would take many. Rows that the file already has, of the same steps and version,
are not run again, so that it can be interrupted and resumed. Ends with status 8 if anything differs.
"""

import sys
import time

import spikefab
from spikefab.errors import SpikefabError
from spikefab.hw.datapath import WORDS
from spikefab.hw.models import MODELS
from spikefab.hw.proofs import saturations
from spikefab.sim.rtl_simulation import COMPILERS
from spikefab.sim.verify import require_exact, verify
from spikefab.toolchain.tools import find_tool

from . import running


def row(kind, word: int, simulator: str, steps: int) -> dict:
    neuron = kind(word=word)
    start = time.perf_counter()
    checks = verify(neuron, simulator=simulator, steps=steps)
    seconds = time.perf_counter() - start
    require_exact(checks)
    possible = len(saturations(neuron.datapath.trace))
    total = {key: sum(check[key] for check in checks) for key in ("steps", "spikes", "mismatches")}
    reached = max(check["saturations"] for check in checks)
    if reached < possible or total["steps"] < steps:
        raise SpikefabError(f"{kind.__name__}: {reached} of {possible} saturations in {total['steps']} steps.")
    head = {
        "model": kind.__name__,
        "word": word,
        "simulator": simulator,
        "asked": steps,
        "version": spikefab.__version__,
    }
    return head | total | {"saturations": reached, "possible": possible, "seconds": round(seconds, 1), "checks": checks}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--simulators", default="verilator", help="or icarus, or both: verilator,icarus")
    options = parser.parse_args()
    kinds = [MODELS[name] for name in options.models]
    tools = {tool: found.version for tool in COMPILERS.values() if (found := find_tool(tool))}
    rows = running.Rows(options.output, ("model", "word", "simulator", "asked", "version"), tools=tools)
    for simulator, kind, word in ((s, k, w) for s in options.simulators.split(",") for k in kinds for w in WORDS):
        key = {"model": kind.__name__, "word": word, "simulator": simulator, "asked": options.steps}
        key["version"] = spikefab.__version__
        if rows.find(key):
            continue
        try:
            new = rows.keep(row(kind, word, simulator, options.steps))
        except SpikefabError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        print("{model} {word} {simulator}: {steps} steps, {spikes} spikes, {saturations} of {possible} saturations, "
              "{mismatches} mismatches, {seconds} s".format(**new), flush=True)  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
