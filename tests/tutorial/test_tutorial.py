"""The tutorial runs: the page section by section, and the notebook made of it in a kernel of its own."""

import importlib.util
import os
import re
from pathlib import Path

import nbclient
import nbformat
import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "tutorial.md").read_text()
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, flags=re.MULTILINE | re.DOTALL))
CELL = "pyABF/18713001.abf"
REAL = "A real cell"
HARDWARE = "Into hardware"  # a regression and a bitstream: minutes, the first time


def spec():
    """docs/make_notebook.py"""
    found = importlib.util.spec_from_file_location("make_notebook", ROOT / "docs" / "make_notebook.py")
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def link_recording(folder: Path) -> bool:
    data = os.environ.get("SPIKEFAB_DATA")
    if data:
        (folder / Path(CELL).name).symlink_to(Path(data) / CELL)
    return bool(data)


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    """A folder to work in, and the names that the sections share."""
    return tmp_path_factory.mktemp("tutorial"), {}


@pytest.fixture(scope="module")
def quick_desk(tmp_path_factory):
    """The same for the sections with four models."""
    return tmp_path_factory.mktemp("quick"), {}


def run(section: str, folder: Path, namespace: dict) -> None:
    if section == REAL and not link_recording(folder):
        pytest.skip("the recordings are not here: set SPIKEFAB_DATA")
    for block in re.findall(r"^```python\n(.*?)^```", SECTIONS[section], flags=re.MULTILINE | re.DOTALL):
        exec(compile(block, f"tutorial.md: {section}", "exec"), namespace)
    if section == "Fit every model":  # a neuron wins its own recording
        assert namespace["best"].model_name == "HodgkinHuxleyNeuron"
        assert namespace["features"]["spike_count"] == 3
        assert not namespace["best"].validated


@pytest.mark.slow  # fits of all models, a regression and a build
@pytest.mark.parametrize("section", SECTIONS)
def test_page(section, desk, monkeypatch, capsys):
    folder, namespace = desk
    monkeypatch.chdir(folder)
    run(section, folder, namespace)
    if section == "Fit every model":
        assert len(namespace["results"]) == 5
    with capsys.disabled():
        print(f"\n{section}:\n{capsys.readouterr().out}", end="")


@pytest.mark.parametrize(
    "section", [pytest.param(s, marks=pytest.mark.slow) if s == REAL else s for s in SECTIONS if s != HARDWARE]
)
def test_page_with_four_models(section, four_models, quick_desk, monkeypatch):
    folder, namespace = quick_desk
    monkeypatch.chdir(folder)
    run(section, folder, namespace)


def test_notebook_is_the_page():
    assert (ROOT / "examples" / "tutorial.ipynb").read_text() == spec().text(), "run `make notebook`"


@pytest.mark.long  # the same again
def test_notebook_runs(tmp_path, capsys):
    notebook = nbformat.reads(spec().text(), as_version=4)
    if not link_recording(tmp_path):  # without recordings the rest still runs
        titles = [f"## {REAL}" in cell.source for cell in notebook.cells]
        notebook.cells = notebook.cells[: titles.index(True)]
        with capsys.disabled():
            print("\nthe recordings are not here (SPIKEFAB_DATA): without the last section")
    nbclient.NotebookClient(notebook, timeout=900, resources={"metadata": {"path": str(tmp_path)}}).execute()
    with capsys.disabled():
        print(f"\nnotebook: {sum(c.cell_type == 'code' for c in notebook.cells)} cells ran")
