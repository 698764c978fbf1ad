"""Draws the data flow of a trace as SVG. The horizontal axis is the clock of the schedule."""

from collections.abc import Callable
from html import escape
from typing import NamedTuple

from spikefab.hw import ops
from spikefab.hw.datapath import Datapath
from spikefab.hw.proofs import overflows

from .layout import Box, Layout, Port, Wire

ROW = 10  # height of a row, pixels
CLOCK = 40  # width of a clock, pixels
TRACK = 4  # distance of wires that turn in the same channel, pixels
SIDE = 70  # margin on the left and right, pixels
TOP = 34  # margin above, pixels
BELOW = 40  # margin below, pixels
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
PLAIN = "#dfe6ee"  # fill of boxes that have no colour of their own
# kind of register: its colour
KINDS = {"state": "#30638e", "coefficient": "#6b7280", "current": "#2e7d4f"}
# colours of wires with computed values, in turn
COMPUTED = ("#7d8fb3", "#b38f6a", "#7fa38a", "#a583a8", "#5f9ea8")
PAPER = "#fbfbf9"  # colour of the background
INK = "#1f2933"  # colour of lines and text
FAINT = "#c9ced6"  # colour of thin lines
FONT = "ui-sans-serif, system-ui, 'DejaVu Sans', Arial, sans-serif"


class Look(NamedTuple):
    """How a type of operation is drawn: as a box, or as a text beside a wire if it needs no logic.

    sign     (operation, format of the result) -> text in the box
    fill     colour of the box
    ink      colour of the text in it
    largest  largest font size of the text, pixels
    change   operation -> text beside the wire
    """

    sign: Callable[..., str] = lambda op, q: ""
    fill: str = PLAIN
    ink: str = INK
    largest: float = 13
    change: Callable[..., str] = lambda op: op.label


def _sign(text: str) -> Look:
    return Look(lambda op, q: text)


LOOKS: dict[type[ops.Operation], Look] = {
    ops.Input: Look(lambda op, q: op.name),
    ops.Const: Look(lambda op, q: f"{op.code * q.lsb:.4g}"),
    ops.Add: _sign("+"),
    ops.Sub: _sign("−"),
    ops.Mul: Look(lambda op, q: "×", "#d1495b", PAPER),
    ops.Point: Look(change=lambda op: "×2" + str(op.power).translate(SUPERSCRIPTS)),
    ops.Floor: Look(),
    ops.Frac: Look(),
    ops.Resize: Look(lambda op, q: str(q), "#ffffff", largest=8, change=lambda op: ""),
    ops.Wrap: Look(lambda op, q: str(q), "#ffffff", largest=8, change=lambda op: "wrap"),
    ops.Ge: _sign("≥"),
    ops.Gt: _sign(">"),
    ops.Select: _sign("?"),
    ops.Lookup: Look(lambda op, q: op.table.name, "#edae49", largest=8),
    ops.Shift: _sign("≪"),
}
LEGEND = (
    ("state", KINDS["state"]),
    ("coefficient", KINDS["coefficient"]),
    ("input current", KINDS["current"]),
)


def draw(dp: Datapath) -> str:
    """The data flow as an SVG document. It shows names and formats; pointing at an operation shows number and interval."""
    return _Drawing(Layout(dp.trace), f"{dp.model.__name__}, word {dp.word}, dt {dp.dt:g} ms").text()


class _Drawing:
    """Draws a layout: gives rows and channels their coordinates and writes the SVG elements."""

    def __init__(self, layout: Layout, title: str):
        self.layout, self.trace, self.title = layout, layout.trace, title
        self.tracks = self._tracks()
        self.left: list[float] = []  # x of the left side of each channel
        self.right: list[float] = []  # x of the right side of each channel
        x = float(SIDE)
        for t in range(layout.length + 1):
            self.left.append(x)
            x += 8 + TRACK * (1 + max((k for (at, _), k in self.tracks.items() if at == 2 * t), default=-1))
            self.right.append(x)
            x += CLOCK
        self.width = self.right[-1] + SIDE
        self.height = TOP + ROW * layout.rows + BELOW

    def _tracks(self) -> dict[tuple[int, int], int]:
        """(channel, node) -> track of the channel in which a wire turns. Wires that come from the left turn first."""
        found: dict[tuple[int, int], int] = {}
        turns: dict[int, list[tuple[bool, int, int, int]]] = {}
        for wire in self.layout.wires:
            for at, rows in wire.turns().items():
                if min(rows) < max(rows):
                    turns.setdefault(at, []).append((at != wire.source.stop, min(rows), max(rows), wire.node))
        for at, several in turns.items():
            ends: list[list[tuple[int, int]]] = []
            for _, low, high, node in sorted(several):
                free = (k for k, track in enumerate(ends) if all(high < a or low > b for a, b in track))
                k = next(free, len(ends))
                if k == len(ends):
                    ends.append([])
                ends[k].append((low, high))
                found[at, node] = k
        return found

    # -- the parts -----------------------------------------------------------------------------------------------

    def text(self) -> str:
        wires = [self._wire(wire) for wire in self.layout.wires]
        boxes = [part for box in self.layout.boxes for part in self._box(box)]
        return "\n".join(
            [
                f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width:g}" height="{self.height:g}" '
                f'viewBox="0 0 {self.width:g} {self.height:g}" font-family="{FONT}" font-size="9" fill="{INK}">',
                f"<title>{escape(self.title)}</title>",
                f'<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>',
                *self._ruler(),
                '<g fill="none" stroke-width="1.2" stroke-linejoin="round">',
                *wires,
                "</g>",
                *boxes,
                *self._legend(),
                "</svg>",
                "",
            ]
        )

    def y(self, row: int) -> float:
        return TOP + ROW * (row + 0.5)

    def _ruler(self) -> list[str]:
        ticks = [t for t in range(self.layout.length + 1) if t % 5 == 0 or t == self.layout.length]
        return [f'<text x="{SIDE - 8}" y="16" text-anchor="end" fill="{KINDS["coefficient"]}">clock</text>'] + [
            f'<text x="{(self.left[t] + self.right[t]) / 2:g}" y="16" text-anchor="middle" '
            f'fill="{KINDS["coefficient"]}">{t}</text>'
            for t in ticks
        ]

    def _wire(self, wire: Wire) -> str:
        """One wire with all its turns."""
        first, last = wire.ends
        turns = wire.turns()
        x = {at: self.left[at // 2] + 4 + TRACK * self.tracks.get((at, wire.node), 0) for at in turns}
        out = wire.source.out_rows()[wire.source.outs.index(wire.node)]
        path = [f"M{self.left[first // 2]:g} {self.y(out):g}H{x[first]:g}"]
        dots = []
        if last > first:
            path.append(f"M{x[first]:g} {self.y(wire.row):g}H{x[last]:g}")
        for at, rows in turns.items():
            if min(rows) < max(rows):
                path.append(f"M{x[at]:g} {self.y(min(rows)):g}V{self.y(max(rows)):g}")
            inner = {r for r in rows if min(rows) < r < max(rows)} | ({wire.row} if first < at < last else set())
            dots += [
                f'<circle cx="{x[at]:g}" cy="{self.y(r):g}" r="1.8" fill="{self._colour(wire.node)}"/>' for r in inner
            ]
        for box, port in wire.readers:
            y = self.y(box.port_rows()[port])
            path.append(f"M{x[box.start]:g} {y:g}H{self.right[box.start // 2]:g}")
        group = f'<g stroke="{self._colour(wire.node)}">{self._about(wire.node)}'
        return f'{group}<path d="{"".join(path)}"/>{"".join(sorted(dots))}</g>'

    def _colour(self, index: int) -> str:
        op = self.trace.nodes[index].op
        return KINDS[op.kind] if isinstance(op, ops.Input) else COMPUTED[index % len(COMPUTED)]

    def _box(self, box: Box) -> list[str]:
        """One box with its operations and ports."""
        ports = [self._port(box, port, row) for port, row in zip(box.ports, box.port_rows(), strict=True)]
        if not box.tall:
            return [self._name(box), *ports]
        top, height = self.y(box.row) - ROW / 2, 3 * ROW
        parts = []
        edge = self.right[box.start // 2]
        of_table = isinstance(self.trace.nodes[box.nodes[0]].op, ops.Lookup)
        for index in box.nodes[:1] if of_table else box.nodes:
            stop = self.left[self.layout.plan.ready[index]] if index != box.nodes[-1] else self.left[box.stop // 2]
            parts.append(self._part(index, edge, top, stop - edge, height))
            edge = stop
        return [*parts, *ports]

    def _part(self, index: int, x: float, y: float, width: float, height: float) -> str:
        """One operation within a box."""
        op, _, q = self.trace.nodes[index]
        look = LOOKS[type(op)]
        label = look.sign(op, q)
        size = round(min(look.largest, (width - 3) / (0.55 * max(1, len(label)))), 1)
        weight = ' font-weight="bold" fill="#ffffff"' if isinstance(op, ops.Mul) else ""
        clamps = isinstance(op, ops.Resize) and any(overflows(self.trace, index))
        bar = f'<path d="M{x + width - 1.5:g} {y:g}v{height:g}" stroke="{INK}" stroke-width="3"/>' if clamps else ""
        return (
            f'<g>{self._about(index)}<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}" '
            f'fill="{look.fill}" stroke="{INK}" stroke-width="0.6"/>{bar}'
            f'<text x="{x + width / 2:g}" y="{y + height / 2 + round(size / 2.9):g}" '
            f'text-anchor="middle" font-size="{size:g}"{weight}>{escape(label)}</text></g>'
        )

    def _port(self, box: Box, port: Port, row: int) -> str:
        """A name or number in place of a wire; inside the box, what happens to the binary point before the operation."""
        x, right, y = self.left[box.start // 2], self.right[box.start // 2], self.y(row)
        drawn = []
        node, wires = self.trace.nodes[port.source], [self.trace.nodes[index] for index in reversed(port.wires)]
        if isinstance(node.op, ops.Const) and all(isinstance(wire.op, ops.Point) for wire in wires):
            # a constant with its point moved is shown as one number
            node, wires = (wires or [node])[-1]._replace(op=node.op), []
        if self.layout.is_tag(box, port):
            name = LOOKS[type(node.op)].sign(node.op, node.q)
            colour = self._colour(port.source) if isinstance(node.op, ops.Input) else INK
            drawn.append(
                f'<g>{self._about(port.source)}<path d="M{x:g} {y:g}H{right:g}" stroke="{colour}" stroke-width="1.2"/>'
                f'<text x="{x - 1:g}" y="{y + 2:g}" text-anchor="end" font-size="8.5" fill="{colour}">{escape(name)}'
                "</text></g>"
            )
        change = " ".join(text for text in (LOOKS[type(wire.op)].change(wire.op) for wire in wires) if text)
        if change:
            below = -6 if len(box.ports) == 1 else 2.5
            colour = LOOKS[type(self.trace.nodes[box.nodes[0]].op)].ink
            drawn.append(
                f'<text x="{right + 2:g}" y="{y + below:g}" font-size="6.5" fill="{colour}">{escape(change)}</text>'
            )
        return "".join(drawn)

    def _name(self, box: Box) -> str:
        """The name of an input or output of the model, at the side of the drawing."""
        y = self.y(box.row)
        if box.outs:
            register = self.trace.nodes[box.outs[0]].op
            assert isinstance(register, ops.Input)
            kind, name = register.kind, register.name
            x, about = 6.0, self._about(box.outs[0])
            colour, width = KINDS[kind], SIDE - 6.0
        else:
            name = box.name.replace(".", "o_")
            x, about = self.right[-1], self._about(box.ports[0].source)
            colour, width = (INK if "." in box.name else KINDS["state"]), SIDE - 6.0
        return (
            f'<g>{about}<rect x="{x:g}" y="{y - 6:g}" width="{width:g}" height="12" rx="3" fill="{colour}"/>'
            f'<text x="{x + width / 2:g}" y="{y + 3.2:g}" text-anchor="middle" fill="#ffffff">{escape(name)}</text></g>'
        )

    def _about(self, index: int) -> str:
        """The text that a browser shows when the pointer is on an operation."""
        node, (low, high) = self.trace.nodes[index], self.trace.intervals[index]
        name = node.op.label
        if isinstance(node.op, ops.Input):
            name = f"{node.op.kind} {node.op.name}"
        elif isinstance(node.op, ops.Lookup):
            name = f"table {node.op.table.name}, column {node.op.column}"
        ends = f"{low * node.q.lsb:.6g} .. {high * node.q.lsb:.6g}"
        return f"<title>{escape(f'#{index} {name}: {node.q}, {ends}')}</title>"

    def _legend(self) -> list[str]:
        y, x, parts = self.height - 14, 8.0, []
        for name, colour in LEGEND:
            parts.append(f'<rect x="{x:g}" y="{y - 8:g}" width="9" height="9" rx="2" fill="{colour}"/>')
            parts.append(f'<text x="{x + 13:g}" y="{y:g}">{name}</text>')
            x += 13 + 5.2 * len(name) + 12
        text = "Q(i, f): what is rounded to it; bar: can saturate. Upper operand first; ? takes the second where the first is 1."
        parts.append(f'<text x="{x:g}" y="{y:g}">{text}</text>')
        return parts
