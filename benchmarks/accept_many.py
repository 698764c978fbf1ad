"""Many cells under three disturbances: the same bytes as a run that nothing disturbed. The account as JSON to a file.

    python -m benchmarks.accept_many benchmarks/results/many.json [--cells 200] [--budget 64] [--jobs 2]

Synthetic cells, two models each, and one file that is no recording, through `spikefab fit-many`. Then the same in other
folders, disturbed: workers are killed in the middle (SIGKILL); the run itself is (SIGKILL), and resumed; the disk is full
half-way (a small tmpfs where the kernel allows one, else a limit on the size of a file), and the run resumed with
room. Each must end with the same files, byte for byte, and with everything kept that was finished. Ends with status 8 if not.
"""

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from spikefab import LIFNeuron
from spikefab.fit.many.collect import collect

from . import running

MODELS = "lif,lapicque"
KILLS = 10  # number of workers that are killed, spread over the run
DT = 0.1  # sample step, ms


def make(folder: Path, cells: int) -> None:
    """Cells that differ in their membrane: four steps each, with noise; and a file that holds no numbers."""
    rng = np.random.default_rng(0)
    for k in range(cells):
        neuron = LIFNeuron(dt=DT, tau_m=rng.uniform(8, 30), V_th=rng.uniform(-55, -45))
        rheobase = next(i for i in np.geomspace(0.01, 10, 60) if fires(neuron, i))
        current = np.zeros((4, 2500))
        current[:, 500:2000] = rheobase * np.array([[0.7], [1.2], [1.5], [1.9]])
        columns = [np.arange(current.shape[1]) * DT]
        for i in current:
            neuron.reset()
            columns += [neuron.run(i) + rng.normal(0, 0.3, len(i)), i]
        header = ",".join(
            ["t_ms", *(f"{name}{s}_{unit}" for s in range(4) for name, unit in (("V", "mV"), ("I", "nA")))]
        )
        np.savetxt(
            folder / f"cell{k:03d}.csv",
            np.column_stack(columns),
            "%.5g",
            ",",
            header=header,
            comments="",
            encoding="utf-8",
        )
    (folder / "broken.csv").write_text("t_ms,V_mV,I_nA\n0,high,0\n", encoding="utf-8")


def fires(neuron: LIFNeuron, current: float) -> bool:
    neuron.reset()
    neuron.run(np.full(3000, current))
    return len(neuron.spikes) > 0


def command(recordings: Path, out: Path, options: argparse.Namespace) -> list[str]:
    start = [sys.executable, "-m", "spikefab", "fit-many", str(recordings), "--out", str(out), "--models", MODELS]
    return [*start, "--budget", str(options.budget), "--jobs", str(options.jobs)]


def files(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (out / "cells").iterdir()}


def finished(out: Path) -> int:
    return sum(1 for p in (out / "cells").glob("*.json") if not p.name.startswith(".")) if out.exists() else 0


def workers(pid: int) -> list[int]:
    """The processes of a run, without multiprocessing's own helper."""
    found = []
    for child in map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="utf-8").split()):
        try:
            if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes():
                found.append(child)
        except OSError:  # the process has ended already
            continue
    return found


def wait_for(process: subprocess.Popen, out: Path, count: int) -> bool:
    """Until `count` files are there; false if the run ended before."""
    while process.poll() is None:
        if finished(out) >= count:
            return True
        time.sleep(0.02)
    return False


def killed_workers(run: list[str], out: Path, total: int) -> dict:
    process = subprocess.Popen(run, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    killed = 0
    for k in range(KILLS):
        if not wait_for(process, out, (k + 1) * total // (KILLS + 2)):
            break
        for pid in workers(process.pid)[k % 2 : k % 2 + 1]:
            os.kill(pid, signal.SIGKILL)
            killed += 1
    return {"killed": killed, "status": process.wait()}


def killed_parent(run: list[str], out: Path, total: int) -> dict:
    process = subprocess.Popen(run, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    wait_for(process, out, total // 2)
    orphans = workers(process.pid)
    process.kill()
    status = process.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in orphans):
        time.sleep(0.02)
    return {"killed": 1, "status": status}


def full_disk(run: list[str], out: Path, sizes: list[int]) -> dict:
    """The run on a tmpfs with room for half, whose content is then kept; or with files limited to the median size."""
    out.mkdir()
    half = sum(-(-size // 4096) * 4096 for size in sizes) // 2
    small = f"mount -t tmpfs -o size={half} none {shlex.quote(str(out))}"
    isolated = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        able = subprocess.run([*isolated, small], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        able = False
    if able:
        aside = out.with_name("aside")
        script = f"{small} && {shlex.join(run)}; code=$?; cp -r {shlex.quote(str(out))} {shlex.quote(str(aside))}; exit $code"
        ran = subprocess.run([*isolated, script], capture_output=True, text=True, encoding="utf-8", check=False)
        shutil.copytree(aside, out, dirs_exist_ok=True)
    else:
        # the limit of file sizes in blocks of 512 bytes
        script = f"ulimit -f {sorted(sizes)[len(sizes) // 2] // 512}; exec {shlex.join(run)}"
        ran = subprocess.run(["sh", "-c", script], capture_output=True, text=True, encoding="utf-8", check=False)
    told = ran.stderr.strip().splitlines()[-1].replace(str(out), "OUT")
    return {"by": "tmpfs" if able else "limit", "status": ran.returncode, "told": told}


def main() -> int:
    parser = running.parser(__doc__)
    parser.add_argument("--cells", type=int, default=200)
    parser.add_argument("--budget", type=int, default=64)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    rows, good = [], True
    with tempfile.TemporaryDirectory() as scratch:
        recordings = Path(scratch) / "recordings"
        recordings.mkdir()
        make(recordings, options.cells)
        total = options.cells + 1
        whole = Path(scratch) / "whole"
        began = time.perf_counter()
        status = subprocess.run(command(recordings, whole, options), capture_output=True, check=False).returncode
        seconds = time.perf_counter() - began
        expected = files(whole)
        table = collect(whole)
        rows.append({"disturbance": "none", "status": status, "seconds": round(seconds, 1)})
        rows[0] |= {state: table[state] for state in ("done", "failed", "missing")}
        good = (status, table["done"], table["failed"]) == (4, options.cells, 1)
        sizes = [len(content) for content in expected.values()]
        for name, disturb, more, ends in (
            ("workers killed", killed_workers, total, 4),
            ("run killed", killed_parent, total, -signal.SIGKILL),
            ("disk full", full_disk, sizes, 3),
        ):
            out = Path(scratch) / name.replace(" ", "-")
            run = command(recordings, out, options)
            began = time.perf_counter()
            row = {"disturbance": name, **disturb(run, out, more)}
            there = files(out)
            whole_there = {n: b for n, b in there.items() if not n.startswith(".")}
            row |= {"finished": len(whole_there), "half_written": len(there) - len(whole_there)}
            row["damaged"] = sum(expected.get(n) != b for n, b in whole_there.items())
            before = {n: (out / "cells" / n).stat().st_mtime_ns for n in whole_there if not n.endswith(".error.json")}
            row["resumed_status"] = subprocess.run(run, capture_output=True, check=False).returncode
            row["redone"] = sum((out / "cells" / n).stat().st_mtime_ns != t for n, t in before.items())
            row["seconds"] = round(time.perf_counter() - began, 1)
            row["identical"] = files(out) == expected
            rows.append(row)
            print(row, flush=True)
            good &= row["identical"] and not row["damaged"] and not row["redone"] and row["status"] == ends
            good &= row["resumed_status"] == 4
            # only the run that survives killed workers must be complete; the others must really have been cut short
            good &= (len(whole_there) == total) == (disturb is killed_workers)
    settings = {"cells": options.cells, "models": MODELS.split(","), "budget": options.budget, "jobs": options.jobs}
    running.write(options.output, running.head() | settings | {"rows": rows})
    return 0 if good else running.MISSED


if __name__ == "__main__":
    sys.exit(main())
