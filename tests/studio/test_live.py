"""Simulations for sliders: the hardware's integers, to the last bit, and what is said beside them."""

import subprocess
import sys

import numpy as np
import pytest

from spikefab import read
from spikefab.fit.recordings.sweep import baseline_current
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.hw.pages.literature import CELLS
from spikefab.studio.live import nudged

QUICK = ("LIF", "AdEx", "Izhikevich")


def begin(studio, model, **query):
    found = studio.get(f"/api/models/{model}/parameters", **query)
    return found, {p["name"]: p["value"] for p in found["parameters"]}


@pytest.mark.parametrize("model", QUICK)
@pytest.mark.parametrize("word", [16, 18, 24])
def test_it_is_the_neuron_that_python_makes(studio, imported, recording, model, word):
    told, params = begin(studio, model, word=word, recording=imported["id"])
    found = studio.simulate(model=model, word=word, params=params, recording=imported["id"], sweep=3)
    kind = MODELS[told["model"]]
    sweep = read(recording).sweeps[3]
    neuron = kind(codes=found["codes"], word=word, dt=0.1, i_span=found["i_span"])
    neuron.run(np.full(2000, baseline_current(sweep, 0.1)))
    voltage = neuron.run(sweep.current)
    assert np.array_equal(found["voltage"], voltage.astype("f4"))
    assert found["spikes"] == neuron.simulation.spikes.tolist()
    assert np.array_equal(found["residual"], (sweep.voltage - voltage).astype("f4"))
    assert found["values"] == pytest.approx(neuron.values, rel=1e-12)
    assert found["score"]["spikes_model"] == len(found["spikes"])
    again = studio.simulate(model=model, word=word, codes=found["codes"], recording=imported["id"], sweep=3)
    assert again["codes"] == found["codes"] and np.array_equal(again["voltage"], found["voltage"])


@pytest.mark.slow
def test_its_python_gives_the_same(studio, imported, tmp_path):
    for where in ({"recording": imported["id"], "sweep": 4}, {"stimulus": {"amplitude": 0.4, "duration": 300}}):
        found = studio.simulate(model="LIF", params={"R_m": 120}, **where)
        script = tmp_path / "script.py"
        script.write_text(found["python"] + f"\nimport numpy\nnumpy.save({str(tmp_path / 'v.npy')!r}, voltage)\n")
        subprocess.run([sys.executable, script], cwd=studio.folder, check=True)
        assert np.array_equal(np.load(tmp_path / "v.npy").astype("f4"), found["voltage"])


@pytest.mark.parametrize("model", QUICK)
def test_a_trial_is_of_the_measured_values_where_the_cell_fires_most(studio, imported, model):
    _, params = begin(studio, model, recording=imported["id"])
    found = studio.get(f"/api/models/{model}/trial", recording=imported["id"])
    most = max(imported["sweeps"], key=lambda s: s["spikes"])
    simulated = studio.simulate(model=model, params=params, recording=imported["id"], sweep=most["index"])
    assert found == {"sweep": most["name"], "spikes": len(simulated["spikes"]), "recorded": most["spikes"]}


def test_a_trial_needs_a_recording(studio):
    for query in ({}, {"recording": "r00000000"}):
        studio.refused(studio.http.get("/api/models/LIF/trial", params=query), 404 if query else 422)


def test_scores_are_those_of_a_fit(studio, imported, recording):
    from spikefab.fit.scoring.split import Part
    from spikefab.fit.scoring.task import Task

    found = studio.simulate(model="LIF", recording=imported["id"], sweep=4)
    task = Task.of(read(recording), 0.1, "none")
    whole = Part(4, 0, found["n"])
    scores = task.score([whole], {4: found["voltage"].astype(float)}, {4: np.array(found["spikes"])}).to_dict()
    for name, x in found["score"].items():
        assert x == pytest.approx(scores[name], rel=1e-5)
    assert found["data_spikes"] == task.spikes[4].time.tolist()


@pytest.mark.slow
def test_the_ideal_is_close_and_only_when_asked(studio, imported):
    plain = studio.simulate(model="LIF", recording=imported["id"], sweep=3)
    both = studio.simulate(model="LIF", recording=imported["id"], sweep=3, ideal=True)
    assert "ideal" not in plain and both["arrays"] == ["voltage", "ideal", "residual"]
    assert 0 < np.abs(both["ideal"] - both["voltage"]).mean() < 0.5
    assert len(both["ideal_spikes"]) == pytest.approx(len(both["spikes"]), abs=1)


def test_without_a_recording_there_is_a_stimulus(studio):
    found = studio.simulate(model="LIF", stimulus={"amplitude": 0.5, "start": 10, "stop": 60, "duration": 80})
    assert found["n"] == 800 and found["score"] is None
    assert np.array_equal(np.flatnonzero(found["current"]), np.arange(100, 600))


@pytest.mark.parametrize("name", MODELS)
def test_a_nudge_moves_to_the_next_code(name):
    dp = datapath(MODELS[name], 18, 0.1)
    values = MODELS[name].defaults()
    before = dp.quantise(values)[0]
    for param, p in dp.params.items():
        for by in (1, -1):
            value = nudged(dp, values, param, by)
            lo, hi = p.bounds
            assert lo <= value <= hi
            after = dp.quantise({**values, param: value})[0]
            if value in (lo, hi) and np.array_equal(after, before):
                continue
            assert (value - values[param]) * by > 0
            assert np.abs(after - before).max() >= 1
            # nothing in between has other codes
            for part in (0.5, 0.9, 0.999):
                between = values[param] + part * (value - values[param])
                assert np.array_equal(dp.quantise({**values, param: between})[0], before), (param, by)
    assert nudged(dp, values, param, 0) == values[param]


def test_what_can_be_moved(studio, imported):
    told, params = begin(studio, "AdEx", recording=imported["id"], word=16)
    assert told["model"] == "AdExNeuron" and told["word"] == 16 and told["i_span"] == 0.5
    for p in told["parameters"]:
        assert p["bounds"][0] <= p["value"] <= p["bounds"][1]
    assert params["E_L"] == pytest.approx(-70, abs=1)  # measured
    assert [c["name"] for c in told["presets"]] == [c.name for c in CELLS["AdExNeuron"]]
    for name, kind in MODELS.items():
        for choice in kind.tried:
            told = begin(studio, name, **{k: str(v).lower() for k, v in choice.items()})[0]
            assert told["settings"] == dict(kind.variant(**choice).chosen)
    for name, query in (("Nothing", {}), ("LIF", {"recording": "r00000000"}), ("LIF", {"word": 17})):
        answer = studio.http.get(f"/api/models/{name}/parameters", params=query)
        studio.refused(answer, answer.status_code)
        assert answer.status_code in (404, 422)


def test_presets_can_be_simulated(studio):
    for name in ("LIFNeuron", "IzhikevichNeuron"):
        for c in studio.get(f"/api/models/{name}/parameters")["presets"]:
            studio.simulate(model=name, params=c["params"], settings=c["settings"], stimulus={"duration": 50})


@pytest.mark.slow
def test_cards(studio):
    found = studio.get("/api/models")["models"]
    assert [c["name"] for c in found] == [*MODELS]
    for card in found:
        assert card["equations"] and card["best_for"] and card["free"]
        assert card["cost"]["18"]["multiplies"] >= 1
        v = np.array(card["thumbnail"]["v"])
        assert len(v) == len(card["thumbnail"]["i"]) > 100
        assert np.ptp(v) > 5, card["name"]  # it fires
    boards = studio.get("/api/boards")["boards"]
    assert [b["name"] for b in boards] == ["icebreaker", "ulx3s-25f"]
