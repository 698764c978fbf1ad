"""The host's side of a population: loaded over the link, run, and compared, against the reference and the gateware."""

import itertools
import re
from contextlib import ExitStack

import numpy as np
import pytest

from spikefab.boards import playing
from spikefab.boards.connection import Connection
from spikefab.boards.link import DECIMATIONS, Flag
from spikefab.boards.population import Crowd
from spikefab.boards.population_board import EventRecorder, PopulationBoard
from spikefab.boards.reference_population import ReferencePopulation, simulated_together
from spikefab.boards.session import connect
from spikefab.boards.table import BOARDS
from spikefab.boards.top import Setup
from spikefab.errors import BoardError, UsageError
from spikefab.hw.models import AdExNeuron, LIFNeuron
from spikefab.sim import reference

LIF = LIFNeuron(word=16)
CROWD = Crowd(37, per_neuron=("V_th", "R_m"))


class Wire:
    """A line to a reference board in this process."""

    def __init__(self, crowd=CROWD, neuron=LIF, harm=lambda data: data):
        setup = Setup(neuron, BOARDS["icebreaker"], crowd=crowd)
        self.board = ReferencePopulation(setup, itertools.count(0, 5e-4).__next__)
        self.harm, self.back = harm, b""

    def write(self, data):
        self.back += self.harm(self.board.advance(data))

    def read(self):
        data, self.back = self.back, self.harm(self.board.advance(b""))
        return data


def over(wire, neuron=LIF):
    connection = Connection(wire)
    return PopulationBoard(neuron, connection, connection.identify(), "the wire", ExitStack())


@pytest.fixture(autouse=True)
def _hurried(monkeypatch, request):
    """A wire that answers at once needs no patience; a simulation does."""
    if "verilator" in request.node.name:
        return
    for name, seconds in (("REPEAT", 0.02), ("SILENCE", 1.0), ("POLL", 0.003)):
        monkeypatch.setattr(f"spikefab.boards.connection.{name}", seconds)
    monkeypatch.setattr(playing, "POLL", 0.003)


def different(count, seed=0):
    """Neurons that differ in thresholds, resistances and initial voltages; one in three is the usual one."""
    rng = np.random.default_rng(seed)
    found = []
    for n in range(count):
        if n % 3 == 0:
            found.append(LIFNeuron(word=16))
            continue
        made = LIFNeuron(word=16, V_th=float(rng.uniform(-62, -50)), R_m=float(rng.uniform(60, 200)))
        found.append(made)
    return found


def waves(steps):
    rng = np.random.default_rng(3)
    parts = [np.full(200, 0.5), rng.normal(0.3, 0.3, 100), np.linspace(0, 1.0, 200), np.zeros(50)]
    return np.resize(np.concatenate(parts), steps)


def expected(neurons, current):
    """The spikes (K, 2) of neurons, each run alone."""
    found = []
    for n, one in enumerate(neurons):
        one.reset()
        one.run(current)
        found += [(round(t / one.dt), n) for t in one.spikes]
    return np.array(sorted(found))


@pytest.mark.parametrize("free", [False, True], ids=["lockstep", "free-run"])
@pytest.mark.parametrize("every", DECIMATIONS)
def test_each_neuron_does_what_it_does_alone(free, every):
    neurons, current, seen = different(CROWD.neurons), waves(1200), []
    with over(Wire()) as board:
        board.load(neurons)
        watch = lambda steps, v, fired: seen.extend(steps[fired])  # noqa: E731
        done = board.run(current, free=free, every=every, shown=5, watch=watch)
    due = [step for step, n in expected(neurons, current) if n == 5 and step % every == 0]
    assert [step for step in seen if step < 1200] == due and (due or every > 16)
    assert (done.mismatches, done.steps, done.repeats) == (0, 1200, 0)
    assert np.array_equal(np.column_stack([np.round(done.spikes / 0.1), done.neurons]), expected(neurons, current))
    assert len({*done.neurons.tolist()}) == CROWD.neurons
    neurons[5].reset()
    assert np.array_equal(done.voltage, np.asarray(neurons[5].run(current))[::every])


def test_it_runs_again_from_the_beginning():
    neurons, current = different(CROWD.neurons, 1), waves(300)
    with over(Wire()) as board:
        first = board.run(current)
        board.load(neurons)
        second, third = board.run(current), board.run(current, shown=35)
        board.load([LIF] * CROWD.neurons)
        last = board.run(current)
    assert [done.mismatches for done in (first, second, third, last)] == [0, 0, 0, 0]
    assert np.array_equal(second.spikes, third.spikes) and not np.array_equal(second.voltage, third.voltage)
    assert np.array_equal(first.spikes, last.spikes) and np.array_equal(first.neurons, last.neurons)
    assert len(second.spikes) != len(first.spikes)


@pytest.mark.parametrize("what", ["event gone", "event twice", "another neuron", "another step", "voltage"])
def test_what_is_wrong_is_counted(monkeypatch, what):
    take = EventRecorder.take

    def wrong(self, data):
        take(self, data)
        if len(self.events) <= 3 or getattr(self, "did", False):
            return
        self.did = True
        if what == "voltage":
            self.v[7] ^= 1
        else:
            step, neuron = self.events[2]
            self.events[2:3] = {
                "event gone": [],
                "event twice": [(step, neuron)] * 2,
                "another neuron": [(step, (neuron + 1) % 37)] if (step, (neuron + 1) % 37) not in self.events else [],
                "another step": [(step + 1, neuron)],
            }[what]

    monkeypatch.setattr(EventRecorder, "take", wrong)
    with over(Wire()) as board:
        board.load(different(CROWD.neurons))
        done = board.run(waves(400))
    assert done.mismatches > 0


def test_what_the_line_loses_makes_the_run_begin_anew():
    lost = []

    def harm(data):
        if len(data) < 200 or lost:  # only frames with records are so long together
            return data
        lost.append(data[60])
        return data[:60] + data[61:]

    with over(Wire(harm=harm)) as board:
        board.load(different(CROWD.neurons))
        done = board.run(waves(600))
    assert (done.mismatches, done.repeats, len(lost)) == (0, 1, 1)


def test_a_step_number_beyond_the_record_s_bits():
    """A spike each hundred steps or so, no sample but one in 2**15 steps, over more steps than a record can count."""
    current = np.zeros(70_000)
    current[40_000:40_100] = current[69_000:] = 0.8
    with over(Wire(Crowd(3))) as board:
        done = board.run(current, every=DECIMATIONS[-1])
    assert done.mismatches == 0 and done.times.tolist() == [0, 3276.8, 6553.6]
    assert 4000 < done.spikes[0] < 4010 < 6900 < done.spikes[-1]


def test_many_neurons_are_simulated_as_each_alone(monkeypatch):
    from spikefab.boards import reference_population

    rng, dp = np.random.default_rng(2), LIF.datapath
    states = np.stack([rng.integers(q.lo, q.hi + 1, 50) for q in dp.states.values()], axis=-1)
    codes = np.stack([rng.integers(q.lo, q.hi + 1, 50) for q in dp.coefficients.values()], axis=-1)
    current = rng.integers(dp.current.lo, dp.current.hi + 1, 300)
    monkeypatch.setattr(reference_population, "TOGETHER", 300 * 8)
    events, ends = simulated_together(dp, codes, states, current)
    _, spikes, path = reference.run(dp, states, codes, np.broadcast_to(current[:, None], (300, 50)))
    assert np.array_equal(events, np.argwhere(spikes)) and len(events)
    assert np.array_equal(ends, path[-1])


SLOW = [pytest.param(*k, marks=pytest.mark.slow) for k in (("icebreaker", Crowd(12, 3)), ("ulx3s-25f", Crowd(2600)))]


# the last one needs a PLL: its neurons and its link have two clocks, which are one in Verilator
@pytest.mark.parametrize(
    ("where", "crowd"),
    [
        ("icebreaker", CROWD),
        *SLOW,
    ],
    ids=str,
)
def test_the_top_level_in_verilator(where, crowd):
    neurons, current = different(crowd.neurons) if crowd.per_neuron else [LIF] * crowd.neurons, waves(400)
    assert Setup(LIF, BOARDS[where], crowd=crowd).crosses == (crowd.neurons == 2600)
    with connect("sim", LIF, board=where, crowd=crowd) as board:
        board.load(neurons)
        done = board.run(current, shown=crowd.neurons - 1)
        again = board.run(current[::-1], every=16)
    assert (done.mismatches, again.mismatches, done.repeats) == (0, 0, 0)
    assert np.array_equal(np.column_stack([np.round(done.spikes / 0.1), done.neurons]), expected(neurons, current))


def test_mistakes_are_sentences():
    with over(Wire()) as board:
        for given, words in (
            ([LIF] * 3, "holds 37 neurons: 3 cannot be loaded"),
            ([LIF] * 36 + [AdExNeuron(word=16)], "neuron 36 is another model than LIFNeuron"),
            ([LIF] * 36 + [LIFNeuron(word=18)], "neuron 36 is another model than LIFNeuron, or has other formats"),
            ([LIF] * 36 + [LIFNeuron(word=16, tau_m=3.0)], "another k_m than neuron 0.*--per-neuron V_th,R_m,k_m"),
        ):
            with pytest.raises(UsageError, match=words):
                board.load(given)
        for shown in (-1, 37, 1.5):
            with pytest.raises(UsageError, match=r"no neuron|whole number"):
                board.run(np.zeros(5), shown=shown)
        board.write("n_ref", 3)
        with pytest.raises(UsageError, match="no register"):
            board.write("nothing", 3)


@pytest.mark.parametrize("flag", [Flag.LOST, Flag.LATE])
def test_a_board_that_does_not_keep_up_is_a_sentence(flag):
    wire = Wire()
    with over(wire) as board:
        steps = wire.board._steps

        def flagged():
            wire.board.flags |= flag
            return steps()

        wire.board._steps = flagged
        with pytest.raises(BoardError, match=r"too slow|longer than dt"):
            board.run(waves(300), free=True)


def test_a_long_loading_is_told(monkeypatch):
    said = []
    with over(Wire()) as board:
        board.progress = said.append
        board.load(different(37))
        board.run(waves(3))
        assert not said
        monkeypatch.setattr("spikefab.boards.population_board.SAID", 3)
        board.run(waves(3))
    [sentence] = said
    assert re.fullmatch(r"writing \d+ registers of \d+ neurons", sentence)
