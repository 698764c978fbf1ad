"""The commands for a board: run, twin and flash, against simulated boards."""

import csv
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from spikefab.boards.runs import noise_bits
from spikefab.boards.table import BOARDS
from spikefab.hw.models import LIFNeuron
from spikefab.on_board import LEVELS, Strip, read_current

KEYS = "mode port simulated board model word dt steps samples spikes spike_times mismatches seconds repeats files"


@pytest.mark.parametrize("port", ["sim", "sim:reference"])
def test_run_is_bit_exact_and_writes_what_came(spikefab, tmp_path, port):
    out = tmp_path / "out"
    ran = spikefab("run", "lif", "--word", 16, "--port", port, "--step", 0.7, "--seconds", 0.2, "--out", out, "--json")
    assert ran.code == 0, ran.err
    assert list(ran.json) == KEYS.split()
    assert (ran.json["mode"], ran.json["port"], ran.json["simulated"]) == ("lockstep", port, True)
    assert (ran.json["steps"], ran.json["samples"], ran.json["mismatches"]) == (2000, 2000, 0)

    neuron = LIFNeuron(word=16)
    current = np.r_[np.zeros(200), np.full(1800, 0.7)]
    voltage = neuron.run(current)
    assert ran.json["spikes"] == len(neuron.spikes) > 5
    assert np.allclose(ran.json["spike_times"], neuron.spikes, rtol=0, atol=1e-9)
    with (out / "run.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [float(row["voltage_mV"]) for row in rows] == list(voltage)
    assert [float(row["current_nA"]) for row in rows] == list(current)
    assert sum(int(row["spike"]) for row in rows) == len(neuron.spikes)
    with np.load(out / "run.npz") as kept:
        assert np.array_equal(kept["voltage"], voltage)
        assert np.array_equal(kept["step"], np.arange(2000))


def table(path, *lines):
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


SEVERAL = ("run", "lif", "--word", 16, "--port", "sim:reference", "--neurons", 3, "--per-neuron", "V_th,E_L")


def test_a_population_is_loaded_and_run(spikefab, tmp_path):
    file = table(tmp_path / "neurons.csv", "V_th,E_L", "-52, -68", "-50,-70", "", "-55,-65")
    asked = (*SEVERAL, "--load", file, "--shown", 2, "--step", 0.4, "--seconds", 0.2, "--out", tmp_path / "out")
    ran = spikefab(*asked, "--json")
    assert (ran.code, ran.json["mismatches"]) == (0, 0), ran.err
    assert (ran.json["neurons"], ran.json["lanes"], ran.json["shown"]) == (3, 1, 2)
    current = np.r_[np.zeros(200), np.full(1800, 0.4)]
    neurons = [LIFNeuron(word=16, V_th=v, E_L=e) for v, e in ((-52, -68), (-50, -70), (-55, -65))]
    voltage = [neuron.run(current) for neuron in neurons]
    expected = sorted((t, n) for n, neuron in enumerate(neurons) for t in neuron.spikes)
    assert ran.json["spike_neurons"] == [n for _, n in expected] and len({*ran.json["spike_neurons"]}) == 3
    assert np.allclose(ran.json["spike_times"], [t for t, _ in expected], rtol=0, atol=1e-9)
    with np.load(tmp_path / "out" / "run.npz") as kept:
        assert np.array_equal(kept["voltage"], voltage[2])
    with (tmp_path / "out" / "spikes.csv").open(encoding="utf-8", newline="") as lines:
        rows = [(float(row["time_ms"]), int(row["neuron"])) for row in csv.DictReader(lines)]
    assert np.allclose(rows, expected, rtol=0, atol=1e-9)
    assert "3 LIFNeuron, word 16, in the reference behind the same bytes" in spikefab(*asked).out


@pytest.mark.parametrize(
    ("lines", "code", "words"),
    [
        (["V_th", "-50", "-51"], 2, "holds 3 neurons: 2 cannot be loaded"),
        (["V_th,E_L", "-50", "-51", "-52"], 3, "line 2 of .* has 1 numbers under 2 names"),
        (["V_th", "-50", "high", "-52"], 3, "is no table of numbers"),
        ([], 3, "is no table of numbers"),
        (["V_th,V_th", "-50,-51", "-50,-51", "-50,-51"], 3, "two columns of the same name"),
        (["V_t", "-50", "-51", "-52"], 2, "V_t"),
        (["R_m", "100", "101", "102"], 2, "neuron 1 has another R_m than neuron 0.*--per-neuron V_th,E_L,R_m"),
        (["V_th", "-50", "nan", "-52"], 2, "V_th"),
    ],
)
def test_tables_that_are_none(spikefab, tmp_path, lines, code, words):
    ran = spikefab(*SEVERAL, "--seconds", 0.01, "--load", table(tmp_path / "neurons.csv", *lines))
    assert ran.code == code and re.search(words, ran.sentence), ran.err


def test_options_of_populations_for_one_neuron(spikefab, tmp_path):
    one = ("run", "lif", "--word", 16, "--port", "sim:reference", "--seconds", 0.01)
    for options, words in (
        (("--shown", 1), "--shown is for a population: this board holds one neuron"),
        (("--load", table(tmp_path / "a.csv", "V_th", "-50")), "--load is for a population"),
        (("--lanes", 2), "--lanes and --per-neuron go with --neurons"),
        (("--per-neuron", "V_th"), "--lanes and --per-neuron go with --neurons"),
        (("--neurons", 3, "--shown", 3), "there is no neuron 3"),
        (("--neurons", 3, "--port", "/dev/ttyUSB9"), "a board says itself how many neurons it holds"),
        (("--neurons", 3, "--load", tmp_path / "none.csv"), "none.csv cannot be read"),
    ):
        ran = spikefab(*one, *options)
        assert (ran.code, words in ran.sentence) == (3 if "read" in words else 2, True), ran.err


def test_free_run_says_so_and_tells_spikes_at_every_step(spikefab):
    ran = spikefab(
        "run", "lif", "--word", 16, "--port", "sim:reference", "--free", "--every", 32768, "--noise", 0.1, "--step", 0.7, "--json"
    )  # fmt: skip
    assert ran.code == 0, ran.err
    assert (ran.json["mode"], ran.json["steps"], ran.json["mismatches"]) == ("free-run", 10_000, 0)
    assert ran.json["spikes"] > 50
    said = spikefab("run", "lif", "--word", 16, "--port", "sim:reference", "--seconds", 0.05)
    assert "in the reference behind the same bytes" in said.out
    assert "bit-exact: 500 samples and" in said.out
    assert not any(word in said.out for word in ("real time", "on the board", "verified on hardware"))


def test_a_result_runs_the_current_of_a_sweep(spikefab, fitted):
    strongest = spikefab("run", fitted, "--port", "sim:reference", "--json")
    assert strongest.code == 0, strongest.err
    assert strongest.json["mismatches"] == 0
    first = spikefab("run", fitted, "--port", "sim:reference", "--sweep", 0, "--seconds", 0.1, "--json")
    assert (first.code, first.json["steps"], first.json["mismatches"]) == (0, 1000, 0)
    assert "the sweeps of" in spikefab("run", fitted, "--port", "sim:reference", "--sweep", 99).sentence


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1\n0.2\n0.3\n", [0.1, 0.2, 0.3]),
        ("# nA\n1e-1\n\n.2\n", [0.1, 0.2]),
        ("0 0.5\n0.3 1\n0.5 0\n", [0.5, 0.5, 0.5, 1, 1, 0]),
        ("10,0.5\n10.1,0.25\n10.2,0.125\n", [0.5, 0.25, 0.125]),
        ("0,1\n0.05,2\n0.1,3\n0.15,4\n0.2,5\n", [1, 3, 5]),
    ],
)
def test_a_current_from_a_file(tmp_path, text, expected):
    (tmp_path / "i.txt").write_text(text)
    assert read_current(tmp_path / "i.txt", 0.1).tolist() == expected


def test_mistakes_are_sentences_with_their_codes(spikefab, tmp_path, fitted):
    for name, text in (
        ("words.txt", "a b\n"),
        ("three.txt", "1 2 3\n"),
        ("back.txt", "1 0\n0 0\n"),
        ("nan.txt", "nan\n"),
        ("empty.txt", ""),
    ):
        (tmp_path / name).write_text(text)
        assert spikefab("run", "lif", "--port", "sim:reference", "--current", tmp_path / name).code == 3, name
    for code, words, *args in (
        (3, "cannot be read", "run", "lif", "--port", "sim:reference", "--current", tmp_path / "none"),
        (2, "--current and --step both", "run", "lif", "--current", "x", "--step", 1),
        (2, "--sweep goes with a result", "run", "lif", "--sweep", 0),
        (2, "is not a time", "run", "lif", "--seconds", -1),
        (2, "is not within", "run", "lif", "--noise", 1e-9),
        (2, "outside the input's span", "run", "lif", "--port", "sim:reference", "--step", 99),
        (2, "there is no board", "run", "lif", "--port", "sim:reference", "--board", "icebraker"),
        (9, "there is no port /dev/none", "run", "lif", "--port", "/dev/none"),
        (2, "simulated boards are sim and sim:reference", "run", "lif", "--port", "sim:refrence"),
        (2, "7,000,000 baud cannot be made", "run", "lif", "--port", "sim", "--baud", 7_000_000),
        (2, "slower than 9600", "build", "lif", "--board", "icebreaker", "--baud", 123, "--out", tmp_path / "b"),
        (9, "is no serial port", "run", "lif", "--port", tmp_path / "three.txt"),
        (3, "no bitstream for icebreaker", "flash", tmp_path / "none.bin", "--board", "icebreaker"),
        (3, "no bitstream for ulx3s-25f", "flash", tmp_path / "three.txt", "--board", "ulx3s-25f"),
    ):  # fmt: skip
        ran = spikefab(*args)
        assert (ran.code, words in ran.sentence) == (code, True), ran


def test_a_mismatch_has_its_exit_code_and_the_json_all_the_same(spikefab, monkeypatch):
    from spikefab.boards import playing

    honest = playing.simulated

    def wrong(*args):
        codes, *rest = honest(*args)
        return codes + (np.arange(len(codes)) == 7), *rest

    monkeypatch.setattr(playing, "simulated", wrong)
    ran = spikefab("run", "lif", "--word", 16, "--port", "sim:reference", "--seconds", 0.1, "--json")
    assert (ran.code, ran.json["mismatches"]) == (8, 1)
    assert "differ in 1 of 1,000 steps" in ran.sentence


def test_no_board_two_boards_and_the_one_port_of_two(spikefab, monkeypatch):
    from serial.tools import list_ports

    class Info:
        def __init__(self, device, vid, pid, location):
            self.device, self.vid, self.pid, self.location = device, vid, pid, location

    def there(*ports):
        monkeypatch.setattr(list_ports, "comports", lambda: list(ports))

    there(Info("/dev/ttyS0", None, None, None), Info("/dev/ttyACM0", 0x2341, 0x43, "1-3:1.0"))
    ran = spikefab("run", "lif")
    assert ran.code == 9
    assert "no board is connected (USB 0403:6010 or 1d50:602b or 0403:6015)" in ran.sentence
    both = [Info(f"/dev/none{k}", 0x0403, 0x6010, f"1-{k // 2 + 1}:1.{k % 2}") for k in range(4)]
    there(*both[:2])
    assert "there is no port /dev/none1" in spikefab("run", "lif").sentence, (
        "the second port of the chip is the board's"
    )
    there(*both)
    assert "2 ports may be of a board" in spikefab("run", "lif").sentence
    ran = spikefab("run", "lif", "--board", "tinyfpga_bx")
    assert ran.code == 9 and "no USB chip is on the serial line of tinyfpga_bx" in ran.sentence
    there(Info("/dev/none", 0x0403, 0x6015, "1-1"))
    assert "there is no port /dev/none:" in spikefab("run", "lif", "--board", "ulx3s-25f").sentence


def test_a_port_that_nobody_serves_or_another_program_has(spikefab):
    board, host = pty.openpty()
    path = os.ttyname(host)
    ran = spikefab("run", "lif", "--port", path)
    assert (ran.code, "does not answer" in ran.sentence) == (9, True)
    import serial

    with serial.Serial(path, exclusive=True):
        ran = spikefab("run", "lif", "--port", path)
        assert (ran.code, "in use by another program" in ran.sentence) == (9, True)
    os.close(board)
    os.close(host)


def test_flash_runs_the_boards_program_or_says_what_to_type(spikefab, monkeypatch, tmp_path):
    bitstream = tmp_path / "a neuron.bin"
    bitstream.write_bytes(b"x")
    monkeypatch.setenv("PATH", str(tmp_path))
    ran = spikefab("flash", bitstream, "--board", "icebreaker")
    assert (ran.code, f"apt install fpga-icestorm; then type: iceprog '{bitstream}'" in ran.sentence) == (5, True)
    program = tmp_path / "openFPGALoader"
    program.write_text('#!/bin/sh\n[ "$3" = "$OK" ] || { echo "unable to open ftdi device: -3" >&2; exit 1; }\n')
    program.chmod(0o755)
    ran = spikefab("flash", bitstream, "--board", "icebreaker")
    assert (ran.code, "openFPGALoader could not load the bitstream: unable to open" in ran.sentence) == (9, True)
    monkeypatch.setenv("OK", str(bitstream))
    ran = spikefab("flash", bitstream, "--board", "icebreaker", "--json")
    assert ran.json["command"] == f"openFPGALoader -b ice40_generic '{bitstream}'"


def test_every_board_has_a_program_and_pins_of_its_own():
    for board in BOARDS.values():
        assert all("{bitstream}" in text.split()[-1] for text in board.programmers)
        pins = [pin for name, pin in board.pins.items()]
        assert len({*pins}) == len(pins)
        assert board.stimulus & (board.stimulus - 1) == 0


def test_noise_is_the_largest_that_stays_within():
    neuron = LIFNeuron(word=16)
    q = neuron.datapath.current
    for largest in (q.lsb, 0.01, 0.1, 0.25, 4.0):
        bits = noise_bits(neuron, largest)
        assert (1 << bits - 1) * q.lsb <= largest < (1 << bits) * q.lsb
    assert noise_bits(neuron, None) == 0


def test_the_strip_shows_the_highest_of_each_column():
    strip = Strip(0.1)
    steps = np.arange(4000)
    voltage = np.where(steps % 500 == 0, 40.0, -90.0)
    strip.take(steps, voltage)
    assert len(strip.text) == 40
    assert strip.text.endswith(f"{LEVELS[7]}{LEVELS[0] * 9}")
    assert strip.text.count(LEVELS[7]) == 4


def start(*args):
    return subprocess.Popen(
        [sys.executable, "-m", "spikefab", *args], stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8"
    )


def test_a_twin_serves_a_host_until_it_is_interrupted(spikefab):
    with start("twin", "lif", "--word", "16", "--board", "ulx3s-25f", "--reference", "--json") as process:
        assert process.stdout is not None
        text = ""
        while "}" not in text:
            text += process.stdout.readline()
        port = json.loads(text)["port"]
        ran = spikefab("run", "lif", "--word", 16, "--port", port, "--seconds", 0.1, "--json")
        assert (ran.code, ran.json["mismatches"], ran.json["port"]) == (0, 0, port)
        assert (ran.json["simulated"], ran.json["board"]) == (True, "ulx3s-25f"), "the board says what it is"
        other = spikefab("run", "adex", "--word", 16, "--port", port)
        assert (other.code, "the board holds LIFNeuron at word 16" in other.sentence) == (9, True)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0


def test_a_run_that_is_interrupted_keeps_what_came(tmp_path):
    args = ("run", "lif", "--word", "16", "--port", "sim:reference", "--free", "--seconds", "600", "--step", "0.7")
    with start(*args, "--out", str(tmp_path / "out")) as process:
        assert "LIFNeuron, word 16" in process.stdout.readline()  # connected
        time.sleep(6)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
        assert process.returncode == 130, err
    assert "interrupted; the first " in err
    with np.load(tmp_path / "out" / "run.npz") as kept:
        steps, voltage = kept["step"], kept["voltage"]
    neuron = LIFNeuron(word=16)
    current = np.r_[np.zeros(600_000), np.full(100_000, 0.7)][: len(steps)]
    assert np.array_equal(steps, np.arange(len(steps)))
    assert np.array_equal(voltage, neuron.run(current))
    assert len(steps) > 1000
