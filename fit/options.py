"""The options of a fit: their names, defaults and checks, and their forms as Python call and JSON.

`flags` has their form on the command line. This file imports the models only when options are made, because the command line
reads the defaults from it for its help, which has to be fast.
"""

import difflib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from spikefab.errors import UsageError, shortened
from spikefab.fit.scoring.rules import RULES, WEIGHTS

if TYPE_CHECKING:
    from spikefab.boards.table import Board
    from spikefab.fit.freedom import Freedom
    from spikefab.hw.neuron import Neuron

# largest seed: the runs of a search have the seeds 1000 * seed + run, which must have 32 bits for cmaes
MOST_SEED = 4_000_000
WORD = 18  # bits, by default


@dataclass(frozen=True)
class FitOptions:
    """The options of a fit. Making them raises UsageError, with one sentence, if they are not possible.

    models     models to fit: one or several names, classes or `file.py:Class`; all by default
    word       word length of the hardware, bits: 16, 18 or 24; 18 by default. With a target, it is by default chosen for each
               result: the shortest that the board has and that hardly costs any score, see `fit.target`
    step       time step of the hardware, ms; a recording with another sample step is resampled to it
    top_k      number of results to return, at most one per model
    budget     number of evaluations per model, at most: a search ends before when it has converged, see `fit.search.search`
    seed       seed of the search; the same seed gives the same result
    held_out   which part of the recording is held out for the ranking, see `split`: "auto", "amplitudes", "tail" (the last
               third of each sweep) or "none"
    folds      number of folds for cross-validation, in place of `held_out`: the stimuli that evoke spikes are dealt into so
               many parts; for each part, the models are fitted without it; the ranking is on all parts. The parameters in the
               result come from one more search, on everything, so that a fit takes folds + 1 times as long
    weights    weights of voltage, timing and spike count in the score
    free       names of the parameters to search; by default, all that are not measured. Or a dict from models to parameters
               that are searched in addition: {"AdEx": ["V_peak"]}
    fixed      dict from parameters to the values at which they are kept
    bounds     dict from parameters to (low, high) between which they are searched, instead of around the measured value
    anyway     fit a recording although its units or its current are in doubt
    whole_budget  spend the whole budget of each model that is not stopped early, even if its search has converged
    target     the board for which models are fitted, by its name or the file of one's own: models that do not fit it are left
               out, and results say what they take of it, see `spikefab boards`
    """

    models: "tuple[type[Neuron], ...]" = None  # type: ignore[assignment]  # None means all; `__post_init__` replaces it by the classes
    word: int | None = None
    step: float = 0.1
    top_k: int = 5
    budget: int = 20_000
    seed: int = 0
    held_out: str = "auto"
    folds: int | None = None
    weights: tuple[float, float, float] = WEIGHTS
    free: tuple[str, ...] | Mapping[str, tuple[str, ...]] | None = None
    fixed: Mapping[str, float] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    anyway: bool = False
    whole_budget: bool = False
    target: str | None = None

    def __post_init__(self) -> None:
        from spikefab.hw.datapath import check_numbers
        from spikefab.hw.models import resolve_models
        from spikefab.units import step

        put = object.__setattr__  # sets a field although the dataclass is frozen
        put(self, "models", tuple(resolve_models(self.models)))
        if self.target is not None:
            put(self, "target", known_board(self.target).name)
        elif self.word is None:
            put(self, "word", WORD)
        if not (self.word is None or _is_whole(self.word)):
            raise UsageError(f"word must be a whole number of bits, not {shortened(self.word)}.")
        put(self, "step", step(self.step, "step"))
        check_numbers(self.searched_word, self.step)
        if not (_is_whole(self.budget) and _is_whole(self.top_k) and self.budget >= 1 and self.top_k >= 1):
            raise UsageError("budget and top_k must be whole numbers of at least 1.")
        if not (_is_whole(self.seed) and 0 <= self.seed <= MOST_SEED):
            raise UsageError(f"seed must be a whole number from 0 to {MOST_SEED:,}.")
        if not isinstance(self.held_out, str) or self.held_out not in RULES:
            raise UsageError(f"held_out is one of {', '.join(RULES)}, not {shortened(self.held_out)}.")
        if self.folds is not None and not (_is_whole(self.folds) and self.folds >= 2):
            raise UsageError("folds must be a whole number of at least 2.")
        if self.folds is not None and self.held_out != "auto":
            raise UsageError("give either held_out or folds.")
        for name in ("word", "top_k", "budget", "seed", "folds"):
            put(self, name, None if getattr(self, name) is None else int(getattr(self, name)))
        put(self, "weights", _weights(self.weights))
        put(self, "free", _free(self.free))
        units: dict[str, set[str]] = {}  # of each parameter, in all models that have it
        for name, p in (item for model in self.models for item in model.params().items()):
            units.setdefault(name, set()).add(p.unit)
        put(self, "fixed", _fixed(self.fixed, units))
        put(self, "bounds", _bounds(self.bounds, units))
        for name in ("anyway", "whole_budget"):
            if not isinstance(getattr(self, name), bool):
                raise UsageError(f"{name} is True or False, not {shortened(getattr(self, name))}.")
        self.freedom.check(self.models)

    @classmethod
    def of(cls, options: "FitOptions | None" = None, **given: Any) -> "FitOptions":
        """Options from keywords. Those not given, or None, are taken from `options`, or else have their default.

        Raises UsageError for a keyword that is not an option.
        """
        known = [f.name for f in fields(cls)]
        for name in given:
            if name not in known:
                close = difflib.get_close_matches(name, known, n=1)
                hint = f"did you mean {close[0]}?" if close else f"there are {', '.join(known)}."
                raise UsageError(f"a fit has no option {name!r}: {hint}")
        if not isinstance(options, cls | None):
            raise UsageError(f"options are FitOptions(...), not {shortened(options)}: single ones are given by name.")
        before = {} if options is None else {name: getattr(options, name) for name in known}
        if given.get("target") is not None and options is not None and options.target is None and options.word == WORD:
            before["word"] = None  # the default of options without a target, which chooses the word
        return cls(**{**before, **{name: value for name, value in given.items() if value is not None}})

    @property
    def freedom(self) -> "Freedom":
        """The options free, fixed and bounds in the form that a search takes."""
        from spikefab.fit.freedom import Freedom

        if isinstance(self.free, Mapping):
            return Freedom(None, self.fixed, self.bounds, self.free)
        return Freedom(self.free, self.fixed, self.bounds)

    @property
    def board(self) -> "Board | None":
        """The target."""
        return None if self.target is None else known_board(self.target)

    @property
    def searched_word(self) -> int:
        """The word at which models are searched."""
        if self.word is not None:
            return self.word
        return WORD if self.board is None else self.board.usual_word

    @property
    def words(self) -> tuple[int, ...]:
        """The words of which one is chosen for each result; in a cross-validation, whose folds are searched at one, only that."""
        chooses = self.board is not None and self.word is None and self.folds is None
        return self.board.words if chooses and self.board is not None else (self.searched_word,)

    # -- JSON ----------------------------------------------------------------------------------------------------------

    def to_dict(self, sources: bool = False) -> dict[str, Any]:
        """The options as in the `settings` of result.json. With `sources`, a user's model is given by its file, not its name."""
        free: Any = self.free
        if isinstance(free, Mapping):
            free = {model: list(names) for model, names in free.items()}
        return {
            "word": self.word,
            "dt": self.step,  # the file format calls the step of the hardware dt
            "top_k": self.top_k,
            "budget": self.budget,
            "seed": self.seed,
            "held_out": self.held_out,
            "folds": self.folds,
            "weights": list(self.weights),
            "free": list(free) if isinstance(free, tuple) else free,
            "fixed": dict(self.fixed),
            "bounds": {name: list(ends) for name, ends in self.bounds.items()},
            "models": self.sources if sources else [model.__name__ for model in self.models],
            **self._wishes,
            **({} if self.board is None else {"target": self.board.path if sources else self.target}),
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any], run_files: bool = False) -> "FitOptions":
        """Options from what `to_dict` returns. Those missing or None have their default. Raises UsageError for other keys.

        With `run_files`, a model may be given as `file.py:Class`, and a board as a file that may name another: these files are
        run, which is not for content that others made.
        """
        from spikefab.hw.models import named_model

        if not run_files and str(content.get("target") or "").endswith(".toml"):
            raise UsageError(f"the board {shortened(content['target'])} has to be named by its user, not by a file.")
        if not run_files and isinstance(content.get("models"), list | tuple):
            content = {
                **content,
                "models": [m if isinstance(m, type) else named_model(str(m)) for m in content["models"]],
            }
        return cls.of(**{"step" if name == "dt" else name: value for name, value in content.items()})

    # -- Python --------------------------------------------------------------------------------------------------------

    def to_python(self) -> list[str]:
        """The options as keyword arguments of `fit`, such as "seed=3". Rarely used ones are omitted if they have their default."""
        given: dict[str, Any] = {} if self.every_model else {"models": self.sources}
        if self.board is not None:
            given["target"] = self.board.path
        if self.word is not None:
            given["word"] = self.word
        given |= {name: getattr(self, name) for name in ("step", "top_k", "budget", "seed")}
        given |= {"held_out": self.held_out} if self.folds is None else {"folds": self.folds}
        if self.weights != WEIGHTS:
            given["weights"] = self.weights
        if self.free is not None:
            given["free"] = self.to_dict()["free"]
        given |= {name: value for name in ("fixed", "bounds") if (value := dict(getattr(self, name)))}
        given |= self._wishes
        return [f"{name}={value!r}" for name, value in given.items()]

    @property
    def _wishes(self) -> dict[str, Any]:
        """The options that are False by default, if they are not."""
        return {name: True for name in ("anyway", "whole_budget") if getattr(self, name)}

    @property
    def every_model(self) -> bool:
        """Whether the models are all those that a fit uses by default."""
        from spikefab.hw.models import resolve_models

        return self.models == tuple(resolve_models(None))

    @property
    def sources(self) -> list[str]:
        """The models as texts with which any process can find them: a name, or file and class of a user's own model."""
        from spikefab.hw.models import model_source

        return [model_source(model) or model.__name__ for model in self.models]


def known_board(target: Any) -> "Board":
    """The board of this name or file. Raises UsageError if there is none, or if nothing was built for such a device."""
    from spikefab.boards.estimates import calibration
    from spikefab.boards.table import get_board

    board = get_board(target)
    if board.family.fabric not in calibration()["shared"]:
        raise UsageError(f"nothing is known yet of what models take of {board.name}, so that none is fitted for it.")
    return board


def _is_whole(x: Any) -> bool:
    from spikefab.calls import is_whole

    return isinstance(x, Integral) and is_whole(x)


def _is_number(x: Any) -> bool:
    return isinstance(x, Real) and not isinstance(x, bool) and math.isfinite(x)


def _weights(given: Any) -> tuple[float, float, float]:
    good = _is_list(given) and len(given) == 3 and all(map(_is_number, given))
    if not good or min(given) < 0 or not sum(given) > 0:
        raise UsageError("weights are three numbers of 0 or more, not all 0: of voltage, timing and count.")
    voltage, timing, count = map(float, given)
    return voltage, timing, count


def _free(given: Any) -> tuple[str, ...] | dict[str, tuple[str, ...]] | None:
    from spikefab.hw.models import get_model

    if given is None or (isinstance(given, Mapping) and not given):
        return None
    if isinstance(given, Mapping):
        return {get_model(model).__name__: _names(names) for model, names in given.items()}
    return _names(given)


def _names(given: Any) -> tuple[str, ...]:
    if isinstance(given, str):
        raise UsageError(f"free takes names in a list, or lists by model, not the text {shortened(given)}.")
    from spikefab.calls import listed

    names = listed(given, "free takes names, or lists of names by model,")
    if not all(isinstance(name, str) for name in names):
        raise UsageError(f"free takes names in a list, or lists by model, not {shortened(given)}.")
    return tuple(names)


def _fixed(given: Any, units: Mapping[str, set[str]]) -> dict[str, float]:
    if given is None:
        return {}
    if not isinstance(given, Mapping) or any(_is_list(x) or isinstance(x, str) for x in given.values()):
        raise UsageError('fixed takes a number for each parameter, such as {"E_L": -70}.')
    return {name: _value(x, units.get(name, {""}), f"fixed {name}") for name, x in given.items()}


def _bounds(given: Any, units: Mapping[str, set[str]]) -> dict[str, tuple[float, float]]:
    if given is None:
        return {}
    pairs: list[Any] = list(given.values()) if isinstance(given, Mapping) else [None]
    if not all(_is_list(pair) and len(pair) == 2 and not any(isinstance(x, str) for x in pair) for pair in pairs):
        raise UsageError('bounds takes two numbers for each parameter, such as {"tau_m": (5, 30)}.')
    ends = {}
    for name, (low, high) in given.items():
        known, what = units.get(name, {""}), f"a bound of {name}"
        ends[name] = (_value(low, known, what), _value(high, known, what))
    return ends


def _value(x: Any, units: set[str], what: str) -> float:
    """A value of a parameter that has these units in the models that are fitted."""
    from spikefab.units import number

    if len(units) > 1 and not isinstance(x, Real):
        named = ", ".join(sorted(unit or "none" for unit in units))
        raise UsageError(f"{what} has different units in these models ({named}): give a number without unit.")
    return number(x, min(units), what)


def _is_list(x: Any) -> bool:
    """Whether it is a list, tuple or array; a quantity of one number has a length and none at once."""
    return isinstance(x, Sequence | Set) and not isinstance(x, str) if not hasattr(x, "ndim") else x.ndim == 1


def shows_options(function: Callable) -> Callable:
    """A decorator for a function that passes its keywords on to `FitOptions.of`: signature and docstring name the options.

    The signature has no types, as those of arrays take three lines each when they are printed; the docstring has them in words.
    """
    declared = inspect.signature(function).parameters.values()
    kept = [p.replace(annotation=p.empty) for p in declared if p.kind is not p.VAR_KEYWORD]
    added = [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=None if f.default is MISSING else f.default)
        for f in fields(FitOptions)
    ]
    function.__signature__ = inspect.Signature([*kept, *added])  # type: ignore[attr-defined]
    table = inspect.cleandoc(FitOptions.__doc__ or "").partition("\n\n")[2]
    function.__doc__ = f"{inspect.cleandoc(function.__doc__ or '')}\n\nThe options of a fit, `FitOptions`:\n\n{table}"
    return function
