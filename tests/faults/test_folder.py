"""The folder of a fit: whole or not at all, whatever ends the process; never the files of two fits; tried before the work."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from spikefab.errors import FileError
from spikefab.fit import fit
from spikefab.fit.report.folder import FILES, OutputFolder, fitted_neuron
from spikefab.fit.results import FitResults

DT = 0.1


@pytest.fixture(scope="module")
def cells_of_two():
    from spikefab import LIFNeuron

    made = []
    for tau in (8.0, 20.0):
        current = np.repeat([0.0, 1.0, 0.0, 1.6, 0.0], 1200)
        voltage = LIFNeuron(R_m=30, tau_m=tau, dt=DT).run(current)
        made.append((voltage.reshape(1, -1), current.reshape(1, -1)))
    return made


@pytest.fixture(scope="module")
def two(cells_of_two):
    """The results of two fits."""
    return [fit(voltage=v, current=i, dt=DT, models=["LIF"], budget=100, seed=1) for v, i in cells_of_two]


@pytest.fixture(scope="module")
def folders(two, tmp_path_factory):
    """The folders of the two fits."""
    places = [tmp_path_factory.mktemp("fits") / str(k) for k in range(2)]
    for results, place in zip(two, places, strict=True):
        OutputFolder(place).save_fit(results, {"total": 1.0})
    return places


def contents(place):
    return {name: (place / name).read_bytes() for name in FILES}


def save_again(source, place):
    """Save the files of one of the fits, which need not be drawn again, as a fit saves them."""
    OutputFolder(place).fill(lambda scratch: [shutil.copyfile(source / name, scratch / name) for name in FILES])


class Killed(BaseException):
    pass


@pytest.mark.parametrize("killed_at", range(1, len(FILES) + 3))
def test_killed_at_each_renaming(folders, tmp_path, monkeypatch, killed_at):
    """A process that ends at the n-th renaming of a save leaves the old fit or the new one, to whoever looks next."""
    place = tmp_path / "cell"
    save_again(folders[0], place)
    (place / "notes.txt").write_text("mine")
    moves = {name: getattr(type(place), name) for name in ("rename", "replace")}
    left = killed_at

    def counted(name):
        def move(self, target):
            nonlocal left
            left -= 1
            if not left:
                raise Killed
            return moves[name](self, target)

        return move

    folder = OutputFolder(place)
    with monkeypatch.context() as dying:
        for name in moves:
            dying.setattr(type(place), name, counted(name))
        dying.setattr(shutil, "rmtree", lambda *_, **__: None)  # the dead clean up nothing
        try:
            folder.fill(lambda scratch: [shutil.copyfile(folders[1] / name, scratch / name) for name in FILES])
        except Killed:
            assert killed_at <= len(FILES) + 1
        else:
            assert killed_at == len(FILES) + 2
    _, current = fitted_neuron(place)
    whole = folders[killed_at > 1]
    assert contents(place) == contents(whole)
    assert np.array_equal(current, fitted_neuron(whole)[1])
    assert (place / "notes.txt").read_text() == "mine"
    dead = place / f".cell-{dead_process()}-abc"
    for left_behind in place.glob(".cell-*"):
        left_behind.rename(dead)
    save_again(folders[0], place)
    assert contents(place) == contents(folders[0])
    assert sorted(p.name for p in place.iterdir()) == sorted([*FILES, "notes.txt"])


def dead_process():
    """The number of a process that has ended."""
    return int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True).stdout)


def test_files_of_two_fits_are_told(folders, tmp_path):
    save_again(folders[0], tmp_path)
    shutil.copy(folders[1] / "traces.npz", tmp_path)
    with pytest.raises(FileError, match=r"traces.npz is not of the result.json beside it"):
        fitted_neuron(tmp_path)
    (tmp_path / "traces.npz").unlink()
    assert fitted_neuron(tmp_path)[1] is None


def test_scratch_of_the_dead_is_swept_and_of_the_living_is_not(folders, tmp_path):
    dead = dead_process()
    names = [f".cell-{dead}-abc", f".cell-{os.getpid()}-abc", f".cell2-{dead}-abc", ".cell-x-abc"]
    for name in names:
        (tmp_path / name).mkdir()
    save_again(folders[0], tmp_path / "cell")
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(["cell", *names[1:]])


def out_of(case, tmp_path):
    """A place that cannot be written, and what the sentence says of it."""
    if case == "a file":
        (tmp_path / "x").write_text("")
        return tmp_path / "x", "is a file"
    if case == "below a file":
        (tmp_path / "x").write_text("")
        return tmp_path / "x" / "y", "cannot be written"
    if case == "dangling":
        (tmp_path / "x").symlink_to(tmp_path / "nothing")
        return tmp_path / "x", "is a link to nothing"
    if case == "loop":
        (tmp_path / "x").symlink_to(tmp_path / "y")
        (tmp_path / "y").symlink_to(tmp_path / "x")
        return tmp_path / "x", "is a link to nothing"
    if case == "proc":
        return type(tmp_path)("/proc/x"), "cannot be written"
    if case == "below proc":
        return type(tmp_path)("/proc/x/y"), "cannot be written"
    if case == "long":
        return tmp_path / ("x" * 300), "File name too long"
    if case == "long below":
        return tmp_path / "y" / ("x" * 300) / "z", "File name too long"
    return type(tmp_path)("/dev/full/x"), "cannot be written"


CASES = ["a file", "below a file", "dangling", "loop", "proc", "below proc", "long", "long below", "device"]


@pytest.mark.parametrize("case", CASES)
def test_a_place_is_tried_before_the_work(case, tmp_path):
    place, says = out_of(case, tmp_path)
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(FileError, match=says):
        OutputFolder(place)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_place_that_can_be_written_is_left_as_it_was(tmp_path):
    OutputFolder(tmp_path / "a" / "b")
    OutputFolder(tmp_path)
    assert not list(tmp_path.iterdir())


def test_if_the_place_is_gone_the_results_are_kept_elsewhere(two, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    (tmp_path / "disk").mkdir()
    folder = OutputFolder(tmp_path / "disk" / "cell")
    (tmp_path / "disk").rmdir()
    (tmp_path / "disk").write_text("")
    with pytest.raises(FileError, match=r"cannot be written: .*; the results are kept in .*spikefab-fit-"):
        folder.save_fit(two[0], {"total": 1.0})
    (kept,) = (tmp_path / "tmp").iterdir()
    assert FitResults.load(kept).best.codes == two[0].best.codes


def test_an_interrupt_while_a_dataclass_is_made_has_the_exit_code_of_others(tmp_path):
    """Python ends itself by SIGINT if an interrupt passes through an `exec` of text, though it is caught."""
    (tmp_path / "program.py").write_text(
        "import spikefab.cli as cli\n"
        "cli._run = lambda argv: exec('import os, signal; os.kill(os.getpid(), signal.SIGINT)')\n"
        "cli.entry()\n"
    )
    ran = subprocess.run([sys.executable, "-m", "program"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (130, "spikefab: interrupted; nothing was saved.\n")


def test_an_interrupt_that_python_must_ignore_comes_again(tmp_path):
    """It ignores what is raised in a function that C code calls, as LLVM does to look into a cache."""
    (tmp_path / "program.py").write_text(
        "import ctypes, os, signal, time, spikefab.cli as cli\n"
        "call = ctypes.CFUNCTYPE(None)(lambda: os.kill(os.getpid(), signal.SIGTERM))\n"
        "cli._run = lambda argv: [call(), time.sleep(20)]\n"
        "cli.entry()\n"
    )
    ran = subprocess.run([sys.executable, "-m", "program"], cwd=tmp_path, capture_output=True, text=True)
    assert (ran.returncode, ran.stderr) == (143, "spikefab: interrupted; nothing was saved.\n")


SAVING = """
import os, signal, sys
from pathlib import Path
import spikefab.files as files
from spikefab.cli import entry

fill = files.fill

def slow(folder, write):
    def written(scratch):
        write(scratch)
        {what}
    fill(folder, written)

import spikefab.fit.report.folder as folder
folder.fill = slow
entry()
"""


@pytest.mark.parametrize(
    ("number", "code", "times"),
    [
        ("SIGINT", 130, 5),
        *(pytest.param(*x, marks=pytest.mark.slow) for x in (("SIGTERM", 143, 2), ("SIGHUP", 129, 1))),
    ],
)
def test_a_signal_while_a_finished_fit_is_written(number, code, times, tmp_path, cells_of_two):
    ran = run_saving(tmp_path, cells_of_two[0], f"for _ in range({times}): os.kill(os.getpid(), signal.{number})")
    assert ran.returncode == code, ran.stderr
    assert f"interrupted; the finished fit is in {tmp_path / 'cell'}." in ran.stderr
    assert "LIFNeuron" in ran.stdout
    results = FitResults.load(tmp_path / "cell")
    assert not results.interrupted and (tmp_path / "cell" / "report.html").exists()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cell", "cell.csv"]


@pytest.mark.slow
def test_a_ranking_is_shown_whatever_becomes_of_the_files(tmp_path, cells_of_two):
    ran = run_saving(tmp_path, cells_of_two[0], "import errno; raise OSError(errno.ENOSPC, 'No space left')", "--json")
    assert ran.returncode == 3 and "the results are kept in" in ran.stderr and "Traceback" not in ran.stderr
    assert json.loads(ran.stdout)["results"][0]["model_name"] == "LIFNeuron"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cell.csv", "tmp"]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGHUP, 129, marks=pytest.mark.slow)]
)
def test_a_signal_in_mid_search_saves_the_best_so_far(number, code, tmp_path, cells_of_two):
    path = write(tmp_path, cells_of_two[0])
    words = [
        "fit",
        str(path),
        "--models",
        "LIF",
        "--budget",
        "10000000",
        "--whole-budget",
        "--out",
        str(tmp_path / "cell"),
    ]
    child = subprocess.Popen([sys.executable, "-m", "spikefab", *words], stderr=subprocess.PIPE, text=True)
    for line in child.stderr:
        if "evaluations" in line or "LIF" in line:
            break
    time.sleep(3)
    child.send_signal(number)
    _, err = child.communicate(timeout=120)
    assert child.returncode == code, err
    assert f"interrupted; the best so far is in {tmp_path / 'cell'}." in err
    assert FitResults.load(tmp_path / "cell").interrupted
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cell", "cell.csv"]


def write(place, cell):
    path = place / "cell.csv"
    voltage, current = (x[0] for x in cell)
    rows = [f"{k * DT:.3f},{v:.4f},{i:.3f}" for k, (v, i) in enumerate(zip(voltage, current, strict=True))]
    path.write_text("\n".join(["t_ms,V_mV,I_nA", *rows]) + "\n")
    return path


def run_saving(tmp_path, cell, what, *more):
    path = write(tmp_path, cell)
    words = ["fit", str(path), "--models", "LIF", "--budget", "100", "--out", str(tmp_path / "cell"), *more]
    (tmp_path / "tmp").mkdir()
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp")}
    ran = subprocess.run(
        [sys.executable, "-c", SAVING.format(what=what), *words], capture_output=True, text=True, env=env
    )
    if not list((tmp_path / "tmp").iterdir()):
        (tmp_path / "tmp").rmdir()
    return ran
