"""What a notebook shows of a neuron: equations and parameters."""

from spikefab.hw.neuron import Neuron
from spikefab.markup import Markup, tag, view

from .description import doc
from .mathematics import mathematics


def neuron_html(neuron: Neuron) -> str:
    """The neuron as HTML, see `Neuron`."""
    model = type(neuron)
    choice = [f"{name} = {value}" for name, value in model.chosen.items()]
    facts = [
        *choice,
        f"word {neuron.word}",
        f"dt {neuron.dt:g} ms",
        model.scheme,
        f"input within ±{neuron.datapath.i_span:g} nA",
        f"{neuron.interval} clocks a step",
    ]
    units = {name: "" if s.unit == "flag" else s.unit for name, s in model.states().items()}
    state = ", ".join(f"{name} {value:.4g} {units[name]}".strip() for name, value in neuron.state.items())
    return view(
        tag("p", f"{model.__name__}: {doc(model).title}", css="title"),
        tag("p", "; ".join(facts), css="soft"),
        Markup(f'<div class="scroll">{mathematics(model).mathml}</div>'),
        neuron.parameters().to_html(),
        tag("p", f"State: {state}", css="soft"),
    )
