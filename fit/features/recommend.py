"""Recommends models from the features of a recording, with reasons, and tells after the fit how they ranked.

A fit never leaves out a model because of this.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from spikefab.errors import UsageError, shortened
from spikefab.hw.models import every_model
from spikefab.hw.spec import Trait

MOST = 5  # number of models recommended, at most
ADAPTS = 1.5  # last interspike interval divided by the first, from which on firing adapts
# Coefficient of variation of the interspike intervals, under a constant current, from which on firing is irregular.
IRREGULAR = 0.5
# Share of the firing sweeps that must be under a constant current: otherwise, intervals reflect the stimulus, not the cell.
CONSTANT = 0.5
BURSTS = 0.1  # share of the intervals that lie between bursts, from which on a cell bursts; a Poisson train has 0.17
SAGS = 0.15  # least sag, as a share of the deflection
RESONATES = 1.2  # largest impedance divided by that at 1 Hz, from which on the membrane resonates
RHYTHM = 0.5  # least subthreshold oscillation, mV rms
BLOCKS = 0.2  # a cell counts as blocking if at least this share of its firing sweeps end in a depolarisation block
REBOUNDS = 0.3  # least share of hyperpolarising steps that are followed by a spike
BROAD = 3.0  # width of spikes at half height, ms, from which on they are broad

Features = Mapping[str, float]


@dataclass(frozen=True)
class Sign:
    """A property of a cell: the condition on the features, the reason in words, and the traits of models that suit it."""

    shown: Callable[[Features], bool]
    reason: str  # a format string, filled in with the features
    traits: tuple[Trait, ...]  # the most suitable first


def _above(name: str, level: float) -> Callable[[Features], bool]:
    return lambda f: f.get(name, math.nan) >= level  # false for NaN


def _told(f: Features) -> bool:
    """Whether interspike intervals reflect the cell, not a changing stimulus."""
    return not (f["noise"] or f.get("constant", 1.0) < CONSTANT)


def _adapts(f: Features) -> bool:
    return f["adaptation_ratio"] >= ADAPTS and _told(f)


def _bursts(f: Features) -> bool:
    return f["isi_cv"] >= IRREGULAR and f["bursts"] >= BURSTS and _told(f)


def _irregular(f: Features) -> bool:
    # adaptation varies the intervals too: with a ratio of 3, by as much as IRREGULAR, so that is not called irregular
    return f["isi_cv"] >= IRREGULAR and _told(f) and not (f["bursts"] >= BURSTS or f["adaptation_ratio"] >= 3)


def _regular(f: Features) -> bool:
    return f["isi_cv"] < IRREGULAR and f["adaptation_ratio"] < ADAPTS and _told(f)


# In the order of importance: models that suit an earlier one are recommended first.
SIGNS = (
    Sign(
        lambda f: f["spike_count"] == 0,
        "There are no spikes, so that only the passive membrane can be fitted, and the fewest parameters do it",
        (Trait.FEWEST_PARAMETERS,),
    ),
    Sign(
        lambda f: bool(f["noise"]) and f["spike_count"] > 0,
        "The current fluctuates, and what counts are the times of the spikes under it",
        (Trait.FLUCTUATING_CURRENTS, Trait.ADAPTING),
    ),
    Sign(
        _bursts,
        "Intervals are irregular (CV {isi_cv:.2f}) and {bursts:.0%} of them are pauses between bursts",
        (Trait.BURSTING,),
    ),
    Sign(_irregular, "Intervals are irregular under a constant current (CV {isi_cv:.2f})", (Trait.BURSTING,)),
    Sign(
        _above("block", BLOCKS),
        "In {block:.0%} of the firing sweeps a strong current stops the spikes (depolarisation block)",
        (Trait.SPIKE_SHAPE, Trait.BLOCK, Trait.CALCIUM_SPIKES),
    ),
    Sign(
        _adapts,
        "The firing adapts: the last interval is {adaptation_ratio:.1f} times the first",
        (Trait.ADAPTING, Trait.FIRING_PATTERNS),
    ),
    Sign(
        _above("resonance", RESONATES),
        "The membrane resonates: its impedance peaks at {resonance:.1f} times the one at 1 Hz",
        (Trait.RESONANCE, Trait.SPIKE_SHAPE, Trait.AFTER_INHIBITION),
    ),
    Sign(
        _above("oscillation", RHYTHM),
        "The voltage oscillates below threshold ({oscillation:.1f} mV rms)",
        (Trait.OSCILLATION, Trait.SPIKE_SHAPE, Trait.AFTER_INHIBITION),
    ),
    Sign(
        _above("sag_ratio", SAGS),
        "Inhibition sags back by {sag_ratio:.0%}",
        (Trait.OSCILLATION, Trait.SPIKE_SHAPE, Trait.AFTER_INHIBITION),
    ),
    Sign(
        _above("rebound", REBOUNDS),
        "The cell fires after {rebound:.0%} of the inhibiting steps",
        (Trait.REBOUND, Trait.AFTER_INHIBITION),
    ),
    Sign(_regular, "The firing is regular (CV {isi_cv:.2f}, without adaptation)", (Trait.REGULAR,)),
    Sign(_above("ap_width", BROAD), "The spikes are broad ({ap_width:.1f} ms at half height)", (Trait.BROAD_SPIKES,)),
)
# Used if none of SIGNS is shown, for example with only one or two spikes per sweep.
UNKNOWN = Sign(
    lambda f: True,
    "Too few spikes under a constant current show how the cell fires: a simple model is safest",
    (Trait.REGULAR,),
)


def recommend(features: Features) -> list[tuple[str, str]]:
    """The models that should rank high, at most five, as (name, sentence with the reason), the most suitable first.

    features  from `recording_features`; nan stands for unknown

    A model suits a sign if it has one of the traits of the sign, so that a new model is recommended as soon as it declares
    traits. Models that suit a more important sign come first, then those that suit more signs.
    """
    if not isinstance(features, Mapping):
        raise UsageError(
            f"recommend takes the features of a recording, not {shortened(features)}: see recording_features."
        )
    try:
        signs = [s for s in SIGNS if s.shown(features)]
    except KeyError as error:
        raise UsageError(f"recommend takes what recording_features gives: the feature {error} is missing.") from None
    # True if there are no signs, or if broad spikes (the last of SIGNS) are the only one: they do not tell how the cell fires.
    if all(s is SIGNS[-1] for s in signs):
        signs.insert(0, UNKNOWN)
    answers: dict[str, list[int]] = {}
    closest: dict[str, int] = {}
    models = every_model()
    for name, model in models.items():
        found = [k for k, s in enumerate(signs) if not model.traits.isdisjoint(s.traits)]
        if found:
            answers[name] = found
            closest[name] = next(k for k, trait in enumerate(signs[found[0]].traits) if trait in model.traits)
    # the sort is stable: equal models stay in the order of the table, simple before complex
    names = sorted(answers, key=lambda name: (answers[name][0], -len(answers[name]), closest[name]))
    out = []
    for name in names[:MOST]:
        reasons = [signs[k].reason.format(**features) for k in answers[name]]
        why = "; ".join([reasons[0], *(r[0].lower() + r[1:] for r in reasons[1:])])
        out.append((name, f"{why}. {name.removesuffix('Neuron')} is for {models[name].best_for}."))
    return out


def advice(recommended: Sequence[tuple[str, str]]) -> str:
    """A notice before a fit, one sentence: the names of the recommended models, and the first reason."""
    if not recommended:
        return ""
    names = ", ".join(_short(name) for name, _ in recommended)
    why = recommended[0][1].split(". ")[0].split("; ")[0]
    return f"the features point at {names} ({why[0].lower() + why[1:]}); a hint only: no model is left out."


def outcome(recommended: Sequence[tuple[str, str]], ranked: Sequence[str], fitted: Sequence[str]) -> str:
    """A sentence about the ranks of the recommended models; "" if none was recommended or nothing was fitted.

    ranked  names in the order of the ranking, which may contain only the best
    fitted  names of all models that were fitted
    """
    if not recommended or not ranked:
        return ""
    wanted = [name for name, _ in recommended]
    places = sorted((ranked.index(name), name) for name in wanted if name in ranked)
    beyond = [_short(n) for n in wanted if n in fitted and n not in ranked]
    absent = [_short(n) for n in wanted if n not in fitted and n not in ranked]
    parts = [f"{_short(name)} came {ordinal(place + 1)}" for place, name in places]
    if beyond:
        parts.append(f"{_and(beyond)} came after the {ordinal(len(ranked))}")
    if absent:
        parts.append(f"{_and(absent)} {'was' if len(absent) == 1 else 'were'} not fitted")
    text = f"Of the recommended models, {', '.join(parts)}"
    if ranked[0] not in wanted:
        text += f"; the best, {_short(ranked[0])}, had not been recommended"
    return f"{text}."


def _short(name: str) -> str:
    return name.removesuffix("Neuron")


def _and(names: Sequence[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def ordinal(n: int) -> str:
    """1st, 2nd, 3rd, 4th ..."""
    ending = "th" if 10 <= n % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"
