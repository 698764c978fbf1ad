"""Defects to plant in a design: each rewrites one operation of the trace that is lowered; the reference keeps its own."""

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace

from spikefab.hw.fixed import Q
from spikefab.hw.interval import interval_of
from spikefab.hw.neuron import Neuron
from spikefab.hw.ops import COMPARISONS, Add, Const, Ge, Gt, Input, Lookup, Mul, Node, Resize, Select, Sub, Wrap
from spikefab.hw.proofs import rounds, saturations
from spikefab.hw.trace import Trace

Emit = Callable[[Node], int]
Change = Callable[[Node, Emit], Node]


def rewritten(neuron: Neuron, changes: dict[int, Change]) -> Neuron:
    """The neuron with some operations of its trace replaced: each by what its change makes of it.

    A change gets the operation, and a function that appends another one in front of it and returns its index.
    """
    source = neuron.datapath.trace
    trace = Trace(source.word)

    def emit(node: Node) -> int:
        formats = [trace.nodes[a].q for a in node.args]
        trace.nodes.append(node)
        trace.intervals.append(interval_of(node, formats, [trace.intervals[a] for a in node.args]))
        return len(trace.nodes) - 1

    moved: list[int] = []
    for index, node in enumerate(source.nodes):
        node = node._replace(args=tuple(moved[a] for a in node.args))
        moved.append(emit(changes[index](node, emit) if index in changes else node))
    trace.outputs = {name: moved[index] for name, index in source.outputs.items()}
    mutant = copy.copy(neuron)
    mutant.datapath = copy.copy(neuron.datapath)
    mutant.datapath.trace = trace
    return mutant


def wrapped(node: Node, emit: Emit) -> Node:
    return node._replace(op=Wrap())


def swapped_compare(node: Node, emit: Emit) -> Node:
    return node._replace(op=Gt() if isinstance(node.op, Ge) else Ge())


def swapped_operands(node: Node, emit: Emit) -> Node:
    *first, a, b = node.args
    return node._replace(args=(*first, b, a))


def flipped_word(entry: int, bit: int) -> Change:
    """One bit of one word of a table's memory."""

    def change(node: Node, emit: Emit) -> Node:
        assert isinstance(node.op, Lookup)
        table, k = node.op.table, node.op.column
        column = table.columns[k]
        code = column.words[entry] ^ (1 << bit)
        words = (*column.words[:entry], code, *column.words[entry + 1 :])
        columns = (*table.columns[:k], replace(column, words=words), *table.columns[k + 1 :])
        return node._replace(op=Lookup(replace(table, columns=columns), k))

    return change


def truncated(node: Node, emit: Emit, source: Q) -> Node:
    """Rounding down: half a code less goes into the rounding."""
    half = Q(max(2, node.q.f_bits + 3 - source.f_bits), source.f_bits)
    less = emit(Node(Const(-(1 << (source.f_bits - node.q.f_bits - 1))), (), half))
    q = Q(max(source.i_bits, half.i_bits) + 1, source.f_bits)
    return node._replace(args=(emit(Node(Add(), (*node.args, less), q)),))


def off_by_one(node: Node, emit: Emit) -> Node:
    """A constant operand of 1 becomes 2."""
    two = emit(Node(Const(2), (), Q(3, 0)))
    return node._replace(args=(node.args[0], two))


def read_as(name: str) -> Change:
    """Another register read in this one's place."""
    return lambda node, emit: node._replace(op=replace(node.op, name=name))


def mutations(neuron: Neuron) -> Iterator[tuple[str, Neuron]]:
    """(what was done, mutant): one or more of every kind that the model has room for.

    Left out are those that change nothing that can be seen: `hidden` in `corners.search` names the saturations whose
    result no output depends on.
    """
    trace = neuron.datapath.trace
    live = trace.live()
    nodes = trace.nodes

    def one(name: str, index: int, change: Change) -> tuple[str, Neuron]:
        return name, rewritten(neuron, {index: change})

    can = saturations(trace)
    clamps = sorted({index for index, _ in can if index in live and (index, "low") in can and (index, "high") in can})
    for index in (clamps[0], clamps[len(clamps) // 2]):
        yield one(f"saturation {index} dropped", index, wrapped)
    for index in live:
        if isinstance(nodes[index].op, COMPARISONS):
            yield one(f"compare {index}: {nodes[index].op.label} exchanged", index, swapped_compare)
    select = next(i for i in live if isinstance(nodes[i].op, Select))
    yield one(f"select {select}: sides exchanged", select, swapped_operands)
    tables = {nodes[i].op.column: i for i in live if isinstance(nodes[i].op, Lookup)}
    for k, index in tables.items():
        table = nodes[index].op.table
        entry = table.entries // 3
        bit = table.columns[k].q.width - 3 if k else 1
        yield one(f"table {table.name}: bit {bit} of word {entry}, column {k}", index, flipped_word(entry, bit))
    for index in live:
        source = nodes[nodes[index].args[0]] if isinstance(nodes[index].op, (Resize, Wrap)) else None
        if source is not None and not isinstance(source.op, Mul) and rounds(trace, index):
            yield one(f"rounding {index} dropped", index, lambda n, emit, q=source.q: truncated(n, emit, q))
            break
    for index in live:
        node = nodes[index]
        if isinstance(node.op, Sub) and nodes[node.args[1]].op == Const(1):
            yield one(f"{index} counts by two", index, off_by_one)
            break
    registers = {i: nodes[i].op for i in live if isinstance(nodes[i].op, Input)}
    inputs = {register.name: i for i, register in registers.items() if register.kind == "coefficient"}
    a, b = next((a, b) for a in inputs for b in inputs if a < b and nodes[inputs[a]].q == nodes[inputs[b]].q)
    yield f"registers {a} and {b} exchanged", rewritten(neuron, {inputs[a]: read_as(b), inputs[b]: read_as(a)})
    products = [i for i in live if isinstance(nodes[i].op, Mul) and nodes[i].args[0] in registers]
    other = next(i for i in inputs.values() if nodes[i].q.width == nodes[nodes[products[0]].args[0]].q.width
                 and i not in nodes[products[0]].args)  # fmt: skip
    yield one(
        f"product {products[0]} of another register", products[0], lambda n, emit: n._replace(args=(other, n.args[1]))
    )
