"""Every benchmark can be imported and says what it does; results are kept row by row."""

import ast
import importlib
import json
from pathlib import Path

import pytest

from benchmarks import running

NAMES = sorted(path.stem for path in Path(running.__file__).parent.glob("[a-z]*.py"))
SHARED = {
    "cells",
    "plain",
    "plain_reset",
    "plain_spiking",
    "recovery_page",
    "recovery_parameters",
    "running",
    "synthetic",
}


@pytest.mark.parametrize("name", NAMES)
def test_help(name, monkeypatch, capsys):
    module = importlib.import_module(f"benchmarks.{name}")
    assert hasattr(module, "main") == (name not in SHARED)
    if name in SHARED:
        return
    monkeypatch.setattr("sys.argv", [name, "--help"])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert module.__doc__.splitlines()[0].split()[0] in text
    assert f"-m benchmarks.{name} " in text or name == "peers"


@pytest.mark.parametrize("name", NAMES)
def test_length(name):
    """As of the product's files and functions."""
    text = (running.ROOT / f"benchmarks/{name}.py").read_text()
    assert len(text.splitlines()) <= 400
    for node in ast.walk(ast.parse(text)):
        assert not isinstance(node, ast.FunctionDef) or node.end_lineno - node.lineno < 80, node.name


def test_rows_are_kept_as_they_come(tmp_path):
    path = tmp_path / "new" / "rows.json"
    rows = running.Rows(
        path, ("model", "seed"), ("numpy",), lambda rows: {"count": len(rows)}, settings={"files": ("a", 1)}
    )
    other = running.Rows(path, ("model", "seed"), settings={"files": ("a", 1)})
    first = rows.keep({"model": "LIF", "seed": 0, "version": 1, "score": 0.5})
    other.keep({"model": "LIF", "seed": 1, "version": 1, "score": 0.25})
    rows.keep({"model": "AdEx", "seed": 0, "version": 1, "score": 0.125})  # another run was at work in the meantime
    content = json.loads(path.read_text())
    assert [(row["model"], row["seed"]) for row in content["rows"]] == [("LIF", 0), ("LIF", 1), ("AdEx", 0)]
    assert content["count"] == 3
    assert {"date", "machine", "versions"} <= content.keys() and content["versions"].keys() == {
        "python",
        "spikefab",
        "numpy",
    }

    again = running.Rows(path, ("model", "seed"), settings={"files": ("a", 1)})
    assert again.find({"model": "LIF", "seed": 0, "version": 1}) == first
    assert again.find({"model": "LIF", "seed": 0, "version": 2}) is None
    again.keep({"model": "LIF", "seed": 0, "version": 2, "score": 0.0})
    assert [row["version"] for row in json.loads(path.read_text())["rows"]] == [1, 1, 2]
    with pytest.raises(SystemExit, match="other settings"):
        running.Rows(path, ("model", "seed"), settings={"files": ("b", 1)})


@pytest.mark.parametrize("path", sorted((running.ROOT / "benchmarks/results").glob("*.json")), ids=lambda p: p.stem)
def test_committed_results_can_be_gone_on_with(path):
    content = json.loads(path.read_text())
    if "rows" in content:
        assert running.Rows(path, ("model",), settings=content.get("settings")).rows == content["rows"]


def test_the_committed_results_still_make_their_pages():
    """As far as numbers go: the words around them may have moved on."""
    from benchmarks import fixed_float, predictable, ranking, recovery_page

    made = ("fixed-float", lambda r: fixed_float.page(r, 20_000)), ("recovery", recovery_page.page)
    for name, make in (*made, ("predictable", predictable.page)):
        result = json.loads((running.ROOT / f"benchmarks/results/{name.replace('-', '_')}.json").read_text())
        assert make(result) == (running.ROOT / f"docs/{name}.md").read_text()
    text = (running.ROOT / "docs/ranking.md").read_text()
    assert ranking.page(json.loads((running.ROOT / "benchmarks/results/ranking.json").read_text()), text) == text
