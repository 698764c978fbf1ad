"""The calls that go against the direction of imports, each under a name.

Results must not import the modules that draw them, nor `hw` the simulator; yet users call `results.plot()` and
`neuron.step(0.8)`. Such a method looks up here the function or class that does the work, which is imported on first use.
No other module may import a module by its name as text. `tests/house` checks both this rule and that each name here exists.
"""

from importlib import import_module
from typing import Any

DELEGATES = {
    "simulator": "spikefab.sim.simulator:Simulator",
    "mathematics": "spikefab.hw.pages.mathematics:mathematics",
    "neuron_html": "spikefab.hw.pages.neuron_view:neuron_html",
    "plot_neuron": "spikefab.fit.report.neuron_picture:plot_neuron",
    "recording_html": "spikefab.fit.report.views:recording_html",
    "plot_recording": "spikefab.fit.report.recording_picture:plot_recording",
    "result_html": "spikefab.fit.report.views:result_html",
    "recall": "spikefab.fit.recall:recall",
    "pareto": "spikefab.fit.pareto:pareto",
    "plot_pareto": "spikefab.fit.report.pareto_picture:plot_pareto",
    "plot_result": "spikefab.fit.report.plots:plot_result",
    "plot": "spikefab.fit.report.plots:plot",
    "report": "spikefab.fit.report.report:write_report",
    "ranking_frame": "spikefab.fit.report.tables:ranking_frame",
    "ranking_html": "spikefab.fit.report.tables:ranking_html",
    "ranking_text": "spikefab.fit.report.tables:ranking_text",
}


def delegate(name: str) -> Any:
    """The function or class that does the work of a method of this name."""
    module, _, attribute = DELEGATES[name].partition(":")
    return getattr(import_module(module), attribute)
