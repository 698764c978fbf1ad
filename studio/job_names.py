"""The names of jobs: those that they get by themselves, and the name and note that a user gives them."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from spikefab.errors import UsageError

from .stored import Label, load, save

LONGEST_NAME, LONGEST_NOTE = 200, 4000  # characters
NAMED = 3  # number of models that the name of a fit lists, at most; of more, it has their number


def fit_title(recording: str, models: Sequence[str], every: bool) -> str:
    """The title of a fit: its recording and its models."""
    shown = [m.removesuffix("Neuron") for m in models]
    listed = ", ".join(shown) if len(shown) <= NAMED else f"{'all ' * every}{len(shown)} models"
    return f"{recording} · {listed}"


def other_than(title: str, taken: Collection[str]) -> str:
    """The title, with a number if another has it already."""
    number, found = 1, title
    while found in taken:
        number += 1
        found = f"{title} ({number})"
    return found


def shown(job: Mapping[str, Any], label: Mapping[str, Any], best: Mapping[str, Any] | None) -> str:
    """The name under which a job is shown: that of the user, or else its title and, of a fit, the best model and its score."""
    if label["name"]:
        return str(label["name"])
    if best is None or best["combined_score"] is None:
        return str(job["title"])
    return f"{job['title']} · {best['model'].removesuffix('Neuron')} {best['combined_score']:.3f}"


def label(folder: Path) -> dict[str, Any]:
    """Name and note that the user has given a job; empty texts if there are none."""
    return load(folder / "label.json", Label) or {"name": "", "note": ""}


def relabel(folder: Path, given: Mapping[str, Any]) -> None:
    """Set name or note or both, and keep the other. Raises UsageError if they are no texts, or too long."""
    kept = label(folder)
    for what, longest in (("name", LONGEST_NAME), ("note", LONGEST_NOTE)):
        if what not in given:
            continue
        text = given[what]
        if not isinstance(text, str) or len(text) > longest:
            raise UsageError(f"The {what} of a job is a text of at most {longest:,} characters.")
        lines = ["".join(c for c in line if c.isprintable()) for line in text.splitlines()]
        kept[what] = ("\n" if what == "note" else " ").join(lines).strip()
    save(folder / "label.json", kept)
