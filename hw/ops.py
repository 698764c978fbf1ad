"""The operations of which a trace consists, one small class each, and the function tables that `Lookup` reads.

There are no others: every interpreter of a trace has one rule for each of these types, and a test fails if one is missing.

| operation | operands | result |
|---|---|---|
| `Input` | | the code in a register, which holds a state, a coefficient or the input current |
| `Const` | | a fixed code |
| `Add` `Sub` `Mul` | a, b | exact sum, difference, product; the format grows |
| `Point` | a | a times a power of two: the same code with its binary point moved, which needs no logic |
| `Floor` `Frac` | a | the largest integer that is not above a; a minus that integer, 0 <= frac < 1 |
| `Resize` | a | a rounded half up to the format, then saturated |
| `Wrap` | a | a rounded half up, then reduced to the low bits: only for a cyclic quantity such as a phase |
| `Ge` `Gt` | a, b | 1 if a >= b, or a > b; else 0 |
| `Select` | c, a, b | a if c is 1, else b |
| `Lookup` | z | the word of entry `floor(z)` in one column of a table; an index beyond the table is clamped |
| `Shift` | a, n | a times 2**n, exact, for a bounded integer n |
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from .fixed import Q


@dataclass(frozen=True)
class Column:
    """One column of a table: the format of its words, and the code of the word in each entry."""

    q: Q
    words: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """A table in a memory. A read returns the words of all columns of one entry.

    `function` is the function that the table approximates, whose argument z counts entries.
    """

    name: str
    function: Callable
    columns: tuple[Column, ...]

    @property
    def entries(self) -> int:
        """Number of entries."""
        return len(self.columns[0].words)

    @property
    def width(self) -> int:
        """Bits of one entry."""
        return sum(c.q.width for c in self.columns)


class Operation:
    """Base class. `label` is the name of the operation in signals, drawings and messages."""

    __slots__ = ()
    label: ClassVar[str]


@dataclass(frozen=True, slots=True)
class Input(Operation):
    """The content of a register: its `kind` is "state", "coefficient" or "current"."""

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
    """The operand times 2**power."""

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
    """A word of a table; `column` is the number of the column that is read."""

    label = "table"
    table: Table
    column: int


@dataclass(frozen=True, slots=True)
class Shift(Operation):
    """The first operand times 2**n. `least` is the smallest n that can occur, for which the code stays the same."""

    label = "shift"
    least: int


OPERATIONS = (Input, Const, Add, Sub, Mul, Point, Floor, Frac, Resize, Wrap, Ge, Gt, Select, Lookup, Shift)
RESIZES = (Resize, Wrap)
COMPARISONS = (Ge, Gt)


class Node(NamedTuple):
    """One operation in a trace: its kind, the indices of its operands in the trace, and the format of its result."""

    op: Operation
    args: tuple[int, ...]
    q: Q
