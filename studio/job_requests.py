"""Starts jobs that the page requests: checks the options, and makes the title and the equivalent commands."""

from collections.abc import Mapping
from typing import Any, TypedDict

from spikefab.boards.table import get_board
from spikefab.errors import UsageError
from spikefab.fit.options import FitOptions
from spikefab.shapes import conforms

from . import commands, neuron_requests
from .jobs import Jobs
from .project import Project


class _Row(TypedDict):
    model: str


class _Ranking(TypedDict):
    """What is used here of a ranking; those of earlier versions lack other fields."""

    rows: list[_Row]


def job(project: Project, jobs: Jobs, body: Mapping[str, Any]) -> dict[str, Any]:
    """Start the job that a request describes. Raises UsageError if it cannot be started."""
    kind = neuron_requests.choice(body, "kind", ("fit", "verify", "build", "export"))
    return _fit(project, jobs, body) if kind == "fit" else _deployment(jobs, kind, body)


def _fit(project: Project, jobs: Jobs, body: Mapping[str, Any]) -> dict[str, Any]:
    recording = project.recording(neuron_requests.text(body, "recording"))
    if recording["cannot_be_fitted"]:
        raise UsageError(recording["cannot_be_fitted"])
    options = _options(body)
    if recording["doubts"] and not options.anyway:
        raise UsageError(f"{recording['doubts'][0].removesuffix('.')}; tick Fit anyway to fit it all the same.")
    settings = options.to_dict(sources=True) | ({"models": None} if options.every_model else {})
    return jobs.begin(
        "fit", f"Fit of {recording['name']}", settings, lambda _: commands.fit(recording, options),
        recording=recording["id"],
    )  # fmt: skip


def _options(body: Mapping[str, Any]) -> FitOptions:
    """What a fit is asked, under the names that result.json has for it; numbers within what this server does."""
    for name, least, most in (("budget", 1, 10_000_000), ("folds", 2, 100), ("top_k", 1, 100)):
        if body.get(name) is not None:
            neuron_requests.whole(body, name, least=least, most=most)
    known = {**FitOptions().to_dict(), "anyway": False}
    return FitOptions.from_dict({name: body[name] for name in known if name in body})


def _deployment(jobs: Jobs, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    which = neuron_requests.table(body, "neuron")
    settings: dict[str, Any] = {"neuron": which}
    if kind == "verify":
        settings["steps"] = neuron_requests.whole(body, "steps", 20_000, 100, 10_000_000)
    if kind == "build":
        settings |= {
            "board": get_board(neuron_requests.text(body, "board")).name,
            "seed": neuron_requests.whole(body, "seed", 1, 0, 2**31 - 1),
        }
    if "fit" in which:
        job = jobs.describe(neuron_requests.text(which, "fit"))
        rank = neuron_requests.whole(which, "rank", 1, 1, 100)
        ranked = next((e for _, e in jobs.events(job["id"]) if e["type"] == "ranking" and conforms(e, _Ranking)), None)
        if ranked is None or rank > len(ranked["rows"]):
            raise UsageError("This fit has no result of that rank.")
        settings["neuron"] = {"fit": job["id"], "rank": rank}
        name, described = ranked["rows"][rank - 1]["model"], None
    else:
        neuron = neuron_requests.neuron(which)
        name = type(neuron).__name__
        described = {
            "model": name,
            "settings": dict(type(neuron).chosen),
            "word": neuron.word,
            "dt": neuron.dt,
            "i_span": neuron.datapath.i_span,
            "codes": neuron.codes,
        }
    title = {"verify": "Regression of {}", "build": "{} for {}", "export": "Verilog of {}"}[kind]
    return jobs.begin(
        kind, title.format(name.removesuffix("Neuron"), settings.get("board")), settings,
        lambda key: commands.deployment(kind, settings, described, key), neuron=described,
    )  # fmt: skip
