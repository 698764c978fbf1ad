"""What a score costs on a board: points, front and knee, of a fit and of points that were made up."""

import json
from dataclasses import replace
from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest

from spikefab.boards.estimates import Estimate, estimate, population
from spikefab.boards.table import BOARDS
from spikefab.errors import DoesNotFitError, UsageError
from spikefab.fit import fit
from spikefab.fit.pareto import Pareto, Point, knee_of, pareto, with_front
from spikefab.fit.report.folder import described_neuron
from spikefab.fit.results import FitResults
from spikefab.fit.target import COST

DT = 0.1
BOARD = BOARDS["icebreaker"]


@pytest.fixture(scope="module")
def results(membrane, steps):
    currents = steps([0.1, 0.19, 0.22, 0.26, 0.31], DT)
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    return fit(
        voltage=voltages, current=currents, dt=DT, models=["LIF", "AdEx", "HH"], budget=96, word=16, progress=False
    )


@pytest.fixture(scope="module")
def found(results):
    return results.pareto("icebreaker")


def test_each_model_is_there_at_each_word_and_in_each_form_that_fits(results, found):
    expected = set()
    for result, word in product(results, BOARD.words):
        neuron = result.model(word=word, dt=DT, i_span=result.i_span)
        for takes in (estimate(neuron, BOARD), population(neuron, BOARD)):
            if takes is not None and not takes.refused:
                expected.add((takes.model, takes.word, takes.form))
    assert {(p.takes.model, p.takes.word, p.takes.form) for p in found.points} == expected
    assert ("HodgkinHuxleyNeuron", 24, "shared") not in expected and ("LIFNeuron", 24, "shared") in expected
    # a product of 24 bits takes several multipliers: no pipeline of such was ever built
    assert not any(word == 24 for _, word, form in expected if form == "pipelined")


def test_each_point_is_the_hardware_of_its_word(results, found):
    fitted = {r.model_name: r for r in results}
    for p in found.points:
        r, source = p.result, fitted[p.takes.model]
        assert r.word == p.takes.word and p.score == r.combined_score
        assert np.array_equal([*r.codes.values()], r.datapath.quantise(source.params)[0])
        for k in (0, len(r.currents) - 1):
            assert np.array_equal(r.create_model(k).run(r.currents[k]), r.voltages[k])
        assert p.takes.neurons == 1 or p.takes.form == "pipelined"


def made(points, board=BOARD):
    """A Pareto of made points: (score, cells, multipliers, block RAMs, neurons)."""
    usual = Estimate("icebreaker", "LIFNeuron", 16, "shared", 1, 1, 1, 17, 100, 1, 6, 34.0, 12.0, 0.02, 0.1, "")
    return [
        Point(
            score,
            replace(
                usual, cells=cells, multipliers=multipliers, block_rams=rams, neurons=neurons,
                form="shared" if neurons == 1 else "pipelined", model=f"M{k}Neuron",
            ),
            SimpleNamespace(validated=True, settings={}),
        )
        for k, (score, cells, multipliers, rams, neurons) in enumerate(points)
    ]  # fmt: skip


def front(points):
    return [p.front for p in with_front(made(points))]


def test_what_costs_as_much_and_is_no_better_is_not_on_the_front():
    assert front([(0.3, 100, 1, 6, 1), (0.4, 100, 1, 6, 1)]) == [True, False]
    assert front([(0.3, 100, 1, 6, 1), (0.2, 101, 1, 6, 1)]) == [True, True]
    assert front([(0.3, 100, 1, 6, 1), (0.3 / (1 + COST) + 1e-9, 101, 1, 6, 1)]) == [True, False]
    assert front([(0.3, 100, 1, 6, 1), (0.3 / (1 + COST) - 1e-9, 101, 1, 6, 1)]) == [True, True]
    # cheaper in one thing, dearer in another
    assert front([(0.3, 100, 1, 7, 1), (0.3, 200, 1, 6, 1)]) == [True, True]
    assert front([(0.3, 100, 2, 6, 1), (0.3, 200, 1, 6, 1)]) == [True, True]
    # more neurons are worth more; one neuron is not measured against many
    assert front([(0.3, 100, 1, 6, 10), (0.3, 100, 1, 6, 20), (0.1, 90, 1, 6, 1)]) == [False, True, True]


def test_there_is_always_a_front():
    rng = np.random.default_rng(1)
    for _ in range(200):
        points = [(float(s), *map(int, rng.integers(1, 4, 3)), 2) for s in rng.choice([0.3, 0.303, 0.306, 0.32], 12)]
        found = with_front(made(points))
        assert any(p.front for p in found)
        lowest = min(p.score for p in found)
        assert min(p.score for p in found if p.front) <= (1 + COST) ** 3 * lowest


def test_the_knee_is_where_the_front_bends():
    def knee(points):
        points = with_front(made(points))
        whole = Pareto(BOARD, points)
        return points.index(knee_of([p for p in points if p.front], whole.expense))

    bent = [(0.6, 1000, 1, 6, 1), (0.35, 1200, 1, 6, 1), (0.3, 2000, 1, 6, 1)]
    assert knee(bent) == 1
    assert knee(bent[::-1]) == 1
    assert (
        knee([(0.6, 1000, 1, 6, 1), (0.55, 1800, 1, 6, 1), (0.3, 2000, 1, 6, 1)]) == 2
    )  # it bends the other way: the best
    assert knee([(0.3, 1000, 1, 6, 1)]) == 0
    many = [(0.6, 1000, 1, 6, 4000), (0.35, 1000, 1, 6, 3900), (0.3, 1000, 1, 6, 100)]
    assert knee(many) == 1
    assert knee_of([], lambda p: 0.0) is None


def test_the_knee_is_named_with_the_best_and_the_cheapest(found):
    for form, sentence in zip(("shared", "pipelined"), found.sentences, strict=True):
        points = [p for p in found.of(form) if p.front]
        (knee,) = [p for p in points if p.knee]
        best, cheapest = min(points, key=lambda p: p.score), min(points, key=found.expense)
        for p in (knee, best, cheapest):
            assert f"{p.takes.model.removesuffix('Neuron')} at word {p.takes.word}" in sentence
            assert f"{p.score:.3f}" in sentence
    assert all(p.front for p in found.points if p.knee)


def test_it_is_shown_drawn_and_written(found, tmp_path):
    text = str(found)
    assert text.count("knee  ") + text.count("knee\n") >= 2 and "held-out data" in text
    assert "<table" in found._repr_html_()
    shown = found.plot().axes
    assert [ax.get_title() for ax in shown] == ["One neuron", "As many as fit"]
    written = found.save(tmp_path / "new")
    assert all((tmp_path / "new" / name).is_file() for name in written)
    content = json.loads((tmp_path / "new" / "pareto.json").read_text(), parse_constant=pytest.fail)
    assert content["board"] == "icebreaker" and len(content["points"]) == len(found.points)
    assert content["sentences"] == found.sentences
    for p in found.front:
        neuron = described_neuron(tmp_path / "new" / p.name / "neuron.json")
        assert (type(neuron).__name__, neuron.word, neuron.codes) == (p.takes.model, p.takes.word, p.result.codes)
        takes = estimate(neuron, BOARD)
        assert p.takes.form == "pipelined" or takes == p.takes


def test_in_a_cross_validation_each_word_is_judged_on_the_same_data(membrane, steps):
    """Which are those of training: the folds were judged at one word only."""
    currents = steps([0.19, 0.22, 0.26, 0.31], DT)
    voltages = [membrane(i, DT, 0.3, k) for k, i in enumerate(currents)]
    results = fit(voltage=voltages, current=currents, dt=DT, models="LIF", budget=96, folds=2, progress=False)
    assert results.best.validated and results.best.combined_score != results.best.train.combined_score
    found = results.pareto("ulx3s-25f")
    assert {p.takes.word for p in found.points} == {16, 18, 24}
    assert all(p.score == p.result.train.combined_score for p in found.points)
    assert "on training data" in found.basis and found.to_dict()["validated"] is False


def test_what_cannot_be_is_a_sentence(results, tmp_path, monkeypatch):
    results.save(tmp_path / "result.json")
    with pytest.raises(UsageError, match="needs the recording too"):
        FitResults.load(tmp_path / "result.json").pareto("icebreaker")
    with pytest.raises(UsageError, match="no model was fitted"):
        FitResults(results.task, results.settings).pareto("icebreaker")
    with pytest.raises(UsageError, match="did you mean icebreaker"):
        pareto(results, "icebraker")
    monkeypatch.setattr("spikefab.boards.estimates.calibration", lambda: {"shared": {}, "pipelined": {}})
    with pytest.raises(UsageError, match="nothing is known"):
        pareto(results, "icebreaker")


def test_a_board_that_none_fits(results, monkeypatch):
    one = FitResults(results.task, results.settings)
    one.extend(r for r in results if r.model_name == "HodgkinHuxleyNeuron")
    monkeypatch.setattr(BOARDS["icebreaker"].__class__, "block_rams", property(lambda board: 20))
    with pytest.raises(DoesNotFitError, match="HodgkinHuxleyNeuron"):
        pareto(one, "icebreaker")
