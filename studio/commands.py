"""The command line and the Python code that do the same as a button of the page, run in the folder of the project."""

import shlex
from collections.abc import Mapping
from typing import Any

import numpy as np

from spikefab.fit.options import FitOptions
from spikefab.fit.report.again import fit_command, fit_python, read_command, read_python


def info(recording: Mapping[str, Any]) -> dict[str, str]:
    command = shlex.join(read_command("info", *_read_from(recording)))
    return {"command": command, "python": f"from spikefab import read\n\nrecording = {reading(recording)}"}


def features(recording: Mapping[str, Any]) -> dict[str, str]:
    command = shlex.join(read_command("features", *_read_from(recording)))
    imports = "from spikefab import read\nfrom spikefab.fit.features.extract import recording_features"
    python = f"{imports}\n\nrecording = {reading(recording)}\nfeatures = recording_features(recording)"
    return {"command": command, "python": python}


def fit(recording: Mapping[str, Any], options: FitOptions) -> dict[str, str]:
    file, given = _read_from(recording)
    return {"command": fit_command(file, given, options) or "", "python": fit_python(file, given, options)}


def pareto(recording: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, str]:
    file, given = _read_from(recording)
    out, board = f"jobs/{settings['fit']}/out", settings["board"]
    command = [*read_command("pareto", file, given), "--board", board, "--result", out, "--out", "front"]
    imports = "from spikefab import read\nfrom spikefab.fit.results import FitResults"
    python = f"{imports}\n\nrecording = {reading(recording)}\nresults = FitResults.load({out!r}, recording=recording)"
    return {"command": shlex.join(command), "python": f"{python}\nfront = results.pareto({board!r})"}


def deployment(kind: str, settings: Mapping[str, Any], neuron: Mapping[str, Any] | None, key: str) -> dict[str, str]:
    """The commands to verify, build, export or run a result of a fit, or the neuron in the neuron.json of the job `key`."""
    if neuron is None:
        which = settings["neuron"]
        what, words = f"jobs/{which['fit']}/out", ["--rank", str(which["rank"])]
        call = f"fitted_neuron({what!r}, rank={which['rank']})"
        python = f"from spikefab.fit.report.folder import fitted_neuron\n\nneuron, current = {call}"
    else:
        what, words = f"jobs/{key}/neuron.json", []
        chosen = "".join(f", {name}={value!r}" for name, value in neuron["settings"].items())
        python = (
            f"from spikefab import {neuron['model']}\n\nneuron = {neuron['model']}(\n    codes={dict(neuron['codes'])},\n"
            f"    word={neuron['word']}, dt={neuron['dt']:g}, i_span={neuron['i_span']:g}{chosen},\n)\ncurrent = None"
        )
    if kind == "verify":
        words += ["--steps", str(settings["steps"])]
        call = f"verify(neuron, steps={settings['steps']}, current=current)"
        python += f"\n\nfrom spikefab.sim.verify import verify\n\nchecks = {call}"
    elif kind == "build":
        words += ["--board", settings["board"], "--seed", str(settings["seed"])]
        call = f"build(neuron, {settings['board']!r}, 'build', seed={settings['seed']})"
        python += f"\n\nfrom spikefab.boards.build import build\n\nreport = {call}"
    elif kind == "run":
        words += _run_words(settings)
        python += "\n\n" + _run_python(settings)
    else:
        words += ["--to", "verilog"]
        python += "\n\nfrom spikefab.sim.export import export_verilog\n\nexport_verilog(neuron, current, '.')"
    return {"command": shlex.join(["spikefab", kind, what, *words]), "python": python}


def _run_words(settings: Mapping[str, Any]) -> list[str]:
    """The options of `spikefab run` that have no default, or another value."""
    words = ["--port", settings["port"]] if settings["port"] else []
    words += ["--board", settings["board"]]
    if settings["current"] == "step":
        words += ["--step", _decimal(settings["step"]), "--seconds", _decimal(settings["seconds"])]
    words += ["--free"] if settings["way"] == "free-run" else []
    words += ["--every", str(settings["every"])] if settings["every"] != 1 else []
    words += ["--noise", _decimal(settings["noise"])] if settings["noise"] else []
    return [*words, "--out", "run"]


def _run_python(settings: Mapping[str, Any]) -> str:
    """Python code that runs `neuron` under `current`, or under a step."""
    used = ["noise_bits"] * bool(settings["noise"]) + ["step_current"] * (settings["current"] == "step")
    lines = [f"from spikefab.boards.runs import {', '.join(used)}"] * bool(used)
    lines += ["from spikefab.boards.session import connect", ""]
    if settings["current"] == "step":
        lines.append(f"current = step_current(neuron.dt, {settings['step']!r}, {settings['seconds']!r})")
    options = ["free=True"] * (settings["way"] == "free-run") + [f"every={settings['every']}"] * (
        settings["every"] != 1
    )
    options += [f"noise_bits=noise_bits(neuron, {settings['noise']!r})"] * bool(settings["noise"])
    return "\n".join(
        [
            *lines,
            f"with connect({settings['port'] or None!r}, neuron, board={settings['board']!r}) as board:",
            f"    run = board.run({', '.join(['current', *options])})",
        ]
    )


def _decimal(x: float) -> str:
    """A number without an exponent: the command line would take -1e-05 for an option."""
    return np.format_float_positional(x, trim="-")


def reading(recording: Mapping[str, Any]) -> str:
    """The Python call that reads a recording of the project."""
    return read_python(*_read_from(recording))


def _read_from(recording: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The path of a recording's file, and the options with which it was read."""
    folder = f"recordings/{recording['id']}"
    options = dict(recording["options"])
    if "current" in options:
        options["current"] = f"{folder}/current/{options['current']}"
    return f"{folder}/{recording['file']}", options
