"""A fit for a board: which models are fitted, at which word each result is, and what it is said to take."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from spikefab.boards.estimates import estimate, population
from spikefab.boards.table import BOARDS, get_board
from spikefab.errors import DoesNotFitError, UsageError
from spikefab.fit import fit, target
from spikefab.fit.flags import fit_words
from spikefab.fit.options import FitOptions
from spikefab.fit.report.board_table import board_table
from spikefab.fit.results import FitResults
from spikefab.fit.target import COST, chosen
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS

DT = 0.1
ICEBREAKER = BOARDS["icebreaker"]
PAGE = Path(__file__).parents[2] / "docs" / "board.md"


@pytest.fixture(scope="module")
def data(membrane, steps):
    currents = steps([0.1, 0.19, 0.22, 0.26, 0.31], DT)
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    return {"voltage": voltages, "current": currents, "dt": DT, "budget": 96, "progress": False}


@pytest.fixture(scope="module")
def results(data):
    return fit(**data, models=["LIF", "AdEx"], target="icebreaker")


def test_each_result_says_what_it_takes_of_the_board(results):
    assert {r.model_name for r in results} == {"LIFNeuron", "AdExNeuron"}
    for r in results:
        neuron = r.create_model()
        assert r.takes["one"] == estimate(neuron, ICEBREAKER).as_dict() and not r.takes["one"]["refused"]
        assert r.takes["many"] == population(neuron, ICEBREAKER).as_dict()
        assert {*r.words} == {"16", "18", "24", "float64"}
        # as short as it can be: at 16 bits, these models lose nothing on this cell
        assert r.word == 16 and r.words["16"] == r.train.combined_score
    heads, rows = board_table(results)
    assert heads[3:7] == ("16", "18", "24", "float64")
    assert [row[1] for row in rows] == [r.model_name for r in results]
    assert "On icebreaker" in str(results) and "neurons" in results._repr_html_()
    frame = results.to_dataframe()
    assert list(frame["neurons"]) == [r.takes["many"]["neurons"] for r in results]


def test_it_is_read_again_as_it_was_written(results, tmp_path):
    results.save(tmp_path / "result.json")
    again = FitResults.load(tmp_path / "result.json")
    assert again.to_dict() == results.to_dict() and again.options == results.options
    assert again.options.target == "icebreaker" and again.options.word is None
    content = json.loads((tmp_path / "result.json").read_text())
    content["results"][0]["takes"]["one"] = "much"
    (tmp_path / "result.json").write_text(json.dumps(content))
    with pytest.raises(Exception, match="is not a result"):
        FitResults.load(tmp_path / "result.json")


def test_a_result_at_another_word_is_the_hardware_of_that_word(data):
    """Searched at 18 for an ECP5, LIF is as good at 16: codes, scores and voltages are those of that word."""
    (result,) = fit(**data, models="LIF", target="ulx3s-25f")
    assert result.word == 16
    dp = datapath(MODELS["LIFNeuron"], 16, DT, result.i_span)
    assert np.array_equal([*result.codes.values()], dp.quantise(result.params)[0])
    for k, current in enumerate(result.currents):
        assert np.array_equal(result.create_model(k).run(current), result.voltages[k])


def told(word, train):
    one = SimpleNamespace(word=word, train=SimpleNamespace(combined_score=train), datapath=None, params={}, words={})
    return word, one


@pytest.mark.parametrize(
    ("scores", "exact", "word"),
    [
        ({16: 0.3, 18: 0.3, 24: 0.3}, 0.3, 16),
        ({16: 0.3 * (1 + COST) - 1e-9, 18: 0.3, 24: 0.3}, 0.3, 16),
        ({16: 0.3 * (1 + COST) + 1e-9, 18: 0.3, 24: 0.3}, 0.3, 18),
        ({16: 0.32, 18: 0.31, 24: 0.3}, 0.3, 24),
        ({16: 0.32, 18: 0.31}, 0.3, 18),  # none is so good as float64: the best of them
        ({16: 0.31, 18: 0.32}, 0.3, 16),
        ({16: 0.28, 18: 0.3}, 0.3, 16),
        ({18: 0.3}, 0.1, 18),
    ],
)
def test_the_word_is_the_shortest_that_hardly_costs_anything(scores, exact, word, monkeypatch):
    monkeypatch.setattr(
        target, "ideal_scores", lambda *_: {"train": SimpleNamespace(combined_score=exact), "held_out": None}
    )
    there = dict(told(*item) for item in scores.items())
    best = chosen(next(iter(there.values())), there, None)
    assert best.word == word
    assert best.words == {**{str(w): s for w, s in scores.items()}, "float64": exact}


def test_a_word_that_was_given_is_kept(data):
    said = []
    found = fit(**data, models=["LIF", "HH"], target="icebreaker", word=24, notice=said.append)
    assert [r.word for r in found] == [24] and {*found[0].words} == {"24", "float64"}
    assert any(
        re.match(r"HodgkinHuxleyNeuron does not fit icebreaker at word 24: .* block RAMs", text) for text in said
    )
    assert [*found.evaluations] == ["LIFNeuron"]
    with pytest.raises(DoesNotFitError, match="HodgkinHuxleyNeuron does not fit icebreaker at word 24"):
        fit(**data, models="HH", target="icebreaker", word=24)


def test_in_folds_the_word_is_that_of_the_search(data):
    (result,) = fit(**data, models="LIF", target="ulx3s-25f", folds=2)
    assert result.word == 18 and {*result.words} == {"18", "float64"} and result.takes["one"]["word"] == 18


def test_a_board_of_ones_own_is_named_by_its_file(data, tmp_path):
    text = re.search(r"^```toml\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)[1]
    path = tmp_path / "own_board_of_a_fit.toml"
    path.write_text(text, encoding="utf-8")
    options = FitOptions(target=str(path))
    assert options.target == "own_board_of_a_fit" and options.board == get_board(str(path))
    assert str(path) in fit_words(options) and f"target={str(path)!r}" in options.to_python()
    assert FitOptions.from_dict(options.to_dict(sources=True), run_files=True) == options
    # a result does not make anybody read a file that it names, and run what that names
    with pytest.raises(UsageError, match="has to be named by its user"):
        FitOptions.from_dict(options.to_dict(sources=True))


def test_a_target_beside_options_without_one_chooses_the_word_too():
    assert FitOptions.of(FitOptions(seed=3), target="icebreaker") == FitOptions(seed=3, target="icebreaker")
    assert FitOptions.of(FitOptions(word=16), target="ulx3s-25f").words == (16,)
    assert FitOptions.of(FitOptions(target="icebreaker"), target="ulx3s-25f").words == (16, 18, 24)
    assert FitOptions.of(FitOptions(), target="ulx3s-25f", word=18).words == (18,)


def test_a_board_of_which_nothing_is_known(monkeypatch):
    monkeypatch.setattr("spikefab.boards.estimates.calibration", lambda: {"shared": {}})
    with pytest.raises(UsageError, match="nothing is known yet of what models take of icebreaker"):
        FitOptions(target="icebreaker")
    with pytest.raises(UsageError, match="did you mean icebreaker"):
        FitOptions(target="icebraker")
