"""What a fit promises: results that simulate to the last digit, the same bytes for the same seed, plain refusals."""

import json
from types import SimpleNamespace

import numpy as np
import pytest

from spikefab import Recording, fit, read
from spikefab.errors import FileError, RecordingError, UsageError
from spikefab.fit.assess import assess, ideal_scores
from spikefab.fit.results import FitResults
from spikefab.fit.scoring.task import Task
from spikefab.fit.search.loss import Loss
from spikefab.fit.search.race import FIRST, LAP
from spikefab.fit.search.search import Search
from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS, get_model
from spikefab.sim import threads
from spikefab.sim.engine import FixedPoint

DT, BUDGET = 0.1, 200
FEW = ["LIF", "AdEx", "Izhikevich", "MAT"]
SCORES = {
    "rmse", "masked_rmse", "flat_rmse", "spike_timing_error", "timing", "count", "gamma", "reliability", "combined_score",
    "spikes_data", "spikes_model", "gamma_over_R", "repeat_rmse", "voltage", "pattern", "timing_weight", "timing_term",
}  # fmt: skip


@pytest.fixture(scope="module", params=[FEW, pytest.param([*MODELS], marks=pytest.mark.slow)], ids=["few", "all"])
def single(membrane, request):
    """One sweep of a second with two steps, that begins under a holding current."""
    current = np.full(10000, 0.02)
    current[1000:5000], current[5500:9500] = 0.24, 0.3
    data = SimpleNamespace(voltage=membrane(current, DT, 0.3, before=0.02), current=current, models=request.param)
    data.results = fit(
        voltage=data.voltage, current=current, dt=DT, models=data.models, budget=BUDGET, top_k=len(MODELS)
    )
    return data


@pytest.fixture(scope="module")
def several(membrane, steps):
    """Steps of five amplitudes under three holding currents, of unequal length."""
    currents = [
        steps([a], DT, 200 + 20 * k, before=0.01 * (k % 3))[0] for k, a in enumerate((0.1, 0.2, 0.24, 0.28, 0.32))
    ]
    voltages = [membrane(i, DT, 0.3, k, i[0]) for k, i in enumerate(currents)]
    data = SimpleNamespace(recording=Recording.from_arrays(voltages, currents, DT), voltages=voltages)
    data.results = fit(data.recording, dt=DT, models=FEW, budget=BUDGET, word=16, top_k=len(MODELS))
    return data


def test_every_model_once_best_first(single, several):
    for results, models in ((single.results, single.models), (several.results, FEW)):
        assert sorted(r.model_name for r in results) == sorted(get_model(name).__name__ for name in models)
        scores = [r.combined_score for r in results]
        assert scores == sorted(scores)
        assert results.best is results[0]
        assert not results.interrupted


def test_run_gives_voltage_and_rmse_to_the_last_digit(single):
    for result in single.results:
        voltage = result.create_model().run(result.current)
        assert np.array_equal(voltage, result.simulated_voltage)
        assert float(np.sqrt(np.mean((single.voltage - voltage) ** 2))) == result.rmse
        assert np.array_equal(result.current, single.current)


def test_step_gives_the_same_as_run(single):
    for result in single.results:
        model = result.create_model()
        # as far as the second spike, if there is one, and a little beyond
        stretch = round(max(result.spikes[0][:2], default=0) / DT) + 50
        stepped, fired = [], []
        for k, i in enumerate(result.current[:stretch]):
            stepped.append(model.step(i))
            if model.spiked:
                fired.append(k * DT)
        assert stepped == result.simulated_voltage[:stretch].tolist()
        assert fired == result.spikes[0][: len(fired)].tolist()
        assert len(fired) >= min(2, len(result.spikes[0]))
        model.reset()
        assert np.array_equal(model.run(result.current), result.simulated_voltage)


def test_each_sweep_simulates_from_its_own_state(several):
    for result in several.results:
        voltages = [result.create_model(k).run(i) for k, i in enumerate(result.current)]
        for voltage, simulated in zip(voltages, result.simulated_voltage, strict=True):
            assert np.array_equal(voltage, simulated)
        error = np.concatenate(several.voltages) - np.concatenate(voltages)
        assert float(np.sqrt(np.mean(error**2))) == result.rmse
    # sweeps of one holding current begin alike, and those of another do not
    initial = several.results.best.initial
    assert initial[0] == initial[3] != initial[1] == initial[4] != initial[2]


def test_a_resampled_recording_simulates_over_its_current(membrane):
    current = np.zeros(8000)
    current[1000:7000] = 0.25
    voltage = membrane(current, 0.05)
    (result,) = fit(voltage=voltage, current=current, dt=0.05, budget=100, models=["lif"])
    assert result.dt == 0.05
    recording = Recording.from_arrays(voltage, current, 0.05)
    (result,) = fit(recording, dt=0.1, budget=100, models=["lif"])
    assert len(result.current) == 4000
    assert np.array_equal(result.create_model().run(result.current), result.simulated_voltage)


def test_codes_stand_exactly_for_the_parameters(single, several):
    for result in (*single.results, *several.results):
        dp = datapath(result.model, result.word, result.dt, result.i_span)
        assert dict(zip(dp.coefficients, dp.quantise(result.params)[0].tolist(), strict=True)) == result.codes
        assert result.create_model().values == result.params
        assert set(result.formats) == {*dp.coefficients, *dp.states, "i", "o_v"}


def test_scores_are_those_of_the_design(single, several):
    for result in (*single.results, *several.results):
        for scores in (result.train, result.held_out, result.ideal["train"], result.ideal["held_out"]):
            assert set(scores.to_dict()) == SCORES
        assert set(result.ideal) == {"train", "held_out"}
        assert result.validated
        assert result.combined_score == result.held_out.combined_score
        assert result.masked_rmse == result.held_out.masked_rmse
    # of the four amplitudes that evoke spikes the third is held out
    assert several.results.to_dict()["input"]["held_out"] == [3]


def test_same_seed_same_bytes_for_any_number_of_threads(single, tmp_path):
    files = []
    for count in (1, 2, 5):
        with threads.limited(count):
            again = fit(
                voltage=single.voltage, current=single.current, dt=DT, models=single.models, budget=BUDGET,
                top_k=len(MODELS),
            )  # fmt: skip
        files.append(again.save(tmp_path / f"{count}.json").read_bytes())
    assert files[0] == files[1] == files[2] == single.results.save(tmp_path / "first.json").read_bytes()


@pytest.mark.slow
def test_another_seed_searches_elsewhere(single):
    other = fit(voltage=single.voltage, current=single.current, dt=DT, models=single.models, budget=BUDGET, seed=1)
    assert [r.codes for r in other] != [r.codes for r in single.results]


def test_json_round_trip(single, tmp_path):
    path = single.results.save(tmp_path / "deep" / "result.json")
    assert [p.name for p in path.parent.iterdir()] == ["result.json"]  # nothing half-written beside it
    content = json.loads(path.read_text())
    assert set(content) >= {"schema", "results", "input", "settings"}
    for loaded in (FitResults.load(path), FitResults.load(path.parent)):
        assert [r.to_dict() for r in loaded] == [r.to_dict() for r in single.results] == content["results"]
        assert loaded.settings == single.results.settings
        assert loaded.to_dict() == content
        for mine, original in zip(loaded, single.results, strict=True):
            assert np.array_equal(mine.create_model().run(single.current), original.simulated_voltage)
            assert mine.rmse == original.rmse


def test_what_is_no_result_is_refused(tmp_path):
    with pytest.raises(FileError, match="cannot be read"):
        FitResults.load(tmp_path / "absent.json")
    for text in ("", "[]", '{"schema": 1}', '{"settings": {}, "results": [{"model_name": "LIFNeuron"}]}'):
        (tmp_path / "other.json").write_text(text)
        with pytest.raises(FileError, match=r"not a result\.json"):
            FitResults.load(tmp_path / "other.json")


@pytest.mark.parametrize("after", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_interrupt_keeps_the_best_so_far(single, after):
    """Ctrl-C in the first model's search, and in the second's."""
    seen = []

    def progress(model, evaluations, budget, loss):
        seen.append((model, evaluations, loss))
        if len({name for name, *_ in seen}) == after:
            raise KeyboardInterrupt

    results = fit(voltage=single.voltage, current=single.current, dt=DT, models=FEW, budget=BUDGET, progress=progress)
    assert results.interrupted
    assert results.to_dict()["interrupted"]
    assert len(results) == after
    for result in results:
        assert np.array_equal(result.create_model().run(result.current), result.simulated_voltage)
    last, evaluations, _ = seen[-1]
    assert results.evaluations[last] == evaluations < BUDGET


@pytest.mark.slow
def test_silent_recording_is_fitted_below_threshold(membrane, steps):
    currents = steps([-0.1, 0.05, 0.1], DT)
    recording = Recording.from_arrays([membrane(i, DT, 0.2) for i in currents], currents, DT)
    notices = []
    results = fit(recording, models=FEW, budget=400, notice=notices.append)
    assert any("no spikes" in text for text in notices)
    assert len(results) == len(FEW)
    assert not results.best.validated
    assert results.best.train.spikes_model == 0
    assert results.best.masked_rmse < 1.0


def test_short_single_sweep_is_not_validated(membrane, steps):
    (current,) = steps([0.25], DT)
    notices = []
    results = fit(voltage=membrane(current, DT), current=current, dt=DT, models=FEW, budget=100, notice=notices.append)
    assert any("not validated" in text for text in notices)
    for result in results:
        assert not result.validated
        assert result.held_out is None
        assert result.ideal["held_out"] is None
        assert result.combined_score == result.train.combined_score
    json.dumps(results.to_dict(), allow_nan=False)


def test_top_k_and_chosen_models(single):
    chosen = fit(voltage=single.voltage, current=single.current, dt=DT, budget=100, models=["adex", "LIF"], top_k=1)
    assert len(chosen) == 1
    assert set(chosen.evaluations) == {"AdExNeuron", "LIFNeuron"}


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"models": ["Izikevich"]}, UsageError, "did you mean IzhikevichNeuron"),
        ({"models": "Izikevich"}, UsageError, "did you mean IzhikevichNeuron"),
        ({"budget": 100.5}, UsageError, "whole numbers"),
        ({"dt": None}, UsageError, "dt is missing"),
        ({"voltage": np.zeros((5000, 3)), "current": np.zeros((5000, 3))}, UsageError, "transpose the array to"),
        ({"voltage": np.zeros(50), "current": np.ones(50)}, RecordingError, "lasts 5 ms: a fit needs 10 ms"),
        ({"models": []}, UsageError, "no model"),
        ({"word": 20}, UsageError, "word 20"),
        ({"budget": 0}, UsageError, "at least 1"),
        ({"top_k": 0}, UsageError, "at least 1"),
        ({"dt": 5.0}, UsageError, "dt = 5"),
        ({"dt": -0.1}, UsageError, "positive"),
        ({"current": None}, UsageError, "injected current"),
        ({"current": np.zeros(10000)}, RecordingError, "zero"),
        ({"current": np.ones(100)}, UsageError, "10000 samples of voltage but 100 of current"),
        ({"voltage": None}, UsageError, "either a recording"),
        ({"voltage": np.full(10000, np.nan)}, RecordingError, "no sample at which"),
    ],
)
def test_what_cannot_be_fitted_is_refused(single, options, error, match):
    given = {"voltage": single.voltage, "current": single.current, "dt": DT, "budget": 100}
    with pytest.raises(error, match=match):
        fit(**{**given, **options})


@pytest.mark.slow  # thousands of evaluations
def test_far_models_end_early(several):
    results = fit(several.recording, models=["LIF", "Theta", "FitzHughNagumo"], budget=6000, top_k=1)
    assert results.best.model_name == "LIFNeuron"
    assert FIRST < results.evaluations["LIFNeuron"] <= 6000
    assert results.ended_early == ["ThetaNeuron", "FitzHughNagumoNeuron"]
    assert all(FIRST <= results.evaluations[name] < FIRST + LAP for name in results.ended_early)
    assert results.to_dict()["ended_early"] == results.ended_early


@pytest.mark.slow
def test_few_evaluations_judge_no_model(several):
    results = fit(several.recording, models=["LIF", "Theta"], budget=400, top_k=1)
    assert set(results.evaluations.values()) == {400}


@pytest.mark.slow
def test_folds_judge_each_stimulus_by_a_model_that_has_not_seen_it(several):
    names, budget, told = ["LIF", "AdEx"], 300, []
    results = fit(
        several.recording,
        models=names,
        budget=budget,
        folds=2,
        progress=lambda name, n, of, _: told.append((name, n, of)),
    )
    recording = several.recording
    # four of five evoke spikes, and are dealt in turn: 1, 3 and 2, 4; the silent one is always trained on
    assert results.task.folds == ((1, 3), (2, 4))
    assert results.input["held_out"] == [1, 2, 3, 4]
    assert "in 2 folds" in results.input["split"]
    assert set(results.evaluations.values()) == {3 * budget}
    assert max(n for _, n, _ in told) == 3 * budget == told[0][2]
    everything = fit(recording, models=names, budget=budget, held_out="none")
    for result in results:
        assert result.validated
        assert result.held_out.spikes_data == sum(len(s) for s in results.task.spikes)
        assert result.codes == next(r.codes for r in everything if r.model_name == result.model_name)
        # the same by hand
        parts, voltages, spikes = [], list(result.voltages), list(result.spikes)
        for held in results.task.folds:
            fold = results.task.without(held)
            found = Search(FixedPoint(datapath(result.model, 18, DT, fold.i_span)), fold, budget=budget, seed=0)
            found.run(budget)
            apart = assess(found.engine, fold, found.codes)
            assert {p.sweep for p in fold.split.train} == set(range(5)) - set(held)
            for part in fold.split.held_out:
                voltages[part.sweep], spikes[part.sweep] = apart.voltages[part.sweep], apart.spikes[part.sweep]
                parts.append(part)
        assert result.held_out == results.task.score(parts, voltages, spikes)
    assert results.best.tied is not None
    with pytest.raises(UsageError, match="there are 4"):
        fit(recording, folds=5)
    with pytest.raises(UsageError, match="either held_out or folds"):
        fit(recording, folds=2, held_out="none")


@pytest.mark.slow  # kernels that no other test needs
def test_the_ideal_of_long_sweeps_is_compiled_and_the_same(several, monkeypatch):
    notices = []
    for result in several.results[:3]:
        dp = datapath(result.model, result.word, DT, result.i_span)
        task = several.results.task
        interpreted = ideal_scores(dp, task, result.params)
        monkeypatch.setattr("spikefab.sim.engine.INTERPRETED", 100)
        monkeypatch.setattr("spikefab.sim.kernels.cached", lambda name: False)
        compiled = ideal_scores(dp, task, result.params, notices.append)
        monkeypatch.undo()
        for part in ("train", "held_out"):
            for name, x in interpreted[part].to_dict().items():
                assert compiled[part].to_dict()[name] == (x if x is None else pytest.approx(x, rel=1e-6, abs=1e-9))
    assert [f"float64 {r.model_name} kernel" in text for r, text in zip(several.results, notices, strict=False)] == [
        True
    ] * 3


def test_callback_sees_what_improves_and_may_stop(single):
    seen = []

    def callback(model, params, loss):
        seen.append((model, params, loss))
        return len(seen) == 3

    results = fit(voltage=single.voltage, current=single.current, dt=DT, models=["LIF"], budget=4000, callback=callback)
    assert len(seen) == 3
    assert seen[0][2] > seen[1][2] > seen[2][2]
    assert results.interrupted
    assert results.best.params == seen[-1][1]


@pytest.mark.slow  # kernels that no other test needs
def test_callback_gets_what_makes_the_neuron(single):
    seen = []
    results = fit(voltage=single.voltage, current=single.current, dt=DT, models=["HH"], budget=400,
                  callback=lambda *told: seen.append(told))  # fmt: skip
    model, params, _ = min(seen, key=lambda told: told[2])
    neuron = get_model(model)(word=18, dt=DT, i_span=results.best.i_span, **params)
    assert {seen[k][1]["kinetics"] for k in range(len(seen))} == {"1952", "traub-miles"}
    assert neuron.chosen == results.best.model.chosen and dict(neuron.codes) == dict(results.best.codes)


def test_sensitivity_is_where_the_loss_grows_by_a_tenth(several):
    (result,) = fit(several.recording, models=["LIF"], budget=1500)
    task = Task.of(several.recording, DT)
    dp = datapath(result.model, 18, DT, task.i_span)
    loss = Loss(FixedPoint(dp), task)

    def at(**changed):
        return float(loss(dp.quantise({n: np.array([x]) for n, x in (result.params | changed).items()}))[0])

    assert set(result.sensitivity) == {"tau_m", "R_m", "V_th", "V_reset", "E_L", "t_ref"}
    for name, (low, high) in result.sensitivity.items():
        value = result.params[name]
        assert low <= value <= high or low == pytest.approx(value) or high == pytest.approx(value)
        assert at(**{name: low}) <= 1.1 * at() + 1e-12
        assert at(**{name: high}) <= 1.1 * at() + 1e-12
    # a tenth of its range away it is another cell
    assert at(R_m=1.3 * result.sensitivity["R_m"][1]) > 1.1 * at()
    assert result.parameters()[0]["range"] == result.sensitivity["tau_m"]


def test_a_path_is_read_and_its_notes_are_shown(recording):
    results = fit(str(recording), models="LIF", budget=64)
    assert results.input["source"] == recording.name
    assert [r.model_name for r in results] == ["LIFNeuron"]
    noted = fit(read(recording).resample(0.4), models=["LIF"], budget=64)
    assert any("resampled" in text for text in noted.notes)
    assert all(text in str(noted) and text in noted._repr_html_() for text in noted.notes)
    with pytest.raises(UsageError, match=r"what spikefab\.read gives"):
        fit(np.zeros(10), models=["LIF"])
