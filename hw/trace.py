"""The trace: the equations of a model as a short list of typed integer operations.

A model's method `equations` runs once on symbolic values (`Value`), which record each operation in this list. The types of
operations are in `ops`. Every interpreter reads the list: the exact reference, the compiled kernel, the float64 ideal, the
interval analysis, the cost estimate, and the translation to hardware.
"""

from dataclasses import dataclass, fields

from . import ops
from .fixed import Q
from .interval import Interval, interval_of

BOOL = Q(2, 0)  # format of the results 0 and 1 of a comparison; signed, as all formats
EXACT_BITS = 53  # bits of the largest integer that the batch kernel, which computes in float64, holds exactly


class Trace:
    """The list of operations (`nodes`), the interval of each, and the indices of the outputs by name."""

    def __init__(self, word: int):
        self.word = word
        self.nodes: list[ops.Node] = []
        self.intervals: list[Interval] = []
        self.outputs: dict[str, int] = {}
        self._seen: dict[ops.Node, int] = {}

    def add(self, op: ops.Operation, args: tuple["Value", ...], q: Q, known: Interval | None = None) -> "Value":
        """Append an operation, or find the same one in the list, and prove that its result fits its format `q`.

        `known` are tighter bounds of the result than the analysis finds, for operands that depend on each other.
        """
        node = ops.Node(op, tuple(a.index for a in args), q)
        index = self._seen.get(node)
        if index is None:
            bounds = interval_of(node, [a.q for a in args], [self.intervals[a] for a in node.args])
            if known is not None:
                bounds = max(bounds[0], known[0]), min(bounds[1], known[1])
            if bounds[0] < q.lo or bounds[1] > q.hi:
                raise AssertionError(f"{op.label} reaches {bounds}, outside {q}")
            if max(-bounds[0], bounds[1]) >> EXACT_BITS:
                raise AssertionError(f"{op.label} needs more than {EXACT_BITS} bits: resize its operands first")
            index = self._seen[node] = len(self.nodes)
            self.nodes.append(node)
            self.intervals.append(bounds)
        return Value(self, index)

    def input(self, kind: str, name: str, q: Q) -> "Value":
        return self.add(ops.Input(kind, name), (), q)

    def const(self, value: float) -> "Value":
        """A constant. Raises ValueError if it has no exact code with at most 30 fraction bits."""
        f_bits = next((f for f in range(31) if float(value) * 2**f == int(value * 2**f)), None)
        if f_bits is None:
            raise ValueError(f"{value} is not a multiple of 2**-30: make it a coefficient")
        code = int(value * 2**f_bits)
        return self.add(ops.Const(code), (), Q(max(code.bit_length() + 1 - f_bits, 1 - f_bits), f_bits))

    def formats(self, index: int) -> list[Q]:
        """The formats of an operation's operands."""
        return [self.nodes[a].q for a in self.nodes[index].args]

    def lines(self) -> list[str]:
        """One line of text per operation. Two traces have the same lines if and only if they compute the same integers."""
        said = []
        for op, args, q in self.nodes:
            attributes = [getattr(op, f.name) for f in fields(op)]  # type: ignore[arg-type]
            if isinstance(op, ops.Lookup):
                attributes[0] = op.table.columns
            elif isinstance(op, ops.Wrap):
                attributes = ["wrap"]
            said.append(repr((op.label, args, q, attributes[0] if len(attributes) == 1 else tuple(attributes) or None)))
        return said

    def live(self) -> list[int]:
        """Indices, ascending, of the operations on which an output depends."""
        wanted = set(self.outputs.values())
        for index in reversed(range(len(self.nodes))):
            if index in wanted:
                wanted.update(self.nodes[index].args)
        return sorted(wanted)

    def users(self) -> dict[int, list[int]]:
        """For each live operation (see `live`), the live operations that read its result."""
        live = self.live()
        users: dict[int, list[int]] = {i: [] for i in live}
        for i in live:
            for arg in self.nodes[i].args:
                users[arg].append(i)
        return users


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A symbolic number. Arithmetic on it adds operations to the trace."""

    trace: Trace
    index: int

    @property
    def q(self) -> Q:
        return self.trace.nodes[self.index].q

    def _lift(self, other: "Value | float") -> "Value":
        return other if isinstance(other, Value) else self.trace.const(other)

    def __bool__(self) -> bool:
        raise TypeError(
            "a traced value has no truth value: equations run once, for all values. Write select(condition, a, b) "
            "instead of `if`, and nest selects instead of `and`, `or`."
        )

    def __add__(self, other: "Value | float") -> "Value":
        return self._sum(ops.Add(), self, self._lift(other))

    def __sub__(self, other: "Value | float") -> "Value":
        return self._sum(ops.Sub(), self, self._lift(other))

    def __radd__(self, other: float) -> "Value":
        return self._lift(other) + self

    def __rsub__(self, other: float) -> "Value":
        return self._lift(other) - self

    def __neg__(self) -> "Value":
        return 0 - self

    @staticmethod
    def _sum(op: ops.Operation, a: "Value", b: "Value") -> "Value":
        q = Q(max(a.q.i_bits, b.q.i_bits) + 1, max(a.q.f_bits, b.q.f_bits))
        return a.trace.add(op, (a, b), q)

    def __mul__(self, other: "Value") -> "Value":
        for operand in (self, other):
            if operand.q.width > self.trace.word:
                raise AssertionError(f"a factor of {operand.q} is wider than the word of {self.trace.word}: resize it")
        q = Q(self.q.i_bits + other.q.i_bits, self.q.f_bits + other.q.f_bits)
        return self.trace.add(ops.Mul(), (self, other), q)

    def __rmul__(self, other: float) -> "Value":
        raise TypeError(f"{other} * value: make the number a coefficient, or move the point by times2")

    def __ge__(self, other: "Value | float") -> "Value":
        return self.trace.add(ops.Ge(), (self, self._lift(other)), BOOL)

    def __gt__(self, other: "Value | float") -> "Value":
        return self.trace.add(ops.Gt(), (self, self._lift(other)), BOOL)

    def __le__(self, other: "Value | float") -> "Value":
        return self._lift(other) >= self

    def __lt__(self, other: "Value | float") -> "Value":
        return self._lift(other) > self

    def resize(self, q: Q) -> "Value":
        """The value rounded half up to the format `q`, then saturated."""
        return self if q == self.q else self.trace.add(ops.Resize(), (self,), q)

    def wrap(self, q: Q) -> "Value":
        """The value rounded half up to the format `q`, then reduced to its low bits: only for cyclic quantities such as a phase."""
        return self.trace.add(ops.Wrap(), (self,), q)

    def word(self, span: float) -> "Value":
        """The value resized to one word with the range -span..span; span is a power of two."""
        return self.resize(Q.covering(span, self.trace.word))

    def like(self, other: "Value") -> "Value":
        """The value resized to the format of another value."""
        return self.resize(other.q)

    def times2(self, power: int) -> "Value":
        """The value times 2**power. Only the binary point moves, so that it needs no logic."""
        return self.trace.add(ops.Point(power), (self,), Q(self.q.i_bits + power, self.q.f_bits - power))

    def floor(self) -> "Value":
        return self.trace.add(ops.Floor(), (self,), Q(max(self.q.i_bits, 1), 0))

    def frac(self) -> "Value":
        return self.trace.add(ops.Frac(), (self,), Q(1, self.q.f_bits))

    def shift(self, n: "Value") -> "Value":
        """The value times 2**n for an integer n. The format has room for the exact result with every n that can occur."""
        n_lo, n_hi = self.trace.intervals[n.index]
        if n.q.f_bits != 0:
            raise AssertionError(f"a shift distance is an integer, not {n.q}")
        if n_lo == n_hi:
            return self.times2(n_lo)
        return self.trace.add(ops.Shift(n_lo), (self, n), Q(self.q.i_bits + n_hi, self.q.f_bits - n_lo))


def select(condition: Value, a: Value | float, b: Value | float) -> Value:
    """`a` if the condition is 1, else `b`. Both are always computed."""
    a, b = condition._lift(a), condition._lift(b)
    q = Q(max(a.q.i_bits, b.q.i_bits), max(a.q.f_bits, b.q.f_bits))
    return condition.trace.add(ops.Select(), (condition, a, b), q)
