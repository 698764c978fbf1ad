"""The command line and the Python that do what a button does. Paths are those of the project's folder."""

import shlex
from collections.abc import Mapping
from typing import Any


def info(recording: Mapping[str, Any]) -> dict[str, str]:
    file, words, call = _reading(recording)
    return {"command": shlex.join(["spikefab", "info", file, *words]), "python": f"from spikefab import read\n\n{call}"}


def features(recording: Mapping[str, Any]) -> dict[str, str]:
    file, words, call = _reading(recording)
    imports = "from spikefab import read\nfrom spikefab.fit.features.extract import recording_features"
    python = f"{imports}\n\n{call}\nfeatures = recording_features(recording)"
    return {"command": shlex.join(["spikefab", "features", file, *words]), "python": python}


def fit(recording: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, str]:
    file, words, call = _reading(recording)
    names = settings["models"]
    options = {"models": names and ",".join(n.removesuffix("Neuron") for n in names), "word": settings["word"]}
    options |= {"top": settings["top_k"], "budget": settings["budget"], "seed": settings["seed"]}
    options |= {"folds": settings["folds"]} if settings["folds"] else {"held-out": settings["held_out"]}
    if settings["dt"] != recording["options"].get("dt", 0.1):
        options["step"] = settings["dt"]
    flags = [x for name, value in options.items() if value is not None for x in (f"--{name}", str(value))]
    given = {k: v for k, v in settings.items() if v is not None}
    lines = ",\n    ".join(f"{name}={value!r}" for name, value in given.items())
    python = f"from spikefab import fit, read\n\n{call}\nresults = fit(\n    recording,\n    {lines},\n)"
    return {"command": shlex.join(["spikefab", "fit", file, *words, *flags, "--out", "fit"]), "python": python}


def deployment(kind: str, settings: Mapping[str, Any], neuron: Mapping[str, Any] | None, key: str) -> dict[str, str]:
    """Of a fit's result, or of a neuron that stands in the neuron.json of the job `key`."""
    if neuron is None:
        which = settings["neuron"]
        what, words = f"jobs/{which['fit']}/out", ["--rank", str(which["rank"])]
        python = f"from spikefab.output import fitted_neuron\n\nneuron, current = fitted_neuron({what!r}, rank={which['rank']})"
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
    else:
        words += ["--to", "verilog"]
        python += "\n\nfrom spikefab.sim.export import export_verilog\n\nexport_verilog(neuron, current, '.')"
    return {"command": shlex.join(["spikefab", kind, what, *words]), "python": python}


def reading(recording: Mapping[str, Any]) -> str:
    """The call that reads it."""
    return _reading(recording)[2].removeprefix("recording = ")


def _reading(recording: Mapping[str, Any]) -> tuple[str, list[str], str]:
    """The file, the options of the command line, and the Python that reads it."""
    folder = f"recordings/{recording['id']}"
    file = f"{folder}/{recording['file']}"
    words, given = [], [repr(file)]
    for name, value in recording["options"].items():
        value = f"{folder}/current/{value}" if name == "current" else value
        words += [f"--{name.replace('_', '-')}", str(value)]
        given.append(f"{name}={value!r}")
    return file, words, f"recording = read({', '.join(given)})"
