"""The descriptions of models and boards on the page, from their declarations, traces, and the builds of the project."""

import hashlib
import inspect
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from spikefab.files import write_json
from spikefab.hw.datapath import WORDS, datapath
from spikefab.hw.lowering.cost import cost
from spikefab.hw.models import every_model
from spikefab.hw.pages import description as facts
from spikefab.hw.pages.mathematics import mathematics
from spikefab.shapes import conforms, load_json
from spikefab.sim import reference
from spikefab.toolchain.cache import cache_dir

SHOWN = 240  # number of points of a thumbnail
MS = 240.0  # duration of a thumbnail, ms
# entries of the cost that a card shows
COSTS = ("multiplies", "table_bits", "state_bits", "coefficient_bits")


def models(builds: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    made = list(builds)
    return [
        _card(name) | {"builds": [b for b in made if b["model"] == name], "thumbnail": thumbnail(name)}
        for name in every_model()
    ]


def boards(builds: Iterable[Mapping[str, Any]], outcomes: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    from spikefab.boards.estimates import calibration
    from spikefab.boards.table import BOARDS

    made, tried = list(builds), list(outcomes)
    names = ("device", "cells", "multipliers", "multiplier_bits", "block_rams", "block_ram_bits", "clock_mhz", "source")
    return [
        {
            "name": b.name,
            "family": b.family.name,
            "words": list(b.words),
            "estimated": b.family.fabric in calibration()["shared"],
        }
        | {name: getattr(b, name) for name in names}
        | {"builds": [x for x in made if x["board"] == b.name], "outcomes": [x for x in tried if x["board"] == b.name]}
        for b in BOARDS.values()
    ]


@cache
def _card(name: str) -> dict[str, Any]:
    model = every_model()[name]
    doc = facts.doc(model)
    costs = {word: cost(datapath(model, word)) for word in WORDS}
    return {
        "name": name,
        "short": name.removesuffix("Neuron"),
        "title": doc.title,
        "equations": mathematics(model).lines,
        "best_for": model.best_for,
        "source": doc.source,
        "settings": {name: list(values) for name, values in model.settings.items()},
        "free": facts.free(model),
        "cost": {word: {name: c[name] for name in COSTS} for word, c in costs.items()},
    }


@cache
def thumbnail(name: str) -> dict[str, list[float]]:
    """Voltage and current of a model with default parameters under a current step that makes it fire: SHOWN points each."""
    model = every_model()[name]
    # of the whole file: `inspect.getsource` parses it, which Python 3.11 cannot do in several threads at once
    source = Path(inspect.getfile(model)).read_bytes()
    digest = hashlib.sha256(source + name.encode() + b"2").hexdigest()[:16]
    path = cache_dir("studio") / f"{name}-{digest}.json"
    with suppress(OSError, ValueError):
        found = load_json(path)
        if conforms(found, dict[str, list[float]]) and {*found} == {"v", "i"}:
            return found
    dp = datapath(model)
    codes = dp.quantise(model.defaults())
    steps = round(MS / dp.dt)
    inside = (np.arange(steps) >= 0.1 * steps) & (np.arange(steps) < 0.9 * steps)
    levels = dp.i_span * 2.0 ** np.arange(-8, 0)
    currents = dp.current.encode(inside[:, None] * levels)
    # the reference takes all levels at once in the time of one, and no kernel has to be compiled for it
    v, spikes, _ = reference.run(dp, dp.rest(codes), codes, currents)
    enough = np.flatnonzero(np.sum(spikes, axis=0) >= 4)  # the smallest step that evokes at least four spikes
    chosen = int(enough[0]) if len(enough) else len(levels) - 1
    found = {"v": _thin(dp.readout.decode(v[:, chosen])), "i": _thin(levels[chosen] * inside)}
    with suppress(OSError):  # it is made again another time
        write_json(path, found)
    return found


def _thin(x: np.ndarray) -> list[float]:
    """The trace reduced to SHOWN points: the lowest and the highest of each bucket of samples, in their order."""
    from .recordings import ends

    return [round(float(y), 3) for y in ends(np.asarray(x, dtype=float), -(-2 * len(x) // SHOWN))]
