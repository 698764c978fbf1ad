"""Every interpreter has a rule for every operation, and names the one that it lacks."""

from dataclasses import dataclass

import pytest

from spikefab.hw import interval, ops
from spikefab.hw.lowering import cost, schedule, shared
from spikefab.hw.pages import description, drawing
from spikefab.sim import coverage, ideal, ideal_kernel, integer_statements, reference

TABLES = {
    "interval analysis": interval.RULES,
    "reference": reference.RULES,
    "float64 ideal": ideal.RULES,
    "statements of the batch kernel": integer_statements.RULES,
    "statements of the compiled ideal": ideal_kernel.RULES,
    "clocks of the schedule": schedule.CLOCKS,
    "shared-multiplier hardware": shared.RULES,
    "cost": cost.COUNTED,
    "coverage": coverage.CASES,
    "data-flow drawing": drawing.LOOKS,
    "operations in words": description.WORDED,
}


def lacking(operations) -> list[str]:
    """What is missing from which table, and what is in one that is no operation."""
    return [
        f"{table} has {'no' if operation in operations else 'a stray'} rule for {operation.__name__}"
        for table, rules in TABLES.items()
        for operation in {*operations} ^ {*rules}
    ]


def test_every_interpreter_has_a_rule_for_every_operation():
    assert not lacking(ops.OPERATIONS)


def test_operations_are_all_that_there_are():
    """A class that is not listed would have a rule nowhere."""
    classes = {c for c in vars(ops).values() if isinstance(c, type) and issubclass(c, ops.Operation)}
    assert {*ops.OPERATIONS} == classes - {ops.Operation}


def test_an_operation_that_is_added_is_missing_everywhere():
    @dataclass(frozen=True)
    class Absolute(ops.Operation):
        label = "absolute"

    assert lacking((*ops.OPERATIONS, Absolute)) == [f"{table} has no rule for Absolute" for table in TABLES]


def test_two_operations_without_attributes_are_not_the_same():
    assert ops.Add() == ops.Add()
    assert ops.Add() != ops.Sub()
    assert ops.Resize() != ops.Wrap()


@pytest.mark.parametrize("operation", ops.OPERATIONS)
def test_operations_are_small_and_cannot_change(operation):
    assert operation.__dataclass_params__.frozen
    assert operation.label == operation.label.lower()
