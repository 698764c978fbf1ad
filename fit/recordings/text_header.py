"""Interprets the name of a column in a text file: kind and unit of its signal.

The name outranks the unit: a column "TTL (V)" is no voltage of the cell, and beside "Vm (mV)" a column "ch 3 (mV)" is none.
"""

import re
from dataclasses import dataclass, replace

# unit in lower case: (kind of signal, factor that converts to ms, mV or nA)
UNITS = {
    **dict.fromkeys(("min", "minute", "minutes"), ("time", 60_000.0)),
    **dict.fromkeys(("s", "sec", "second", "seconds"), ("time", 1000.0)),
    **dict.fromkeys(("ms", "msec", "millisecond", "milliseconds"), ("time", 1.0)),
    **dict.fromkeys(("us", "µs", "μs", "usec"), ("time", 0.001)),
    **dict.fromkeys(("v", "volt", "volts"), ("voltage", 1000.0)),
    **dict.fromkeys(("mv", "millivolt", "millivolts"), ("voltage", 1.0)),
    **dict.fromkeys(("uv", "µv", "μv"), ("voltage", 0.001)),
    **dict.fromkeys(("a", "amp", "amps", "ampere", "amperes"), ("current", 1e9)),
    "ma": ("current", 1e6),
    **dict.fromkeys(("ua", "µa", "μa"), ("current", 1000.0)),
    "na": ("current", 1.0),
    "pa": ("current", 1e-3),
}
# kind of signal: its units, for messages to the user
ACCEPTED = {"time": "s, ms, us or min", "voltage": "V, mV or uV", "current": "A, mA, uA, nA or pA"}
# Words that, outside brackets, are units only after a word of these kinds: V_min is a minimum, V_ma a moving average.
WORDY = {"min": ("time",), "ma": ("", "current")}
# word in a name, in lower case: kind of signal that it stands for
WORDS = {
    **dict.fromkeys(("t", "time", "times", "zeit", "temps", "tiempo"), "time"),
    **dict.fromkeys(
        ("v", "vm", "vmon", "vmem", "vsoma", "voltage", "volt", "potential", "membrane", "spannung"), "voltage"
    ),
    **dict.fromkeys(("membranpotential", "membranspannung", "potentiel", "voltaje"), "voltage"),
    **dict.fromkeys(("reizstrom", "courant", "corriente"), "current"),
    **dict.fromkeys(("i", "im", "iinj", "inj", "injected", "current", "curr", "stim", "stimulus", "strom"), "current"),
    **dict.fromkeys(("stimulation", "command", "cmd", "iclamp", "iapp", "iext", "istim", "icmd", "imon"), "current"),
    **dict.fromkeys(("", "n", "index", "idx", "sample", "samples", "unnamed"), "index"),
}
# A word in the name of a signal that is not the cell's voltage or current, whatever its unit.
OTHER = re.compile(
    r"ttl|led|lfp|eeg|emg|ecg|ekg|eog|ecog|fepsp|fp|pd|pmt|ph|co|temp|din|dout|dio|dig|digital|gpio|mic|cam|lick|bath|air"
    r"|flow|pos|speed|field|light|events?|markers?|flag|hold|holding|reversal|threshold|ref"
    r"|(?:trig|laser|photo|opto|valve|shutter|camera|pressure|temperat|fieldpot|extracell|piezo|whisk|pupil|respir|breath"
    r"|velocit|position|running|treadmill|wheel|microph|audio|sound|odou?r|puff|strobe|frame|sync|clock|illumin|fluoresc"
    r"|humid|vacuum|suction|solenoid|perfus|lever|reward|galvo|druck|licht|feldpot|lightst|referenc)\w*"
)
# Words that only the cell's own signals have: "Vm during light (mV)" is a voltage, "light (V)" is none.
CELL = {"vm", "vmem", "vsoma", "membrane", "membranpotential", "membranspannung", "vmon", "im", "imon", "iinj"}
# A word in the name of a trace that was computed from another one.
DERIVED = re.compile(
    r"lp|lowpass|highpass|bandpass|norm|fit|fitted|model|sim|avg|averaged?|mean|median|sd|std|sem"
    r"|(?:filt|smooth|detrend|normali[sz]|zscore|deriv|denois|despik|simulat|predict|interp)\w*"
)
PREFIX = "[fpnuµμmkMG]?"  # regular expression of a prefix of a unit, such as the k of kHz
# Text in brackets that is a unit, but not one of UNITS: kHz, nS, uA/cm2, pA pF-1. It must not match (raw), (soma), (1/3).
UNIT_LIKE = re.compile(rf"{PREFIX}(?:V|A|s|Hz|C|S|F|[Oo]hms?|Ω)(?:[\s.·*]+\S*[-−⁻]\S+)?|.*[^\W\d][\d²^]*\s*/.+")
# A unit of current per area or per capacitance (uA/cm2, pA pF) at the end of a column's name that has no brackets. In such a
# name a slash need not belong to the unit: "stim/nA" is a name, a slash and nA.
DENSITY = re.compile(rf"(?<![^\W_]){PREFIX}A[\s_]*(?:/|per|[\s_])[\s_]*(?:[pnuµμ]F|[cmuµμ]?m\^?[2²])\s*$")
# a voltage or current and its site in one word, such as Vpre
SITED = re.compile(r"(?<![^\W\d_])([VvIi]m?)((?:pre|post|soma|dend|axon|cell|left|right)(?:syn\w*|rite)?)(?![^\W\d_])")
# a word, or a number with its sign: -100 in V_-100pA
TOKEN = re.compile(r"[^\W\d_]+|(?:(?:^|(?<=[_\s(\[]))-)?\d+(?:\.\d+)?")
# A number with a unit is no name: 10 V in a remark, or -100 pA above the voltage that it evoked.
QUANTITY = re.compile(r"[-+]?\d[\d.,]*\s*[^\W\d]*")
# a pair of round or square brackets and the text in it
BRACKETS = re.compile(r"[\[(]\s*([^\[\]()]*?)\s*[\])]")


@dataclass(frozen=True)
class Meaning:
    """What the name of a column tells.

    kind      "time", "voltage", "current" or "index"; "other" for a signal that is not the cell's; "" if not known
    factor    converts the values to ms, mV or nA; None if no unit is given
    measures  kind of signal that has this unit, "" without a unit
    named     whether a word of the name tells the kind, and not only the unit
    derived   whether the trace was computed from another one (filtered, a model's, a mean)
    fault     why the unit cannot be, as the end of a sentence about the column; "" if it can
    tokens    words and numbers of the name, without the unit
    """

    kind: str
    factor: float | None = None
    measures: str = ""
    named: bool = False
    derived: bool = False
    fault: str = ""
    tokens: tuple[str, ...] = ()


NOTHING = Meaning("")


def tokens(name: str) -> list[str]:
    """The words (in lower case) and numbers of a name without its unit; fieldPotential and Vpre are two words each."""
    split = re.sub(r"(?<=[^\W\d_A-Z])(?=[A-Z])", " ", _unit(name)[1])
    return TOKEN.findall(SITED.sub(r"\1 \2", split).lower())


def words(name: str) -> list[str]:
    """The words among the tokens of a name."""
    return [token for token in tokens(name) if not token[-1].isdigit()]


def lettered(names: list[str]) -> list[bool]:
    """Which names end in a letter that tells a cell: A in Im_A beside Im_B is no unit."""
    stems = {name.strip()[:-1] for name in names if re.search(r"(?:^|[\W_])[bB]\s*$", name)}
    return [name.strip()[-1:] in ("a", "A") and name.strip()[:-1] in stems for name in names]


def meaning(name: str, letter: bool = False) -> Meaning:
    """Kind and unit of a column, from its name; if its last letter tells a cell, it is no unit.

    A time, voltage or current with an unknown unit or one of another kind has a fault: a guess might scale it wrongly.
    """
    name = f"{name}_" if letter else name
    return replace(_meaning(name), tokens=tuple(tokens(name)))


def _meaning(name: str) -> Meaning:
    """What a name tells but for its tokens."""
    whole = name.strip().lower()
    if whole in WORDS:  # a column called V is a voltage, but not necessarily in volts
        return Meaning(WORDS[whole], named=True)
    if re.match(r"d[vi][\s/_]*dt", whole) or QUANTITY.fullmatch(whole):
        return NOTHING
    unit, rest, bracketed = _unit(name)
    plain = [w for w in re.split(r"[\W_\d]+", rest.lower()) if w]
    split = words(name)
    every = {*plain, *split}
    unit_kind, factor = UNITS.get(unit.lower(), ("", None))
    if any(map(OTHER.fullmatch, every)) and not every & CELL:
        return Meaning("other", factor, unit_kind)
    derived = any(map(DERIVED.fullmatch, {*every, *re.split(r"[\W_\d]+", whole)}))
    kind = next((WORDS[w] for w in (*plain, *(w for w in split if len(w) > 1)) if w in WORDS), "")
    if not unit or kind == "index":
        return Meaning(kind, named=bool(kind), derived=derived)
    if unit.lower() not in UNITS:
        if not kind:
            return NOTHING
        fault = f"is in {unit}: the {kind} must be in {ACCEPTED[kind]}; convert it and correct its header"
        return Meaning(kind, named=True, derived=derived, fault=fault)
    if not bracketed and kind not in WORDY.get(unit.lower(), (kind,)):
        return Meaning(kind, named=bool(kind), derived=derived)
    if not kind and unit.lower() in ("v", "a") and not bracketed:
        return Meaning(unit_kind, named=True, derived=derived)  # soma.V is a voltage; its unit is not known
    if kind in ("", unit_kind):
        return Meaning(unit_kind, factor, unit_kind, bool(kind), derived)
    if len(unit) == 1 and not bracketed:
        return Meaning(kind, named=True, derived=derived)  # the s of V_s stands for soma, not for seconds
    fault = f"is called a {kind} but is in {unit}; correct its header"
    return Meaning(kind, factor, unit_kind, True, derived, fault)


def is_unit(cell: str) -> bool:
    """Whether a cell of a header is only a unit, with or without brackets."""
    bare = re.sub(r"^[\[(]\s*|\s*[\])]$", "", cell.strip())
    return bare.lower() in UNITS or bool(bare and UNIT_LIKE.fullmatch(bare))


def _unit(name: str) -> tuple[str, str, bool]:
    """The unit in a name ("" if there is none), the rest of the name, and whether the unit is in brackets."""
    for match in reversed(list(BRACKETS.finditer(name))):
        if match[1].lower() in UNITS or UNIT_LIKE.fullmatch(match[1]):
            return match[1], name[: match.start()] + " " + name[match.end() :], True
    density = DENSITY.search(name)
    if density:
        return density[0].strip(), name[: density.start()], False
    # The unit in V_mV (raw) is mV; Soma.V(0.5), without a space, is a voltage at a location and has no unit.
    last = re.search(r"(?:^|[_/\s.-])([^\W\d_]+)\s*$", re.sub(r"\s+[\[(][^\[\]()]*[\])]\s*$", "", name))
    if last and last[1].lower() in UNITS:
        return last[1], name[: last.start()], False
    return "", name, False
