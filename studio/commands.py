"""The command line and the Python that do what a button does. Paths are those of the project's folder."""

import shlex
from collections.abc import Mapping
from typing import Any


def info(recording: Mapping[str, Any]) -> dict[str, str]:
    file, words, call = _reading(recording)
    return {"command": shlex.join(["spikefab", "info", file, *words]), "python": f"from spikefab import read\n\n{call}"}


def features(recording: Mapping[str, Any]) -> dict[str, str]:
    file, words, call = _reading(recording)
    python = f"from spikefab import extract_features, read\n\n{call}\nfeatures = extract_features(recording)"
    return {"command": shlex.join(["spikefab", "features", file, *words]), "python": python}


def fit(recording: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, str]:
    file, words, call = _reading(recording)
    names = settings["models"]
    options = {"models": names and ",".join(n.removesuffix("Neuron") for n in names), "word": settings["word"]}
    options |= {"top": settings["top_k"], "budget": settings["budget"], "seed": settings["seed"]}
    options |= {"folds": settings["folds"]} if settings["folds"] else {"held-out": settings["held_out"]}
    if "--dt" not in words and settings["dt"] != 0.1:
        options["dt"] = settings["dt"]
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
        python = (
            "from spikefab.fit.results import FitResults\n\n"
            f"neuron = FitResults.load({what + '/result.json'!r})[{which['rank'] - 1}].create_model()"
        )
    else:
        what, words = f"jobs/{key}/neuron.json", []
        chosen = "".join(f", {name}={value!r}" for name, value in neuron["settings"].items())
        python = (
            f"from spikefab import {neuron['model']}\n\nneuron = {neuron['model']}(\n    codes={dict(neuron['codes'])},\n"
            f"    word={neuron['word']}, dt={neuron['dt']:g}, i_span={neuron['i_span']:g}{chosen},\n)"
        )
    if kind == "verify":
        words += ["--steps", str(settings["steps"])]
        python += f"\n\nfrom spikefab.sim.verify import verify\n\nchecks = verify(neuron, steps={settings['steps']})"
    elif kind == "build":
        words += ["--board", settings["board"], "--seed", str(settings["seed"])]
        python += (
            f"\n\nfrom spikefab.boards.build import build\n\nreport = build(neuron, {settings['board']!r}, 'build')"
        )
    else:
        words += ["--to", "verilog"]
        python += "\n\nfrom spikefab.hw.verilog import to_verilog\n\ntext = to_verilog(neuron)"
    return {"command": shlex.join(["spikefab", kind, what, *words]), "python": python}


def _reading(recording: Mapping[str, Any]) -> tuple[str, list[str], str]:
    """The file, the options of the command line, and the Python that reads it."""
    options = dict(recording["options"])
    words, given = [], [repr(recording["file"])]
    for name, value in options.items():
        words += [f"--{name.replace('_', '-')}", str(value)]
        given.append(f"{name}={value!r}")
    return recording["file"], words, f"recording = read({', '.join(given)})"
