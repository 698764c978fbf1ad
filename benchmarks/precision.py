"""What fixed point costs, and what dt costs: literature parameter sets at every word, against float64 and the exact ODE.

    python -m benchmarks.precision benchmarks/results/precision.json [--models LIF,AdEx]

Every cell of `spikefab.hw.pages.literature` gets a second of each of: two steps of current, under which it fires at about 10 and 30
Hz (those nearest to that, of twelve an octave, in fixed point at word 24); coloured noise around both (tau 5 ms, 30 %, fixed
seeds); and the step under which its source shows it, if it names one. The input's span is the least power of two that holds them.

*Fixed point*: the batch kernel against the float64 ideal with the parameters and the current that the codes stand for, from the
same start, by the same scheme at the same dt. *dt*: that ideal (of word 24) against the ODE with the same parameters and the same
current, held for each dt. The ODE is the same scheme at dt/64: tests/paper holds every ideal to first (spike times) or second
order against solve_ivp on the published equations, so that a sixty-fourth of what dt costs is left. It is run by the loops of
`plain.py`, which tests/identical/test_plain.py holds to the ideals; the cortical Hodgkin-Huxley kinetics, which have no
loop, by the ideal at dt/8, as they are of second order. A spike of step k is put at its end, (k + 1) dt.

Spikes are matched one to one (`scores.one_to_one`) within min(5 ms, 0.4 of the median interval). A cell whose median shift
at word 24 exceeds 0.2 ms has sensitive dynamics: it is reported on its own, and not gated; nor is Hindmarsh-Rose. Gates: the
median over cells of the median shift is at most 0.5 ms at word 16 and 0.2 ms at word 18, of Hodgkin-Huxley below 0.5 ms at
word 18. Ends with status 8 if one is missed.

Some minutes. Rows that the file already has, of the same version, parameters and formats, are not run again.
"""

import hashlib
import sys
import time
from collections.abc import Iterable
from typing import Any

import numpy as np

import spikefab
from spikefab.fit.scoring.scores import one_to_one
from spikefab.hw.datapath import WORDS, Datapath, datapath
from spikefab.hw.models import MODELS
from spikefab.hw.pages.literature import CELLS
from spikefab.sim import ideal, kernels

from . import running
from .plain import LOOPS

DT = 0.1  # time step, ms
STEPS = 10_000
RATES = (10.0, 30.0)  # firing rates of the test currents, Hz
SENSITIVE = 0.2  # ms, at word 24
GATES = {16: 0.5, 18: 0.2}  # ms
EXCEPTIONS = {"HindmarshRoseNeuron": {}, "HodgkinHuxleyNeuron": {18: 0.5}}
AROUND = 2.0  # ms before and after a spike that are not subthreshold
FINE = 64  # steps of the ODE solver within dt, for a method of first order
FINE_SECOND_ORDER = 8  # steps of the ODE solver within dt, for a method of second order


# -- two spike trains ----------------------------------------------------------------------------------------------


def window(wanted: np.ndarray) -> float:
    """ms within which a spike can be the partner of one of `wanted`."""
    return min(5.0, 0.4 * float(np.median(np.diff(wanted)))) if len(wanted) > 1 else 5.0


def differ(wanted: np.ndarray, found: np.ndarray) -> tuple[np.ndarray, int]:
    """Shifts (ms) of the spikes that have a partner, found less wanted, and how many of either train have none."""
    i, j = one_to_one(wanted, found, window(wanted))
    return found[j] - wanted[i], len(wanted) + len(found) - 2 * len(i)


def subthreshold(steps: int, *trains: np.ndarray) -> np.ndarray:
    """(steps,) True where no spike of any train (ms, ends of steps) is within 2 ms."""
    ends = (np.arange(steps) + 1) * DT
    spikes = np.sort(np.concatenate([[-np.inf, np.inf], *trains]))
    after = np.searchsorted(spikes, ends)
    return np.minimum(ends - spikes[after - 1], spikes[after] - ends) > AROUND


def compare(wanted: list[np.ndarray], found: list[np.ndarray], v_wanted: np.ndarray, v_found: np.ndarray) -> dict:
    """Measures over the inputs of a cell: spike times (ms) of each and voltages (inputs, steps), mV."""
    pairs = [differ(a, b) for a, b in zip(wanted, found, strict=True)]
    shifts = np.round(np.abs(np.concatenate([shift for shift, _ in pairs])), 6)
    spikes, other = (sum(map(len, trains)) for trains in (wanted, found))
    unmatched = sum(n for _, n in pairs)
    apart = sum(abs(len(a) - len(b)) for a, b in zip(wanted, found, strict=True))
    outside = np.stack([subthreshold(v_wanted.shape[1], a, b) for a, b in zip(wanted, found, strict=True)])
    error = (v_found - v_wanted)[outside]
    return {
        "spikes": spikes,
        "shifts": dict(zip(*(x.tolist() for x in np.unique(shifts, return_counts=True)), strict=True)),
        "unmatched": unmatched,
        "unmatched_percent": 100 * unmatched / max(1, spikes + other),
        "rate_error_percent": 100 * apart / max(1, spikes),
        "rmse_mV": float(np.sqrt(np.mean(np.square(error)))) if len(error) else None,
    }


def quantile(rows: Iterable[dict], share: float) -> float:
    """ms: of the shifts of all matched spikes of some rows; infinite where spikes are there and none is matched."""
    each = [(float(shift), n) for row in rows for shift, n in row["shifts"].items()]
    return float(np.quantile(np.repeat(*zip(*each, strict=True)), share)) if each else np.inf


# -- a cell --------------------------------------------------------------------------------------------------------


def widest(kind, cell) -> float:
    """nA: the greatest span of the input whose registers hold the cell's parameters, at most 16."""
    params = kind.defaults() | cell.params
    for span in 2.0 ** np.arange(4, -5, -1):
        dp = datapath(kind, 24, DT, float(span))
        held = dp.dequantise(dp.quantise(params)[0])
        steps = {name for name, p in dp.params.items() if p.register is not None and p.register.whole}
        if all(
            abs(held[name] - value) <= (DT / 2 if name in steps else 1e-3 * abs(value)) + 1e-6
            for name, value in params.items()
        ):
            return float(span)
    raise ValueError(f"{kind.__name__}: no input span holds {cell.name}.")


def amplitudes(kind, cell) -> list[float]:
    """nA: two steps, of twelve an octave, whose rates are nearest to 10 and 30 Hz (on a logarithmic scale); the second at
    least one step above the first.

    A step under which firing lasts goes before one under which it dies away. A finer grid would find what is within a
    part in 10^6 of the rheobase, as a LIF of tau = 7 ms needs for 10 Hz.
    """
    span = widest(kind, cell)
    dp = datapath(kind, 24, DT, span)
    steps = span * (1 - 2.0**-20) * 2.0 ** (np.arange(-132, 1) / 12)
    current = np.repeat(dp.current.encode(steps)[:, None], STEPS, axis=1)
    out = kernels.simulate(dp, dp.quantise(kind.defaults() | cell.params), current, max_spikes=STEPS)
    count, last = out.count[0], out.spikes[0].max(axis=1)
    rate = np.maximum(count, 1e-3) / (STEPS * DT / 1000)
    low, high = (int(np.argmin(np.abs(np.log(rate / wanted)) + 100 * (last < 0.7 * STEPS))) for wanted in RATES)
    return [float(steps[low]), float(steps[min(max(low + 1, high), len(steps) - 1)])]


def inputs(kind, cell) -> dict[str, np.ndarray]:
    """nA (steps,), by name."""
    low, high = amplitudes(kind, cell)
    currents = {f"step {i_nA:.4g} nA": np.full(STEPS, i_nA) for i_nA in (low, high)}
    kept = np.exp(-DT / 5.0)
    for seed, i_nA in enumerate((low, high)):
        white = np.random.default_rng(seed).normal(size=STEPS) * np.sqrt(1 - kept**2)
        noise = np.zeros(STEPS)
        for k in range(1, STEPS):
            noise[k] = kept * noise[k - 1] + white[k]
        currents[f"noise {i_nA:.4g} nA"] = i_nA * (1 + 0.3 * noise)
    if cell.step is not None:
        currents[f"published step {cell.step:g} nA"] = np.full(STEPS, cell.step)
    return currents


def times(fired: np.ndarray, dt: float) -> list[np.ndarray]:
    """ms, ends of the steps of (inputs, steps) bool that fired."""
    return [(np.flatnonzero(row) + 1) * dt for row in fired]


def in_fixed_point(dp: Datapath, codes: np.ndarray, current: np.ndarray):
    """Spike times and voltages of one cell under current codes (inputs, steps)."""
    out = kernels.simulate(dp, codes, current, max_spikes=STEPS, trace=True)
    assert out.trace is not None
    return [(row[:n] + 1) * dp.dt for row, n in zip(out.spikes[0], out.count[0], strict=True)], out.trace[0]


def in_float(dp: Datapath, codes: np.ndarray, current: np.ndarray):
    """The ideals of N cells, with the parameters, start and current that codes (N, ...), (N, inputs, steps) stand for.

    Spike times and voltages of each.
    """
    coefficients = ideal.real_coefficients(dp, {n: x[:, None] for n, x in dp.dequantise(codes).items()})
    start = {n: q.decode(x)[:, None] + np.zeros(current.shape[:2])
             for (n, q), x in zip(dp.states.items(), dp.rest(codes).T, strict=True)}  # fmt: skip
    v, fired, _ = ideal.run(dp, start, coefficients, np.moveaxis(dp.current.decode(current), 2, 0))
    v, fired = np.moveaxis(v, 0, 2), np.moveaxis(fired, 0, 2)
    return [(times(fired[k], dp.dt), v[k]) for k in range(len(codes))]


def in_continuous_time(dp: Datapath, codes: np.ndarray, current: np.ndarray):
    """The ODE of one cell, from codes as `in_float`: spike times, and voltages at the ends of the steps dt."""
    loop = LOOPS[dp.model.__name__]
    params = dp.dequantise(codes)
    start = [q.decode(x) for q, x in zip(dp.states.values(), dp.rest(codes), strict=True)]
    held = np.repeat(dp.current.decode(current), FINE, axis=1)
    n, fine, unused = len(held), held.shape[1], np.zeros((len(held), 1))
    count, masked = np.zeros((1, n), dtype=np.int64), np.zeros((1, n))
    spikes, trace = np.zeros((1, n, STEPS), dtype=np.int32), np.zeros((1, n, fine))
    zeros = np.broadcast_to(unused, held.shape)
    table = np.array([[params[name] for name in dp.params]])
    loop(table, np.array([start]), held, zeros, zeros, dp.dt / FINE, count, spikes, masked, trace)
    found = [(row[:k] + 1) * dp.dt / FINE for row, k in zip(spikes[0], count[0], strict=True)]
    return found, trace[0, :, FINE - 1 :: FINE]


def by_finer_ideal(dp: Datapath, codes: np.ndarray, current: np.ndarray):
    """The same of N cells, of a scheme of second order, by the ideal."""
    fine = datapath(dp.model, dp.word, dp.dt / FINE_SECOND_ORDER, dp.i_span)
    coefficients = ideal.real_coefficients(fine, {n: x[:, None] for n, x in dp.dequantise(codes).items()})
    states = {n: q.decode(x)[:, None] + np.zeros(current.shape[:2])
              for (n, q), x in zip(dp.states.items(), dp.rest(codes).T, strict=True)}  # fmt: skip
    voltage, fired = np.zeros(current.shape), np.zeros((*current.shape, FINE_SECOND_ORDER), dtype=bool)
    for k, sample in enumerate(np.moveaxis(dp.current.decode(current), 2, 0)):
        for part in range(FINE_SECOND_ORDER):
            states, voltage[..., k], fired[..., k, part] = ideal.step(fine, states, coefficients, sample)
    fired = fired.reshape(*current.shape[:2], -1)
    return [(times(fired[k], fine.dt), voltage[k]) for k in range(len(codes))]


def variant(kind, cell):
    return kind.variant(**cell.settings)


def measure(kind, cells) -> list[dict]:
    """One row a cell: inputs with the ODE's spikes, and measures at every word and of dt.

    Cells of one datapath run side by side.
    """
    currents = [inputs(variant(kind, cell), cell) for cell in cells]
    spans = [2.0 ** np.ceil(np.log2(max(np.abs(x).max() for x in each.values()))) for each in currents]
    rows: list[dict] = [{"i_span": float(span)} for span in spans]
    groups: dict[tuple, list[int]] = {}
    for k, (cell, span) in enumerate(zip(cells, spans, strict=True)):
        groups.setdefault((variant(kind, cell), float(span), len(currents[k])), []).append(k)
    for (chosen, span, _), members in groups.items():
        for word in WORDS:
            dp = datapath(chosen, word, DT, span)
            codes = np.concatenate([dp.quantise(chosen.defaults() | cells[k].params) for k in members])
            current = dp.current.encode(np.array([list(currents[k].values()) for k in members]))
            wanted = in_float(dp, codes, current)
            for k, (spikes, v), code, i in zip(members, wanted, codes, current, strict=True):
                found, v_found = in_fixed_point(dp, code, i)
                rows[k][str(word)] = compare(spikes, found, v, v_found)
        # the last word, 24, is nearest to the published parameters, so that the difference is due to dt
        if chosen.chosen.get("kinetics") == "traub-miles":
            exact = by_finer_ideal(dp, codes, current)
        else:
            exact = [in_continuous_time(dp, code, i) for code, i in zip(codes, current, strict=True)]
        for k, (true_spikes, true_v), (spikes, v) in zip(members, exact, wanted, strict=True):
            rows[k]["inputs"] = {name: len(train) for name, train in zip(currents[k], true_spikes, strict=True)}
            rows[k]["dt"] = compare(true_spikes, spikes, true_v, v)
    return rows


# -- gates and tables ----------------------------------------------------------------------------------------------


def sensitive(row: dict) -> bool:
    return quantile([row["24"]], 0.5) > SENSITIVE + 1e-9


def summary(rows: list[dict], column: str) -> dict[str, float]:
    """Over cells: the median of their median shifts, 95 % of all their shifts, and means of the rest."""
    each = [row[column] for row in rows]
    rmse = [x["rmse_mV"] for x in each if x["rmse_mV"] is not None]
    return {
        "median": float(np.median([quantile([x], 0.5) for x in each])),
        "p95": quantile(each, 0.95),
        "unmatched": sum(x["unmatched"] for x in each),
        "unmatched_percent": float(np.mean([x["unmatched_percent"] for x in each])),
        "rate_error_percent": float(np.mean([x["rate_error_percent"] for x in each])),
        "rmse_mV": float(np.mean(rmse)) if rmse else 0.0,
    }


def misses(model: str, rows: list[dict]) -> list[str]:
    """Gates that the rows of a model miss, in words."""
    gated = [row for row in rows if not sensitive(row)]
    missed = []
    for word, limit in EXCEPTIONS.get(model, GATES).items():
        found = summary(gated, str(word))["median"] if gated else 0.0
        if found > limit + 1e-9 or (model in EXCEPTIONS and found >= limit):
            missed.append(f"{model}, word {word}: median shift {found:.2f} ms, allowed {limit} ms.")
    return missed


COLUMNS = (*map(str, WORDS), "dt")
HEAD = ("median", "95 %", "unmatched", "rate", "rmse")


def lines(rows: list[dict]) -> Iterable[tuple[str, int, list[dict]]]:
    """Name, cells and summaries of each line of the table: a model, and its sensitive cells each on a line."""
    for model in MODELS:
        here = [row for row in rows if row["model"] == model]
        even = [row for row in here if not sensitive(row)]
        for name, part in ((model, even), *((f"  {r['cell']} *", [r]) for r in here if sensitive(r))):
            if part:
                yield name, len(part), [summary(part, column) for column in COLUMNS]


def table(rows: list[dict]) -> str:
    heads = (f"{f'word {c}' if c != 'dt' else 'dt 0.1 ms':^38}" for c in COLUMNS)
    parts = "".join(f"{h:>{width}}" for h, width in zip(HEAD, (7, 6, 12, 6, 7), strict=True))
    out = [" " * 34 + "".join(heads), f"{'':26}{'cells':>6}  " + parts * len(COLUMNS)]
    for name, cells, columns in lines(rows):
        line = f"{name.replace('Neuron', ''):26}{cells:>6}  "
        for x in columns:
            share = f"{x['unmatched']} {x['unmatched_percent']:.2f}%"
            line += f"{x['median']:7.2f}{x['p95']:6.2f}{share:>12}{x['rate_error_percent']:6.2f}{x['rmse_mV']:7.3f}"
        out.append(line)
    out.append("shifts in ms, unmatched spikes in number and %, rate error in %, rmse in mV; * sensitive: not gated")
    return "\n".join(out)


def markdown(rows: list[dict]) -> str:
    """The table of docs/precision.md."""
    heads = [f"word {c}" if c != "dt" else "dt" for c in COLUMNS]
    out = ["| model | cells | " + " | ".join(f"{h}: shift | unmatched | rate" for h in heads) + " |"]
    out.append("|---|---|" + "---|" * 3 * len(COLUMNS))
    for name, cells, columns in lines(rows):
        parts = (f"{x['median']:.2g} / {x['p95']:.2g} | {x['unmatched_percent']:.2f} | {x['rate_error_percent']:.2f}"
                 for x in columns)  # fmt: skip
        name = name.replace("Neuron", "").replace(" *", "").strip()
        label = f"*{name}*" if name + "Neuron" not in MODELS else name
        out.append(f"| {label} | {cells} | " + " | ".join(parts) + " |")
    return "\n".join(out)


def fingerprint(kind, cell) -> str:
    """Of a cell and of what its datapaths compute: a row is kept as long as neither changes."""
    said = [repr((cell, AROUND, FINE, FINE_SECOND_ORDER, RATES))]
    for word in WORDS:
        said += datapath(variant(kind, cell), word, DT).trace.lines()
    return hashlib.sha256("\n".join(said).encode()).hexdigest()[:16]


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--models", type=running.model_names, default=list(MODELS), help="such as LIF,AdEx")
    parser.add_argument("--markdown", action="store_true", help="print the table of docs/precision.md as well")
    options = parser.parse_args()
    rows = running.Rows(options.output, ("model", "cell"), ("numpy", "numba"), dt=DT)
    current: list[dict[str, Any]] = []
    for kind in (MODELS[name] for name in options.models):
        cells = CELLS[kind.__name__]
        heads = [
            {"model": kind.__name__, "cell": cell.name, "version": spikefab.__version__, "formats": fingerprint(kind, cell)}
            for cell in cells
        ]  # fmt: skip
        old = [rows.find(head) for head in heads]
        if not all(old):
            begin = time.perf_counter()
            new = measure(kind, cells)
            old = [rows.keep(h | {"source": c.source} | row) for h, c, row in zip(heads, cells, new, strict=True)]
            print(f"{kind.__name__}: {len(cells)} cells in {time.perf_counter() - begin:.0f} s", flush=True)
        current += [row for row in old if row]
    print(table(current))
    if options.markdown:
        print(markdown(current))
    missed = [line for m in MODELS for line in misses(m, [r for r in current if r["model"] == m])]
    for line in missed:
        print(line, file=sys.stderr)
    return running.MISSED if missed else 0


if __name__ == "__main__":
    sys.exit(main())
