"""Many cells: whatever is killed, filled or broken on the way, the files are those of a run that nothing disturbed."""

import csv
import errno
import json
import multiprocessing
import os
import resource
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from spikefab import Recording, fit, fit_many, read
from spikefab.errors import FileError, ToolError
from spikefab.fit.many.collect import collect
from spikefab.fit.many.files import find
from spikefab.fit.results import FitResults

from .cells import COUNT, OPTIONS, Inline

COMMAND = [sys.executable, "-m", "spikefab", "fit-many", "--models", "lif,lapicque", "--budget", "96", "--seed", "3"]


def files(out):
    """Everything that is in the folder of cells: names and bytes."""
    return {p.name: p.read_bytes() for p in (out / "cells").iterdir()}


def test_each_cell_is_what_fit_gives_and_a_bad_file_stops_nothing(folder, whole, tmp_path):
    assert [Path(c.file).name for c in whole.cells] == ["bad.csv", *(f"cell{k}.csv" for k in range(COUNT))]
    bad, *good = whole.cells
    assert (bad.state, bad.exit_code) == ("failed", 3)
    assert bad.error.startswith("bad.csv ")
    assert bad.error.endswith(".")
    assert json.loads((whole.out / "cells" / f"{bad.key}.error.json").read_text())["error"] == bad.error
    assert set(files(whole.out)) == {f"{bad.key}.error.json", *(f"{c.key}.json" for c in good)}
    for cell in good:
        best = FitResults.load(whole.out / "cells" / f"{cell.key}.json").best
        assert (cell.state, cell.model, cell.score) == ("done", best.model_name, best.combined_score)
    for cell in good[-2:]:
        path = fit(read(cell.file), **OPTIONS).save(tmp_path / "result.json")
        assert path.read_bytes() == (whole.out / "cells" / f"{cell.key}.json").read_bytes()


@pytest.mark.slow
def test_resuming_keeps_what_is_valid_and_refits_what_is_not(folder, whole, tmp_path):
    cells = fit_many(folder, Inline(), tmp_path, **OPTIONS)
    before = files(tmp_path)
    assert before == files(whole.out)
    torn, gone = (tmp_path / "cells" / f"{c.key}.json" for c in cells[1:3])
    torn.write_bytes(torn.read_bytes()[:1000])
    gone.unlink()
    again = fit_many(folder, Inline(), tmp_path, **OPTIONS)
    assert [c.state for c in again] == ["failed", "done", "done", *["kept"] * (COUNT - 2)]
    assert files(tmp_path) == before
    assert [(c.key, c.model, c.score) for c in again] == [(c.key, c.model, c.score) for c in cells]
    fresh = fit_many(folder / "cell0.csv", Inline(), tmp_path, resume=False, **OPTIONS)
    assert [c.state for c in fresh] == ["done"]
    assert files(tmp_path) == before


@pytest.mark.slow
def test_other_settings_and_other_content_are_other_cells(folder, tmp_path):
    file = tmp_path / "cell.csv"
    file.write_bytes((folder / "cell0.csv").read_bytes())
    out = tmp_path / "out"
    keys = {fit_many(file, Inline(), out, **OPTIONS)[0].key, fit_many(file, Inline(), out, **OPTIONS)[0].key}
    assert len(keys) == 1
    keys.add(fit_many(file, Inline(), out, **{**OPTIONS, "seed": 4})[0].key)
    file.write_bytes((folder / "cell1.csv").read_bytes())
    keys.add(fit_many(file, Inline(), out, **OPTIONS)[0].key)
    assert {f"{key}.json" for key in keys} == set(files(out))
    assert len(keys) == 3
    # the list of the first run gave way to that of the last one with its settings
    table = collect(out)
    assert (table["done"], table["missing"], len({row["run"] for row in table["cells"]})) == (2, 0, 2)


@pytest.mark.slow
def test_killed_workers_cost_nothing(folder, whole, tmp_path):
    """One that is idle, and one in the middle of a cell."""
    killed = []

    def kill(cell, finished, total):
        if cell.state == "done" and not killed:
            killed.extend(multiprocessing.active_children())
            for process in killed:
                os.kill(process.pid, signal.SIGKILL)

    cells = fit_many(folder, out=tmp_path, jobs=2, progress=kill, **OPTIONS)
    assert [process.exitcode for process in killed] == [-signal.SIGKILL] * 2
    assert [c.state for c in cells] == ["failed", *["done"] * COUNT]
    assert files(tmp_path) == files(whole.out)
    assert not multiprocessing.active_children()


def test_a_cell_whose_worker_is_lost_every_time_is_recorded(folder, tmp_path):
    tried = []

    class Losing(Inline):
        def submit(self, function, job, token):
            if not job["path"].endswith("cell0.csv"):
                return super().submit(function, job, token)
            tried.append(token)

            def result():
                raise OSError("killed")

            return SimpleNamespace(done=lambda: True, result=result)

    cells = fit_many([folder / "cell0.csv", folder / "cell1.csv"], Losing(), tmp_path, **OPTIONS)
    assert len(set(tried)) == 3
    assert [(c.state, c.exit_code) for c in cells] == [("failed", 1), ("done", 0)]
    assert "3 workers that had it were lost: killed." in cells[0].error
    assert [c.state for c in fit_many(folder / "cell0.csv", Inline(), tmp_path, **OPTIONS)] == ["done"]
    assert set(files(tmp_path)) == {f"{c.key}.json" for c in cells}  # the error is gone


def start(folder, out, *more, **how):
    return subprocess.Popen(
        [*COMMAND, folder, "--out", out, "--jobs", "2", *more], stderr=subprocess.PIPE, text=True, **how
    )


def children(pid):
    """Processes whose parent is `pid`, workers and multiprocessing's own helper."""
    return [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.mark.slow  # new processes, each with kernels to load
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children of a process are read from /proc")
def test_a_killed_parent_is_resumed_to_the_same_bytes(folder, whole, tmp_path):
    process = start(folder, tmp_path)
    while "LIFNeuron" not in (line := process.stderr.readline()) and "Lapicque" not in line:
        assert line, "ended before a cell did"
    workers = children(process.pid)
    assert workers
    process.kill()
    assert process.wait() == -signal.SIGKILL
    process.stderr.close()
    deadline = time.monotonic() + 30
    while any(Path(f"/proc/{pid}").exists() for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in workers), "orphans go with the cell that they had"
    assert len(files(tmp_path)) < len(files(whole.out))
    assert collect(tmp_path)["missing"] > 0
    cells = fit_many(folder, Inline(), tmp_path, **OPTIONS)
    assert "kept" in {c.state for c in cells}
    assert files(tmp_path) == files(whole.out)


@pytest.mark.slow  # new processes, each with kernels to load
def test_ctrl_c_keeps_what_is_finished(folder, whole, tmp_path):
    # one after the other, so that there is something left to interrupt however late this process gets its turn
    process = start(folder, tmp_path, "--jobs", "1", start_new_session=True)
    while "Neuron" not in process.stderr.readline():
        pass
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers as well
    rest = process.stderr.read()
    assert process.wait() == 130
    assert rest.splitlines()[-1].startswith("spikefab: interrupted; what is finished is kept in ")
    assert "Traceback" not in rest
    there = files(tmp_path)
    assert there.items() < files(whole.out).items()  # nothing half-written beside it
    process.stderr.close()
    fit_many(folder, Inline(), tmp_path, **OPTIONS)
    assert files(tmp_path) == files(whole.out)


@pytest.mark.slow
def test_a_full_disk_loses_nothing_and_is_one_sentence(folder, whole, tmp_path, monkeypatch):
    write, written = Path.write_text, []

    def full(self, text, **more):
        if self.parent.name == "cells" and "error" not in self.name:
            written.append(self)
            if len(written) == 3:
                write(self, text[:11], **more)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(self, text, **more)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(FileError, match="No space left on device; what is finished is kept") as told:
        fit_many(folder, Inline(), tmp_path, **OPTIONS)
    assert str(told.value).count(". ") == 0
    there = files(tmp_path)
    assert len(there) == len(files(whole.out)) - 1
    assert there.items() < files(whole.out).items()
    assert [c.state for c in fit_many(folder, Inline(), tmp_path, **OPTIONS)].count("done") == 1
    assert files(tmp_path) == files(whole.out)


@pytest.mark.slow  # new processes, each with kernels to load
def test_a_file_system_that_refuses_one_result(folder, whole, tmp_path):
    """A limit of the kernel's own, between the sizes of the results: all are written but the largest."""
    sizes = sorted(len(content) for content in files(whole.out).values())
    limit = (sizes[-2] + sizes[-1]) // 2
    process = start(folder, tmp_path, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    _, told = process.communicate()
    assert process.returncode == 3
    assert "cannot be written: File too large; what is finished is kept" in told.splitlines()[-1]
    assert "Traceback" not in told
    there = files(tmp_path)
    assert there.items() < files(whole.out).items()
    assert len(there) == len(sizes) - 1  # the largest comes last
    fit_many(folder, Inline(), tmp_path, **OPTIONS)
    assert files(tmp_path) == files(whole.out)


def test_shards_share_no_file_and_collect_tells_what_is_missing(folder, whole, tmp_path):
    cells = tmp_path / "cells"
    cells.mkdir()
    for path in sorted(folder.glob("*.csv"))[:4]:
        (cells / path.name).write_bytes(path.read_bytes())
    (cells / "same.csv").write_bytes((folder / "cell0.csv").read_bytes())  # in the first shard, cell0 in the second
    assert [Path(f).name for f in find(cells, tmp_path)] == [
        "bad.csv",
        "cell0.csv",
        "cell1.csv",
        "cell2.csv",
        "same.csv",
    ]
    written, before = [], {}
    for index, (done, failed, missing) in ((1, (1, 1, 3)), (2, (4, 1, 0))):
        fit_many(cells, Inline(), tmp_path / "out", shard=(index, 2), **OPTIONS)
        now = files(tmp_path / "out")
        assert before.items() <= now.items()
        written.append(len(now) - len(before))
        before = now
        table = collect(tmp_path / "out")
        assert (table["done"], table["failed"], table["missing"]) == (done, failed, missing)
    assert written == [2, 2]
    assert before.items() < files(whole.out).items()
    rows = {Path(row["file"]).name: row for row in table["cells"]}
    assert rows["same.csv"]["cell"] == rows["cell0.csv"]["cell"]
    together = fit_many(cells, Inline(), tmp_path / "out", **OPTIONS)
    assert [c.state for c in together] == ["failed", *["kept"] * 4]


def test_the_table(folder, whole):
    table = collect(whole.out)
    assert (table["done"], table["failed"], table["missing"]) == (COUNT, 1, 0)
    assert json.loads((whole.out / "table.json").read_text()) == table
    with (whole.out / "table.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    for row, cell, shown in zip(table["cells"], whole.cells, rows, strict=True):
        assert (row["file"], row["cell"], row["model"]) == (cell.file, cell.key, cell.model)
        assert (row["error"], row["exit_code"]) == (cell.error, cell.exit_code)
        assert (shown["file"], shown["model"], shown["error"]) == (cell.file, cell.model or "", cell.error or "")
        for name, value in row["params"].items():
            assert float(shown[f"param_{name}"]) == value
        if cell.state == "done":
            assert row["scores"]["combined_score"] == float(shown["combined_score"]) == cell.score
    assert set(files(whole.out)) == {p.name for p in (whole.out / "cells").iterdir()}
    with pytest.raises(FileError, match="no folder of spikefab fit-many"):
        collect(folder)


@pytest.mark.slow  # new processes, each with kernels to load
@pytest.mark.parametrize("kind", [ProcessPoolExecutor, ThreadPoolExecutor])
def test_executors_of_the_standard_library(kind, folder, whole, tmp_path):
    options = {"mp_context": multiprocessing.get_context("spawn")} if kind is ProcessPoolExecutor else {}
    with kind(2, **options) as executor:
        fit_many(folder, executor, tmp_path, **OPTIONS)
    assert files(tmp_path) == files(whole.out)


@pytest.mark.slow  # new processes, each with kernels to load
def test_an_executor_that_breaks_keeps_what_is_finished(folder, whole, tmp_path):
    def kill(cell, finished, total):
        if cell.state == "done":
            for process in multiprocessing.active_children():
                process.kill()

    with (
        ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as executor,
        pytest.raises(ToolError, match="takes no more work"),
    ):
        fit_many(folder, executor, tmp_path, progress=kill, **OPTIONS)
    assert files(tmp_path).items() < files(whole.out).items()
    fit_many(folder, Inline(), tmp_path, **OPTIONS)
    assert files(tmp_path) == files(whole.out)


@pytest.mark.slow  # a scheduler and two workers are started
def test_a_dask_cluster_of_which_a_worker_is_killed(folder, whole, tmp_path):
    import dask
    from distributed import Client, LocalCluster

    killed = []
    with (
        dask.config.set(temporary_directory=str(tmp_path / "dask")),
        LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, local_directory=str(tmp_path / "dask")
        ) as cluster,
        Client(cluster) as client,
    ):

        def kill(cell, finished, total):
            if cell.state == "done" and not killed:
                assert finished < total - 1
                killed.append(min(client.run(os.getpid).values()))
                os.kill(killed[0], signal.SIGKILL)

        cells = fit_many(folder, client, tmp_path / "out", progress=kill, **OPTIONS)
        assert killed
    assert [c.state for c in cells] == ["failed", *["done"] * COUNT]
    assert files(tmp_path / "out") == files(whole.out)


def test_a_defect_is_recorded_with_its_traceback(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Recording, "require_fit", lambda self, *_: [][0])
    (cell,) = fit_many(folder / "cell0.csv", Inline(), tmp_path, **OPTIONS)
    assert (cell.state, cell.exit_code) == ("failed", 1)
    assert cell.error == "this is a defect of spikefab: IndexError: list index out of range."
    (content,) = files(tmp_path).values()
    assert "require_fit" in json.loads(content)["traceback"]
