"""The commands that only look: info, features, models, boards."""

from argparse import Namespace
from textwrap import indent
from typing import TYPE_CHECKING, Any

from spikefab.console import Screen, number
from spikefab.hw.errors import FileError, RecordingError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

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
    from spikefab.hw import facts
    from spikefab.hw.models import MODELS, get_model

    if args.name:
        return _model(get_model(args.name), args.draw, screen)
    if args.draw is not None:
        raise UsageError("--draw needs the name of a model.")
    screen.table(
        "Models",
        ("model", "best for", "free", "measured", "source"),
        [
            (
                name,
                m.best_for,
                ", ".join(n for n, p in m.params().items() if p.free),
                ", ".join(n for n, p in m.params().items() if not p.free),
                facts.doc(m).source,
            )
            for name, m in MODELS.items()
        ],
        left=5,
    )
    screen.say("spikefab models NAME shows one.")
    screen.result({"models": [facts.summary(m) for m in MODELS.values()]})
    return 0


def _model(model: "type[Neuron]", drawing: "Path | None", screen: Screen) -> int:
    from spikefab.hw import facts
    from spikefab.hw.datapath import datapath
    from spikefab.hw.drawing import draw

    if drawing is not None:
        try:
            drawing.write_text(draw(datapath(model, facts.WORD)))
        except OSError as error:
            raise FileError(f"{drawing} cannot be written: {error.strerror}.") from None
    doc = facts.doc(model)
    screen.say(f"{model.__name__}: {doc.title}")
    for text in (indent(doc.equations, "    "), *doc.remarks):
        screen.say(f"\n{text}")
    screen.say()
    for name, text in doc.terms(model):
        screen.say(f"{name}: {text}")
    for listing in facts.listings(model):
        screen.table(listing.title, listing.columns, listing.rows, listing.left)
        screen.say(listing.note)
    screen.say()
    screen.say(f"Its data flow is drawn in {drawing}." if drawing else "--draw FILE.svg draws its data flow.")
    screen.result({"models": [facts.details(model) | ({"drawing": str(drawing)} if drawing else {})]})
    return 0


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
