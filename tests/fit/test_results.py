"""What results say of themselves: tables, pictures, and result.json as documented, key by key."""

import json
import re
import sys
from pathlib import Path

import pytest

from spikefab.errors import FileError, ToolError, UsageError
from spikefab.fit import fit
from spikefab.fit.results import SCHEMA, FitResults

DT = 0.1
PAGE = Path(__file__).parents[2] / "docs" / "result.md"


@pytest.fixture(scope="module")
def results(membrane, steps):
    currents = steps([0.1, 0.19, 0.22, 0.26, 0.31], DT)
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    return fit(voltage=voltages, current=currents, dt=DT, models=["LIF", "AdEx"], budget=96)


def paths(value, path=""):
    """Every key of a JSON value, as docs/result.md writes them."""
    if isinstance(value, dict) and value:
        for name, x in value.items():
            yield from paths(x, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for x in value:
            yield from paths(x, f"{path}[]")
    else:
        yield path


def test_documented_keys_are_those_written(results):
    content = json.loads(json.dumps(results.to_dict(), allow_nan=False))
    documented = set(re.findall(r"^\| `([^`]+)` \|", PAGE.read_text(), flags=re.MULTILINE))
    open_ends = {key.removesuffix(".NAME") for key in documented if key.endswith(".NAME")}
    content["input"]["notes"] = content["input"]["notes"] or ["one"]
    content["ended_early"] = content["ended_early"] or ["one"]
    content["settings"] |= {"free": ["V_th"], "fixed": {"t_ref": 2.0}, "bounds": {"R_m": [50, 100]}}
    content["results"][0]["settings"] = {"kinetics": "squid"}
    content["results"][0]["model_source"] = "my.py:MyNeuron"  # of a user's own model: tests/models
    content["results"][0]["arithmetic"] = "float64"  # of a search without number formats
    content["settings"]["target"] = "icebreaker"  # of a fit for a board: tests/fit/test_target.py
    content["results"][0] |= {"words": {"16": 0.3}, "takes": {"one": {"cells": 1}, "many": {"cells": 2}}}
    written = set()
    for path in paths(content):
        path = re.sub(r"^results\[\]\.(train|held_out|ideal\.train|ideal\.held_out)\.", "S.", path)
        path = re.sub(r"^scale\.(floor|ceiling)\.", "L.", path)
        head = next((end for end in open_ends if path.startswith(f"{end}.")), None)
        written.add(path if head is None else f"{head}.NAME")
    # a list and the sets of scores have a line of their own
    whole = {"results[]", *(f"results[].{part}" for part in ("train", "held_out", "ideal.train", "ideal.held_out"))}
    written -= {"results[].settings"}  # of models that have none
    assert written == documented - whole
    assert whole <= documented
    assert f"`schema` | | version of this schema: {SCHEMA} |" in PAGE.read_text()


def test_features_and_recommendation_are_kept(results, tmp_path):
    saved = results.save(tmp_path / "result.json")
    content = json.loads(saved.read_text())
    assert content["features"]["spike_count"] == sum(map(len, results.task.spikes))
    assert content["recommended"]["models"][0]["model"] in {"LapicqueNeuron", "LIFNeuron"}
    assert "LIF came" in content["recommended"]["outcome"]
    loaded = FitResults.load(saved)
    assert loaded.to_dict() == content
    assert loaded.outcome == results.outcome
    assert loaded.recommended == results.recommended


def test_the_first_schema_is_still_read(results, tmp_path):
    content = results.to_dict()
    del content["features"], content["recommended"]
    (tmp_path / "result.json").write_text(json.dumps(content | {"schema": 1}))
    loaded = FitResults.load(tmp_path)
    assert [r.model_name for r in loaded] == [r.model_name for r in results]
    assert (loaded.features, loaded.recommended, loaded.outcome) == ({}, [], "")
    assert loaded.scale == results.scale
    for scores in (content["results"][0]["train"], content["results"][0]["held_out"]):
        for name in ("voltage", "pattern", "timing_weight", "timing_term"):
            del scores[name]
    (tmp_path / "result.json").write_text(
        json.dumps({k: x for k, x in content.items() if k != "scale"} | {"schema": 2})
    )
    older = FitResults.load(tmp_path)
    assert older.scale is None
    assert older.best.train.timing_term == older.best.train.timing
    assert len(str(older).splitlines()) < len(str(results).splitlines())
    (tmp_path / "result.json").write_text(json.dumps(content | {"features": [1]}))
    with pytest.raises(FileError, match="spikefab fit"):
        FitResults.load(tmp_path)


def test_dataframe(results):
    pytest.importorskip("pandas")
    frame = results.to_dataframe()
    assert list(frame.index) == [1, 2]
    assert list(frame["model"]) == [r.model_name for r in results]
    assert frame.loc[1, "score"] == results.best.combined_score
    assert frame.loc[1, "evaluations"] == 96
    assert frame["rmse_mV"].tolist() == [r.rmse for r in results]
    assert not FitResults().to_dataframe().size


def test_without_pandas_it_says_what_to_install(results, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ToolError, match=r"pip install pandas\.$"):
        results.to_dataframe()


def test_tables_for_a_notebook_and_a_terminal(results):
    html = results._repr_html_()
    assert html.count("<tr") == 5  # the head, two models, ceiling and floor
    assert html.count('<tr class="limit">') == 2
    assert f"<td>{results.best.combined_score:.3f}</td>" in html
    assert repr(results).count(results.best.model_name) == 1
    assert len(repr(results).splitlines()) == 1
    lines = str(results).splitlines()
    assert lines[1].startswith("1.  ")
    assert results.best.model_name in lines[1]
    assert "ceiling (neighbours)" in lines[3]
    assert "floor (flat line, chance)" in lines[4]
    assert any(
        "% of the way from the floor" in line or "the cell itself" in line or "worse than" in line for line in lines
    )
    assert "held-out" in lines[-1]
    results.best.model_name, name = "<b>&", results.best.model_name
    try:
        assert "&lt;b&gt;&amp;" in results._repr_html_()
    finally:
        results.best.model_name = name
    assert str(FitResults()) == "<no results>"
    assert repr(FitResults()) == "<FitResults of arrays: none>"
    assert FitResults()._repr_html_() == "<p>no results</p>"


def test_plot(results, tmp_path):
    from matplotlib import pyplot

    figure = results.plot()
    assert len(figure.subfigs) == 2
    assert figure._repr_png_().startswith(b"\x89PNG")
    assert pyplot.get_fignums() == []
    loaded = FitResults.load(results.save(tmp_path / "result.json"))
    assert len(loaded.plot().axes) == 1  # the ranking alone
    with pytest.raises(UsageError, match="no results"):
        FitResults().plot()


def test_parameters(results):
    best = results.best
    rows = {p["name"]: p for p in best.parameters()}
    assert {name: p["value"] for name, p in rows.items()} == best.params
    assert all(isinstance(p["at_bound"], bool) and p["meaning"] for p in rows.values())
    name = next(n for n, p in rows.items() if p["free"])
    best.params[name], kept = rows[name]["bounds"][1], best.params[name]
    try:
        assert next(p for p in best.parameters() if p["name"] == name)["at_bound"]
    finally:
        best.params[name] = kept
