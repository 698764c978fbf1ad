"""Reads the query of a request from the page: numbers, and the options of reading a recording."""

from typing import Any

from starlette.requests import Request

from spikefab.errors import UsageError

from . import neuron_requests

NUMBERS = ("sweep", "from", "to", "dt", "word", "spike_prominence")
TEXTS = ("voltage_channel", "current_channel", "units", "electrode")  # options of `read` that are texts on the page
LONGEST = 200  # characters of such a text, at most


def query_of(request: Request) -> dict[str, Any]:
    """The query of a request, with numbers converted."""
    found: dict[str, Any] = {}
    for name, value in request.query_params.items():
        try:
            found[name] = float(value) if name in NUMBERS else value
        except ValueError:
            raise UsageError(f"{name} must be a number.") from None
    return found


def reading_of(request: Request) -> dict[str, Any]:
    """The options of `read` in the query of a request."""
    query = query_of(request)
    options: dict[str, Any] = {name: query[name][:LONGEST] for name in TEXTS if name in query}
    if "dt" in query:
        options["dt"] = neuron_requests.number(query, "dt", least=1e-4, most=100)
    if "spike_prominence" in query:
        options["spike_prominence"] = neuron_requests.number(query, "spike_prominence", least=0.1, most=200)
    return options
