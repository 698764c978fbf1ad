"""The operations of a trace, one small class each, and the tables of words that one of them reads.

The list is closed: every interpreter is a table of rules by these types, and a test says which rule is missing.

| operation | operands | result |
|---|---|---|
| `Input` | | the code in a register: of a state, a coefficient or the input current |
| `Const` | | a fixed code |
| `Add` `Sub` `Mul` | a, b | exact, the format grows |
| `Point` | a | the same code with its binary point moved: times a power of two, free |
| `Floor` `Frac` | a | integer part (towards minus infinity), and what remains, 0 <= frac < 1 |
| `Resize` | a | rounded half up, then saturated |
| `Wrap` | a | rounded half up, then the low bits kept: only for what wraps by meaning, such as a phase |
| `Ge` `Gt` | a, b | 1 or 0 |
| `Select` | c, a, b | a where c is 1, else b |
| `Lookup` | z | word `floor(z)`, index clamped, of one column of a table |
| `Shift` | a, n | a times 2**n, exact, for a bounded integer n |
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from .fixed import Q


@dataclass(frozen=True)
class Column:
    """One word of each entry of a table: its format and its codes."""

    q: Q
    words: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """Columns over the same address, side by side in one memory. `function` is what it stands for, of z in entries."""

    name: str
    function: Callable
    columns: tuple[Column, ...]

    @property
    def entries(self) -> int:
        return len(self.columns[0].words)

    @property
    def width(self) -> int:
        return sum(c.q.width for c in self.columns)


class Operation:
    """The base of all. `label`: what signals, drawings and messages call it."""

    __slots__ = ()
    label: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Input(Operation):
    """`kind`: "state", "coefficient" or "current"; `name`: of the register."""

    label = "input"
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class Const(Operation):
    label = "const"
    code: int


@dataclass(frozen=True, slots=True)
class Add(Operation):
    label = "add"


@dataclass(frozen=True, slots=True)
class Sub(Operation):
    label = "sub"


@dataclass(frozen=True, slots=True)
class Mul(Operation):
    label = "mul"


@dataclass(frozen=True, slots=True)
class Point(Operation):
    """`power`: of two, by which the operand is multiplied."""

    label = "point"
    power: int


@dataclass(frozen=True, slots=True)
class Floor(Operation):
    label = "floor"


@dataclass(frozen=True, slots=True)
class Frac(Operation):
    label = "frac"


@dataclass(frozen=True, slots=True)
class Resize(Operation):
    label = "resize"


@dataclass(frozen=True, slots=True)
class Wrap(Operation):
    label = "resize"


@dataclass(frozen=True, slots=True)
class Ge(Operation):
    label = "ge"


@dataclass(frozen=True, slots=True)
class Gt(Operation):
    label = "gt"


@dataclass(frozen=True, slots=True)
class Select(Operation):
    label = "select"


@dataclass(frozen=True, slots=True)
class Lookup(Operation):
    """`column`: the number of the column that is read."""

    label = "table"
    table: Table
    column: int


@dataclass(frozen=True, slots=True)
class Shift(Operation):
    """`least`: the least distance, at which the code stays as it is."""

    label = "shift"
    least: int


OPERATIONS = (Input, Const, Add, Sub, Mul, Point, Floor, Frac, Resize, Wrap, Ge, Gt, Select, Lookup, Shift)
RESIZES = (Resize, Wrap)
COMPARISONS = (Ge, Gt)


class Node(NamedTuple):
    """One operation in a trace: what it is, the indices of its operands, and the format of its result."""

    op: Operation
    args: tuple[int, ...]
    q: Q
