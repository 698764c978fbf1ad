"""What a notebook shows of a recording and of a fitted model."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from spikefab.errors import UsageError, readable
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.recordings.summary import describe
from spikefab.hw.pages.description import doc
from spikefab.markup import Markup, table, tag, view

if TYPE_CHECKING:
    from spikefab.fit.result import FitResult

MOST = 12  # number of sweeps that the view of a recording lists, at most; the others are counted


def recording_html(recording: Recording) -> str:
    """The recording as HTML, see `Recording`."""
    title = tag("p", f"Recording of {_name(recording)}", css="title")
    if not recording.sweeps:
        return view(title, *notices(["It holds no sweeps."]))
    found = describe(recording)
    sweeps = found["sweeps"]
    rows = [
        (
            readable(s["name"]),
            f"{s['duration']:.1f}",
            "-" if s["window"] is None else "{:.1f} .. {:.1f}".format(*s["window"]),
            "-" if s["current"] is None else "{:.3f} .. {:.3f}".format(*s["current"]),
            "{:.1f} .. {:.1f}".format(*s["voltage"]),
            f"{s['rest']:.1f}",
            str(s["spikes"]),
        )
        for s in sweeps[:MOST]
    ]
    columns = ("sweep", "duration ms", "stimulus ms", "current nA", "voltage mV", "rest mV", "spikes")
    count = "one sweep" if len(sweeps) == 1 else f"{len(sweeps)} sweeps"
    facts = (
        f"{count}, dt {recording.dt:g} ms; units in the file: {recording.units}; current: {recording.current_origin}"
    )
    said = (*found["notes"], *found["warnings"], *found["doubts"], found["cannot_be_fitted"])
    return view(
        title,
        tag("p", readable(facts), css="soft"),
        table(columns, rows),
        tag("p", f"and {len(sweeps) - MOST} more sweeps", css="soft") if len(sweeps) > MOST else Markup(""),
        *notices(text for text in said if text),
    )


def result_html(result: "FitResult") -> str:
    """The fitted model as HTML, see `FitResult`."""
    s, ideal = result.judged, result.judged_ideal
    on = "held-out data" if result.validated else "the data it was fitted to (not validated)"
    in_float = "" if ideal is None else f", {ideal.combined_score:.3f} in float64"
    masked = "" if s.masked_rmse is None else f"; {s.masked_rmse:.2f} mV outside spikes"
    score = f"Score {result.combined_score:.3f} on {on}{in_float}; {s.spikes_model} spikes for {s.spikes_data}{masked}."
    choice = "".join(f", {name} = {x}" for name, x in result.settings.items())
    facts = f"word {result.word}, dt {result.dt:g} ms, input within ±{result.i_span:g} nA{choice}"
    told = "can vary within: where a parameter alone can move before the training loss grows by a tenth"
    try:
        title, equations = doc(result.model).title, result.model.mathematics().mathml
    except UsageError as error:  # a user's own model that this process does not know
        return view(tag("p", result.model_name, css="title"), tag("p", score), *notices([str(error)]))
    return view(
        tag("p", f"{result.model_name}: {title}", css="title"),
        tag("p", score),
        tag("p", facts, css="soft"),
        Markup(f'<details><summary>Equations</summary><div class="scroll">{equations}</div></details>'),
        result.parameters().to_html(),
        tag("p", told, css="soft") if result.sensitivity else Markup(""),
    )


def notices(texts: Iterable[str]) -> list[Markup]:
    """Notices to the user, one paragraph each."""
    return [tag("p", readable(text), css="note") for text in texts]


def _name(recording: Recording) -> str:
    return readable(Path(recording.source).name)
