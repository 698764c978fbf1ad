"""The equations of a model as mathematics: LaTeX and MathML, from the text in the docstring of its class.

The text is read as an author of a model writes it: `V'` is a derivative, `g_L (V - E_L)` a product, `exp(x)` and `x_inf(u)`
functions, `a/b` a fraction of the factors beside the stroke, `<-` what a spike sets. Words that are none of the model's names
are prose. A line that cannot be read is shown as it stands.
"""

import html
import re
from collections.abc import Iterable
from textwrap import indent
from typing import NamedTuple

from spikefab.hw.neuron import Neuron

from .description import doc

FUNCTIONS = {"exp", "log", "sqrt", "sin", "cos", "tan", "sinh", "cosh", "tanh", "max", "min"}
GREEK = {
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "Delta": "Δ", "eps": "ε", "eta": "η", "theta": "θ", "kappa": "κ",
    "lambda": "λ", "mu": "μ", "nu": "ν", "pi": "π", "rho": "ρ", "sigma": "σ", "tau": "τ", "phi": "φ", "psi": "ψ", "omega": "ω",
    "Omega": "Ω", "xi": "ξ", "chi": "χ",
}  # fmt: skip
LATEX_NAMES = {"eps": r"\varepsilon", "phi": r"\varphi"}
SUBSCRIPTS = {"inf": ("∞", r"\infty")}
# sign in the text: sign in MathML, sign in LaTeX
RELATIONS = {
    "=": ("=", "="), ">=": ("≥", r"\geq"), "<=": ("≤", r"\leq"), "<-": ("←", r"\leftarrow"), ">": (">", ">"), "<": ("<", "<"),
    "..": ("…", r"\ldots"),
}  # fmt: skip
TOKEN = re.compile(
    r"""(?P<spaces>\ *) (?: (?P<text>"[^"]*") | (?P<number>\d*\.?\d+) | (?P<name>[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)*)
    | (?P<sign>\.\.|<-|>=|<=|[-+*/^()=<>',;:]) )""",
    re.VERBOSE,
)
GAP = 3  # spaces between two statements that stand side by side on one line


class Unreadable(ValueError):
    """A line of the equations does not follow the grammar."""


class Token(NamedTuple):
    """A token of a line. `kind` is text, number, symbol, prose or sign; `spaces` is the number of spaces before it."""

    kind: str
    text: str
    spaces: int


class Form(NamedTuple):
    """A piece of mathematics in both languages.

    inner  what stands between its parentheses, if it stands in any
    words  the piece as plain text, if it is prose
    """

    latex: str
    mathml: str
    inner: "Form | None" = None
    words: str = ""

    @property
    def bare(self) -> "Form":
        """The piece without its outer parentheses, for a fraction or an exponent, which need none."""
        return self.inner or self


class Mathematics:
    """The equations of a model. A notebook shows them typeset; `latex` and `mathml` are their text in these languages.

    `lines` is HTML for narrow pages: MathML has no line breaks of its own, so that each term of a sum is a <math> element,
    each statement a <span> and each line a <div>. `str` gives the lines as they stand in the docstring of the model.
    """

    def __init__(self, name: str, text: str, symbols: frozenset[str]):
        self._name, self._text = name, text
        read = [_statements(line, symbols) for line in text.split("\n") if line.strip()]
        rows = [_joined(piece for statement in statements for piece in statement) for statements in read]
        lines = " \\\\\n".join(f"& {row.latex}" for row in rows)
        self.latex = f"\\begin{{aligned}}\n{lines}\n\\end{{aligned}}"
        cells = "".join(f'<mtr><mtd style="text-align: left">{row.mathml}</mtd></mtr>' for row in rows)
        self.mathml = f'<math><mtable displaystyle="true">{cells}</mtable></math>'
        self.lines = "".join(f'<div class="equation">{" ".join(map(_span, statements))}</div>' for statements in read)

    def __str__(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return f"{self._name}:\n{indent(self._text, '    ')}"

    def _repr_latex_(self) -> str:
        return f"$$\n{self.latex}\n$$"


def mathematics(model: type[Neuron]) -> Mathematics:
    """The equations of a model, see `Neuron.mathematics`."""
    counted = ("flag", "steps")  # states of these units are part of the hardware: in the equations, "armed" is a word
    names = {name for name, x in model.spec.every.items() if x.unit not in counted}
    return Mathematics(model.__name__, doc(model).equations, frozenset(names))


# -- reading ---------------------------------------------------------------------------------------------------------


def _statements(line: str, symbols: frozenset[str]) -> list[list[Form]]:
    """The statements of a line, each in the pieces between which it can be broken; a line that cannot be read, as text."""
    try:
        return _Line(_tokens(line, symbols)).statements()
    except Unreadable:
        return [[_prose(line.strip())]]


def _tokens(line: str, symbols: frozenset[str]) -> list[Token]:
    found: list[Token] = []
    place = 0
    line = line.rstrip()
    while place < len(line):
        match = TOKEN.match(line, place)
        if match is None:
            raise Unreadable(line)
        kind = match.lastgroup or ""
        text, place = match[kind], match.end()
        if kind == "name":
            kind = "symbol" if _is_symbol(text, symbols) or line[place : place + 1] == "'" else "prose"
        found.append(Token(kind, text, len(match["spaces"])))
    # "a" between two words is the article
    for k in range(1, len(found) - 1):
        if found[k].text == "a" and found[k - 1].kind == found[k + 1].kind == "prose":
            found[k] = found[k]._replace(kind="prose")
    return found


def _is_symbol(name: str, symbols: frozenset[str]) -> bool:
    base = re.sub(r"\d+$", "", name.split("_")[0])
    return name in symbols or "_" in name or len(base) == 1 or base in GREEK or name in FUNCTIONS


class _Line:
    """Reads the tokens of one line by recursive descent."""

    def __init__(self, tokens: list[Token]):
        self.tokens, self.place = tokens, 0

    def statements(self) -> list[list[Form]]:
        """Statements and words, one after the other; each is a list of the pieces between which it can be broken."""
        made: list[list[Form]] = [[]]
        if self.tokens[0].spaces:
            made[0].append(Form("\\qquad " * INDENT, f'<mspace width="{2 * INDENT}em"/>'))
        while (token := self.peek()) is not None:
            apart = self.place and self.tokens[self.place - 1].text in SEPARATORS
            if self.place and token.spaces >= GAP and not apart:
                self.follow(made, WIDE)
            if token.text in SEPARATORS:
                self.next()
                self.follow(made, SEPARATORS[token.text] if self.peek() else _prose(token.text))
            elif token.kind in ("prose", "text"):
                made[-1].append(self.words(any(made)))
            else:
                made[-1] += self.statement()
        return made

    @staticmethod
    def follow(made: list[list[Form]], sign: Form) -> None:
        """Put a sign behind the last piece, since no line begins with one; after WIDE, another statement begins."""
        if made[-1]:
            last = made[-1][-1]
            made[-1][-1] = _joined([last, sign])._replace(words=last.words and last.words + sign.words)
        else:
            made[-1].append(sign)
        if sign is WIDE:
            made.append([])

    def words(self, after: bool) -> Form:
        """Prose up to the next symbol or sign. A space stands between it and mathematics before or after it."""
        words: list[str] = []
        while (token := self.peek()) is not None and token.kind in ("prose", "text"):
            words.append(self.next().text)
        before = " " if after and self.tokens[self.place - len(words) - 1].text not in SEPARATORS else ""
        token = self.peek()
        behind = "" if token is None or token.text in SEPARATORS else " "
        return _prose(before + " ".join(words) + behind)

    def statement(self) -> list[Form]:
        """A relation behind its left side, and each term with its sign."""
        made = self.terms()
        while (token := self.peek()) is not None and token.text in RELATIONS:
            mathml, latex = RELATIONS[self.next().text]
            made[-1] = _joined([made[-1], Form(f" {latex} ", f'<mo form="infix">{html.escape(mathml)}</mo>')])
            made += self.terms()
        return made

    def sum(self) -> Form:
        return _joined(self.terms())

    def terms(self) -> list[Form]:
        """The terms of a sum, each with its sign."""
        token = self.peek()
        if token is not None and token.text == "-":
            self.next()
            made = [_joined([Form("-", '<mo form="prefix">−</mo>'), self.product()])]
        else:
            made = [self.product()]
        while (token := self.peek()) is not None and token.text in ("+", "-") and token.spaces < GAP:
            sign = self.next().text
            shown = Form(f" {sign} ", f'<mo form="infix">{"−" if sign == "-" else sign}</mo>')
            made.append(_joined([shown, self.product()]))
        return made

    def product(self) -> Form:
        made = [self.fraction()]
        while (token := self.peek()) is not None and token.spaces < GAP:
            if token.text == "*":
                self.next()
            elif token.kind not in ("number", "symbol") and token.text != "(":
                break
            made += [THIN, self.fraction()]
        return _joined(made)

    def fraction(self) -> Form:
        made = self.power()
        while (token := self.peek()) is not None and token.text == "/":
            self.next()
            above, below = made.bare, self.power().bare
            made = Form(
                f"\\frac{{{above.latex}}}{{{below.latex}}}",
                f"<mfrac><mrow>{above.mathml}</mrow><mrow>{below.mathml}</mrow></mfrac>",
            )
        return made

    def power(self) -> Form:
        base = self.atom()
        token = self.peek()
        if token is None or token.text != "^":
            return base
        self.next()
        top = self.atom().bare
        return Form(
            f"{{{base.latex}}}^{{{top.latex}}}", f"<msup><mrow>{base.mathml}</mrow><mrow>{top.mathml}</mrow></msup>"
        )

    def atom(self) -> Form:
        token = self.next()
        if token.kind == "number":
            digits = f"0{token.text}" if token.text.startswith(".") else token.text
            return Form(digits, f"<mn>{digits}</mn>")
        if token.text == "(":
            inner = self.sum()
            while (after := self.peek()) is not None and after.text == ",":  # max(x, 0)
                self.next()
                inner = _joined([inner, Form(", ", '<mo separator="true">,</mo>'), self.sum()])
            self.expect(")")
            latex, mathml = f"\\left({inner.latex}\\right)", f"<mo>(</mo>{inner.mathml}<mo>)</mo>"
            return Form(latex, f"<mrow>{mathml}</mrow>", inner)
        if token.kind != "symbol":
            raise Unreadable(token.text)
        if token.text in FUNCTIONS:
            return self.function(token.text)
        made = symbol(token.text)
        while (after := self.peek()) is not None and after.text == "'":
            self.next()
            made = Form(
                f"\\frac{{\\mathrm{{d}}{made.latex}}}{{\\mathrm{{d}}t}}",
                f'<mfrac><mrow><mi mathvariant="normal">d</mi>{made.mathml}</mrow>'
                '<mrow><mi mathvariant="normal">d</mi><mi>t</mi></mrow></mfrac>',
            )
        if after is not None and after.text == "(" and not after.spaces:  # a function such as x_inf(u)
            made = _joined([made, self.atom()])
        return made

    def function(self, name: str) -> Form:
        """exp(x), cos^2(x), or cos x."""
        made = Form(f"\\{name}", f'<mi mathvariant="normal">{name}</mi>')
        token = self.peek()
        if token is not None and token.text == "^":
            self.next()
            top = self.atom().bare
            made = Form(f"\\{name}^{{{top.latex}}}", f"<msup>{made.mathml}<mrow>{top.mathml}</mrow></msup>")
            token = self.peek()
        if token is None or (token.text != "(" and token.kind not in ("number", "symbol")):
            raise Unreadable(name)
        near = Form("\\!", "") if token.text == "(" else THIN
        return _joined([made, near, self.power()])

    def peek(self) -> Token | None:
        return self.tokens[self.place] if self.place < len(self.tokens) else None

    def next(self) -> Token:
        token = self.peek()
        if token is None:
            raise Unreadable("the line ends too early")
        self.place += 1
        return token

    def expect(self, text: str) -> None:
        if self.next().text != text:
            raise Unreadable(f"{text} is missing")


# -- writing ---------------------------------------------------------------------------------------------------------


def symbol(name: str) -> Form:
    """A name of the equations: Greek letters by their names, what follows _ (or digits at the end) as a subscript."""
    base, *below = re.sub(r"^([A-Za-z]|[a-z]+)(\d+)$", r"\1_\2", name).split("_")
    if base in GREEK:
        made = Form(LATEX_NAMES.get(base, f"\\{base}"), f"<mi>{GREEK[base]}</mi>")
    elif len(base) == 1:
        made = Form(base, f"<mi>{base}</mi>")
    else:
        made = Form(f"\\mathrm{{{base}}}", f'<mi mathvariant="normal">{base}</mi>')
    if not below:
        return made
    under = ",".join(below)
    if under in GREEK or (len(under) == 1 and under.isalpha()):
        inner = symbol(under)
    elif under in SUBSCRIPTS:
        sign, latex = SUBSCRIPTS[under]
        inner = Form(latex, f"<mi>{sign}</mi>")
    elif under.isdigit():
        inner = Form(under, f"<mn>{under}</mn>")
    else:
        inner = Form(f"\\mathrm{{{under}}}", f'<mi mathvariant="normal">{under}</mi>')
    return Form(f"{made.latex}_{{{inner.latex}}}", f"<msub>{made.mathml}{inner.mathml}</msub>")


def _prose(text: str) -> Form:
    """Words between mathematics."""
    escaped = re.sub(r"([{}$&#%_])", r"\\\1", text.replace("\\", "/")).replace("^", r"\^{}").replace("~", r"\~{}")
    spaced = html.escape(text).replace(" ", "\N{NO-BREAK SPACE}")
    return Form(f"\\text{{{escaped}}}", f"<mtext>{spaced}</mtext>", words=text.strip())


def _span(statement: list[Form]) -> str:
    """A statement as HTML, with a place for a line break between two pieces."""
    pieces = (html.escape(p.words) or f'<math displaystyle="true">{p.mathml}</math>' for p in statement)
    return f'<span class="statement">{" ".join(pieces)}</span>'


def _joined(made: Iterable[Form]) -> Form:
    parts = list(made)
    if len(parts) == 1:
        return parts[0]
    return Form("".join(p.latex for p in parts), f"<mrow>{''.join(p.mathml for p in parts)}</mrow>")


INDENT = 3  # quads of two ems before a line that goes on from the line above
WIDE = Form(r" \qquad ", '<mspace width="2em"/>')
THIN = Form(r"\,", '<mspace width="0.17em"/>')
SEPARATORS = {
    ";": WIDE,
    ",": Form(r",\quad ", '<mo separator="true">,</mo><mspace width="0.8em"/>', words=","),
    ":": Form(r"{:}\quad ", '<mo form="infix" lspace="0">:</mo><mspace width="0.8em"/>', words=":"),
}
