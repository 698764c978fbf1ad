"""Compiles and runs simulations of a hardware design (RTL) with the runner of cocotb, each in its own process."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path

import cocotb_tools.config
import find_libpython
import numpy as np

from spikefab.errors import ToolError, UsageError
from spikefab.files import remove, temporary_prefix, unwritable
from spikefab.toolchain.cache import cache_dir, intact, is_plain, plain_place, seal, tell
from spikefab.toolchain.tools import require_tool, rtlil_to_verilog, simulator_env

TOP = "dut"  # name of the top module of every design that is simulated
COMPILERS = {"verilator": "verilator", "icarus": "iverilog"}  # simulator (cocotb's name): program that compiles
PRODUCTS = {"verilator": TOP, "icarus": "sim.vvp"}  # the only file of a compiled design that a run needs
OPTIONS = {"verilator": ("-Wno-fatal", "-O3"), "icarus": ()}  # arguments for the compiler
SUMS = "sums.json"  # file with the checksums of the others in a folder of the cache
# Object files of Verilator's library, which are kept: to compile them takes 4/5 of a build, and all designs share them.
LIBRARY = "verilated*.o"
PROGRAM = (
    "--cc",
    "--exe",
    "--build",
    "-O3",
    "-Wno-fatal",
    "-CFLAGS",
    "-O2",
    "--top-module",
    TOP,
)  # options of Verilator

# Start of a Python program whose process group ends with this process (its number is the first argument), were this killed:
# so do the compilers and simulators that it starts.
_GUARD = """
import ctypes, json, os, pathlib, signal, subprocess, sys
def end(*_):
    os.killpg(0, signal.SIGKILL)
signal.signal(signal.SIGTERM, end)
if sys.platform == "linux":
    ctypes.CDLL(None).prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG
if os.getppid() != int(sys.argv[1]):
    end()
"""
_COMMAND = f"{_GUARD}sys.exit(subprocess.run(sys.argv[2:]).returncode)"
# cocotb's runner changes the environment of its process and exits it on some errors: it runs in a separate process.
_RUNNER = f"""{_GUARD}
from cocotb_tools import config
from cocotb_tools.runner import get_runner
simulator, method, options, cocotb = json.loads(sys.argv[2])
if cocotb:
    config.share_dir, config.libs_dir = (pathlib.Path(cocotb, name) for name in ("share", "libs"))
getattr(get_runner(simulator), method)(**options)
"""


def build(
    design: str,
    simulator: str,
    *,
    folder: Path | None = None,
    progress: Callable[[str], None] | None = None,
    verilog: bool = False,
    more: tuple[str, ...] = (),
) -> Path:
    """Compile the simulation of a design (RTLIL, or Verilog; top module `dut`), and return the folder that holds it.

    more  options for the compiler, besides OPTIONS

    The compiled simulation is kept in `folder`, by default in the user's cache, under a hash of the design and the tools;
    if it is there already, nothing is compiled. It is moved there in one operation, so that a half-made one is never seen.
    `progress` is called with a sentence before a compilation. Raises `UsageError` and `ToolError`.
    """
    if simulator not in COMPILERS:
        raise UsageError(f"there is no simulator {simulator!r}: there are {', '.join(COMPILERS)}.")
    env = simulator_env(simulator)
    tool = require_tool(COMPILERS[simulator])
    folder = cache_dir("sim") if folder is None else Path(folder)
    # The path of cocotb's libraries is part of the key, because the compiled program contains it.
    options = (*OPTIONS[simulator], *more)
    recipe = (simulator, tool.version, version("cocotb"), str(cocotb_tools.config.libs_dir), *options)
    library = folder / f"library-{_digest(*recipe)}"
    built = folder / f"{simulator}-{_digest(design, *recipe)}"
    if _kept(built):
        return built
    if progress is not None:
        progress(f"compiling the design for {simulator}, once")
    folder.mkdir(parents=True, exist_ok=True)
    log = built.with_suffix(".log")
    with tempfile.TemporaryDirectory(prefix=temporary_prefix(), dir=plain_place()) as scratch:
        env = {**env, "TMPDIR": scratch}  # what a compiler that is killed leaves is deleted too
        source, target = Path(scratch) / f"{TOP}.v", Path(scratch) / "build"
        source.write_text(design if verilog else rtlil_to_verilog(design), encoding="utf-8")
        arguments = {
            "sources": [str(source)],
            "hdl_toplevel": TOP,
            "build_dir": str(target),
            "build_args": options,
            "always": True,
        }
        _lend(library, target)
        cocotb = ""
        if simulator == "verilator" and not is_plain(f"{env['VERILATOR_ROOT']}{cocotb_tools.config.libs_dir}"):
            env, cocotb = _linked(Path(scratch), env)
        _run(simulator, "build", arguments, env, log, cocotb)
        if simulator == "verilator":
            _keep_library(target, library)
        _keep_product(target / PRODUCTS[simulator], built)
    log.unlink(missing_ok=True)
    return built


def program(design: str, source: Path, *, progress: Callable[[str], None] | None = None, verilog: bool = False) -> Path:
    """Compile a design (RTLIL, or Verilog; top module `dut`) with Verilator and a C++ main of its own, and return the program.

    It is kept as in `build`. Raises `ToolError`.
    """
    env = simulator_env("verilator")
    recipe = ("program", require_tool("verilator").version, *PROGRAM)
    main = source.read_text(encoding="utf-8")
    library = cache_dir("sim") / f"library-{_digest(*recipe)}"
    built = cache_dir("sim") / f"program-{_digest(design, main, *recipe)}"
    if _kept(built):
        return built / TOP
    if progress is not None:
        progress("compiling the design for verilator, once")
    built.parent.mkdir(parents=True, exist_ok=True)
    log = built.with_suffix(".log")
    with tempfile.TemporaryDirectory(prefix=temporary_prefix(), dir=plain_place()) as scratch:
        folder = Path(scratch)
        text = design if verilog else rtlil_to_verilog(design)
        (folder / f"{TOP}.v").write_text(text, encoding="utf-8")
        (folder / "main.cpp").write_text(main, encoding="utf-8")
        env |= {"TMPDIR": scratch}
        if not is_plain(env["VERILATOR_ROOT"]):
            env, _ = _linked(folder, env)
        _lend(library, folder / "build")
        files = ("--Mdir", "build", f"{TOP}.v", "main.cpp", "-o", TOP)
        command = [sys.executable, "-c", _COMMAND, str(os.getpid()), "verilator", *PROGRAM, *files]
        _supervise(command, env, log, "verilator could not compile the design", cwd=scratch)
        _keep_library(folder / "build", library)
        _keep_product(folder / "build" / TOP, built)
    log.unlink(missing_ok=True)
    return built / TOP


def _lend(library: Path, target: Path) -> None:
    """Copy the objects of Verilator's library that are kept, if they are, to where a design will be compiled."""
    if _kept(library):
        shutil.copytree(library, target)
        # times in the future, so that make does not find the objects older than the makefile, which is written next
        for kept in target.iterdir():
            os.utime(kept, (soon := time.time() + 3600, soon))


def _keep_library(target: Path, library: Path) -> None:
    """Keep the objects of Verilator's library, if they are not yet kept. `target` is where a design was compiled."""
    if not library.exists():
        made = target.with_name("library")
        made.mkdir()
        for file in target.glob(LIBRARY):
            shutil.copy2(file, made / file.name)
        _keep(made, library)


def _keep_product(product: Path, built: Path) -> None:
    """Keep a compiled design, of which a run needs only this file."""
    made = product.parent.with_name("product")
    made.mkdir()
    product.rename(made / product.name)
    _keep(made, built)


def _linked(folder: Path, env: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """Links in a folder with a plain path to Verilator and cocotb, for packages whose own paths `make` would take apart.

    Returns the environment with which Verilator is found there, and the link to cocotb.
    """
    for name, target in (("verilator", env["VERILATOR_ROOT"]), ("cocotb", cocotb_tools.config.libs_dir.parent)):
        (folder / name).symlink_to(target)
    (folder / "bin").mkdir()
    # in place of the package's own start, a Perl script that calls a shell without quotes
    start = folder / "bin" / "verilator"
    start.write_text(f'#!/bin/sh\nexec {folder}/verilator/bin/verilator_bin "$@"\n', encoding="utf-8")
    start.chmod(0o755)
    path = os.pathsep.join([str(folder / "bin"), env["PATH"]])
    return {**env, "VERILATOR_ROOT": str(folder / "verilator"), "PATH": path}, str(folder / "cocotb")


def _digest(*parts: str) -> str:
    """A hash of the texts, for a folder's name."""
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:20]


def _kept(place: Path) -> bool:
    """Whether a folder is in the cache, as it was made. One that was damaged is deleted, with a notice."""
    if not place.exists():
        return False
    if place.is_dir() and intact(place / SUMS, _files(place)):
        return True
    tell(f"{place.name} in the cache is damaged: it is compiled again.")
    shutil.rmtree(place, ignore_errors=True)
    remove([place])
    return False


def _files(place: Path) -> list[Path]:
    return [p for p in place.rglob("*") if p.name != SUMS and not p.is_dir()]


def _keep(made: Path, place: Path) -> None:
    """Copy a finished folder to its final place, under another name first: a half-made one is never seen there."""
    seal(made / SUMS, _files(made))
    part = Path(tempfile.mkdtemp(prefix=f"{place.name}-", dir=place.parent))
    try:
        shutil.copytree(made, part / "whole")
        (part / "whole").rename(place)
    except OSError:  # another process was faster: its folder is just as good
        if not place.exists():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def play(built: Path, simulator: str, job: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a compiled simulation, in which `sim.bench` plays `job`, and return the arrays that the bench recorded.

    Raises `ToolError` if the simulation breaks off.
    """
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as scratch:
        folder = Path(scratch)
        try:
            np.savez(folder / "job.npz", allow_pickle=False, **job)
        except OSError as error:
            raise unwritable(folder.parent, error) from None
        files = {"SPIKEFAB_JOB": str(folder / "job.npz"), "SPIKEFAB_ANSWERS": str(folder / "answers.npz")}
        log = run(built, simulator, "spikefab.sim.bench", folder, files)
        if not (folder / "answers.npz").exists():
            raise ToolError(f"the simulation in {simulator} broke off: see {log}.")
        try:
            with np.load(folder / "answers.npz") as answers:
                found = dict(answers)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error):
            raise ToolError(
                f"the simulation in {simulator} did not write all of its answers: see whether {folder.parent} is full."
            ) from None
        log.unlink(missing_ok=True)
        return found


def run(built: Path, simulator: str, module: str, folder: Path, more: Mapping[str, str] | None = None) -> Path:
    """Run a compiled simulation with the cocotb tests of a module, in a working folder, and return the path of its log.

    more  environment variables. Raises `ToolError` if the simulation fails.
    """
    options = {
        "test_module": module,
        "hdl_toplevel": TOP,
        "hdl_toplevel_lang": "verilog",
        "build_dir": str(built),
        "test_dir": str(folder),
        "results_xml": str(folder / "results.xml"),
    }
    log = built.parent / f"{built.name}-run-{os.getpid()}.log"
    env = {**simulator_env(simulator), **(more or {}), "TMPDIR": str(folder)}
    # for a simulator that was linked under another path of cocotb's libraries, which is gone
    env["LD_LIBRARY_PATH"] = os.pathsep.join(
        [str(cocotb_tools.config.libs_dir), *filter(None, [env.get("LD_LIBRARY_PATH")])]
    )
    _run(simulator, "test", options, env, log)
    return log


def _run(
    simulator: str, method: str, options: Mapping[str, object], env: Mapping[str, str], log: Path, cocotb: str = ""
) -> None:
    """Call a method of cocotb's runner in a separate process, its output into `log`. Raises `ToolError` if it fails.

    cocotb  path of cocotb's package, if the runner shall use another than its own
    """
    if find_libpython.find_libpython() is None:
        name = f"{sys.version_info.major}.{sys.version_info.minor}"
        raise ToolError(f"cocotb needs Python's shared library, libpython{name}.so: apt install libpython{name}.")
    # With this variable, cocotb's runner would take itself for a part of a pytest run and behave differently.
    quiet = {key: value for key, value in env.items() if key != "PYTEST_CURRENT_TEST"}
    command = [sys.executable, "-c", _RUNNER, str(os.getpid()), json.dumps([simulator, method, options, cocotb])]
    verb = "compile the design" if method == "build" else "run the simulation"
    _supervise(command, quiet, log, f"{simulator} could not {verb}")


def _supervise(command: list[str], env: Mapping[str, str], log: Path, failure: str, cwd: str | None = None) -> None:
    """Run a command in a process group of its own, its output into `log`. Raises `ToolError`, which begins with `failure`."""
    with log.open("wb") as output:
        # A new process group: when the user interrupts, its compilers and simulators are ended together with it.
        process = subprocess.Popen(
            command,
            env=env,
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            status = process.wait()
        except BaseException:
            with suppress(ProcessLookupError):  # it has ended by itself
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            log.unlink(missing_ok=True)
            raise
    if status != 0:
        raise ToolError(f"{failure}: see {log}.")
