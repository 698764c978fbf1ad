"""The commands that only look: info, features, models, boards."""

import inspect
from argparse import Namespace
from typing import TYPE_CHECKING, Any

from spikefab.console import Screen, number
from spikefab.hw.errors import RecordingError

if TYPE_CHECKING:
    from spikefab.fit.recording import Recording
    from spikefab.hw.neuron import Neuron

UNITS = {
    "firing_rate": "Hz",
    "rheobase": "nA",
    "latency": "ms",
    "ap_height": "mV",
    "ap_width": "ms",
    "ap_threshold": "mV",
    "ahp_depth": "mV",
    "v_rest": "mV",
    "input_resistance": "MOhm",
    "tau_m": "ms",
}


def info(args: Namespace, screen: Screen) -> int:
    from spikefab.fit.recording import baseline_current
    from spikefab.fit.spikes import find_spikes

    recording = _read(args)
    sweeps: list[dict[str, Any]] = []
    for sweep in recording.sweeps:
        i = sweep.current
        sweeps.append(
            {
                "name": sweep.name,
                "samples": len(sweep.voltage),
                "duration": len(sweep.voltage) * recording.dt,
                "window": sweep.window,
                "spikes": len(find_spikes(sweep.voltage, recording.dt)),
                "voltage": [float(sweep.voltage.min()), float(sweep.voltage.max())],
                "current": None if i is None else [float(i.min()), float(i.max())],
                "baseline_current": None if i is None else baseline_current(sweep, recording.dt),
            }
        )
    try:
        recording.require_fit()
        obstacle = None
    except RecordingError as error:
        obstacle = str(error)
    warnings = recording.warnings()
    spikes = sum(s["spikes"] for s in sweeps)
    screen.say(
        f"{recording.source}: {len(sweeps)} sweeps, dt {recording.dt:g} ms ({1 / recording.dt:g} kHz), {spikes} spikes"
    )
    screen.say(f"current: {recording.current_origin}")
    screen.table(
        "",
        ("sweep", "duration ms", "stimulus ms", "current nA", "voltage mV", "spikes"),
        [
            (
                s["name"],
                f"{s['duration']:.1f}",
                "-" if s["window"] is None else "{:.1f} .. {:.1f}".format(*s["window"]),
                "-" if s["current"] is None else "{:.3f} .. {:.3f}".format(*s["current"]),
                "{:.1f} .. {:.1f}".format(*s["voltage"]),
                str(s["spikes"]),
            )
            for s in sweeps
        ],
    )
    for text in (*recording.notes, *warnings):
        screen.notice(text)
    if obstacle:
        screen.notice(obstacle)
    screen.result(
        {
            "source": recording.source,
            "sha256": recording.sha256,
            "dt": recording.dt,
            "current_origin": recording.current_origin,
            "sweeps": sweeps,
            "notes": recording.notes,
            "warnings": warnings,
            "cannot_be_fitted": obstacle,
        }
    )
    return 0


def features(args: Namespace, screen: Screen) -> int:
    from spikefab.fit.features import extract_features

    recording = _read(args)
    currents = [s.current for s in recording.sweeps if s.current is not None]
    known = len(currents) == len(recording.sweeps)
    found = extract_features(
        [s.voltage for s in recording.sweeps],  # type: ignore[arg-type]
        recording.dt,
        currents if known else None,  # type: ignore[arg-type]
    )
    for text in recording.notes:
        screen.notice(text)
    if not known:
        screen.notice(f"the current is unknown ({recording.current_origin}): the stimulus was sought in the voltage.")
    rows = [(name, UNITS.get(name, ""), number(x, 0 if name == "spike_count" else 3)) for name, x in found.items()]
    title = f"{recording.source}: features of {len(recording.sweeps)} sweeps"
    screen.table(title, ("feature", "unit", "value"), rows, left=2)
    screen.result({"source": recording.source, "sweeps": len(recording.sweeps), "features": found})
    return 0


def models(args: Namespace, screen: Screen) -> int:
    from spikefab.hw.models import MODELS, get_model

    if args.name:
        return _model(get_model(args.name), screen)
    screen.table(
        "Models",
        ("model", "best for", "free", "measured", "source"),
        [
            (
                name,
                m.best_for,
                ", ".join(n for n, p in m.params().items() if p.free),
                ", ".join(n for n, p in m.params().items() if not p.free),
                _source(m),
            )
            for name, m in MODELS.items()
        ],
        left=5,
    )
    screen.say("spikefab models NAME shows one.")
    screen.result({"models": [_model_dict(m) for m in MODELS.values()]})
    return 0


def _model(model: "type[Neuron]", screen: Screen) -> int:
    from spikefab.hw.cost import cost
    from spikefab.hw.datapath import WORDS, datapath

    screen.say(f"{model.__name__}: {inspect.getdoc(model)}")
    screen.say()
    screen.say(f"Scheme: {model.scheme}. Best for: {model.best_for}.")
    screen.table(
        "Parameters",
        ("parameter", "unit", "meaning", "kind", "default", "bounds"),
        [
            (n, p.unit, p.doc, "free" if p.free else "measured", f"{p.default:g}", "{:g} .. {:g}".format(*p.bounds))
            for n, p in model.params().items()
        ],
        left=4,
    )
    paths = {word: datapath(model, word) for word in WORDS}  # type: ignore[arg-type]
    costs = {word: cost(dp) for word, dp in paths.items()}
    words = [f"word {word}" for word in WORDS]
    screen.table(
        "Formats at dt 0.1 ms: Q(integer bits with the sign, fraction bits)",
        ("register", *words),
        [(name, *(dp.formats[name] for dp in paths.values())) for name in paths[WORDS[0]].formats],
    )
    rows = [(name.replace("_", " "), *(f"{costs[word][name]:,}" for word in WORDS)) for name in costs[WORDS[0]]]
    screen.table("Cost of one step, counted without synthesis", ("", *words), rows)
    screen.say("latency is in clocks from input to result on one shared multiplier; a step starts as often.")
    more = {
        "doc": inspect.getdoc(model),
        "scheme": model.scheme,
        "best_for": model.best_for,
        "formats": {word: dp.formats for word, dp in paths.items()},
        "cost": {word: {**c, "interval": c["latency"]} for word, c in costs.items()},
    }
    screen.result({"models": [_model_dict(model) | more]})
    return 0


def _model_dict(model: "type[Neuron]") -> dict[str, Any]:
    def entries(free: bool) -> list[dict[str, Any]]:
        return [
            {"name": n, "unit": p.unit, "bounds": list(p.bounds), "default": p.default, "doc": p.doc}
            for n, p in model.params().items()
            if p.free == free
        ]

    return {
        "name": model.__name__,
        "free": entries(True),
        "measured": entries(False),
        "source": _source(model),
    }


def _source(model: "type[Neuron]") -> str:
    """The paragraph of a model's page that begins with Source."""
    paragraphs = (inspect.getdoc(model) or "").split("\nSource: ")
    return " ".join(paragraphs[1].split("\nNot: ")[0].split()) if len(paragraphs) > 1 else ""


def boards(args: Namespace, screen: Screen) -> int:
    from spikefab.boards.table import BOARDS

    found: list[dict[str, Any]] = [
        {
            "name": b.name,
            "family": b.family.name,
            "device": b.device,
            "cells": b.cells,
            "multipliers": b.multipliers,
            "multiplier_bits": b.multiplier_bits,
            "block_rams": b.block_rams,
            "block_ram_bits": b.block_ram_bits,
            "clock_mhz": b.clock_mhz,
            "words": list(b.words),
            "source": b.source,
        }
        for b in BOARDS.values()
    ]
    screen.table(
        "Boards",
        ("board", "device", "cells", "multipliers", "block RAMs", "clock MHz", "words"),
        [
            (
                b["name"],
                str(b["device"]),
                f"{b['cells']:,}",
                f"{b['multipliers']} x {b['multiplier_bits']} bits",
                f"{b['block_rams']} x {b['block_ram_bits']} bits",
                f"{b['clock_mhz']:g}",
                ", ".join(map(str, b["words"])),
            )
            for b in found
        ],
        left=2,
    )
    screen.result({"boards": found})
    return 0


def _read(args: Namespace) -> "Recording":
    from spikefab.fit.readers import read

    return read(args.file, dt=args.dt, current=args.current, current_channel=args.current_channel)
