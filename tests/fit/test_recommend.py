"""What features point at: every model can be named, and none that its own words do not support."""

import math
import re

import pytest

from spikefab.fit.features.recommend import MOST, SIGNS, UNKNOWN, advice, outcome, recommend
from spikefab.hw.models import MODELS

REGULAR = {
    "spike_count": 40.0, "isi_cv": 0.05, "adaptation_ratio": 1.05, "ap_width": 1.0, "sag_ratio": 0.02, "noise": 0.0,
    "bursts": 0.0, "block": 0.0, "rebound": 0.0, "resonance": math.nan, "oscillation": 0.0,
}  # fmt: skip

CASES = {
    "regular": ({}, ["LIF", "Lapicque", "QuadraticIF", "ExpIF"]),
    "adapting": ({"adaptation_ratio": 2.5, "isi_cv": 0.3}, ["AdEx", "Izhikevich", "MAT"]),
    "bursting": ({"isi_cv": 1.1, "bursts": 0.4}, ["Izhikevich", "HindmarshRose"]),
    "irregular": ({"isi_cv": 0.9}, ["Izhikevich", "HindmarshRose"]),
    "oscillating": ({"oscillation": 1.5}, ["ResonateAndFire", "HodgkinHuxley", "FitzHughNagumo"]),
    "resonant": ({"resonance": 2.0}, ["ResonateAndFire", "HodgkinHuxley", "FitzHughNagumo"]),
    "sagging": ({"sag_ratio": 0.3}, ["ResonateAndFire", "HodgkinHuxley", "FitzHughNagumo"]),
    "rebounding": ({"rebound": 1.0}, ["ResonateAndFire", "Izhikevich", "FitzHughNagumo"]),
    "blocked": ({"block": 0.5}, ["HodgkinHuxley", "MorrisLecar"]),
    "noise": ({"noise": 1.0, "isi_cv": 0.9, "adaptation_ratio": 2.0}, ["MAT", "AdEx"]),
    "silent": (
        {"spike_count": 0.0, "isi_cv": math.nan, "adaptation_ratio": math.nan, "bursts": math.nan},
        ["Lapicque", "LIF"],
    ),
    "two spikes": ({"spike_count": 2.0, "isi_cv": math.nan, "adaptation_ratio": math.nan}, ["LIF"]),
    "broad": ({"ap_width": 5.0}, ["LIF"]),
}


@pytest.mark.parametrize("case", CASES)
def test_cells_and_their_models(case):
    change, wanted = CASES[case]
    found = recommend(REGULAR | change)
    names = [name.removesuffix("Neuron") for name, _ in found]
    assert set(wanted) <= set(names[: max(4, len(wanted))]), names
    assert len(found) <= MOST
    for name, reason in found:
        # its own words stand in the sentence
        assert MODELS[name].best_for in reason
        assert reason.endswith(".")
        assert not re.search(r"\bnan\b", reason)


def test_a_noise_stimulus_says_nothing_about_regularity():
    names = [name for name, _ in recommend(REGULAR | {"noise": 1.0})]
    assert names[0] == "MATNeuron"
    assert "LIFNeuron" not in names


@pytest.mark.parametrize("sign", [*SIGNS, UNKNOWN], ids=lambda s: s.reason[:30])
def test_every_trait_of_a_sign_is_some_models(sign):
    for trait in sign.traits:
        assert any(trait in m.traits for m in MODELS.values()), trait


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_can_be_recommended(model):
    assert not model.traits.isdisjoint(trait for sign in SIGNS for trait in sign.traits)


def test_advice_names_them_and_excludes_nothing():
    text = advice(recommend(REGULAR | {"adaptation_ratio": 2.5, "isi_cv": 0.3}))
    assert "AdEx, MAT, GLIF, Izhikevich" in text
    assert "2.5 times the first" in text
    assert "no model is left out" in text


def test_outcome():
    recommended = [("AdExNeuron", "a."), ("MATNeuron", "b."), ("IzhikevichNeuron", "c.")]
    all_three = [name for name, _ in recommended]
    text = outcome(recommended, ["MATNeuron", "LIFNeuron", "AdExNeuron"], [*all_three, "LIFNeuron"])
    assert text == "Of the recommended models, MAT came 1st, AdEx came 3rd, Izhikevich came after the 3rd."
    text = outcome(recommended, ["LIFNeuron"], ["LIFNeuron"])
    assert text == (
        "Of the recommended models, AdEx, MAT and Izhikevich were not fitted; the best, LIF, had not been recommended."
    )
    assert outcome([], ["LIFNeuron"], []) == outcome(recommended, [], []) == ""
