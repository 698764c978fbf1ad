"""The equations of models as MathML: nothing of them is lost, and their structure is that of the text."""

import re
from xml.etree import ElementTree

import pytest

from spikefab.hw.models import every_model
from spikefab.hw.pages import description as facts
from spikefab.hw.pages.mathematics import GREEK, RELATIONS, Mathematics, mathematics

MODELS = every_model()


def tree(equations):
    """The lines as HTML of equations, or of those of a model."""
    made = Mathematics("", equations, frozenset()) if isinstance(equations, str) else mathematics(equations)
    return ElementTree.fromstring(f"<div>{made.lines}</div>")


def linear(e):
    """MathML as text in one line again, with each fraction and power in parentheses, by another way than it was made."""
    inside = [linear(child) for child in e]
    text = {"mfrac": "({0})/({1})", "msup": "{0}^({1})", "msub": "{0}_{1}"}.get(e.tag)
    text = text.format(*inside) if text else (e.text or "") + "".join(inside)
    return text + (e.tail or "")


def words(text):
    """Numbers, letters and words in their order."""
    return re.findall(r"\d+(?:\.\d+)?|[^\W\d_]+|∞", text)


@pytest.mark.parametrize("name", MODELS)
def test_nothing_is_lost(name):
    equations = facts.doc(MODELS[name]).equations
    shown = linear(tree(MODELS[name]))
    typed = re.sub(r"(\w+)'", r"d \1 dt", equations)  # a derivative is drawn as a fraction
    typed = re.sub(r"(?<![\w.])\.(\d)", r"0.\1", typed)
    expected = [{**GREEK, "inf": "∞"}.get(word, word) for word in words(typed.replace("_", " "))]
    assert "".join(expected) == "".join(words(shown.replace("_", " ")))
    for sign in ("<-", ">=", "^", "'"):
        assert sign not in "".join(tree(MODELS[name]).itertext())
    for sign in ("=", "<-", ">="):
        assert shown.count(RELATIONS[sign][0]) == len(re.findall(rf"(?<![<>]){sign}", equations))
    assert len(tree(MODELS[name])) == len([line for line in equations.split("\n") if line.strip()])


@pytest.mark.parametrize(
    ("typed", "shown"),
    [
        ("C V' = -g_L (V - E_L) + I", "C(dV)/(dt)= −g_L(V−E_L) +I"),
        ("x^3/3 - w", "(x^(3))/(3) −w"),
        ("exp((V - V_T)/Delta_T)", "exp((V−V_T)/(Δ_T))"),
        ("beta_m = .28 (u-40)/(exp((u-40)/5)-1)", "β_m= 0.28(u−40)/(exp((u−40)/(5))−1)"),
        ("x_inf(u) - x", "x_∞(u) −x"),
        ("(1 + cos theta)(eta + k_I I)", "(1+cosθ)(η+k_II)"),
        ("max(V - E_L, 0) - w", "max(V−E_L,0) −w"),
        ("y1' = I - y1", "(dy_1)/(dt)= I −y_1"),
        ("y = tan(theta/2) within -8..8", "y= tan((θ)/(2)) within −8… 8"),
        ("V >= V_th: V <- V_reset, held for t_ref", "V≥ V_th: V← V_reset, held for t_ref"),
        ("on the step of a spike V_peak", "on the step of a spike V_peak"),
        ("a (V - E_L)", "a(V−E_L)"),
    ],
)
def test_it_has_the_structure_of_the_text(typed, shown):
    assert linear(tree(typed)) == shown


def test_two_statements_of_a_line_are_two():
    (line,) = tree("tau V' = -V;   V >= 1: V <- 0")
    assert [s.attrib for s in line] == [{"class": "statement"}] * 2


@pytest.mark.parametrize(
    "typed", ["V = [1]", "V = (1 + ", "dV/dt = x", "V = )", "V < 2 & x\nV' = <b>", "= 1", "V = 1 +"]
)
def test_what_is_not_understood_stays_as_it_is(typed):
    assert [linear(line) for line in tree(typed)] == [line.strip() for line in typed.split("\n")]


def test_words_are_no_html():
    assert linear(tree('V = 1, "a & b <i>"')) == 'V= 1, "a & b <i>"'
