"""The calls that go against the direction of imports, each by name.

Data does not know its views, nor hardware its simulator; yet `results.plot()` and `neuron.step(0.8)` are what a user types.
Such a method asks here for the function that does its work, which is imported on first use. No other module may import
another by a string that it holds: `tests/house` sees to that, and that every name here leads somewhere.
"""

from importlib import import_module
from typing import Any

DELEGATES = {
    "simulator": "spikefab.sim.simulator:Simulator",
    "plot": "spikefab.fit.report.plots:plot",
    "report": "spikefab.fit.report.report:write_report",
}


def delegate(name: str) -> Any:
    """The function or class that does the work of a method of this name."""
    module, _, attribute = DELEGATES[name].partition(":")
    return getattr(import_module(module), attribute)
