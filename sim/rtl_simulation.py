"""Building and running RTL simulations with cocotb's own runner, in processes of their own."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config
import find_libpython
import numpy as np

from spikefab.errors import ToolError, UsageError
from spikefab.toolchain.cache import cache_dir
from spikefab.toolchain.tools import require_tool, rtlil_to_verilog, simulator_env

TOP = "dut"
COMPILERS = {"verilator": "verilator", "icarus": "iverilog"}  # simulator, by cocotb's name: the tool that compiles
PRODUCTS = {"verilator": TOP, "icarus": "sim.vvp"}  # what of a build a run needs
OPTIONS = {"verilator": ("-Wno-fatal", "-O3"), "icarus": ()}
# Verilator's own library takes four fifths of a build and is the same for every design: its objects are kept as well.
LIBRARY = ("verilated.o", "verilated_dpi.o", "verilated_threads.o", "verilated_vpi.o")

# The runner changes its process's environment, and ends the process on some errors: it gets a process to itself.
_RUNNER = """
import json, sys
from cocotb_tools.runner import get_runner
simulator, method, options = json.loads(sys.argv[1])
getattr(get_runner(simulator), method)(**options)
"""


def build(
    rtlil: str, simulator: str, *, folder: Path | None = None, progress: Callable[[str], None] | None = None
) -> Path:
    """The folder with the compiled simulation of a design, module `dut`: found by content in `folder`, else made.

    `folder` is by default the cache. A build appears there whole or not at all.
    """
    if simulator not in COMPILERS:
        raise UsageError(f"there is no simulator {simulator!r}: there are {', '.join(COMPILERS)}.")
    env = simulator_env(simulator)
    tool = require_tool(COMPILERS[simulator])
    folder = cache_dir("sim") if folder is None else Path(folder)
    # An executable holds the path of cocotb's libraries: another environment has another build.
    recipe = (simulator, tool.version, version("cocotb"), str(cocotb_tools.config.libs_dir), *OPTIONS[simulator])
    library = folder / f"library-{_digest(*recipe)}"
    built = folder / f"{simulator}-{_digest(rtlil, *recipe)}"
    if built.exists():
        return built
    if progress is not None:
        progress(f"compiling the design for {simulator}, once")
    folder.mkdir(parents=True, exist_ok=True)
    log = built.with_suffix(".log")
    with tempfile.TemporaryDirectory(prefix=f"{built.name}-", dir=folder) as scratch:
        source, target = Path(scratch) / f"{TOP}.v", Path(scratch) / "build"
        source.write_text(rtlil_to_verilog(rtlil))
        options = {
            "sources": [str(source)],
            "hdl_toplevel": TOP,
            "build_dir": str(target),
            "build_args": OPTIONS[simulator],
            "always": True,
        }
        if library.exists():
            shutil.copytree(library, target)
            # its makefile is about to be written, and make must not think that the objects are older
            for kept in target.iterdir():
                os.utime(kept, (soon := time.time() + 3600, soon))
        _run(simulator, "build", options, env, log)
        if simulator == "verilator" and not library.exists():
            (Path(scratch) / "library").mkdir()
            for name in LIBRARY:
                shutil.copy2(target / name, Path(scratch) / "library" / name)
            _keep(Path(scratch) / "library", library)
        (Path(scratch) / "product").mkdir()
        (target / PRODUCTS[simulator]).rename(Path(scratch) / "product" / PRODUCTS[simulator])
        _keep(Path(scratch) / "product", built)
    log.unlink(missing_ok=True)
    return built


def _digest(*parts: str) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def _keep(made: Path, place: Path) -> None:
    try:
        made.rename(place)
    except OSError:  # another process was faster: what it made is as good
        if not place.exists():
            raise


def play(built: Path, simulator: str, job: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """What the bench records when it plays a job (see `bench`) on a build."""
    with tempfile.TemporaryDirectory(prefix="spikefab-") as scratch:
        folder = Path(scratch)
        np.savez(folder / "job.npz", allow_pickle=False, **job)
        options = {
            "test_module": "spikefab.sim.bench",
            "hdl_toplevel": TOP,
            "hdl_toplevel_lang": "verilog",
            "build_dir": str(built),
            "test_dir": scratch,
            "results_xml": str(folder / "results.xml"),
        }
        files = {"SPIKEFAB_JOB": str(folder / "job.npz"), "SPIKEFAB_ANSWERS": str(folder / "answers.npz")}
        log = built.parent / f"{built.name}-run-{os.getpid()}.log"
        _run(simulator, "test", options, {**simulator_env(simulator), **files}, log)
        if not (folder / "answers.npz").exists():
            raise ToolError(f"the simulation in {simulator} broke off: see {log}.")
        log.unlink(missing_ok=True)
        with np.load(folder / "answers.npz") as answers:
            return dict(answers)


def _run(simulator: str, method: str, options: Mapping[str, object], env: Mapping[str, str], log: Path) -> None:
    if find_libpython.find_libpython() is None:
        name = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ToolError(f"cocotb needs Python's shared library, libpython{name}.so: apt install libpython{name}.")
    # Under pytest the runner would read the results itself.
    quiet = {key: value for key, value in env.items() if key != "PYTEST_CURRENT_TEST"}
    command = [sys.executable, "-c", _RUNNER, json.dumps([simulator, method, options])]
    with log.open("w") as output:
        # In a group of its own: compilers and simulators that it started end with it when the user interrupts.
        process = subprocess.Popen(
            command,
            env=quiet,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait()
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            log.unlink()
            raise
    if status != 0:
        verb = "compile the design" if method == "build" else "run the simulation"
        raise ToolError(f"{simulator} could not {verb}: see {log}.")
