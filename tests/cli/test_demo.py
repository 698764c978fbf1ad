"""The demo: its recording is the same everywhere, and its story is told to the end."""

import ast
import inspect

import numpy as np
import pytest

from spikefab import demo
from spikefab.sim import continuous


@pytest.mark.slow
def test_the_recording_is_deterministic_and_a_neuron(tmp_path, spikefab):
    text = demo.recording_csv()
    assert text == demo.recording_csv()
    (tmp_path / "a.csv").write_text(text)
    content = spikefab("info", tmp_path / "a.csv", "--json").json
    counts = [s["spikes"] for s in content["sweeps"]]
    assert counts[:2] == [0, 0]
    assert counts == sorted(counts)
    assert counts[-1] >= 20
    assert content["notes"] == content["warnings"] == []
    features = spikefab("features", tmp_path / "a.csv", "--json").json["features"]
    assert features["adaptation_ratio"] > 1.5


def test_the_rest_of_the_equations_is_their_rest():
    _, voltage, _ = demo.hodgkin_huxley(0.0)
    assert np.ptp(voltage) < 0.01


def test_no_model_of_spikefab_makes_the_recording():
    """But the published equations, typed for themselves."""

    def modules(source):
        found = set()
        for node in ast.walk(ast.parse(inspect.getsource(source))):
            if isinstance(node, ast.ImportFrom):
                found |= {
                    f"{node.module}.{a.name}" if node.module == "spikefab.sim" else node.module for a in node.names
                }
            elif isinstance(node, ast.Import):
                found |= {a.name for a in node.names}
        return found

    for source in (demo.hodgkin_huxley, demo.recording_csv):
        assert modules(source) <= {"numpy", "scipy.integrate", "spikefab.sim.continuous"}
    assert modules(continuous) <= {"collections.abc", "math", "typing", "numpy"}


@pytest.mark.slow
@pytest.mark.parametrize("own", [False, True])
def test_the_story(spikefab, tmp_path, monkeypatch, own, recording, build_report):
    """All of it but simulator and place and route, which have tests of their own."""
    from spikefab.boards import build
    from spikefab.sim import verify

    def checks(neuron, **options):
        head = {"model": type(neuron).__name__, "word": 16, "level": "rtl", "simulator": "verilator"}
        return [head | {"stimulus": "noise", "steps": 20_000, "spikes": 60, "saturations": 3, "mismatches": 0}]

    def report(neuron, board, out, **options):
        return build_report(board, type(neuron).__name__, 16, out)

    monkeypatch.setattr(verify, "verify", checks)
    monkeypatch.setattr(build, "build", report)
    monkeypatch.setattr(demo, "BUDGET", 64)
    monkeypatch.chdir(tmp_path)
    ran = spikefab("demo", *([recording] if own else []), "--out", "out")
    assert ran.code == 0
    for part in ("ranked on held-out data", "bit-exact over 20,000 steps", "from timing, not from a board", "Written"):
        assert part in ran.out
    made = {"result.json", "timings.json", "traces.npz", "ranking.png", "best.png", "report.html"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == made | (set() if own else {"recording.csv"})
    assert [p.name for p in tmp_path.iterdir()] == ["out"]
    if own:
        content = spikefab("demo", recording, "--out", "out", "--json").json
        assert {"recording", "fit", "verify", "build", "files", "seconds"} == set(content)
        assert content["fit"]["settings"]["word"] == 16


def test_a_doubtful_recording(spikefab, tmp_path, monkeypatch, cell, csv):
    asked = []

    def run_fit(screen, recording, options):
        asked.append(options.anyway)
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "run_fit", run_fit)
    (tmp_path / "volts.csv").write_text(csv([(v / 1000, i) for v, i in (cell(a, seed=3) for a in (0.1, 0.26, 0.3))]))
    ran = spikefab("demo", tmp_path / "volts.csv", "--out", tmp_path / "out")
    assert ran.code == 4 and ran.sentence.endswith("; --anyway fits it all the same.") and not asked
    assert spikefab("demo", tmp_path / "volts.csv", "--out", tmp_path / "out", "--anyway").code == 130
    assert asked == [True]
