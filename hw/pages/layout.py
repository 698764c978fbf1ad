"""Places the operations of a trace in its drawing: clocks from left to right, rows chosen so that wires are short.

Horizontal positions are counted in half clocks: clock t is 2 t + 1, and 2 t is the channel before it, in which wires turn.
A slot (row, half clock) belongs to one box or one wire, so that only turns of wires can cross other things.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from spikefab.hw import ops
from spikefab.hw.lowering.schedule import Schedule, schedule, wired
from spikefab.hw.trace import Trace

SOURCES = (ops.Input, ops.Const)  # operations that are not placed at a clock
NEAR = 2  # a register that is read after this clock is drawn as a name at its reader, without a wire
TALL = 3  # rows of a box, without the free row below it
SIDES = ((), (1,), (0, 2), (0, 1, 2))  # the rows of a box in which its 0, 1, 2 or 3 wires end
PASSES = 30  # most passes of moving boxes and wires to better rows
REACH = 14  # rows by which a box or a wire may move in one pass
TURN = 1.5  # cost of a turn of a wire, in rows of length


class Port(NamedTuple):
    """An operand of a box: a node, and the operations without logic (`wires`) between the two, the last one first."""

    source: int
    wires: tuple[int, ...]


@dataclass(eq=False)
class Box:
    """A box of the drawing: consecutive operations from half clock `start` to `stop`.

    `ports` are the operands, `outs` the nodes whose results are read by other boxes.
    """

    nodes: tuple[int, ...]
    start: int
    stop: int
    ports: tuple[Port, ...] = ()
    outs: tuple[int, ...] = ()
    name: str = ""  # name of the output, if the box is one
    row: int = 0

    def port_rows(self) -> list[int]:
        """The rows in which the wires of the operands end."""
        return self._rows(len(self.ports))

    def out_rows(self) -> list[int]:
        """The rows in which the wires of the results start."""
        return self._rows(len(self.outs))

    def _rows(self, count: int) -> list[int]:
        return [self.row + k for k in SIDES[count]] if self.tall else [self.row] * count

    @property
    def tall(self) -> bool:
        """Whether the box computes something and is drawn high; inputs and outputs are only names."""
        return bool(self.ports and self.outs)


@dataclass(eq=False)
class Wire:
    """The wire from a node to all boxes that read it. It runs along `row` and turns in channels."""

    node: int
    source: Box
    readers: list[tuple[Box, int]] = field(default_factory=list)
    row: int = 0

    @property
    def ends(self) -> tuple[int, int]:
        """The first and the last channel of the wire."""
        return self.source.stop, max(box.start for box, _ in self.readers)

    def turns(self) -> dict[int, list[int]]:
        """channel -> rows that the wire connects there."""
        first, last = self.ends
        rows = {first: [self.source.out_rows()[self.source.outs.index(self.node)]]}
        for box, port in self.readers:
            rows.setdefault(box.start, []).append(box.port_rows()[port])
        if last > first:
            for found in rows.values():
                found.append(self.row)
        return rows

    def cost(self) -> float:
        """Length of the vertical parts, in rows, plus the cost of the turns."""
        spans = [max(rows) - min(rows) for rows in self.turns().values()]
        return sum(spans) + TURN * sum(span > 0 for span in spans)


class Layout:
    """The drawing: boxes and wires with their places. It is `rows` high and `length` clocks wide."""

    def __init__(self, trace: Trace):
        self.trace = trace
        self.plan: Schedule = schedule(trace)
        self.length = self.plan.length
        self.boxes = [*self._operations()]
        self.boxes += self._outputs()
        self.wires = self._wires()
        self.boxes[:0] = [wire.source for wire in self.wires if not wire.source.ports]
        self._cells: dict[tuple[int, int], list] = {}
        self._place()
        self._squeeze()

    # -- boxes and wires -------------------------------------------------------------------------------------------

    def is_wire(self, index: int) -> bool:
        """Whether an operation needs no logic, so that it is not drawn as a box."""
        return wired(self.trace, index)

    def port(self, index: int) -> Port:
        """The node behind an operand, and the operations without logic on the way to it."""
        wires = []
        while self.is_wire(index):
            wires.append(index)
            (index,) = self.trace.nodes[index].args
        return Port(index, tuple(wires))

    def is_tag(self, box: Box, port: Port) -> bool:
        """Whether a port is drawn as a name or a number in place of a wire."""
        op = self.trace.nodes[port.source].op
        return isinstance(op, ops.Const) or (isinstance(op, ops.Input) and box.start > 2 * NEAR)

    def _operations(self) -> Iterator[Box]:
        """The boxes of operations. A resize is drawn in the box of the operation whose result only it reads."""
        nodes, users = self.trace.nodes, self.trace.users()
        kept = set(self.trace.outputs.values())

        def alone(i: int) -> bool:
            return len(users[i]) == 1 and i not in kept

        chains: dict[object, list[int]] = {}
        for i in self.trace.live():
            node = nodes[i]
            if isinstance(node.op, SOURCES) or self.is_wire(i):
                continue
            if isinstance(node.op, ops.Lookup):  # lookups of several columns of one entry are one memory, so one box
                chains.setdefault((node.op.table, node.args), []).append(i)
            elif isinstance(node.op, ops.RESIZES) and node.args[0] in chains and alone(node.args[0]):
                chains[i] = [*chains.pop(node.args[0]), i]
            else:
                chains[i] = [i]
        for chain in chains.values():
            head, last = nodes[chain[0]], chain[-1]
            yield Box(
                tuple(chain),
                2 * self.plan.start[chain[0]],
                2 * self.plan.ready[last],
                tuple(self.port(a) for a in head.args),
                tuple(chain) if isinstance(head.op, ops.Lookup) else (last,),
            )

    def _outputs(self) -> Iterator[Box]:
        for name, index in self.trace.outputs.items():
            end = 2 * self.length
            yield Box((), end, end, (self.port(index),), name=name)

    def _wires(self) -> list[Wire]:
        made = {node: box for box in self.boxes for node in box.outs}
        wires: dict[int, Wire] = {}
        for box in self.boxes:
            for k, port in enumerate(box.ports):
                if self.is_tag(box, port):
                    continue
                if port.source not in wires:
                    source = made.get(port.source) or Box((port.source,), 0, 0, outs=(port.source,))
                    wires[port.source] = Wire(port.source, source)
                wires[port.source].readers.append((box, k))
        return list(wires.values())

    # -- their places -----------------------------------------------------------------------------------------

    def _claims(self, item: Box | Wire) -> Iterator[tuple[int, int, object]]:
        """The slots that a box or a wire covers, as (row, half clock, owner)."""
        if isinstance(item, Wire):
            first, last = item.ends
            for at in range(first, last + 1) if last > first else ():
                yield item.row, at, item.node
            return
        if item.tall:
            columns = range(item.start + 1, item.stop)
        else:
            columns = range(-1, 0) if item.outs else range(item.stop + 1, item.stop + 2)
        for row in range(item.row, item.row + (TALL + 1 if item.tall else 2)):
            for at in columns:
                yield row, at, item
        for row, port in zip(item.port_rows(), item.ports, strict=False):
            if self.is_tag(item, port):
                yield row, item.start - 1, item
                yield row, item.start, item
            else:
                yield row, item.start, port.source
        for row, out in zip(item.out_rows(), item.outs, strict=False):
            yield row, item.stop, out

    def _fits(self, item: Box | Wire) -> bool:
        """Whether all slots of an item are free."""
        return all(
            row >= 0 and ((row, at) not in self._cells or self._cells[row, at][0] == owner)
            for row, at, owner in self._claims(item)
        )

    def _take(self, item: Box | Wire) -> None:
        """Occupy the slots of an item."""
        for row, at, owner in self._claims(item):
            self._cells.setdefault((row, at), [owner, 0])[1] += 1

    def _leave(self, item: Box | Wire) -> None:
        """Free the slots of an item."""
        for row, at, _ in self._claims(item):
            cell = self._cells[row, at]
            cell[1] -= 1
            if not cell[1]:
                del self._cells[row, at]

    def _settle(self, item: Box | Wire, wanted: int) -> None:
        """Place an item in the free row nearest to the wanted one."""
        for k in range(1000):
            item.row = wanted + (k + 1) // 2 * (-1 if k % 2 else 1)
            if self._fits(item):
                self._take(item)
                return
        raise AssertionError("the drawing has no free row")

    def _place(self) -> None:
        """Place all boxes and wires, then move them until no move makes the wires shorter."""
        around: dict[int, list[Wire]] = {id(box): [] for box in self.boxes}
        for wire in self.wires:
            for box in {id(b): b for b in (wire.source, *(b for b, _ in wire.readers))}.values():
                around[id(box)].append(wire)
        sources = {wire.node: wire for wire in self.wires}
        first = 0
        for box in sorted(self.boxes, key=lambda b: (b.start, bool(b.outs))):
            fed = [sources[p.source].row for p in box.ports if p.source in sources and not self.is_tag(box, p)]
            if not box.ports:
                self._settle(box, first)
                first = box.row + TALL
            else:
                self._settle(box, round(sum(fed) / len(fed)) - 1 if fed else 0)
            for wire, row in (
                (sources[o], row) for o, row in zip(box.outs, box.out_rows(), strict=True) if o in sources
            ):
                self._settle(wire, row)
        items: list[Box | Wire] = [*self.boxes, *(w for w in self.wires if w.ends[0] < w.ends[1])]
        for _ in range(PASSES):
            moved = [self._improve(item, around.get(id(item)) or [item]) for item in items]  # type: ignore[list-item]
            if not any(moved):
                break

    def _improve(self, item: Box | Wire, wires: list[Wire]) -> bool:
        """Move an item to the row in reach in which the wires around it are shortest. Returns whether it moved."""
        self._leave(item)
        start = item.row
        best = (sum(w.cost() for w in wires), 0, start)
        for k in range(1, 2 * REACH + 1):
            item.row = start + (k + 1) // 2 * (-1 if k % 2 else 1)
            cost = sum(w.cost() for w in wires)
            if cost < best[0] and self._fits(item):
                best = cost, k, item.row
        item.row = best[2]
        self._take(item)
        return item.row != start

    def _squeeze(self) -> None:
        """Remove empty rows."""
        used = sorted({row for row, _ in self._cells})
        index = {row: k for k, row in enumerate(used)}
        items: list[Box | Wire] = [*self.boxes, *self.wires]
        for item in items:
            item.row = index.get(item.row, 0)
        self.rows = len(used)
