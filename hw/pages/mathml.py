"""Sets the equations of a model's docstring as mathematics: HTML with MathML, which browsers draw without a library.

A line of equations becomes a <div>, each of its statements a <span>. MathML has no line breaks of its own, so that every
term of a long sum is a <math> element: the page can break a line between two of them, and cuts none.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import NamedTuple

GREEK = {
    "alpha": "α", "beta": "β", "Delta": "Δ", "eps": "ε", "eta": "η", "theta": "θ", "omega": "ω", "phi": "φ", "pi": "π",
    "tau": "τ", "inf": "∞",
}  # fmt: skip
FUNCTIONS = ("exp", "cos", "tan", "cosh", "tanh")
SIGNS = {"-": "−", "<-": "←", ">=": "≥"}  # signs that are drawn otherwise than they are typed
RELATIONS = ("=", "<-", ">=")
# In this order: a text in quotes, a number, a name with its index, ..., and signs
TOKEN = re.compile(
    r'(?P<quoted>"[^"]*")|(?P<number>\d*\.?\d+(?!\w))|(?P<name>[^\W\d_]+(?:_\w+|\d+)?)'
    r"|(?P<sign><-|>=|\.\.|[-+/^'()=,:;])|(?P<space>\s+)"
)
INFIX = ' form="infix"'  # so that a sign at the end of a <math> has the space of one between two terms
GAP = '<mspace width="0.17em"/>'  # between factors


class Token(NamedTuple):
    """A word or sign of an equation; `kind` is number, name, sign or text, `spaced` whether a space is before it."""

    kind: str
    text: str
    spaced: bool


def equations_html(equations: str) -> str:
    """The equations of a docstring, see `description.Doc`, as HTML: a <div class="equation"> for each line of them.

    Equations of somebody's own model, written in another way than ours, are a <pre> as they are.
    """
    try:
        return _typeset(equations)
    except ValueError:
        return f"<pre>{escape(equations, quote=False)}</pre>"


def _typeset(equations: str) -> str:
    """Raises ValueError for what is not understood."""
    lines = [re.split(r"\s{2,}", line.strip()) for line in equations.split("\n") if line.strip()]
    return "".join(f'<div class="equation">{" ".join(map(_statement, line))}</div>' for line in lines)


def _statement(text: str) -> str:
    """One statement: formulas, and the words between them."""
    parts = _Parser(_tokens(text.rstrip(";,"))).parts()
    return f'<span class="statement">{" ".join(parts)}</span>'


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at, spaced = 0, False
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            raise ValueError(f"equation {text!r}: what {text[at]!r} means is not known")
        at, kind = match.end(), str(match.lastgroup)
        if kind != "space":
            kind = "text" if kind == "quoted" or (kind == "name" and _is_word(match.group())) else kind
            found.append(Token(kind, match.group(), spaced))
        spaced = kind == "space"
    for k, token in enumerate(found):  # the article in "of a spike" is no parameter
        if token.text == "a" and 0 < k < len(found) - 1 and found[k - 1].kind == found[k + 1].kind == "text":
            found[k] = token._replace(kind="text")
    return found


def _is_word(name: str) -> bool:
    """Whether a name is a word of English or a unit, and no symbol."""
    return len(name) > 1 and name.isalpha() and name not in (*GREEK, *FUNCTIONS)


class _Group(str):
    """MathML in parentheses; `inner` is what stands between them, as a fraction needs none."""

    def __new__(cls, inner: str) -> "_Group":
        made = super().__new__(cls, f"<mrow><mo>(</mo>{inner}<mo>)</mo></mrow>")
        made.inner = inner
        return made

    inner: str


class _Parser:
    """Reads the tokens of a statement from left to right."""

    def __init__(self, tokens: Sequence[Token]):
        self.tokens, self.at = tokens, 0

    def parts(self) -> list[str]:
        """The statement as HTML: a <math> for each side of a relation, or for each of its terms; words as they are."""
        found: list[str] = []
        while token := self._next():
            if token.kind == "text" or token.text in (",", ":", ".."):
                self.at += 1
                words = {"..": "…"}.get(token.text, escape(token.text, quote=False))
                if found and token.text in (",", ":"):  # no line begins with these
                    found[-1] += words
                else:
                    found.append(words)
            elif token.text in RELATIONS:
                self.at += 1
                if not found:
                    raise ValueError("an equation begins with its relation")
                found[-1] = found[-1].removesuffix("</math>") + _sign(token.text, INFIX) + "</math>"
            else:
                found += [f'<math displaystyle="true">{term}</math>' for term in self._terms()]
        return found

    def _next(self, *texts: str) -> Token | None:
        """The next token; with `texts`, only if it is one of these."""
        token = self.tokens[self.at] if self.at < len(self.tokens) else None
        return token if token is None or not texts or token.text in texts else None

    def _terms(self) -> list[str]:
        """The terms of a sum, each with its sign."""
        terms: list[str] = []
        while True:
            sign = self._next("-", "+")
            if terms and sign is None:
                return terms
            if sign is not None:
                self.at += 1
            shown = _sign(sign.text, INFIX if terms else "") if sign else ""
            terms.append(shown + self._product())

    def _product(self) -> str:
        """Factors, and what they are divided by: a / b c is not used in equations, as it can be read in two ways."""
        factors = [self._power()]
        while (token := self._next()) and (token.kind in ("number", "name") or token.text in ("(", "/")):
            if token.text == "/":
                self.at += 1
                over = factors if len(factors) > 1 else [_bare(factors[0])]
                factors = [f"<mfrac>{_row(over)}{_row([_bare(self._power())])}</mfrac>"]
            else:
                factors.append(self._power())
        return GAP.join(factors)

    def _power(self) -> str:
        base = self._factor()
        while sign := self._next("^", "'"):
            self.at += 1
            if sign.text == "'":
                base = f"<mfrac><mrow><mi>d</mi>{base}</mrow><mrow><mi>d</mi><mi>t</mi></mrow></mfrac>"
            else:
                base = f"<msup>{_row([base])}{_row([self._factor()])}</msup>"
        return base

    def _factor(self) -> str:
        token = self._next()
        if token is None:
            raise ValueError("an equation ends before its last factor")
        self.at += 1
        if token.text == "(":
            return self._group()
        if token.kind == "number":
            return f"<mn>{'0' * token.text.startswith('.')}{token.text}</mn>"
        if token.kind != "name":
            raise ValueError(f"an equation has {token.text!r} in place of a factor")
        name = _name(token.text)
        following = self._next()
        if following and following.text == "(" and not following.spaced:  # what it is a function of
            self.at += 1
            return name + self._group()
        return f"{name}{GAP}{self._power()}" if token.text in FUNCTIONS else name

    def _group(self) -> str:
        """What stands between parentheses, of which the first was read."""
        inner = "".join(self._terms())
        if self._next(")") is None:
            raise ValueError("an equation has a ( without its )")
        self.at += 1
        return _Group(inner)


def _name(name: str) -> str:
    """A symbol with its index: tau_m, h1, V."""
    symbol, _, index = name.partition("_")
    if not index and (match := re.fullmatch(r"(\D+)(\d+)", name)):
        symbol, index = match.groups()
    return f"<msub>{_letter(symbol)}{_letter(index)}</msub>" if index else _letter(symbol)


def _letter(text: str) -> str:
    """A letter in italics, longer names upright, as is usual."""
    return f"<mn>{text}</mn>" if text.isdigit() else f"<mi>{GREEK.get(text, text)}</mi>"


def _sign(text: str, form: str = "") -> str:
    return f"<mo{form}>{escape(SIGNS.get(text, text))}</mo>"


def _row(parts: Sequence[str]) -> str:
    return f"<mrow>{GAP.join(parts)}</mrow>"


def _bare(factor: str) -> str:
    return factor.inner if isinstance(factor, _Group) else factor
