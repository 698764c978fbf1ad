"""What a user may decide about a search: free and fixed parameters, bounds, weights."""

import numpy as np
import pytest

from spikefab.errors import UsageError
from spikefab.fit import fit
from spikefab.fit.recordings.recording import Recording
from spikefab.fit.report.plots import shared, shares, terms

DT = 0.2


@pytest.fixture(scope="module")
def recording(membrane, steps):
    currents = steps([0.15, 0.2, 0.25, 0.3], DT)
    return Recording.from_arrays([membrane(i, DT, 0.3, seed=k) for k, i in enumerate(currents)], currents, DT)


def lif(recording, budget=300, **options):
    return fit(recording, dt=DT, models=["LIF"], budget=budget, **options)


def test_fixed_parameters_are_held_at_the_nearest_code(recording):
    (result,) = lif(recording, fixed={"tau_m": 17.0, "V_reset": -61.0})
    assert result.params["tau_m"] == pytest.approx(17.0, rel=1e-3)
    assert result.params["V_reset"] == -61.0


def test_only_free_parameters_are_searched(recording):
    measured = lif(recording, free=["V_th"])[0].params
    again = lif(recording, free=["V_th"], seed=5)[0].params
    assert {n for n in measured if measured[n] != again[n]} <= {"V_th"}


def test_bounds_are_kept(recording):
    (result,) = lif(recording, bounds={"R_m": (150, 160), "V_peak": (0.0, 1.0)})
    assert 150 <= result.params["R_m"] <= 160
    assert 0 <= result.params["V_peak"] <= 1  # not searched but for its bounds


def test_weights_are_those_of_the_score(recording):
    results = lif(recording, weights=(0, 0, 2.0))
    for scores in (results.best.train, results.best.held_out):
        assert scores.combined_score == pytest.approx(scores.count)
    assert results.to_dict()["settings"]["weights"] == [0.0, 0.0, 2.0]
    assert sum(terms(results.best.judged, shares(results))) == pytest.approx(results.best.combined_score)
    assert shared(results) == "0 %, 0 %, 100 %"


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"fixed": {"tau": 5.0}}, "none of the models has a parameter tau"),
        ({"fixed": {"tau_m": 500.0}}, "LIFNeuron: tau_m can be 2 to 60 ms"),
        ({"bounds": {"R_m": (200, 100)}}, "bounds of R_m must be two rising numbers"),
        ({"bounds": {"R_m": (1, 100)}}, "R_m can be 20 to 1000"),
        ({"fixed": {"R_m": 50.0}, "free": ["R_m"]}, "R_m cannot be fixed and searched"),
        ({"weights": (0, 0, 0)}, "weights are three numbers"),
        ({"weights": (1, np.nan, 1)}, "weights are three numbers"),
        ({"held_out": "half"}, "held_out is one of"),
    ],
)
def test_refused(recording, options, sentence):
    with pytest.raises(UsageError, match=sentence):
        lif(recording, **options)


def test_models_without_a_free_parameter_are_named(recording):
    with pytest.raises(UsageError, match="LIFNeuron: no parameter is left to be searched; name models that have b"):
        fit(recording, dt=DT, models=["LIF", "AdEx"], free=["b"], budget=100)


def test_a_models_own_parameters_can_be_freed_besides(recording):
    (result,) = lif(recording, free={"lif": ["V_peak"]})
    assert {"V_peak", "tau_m", "V_th", "E_L"} <= result.sensitivity.keys()
    assert "V_peak" not in lif(recording)[0].sensitivity
    with pytest.raises(UsageError, match="LIFNeuron has no parameter"):
        lif(recording, free={"LIF": ["tau_x"]})
    with pytest.raises(UsageError, match="cannot be fixed and searched"):
        lif(recording, free={"LIF": ["V_peak"]}, fixed={"V_peak": 20.0})
    with pytest.raises(UsageError, match="not the text 'V_th'"):
        lif(recording, free="V_th")


def test_a_parameter_on_the_end_of_its_search_is_reported(recording):
    (result,) = lif(recording, budget=600)
    at = {p["name"]: p for p in result.parameters()}
    assert at["E_L"]["bounds"] == result.searched["E_L"] and not at["E_L"]["at_bound"]
    low, high = result.params["E_L"] + 6, result.params["E_L"] + 10
    (away,) = lif(recording, budget=600, free=["E_L"], bounds={"E_L": (low, high)})
    at = {p["name"]: p for p in away.parameters()}
    assert at["E_L"]["bounds"] == (low, high) and at["E_L"]["at_bound"]
    assert not at["V_peak"]["at_bound"]  # it was not searched
