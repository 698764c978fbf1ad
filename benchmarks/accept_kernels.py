"""Batch kernel == reference: every model and word, 50 candidates x 20,000 steps (a million), equal in every bit.

    python -m benchmarks.accept_kernels benchmarks/results/kernels_exact.json [--steps 20000] [--lanes 50] [--models LIF,AdEx]

A third of the candidates have parameters around the defaults, a third registers of any content, a third extreme ones; each
has its own input: noise, plateaus, full-scale square waves. Compared at every step: read-out and spike; and the states at
the end of each of 20 stretches. Rows that the file has are not run again. Ends with status 8 if anything differs.
"""

import sys
import time

import numpy as np

import spikefab
from spikefab.hw.datapath import WORDS, Datapath
from spikefab.hw.models import MODELS
from spikefab.sim import corners, kernels, reference
from spikefab.sim.stimuli import CURRENTS

from . import running

STRETCHES = 20


def compare(dp: Datapath, lanes: int, steps: int, seed: int) -> dict[str, int]:
    """Steps run, spikes, and steps that differ."""
    rng = np.random.default_rng(seed)
    third = lanes // 3
    spread = {n: np.clip(p.default * rng.uniform(0.7, 1.3, lanes - 2 * third), *p.bounds) for n, p in dp.params.items()}
    sensible = dp.quantise(spread)
    formats = [list(dp.states.values()), list(dp.coefficients.values())]
    anything = [rng.integers([q.lo for q in f], [q.hi for q in f], (third, len(f)), endpoint=True) for f in formats]
    extreme = corners.draw(dp, rng, third)
    states = np.concatenate([dp.rest(sensible), anything[0], extreme[0]])
    codes = np.concatenate([sensible, anything[1], extreme[1]])
    kinds = list(CURRENTS.values())
    current = np.stack([kinds[k % len(kinds)](dp, steps, rng, None) for k in range(lanes)])
    spikes = differ = 0
    for part in np.array_split(np.arange(steps), STRETCHES):
        v, fired, path = reference.run(dp, states, codes, current[:, part].T)
        shown, seen, ends = np.empty_like(v, dtype=float), np.zeros_like(fired), np.empty_like(states)
        # each candidate has its own input: simulate all candidates once per input, and compare only that candidate
        for k in range(lanes):
            block = np.roll(np.arange(lanes), -k)[: kernels.LANES]
            out = kernels.simulate(
                dp, codes[block], current[k : k + 1, part], initial=states[block], max_spikes=len(part), trace=True
            )
            assert out.trace is not None
            shown[:, k], ends[k] = out.trace[0, 0], out.end[0, 0]
            seen[out.spikes[0, 0, : out.count[0, 0]], k] = 1
        wrong = (dp.readout.decode(v) != shown) | (fired != seen)
        wrong[-1] |= (path[-1] != ends).any(axis=-1)
        differ += int(wrong.sum())
        spikes += int(fired.sum())
        states = path[-1]
    return {"steps": lanes * steps, "spikes": spikes, "mismatches": differ}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--steps", type=int, default=20_000)
    parser.add_argument("--lanes", type=int, default=50)
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    options = parser.parse_args()
    rows = running.Rows(options.output, ("model", "settings", "word", "lanes", "steps", "version"), ("numpy", "numba"))
    for kind, word in ((MODELS[name], word) for name in options.models for word in WORDS):
        for choice in kind.tried:
            dp = kind.variant(**choice)(word=word).datapath
            key = {"model": kind.__name__, "settings": choice, "word": word, "lanes": options.lanes}
            key |= {"steps": options.lanes * options.steps, "version": spikefab.__version__}
            if rows.find(key):
                continue
            start = time.perf_counter()
            row = rows.keep(key | compare(dp, options.lanes, options.steps, seed=word))
            print(row, f"{time.perf_counter() - start:.1f} s", flush=True)
            if row["mismatches"]:
                return running.MISSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
