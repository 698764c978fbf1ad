"""Describes a model, from its docstring, its declarations and its trace, for `spikefab models` and for its page."""

import inspect
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from spikefab.hw import ops
from spikefab.hw.datapath import WORDS, Datapath, datapath, guard_bits
from spikefab.hw.fixed import Q
from spikefab.hw.lowering import cost
from spikefab.hw.neuron import Neuron
from spikefab.hw.proofs import before_saturation, saturations
from spikefab.hw.spec import Param
from spikefab.hw.trace import Trace

WORD = 18  # word length, bits, of tables that show only one
# entries of the cost by which the table of settings compares variants
COUNTED = ("multiplies", "table_bits", "latency")


class Doc(NamedTuple):
    """The parts of a model's docstring. `equations` are the indented lines; `limits` says what the model cannot do."""

    title: str
    equations: str
    remarks: list[str]
    source: str
    limits: str

    def terms(self, model: type[Neuron]) -> list[tuple[str, str]]:
        """The parts that take one line each, with their headings."""
        return [
            ("Best for", f"{model.best_for}."),
            ("What it is not", self.limits),
            ("Scheme", f"{model.scheme}."),
            ("Source", self.source),
        ]


class Listing(NamedTuple):
    """A table. The first `left` columns are text, the others numbers; `note` explains the table."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    left: int
    note: str = ""


def doc(model: type[Neuron]) -> Doc:
    """The docstring of a model, split into its parts."""
    paragraphs: list[list[str]] = []
    equations: list[str] = []
    named: dict[str, list[str]] = {"Source": [], "Not": []}
    for block in (inspect.getdoc(model) or "").split("\n\n"):
        lines = block.split("\n")
        if all(line.startswith("    ") for line in lines):
            equations.append("\n".join(line[4:] for line in lines))
            continue
        into: list[str] = []
        paragraphs.append(into)
        for line in lines:
            word, _, rest = line.partition(": ")
            if word in named:
                into, line = named[word], rest
            into.append(line)
    title, *remarks = [" ".join(lines) for lines in paragraphs if lines] or [""]
    return Doc(title, "\n\n".join(equations), remarks, *(" ".join(lines) for lines in named.values()))


def listings(model: type[Neuron]) -> list[Listing]:
    """The tables of a model: parameters, states, formats, cost, saturations and, if it has any, settings."""
    paths = {word: datapath(model, word) for word in WORDS}
    tables = [
        _parameters(model),
        _states(model, paths),
        _formats(model, paths),
        _costs(paths),
        _saturations(paths[WORD]),
        _settings(model),
    ]
    return [table for table in tables if table.rows]


def summary(model: type[Neuron]) -> dict[str, Any]:
    """The description of a model in a list of models."""

    def entries(free: bool) -> list[dict[str, Any]]:
        return [
            {"name": n, "unit": p.unit, "bounds": list(p.bounds), "default": p.default, "doc": p.doc}
            for n, p in model.params().items()
            if p.free == free
        ]

    return {"name": model.__name__, "free": entries(True), "measured": entries(False), "source": doc(model).source}


def details(model: type[Neuron]) -> dict[str, Any]:
    """All that is known about a model, for programs: `summary` and the content of the tables."""
    paths = {word: datapath(model, word) for word in WORDS}
    costs = {word: cost.cost(dp) for word, dp in paths.items()}
    parts = doc(model)
    return summary(model) | {
        "title": parts.title,
        "equations": parts.equations,
        "not": parts.limits,
        "doc": inspect.getdoc(model),
        "scheme": model.scheme,
        "best_for": model.best_for,
        "settings": {name: list(values) for name, values in model.settings.items()},
        "states": [{"name": n, "unit": s.unit, "doc": s.doc} for n, s in model.states().items()],
        "formats": {word: dp.formats for word, dp in paths.items()},
        "cost": {word: {**c, "interval": c["latency"]} for word, c in costs.items()},
        "saturations": {word: saturations(dp.trace) for word, dp in paths.items()},
    }


def free(model: type[Neuron]) -> list[str]:
    """The names of the parameters that are searched by default."""
    return [name for name, p in model.params().items() if p.free]


# -- the tables ------------------------------------------------------------------------------------------------------


def _span(name: str, p: Param) -> str:
    """The bounds of a parameter as text."""
    text = "{:g} .. {:g}".format(*p.bounds)
    if p.per_input:
        text = f"({text})/i_span"
    q = p.quantity
    if q is None:
        return text
    return f"{text}; {'in turn ' if q.in_turn else ''}{q.text.format(name)} {q.bounds[0]:g} .. {q.bounds[1]:g}"


def _parameters(model: type[Neuron]) -> Listing:
    params = model.params()
    notes = ["Free parameters are searched by a fit, measured ones are read off the recording first and refined late."]
    if any(p.per_input for p in params.values()):
        notes.append(
            "Bounds over i_span are divided by the input's span in nA, "
            f"{model.i_span:g} unless another is given: what is bounded is the effect of the strongest current."
        )
    kinds = {p.quantity.in_turn for p in params.values() if p.quantity is not None}
    if False in kinds:
        notes.append("Where bounds of a combination are given too, a search varies that one, and keeps within them.")
    if True in kinds:
        notes.append("Combinations that are given with `in turn` are varied by every second run of a search.")
    every = {**params, **{n: p for n, p in model.spec.every.items() if isinstance(p, Param) and n not in params}}
    return Listing(
        "Parameters",
        ("parameter", "unit", "meaning", "kind", "default", "bounds"),
        [(n, p.unit, p.doc, _kind(p), f"{p.default:g}", _span(n, p)) for n, p in every.items()],
        4,
        " ".join(notes),
    )


def _kind(p: Param) -> str:
    only = f", with {p.only[0]} {p.only[1]}" if p.only else ""
    return ("free" if p.free else "measured") + only


def _states(model: type[Neuron], paths: dict[int, Datapath]) -> Listing:
    dp = paths[WORD]
    rest = dp.rest(dp.quantise(model.defaults())[0])
    rows = []
    for (name, s), code in zip(model.states().items(), rest, strict=True):
        q = dp.states[name]
        counts = s.unit in ("steps", "flag")
        guard = "-" if counts else str(guard_bits(s.slowest, dp.dt))
        formats = (str(path.states[name]) for path in paths.values())
        rows.append((name, s.unit, s.doc, f"{float(q.decode(code)):.4g}", guard, *formats))
    notes = [
        "Q(i, f) has i integer bits with the sign, and f fraction bits: it ends a code below 2^(i - 1). Guard bits lie "
        f"below the word, for the slowest time constant that moves the state at dt = {dp.dt:g} ms."
    ]
    scaled = [name for name, s in model.states().items() if s.per_input]
    if scaled:
        notes.append(f"The range of {' and '.join(scaled)} goes with the input's span, here {dp.i_span:g} nA.")
    return Listing(
        "States",
        ("state", "unit", "meaning", "at rest", "guard bits", *_words()),
        rows,
        3,
        " ".join(notes),
    )


def _formats(model: type[Neuron], paths: dict[int, Datapath]) -> Listing:
    dp = paths[WORD]
    codes = dp.quantise(model.defaults())[0]
    held = {
        n: ("coefficient", f"{float(q.decode(c)):.4g}")
        for (n, q), c in zip(dp.coefficients.items(), codes, strict=True)
    }
    held |= {"i": ("input current, nA", ""), "o_v": ("read-out, mV", "")}
    return Listing(
        "Registers and ports",
        ("name", "kind", "at the defaults", *_words()),
        [(name, *kind, *(p.formats[name] for p in paths.values())) for name, kind in held.items()],
        2,
        f"A coefficient is what the parameters come to at dt = {dp.dt:g} ms. States have registers too: see above.",
    )


def _costs(paths: dict[int, Datapath]) -> Listing:
    costs = [cost.cost(dp) for dp in paths.values()]
    costs = [
        c | {"interval": c["latency"], "saturations": len(saturations(dp.trace))}
        for c, dp in zip(costs, paths.values(), strict=True)
    ]
    return Listing(
        "Cost of a step",
        ("", *_words()),
        [(name.replace("_", " "), *(f"{c[name]:,}" for c in costs)) for name in costs[0]],
        1,
        "Counted from the trace, without synthesis. Latency is in clocks from input to result on one shared multiplier, "
        "interval from one step to the next.",
    )


def _saturations(dp: Datapath) -> Listing:
    trace = dp.trace
    sides: dict[int, list[str]] = {}
    for index, side in saturations(trace):
        sides.setdefault(index, []).append(side)
    rows = []
    for index, ends in sides.items():
        node = trace.nodes[index]
        (arg,) = node.args
        low, high = before_saturation(trace, index)
        reaches = f"{low * node.q.lsb:.4g} .. {high * node.q.lsb:.4g}"
        what = f"#{arg}" if arg in sides else expression(trace, arg)
        rows.append((f"#{index}", what, " and ".join(ends), reaches, str(node.q)))
    return Listing(
        f"Saturations that can happen, at word {dp.word}",
        ("operation", "of", "at its end", "could reach", "is held in"),
        rows,
        3,
        "From any content of the registers; parameters that make sense meet few of them. #n is an operation of the "
        "drawing. All others are proved impossible.",
    )


def _settings(model: type[Neuron]) -> Listing:
    tried = [", ".join(f"{k} {v}" for k, v in choice.items()) for choice in model.tried if choice]
    note = "All that is above is for the first of each. "
    note += f"A fit tries {' and '.join(tried)}." if tried else "A fit tries no other."
    rows = []
    for name, values in model.settings.items():
        for value in values:
            variant = model.variant(**{name: value})
            c = cost.cost(datapath(variant, WORD))
            changes = "the default" if variant is model else _differences(model, variant)
            rows.append((name, str(value), changes, *(f"{c[key]:,}" for key in COUNTED)))
    return Listing("Settings", ("setting", "value", "against the default", *_names(COUNTED)), rows, 3, note)


def _differences(model: type[Neuron], variant: type[Neuron]) -> str:
    base, other = model.params(), variant.params()
    added = [n for n in other if n not in base]
    added += [f"the state {n} ({s.doc})" for n, s in variant.states().items() if n not in model.states()]
    changed = []
    for n, p in other.items():
        if n in base and p != base[n]:
            moved = "" if p.bounds == base[n].bounds else f" within {_span(n, p)}"
            changed.append(f"{n} {p.default:g}{moved}")
    parts = [f"has {', '.join(added)}"] * bool(added) + [f"defaults {', '.join(changed)}"] * bool(changed)
    return "; ".join(parts) or "the same parameters"


def _words() -> list[str]:
    return [f"word {word}" for word in WORDS]


def _names(keys: Sequence[str]) -> list[str]:
    return [key.replace("_", " ") for key in keys]


# -- operations as text ---------------------------------------------------------------------------------------------


def expression(trace: Trace, index: int, depth: int = 3) -> str:
    """An operation as a formula in the symbols of the model; operands more than `depth` operations back are shown as #n."""
    op, args, q = trace.nodes[index]
    if isinstance(op, (ops.Input, ops.Const)):
        return WORDED[type(op)](op, q)
    if isinstance(op, ops.RESIZES):
        return expression(trace, args[0], depth)
    if depth == 0:
        return f"#{index}"
    return WORDED[type(op)](op, q, *(expression(trace, a, depth - 1) for a in args))


def _infix(sign: str) -> Callable[..., str]:
    return lambda op, q, a, b: f"{a} {sign} {b}"


def _call(op: ops.Operation, q: Q, *operands: str) -> str:
    return f"{op.label}({', '.join(operands)})"


def _product(op: ops.Mul, q: Q, *operands: str) -> str:
    return " ".join(f"({a})" if " + " in a or " - " in a else a for a in operands)


# For each type of operation, a function that returns its formula from the operation, its format and its operands as text.
WORDED: dict[type[ops.Operation], Callable[..., str]] = {
    ops.Input: lambda op, q: op.name,
    ops.Const: lambda op, q: f"{op.code * q.lsb:g}",
    ops.Add: _infix("+"),
    ops.Sub: lambda op, q, a, b: f"{a} - ({b})" if " " in b else f"{a} - {b}",
    ops.Mul: _product,
    ops.Point: lambda op, q, a: f"2^{op.power} ({a})" if " " in a else f"2^{op.power} {a}",
    ops.Floor: _call,
    ops.Frac: _call,
    ops.Resize: lambda op, q, a: a,
    ops.Wrap: lambda op, q, a: a,
    ops.Ge: _infix(">="),
    ops.Gt: _infix(">"),
    ops.Select: _call,
    ops.Lookup: lambda op, q, z: f"{'slope of ' * op.column}{op.table.name}({z})",
    ops.Shift: _call,
}
