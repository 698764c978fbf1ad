"""Hardware == reference: every model, every word, 50,000 steps each in Verilator. Rows as JSON to a file.

    python benchmarks/accept_verify.py benchmarks/results/verify.json [--steps 50000] [--models LIF,AdEx] [--simulators icarus]

Takes about an hour; the large models in Icarus would take many. Rows that the file already has, of the same steps and version,
are not run again, so that it can be interrupted and resumed. Ends with status 8 if anything differs.
"""

import argparse
import datetime
import json
import os
import platform
import sys
import time
from pathlib import Path

import spikefab
from spikefab.errors import SpikefabError
from spikefab.hw.datapath import WORDS
from spikefab.hw.interval import saturations
from spikefab.hw.models import MODELS, get_model
from spikefab.sim.rtl_simulation import COMPILERS
from spikefab.sim.verify import require_exact, verify
from spikefab.toolchain.tools import find_tool


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
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("output", type=Path)
    parser.add_argument("--steps", type=int, default=50_000)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--simulators", default="verilator", help="or icarus, or both: verilator,icarus")
    options = parser.parse_args()
    done = json.loads(options.output.read_text())["rows"] if options.output.exists() else []
    kinds = [get_model(name) for name in options.models.split(",")]
    options.output.parent.mkdir(parents=True, exist_ok=True)
    for simulator, kind, word in ((s, k, w) for s in options.simulators.split(",") for k in kinds for w in WORDS):
        key = {"model": kind.__name__, "word": word, "simulator": simulator, "asked": options.steps}
        key["version"] = spikefab.__version__
        if any(key.items() <= old.items() for old in done):
            continue
        try:
            new = row(kind, word, simulator, options.steps)
        except SpikefabError as error:
            print(error, file=sys.stderr)
            return error.exit_code
        print("{model} {word} {simulator}: {steps} steps, {spikes} spikes, {saturations} of {possible} saturations, "
              "{mismatches} mismatches, {seconds} s".format(**new), flush=True)  # fmt: skip
        done.append(new)
        tools = {tool: found.version for tool in COMPILERS.values() if (found := find_tool(tool))}
        result = {
            "date": datetime.date.today().isoformat(),
            "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}",
            "tools": tools,
            "rows": done,
        }
        scratch = options.output.with_suffix(".part")
        scratch.write_text(json.dumps(result, indent=1) + "\n")
        scratch.replace(options.output)
    return 0


if __name__ == "__main__":
    sys.exit(main())
