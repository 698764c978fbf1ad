"""The hosts of examples/, which know nothing of spikefab, against simulated boards: every voltage and spike, to the last digit."""

import contextlib
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import serial

from spikefab import AdExNeuron, LIFNeuron
from spikefab.boards import link
from spikefab.boards.link import Control, Kind, Op
from spikefab.boards.table import get_board
from spikefab.boards.top import Setup
from spikefab.boards.twin import ReferenceTwin, RtlTwin

EXAMPLES = Path(__file__).parents[2] / "examples"
HOSTS = ("host.py", "host.c")
EACH_HOST = pytest.mark.parametrize("host", HOSTS)
SUMMARY = re.compile(r"# (\d+) steps, (\d+) spikes, the last voltage is (-?\d+\.\d{6}) mV")


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """command(host): how a host is started; the one in C is compiled, and a warning of the compiler is an error."""
    program = tmp_path_factory.mktemp("host") / "host"
    flags = ["-O2", "-std=c99", "-Wall", "-Wextra", "-Werror"]
    subprocess.run(["cc", *flags, "-o", str(program), str(EXAMPLES / "host.c")], check=True)
    started = {"host.py": [sys.executable, str(EXAMPLES / "host.py")], "host.c": [str(program)]}
    return started.__getitem__


def setup_of(neuron):
    return Setup(neuron, get_board("icebreaker"))


def output(command, *arguments):
    """What a host prints, which has to succeed."""
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=100)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def failure(command, *arguments):
    """The sentence of a host that has to fail."""
    done = subprocess.run([*command, *map(str, arguments)], capture_output=True, text=True, timeout=100)
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    return done.stderr


def expected(neuron, current, steps):
    """The same output, made of the reference, which goes on from where it is."""
    v = neuron.run(np.full(steps, current))
    fired = np.zeros(steps, dtype=int)
    fired[np.round(neuron.spikes / neuron.dt).astype(int)] = 1
    lines = [f"{step} {v[step]:.6f} {fired[step]}" for step in range(steps)]
    return "\n".join([*lines, f"# {steps} steps, {fired.sum()} spikes, the last voltage is {v[-1]:.6f} mV"]) + "\n"


def compare(command, twin, neuron, current):
    """Both hosts, one after the other on the same board: the second begins with the state in which the first one ended."""
    neuron.reset()
    with twin(setup_of(neuron)) as board:
        for host, steps in zip(HOSTS, (2500, 1300), strict=True):
            made = output(command(host), board.path, current, steps)
            assert made == expected(neuron, current, steps)
            spikes = int(SUMMARY.search(made).group(2))
            assert spikes > 3, "the stimulus has to make the neuron spike"


CASES = [(LIFNeuron, 16, 0.7123), (AdExNeuron, 18, 1.5)]


@pytest.mark.parametrize(("model", "word", "current"), CASES, ids=["LIF-16", "AdEx-18"])
def test_every_voltage_and_spike_of_the_reference_behind_the_bytes(command, model, word, current):
    compare(command, ReferenceTwin, model(word=word), current)


@pytest.mark.slow  # the top level is compiled
@pytest.mark.parametrize(("model", "word", "current"), CASES, ids=["LIF-16", "AdEx-18"])
def test_every_voltage_and_spike_of_the_top_level(command, model, word, current):
    compare(command, RtlTwin, model(word=word), current)


@EACH_HOST
def test_a_run_longer_than_the_numbers_of_its_steps(command, host):
    neuron = LIFNeuron(word=16)
    steps = 2**link.TIME_BITS + 300
    with ReferenceTwin(setup_of(neuron)) as board:
        assert output(command(host), board.path, -0.01, steps) == expected(neuron, -0.01, steps)


class LossyBoard:
    """A board on a bad line: now and then, a frame arrives damaged, and an answer not at all. Frames with records do."""

    def __init__(self, board):
        self.board, self.frames, self.answers = board, 0, 0

    def advance(self, data, room=True):
        if len(data) > 3:
            self.frames += 1
            if self.frames % 7 == 4:
                data = bytes([*data[:-2], data[-2] ^ 8, data[-1]])
        kept = b""
        for frame in self.board.advance(data, room).split(b"\0")[:-1]:
            self.answers += link.from_board(frame)[0] & 3 != Kind.RECORDS
            if self.answers % 5 != 2 or link.from_board(frame)[0] & 3 == Kind.RECORDS:
                kept += frame + b"\0"
        return kept


@EACH_HOST
def test_frames_that_are_lost_are_repeated_and_carried_out_once(command, host):
    neuron = LIFNeuron(word=16)
    with ReferenceTwin(setup_of(neuron)) as board:
        board._model = lossy = LossyBoard(board._model)
        assert output(command(host), board.path, 0.8, 1500) == expected(neuron, 0.8, 1500)
    assert lossy.frames > 14 and lossy.answers > 10


def left_running(path, layout, setting):
    """What a host leaves that is ended in the middle of its stimulus."""
    with serial.Serial(path, 1_000_000) as line:
        for number, what, payload in (
            (0, Op.IDENTIFY, b"\0"),
            (0, Op.PLAY, layout.entry(1000, 256) * 19),
            (1, Op.CONTROL, setting.to_bytes(layout.code_bytes, "little")),
        ):
            line.write(link.to_board(bytes([number << 6 | what]) + payload))
        line.flush()


@EACH_HOST
@pytest.mark.parametrize(
    ("twin", "setting"),
    [(ReferenceTwin, Control.RUN), pytest.param(RtlTwin, Control.RUN | Control.LOOP, marks=pytest.mark.slow)],
    ids=["reference", "top level, in a loop"],
)
def test_a_neuron_that_an_earlier_host_left_running_is_stopped(command, host, twin, setting):
    setup = setup_of(LIFNeuron(word=16))
    with twin(setup) as board:
        left_running(board.path, setup.layout, setting)
        lines = output(command(host), board.path, 0.0, 300).splitlines()
        assert [line.split()[0] for line in lines[:-1]] == [str(step) for step in range(300)]


@EACH_HOST
def test_nothing_answers(command, host):
    ours, theirs = os.openpty()
    try:
        assert "the board does not answer" in failure(command(host), os.ttyname(theirs), 0.3, 10)
    finally:
        os.close(ours)
        os.close(theirs)


@EACH_HOST
def test_what_cannot_be_done_is_said_in_a_sentence(command, host):
    assert "usage: " in failure(command(host))
    assert "usage: " in failure(command(host), "/dev/null", "much", 10)
    assert "/dev/none cannot be opened" in failure(command(host), "/dev/none", 0.3, 10)
    with ReferenceTwin(setup_of(LIFNeuron(word=16))) as board:
        for current in ("4", "-4.01", "nan", "inf", "1e300"):
            assert "nA is beyond the range of the input, 4 nA." in failure(command(host), board.path, current, 10)
        with contextlib.closing(serial.Serial(board.path, 1_000_000, exclusive=True)):
            assert "cannot be opened" in failure(command(host), board.path, 0.3, 10)


@EACH_HOST
def test_currents_are_rounded_as_everywhere(command, host):
    neuron = LIFNeuron(word=16)
    lsb = neuron.datapath.current.lsb
    with ReferenceTwin(setup_of(neuron)) as board:
        for current in (1000.5 * lsb, -1000.5 * lsb, -4.0, 4 - lsb, 2 / 3, -2 / 3):
            assert output(command(host), board.path, current, 20) == expected(neuron, current, 20)
