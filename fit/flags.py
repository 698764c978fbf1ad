"""The options of a fit, and of reading a recording, on the command line: flags, help texts, and conversions both ways.

The import is fast, because the command line shows its help from these tables.
"""

import math
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from spikefab.errors import UsageError
from spikefab.fit.recordings.channels import parse_channel
from spikefab.fit.scoring.rules import RULES, WEIGHTS

from .options import WORD, FitOptions

if TYPE_CHECKING:
    from collections.abc import Iterable

DEFAULTS = {f.name: f.default for f in fields(FitOptions)}


@dataclass(frozen=True)
class Flag:
    """One option on the command line.

    option    name of the option in Python, such as "top_k"
    name      name on the command line, such as "--top"
    metavar   name of the value in the help
    help      help text
    kind      type to which argparse converts the text: str, int, float or Path; bool for a flag without a value
    read      converts that to the value of the option; if the flag may be repeated, it gets a list of all
    write     the texts on the command line for a value; several if the flag may be repeated
    choices   allowed texts, if only some are
    repeated  whether the flag may be given several times
    """

    option: str
    name: str
    metavar: str | None
    help: str
    kind: type = str
    read: Callable[[Any], Any] = lambda given: given
    write: Callable[[Any], Sequence[str]] = lambda value: [str(value)]
    choices: tuple[str, ...] | None = None
    repeated: bool = False

    @property
    def key(self) -> str:
        """The name of the option in argparse's namespace."""
        return self.name[2:].replace("-", "_")

    def add(self, parser: ArgumentParser, help: str | None = None) -> None:
        more: dict[str, Any] = {"action": "append"} if self.repeated else {"type": self.kind}
        if self.kind is bool:
            parser.add_argument(self.name, help=help or self.help, action="store_true", default=None)
            return
        if self.choices is not None:
            more["choices"] = self.choices
        parser.add_argument(self.name, metavar=self.metavar, help=help or self.help, **more)

    def words(self, value: Any) -> list[str]:
        """The words of the command line for a value.

        A text that begins with a dash would be taken for a flag, and is therefore joined to its flag with "=".
        """
        if self.kind is bool:
            return [self.name] if value else []
        found = []
        for text in self.write(value):
            found += [f"{self.name}={text}"] if text.startswith("-") or not text else [self.name, text]
        return found


def _numbers(text: str, what: str, separator: str, count: int) -> list[float]:
    try:
        found = [float(x) for x in text.split(separator)]
    except ValueError:
        found = []
    if len(found) != count or not all(map(math.isfinite, found)):
        raise UsageError(f"{what} takes {count} number{'s' if count > 1 else ''}, not {text!r}.")
    return found


def _named(given: list[str], option: str, count: int) -> dict[str, list[float]]:
    pairs = [text.partition("=") for text in given]
    return {name.strip(): _numbers(x, f"{option} {name}=", ":", count) for name, _, x in pairs}


def _listed(text: str) -> list[str]:
    return [name.strip() for name in text.split(",") if name.strip()]


def _read_free(text: str) -> list[str] | dict[str, list[str]]:
    names = _listed(text)
    own = [name.partition(".") for name in names if "." in name]
    if own and len(own) < len(names):
        raise UsageError(f"--free takes either names or MODEL.NAME, not both: {text!r}.")
    by_model: dict[str, list[str]] = {}
    for model, _, name in own:
        by_model.setdefault(model, []).append(name)
    return by_model or names


def _write_free(value: "Iterable[str] | Mapping[str, Iterable[str]]") -> list[str]:
    if isinstance(value, Mapping):
        value = [f"{model.removesuffix('Neuron')}.{name}" for model, names in value.items() for name in names]
    return [",".join(value)]


def _write_sweeps(value: str | Sequence[int]) -> list[str]:
    """Sweeps as a text: 0, 3, 4, 5 become "0,3-5". They must be ascending, see `sayable`."""
    if isinstance(value, str):
        return [value]
    starts = [0, *(k for k, (a, b) in enumerate(pairwise(value), 1) if b != a + 1), len(value)]
    runs = [(value[a], value[b - 1]) for a, b in pairwise(starts)]
    return [",".join(f"{a}" if a == b else f"{a}-{b}" for a, b in runs)]


READING = (
    Flag("dt", "--dt", "MS", "ms between samples, if the file has no time", float),
    Flag("current", "--current", "FILE", "the injected current, in a file of its own", Path),
    Flag("voltage_channel", "--voltage-channel", "N|NAME", "channel with the voltage", read=parse_channel),
    Flag("current_channel", "--current-channel", "N|NAME", "channel that recorded the current", read=parse_channel),
    Flag("units", "--units", "V,I", "of the numbers in the file, such as mV,pA or ,pA, if it says them wrongly"),
    Flag("electrode", "--electrode", "NAME", "which to read of an NWB that has several"),
    Flag(
        "sweeps", "--sweeps", "K,L-M", "those to use, such as 0,3-7, counted from 0 (default: all)", write=_write_sweeps
    ),
    Flag(
        "spike_prominence", "--spike-prominence", "MV",
        "least prominence of a spike (default 20): less for cells with small spikes", float, write=lambda x: [repr(x)],
    ),
)  # fmt: skip
FIT = (
    Flag(
        "models", "--models", "A,B,...",
        "names, without Neuron or by their capitals (HH, QIF, FHN), or FILE.py:CLASS (default: all)",
        write=lambda sources: [",".join(x if ":" in x else x.removesuffix("Neuron") for x in sources)],
    ),
    Flag("word", "--word", "N", f"bits: 16, 18 or 24 (default {WORD}; with --board chosen for each result)", int),
    Flag(
        "step", "--step", "MS", f"ms, the time step of the hardware (default --dt, else {DEFAULTS['step']})", float,
        write=lambda x: [repr(x)],
    ),
    Flag("top_k", "--top", "K", f"results to keep (default {DEFAULTS['top_k']})", int),
    Flag("budget", "--budget", "N", f"evaluations a model, at most (default {DEFAULTS['budget']})", int),
    Flag("seed", "--seed", "N", f"the same seed gives the same result (default {DEFAULTS['seed']})", int),
    Flag(
        "held_out", "--held-out", None,
        "what the ranking is on: every third stimulus, or the last third of each sweep (default auto: what there is)",
        choices=RULES,
    ),
    Flag(
        "folds", "--folds", "K",
        "instead: hold each stimulus out once, in K folds, each searched by itself (K + 1 times as long)", int,
    ),
    Flag(
        "weights", "--weights", "V,T,C",
        f"of voltage, timing and count in the score (default {','.join(f'{x:g}' for x in WEIGHTS)})",
        read=lambda text: _numbers(text, "--weights", ",", 3), write=lambda value: [",".join(map(repr, value))],
    ),
    Flag(
        "free", "--free", "A,B,...",
        "parameters that are searched (default: all the recording leaves open); as MODEL.A, in that model besides",
        read=_read_free, write=_write_free,
    ),
    Flag(
        "fixed", "--fix", "NAME=X", "hold a parameter; may be repeated",
        read=lambda given: {name: x for name, (x,) in _named(given, "--fix", 1).items()},
        write=lambda value: [f"{name}={x!r}" for name, x in value.items()], repeated=True,
    ),
    Flag(
        "bounds", "--bounds", "NAME=LO:HI", "search between; may be repeated",
        read=lambda given: {name: (lo, hi) for name, (lo, hi) in _named(given, "--bounds", 2).items()},
        write=lambda value: [f"{name}={lo!r}:{hi!r}" for name, (lo, hi) in value.items()], repeated=True,
    ),
    Flag("anyway", "--anyway", None, "fit although units or current are in doubt", bool),
    Flag("whole_budget", "--whole-budget", None, "spend the budget even if a search has converged", bool),
    Flag(
        "target", "--board", "NAME|FILE.toml",
        "fit for this board: only models that fit it, each at the shortest word that costs hardly any score",
        write=lambda name: [_board_path(name)],
    ),
)  # fmt: skip


def _board_path(name: str) -> str:
    from spikefab.boards.table import get_board

    return get_board(name).path


def add_reading(parser: ArgumentParser, **helps: str) -> None:
    """Add the options of `read` to a parser; `helps` are other help texts for some of them."""
    for flag in READING:
        flag.add(parser, helps.get(flag.option))


def add_fit(parser: ArgumentParser) -> None:
    """Add the options of `fit` to a parser."""
    for flag in FIT:
        flag.add(parser)


def reading_of(args: Namespace) -> dict[str, Any]:
    """The options of `read` that the user gave."""
    return _given(READING, args)


def options_of(args: Namespace) -> FitOptions:
    """The options of a fit that the user gave. If --step is not given, --dt is the step of the hardware too."""
    return FitOptions.of(**{"step": args.dt, **_given(FIT, args)})


def given_fit(args: Namespace) -> list[Flag]:
    """The flags of a fit that the user gave."""
    return [flag for flag in FIT if getattr(args, flag.key) is not None]


def _given(flags: Sequence[Flag], args: Namespace) -> dict[str, Any]:
    found = {flag: getattr(args, flag.key) for flag in flags}
    return {flag.option: flag.read(value) for flag, value in found.items() if value is not None}


def reading_words(reading: Mapping[str, Any]) -> list[str]:
    """The words of the command line with which a recording is read in the same way."""
    return [word for flag in READING if flag.option in reading for word in flag.words(reading[flag.option])]


def sayable(reading: Mapping[str, Any]) -> bool:
    """Whether the command line can express these options of `read`: it can give sweeps only in ascending order, each once."""
    sweeps = reading.get("sweeps", "")
    return isinstance(sweeps, str) or list(sweeps) == sorted(set(sweeps))


def fit_words(options: FitOptions) -> list[str]:
    """The words of the command line for a fit with these options."""
    value = {f.name: getattr(options, f.name) for f in fields(options)} | {"models": options.sources}
    usual = {
        "models": options.every_model,
        "held_out": options.folds is not None,
        "weights": options.weights == WEIGHTS,
    }
    silent = {name for name, same in usual.items() if same} | {
        n for n in ("folds", "free", "target", "word") if value[n] is None
    }
    return [word for flag in FIT if flag.option not in silent for word in flag.words(value[flag.option])]
