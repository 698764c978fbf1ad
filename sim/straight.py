"""Turns the functions of a trace into one Python function without loops, because most of a step's time would be theirs.

Each operation is a line, `n7 = f7(n3, n5)`, or `n7 = n3 + n5` where its function is an operator of Python.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

INFIX: Mapping[Any, str] = {
    operator.add: "+", operator.sub: "-", operator.mul: "*", operator.ge: ">=", operator.gt: ">"
}  # fmt: skip


def straight(
    inputs: Mapping[int, int], operations: Sequence[tuple[int, Callable, Sequence[int]]], wanted: Sequence[int | None]
) -> Callable[[Sequence[Any]], list[Any]]:
    """The function that computes operations from a sequence of register contents, and returns a list of some results.

    inputs      index of an operation that reads a register -> the register's place in the sequence
    operations  index, function and indices of the operands of all others, each after its operands
    wanted      indices of the results that are returned; None for a result that is None
    """
    lines = [f"n{index} = registers[{place}]" for index, place in inputs.items()]
    for index, function, args in operations:
        names = [f"n{a}" for a in args]
        value = f" {INFIX[function]} ".join(names) if function in INFIX else f"f{index}({', '.join(names)})"
        lines.append(f"n{index} = {value}")
    returned = ", ".join("None" if index is None else f"n{index}" for index in wanted)
    source = "\n    ".join(["def run(registers):", *lines, f"return [{returned}]"])
    space: dict[str, Any] = {f"f{index}": function for index, function, _ in operations}
    exec(compile(source, "<the operations of a trace>", "exec"), space)
    return space["run"]
