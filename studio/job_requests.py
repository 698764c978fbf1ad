"""Starts jobs that the page requests: checks the options, and makes the title and the equivalent commands."""

import re
from collections.abc import Mapping
from typing import Any, TypedDict

from spikefab.boards.link import DECIMATIONS
from spikefab.boards.runs import noise_bits
from spikefab.errors import UsageError
from spikefab.fit.options import FitOptions, known_board
from spikefab.hw.neuron import Neuron
from spikefab.shapes import conforms

from . import commands, job_names, neuron_requests
from .job_events import Row
from .jobs import Jobs
from .project import Project

LONGEST = 2_000_000  # steps of a run in a board, at most: its worker holds every sample
PORTS = ("", "sim", "sim:reference")  # "" is the port with the USB ids of the board
PATH = r"/dev/(?!.*\.\.)[\w./:+-]+"  # of a serial port: a request names no other file


class _Row(TypedDict):
    model: str


class _Ranking(TypedDict):
    """What is used here of a ranking; those of earlier versions lack other fields."""

    rows: list[_Row]


def job(project: Project, jobs: Jobs, body: Mapping[str, Any]) -> dict[str, Any]:
    """Start the job that a request describes. Raises UsageError if it cannot be started."""
    kind = neuron_requests.choice(body, "kind", ("fit", "pareto", "verify", "build", "export", "run"))
    if kind == "pareto":
        return _pareto(project, jobs, body)
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
        "fit", job_names.fit_title(recording["name"], [m.__name__ for m in options.models], options.every_model),
        settings, lambda _: commands.fit(recording, options),
        recording=recording["id"],
    )  # fmt: skip


def _pareto(project: Project, jobs: Jobs, body: Mapping[str, Any]) -> dict[str, Any]:
    fit = jobs.describe(neuron_requests.text(body, "fit"))
    if not any(file["name"] == "result.json" for file in fit["files"]):
        raise UsageError("This fit has no results.")
    recording = project.recording(str(fit["recording"]))
    settings = {"fit": fit["id"], "board": known_board(neuron_requests.board(body, "board")).name}
    return jobs.begin(
        "pareto", f"What accuracy costs on {settings['board']} · {fit['title']}", settings,
        lambda _: commands.pareto(recording, settings), recording=recording["id"],
    )  # fmt: skip


def _options(body: Mapping[str, Any]) -> FitOptions:
    """What a fit is asked, under the names that result.json has for it; numbers within what this server does."""
    for name, least, most in (("budget", 1, 10_000_000), ("folds", 2, 100), ("top_k", 1, 100)):
        if body.get(name) is not None:
            neuron_requests.whole(body, name, least=least, most=most)
    if body.get("target") is not None:
        neuron_requests.board(body, "target")
    known = {**FitOptions().to_dict(), "anyway": False, "whole_budget": False, "target": None}
    return FitOptions.from_dict({name: body[name] for name in known if name in body})


def _deployment(jobs: Jobs, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    which = neuron_requests.table(body, "neuron")
    settings: dict[str, Any] = {"neuron": which, **_settings(kind, body)}
    neuron: Neuron | None = None
    origin = ""
    if "fit" in which:
        job = jobs.describe(neuron_requests.text(which, "fit"))
        rank = neuron_requests.whole(which, "rank", 1, 1, 100)
        ranked = next((e for _, e in jobs.events(job["id"]) if e["type"] == "ranking" and conforms(e, _Ranking)), None)
        if ranked is None or rank > len(ranked["rows"]):
            raise UsageError("This fit has no result of that rank.")
        settings["neuron"] = {"fit": job["id"], "rank": rank}
        row, described = ranked["rows"][rank - 1], None
        name = row["model"]
        origin = f" · rank {rank} of {job['title']}"
        if kind == "run":
            neuron = neuron_requests.neuron(row) if conforms(row, Row) else None
            if settings["current"] == "recorded" and not any(f["name"] == "traces.npz" for f in job["files"]):
                raise UsageError("This fit kept no recorded current: run a step.")
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
        if kind == "run" and settings["current"] == "recorded":
            raise UsageError("Only a fit has a recorded current: run a step.")
    if kind == "run" and neuron is not None:
        _check_run(neuron, settings)
    return jobs.begin(
        kind, _title(kind, name.removesuffix("Neuron"), settings) + origin, settings,
        lambda key: commands.deployment(kind, settings, described, key), neuron=described,
    )  # fmt: skip


def _settings(kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """What is asked of a verification, build, export or run, besides its neuron."""
    if kind == "verify":
        return {"steps": neuron_requests.whole(body, "steps", 20_000, 100, 10_000_000)}
    if kind == "build":
        board = neuron_requests.board(body, "board")
        return {"board": board, "seed": neuron_requests.whole(body, "seed", 1, 0, 2**31 - 1)}
    return _run_settings(body) if kind == "run" else {}


def _run_settings(body: Mapping[str, Any]) -> dict[str, Any]:
    port = neuron_requests.text(body, "port")
    if port not in PORTS and re.fullmatch(PATH, port, re.ASCII) is None:
        raise UsageError("A port is a path in /dev, such as /dev/ttyUSB1.")
    every = neuron_requests.whole(body, "every", 1)
    if every not in DECIMATIONS:
        raise UsageError(f"Samples are taken every {', '.join(map(str, DECIMATIONS))} steps, not every {every}.")
    settings: dict[str, Any] = {
        "port": port,
        "board": neuron_requests.board(body, "board"),
        "way": neuron_requests.choice(body, "way", ("lockstep", "free-run"), "lockstep"),
        "every": every,
        "current": neuron_requests.choice(body, "current", ("recorded", "step")),
        "noise": neuron_requests.number(body, "noise", 0.0, 0.0),
    }
    if settings["current"] == "step":
        settings["step"] = neuron_requests.number(body, "step")
        settings["seconds"] = neuron_requests.number(body, "seconds", 1.0, 0.001, 86_400.0)
    return settings


def _check_run(neuron: Neuron, settings: Mapping[str, Any]) -> None:
    """Raise UsageError if a neuron cannot be run so."""
    noise_bits(neuron, settings["noise"] or None)
    if settings["current"] == "recorded":
        return
    step, span = settings["step"], neuron.datapath.i_span
    if abs(step) > span:
        raise UsageError(
            f"A step of {step:g} nA is beyond the input of this neuron, which takes -{span:g} to {span:g} nA."
        )
    if 1000 * settings["seconds"] / neuron.dt > LONGEST:
        longest = LONGEST * neuron.dt / 1000
        raise UsageError(f"At {neuron.dt:g} ms a step, at most {longest:g} s are run here: spikefab run takes more.")


def _title(kind: str, model: str, settings: Mapping[str, Any]) -> str:
    if kind == "run":
        return f"{model} in {settings['board']}" + (", simulated" if settings["port"].startswith("sim") else "")
    return {"verify": "Regression of {}", "build": "{} for {}", "export": "Verilog of {}"}[kind].format(
        model, settings.get("board")
    )
