"""What the scores of a finished fit cost on a board, as the page shows it."""

import shlex
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikefab.fit.recordings.readers import read
from spikefab.fit.results import FitResults

if TYPE_CHECKING:
    from spikefab.fit.pareto import Pareto


def front(
    job: Mapping[str, Any], folder: Path, file: Path, given: Mapping[str, Any], notice: Callable[[str], None]
) -> dict[str, Any]:
    """The event "front" of a job, whose files are written into its folder.

    file, given  recording of the fit, and the options with which it is read
    """
    settings = job["settings"]
    fitted = folder.parent / settings["fit"] / "out"
    results = FitResults.load(fitted, recording=read(file, **given), notice=notice)
    found = results.pareto(settings["board"], notice)
    found.save(folder / "out")
    return told(found, f"jobs/{job['id']}/out")


def told(found: "Pareto", out: str) -> dict[str, Any]:
    """Each point of a front with the neuron that it is, and the command that builds it; `out` is where the neurons are."""
    points = []
    for point in found.front:
        takes, result = point.takes, point.result
        words = ["spikefab", "build", f"{out}/{point.name}/neuron.json", "--board", found.board.path]
        if takes.form == "pipelined":
            words += ["--neurons", str(takes.neurons), "--multipliers", str(takes.each)]
        described = {"model": takes.model, "settings": dict(result.settings), "word": result.word, "dt": result.dt}
        described |= {"i_span": result.i_span, "codes": dict(result.codes)}
        names = ("form", "cells", "multipliers", "block_rams", "mhz", "neurons")
        points.append(
            {name: getattr(takes, name) for name in names}
            | {"neuron": described, "score": point.score, "knee": point.knee, "command": shlex.join(words)}
        )
    about = {"board": found.board.name, "sentences": found.sentences, "basis": found.basis}
    return about | {"points": points, "picture": "pareto.png", "validated": found.validated}
