"""RTL == reference, at every step, on every state, read-out and spike.

Here each model at one word in Verilator and, if it is small, at another in Icarus; all models, words and simulators over
20,000 steps are `benchmarks/accept_verify.py`.
"""

from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import ToolError, UsageError
from spikefab.hw.datapath import WORDS
from spikefab.hw.models import MODELS, GLIFNeuron, HodgkinHuxleyNeuron, LIFNeuron, ResonateAndFireNeuron
from spikefab.hw.proofs import saturations
from spikefab.sim import corners, coverage
from spikefab.sim import rtl_simulation as simulate
from spikefab.sim.stimuli import stimuli
from spikefab.sim.verify import require_exact, verify

OWN = ("noise", "steps", "square", "recorded")


SMALL = 55  # operations: Icarus takes long for more

SLICE = [("verilator", kind, WORDS[k % 3]) for k, kind in enumerate(MODELS.values())] + [
    ("icarus", kind, WORDS[(k + 1) % 3])
    for k, kind in enumerate(MODELS.values())
    if len(kind().datapath.trace.nodes) < SMALL
]
SLICE.append(("verilator", HodgkinHuxleyNeuron.variant(kinetics="traub-miles", m_current=True), 18))
SLICE += [
    ("verilator", GLIFNeuron.variant(**GLIFNeuron.LEVELS[5]), 18),
    ("verilator", GLIFNeuron.variant(voltage_reset="rest", after_spike_currents="two"), 16),
]


@pytest.mark.parametrize(
    ("simulator", "kind", "bits"), SLICE, indirect=["simulator"], ids=lambda x: getattr(x, "__name__", None)
)
def test_bit_exact(simulator, kind, bits):
    neuron = kind(word=bits)
    checks = verify(neuron, simulator=simulator, steps=1000)
    require_exact(checks)
    assert {c["stimulus"] for c in checks} == {*OWN, "random", "corners", "stalled"}
    assert sum(c["steps"] for c in checks) >= 1000
    assert sum(c["spikes"] for c in checks if c["stimulus"] in OWN) >= 50
    # the corners alone reach every saturation that the interval analysis does not rule out
    assert [c["saturations"] for c in checks if c["stimulus"] == "corners"] == [len(saturations(neuron.datapath.trace))]


@pytest.mark.slow  # another simulator is compiled
def test_another_time_step_span_and_state():
    neuron = LIFNeuron(word=16, dt=0.05, i_span=1.0, tau_m=12.0, initial={"V": -1234567, "hold": 3})
    require_exact(verify(neuron, steps=500, seed=7, current=np.sin(np.arange(300) / 20)))


def test_what_search_finds(kind):
    """Every goal is reached. What is reached and never shows: a saturation whose result no output depends on, a slope
    that is only ever read at the very start of its entry, equality of two numbers of which the larger one is chosen."""
    dp = kind(word=16).datapath
    found = corners.search(dp, np.random.default_rng(0))
    assert not found.missed
    nodes, users = dp.trace.nodes, dp.trace.users()

    def of_larger(goal) -> bool:
        pair = {*nodes[goal.node].args}
        return goal.what == "equal" and all({*nodes[user].args[1:]} == pair for user in users[goal.node])

    hidden = [goal.what for goal in found.hidden if not of_larger(goal)]
    assert {*hidden} <= {"saturate", "read"}
    assert len(hidden) <= 2
    goals = coverage.goals(dp)
    assert coverage.reached(dp, found.states, found.coefficients, found.current, goals) == set(goals)


@pytest.mark.parametrize("kind", [LIFNeuron, ResonateAndFireNeuron], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("steps", [20_000, 20_001, 20_049, 100_003])
def test_the_steps_are_as_many_as_were_asked(kind, steps):
    found, missed = stimuli(kind(), steps)
    assert sum(s.steps for s in found) == steps and not missed


def test_few_steps_become_more_until_there_are_spikes():
    found, missed = stimuli(LIFNeuron(), 100)
    assert sum(s.steps for s in found) > 100 and not missed


@pytest.mark.parametrize("kind", [LIFNeuron, ResonateAndFireNeuron], ids=lambda kind: kind.__name__)
def test_same_seed_same_stimuli(kind):
    first, second = (stimuli(kind(), 400, seed=5)[0] for _ in range(2))
    for a, b in zip(first, second, strict=True):
        for field in ("states", "coefficients", "current"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))
    assert any((a.current != b.current).any() for a, b in zip(first, stimuli(kind(), 400, seed=6)[0], strict=True)
               if a.current.shape == b.current.shape)  # fmt: skip


@pytest.mark.slow  # Verilator's library is compiled
def test_a_build_is_reused_and_nothing_is_left_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    """Not even where make and a shell would take the path of the folder apart, or those of Verilator and cocotb."""
    monkeypatch.setattr(simulate, "is_plain", lambda path: False)
    name = 'bui ld\'s "µ" $x'
    builds, said = tmp_path / name, []
    for _ in range(2):
        require_exact(verify(LIFNeuron(), steps=300, build_dir=builds, progress=said.append))
    assert sum("compiling" in text for text in said) == 1
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert sorted(path.name.split("-")[0] for path in builds.iterdir()) == ["library", "verilator"]


def test_a_build_that_breaks_says_where_its_log_is(tmp_path, monkeypatch):
    monkeypatch.setattr(simulate, "rtlil_to_verilog", lambda rtlil: "module dut(; endmodule")
    with pytest.raises(ToolError, match=r"verilator could not compile the design: see .*\.log") as caught:
        simulate.build("broken", "verilator", folder=tmp_path)
    log = Path(str(caught.value).split("see ")[1].rstrip("."))
    assert "syntax error" in log.read_text()
    assert list(tmp_path.iterdir()) == [log]


def test_unknown_simulator():
    with pytest.raises(UsageError, match="there is no simulator 'modelsim': there are verilator, icarus"):
        verify(LIFNeuron(), steps=300, simulator="modelsim")
