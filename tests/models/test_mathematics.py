"""Equations as mathematics: every model's are read whole, and both languages hold the same; what cannot be read stays text."""

import re
from xml.etree import ElementTree

import pytest
from matplotlib.mathtext import MathTextParser

from spikefab import AdExNeuron, HodgkinHuxleyNeuron
from spikefab.hw.models import MODELS
from spikefab.hw.pages.description import doc
from spikefab.hw.pages.mathematics import Mathematics, mathematics


def made(text, *symbols):
    return Mathematics("Model", text, frozenset(symbols))


def words(equations):
    """The words of the MathML, with the spaces around them."""
    root = ElementTree.fromstring(equations.mathml)
    return [(e.text or "").replace("\N{NO-BREAK SPACE}", " ") for e in root.iter("mtext")]


@pytest.mark.parametrize("name", MODELS)
def test_every_line_of_every_model_is_mathematics(name):
    equations = MODELS[name].mathematics()
    root = ElementTree.fromstring(equations.mathml)  # well-formed
    lines = [line for line in doc(MODELS[name]).equations.split("\n") if line]
    assert len(root.findall(".//mtr")) == len(lines) == equations.latex.count("\n& ")
    assert all(not re.search(r"[=_^()+]|<-|'", text) for text in words(equations))  # no mathematics among the words
    assert equations.latex.count("{") == equations.latex.count("}")
    assert equations.latex.count(r"\left(") == equations.latex.count(r"\right)")
    text = "".join(root.itertext())
    assert text.count("(") == text.count(")") == equations.latex.count(r"\left(")
    primes = doc(MODELS[name]).equations.count("'")
    assert equations.latex.count(r"\mathrm{d}t") == primes
    assert equations.mathml.count('mathvariant="normal">d<') == 2 * primes


@pytest.mark.parametrize("name", MODELS)
def test_another_reader_of_latex_takes_every_line(name):
    """That of matplotlib, which knows no `aligned`: it raises ValueError for what is no LaTeX."""
    read = MathTextParser("path").parse
    for line in MODELS[name].mathematics().latex.split("\n")[1:-1]:
        read(f"${line.removeprefix('& ').removesuffix(chr(92) * 2)}$")


def test_numbers_and_names_of_the_text_are_all_there():
    for model in MODELS.values():
        source, equations = doc(model).equations, mathematics(model)
        numbers = [
            f"0{x}" if x.startswith(".") else x for x in re.findall(r"(?<![\w.])\d*\.?\d+", source.replace("..", " "))
        ]
        shown = re.findall(r"<mn>([^<]+)</mn>", equations.mathml)
        for number in numbers:
            assert number in shown or f'"{number}"' in "".join(words(equations)), (model.__name__, number)


def test_adex_is_as_in_a_paper():
    first, second, last = AdExNeuron.mathematics().latex.split("\n")[1:-1]
    assert first.startswith(r"& C\,\frac{\mathrm{d}V}{\mathrm{d}t} = -g_{L}\,\left(V - E_{L}\right)")
    assert r"\exp\!\left(\frac{V - V_{T}}{\Delta_{T}}\right) - w + I" in first
    assert second == r"& \tau_{w}\,\frac{\mathrm{d}w}{\mathrm{d}t} = a\,\left(V - E_{L}\right) - w \\"
    assert last.startswith(
        r"& V \geq V_{\mathrm{peak}}{:}\quad V \leftarrow V_{\mathrm{reset}},\quad w \leftarrow w + b"
    )


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("a/b c", r"\frac{a}{b}\,c"),  # a stroke divides by one factor
        ("a/(b c)", r"\frac{a}{b\,c}"),
        ("-(a + b)/2", r"-\frac{a + b}{2}"),
        ("a - -b", None),
        ("2^(y - 8)", r"{2}^{y - 8}"),
        ("cos^2(x)", r"\cos^{2}\!\left(x\right)"),
        ("1 - cos theta", r"1 - \cos\,\theta"),
        ("x_inf(u) - x", r"x_{\infty}\left(u\right) - x"),
        ("x_inf (u - x)", r"x_{\infty}\,\left(u - x\right)"),
        ("y12", "y_{12}"),
        ("gain x", r"\mathrm{gain}\,x"),
        (".5 x", r"0.5\,x"),
    ],
)
def test_the_grammar(text, latex):
    shown = made(text, "gain").latex.split("\n")[1].removeprefix("& ")
    assert shown == (latex if latex else rf"\text{{{text}}}")


def test_words_are_words():
    equations = made("x >= 1: on the step of a spike x <- a, armed again 15 mV below", "a")
    assert words(equations) == ["on the step of a spike ", "armed again ", " mV below"]
    assert made("the membrane is leaky (see above)").latex.count(r"\text") == 1


@pytest.mark.parametrize("text", ["x' = (a", "f(x) = {1, 2}", "x == 3 %", r"\input{x}", "a & <b>", "V' = § w", "x ="])
def test_what_cannot_be_read_is_shown_as_it_stands(text):
    equations = made(text)
    assert words(equations) == [text]
    assert str(equations) == text
    assert r"\input" not in equations.latex
    assert not re.search(r"(?<!\\)[%$#]|(?<!\\)&(?! \\text)", equations.latex.removeprefix("\\begin{aligned}\n&"))


def test_a_neuron_and_its_class_show_the_same():
    neuron = HodgkinHuxleyNeuron(kinetics="traub-miles")
    assert str(neuron.mathematics()) == str(HodgkinHuxleyNeuron.mathematics()) == doc(HodgkinHuxleyNeuron).equations
    assert neuron.mathematics()._repr_latex_().startswith("$$\n\\begin{aligned}")
    assert neuron.mathematics().mathml in neuron._repr_html_()
