"""The host's side of the link, against the reference behind the same bytes and a line that loses, changes and adds bytes."""

import itertools
import random
import time
from contextlib import ExitStack

import numpy as np
import pytest

from spikefab.boards import playing
from spikefab.boards.connection import Connection
from spikefab.boards.identity import identity
from spikefab.boards.link import DECIMATIONS, Flag, Layout, Op, decimated, from_host
from spikefab.boards.playing import Board, Recorder, run_lengths
from spikefab.boards.reference_board import ReferenceBoard
from spikefab.boards.session import connect
from spikefab.boards.table import BOARDS
from spikefab.boards.top import Setup
from spikefab.boards.twin import ReferenceTwin, RtlTwin
from spikefab.errors import BoardError, UsageError
from spikefab.hw.models import MODELS, AdExNeuron, LIFNeuron

LIF = LIFNeuron(word=16)


class Wire:
    """A line to a reference board in this process. `harm(data, towards_board)` gives the bytes that arrive.

    The board's clock moves by `pace` s at each look: what a loaded machine does in between is not the test's.
    """

    def __init__(self, neuron, harm=lambda data, towards_board: data, pace=5e-4):
        self.board = ReferenceBoard(Setup(neuron, BOARDS["icebreaker"]), itertools.count(0, pace).__next__)
        self.harm, self.back = harm, b""

    def write(self, data):
        self.back += self.harm(self.board.advance(self.harm(data, True)), False)

    def read(self):
        data, self.back = self.back, self.harm(self.board.advance(b""), False)
        return data


def over(wire, neuron=LIF):
    connection = Connection(wire)
    return Board(neuron, connection, connection.identify(), "the wire", ExitStack())


def waves(steps, seed=0):
    """A current that holds, jumps, rises and is noisy, and makes the neuron fire."""
    rng = np.random.default_rng(seed)
    parts = [np.full(700, 0.6), rng.normal(0.4, 0.5, 300), np.linspace(0, 1.5, 500), np.zeros(300)]
    return np.resize(np.concatenate(parts), steps).clip(-3, 3)


@pytest.fixture(autouse=True)
def _hurried(monkeypatch):
    """A wire that answers at once needs no patience."""
    for name, seconds in (("REPEAT", 0.02), ("SILENCE", 1.0), ("POLL", 0.003)):
        monkeypatch.setattr(f"spikefab.boards.connection.{name}", seconds)
    monkeypatch.setattr(playing, "POLL", 0.003)


@pytest.mark.parametrize("free", [False, True], ids=["lockstep", "free-run"])
@pytest.mark.parametrize("every", DECIMATIONS)
def test_what_comes_is_what_the_reference_computes(free, every):
    current = waves(3000)
    with over(Wire(LIF)) as board:
        done = board.run(current, free=free, every=every, noise_bits=9, seed=every + 1)
    assert (done.mismatches, done.steps, done.repeats) == (0, 3000, 0)
    assert len(done.spikes) > 20
    assert len(done.voltage) == len(set(range(0, 3000, every)) | set(np.round(done.spikes / 0.1).astype(int)))


@pytest.mark.parametrize("seed", range(6))
def test_damage_on_the_way_costs_time_and_nothing_else(seed):
    """Bytes towards the board are lost, changed and added; the run still is exact, for frames are repeated in order."""
    rng = random.Random(seed)

    def harm(data, towards_board):
        if not towards_board or rng.random() > 0.1 or not data:
            return data
        k = rng.randrange(len(data))
        return rng.choice(
            (data[:k] + data[k + 1 :], data[:k] + bytes([rng.randrange(256)]) + data[k + 1 :], b"", data[:k] + data, b"\0" + data)
        )  # fmt: skip

    with over(Wire(LIF, harm)) as board:
        done = board.run(waves(2000, seed))
    assert (done.mismatches, done.repeats) == (0, 0)


@pytest.mark.parametrize("kind", ["lost", "changed", "frame lost"])
def test_what_the_board_sent_and_was_lost_makes_the_run_begin_anew(kind):
    sent = [0]

    def harm(data, towards_board):
        if towards_board or not data:
            return data
        before, sent[0] = sent[0], sent[0] + len(data)
        if not before <= 9000 < sent[0]:
            return data
        frames = data.split(b"\0")
        whole = max(range(len(frames)), key=lambda k: len(frames[k]))
        if kind == "frame lost":
            del frames[whole]
        elif kind == "lost":
            frames[whole] = frames[whole][1:]
        else:
            frames[whole] = bytes([frames[whole][0] ^ 4 or 1]) + frames[whole][1:]
        return b"\0".join(frames)

    seen = []
    with over(Wire(LIF, harm)) as board:
        done = board.run(waves(3000), watch=lambda steps, v, fired: seen.extend(steps))
    assert (done.mismatches, done.repeats) == (0, 1)
    assert seen.count(0) == 2, "who watches sees that it begins anew"


def test_a_line_that_always_loses_is_a_sentence():
    rng = random.Random(0)

    def harm(data, towards_board):
        return data if towards_board or rng.random() > 0.3 else data[:-1]

    with (
        pytest.raises(BoardError, match=r"lost data in each of 3 runs|identity is damaged"),
        over(Wire(LIF, harm)) as board,
    ):
        board.run(waves(3000))


def test_silence_and_noise_on_the_line_are_sentences():
    class Silent(Wire):
        def read(self):
            return b""

    class Echo(Wire):
        """A swapped cable may give back what it gets."""

        def write(self, data):
            self.back += data

        def read(self):
            data, self.back = self.back, b""
            return data

    with pytest.raises(BoardError, match="does not answer: is it the right port"):
        over(Silent(LIF))
    with pytest.raises(BoardError, match="not in frames of spikefab"):
        over(Echo(LIF))


@pytest.mark.slow  # a simulator is compiled for it
def test_another_baud_is_a_sentence():
    neuron = LIFNeuron(word=16)
    wrong = pytest.raises(BoardError, match=r"not in frames of spikefab|does not answer")
    with RtlTwin(Setup(neuron, BOARDS["icebreaker"]), host_baud=500_000) as twin, wrong:
        connect(twin.path, neuron)


@pytest.mark.parametrize(
    ("held", "words"),
    [
        (AdExNeuron(word=16), "AdExNeuron at word 16, with model AdExNeuron and not LIFNeuron"),
        (LIFNeuron(word=18), "LIFNeuron at word 18, with word 18 and not 16"),
        (LIFNeuron(word=16, dt=0.05), "with time step 0.05 and not 0.1"),
        (LIFNeuron(word=16, i_span=1.0), r"with a current of ±1 nA and not ±4 nA"),
    ],
)
def test_another_bitstream_is_refused(held, words):
    with ReferenceTwin(Setup(held, BOARDS["icebreaker"])) as twin, pytest.raises(BoardError, match=words):
        connect(twin.path, LIF)


def test_other_equations_in_the_same_formats_have_another_hash():
    """Identities differ between all models and settings, and a changed table of the same size is noticed by the hash."""
    layout = Layout(32, 16, 16, 512)
    every = [model.variant(**chosen) for model in MODELS.values() for chosen in model.tried]
    hashes = [identity(m(word=16).datapath, layout, "icebreaker", 12e6, 1200)["hash"] for m in every]
    assert len(set(hashes)) == len(hashes)


def test_a_new_fit_needs_no_new_bitstream():
    """Only formats and equations are compared: the parameters are written."""
    fitted = LIFNeuron(word=16, tau_m=31.0, V_th=-48.0)
    with over(Wire(LIF), fitted) as board:
        done = board.run(waves(1500))
    voltage, spikes = done
    fitted.run(waves(1500))
    assert (done.mismatches, len(voltage)) == (0, 1500)
    assert np.array_equal(spikes, fitted.spikes)


def test_a_register_that_is_written_while_it_runs_counts():
    with over(Wire(LIF)) as board:
        low = LIF.datapath.coefficients["V_th"].lo

        def watch(steps, v, fired):
            if steps[0] < 1000 <= steps[-1]:
                board.write("V_th", low)

        done = board.run(waves(3000), watch=watch)
        assert done.mismatches, "the reference did not know of it"
        with pytest.raises(UsageError, match="no register 'V_thh'"):
            board.write("V_thh", 0)


def test_what_cannot_be_run_is_said_before_anything_is_sent():
    wire = Wire(LIF)
    with over(wire) as board:
        wire.board.advance = lambda data: pytest.fail("bytes were sent")
        for current, options, words in (
            ([5.0], {}, "outside the input's span"),
            ([np.nan], {}, "not a number at sample 0"),
            ([], {}, r"must be \(T,\) nA"),
            ([0.0], {"every": 3}, "every = 3 is not one of"),
            ([0.0], {"noise_bits": 17}, "noise of 17 bits"),
            ([0.0], {"noise_bits": 4, "seed": 0}, "seed is a whole number of 1 or more, not 0"),
            ([3.9] * 50, {"noise_bits": 16}, "current and noise together"),
        ):
            with pytest.raises(UsageError, match=words):
                board.run(current, **options)


def test_free_run_that_does_not_keep_up_is_a_sentence(monkeypatch):
    monkeypatch.setattr("spikefab.boards.reference_board.GRAIN", 5000.0)  # ms: more than the memory holds, at once
    with over(Wire(LIF, pace=10)) as board, pytest.raises(BoardError, match="the stimulus had a gap"):
        board.run(np.random.default_rng(0).normal(0, 1, 4000), free=True)


@pytest.mark.parametrize(
    ("flag", "words"),
    [(Flag.LOST, "too slow for so many samples"), (Flag.LATE, "longer than dt"), (Flag.CLIPPED, "beyond the range")],
)
def test_what_a_board_says_of_itself_is_a_sentence(flag, words, monkeypatch):
    with over(Wire(LIF)) as board:
        send = ReferenceBoard._send

        def flagged(self, kind, payload):
            self.flags |= flag
            return send(self, kind, payload)

        monkeypatch.setattr(ReferenceBoard, "_send", flagged)
        with pytest.raises(BoardError, match=words):
            board.run(waves(2000), free=True)


def test_a_gap_before_the_last_entries_is_a_sentence_too(monkeypatch):
    """The last frame of stimulus is lost once: when it comes again, the board has waited for it."""
    monkeypatch.setattr("spikefab.boards.connection.REPEAT", 0.5)
    current = np.random.default_rng(0).normal(0, 1, 600)
    entries = len(list(run_lengths(LIF.simulation.input_codes(current)))) + 4  # four more tell when the last was played
    left = [-(-entries // 19)]  # frames of 19 entries

    def harm(data, towards_board):
        if towards_board and (body := from_host(data[:-1])) and body[0] & 63 == Op.PLAY:
            left[0] -= 1
            return b"" if left[0] == 0 else data
        return data

    with over(Wire(LIF, harm, pace=4e-3)) as board, pytest.raises(BoardError, match="the stimulus had a gap"):
        board.run(current, free=True)


@pytest.mark.parametrize("fault", ["wrong", "missing", "too many"])
def test_a_sample_that_is_wrong_or_missing_or_should_not_be_there_is_counted(fault, monkeypatch):
    packed, records = Layout.packed, ReferenceBoard._records
    if fault == "wrong":
        monkeypatch.setattr(Layout, "packed", lambda self, step, spike, v: packed(self, step, spike, v + (step == 400)))
    else:

        def faulty(self, v, spikes):
            before, self.control = self.control, decimated(256 if fault == "missing" else 1)
            out = records(self, v, spikes)
            self.control = before
            return out

        monkeypatch.setattr(ReferenceBoard, "_records", faulty)
    with over(Wire(LIF)) as board:
        wrong = board.run(waves(1000), every=4).mismatches
    assert wrong == 1 if fault == "wrong" else wrong > 200


def test_an_answer_that_is_slower_than_the_question_is_repeated_is_not_taken_for_the_next():
    class Slow(Wire):
        """What the board sends arrives .05 s later; the host asks again after .02."""

        def __init__(self, neuron):
            super().__init__(neuron)
            self.coming = []

        def write(self, data):
            self.coming.append((time.monotonic() + 0.05, self.board.advance(data)))

        def read(self):
            due = [data for at, data in self.coming if at <= time.monotonic()]
            del self.coming[: len(due)]
            return b"".join(due)

    assert over(Slow(LIF)).identity == Setup(LIF, BOARDS["icebreaker"]).identity


def test_a_board_that_refuses_for_ever_is_a_sentence(monkeypatch):
    with over(Wire(LIF)) as board:
        monkeypatch.setattr(ReferenceBoard, "_carry_out", lambda self, what, payload: False)
        with pytest.raises(BoardError, match="refuses what it is told"):
            board.run(waves(2000))


def test_run_lengths_and_full_numbers_of_steps():
    codes = np.repeat([5, 5, -3, 7], [300, 1, 2, 257])
    entries = list(run_lengths(codes))
    assert entries == [(5, 256), (5, 45), (-3, 2), (7, 256), (7, 1)]
    assert np.array_equal(np.concatenate([np.full(n, code) for code, n in entries]), codes)
    layout = Layout(32, 16, 16, 512)
    recorder = Recorder(layout, LIF.datapath, None)
    steps = [0, 1, 32767, 32768, 65535, 65536, 98304, 131072, 131073]
    recorder.take(b"".join(layout.packed(step, False, -1) for step in steps))
    assert recorder.steps == steps
