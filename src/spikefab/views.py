"""The commands that only show something: info, features, models, boards, studio."""

from argparse import Namespace
from textwrap import indent
from typing import TYPE_CHECKING, Any

from spikefab.console import Screen, number
from spikefab.errors import FileError, UsageError
from spikefab.files import save_text, unwritable

if TYPE_CHECKING:
    from pathlib import Path

    from spikefab.boards.table import Board
    from spikefab.fit.recordings.recording import Recording
    from spikefab.hw.neuron import Neuron

PICTURES = (".png", ".svg", ".pdf")  # formats in which a recording can be drawn


def info(args: Namespace, screen: Screen) -> int:
    """`spikefab info`: describe a recording, and draw it if the user asks for a picture."""
    from spikefab.fit.recordings.readers import parse_sweeps
    from spikefab.fit.recordings.summary import describe

    if args.picture is not None and args.picture.suffix.lower() not in PICTURES:
        raise UsageError(f"{args.picture} has to end in {' or '.join(PICTURES)}.")
    recording = _read(args)
    places = range(len(recording.sweeps)) if args.sweeps is None else parse_sweeps(args.sweeps)
    found = describe(recording)
    sweeps = [{"number": place} | s for place, s in zip(places, found["sweeps"], strict=True)]
    if args.picture is not None:
        from spikefab.fit.report.recording_picture import picture_recording

        try:
            picture_recording(recording, args.picture)
        except OSError as error:
            raise FileError(f"{args.picture} cannot be written: {error.strerror}.") from None
    spikes = sum(s["spikes"] for s in sweeps)
    screen.say(
        f"{recording.source}: {len(sweeps)} sweeps, dt {recording.dt:g} ms ({1 / recording.dt:g} kHz), {spikes} spikes"
    )
    screen.say(f"units in the file: {recording.units}")
    screen.say(f"current: {recording.current_origin}")
    imaged = recording.image is not None  # then the current is not used as it was recorded
    if recording.electrode_resistance:
        screen.say(
            f"electrode: {recording.electrode_resistance:.0f} MOhm, not compensated; spikes are sought without it"
        )
    screen.table(
        "",
        (
            *("sweep", "name", "duration ms", "stimulus ms", "current nA"),
            *(["recorded"] if imaged else []),  # the largest absolute value
            *("before", "voltage mV", "rest mV", "spikes"),
        ),
        [
            (
                str(s["number"]),
                s["name"],
                f"{s['duration']:.1f}",
                "-" if s["window"] is None else "{:.1f} .. {:.1f}".format(*s["window"]),
                "-" if s["current"] is None else "{:.3f} .. {:.3f}".format(*s["current"]),
                *([number(max(map(abs, s["recorded_current"] or s["current"])))] if imaged else []),
                number(s["baseline_current"]),
                "{:.1f} .. {:.1f}".format(*s["voltage"]),
                f"{s['rest']:.1f}",
                str(s["spikes"]),
            )
            for s in sweeps
        ],
    )
    for text in (*found["notes"], *found["warnings"], *found["doubts"], found["cannot_be_fitted"]):
        if text:
            screen.notice(text)
    if found["doubts"]:
        screen.notice("in doubt, it is fitted only with --anyway.")
    if args.picture is not None:
        screen.say(f"All sweeps are drawn in {args.picture}.")
    picture = None if args.picture is None else str(args.picture)
    screen.result(found | {"sweeps": sweeps, "picture": picture})
    return 0


def features(args: Namespace, screen: Screen) -> int:
    """`spikefab features`: show the features of a recording and the models recommended for it."""
    from spikefab.fit.features.definitions import FEATURES
    from spikefab.fit.features.extract import f_i_curve, recording_features, sweep_features
    from spikefab.fit.features.recommend import recommend

    recording = _read(args)
    found = recording_features(recording)
    single = sweep_features(recording)
    recommended = recommend(found)
    for text in (*recording.notes, *recording.doubts):
        screen.notice(text)
    if any(s.current is None for s in recording.sweeps):
        screen.notice(f"the current is unknown ({recording.current_origin}): the stimulus was sought in the voltage.")
    columns = {
        "step": "step nA", "spike_count": "spikes", "firing_rate": "rate Hz", "latency": "latency ms",
        "isi_cv": "isi cv", "adaptation_ratio": "adaptation", "ap_height": "height mV", "ap_threshold": "onset mV",
        "v_rest": "rest mV",
    }  # fmt: skip
    screen.table(
        f"{recording.source}: each sweep",
        ("sweep", *columns.values()),
        [
            (s.name, *(number(x[name], 0 if name == "spike_count" else 3) for name in columns))
            for s, x in zip(recording.sweeps, single, strict=True)
        ],
    )
    rows = [(name, FEATURES[name].unit, number(x, 0 if name == "spike_count" else 3)) for name, x in found.items()]
    title = f"{recording.source}: features of {len(recording.sweeps)} sweeps"
    screen.table(title, ("feature", "unit", "value"), rows, left=2)
    screen.heading("Recommended from these features (a fit leaves no model out)")
    for name, reason in recommended:
        screen.say(f"  {name}: {reason}")
    current, rate = f_i_curve(recording)
    screen.result(
        {
            "source": recording.source,
            "sweeps": len(recording.sweeps),
            "features": found,
            "per_sweep": [{"name": s.name} | x for s, x in zip(recording.sweeps, single, strict=True)],
            "f_i": {"current": current.tolist(), "rate": rate.tolist()},
            "recommended": [{"model": name, "reason": reason} for name, reason in recommended],
        }
    )
    return 0


def models(args: Namespace, screen: Screen) -> int:
    """`spikefab models`: list all models, or describe one."""
    from spikefab.hw.models import every_model, get_model
    from spikefab.hw.pages import description as facts

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
            for name, m in every_model().items()
        ],
        left=5,
    )
    screen.say("spikefab models NAME shows one.")
    screen.result({"models": [facts.summary(m) for m in every_model().values()]})
    return 0


def _model(model: "type[Neuron]", drawing: "Path | None", screen: Screen) -> int:
    from spikefab.hw.datapath import datapath
    from spikefab.hw.pages import description as facts
    from spikefab.hw.pages.drawing import draw

    if drawing is not None:
        try:
            save_text(drawing, draw(datapath(model, facts.WORD)), parents=False)
        except OSError as error:
            raise unwritable(drawing, error) from None
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
    """`spikefab boards`: list the boards, or what a model takes of each."""
    from spikefab.boards.table import BOARDS

    if args.model:
        return _taken(args, screen)
    if args.word:
        raise UsageError("--word needs the name of a model.")
    found = [_board(b) for b in BOARDS.values()]
    screen.table(
        "Boards",
        ("board", "device", "cells", "multipliers", "block RAMs", "MHz", "PLL", "serial line", "models"),
        [
            (
                b["name"],
                str(b["device"]),
                f"{b['cells']:,}",
                f"{b['multipliers']} x {b['multiplier_bits']} bits" if b["multipliers"] else "-",
                f"{b['block_rams']} x {b['block_ram_bits'] // 1024} kbit",
                f"{b['clock_mhz']:g}",
                "yes" if b["pll"] else "-",
                "USB" if b["usb"] else "pins",
                "?" if b["fits"] is None else " / ".join(str(len(models)) for models in b["fits"].values()),
            )
            for b in found
        ],
        left=2,
    )
    screen.say(
        "models: how many are estimated to fit, one neuron at word 16 / 18 / 24. spikefab boards MODEL shows what one takes."
    )
    screen.result({"boards": found})
    return 0


def _board(b: "Board") -> dict[str, Any]:
    from spikefab.boards.clocks import OUTPUT
    from spikefab.boards.estimates import fitting

    return {
        "name": b.name,
        "family": b.family.name,
        "device": b.device,
        "cells": b.cells,
        "multipliers": b.multipliers,
        "multiplier_bits": b.multiplier_bits,
        "block_rams": b.block_rams,
        "block_ram_bits": b.block_ram_bits,
        "spram": b.chip.spram,
        "clock_mhz": b.clock_mhz,
        "pll": b.family.name in OUTPUT,
        "baud": b.uart_baud,
        "usb": None if b.usb is None else f"{b.usb[0]:04x}:{b.usb[1]:04x}",
        "words": list(b.words),
        "fits": fitting(b),
        "source": b.source,
    }


def _taken(args: Namespace, screen: Screen) -> int:
    """What a model takes of each board: one neuron, and as many as the board holds."""
    from spikefab.boards.estimates import estimates
    from spikefab.boards.table import BOARDS
    from spikefab.hw.models import get_model

    model = get_model(args.model)
    found = [e for b in BOARDS.values() for e in estimates(model(word=args.word or b.usual_word), b)]
    screen.table(
        f"{model.__name__}, estimated",
        ("board", "word", "neurons", "cells", "multipliers", "block RAMs", "interval", "MHz", ""),
        [
            (
                e.board,
                str(e.word),
                f"{e.neurons:,}",
                f"{e.cells:,}",
                str(e.multipliers),
                str(e.block_rams),
                str(e.interval),
                f"{e.clock_mhz:g} of {e.mhz:g}",
                e.refused or "fits",
            )
            for e in found
        ],
        left=1,
    )
    cells, mhz = (max((getattr(e, f"{name}_error") for e in found), default=0.0) for name in ("cells", "mhz"))
    screen.say(
        "From the trace, without synthesis: multipliers and block RAMs are counted, cells may be off by "
        f"{cells:.0%} and the clock by {mhz:.0%} (docs/hardware.md)."
    )
    screen.result({"model": model.__name__, "estimates": [e.as_dict() for e in found]})
    return 0


def studio(args: Namespace, screen: Screen) -> int:
    """`spikefab studio`: serve the Studio until Ctrl-C."""
    from spikefab.studio import serve

    def told(address: str) -> None:
        screen.say(f"The Studio is at {address} (project {args.folder}); Ctrl-C ends it.")
        screen.result({"address": address, "project": str(args.folder)})

    serve(args.folder, port=args.port, open_page=args.open, told=told)
    return 0


def _read(args: Namespace) -> "Recording":
    from spikefab.fit.flags import reading_of
    from spikefab.fit.recordings.readers import read

    return read(args.file, **reading_of(args))
