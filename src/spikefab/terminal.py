"""Makes any text printable on any terminal: signs that its encoding lacks are replaced by others that say the same."""

import codecs
import sys
import unicodedata
import warnings

from .errors import readable

# Signs of units, mathematics, tables and progress, and what stands for each where it cannot be shown.
STAND_INS = {
    "\u2126": "Ohm", "\u03a9": "Ohm", "\u00b5": "u", "\u03bc": "u", "°": " deg", "±": "+-", "×": "x", "·": "*", "÷": "/", "−": "-",
    "≤": "<=", "≥": ">=", "≈": "~", "≠": "!=", "≪": "<<", "≫": ">>", "√": "sqrt", "∞": "inf", "Δ": "Delta", "τ": "tau",
    "γ": "gamma", "σ": "sigma", "–": "-", "—": "-", "‑": "-", "…": "...", "‘": "'", "’": "'", "‚": ",", "“": '"', "”": '"',
    "„": '"', "«": '"', "»": '"', "→": "->", "←": "<-", "↑": "^", "↓": "v", "★": "*", "•": "*", "✓": "ok", "✗": "x",
    "ß": "ss", "æ": "ae", "Æ": "AE", "ø": "o", "Ø": "O", "œ": "oe", "Œ": "OE", "ł": "l", "Ł": "L", "đ": "d", "ı": "i",
    "\u00a0": " ", "\u202f": " ", "\ufffd": "?",
}  # fmt: skip
LINES = {
    "─": "-",
    "━": "-",
    "═": "=",
    "│": "|",
    "┃": "|",
    "║": "|",
    "╸": "-",
    "╺": "-",
}  # other box drawing is a corner


def stand_in(text: str) -> str:
    """The text in ASCII: units and signs by their names, letters without their accents, anything else as "?"."""
    return "".join(map(_one, readable(text)))


def _one(sign: str) -> str:
    if sign.isascii():
        return sign
    if sign in STAND_INS:
        return STAND_INS[sign]
    if "\u2500" <= sign <= "\u257f":
        return LINES.get(sign, "+")
    if "\u2580" <= sign <= "\u259f":  # blocks, of which bars are made
        return "#"
    if "\u2800" <= sign <= "\u28ff":  # dots, of which spinners are made
        return "."
    plain = unicodedata.normalize("NFKD", sign)
    return "".join(c for c in plain if c.isascii()) or ("" if unicodedata.combining(sign) else "?")


def _replace(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return stand_in(error.object[error.start : error.end]), error.end


codecs.register_error("spikefab", _replace)


def prepare() -> None:
    """Let standard output and standard error take any text, whatever the locale. Their encoding stays as it is."""
    # A sign that matplotlib's font lacks is a box in a picture, which needs no warning in the terminal.
    warnings.filterwarnings("ignore", message="Glyph .* missing from", category=UserWarning)
    warnings.showwarning = _show
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="spikefab")


def _show(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """Print a warning as one line, without the place in the code that warns."""
    print(f"note: {message}", file=sys.stderr)
