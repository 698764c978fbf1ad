"""Kernels that are compiled ahead: by which process, with what result, and what is left when a fit is ended in the middle."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import numpy as np
import pytest

from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS
from spikefab.sim import ahead, kernels, threads
from spikefab.sim.ahead import Ahead
from spikefab.sim.engine import FixedPoint
from spikefab.toolchain.cache import CacheNotice

QUICK = ("LIFNeuron", "QuadraticIFNeuron", "ThetaNeuron")
PATIENCE = 300  # s that a compilation may take on a busy machine

FIT = """
import json, sys
import numpy as np
from spikefab import LIFNeuron, fit

class OwnNeuron(LIFNeuron):
    "A model that no other process can import."

t = np.arange(4000)
i = np.where((t > 1000) & (t < 3000), .3, 0.)[None] * [[.8], [1.], [1.2]]
v = -65 + 30 * i + .1 * np.sin(t)
v[:, 1500:3000:250] = 20
told = []
models = [OwnNeuron, *sys.argv[1].split()]
found = fit(voltage=v, current=i, dt=.1, models=models, budget=64, progress=False, notice=told.append, anyway=True)
assert [r.model_name for r in found if r.model_name == "OwnNeuron"], found
print([text for text in told if text.startswith("compiling")])
print(json.dumps(found.to_dict()))
"""


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """An empty cache; kernels that this process has loaded are forgotten."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("SPIKEFAB_CACHE", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for name in [name for name in sys.modules if name.startswith("spikefab_kernel_")]:
        monkeypatch.delitem(sys.modules, name)
    kernels.load.cache_clear()
    yield tmp_path
    kernels.load.cache_clear()
    os.environ.pop("SPIKEFAB_CACHE", None)


def engines(names=QUICK):
    return [FixedPoint(datapath(MODELS[name])) for name in names]


def until(true):
    end = time.monotonic() + PATIENCE
    while not true():
        assert time.monotonic() < end, "nothing came of it"
        time.sleep(0.05)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_another_process_compiles(empty, capfd):
    told, made = [], engines()
    with threads.limited(2), Ahead(made, told.append) as compiling:
        assert told == ["compiling the kernels of 3 models for this machine, once"]
        assert len(compiling._running) == 1
        until(lambda: all(engine.compiled for engine in made[1:]))
        assert not made[0].compiled, "the first one is left to this process, which needs it at once"
        for engine in made:
            compiling.ready(engine)
            assert kernels.prepared(engine.kernel.name) and engine.compiled
    loaded = [kernels.load(*engine.kernel[:2]).kernel.stats for engine in made]
    assert [bool(stats.cache_hits) for stats in loaded] == [False, True, True]
    assert capfd.readouterr() == ("", "")
    told.clear()
    with Ahead(engines(), told.append) as compiling:
        assert not told and not compiling._running


def test_a_kernel_from_another_process_computes_the_same(empty):
    made = engines(QUICK[:2])
    rng = np.random.default_rng(4)
    current = made[0].encode(rng.normal(0.2, 0.3, (3, 2000)).clip(-0.9, 0.9))
    with threads.limited(2), Ahead(made):
        until(lambda: made[1].compiled)
    row = made[1].quantise(MODELS[QUICK[1]].defaults())
    there = made[1].simulate(row, current, trace=True)
    kernels.load.cache_clear()
    for file in (empty / "spikefab" / "kernels").rglob("*.*"):
        if file.is_file():
            file.unlink()
    here = made[1].simulate(row, current, trace=True)
    assert (
        np.array_equal(there.trace, here.trace) and np.array_equal(there.spikes, here.spikes) and here.trace.std() > 0
    )


def test_while_another_process_compiles_it(empty, monkeypatch):
    """This process compiles the others, and then waits."""
    made, order = engines(), []
    lock = kernels.cache_dir("kernels") / f"{made[0].kernel.name}.lock"
    hold = f"import fcntl, sys; f = open({str(lock)!r}, 'a'); fcntl.flock(f, 2); print(flush=True); sys.stdin.read()"
    holder = subprocess.Popen([sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert holder.stdout.readline() == b"\n"
    prepare = kernels.prepare

    def spied(module, *types, wait=True):
        order.append((module.__name__.split("_")[2], wait))
        if wait:
            holder.communicate()
        return prepare(module, *types, wait=wait)

    monkeypatch.setattr(kernels, "prepare", spied)
    with threads.limited(1), Ahead(made) as compiling:
        compiling.ready(made[0])
    a, b, c = QUICK
    assert order == [(a, False), (c, False), (a, False), (b, False), (a, False), (a, True)]
    assert all(engine.compiled for engine in made)


def test_one_thread_starts_no_process(empty):
    with threads.limited(1), Ahead(engines()) as compiling:
        assert not compiling._running


def test_a_single_kernel_is_announced_by_its_engine(empty):
    told, (one,) = [], engines(QUICK[:1])
    with threads.limited(2), Ahead([one, one], told.append) as compiling:
        assert not told and not compiling._running
        compiling.ready(one)
    assert told == ["compiling the LIFNeuron kernel for this machine, once"]


def test_no_process_is_left(empty):
    processes = []

    def interrupted():
        with threads.limited(2), Ahead(engines()) as compiling:
            processes.extend(compiling._running)
            until(lambda: any((empty / "spikefab" / "kernels").glob("Q*.lock")))  # it has begun
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    (process,) = processes
    assert process.returncode == 0
    with threads.limited(1), Ahead(made := engines()) as compiling:
        for engine in made:
            compiling.ready(engine)  # without a notice: nothing half-written was left, which would be an error here


def test_no_process_outlives_a_killed_fit(empty):
    script = FIT.replace("found = fit", "print(flush=True); found = fit")
    command = [sys.executable, "-c", script, " ".join(QUICK)]
    fit = subprocess.Popen(command, stdout=subprocess.PIPE, env={**os.environ, "NUMBA_NUM_THREADS": "2"})
    assert fit.stdout.readline() == b"\n"

    def children():
        with open(f"/proc/{fit.pid}/task/{fit.pid}/children", encoding="utf-8") as file:
            return file.read().split()

    until(children)
    (child,) = children()
    until(lambda: any((empty / "spikefab" / "kernels").glob("Q*.lock")))
    fit.send_signal(signal.SIGKILL)
    fit.communicate()
    until(lambda: not alive(child))


def test_the_result_of_a_first_fit_is_that_of_a_second(empty):
    """Also with a model which only the process of the fit can import."""
    outputs = []
    for threads_ in ("2", "1"):
        for _ in range(2):
            ran = subprocess.run(
                [sys.executable, "-c", FIT, "LIFNeuron"], capture_output=True, text=True, check=True,
                env={**os.environ, "NUMBA_NUM_THREADS": threads_},
            )  # fmt: skip
            outputs.append(ran.stdout.splitlines())
    assert outputs[0][0] == "['compiling the kernels of 2 models for this machine, once']"
    assert [out[0] for out in outputs[1:]] == ["[]"] * 3
    assert all(out[1:] == outputs[0][1:] for out in outputs) and json.loads("".join(outputs[0][1:]))["results"]


def test_a_cache_that_cannot_be_used(empty):
    """A temporary one takes its place, which the processes share; it is said once."""
    (empty / "spikefab").write_text("a file")
    made = engines(QUICK[:2])
    with threads.limited(2), warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        with Ahead(made) as compiling:
            assert len(compiling._running) == 1
            until(lambda: made[1].compiled)
            compiling.ready(made[0])
    assert [issubclass(w.category, CacheNotice) and "cannot be used" in str(w.message) for w in said] == [True]
    assert made[0].compiled


def test_a_source_that_was_changed_is_not_run(empty):
    (one,) = engines(QUICK[:1])
    kernels.load(*one.kernel[:2])
    folder = kernels.cache_dir("kernels")
    source = folder / f"{one.kernel.name}.py"
    source.write_text(f"open({str(empty / 'ran')!r}, 'w')\n" + source.read_text())
    command = [sys.executable, "-m", ahead.__name__, str(folder), one.kernel.name]
    assert subprocess.run(command, stdin=subprocess.PIPE).returncode == 0
    assert not (empty / "ran").exists() and not one.compiled
