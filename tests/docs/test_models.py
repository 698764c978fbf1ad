"""The models' pages are made from the models: they are current, they are all there, and what they link to is."""

import importlib.util
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from spikefab.hw.datapath import WORDS, datapath
from spikefab.hw.models import MODELS
from spikefab.hw.pages import description as facts
from spikefab.hw.pages.layout import Layout
from spikefab.hw.proofs import saturations

DOCS = Path(__file__).parents[2] / "docs"
PAGES = DOCS / "models"
FREE = {
    "LapicqueNeuron": 3,
    "LIFNeuron": 4,
    "QuadraticIFNeuron": 4,
    "ExpIFNeuron": 5,
    "AdExNeuron": 7,
    "IzhikevichNeuron": 6,
    "HodgkinHuxleyNeuron": 12,
    "MorrisLecarNeuron": 8,
    "FitzHughNagumoNeuron": 5,
    "HindmarshRoseNeuron": 7,
    "AlphaNeuron": 4,
    "ThetaNeuron": 3,
    "ResonateAndFireNeuron": 5,
    "MATNeuron": 5,
    "GLIFNeuron": 7,
}  # the product's table
EVERY = pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


make_models = loaded(DOCS / "make_models.py")


def test_free_parameters_are_those_of_the_table():
    assert {name: len(facts.free(model)) for name, model in MODELS.items()} == FREE


@EVERY
def test_page_and_drawing_are_current(model):
    name = model.__name__
    assert (PAGES / f"{name}.md").read_text() == make_models.page(model), "make model-pages"
    drawn = make_models.draw(datapath(model, facts.WORD))
    assert (PAGES / f"{name}-flow.svg").read_text() == drawn, "make model-pages"
    assert 0 < (PAGES / f"{name}.png").stat().st_size < 60_000, "make model-pages"


def test_index_is_current_and_there_is_nothing_else():
    assert (PAGES / "README.md").read_text() == make_models.index(), "make model-pages"
    expected = {"README.md", *(f"{name}{end}" for name in MODELS for end in (".md", "-flow.svg", ".png"))}
    assert {path.name for path in PAGES.iterdir()} == expected, "make model-pages"


def test_links_exist():
    for page in PAGES.glob("*.md"):
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert "://" in target or (page.parent / target).exists(), f"{page.name}: {target}"


@EVERY
def test_a_docstring_has_all_its_parts(model):
    doc = facts.doc(model)
    assert doc.title.endswith(".")
    assert all((doc.equations, doc.source, doc.limits, model.scheme, model.best_for))
    assert "Source" not in " ".join(doc.remarks)
    every = model.spec.every
    assert all(declared.doc for declared in every.values())
    assert not doc.equations.startswith(" ")


@EVERY
def test_tables_say_what_the_datapath_has(model):
    tables = {table.title.split(" that")[0]: table for table in facts.listings(model)}
    assert [row[0] for row in tables["States"].rows] == list(model.states())
    assert {*model.params()} <= {row[0] for row in tables["Parameters"].rows}
    assert [row[0] for row in tables["Registers and ports"].rows] == [*datapath(model).coefficients, "i", "o_v"]
    ends = sum(1 + (" and " in row[2]) for row in tables["Saturations"].rows)
    assert ends == len(saturations(datapath(model, facts.WORD).trace))
    assert ("Settings" in tables) == bool(model.settings)
    for table in tables.values():
        assert {len(row) for row in table.rows} == {len(table.columns)}


@EVERY
def test_panels_are_of_neurons_that_exist(model):
    """A parameter that has gone, or left its bounds, shows here and not when the pages are next made."""
    for panel in make_models.PANELS.get(model.__name__, []):
        neuron = panel.neuron(model)
        assert abs(panel.current(neuron.dt)).max() < neuron.datapath.i_span


def test_no_panels_of_unknown_models():
    assert {*make_models.PANELS} <= {*MODELS}


@pytest.mark.parametrize("word", WORDS)
@EVERY
def test_a_drawing_shows_every_operation_once_and_nothing_overlaps(model, word):
    dp = datapath(model, word)
    layout = Layout(dp.trace)
    shown = [index for box in layout.boxes for index in box.nodes]
    wires = {index for box in layout.boxes for port in box.ports for index in port.wires}
    tags = {port.source for box in layout.boxes for port in box.ports if layout.is_tag(box, port)}
    assert len(shown) == len(set(shown))
    assert {*shown} | wires | tags == {*dp.trace.live()}
    assert {box.name for box in layout.boxes if box.name} == {*dp.trace.outputs}
    owners: dict = {}
    for item in (*layout.boxes, *layout.wires):
        for row, at, owner in layout._claims(item):
            assert owners.setdefault((row, at), owner) is owner or owners[row, at] == owner
            assert 0 <= row <= layout.rows


def test_a_drawing_is_svg_whose_operations_say_what_they_are():
    dp = datapath(MODELS["LIFNeuron"], 18)
    root = ElementTree.fromstring(make_models.draw(dp))
    assert root.tag.endswith("svg")
    titles = [element.text for element in root.iter() if element.tag.endswith("title")]
    assert titles[0] == "LIFNeuron, word 18, dt 0.1 ms"
    assert sum(title.split()[1] == "mul:" for title in titles[1:]) >= 2
    assert all(f"coefficient {name}:" in " ".join(titles) for name in dp.coefficients)


def test_saturations_in_words():
    rows = {
        row[0]: row[1:] for row in next(t for t in facts.listings(MODELS["LIFNeuron"]) if "Saturations" in t.title).rows
    }
    assert ("R_m i", "low and high", "-4096 .. 4096", "Q(10, 8)") in rows.values()
    assert ("hold - 1", "low", "-513 .. 510", "Q(10, 0)") in rows.values()


def test_the_command_shows_the_same(capsys, tmp_path):
    from spikefab.cli import main

    drawing = tmp_path / "flow.svg"
    assert main(["models", "hodgkinhuxley", "--draw", str(drawing)]) == 0
    out = capsys.readouterr().out
    for table in facts.listings(MODELS["HodgkinHuxleyNeuron"]):
        assert table.title in out
        assert table.note in out
    assert drawing.read_text() == (PAGES / "HodgkinHuxleyNeuron-flow.svg").read_text()
    assert main(["models", "lif", "--json"]) == 0
    assert '"saturations"' in capsys.readouterr().out


def test_draw_needs_a_model_and_a_place(capsys, tmp_path):
    from spikefab.cli import main

    assert main(["models", "--draw", str(tmp_path / "flow.svg")]) == 2
    assert "--draw needs the name of a model." in capsys.readouterr().err
    assert main(["models", "lif", "--draw", str(tmp_path / "none" / "flow.svg")]) == 3
    assert "cannot be written: No such file or directory." in capsys.readouterr().err
