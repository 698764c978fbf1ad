"""Bad input, row by row: one sentence, the exit code of its kind, nothing half-written."""

import os
from pathlib import Path

import numpy as np
import pytest

DATA = os.environ.get("SPIKEFAB_DATA")
real = pytest.mark.skipif(not DATA, reason="SPIKEFAB_DATA is not set: the folder of real recordings")

N = 3000
T = np.arange(N) * 0.1
V = -65 + np.random.default_rng(0).normal(0, 0.5, N)
I = np.where((T > 50) & (T < 250), 0.1, 0.0)  # noqa: E741  (the current's own name)


def text(*columns, header="t_ms,V_mV,I_nA"):
    rows = (",".join(f"{x:.5g}" for x in row) for row in zip(*columns, strict=True))
    return "\n".join([header, *rows]) + "\n"


def altered(column, row, value):
    column = column.copy()
    column[row] = value
    return column


WORD_INSIDE = text(T, V, I).replace("\n1,", "\none,")
SHORTER = "\n".join(line.rpartition(",")[0] if k == 2000 else line for k, line in enumerate(text(T, V, I).splitlines()))

FILES = {
    "absent.csv": (None, 3, "does not exist"),
    "empty.csv": ("", 3, "is empty"),
    "recording.xyz": ("1 2 3\n", 3, "cannot be read by this version"),
    "text.abf": (text(T, V, I), 3, "not an Axon"),
    "word.csv": (WORD_INSIDE, 3, "line 12"),
    "nan.csv": (text(T, altered(V, 700, np.nan), I), 3, "line 702"),
    "uneven.csv": (text(altered(T, 900, 90.05), V, I), 3, "time steps must be even"),
    "shorter.csv": (SHORTER, 3, "line"),
    "timeless.csv": (text(V, I, header="V_mV,I_nA"), 2, "pass --dt"),
    "voltage.csv": (text(T, V, header="t_ms,V_mV"), 4, "without its current"),
    "zero.csv": (text(T, V, 0 * I), 4, "zero throughout"),
    "current.csv": (text(T, I, header="t_ms,I_nA"), 3, "holds no voltage"),
}


@pytest.mark.parametrize("name", FILES)
def test_files(spikefab, tmp_path, name):
    content, code, sentence = FILES[name]
    if content is not None:
        (tmp_path / name).write_text(content)
    before = set(tmp_path.iterdir())
    ran = spikefab("fit", tmp_path / name, "--budget", "64", "--out", tmp_path / "new" / "fit")
    assert ran.code == code
    assert sentence in ran.sentence
    assert ran.out == ""
    assert set(tmp_path.iterdir()) == before


@real
@pytest.mark.parametrize(
    ("name", "code", "sentence"),
    [
        ("pyABF/17o05024_vc_steps.abf", 3, "voltage-clamp"),
        ("derived_odd/18713001_truncated.abf", 3, "truncated"),
        ("derived_odd/not_an_abf.abf", 3, "not an Axon"),
        ("pyABF/opto_aps_good_units.abf", 4, "without its current"),
        ("neuroptimus/ca3_pc_v2_4.csv", 2, "pass --dt"),
    ],
)
def test_real_files(spikefab, tmp_path, name, code, sentence):
    ran = spikefab("fit", Path(str(DATA)) / name, "--out", tmp_path / "fit")
    assert ran.code == code
    assert sentence in ran.sentence
    assert not list(tmp_path.iterdir())


def test_a_current_of_another_length(spikefab, recording, tmp_path):
    (tmp_path / "i.csv").write_text(text(T, I, header="t_ms,I_nA"))
    ran = spikefab("fit", recording, "--current", tmp_path / "i.csv", "--out", tmp_path / "fit")
    assert ran.code == 3
    assert "3000 samples of current" in ran.sentence
    assert not (tmp_path / "fit").exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--models", "lif,adx"), "did you mean AdExNeuron?"),
        (("--models", "lif,"), "there is no model ''"),
        (("--word", "17"), "word 17 is not one of 16, 18, 24"),
        (("--dt", "0"), "must be a positive number of ms"),
        (("--dt", "3"), "outside 0.005..1 ms"),
        (("--budget", "0"), "at least 1"),
        (("--top", "0"), "at least 1"),
        (("--current-channel", "0"), "is the time, and not a current"),
        (("--electrode", "0"), "is for NWB files"),
        (("--units", "mV,mV"), "such as mV,pA or ,nA"),
        (("--fix", "tau_m"), "--fix tau_m= takes 1 number"),
        (("--fix", "nothing=3"), "none of the models has a parameter nothing"),
        (("--bounds", "R_m=100"), "--bounds R_m= takes 2 numbers"),
        (("--bounds", "R_m=200:100"), "two rising numbers"),
        (("--weights", "1,1"), "--weights takes 3 numbers"),
        (("--free", "tau_m", "--fix", "tau_m=20"), "fixed and searched at once"),
    ],
)
def test_options_of_fit(spikefab, recording, tmp_path, options, sentence):
    ran = spikefab("fit", recording, *options, "--out", tmp_path / "fit")
    assert ran.code == 2
    assert sentence in ran.sentence
    assert not list(tmp_path.iterdir())


def test_a_folder_for_results_that_is_a_file_or_holds_something_else(spikefab, recording, tmp_path):
    (tmp_path / "file").write_text("mine")
    assert "is a file" in spikefab("fit", recording, "--out", tmp_path / "file").sentence
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "best.png").write_text("mine")
    ran = spikefab("fit", recording, "--out", tmp_path / "mine")
    assert ran.code == 2
    assert "no fit wrote" in ran.sentence
    assert (tmp_path / "mine" / "best.png").read_text() == "mine"


@pytest.mark.parametrize(
    ("args", "code", "sentence"),
    [
        (("verify", "lyf"), 2, "did you mean LIFNeuron?"),
        (("verify", "there/is.json"), 3, "is no result.json"),
        (("verify", "lif", "--word", "12"), 2, "word 12 is not one of"),
        (("verify", "lif", "--rank", "2"), 2, "--rank goes with a result"),
        (("build", "lif", "--board", "icebraker"), 2, "did you mean icebreaker?"),
        (("models", "adx"), 2, "did you mean AdExNeuron?"),
        (("demo", "--board", "nexys"), 2, "there is no board 'nexys'"),
        (("demo", "absent.abf"), 3, "does not exist"),
        (("info", "absent.abf"), 3, "does not exist"),
    ],
)
def test_other_commands(spikefab, tmp_path, monkeypatch, args, code, sentence):
    monkeypatch.chdir(tmp_path)
    ran = spikefab(*args)
    assert ran.code == code
    assert sentence in ran.sentence
    assert not list(tmp_path.iterdir())


def test_a_result_that_is_none(spikefab, fitted, tmp_path):
    (tmp_path / "result.json").write_text('{"a": 1}')
    ran = spikefab("verify", tmp_path)
    assert ran.code == 3
    assert "not a result.json" in ran.sentence
    assert "its ranks are 1 to 1" in spikefab("verify", fitted, "--rank", "2").sentence
    assert "fitted at its own word" in spikefab("verify", fitted, "--word", "16").sentence


def test_a_missing_tool(spikefab, tmp_path, monkeypatch):
    from spikefab.toolchain import tools

    monkeypatch.setattr(tools, "find_tool", lambda name: None)
    for args in (("verify", "lif"), ("build", "lif", "--board", "icebreaker", "--out", tmp_path / "build")):
        ran = spikefab(*args)
        assert ran.code == 5
        assert "is not installed: " in ran.sentence
    ran = spikefab("doctor", "--json")
    assert ran.code == 5
    assert "yosys: pip install pyosys" in ran.sentence
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("error", "code"), [("DoesNotFitError", 6), ("TimingError", 7)])
def test_a_design_that_does_not_fit_or_misses_timing(spikefab, tmp_path, monkeypatch, error, code):
    """The sentences themselves are tested where they are made, in tests/boards."""
    from spikefab import errors
    from spikefab.boards import build

    def refuse(*args, progress, **options):
        progress("synthesise", "start", "yosys")
        raise getattr(errors, error)("it cannot be built.")

    monkeypatch.setattr(build, "build", refuse)
    ran = spikefab("build", "lif", "--board", "icebreaker", "--out", tmp_path / "build", "--json")
    assert ran.code == code
    assert ran.out == ""
    assert "synthesise (yosys) (stopped, " in ran.err
    assert ran.err.endswith("spikefab: it cannot be built.\n")


def test_hardware_that_differs(spikefab, monkeypatch):
    from spikefab.sim import verify

    first = {"segment": 0, "step": 7, "variable": "o_v", "expected": 1, "got": 2}
    check = {"model": "LIFNeuron", "word": 18, "level": "rtl", "simulator": "verilator", "stimulus": "noise"}
    check |= {"steps": 9, "spikes": 1, "saturations": 0, "mismatches": 2, "first_mismatch": first}
    monkeypatch.setattr(verify, "verify", lambda *args, **options: [check])
    ran = spikefab("verify", "lif", "--json")
    assert ran.code == 8
    assert "differ at 2 of 9 steps" in ran.sentence
    assert ran.json == {"checks": [check]}


def test_a_defect_is_a_sentence_and_a_log(spikefab, monkeypatch, tmp_path):
    from spikefab.hw.lowering import cost

    monkeypatch.delenv("SPIKEFAB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(cost, "cost", lambda dp: 1 / 0)
    ran = spikefab("models", "lif", "--json")
    assert ran.code == 1
    assert "a defect of spikefab: ZeroDivisionError: division by zero" in ran.sentence
    (log,) = (tmp_path / "spikefab" / "logs").iterdir()
    assert str(log) in ran.sentence
    assert "Traceback" in log.read_text()
    assert "spikefab models lif --json" in log.read_text()


def test_a_reader_that_has_gone_is_no_defect(tmp_path):
    import subprocess
    import sys

    command = f"{sys.executable} -m spikefab models adex --json | head -c 10"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.returncode == 0
