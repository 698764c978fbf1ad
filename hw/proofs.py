"""What follows from the intervals of a trace: which operations round, which can saturate, which table entries are read.

Interpreters omit work that is proved to be unnecessary, such as a saturation that cannot happen. They all use these
functions, so that all omit the same.
"""

from .interval import Interval, unsaturated
from .ops import Resize
from .trace import Trace


def rounds(trace: Trace, index: int) -> bool:
    """Whether a resize drops fraction bits, so that it has to round."""
    (source,) = trace.formats(index)
    return source.f_bits > trace.nodes[index].q.f_bits


def before_saturation(trace: Trace, index: int) -> Interval:
    """Bounds of the rounded code in a resize, before it saturates or wraps."""
    (arg,) = trace.nodes[index].args
    return unsaturated(trace.nodes[index].q, trace.nodes[arg].q, trace.intervals[arg])


def overflows(trace: Trace, index: int) -> tuple[bool, bool]:
    """Whether a resize can receive a value below the range of its format, and whether it can receive one above."""
    q, (lo, hi) = trace.nodes[index].q, before_saturation(trace, index)
    return lo < q.lo, hi > q.hi


def saturations(trace: Trace) -> list[tuple[int, str]]:
    """All saturations that can happen, as (index of the resize, "low" or "high")."""
    return [
        (index, side)
        for index, node in enumerate(trace.nodes)
        if isinstance(node.op, Resize)
        for side, can in zip(("low", "high"), overflows(trace, index), strict=True)
        if can
    ]


def entries_asked(trace: Trace, index: int) -> Interval:
    """The smallest and the largest index that a lookup can have, before it is clamped to the entries of the table."""
    (arg,) = trace.nodes[index].args
    lo, hi = trace.intervals[arg]
    return lo >> trace.nodes[arg].q.f_bits, hi >> trace.nodes[arg].q.f_bits


def distance_bits(trace: Trace, index: int) -> int:
    """The number of bits that hold the distance of a shift, minus the smallest distance."""
    lo, hi = trace.intervals[trace.nodes[index].args[1]]
    return (hi - lo).bit_length()
