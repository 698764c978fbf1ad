"""docs/new-model.md does what it says: its file and its line make a fifteenth model with all that the others have."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from spikefab.hw.datapath import WORDS
from spikefab.hw.lowering.cost import cost
from spikefab.hw.models import MODELS, get_model

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "new-model.md").read_text()
SOURCE = re.findall(r"^```python\n(.*?)^```", PAGE, flags=re.MULTILINE | re.DOTALL)[0]
NAME = "AdaptiveLIFNeuron"


def loaded(path: Path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def written(folder: Path, source: str = SOURCE):
    path = folder / "adaptive_lif.py"
    path.write_text(source)
    return getattr(loaded(path), NAME)


@pytest.fixture(scope="module")
def fifteenth(tmp_path_factory):
    return written(tmp_path_factory.mktemp("models"))


@pytest.fixture
def model(fifteenth, monkeypatch):
    """The class, in the table of models as its line puts it there."""
    monkeypatch.setitem(MODELS, NAME, fifteenth)
    return fifteenth


def test_it_is_none_of_the_fifteen():
    assert NAME not in MODELS


def test_step_run_and_adaptation(model):
    neuron = get_model("adaptivelif")(b=0.04)
    current = np.full(4000, 0.5)
    ran = neuron.run(current)
    spikes = neuron.spikes
    intervals = np.diff(spikes)
    assert len(intervals) > 8
    assert intervals[-1] > 1.5 * intervals[0]
    neuron.reset()
    assert [neuron.step(0.5) for _ in range(300)] == ran[:300].tolist()
    assert neuron.spiked == (29.9 in spikes)


def test_it_is_its_equations(model):
    """Between spikes, by hand: both states are exponentials, w held while V moves."""
    ideal = model(tau_m=15.0, R_m=80.0, tau_w=60.0, b=0.1).ideal()
    p, dt, v, w = ideal.neuron.values, 0.1, -70.0, 0.0
    for k in range(2000):
        i = 0.6 if k < 1000 else 0.1
        target = p["E_L"] + p["R_m"] * (i - w)
        v, w = target + (v - target) * np.exp(-dt / p["tau_m"]), w * np.exp(-dt / p["tau_w"])
        ideal.step(i)
        assert ideal.spiked == (v >= p["V_th"])
        if ideal.spiked:
            v, w = p["V_reset"], w + p["b"]
        assert ideal.state["V"] == pytest.approx(v, abs=1e-8)
        assert ideal.state["w"] == pytest.approx(w, abs=1e-10)


@pytest.mark.parametrize("word", WORDS)
def test_fixed_point_follows_the_ideal(model, word):
    neuron = model(word=word)
    current = np.full(3000, 0.4)
    neuron.run(current)
    ideal = neuron.ideal()
    ideal.run(current)
    assert len(neuron.spikes) == len(ideal.spikes) > 5
    assert np.abs(neuron.spikes - ideal.spikes).max() <= 2.0


@pytest.mark.slow
@pytest.mark.parametrize("word", WORDS)
def test_the_kernel_passes_the_tests_that_the_others_pass(model, word):
    tests = loaded(ROOT / "tests" / "identical" / "test_kernel.py")
    tests.test_any_register_content(model, word)
    tests.test_saturations(model, word)
    tests.test_settle_is_200_ms_of_the_baseline_from_rest(model, word)


@pytest.mark.slow  # a simulator is compiled
def test_its_hardware_is_bit_exact(model):
    from spikefab.hw.proofs import saturations
    from spikefab.sim.verify import require_exact, verify

    checks = verify(model(), steps=400)
    require_exact(checks)
    assert [c["saturations"] for c in checks if c["stimulus"] == "corners"] == [
        len(saturations(model().datapath.trace))
    ]


def test_a_fit_takes_it_by_name(model):
    from spikefab import fit

    current = np.zeros(4000)
    current[500:3500] = 0.45
    made = model(b=0.03)
    results = fit(voltage=made.run(current), current=current, dt=0.1, models=["AdaptiveLIF"], budget=192, seed=1)
    assert [r.model_name for r in results] == [NAME]
    assert set(results.best.params) == set(model.params())
    again = results.best.create_model()
    assert np.array_equal(again.run(current), results.best.simulated_voltage)


def test_the_command_and_the_page_know_it(model, capsys, tmp_path):
    from spikefab.cli import main

    assert main(["models", "adaptivelif", "--json", "--draw", str(tmp_path / "flow.svg")]) == 0
    (found,) = json.loads(capsys.readouterr().out)["models"]
    assert [p["name"] for p in found["free"]] == ["tau_m", "R_m", "V_th", "tau_w", "b"]
    assert (tmp_path / "flow.svg").read_text().startswith("<svg")
    make_models = loaded(ROOT / "docs" / "make_models.py")
    assert f"| [{NAME}]({NAME}.md) | {model.best_for} | 5 |" in make_models.index()
    text = make_models.page(model)
    assert "tau_w w' = -w" in text
    assert "| w | nA | adaptation current |" in text
    make_models.plot(model, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size < 60_000


BROKEN = {
    "c.k_w * s.w": ("c.k_w * s.w.word(nA)", "c.k_w * s.w"),
    "s.V + c.k_m * drive": ("s.V + (c.k_m * drive).like(s.V)", "s.V + c.k_m * drive"),
    "c.V_reset if spike else V": ("select(spike, c.V_reset, V)", "c.V_reset if spike else V"),
    "V >= c.V_th + 0.1": ("V >= c.V_th", "V >= c.V_th + 0.1"),
    "0.9 * w": ("(w + c.b)", "(0.9 * w + c.b)"),
    'no `"w"` among what is returned': ('"w": select(spike, (w + c.b).like(s.w), w),', ""),
    "no `slowest` for `w`": ("slowest=500, ", ""),
    "c.k_ww": ("c.k_w * s.w", "c.k_ww * s.w"),
    "AdaptiveLIFNeuron(tau_w=900)": ("", ""),
}


def told(row: str) -> tuple[str, str]:
    """What the page's last table says of a broken rule: the kind of error and its text."""
    (line,) = [line for line in PAGE.splitlines() if line.startswith("| ") and row in line.split(" | ")[0]]
    kind, _, text = line.strip("| ").split(" | ")[1].partition(": ")
    return kind, text.split(", from")[0]


@pytest.mark.parametrize("row", BROKEN)
def test_broken_rules_are_told_as_the_page_says(row, tmp_path):
    old, new = BROKEN[row]
    assert old in SOURCE
    kind, text = told(row)

    def used():
        neuron = written(tmp_path, SOURCE.replace(old, new, 1))(**({} if old else {"tau_w": 900}))
        return cost(neuron.datapath), neuron.values

    with pytest.raises(Exception, match=re.escape(text)) as caught:
        used()
    assert caught.type.__name__ == kind


def test_every_row_of_the_page_is_tried():
    rows = PAGE.split("| written | what you are told |\n|---|---|\n")[1].split("\n\n")[0].splitlines()
    assert len(rows) == len(BROKEN)


@pytest.mark.slow
def test_without_guard_bits_it_would_not_forget(tmp_path):
    """The page's figures: w stands still below 0.06 nA in one word, and has 12 bits below it."""
    bare = written(tmp_path, SOURCE.replace("slowest=500", "slowest=0.1"))
    for kind, forgets in ((bare, False), (written(tmp_path), True)):
        q = kind().datapath.states["w"]
        neuron = kind(initial={"V": int(kind().initial["V"]), "w": int(q.encode(0.06))})
        neuron.run(np.zeros(20_000))
        assert (neuron.state["w"] < 1e-3) == forgets
    assert q.f_bits - bare().datapath.states["w"].f_bits == 12
