"""What all tests share: in CI nothing is skipped; nothing is left behind; a small recording."""

import os
import pty
import signal
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

import numpy as np
import pytest

DT = 0.1  # ms


if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell's background job ignores Ctrl-C, and so would every process that a test starts and interrupts
    signal.signal(signal.SIGINT, signal.default_int_handler)


EXAMPLE = "LIF"  # the model of which `make test` tests all that it tests of every model
WORDS = (16, 18, 24)
DAYS = 14  # in which CI does all slow tests
# files, besides those of tests/identical, that test every model
EXHAUSTIVE = ("test_top.py", "test_search.py", "test_search_space.py", "test_search_runs.py", "test_recovery_cells.py")


def pytest_collection_modifyitems(items):
    """Marks as slow or long, among the tests of every model at every word, all but a few: docs/tests.md says which.

    CI does a fourteenth of the slow tests a day, a test with all its parameters on one day. Of models at every word it does one
    word, so that six weeks do all. `make accept` does all at once.
    """
    today = date.today().toordinal()
    for item in items:
        exhaustive = item.path.parent.name == "identical" or item.path.name in EXHAUSTIVE
        params = item.callspec.params if hasattr(item, "callspec") else {}
        names = ("name",) if item.path.name == "test_recovery_cells.py" else ("kind", "model", "kind_and_level", "dp")
        kind = next((params[name] for name in names if name in params), None) if exhaustive else None
        word = params.get("word") if exhaustive else None
        place, due = sum(item.nodeid.partition("[")[0].encode()), True
        if kind is not None:
            name = kind if isinstance(kind, str) else kind.__name__
            place = sum(name.encode())
            example = (
                name.startswith(EXAMPLE) and word in (None, WORDS[place % 3]) and params.get("simulator") != "icarus"
            )
            due = word in (None, WORDS[(place + today // DAYS) % 3])
        elif item.path.parent.name == "paper":
            example = not params.get("fixed_point")  # for each, a kernel would be compiled
        else:
            example = word in (None, WORDS[1])
        if not example or item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.slow if due and (place + today) % DAYS == 0 else pytest.mark.long)


# An environment variable that every process of a test inherits; its value is the process id of the test run.
OURS = "SPIKEFAB_TEST_RUN"
# Helpers of Python's multiprocessing that serve the test run itself, and end with it.
HELPERS = ("multiprocessing.resource_tracker", "multiprocessing.forkserver")
PATIENCE = 20.0  # seconds in which processes that were told to end may still do so


def left_running() -> list[str]:
    """The command lines of living processes that the tests started, however far they are detached; [] without /proc."""
    mark, own, found = f"{OURS}={os.getpid()}".encode(), os.getpid(), []
    parents: dict[int, int] = {}
    marked: set[int] = set()
    words: dict[int, str] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        try:
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            words[pid] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
            if mark in (folder / "environ").read_bytes().split(b"\0"):
                marked.add(pid)
        except OSError:  # it has ended, or is another user's
            continue
        if state != "Z":
            parents[pid] = int(parent)
    for pid in parents:
        above = pid
        while above in parents and above != own:
            above = parents[above]
        if pid != own and (above == own or pid in marked) and not any(helper in words[pid] for helper in HELPERS):
            found.append(f"process {pid}: {words[pid]}")
    return found


@pytest.fixture(scope="session", autouse=True)
def left_behind(tmp_path_factory):
    """left_behind(): the processes and temporary files of the tests that are still there. At the end there are none."""
    folder = tmp_path_factory.mktemp("temporary")
    before = {name: os.environ.get(name) for name in ("TMPDIR", OURS)}
    os.environ.update({"TMPDIR": str(folder), OURS: str(os.getpid())})
    tempfile.tempdir = None  # so that Python reads TMPDIR again

    def left() -> list[str]:
        return [*left_running(), *(f"temporary {path.name}" for path in sorted(folder.iterdir()))]

    yield left
    deadline = time.monotonic() + PATIENCE
    while (found := left()) and time.monotonic() < deadline:
        time.sleep(0.2)
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.update({name: value})
    tempfile.tempdir = None
    assert not found, "the tests left behind:\n" + "\n".join(found)


def made_cell(amplitude: float, step: float = 400.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Voltage (mV) and current (nA) of a leaky neuron under a step, with noise; typed here, not spikefab's own."""
    rng = np.random.default_rng(seed)
    current = np.zeros(round((step + 100) / DT))
    current[round(50 / DT) : round((step + 50) / DT)] = amplitude
    voltage, v, rest = np.empty(len(current)), -70.0, 0
    for k, i in enumerate(current):
        v += DT / 20.0 * (-(v + 70.0) + 100.0 * i)
        rest -= 1
        if rest > 0:
            v = -65.0
        elif v > -50.0:
            v, rest = -65.0, 20
        # a spike that lasts as long as a cell's does
        voltage[k] = {20: 25.0, 19: 0.0, 18: -35.0}.get(rest, v)
    return voltage + rng.normal(0, 0.3, len(voltage)), current


def made_csv(sweeps: list[tuple[np.ndarray, np.ndarray]]) -> str:
    """A time column, then voltage and current of each sweep."""
    names = [name for k in range(len(sweeps)) for name in (f"V{k}_mV", f"I{k}_nA")]
    columns = [np.arange(len(sweeps[0][0])) * DT, *(c for pair in sweeps for c in pair)]
    rows = [",".join(f"{x:.4f}" for x in row) for row in np.column_stack(columns)]
    return "\n".join([",".join(["t_ms", *names]), *rows]) + "\n"


@pytest.fixture(scope="session")
def cell():
    """cell(amplitude, step, seed): voltage and current, (T,) each."""
    return made_cell


@pytest.fixture(scope="session")
def csv():
    """csv([(voltage, current), ...]): the text of a file."""
    return made_csv


@pytest.fixture(scope="session")
def recording(tmp_path_factory):
    """A file of five steps, silent to fast."""
    path = tmp_path_factory.mktemp("recording") / "cell.csv"
    path.write_text(made_csv([made_cell(a, seed=k) for k, a in enumerate((0.1, 0.22, 0.26, 0.31, 0.37))]))
    return path


@pytest.fixture
def four_models(monkeypatch):
    """A fit of all models has these four, so that a page of the documentation runs in seconds."""
    from spikefab.hw import models

    few, resolve = ["LIF", "AdEx", "Izhikevich", "HodgkinHuxley"], models.resolve_models
    monkeypatch.setattr(models, "resolve_models", lambda given: resolve(few if given is None else given))


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if report.skipped and os.environ.get("SPIKEFAB_CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where everything a test needs must be there: {report.longrepr}"


@pytest.fixture(scope="session")
def on_a_terminal():
    """on_a_terminal(*arguments, NAME=value): what Python, called with these arguments, writes to a terminal."""

    def run(*arguments, **env):
        pid, terminal = pty.fork()
        if pid == 0:
            os.execve(sys.executable, [sys.executable, *map(str, arguments)], os.environ | env)
        written = b""
        while True:
            try:
                piece = os.read(terminal, 65536)
            except OSError:  # the other end is closed
                break
            if not piece:
                break
            written += piece
        os.close(terminal)
        assert os.waitpid(pid, 0)[1] == 0, written
        return written.decode()

    return run
