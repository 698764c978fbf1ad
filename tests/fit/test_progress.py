"""Progress: what is shown of a fit, where it is shown by default, and that it is shown once."""

import re
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from io import StringIO

import nbclient
import nbformat
import pytest
from rich.console import Console

from spikefab.errors import UsageError
from spikefab.fit import fit
from spikefab.fit.many import jobs
from spikefab.fit.options import FitOptions
from spikefab.fit.search import clock as clock_module
from spikefab.fit.search.clock import FitClock
from spikefab.progress import Bars, Cell, Display, Lines, fitting_display

MADE = """
import numpy as np
from spikefab import fit, LIFNeuron
i = np.zeros((3, 1500)); i[:, 200:1300] = np.array([[0.3], [0.4], [0.5]])
v = np.array([LIFNeuron(R_m=80).run(row) for row in i])
"""
FIT = "results = fit(voltage=v, current=i, dt=0.1, models=['LIF'], budget=96{more})\n"


@pytest.fixture
def now(monkeypatch):
    """A list of one number: the time that a clock sees."""
    time = [100.0]
    monkeypatch.setattr(clock_module.time, "monotonic", lambda: time[0])
    return time


def test_the_clock_knows_what_is_left(now):
    """LIF takes a ms an evaluation, AdEx three; the first batch of each took a second more."""
    clock = FitClock(FitOptions.of(models=["LIF", "AdEx", "Izhikevich"], budget=10_000, top_k=1))
    first, typical = clock_module.FIRST, clock_module.TYPICAL
    assert clock.remaining is None

    def search(model, until, each, loss, delay=0.0):
        for evaluations in range(clock.runs[model].evaluations + 500 if model in clock.runs else 500, until + 1, 500):
            now[0] += 500 * each + (delay if evaluations == 500 else 0)
            clock.tell(model, evaluations, 10_000, loss)

    search("LIFNeuron", 2000, 0.001, 0.5, 1.0)
    assert clock.seconds == {"LIFNeuron": pytest.approx(3)}
    # LIF is the best so far, so it is taken to go on until it has converged; so are the others, at LIF's speed
    assert clock.remaining == pytest.approx((typical - 2000 + 2 * typical) * 0.001)
    now[0] += 2
    assert clock.remaining == pytest.approx(
        (typical - 2000 + 2 * typical) * 0.001 - 2
    )  # it runs down between two calls
    now[0] -= 2
    search("AdExNeuron", 2000, 0.003, 0.2, 1.0)
    # LIF is now too far from the best: it goes on for a lap at most
    lap = clock_module.LAP
    assert clock.remaining == pytest.approx(lap * 0.001 + (typical - 2000) * 0.003 + typical * 0.002)
    clock.tell("LIFNeuron", 2000, 2000, 0.5)
    assert clock.runs["LIFNeuron"].ended and not clock.runs["AdExNeuron"].ended
    search("IzhikevichNeuron", first, 0.002, 0.25)
    assert clock.remaining == pytest.approx((typical - 2000) * 0.003 + (typical - first) * 0.002)
    search("AdExNeuron", 10_000, 0.003, 0.1)
    assert clock.runs["AdExNeuron"].ended
    clock.tell("IzhikevichNeuron", first, first, 0.25)
    assert clock.remaining == 0
    assert clock.elapsed == pytest.approx(3 + 7 + 0.002 * first + 24)
    assert sum(clock.seconds.values()) == pytest.approx(clock.elapsed)


def test_a_fit_is_told_of_as_it_is(cell, membrane, steps):
    currents = steps([0.22, 0.26, 0.31], 0.1)
    voltages = [membrane(i, 0.1, 0.3, k) for k, i in enumerate(currents)]
    options = FitOptions.of(models=["LIF", "AdEx"], budget=96)
    lines = []
    display = Lines(FitClock(options), lines.append)
    with display:
        results = fit(
            voltage=voltages, current=currents, dt=0.1, options=options, progress=display, notice=display.notice
        )
    assert {name: run.evaluations for name, run in display.clock.runs.items()} == results.evaluations
    assert display.clock.remaining in (None, 0)
    progress = [line for line in lines if "evaluations" in line]
    assert progress[-1].startswith("AdExNeuron: 96 evaluations, best loss ")
    assert len(progress) == len({*progress}) <= 8
    assert [line.removeprefix("note: ") for line in lines if line.startswith("note: ")][
        : len(results.notes)
    ] == results.notes


@pytest.mark.parametrize("columns", [80, 110])
def test_bars_fit_the_terminal(columns, now):
    """The longest name and the largest numbers, on a narrow terminal too."""
    options = FitOptions.of(models=["HodgkinHuxley", "LIF"], budget=90_000, top_k=1, folds=None)
    clock = FitClock(options)
    console = Console(file=StringIO(), width=columns, force_terminal=True, color_system=None, legacy_windows=False)
    with Bars(clock, console) as bars:
        for model, loss in (("HodgkinHuxleyNeuron", 10.1234), ("LIFNeuron", 0.2)):
            now[0] += 60
            bars(model, 22_500, 90_000, loss)
        paper = Console(file=StringIO(), width=columns, color_system=None)
        paper.print(bars.live.get_renderable())
    lines = paper.file.getvalue().splitlines()
    assert len(lines) == 3 and max(map(len, lines)) <= columns
    assert " left" in lines[0] and "2 min 0 s elapsed" in lines[0]
    assert "22,500" in lines[1] and "90,000" in lines[1] and lines[1].rstrip().endswith("10.1234")


WIDE = {"TERM": "xterm-256color", "COLUMNS": "110"}
MARK = "import sys; print('MARK', file=sys.stderr)\n"


def test_a_terminal_shows_it_by_default(on_a_terminal):
    quiet, shown = on_a_terminal(
        "-c", MADE + FIT.format(more=", progress=False") + MARK + FIT.format(more=""), **WIDE
    ).split("MARK")
    assert quiet == ""
    assert "96 evaluations, best loss" in shown
    assert "all models" in shown and "elapsed" in shown
    assert "note: " in shown  # 150 ms are not validated
    assert "scoring" not in re.split(r"\x1b\[\d+A|\r", shown)[-1]
    assert on_a_terminal("-c", MADE + FIT.format(more=""), **WIDE | {"TERM": "dumb"}) == ""


def test_a_thread_and_a_child_show_nothing(on_a_terminal):
    """Several of them would write over each other."""
    apart = """
import multiprocessing, threading
from spikefab.fit.options import FitOptions
from spikefab.fit.search.clock import FitClock
from spikefab.progress import fitting_display
def kind(*_):
    print(type(fitting_display(FitClock(FitOptions(models=["LIF"])))).__name__)
kind()
for part in (threading.Thread(target=kind), multiprocessing.get_context("fork").Process(target=kind)):
    part.start()
    part.join()
"""
    assert on_a_terminal("-u", "-W", "ignore", "-c", apart, **WIDE).split() == ["Bars", "Display", "Display"]


def test_a_pipe_shows_it_only_if_asked():
    code = MADE + FIT.format(more="") + MARK + FIT.format(more=", progress=True")
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, encoding="utf-8")
    quiet, shown = ran.stderr.split("MARK")
    assert ran.stdout == quiet == ""
    assert "LIFNeuron: 96 evaluations" in shown


def test_a_notebook_shows_it_in_one_output():
    cells = [
        nbformat.v4.new_code_cell(text) for text in (MADE, FIT.format(more=""), "results", "results.best", "v.shape")
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    (shown,) = cells[1].outputs  # nothing on stderr, and one table that was updated
    assert shown.output_type == "display_data"
    assert "96 evaluations in " in shown.data["text/html"] and "LIFNeuron" in shown.data["text/html"]
    assert 'class="note"' in shown.data["text/html"]
    assert shown.data["text/plain"].splitlines()[1].startswith("LIFNeuron: 96 evaluations")
    for cell, text in ((cells[2], "FitResults"), (cells[3], "FitResult LIFNeuron")):
        assert cell.outputs[0].data["text/html"].startswith('<div class="spikefab">')
        assert text in cell.outputs[0].data["text/plain"]


def test_a_table_is_drawn_again_in_its_place():
    drawn = []

    class Handle:
        def update(self, shown):
            drawn.append(("again", shown._repr_html_()))

    def display(shown, display_id):
        assert display_id
        drawn.append(("first", shown._repr_html_()))
        return Handle()

    with Cell(FitClock(FitOptions.of(models=["LIF"])), display) as cell:
        cell.notice("<script>alert(1)</script> & more")
        for evaluations in range(100, 20_001, 100):
            cell("LIFNeuron", evaluations, 20_000, 0.3)
    kinds = [kind for kind, _ in drawn]
    assert kinds[0] == "first" and {*kinds[1:]} == {"again"}
    assert len(drawn) < 10  # not for each of the two hundred calls
    last = drawn[-1][1]
    assert "20,000 evaluations in " in last and 'value="20000"' in last
    assert "<script>" not in last and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; more" in last


@pytest.fixture
def never(monkeypatch):
    """Where a fit would show its progress by itself, it fails."""

    def shown(*_, **__):
        raise AssertionError("progress was shown by default")

    monkeypatch.setattr("spikefab.fit.fitting.fitting_display", shown)


def test_it_is_not_shown_twice(never, recording, tmp_path):
    """The command line and the workers of fit_many show their own, or none; so does whoever passes a function."""
    from spikefab.cli import main

    assert main(["fit", str(recording), "--models", "lif", "--budget", "64"]) == 0
    content, options = jobs.digest(recording), FitOptions.of(models=["LIF"], budget=64).to_dict()
    job = {
        "path": str(recording),
        "out": str(tmp_path),
        "key": "k",
        "content": content,
        "reading": {},
        "options": options,
    }
    assert jobs.run_cell(job, "1")["state"] == "done"
    seen = []
    fit(recording, models=["LIF"], budget=64, progress=lambda *told: seen.append(told))
    assert seen[-1][:3] == ("LIFNeuron", 64, 64)
    with pytest.raises(AssertionError, match="by default"):
        fit(recording, models=["LIF"], budget=64)


def test_threads_do_not_write_over_each_other(monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    clock = FitClock(FitOptions.of(models=["LIF"]))
    assert threading.current_thread() is threading.main_thread()
    assert type(fitting_display(clock)) is Bars
    with ThreadPoolExecutor(1) as pool:
        assert type(pool.submit(fitting_display, clock).result()) is Display
        assert type(pool.submit(fitting_display, clock, True).result()) is Lines


@pytest.mark.parametrize("wrong", [3, "yes", [], object()])
def test_what_progress_can_be(recording, wrong):
    with pytest.raises(UsageError, match="progress is True, False or a function"):
        fit(recording, models=["LIF"], budget=64, progress=wrong)
