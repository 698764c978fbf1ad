"""What the intervals of a trace prove of its operations: what rounds, what can saturate, which entries are read.

Every interpreter that leaves something out because it cannot happen asks here, so that all leave out the same.
"""

from .interval import Interval, unsaturated
from .ops import Resize
from .trace import Trace


def rounds(trace: Trace, index: int) -> bool:
    """Whether a resize loses fraction bits."""
    (source,) = trace.formats(index)
    return source.f_bits > trace.nodes[index].q.f_bits


def before_saturation(trace: Trace, index: int) -> Interval:
    """Bounds of what a resize would hold, rounded, before it saturates or wraps."""
    (arg,) = trace.nodes[index].args
    return unsaturated(trace.nodes[index].q, trace.nodes[arg].q, trace.intervals[arg])


def overflows(trace: Trace, index: int) -> tuple[bool, bool]:
    """Whether a resize can meet a value below its format, and one above."""
    q, (lo, hi) = trace.nodes[index].q, before_saturation(trace, index)
    return lo < q.lo, hi > q.hi


def saturations(trace: Trace) -> list[tuple[int, str]]:
    """Every saturation that can happen: (index of the resize, "low" or "high")."""
    return [
        (index, side)
        for index, node in enumerate(trace.nodes)
        if isinstance(node.op, Resize)
        for side, can in zip(("low", "high"), overflows(trace, index), strict=True)
        if can
    ]


def entries_asked(trace: Trace, index: int) -> Interval:
    """The least and the greatest entry that a lookup asks for, before both are clamped to those that its table has."""
    (arg,) = trace.nodes[index].args
    lo, hi = trace.intervals[arg]
    return lo >> trace.nodes[arg].q.f_bits, hi >> trace.nodes[arg].q.f_bits


def distance_bits(trace: Trace, index: int) -> int:
    """Bits of a shift's distance, counted from its least value."""
    lo, hi = trace.intervals[trace.nodes[index].args[1]]
    return (hi - lo).bit_length()
