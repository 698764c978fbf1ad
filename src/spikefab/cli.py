"""The command line: its options, its exit codes, and the one sentence that a user sees when a command fails.

Each command imports the heavy modules that it needs when it runs, so that `--help` answers at once.
"""

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

from spikefab import __version__, interrupts
from spikefab.errors import SpikefabError, UsageError, on_command_line, readable, worded
from spikefab.terminal import prepare

EXIT_CODES = """exit codes:
  0 done, 2 usage, 3 file cannot be read or is of the wrong kind, 4 recording cannot be fitted (one of many: the others
  are), 5 a tool is missing, 6 does not fit the device, 7 misses timing, 8 hardware and reference differ, 9 the board
  does not answer or does not keep up, 130 interrupted (143 by SIGTERM, 129 by a closed terminal), 1 a defect of spikefab
"""


class _Parser(argparse.ArgumentParser):
    """A parser that raises UsageError where argparse prints its usage and exits, so that all errors look alike.

    rest   adds the arguments whose table takes some ms to import; called once, when the parser first parses
    """

    rest: Callable[["_Parser"], None] | None = None

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        rest, self.rest = self.rest, None
        if rest is not None:
            rest(self)
        return super().parse_known_args(args, namespace)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.rstrip('.')}; see {self.prog} --help.")


def entry() -> NoReturn:
    """The program `spikefab`: runs one command and ends the process with its exit code."""
    code = main()
    interrupts.ignore()  # a signal while Python cleans up would end the process with another exit code
    sys.exit(code)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; returns its exit code. A user's mistake is one sentence on stderr."""
    with interrupts.listening():
        return _answered(argv)


def _answered(argv: Sequence[str] | None) -> int:
    prepare()
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
        return code
    except SpikefabError as error:
        return _complain(" ".join(worded(error, on_command_line).split()), error.exit_code)
    except KeyboardInterrupt:
        return _complain("interrupted; nothing was saved.", interrupts.exit_code())
    except BrokenPipeError:
        # the program that reads our output has ended (`| head`): send what is still buffered to /dev/null
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        log = _log(argv)
        details = "Details are above." if log is None else f"Details are in {log}."
        return _complain(f"this is a defect of spikefab: {_first_line(error)} {details}", 1)


def _run(argv: list[str]) -> int:
    parser = make_parser()
    try:
        args = parser.parse_args(argv)
    except SystemExit as done:  # --help, --version
        return int(done.code or 0)
    if args.command is None:
        parser.print_help()
        return UsageError.exit_code
    from spikefab.console import Screen

    module, _, name = args.run.partition(":")
    command: Callable[[argparse.Namespace, Screen], int] = getattr(import_module(f"spikefab.{module}"), name)
    return command(args, Screen(args.json))


def _complain(sentence: str, code: int) -> int:
    print(f"spikefab: {sentence}", file=sys.stderr)
    return code


def _first_line(error: Exception) -> str:
    text = str(error).strip().splitlines()
    return f"{type(error).__name__}: {text[0].rstrip('.')}." if text else f"{type(error).__name__}."


def _log(argv: Sequence[str] | None) -> Path | None:
    """Write the traceback of the exception being handled to a file, to attach to a bug report; returns its path.

    Where no file can be written, the traceback is printed, and there is no path. Nothing is raised.
    """
    import platform
    import traceback
    from datetime import datetime

    from spikefab.toolchain.cache import log_dir

    command = " ".join(sys.argv if argv is None else ["spikefab", *argv])
    head = f"spikefab {__version__}, Python {platform.python_version()}, {platform.platform()}\n{command}\n\n"
    text = readable(head + traceback.format_exc())
    try:
        path = log_dir() / f"{datetime.now():%Y%m%d-%H%M%S}-{os.getpid()}.log"
        path.write_text(text, encoding="utf-8")
    except OSError:
        print(text, file=sys.stderr)
        return None
    return path


def make_parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="spikefab",
        description="From a recording of a neuron to a verified FPGA: fit point-neuron models in the number format of\n"
        "the hardware, rank them on data they have not seen, prove the winner bit for bit, build a bitstream.",
        epilog=EXIT_CODES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"spikefab {__version__}")
    parser.set_defaults(command=None)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands", parser_class=_Parser)

    def command(name: str, run: str, help: str, more: str = "") -> _Parser:
        made = commands.add_parser(name, help=help, description=f"{help}. {more}".strip(), allow_abbrev=False)
        made.add_argument("--json", action="store_true", help="one JSON object on stdout, all else on stderr")
        made.set_defaults(run=run)
        return made

    _add_fits(command)

    c = command("info", "views:info", "Show what a recording holds, and what was understood of it")
    _add_recording(c)
    c.add_argument("--picture", type=Path, metavar="OUT.png", help="draw all sweeps: voltage above current")
    c = command("features", "views:features", "Show the features of a recording")
    _add_recording(c)
    _add_definitions(c)
    c = command("models", "views:models", "List the models, or show one")
    c.add_argument("name", nargs="?", metavar="NAME", help="a model, with or without Neuron, or file.py:Class")
    c.add_argument("--draw", type=Path, metavar="FILE", help="write the data flow of NAME at word 18 as SVG")
    _add_boards(command)
    c = command("verify", "commands:verify", "Compare hardware and reference, bit for bit")
    _add_neuron(c)
    c.add_argument("--sim", choices=("verilator", "icarus"), default="verilator", help="simulator (default verilator)")
    c.add_argument("--steps", type=_positive, default=20_000, metavar="N",
                   help="steps; more if 50 spikes and every corner of the arithmetic take more (default 20000)")  # fmt: skip
    _add_build(command)
    c = command("export", "commands:export", "Export a neuron as Verilog, with a testbench; for FuseSoC or LiteX")
    _add_neuron(c)
    c.add_argument("--to", choices=("verilog", "fusesoc", "litex"), required=True,
                   help="verilog; the same with a core file of FuseSoC, or a module of LiteX")  # fmt: skip
    c.add_argument("--out", type=Path, metavar="DIR", help="folder (default: this one)")

    _add_many(command)

    c = command(
        "studio", "views:studio", "Serve the Studio: one page to import, see, compare, fit and deploy",
        "On 127.0.0.1 only, until Ctrl-C. DIR keeps recordings, fits and builds.",
    )  # fmt: skip
    c.add_argument("folder", type=Path, nargs="?", default=Path("spikefab-studio"), metavar="DIR",
                   help="project (default spikefab-studio)")  # fmt: skip
    c.add_argument("--port", type=int, default=8700, metavar="N", help="default 8700; 0 takes any")
    c.add_argument("--open", action="store_true", help="open it in the browser")

    c = command(
        "doctor", "doctor:doctor", "Show versions, tools and caches, what is missing, and what killed processes left"
    )
    c.add_argument("--sweep", action="store_true", help="delete the temporary folders that killed processes left")
    c = command(
        "demo", "demo:demo", "The whole story: recording, fit, ranking, regression, bitstream",
        "Without FILE the recording is made here, by scipy from Hodgkin-Huxley equations.",
    )  # fmt: skip
    c.add_argument("file", nargs="?", type=Path, metavar="FILE", help="a recording of your own")
    c.add_argument("--dt", type=float, metavar="MS", help="ms, the time step of the hardware (default 0.1)")
    c.add_argument("--out", type=Path, default=Path("spikefab-demo"), metavar="DIR", help="default spikefab-demo")
    c.add_argument("--board", default="icebreaker", metavar="NAME", help="default icebreaker")
    c.add_argument("--anyway", action="store_true", help="fit although units or current are in doubt")
    return parser


def _add_fits(command: Callable[..., _Parser]) -> None:
    fit = command("fit", "commands:fit", "Fit models to a recording and rank them")
    pareto = command(
        "pareto", "codesign:pareto", "Fit models, and show what their scores cost on a board",
        "At each word and in each form: logic cells, multipliers, block RAMs, neurons; estimated.",
    )  # fmt: skip
    dt = "ms between samples, if the file has no time; and the step of the hardware, if --step is not given"
    files = "report.html, result.json, traces and pictures"
    for c, more in ((fit, ""), (pareto, ", pareto.json, pareto.png, and a neuron.json to build for each")):
        _add_recording(c, fit=True, dt=dt)
        c.add_argument("--out", type=Path, metavar="DIR", help=f"folder for {files}{more}")
        c.add_argument(
            "--journal", type=Path, metavar="DIR", help="folder from which the same command goes on if it was killed"
        )
    pareto.add_argument(
        "--result", type=Path, metavar="DIR", help="the folder of a finished fit of FILE: nothing is searched again"
    )


def _add_recording(parser: _Parser, fit: bool = False, **helps: str) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="recording: abf, nwb, csv, tsv, txt, asc or dat")
    _add_flags(parser, fit, **helps)


def _add_flags(parser: _Parser, fit: bool, **helps: str) -> None:
    """Let the parser add the options of reading a recording, and with `fit` those of a fit, when it first parses."""

    def rest(parser: _Parser) -> None:
        from spikefab.fit.flags import add_fit, add_reading

        add_reading(parser, **helps)
        if fit:
            add_fit(parser)

    parser.rest = rest


def _add_definitions(parser: _Parser) -> None:
    """Let the help of `features` say what each feature is."""
    before = parser.rest

    def rest(parser: _Parser) -> None:
        from spikefab.fit.features.definitions import as_text

        if before is not None:
            before(parser)
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        parser.epilog = as_text()

    parser.rest = rest


def _add_build(command: Callable[..., _Parser]) -> None:
    c = command("build", "commands:build", "Build a bitstream for a board")
    _add_neuron(c)
    c.add_argument("--board", required=True, metavar="NAME", help="see spikefab boards")
    c.add_argument("--out", type=Path, metavar="DIR", help="folder for bitstream and logs (default build)")
    c.add_argument("--seed", type=int, default=1, metavar="N", help="of placement (default 1)")
    c.add_argument("--clock", type=float, metavar="MHZ", help="of the neuron, from a PLL (default: the board's)")
    c.add_argument("--baud", type=_positive, metavar="N", help="of the serial line (default 1000000)")
    c.add_argument("--form", choices=("shared", "pipelined"), help="shared: one neuron with one multiplier; pipelined: many "
                   "neurons, which take turns in a pipeline (default: by --neurons)")  # fmt: skip
    c.add_argument("--neurons", type=_neurons, metavar="N|max", help="max: as many as the board has memory and "
                   "time for (default: 1; pipelined: max)")  # fmt: skip
    c.add_argument("--lanes", type=_positive, default=1, metavar="L", help="pipelines side by side (default 1)")
    c.add_argument("--multipliers", type=_positive, metavar="M", help="of each lane (default: all that its steps need)")
    c.add_argument("--per-neuron", type=_names, default=(), metavar="NAMES", help="coefficients that each neuron has for itself, "
                   "such as V_th,b")  # fmt: skip
    c.add_argument("--seeds", type=_positive, default=1, metavar="N", help="placements that are tried (default 1)")
    _add_board(command)


def _add_board(command: Callable[..., _Parser]) -> None:
    c = command("flash", "on_board:flash", "Load a bitstream into a board",
                "With the board's own program, if it is installed; if not, it says what to type.")  # fmt: skip
    c.add_argument("bitstream", type=Path, metavar="BITSTREAM", help="file that build has written")
    c.add_argument("--board", required=True, metavar="NAME", help="see spikefab boards")

    c = command("run", "on_board:run", "Run a current through the neuron in a board, real or simulated",
                "In lockstep every sample is compared with the reference; --free lets the board keep its own time.")  # fmt: skip
    _add_neuron(c)
    _add_line(c)
    c.add_argument("--port", metavar="PORT", help="such as /dev/ttyUSB1 (default: found by the board's USB ids); sim: the top "
                   "level simulated by Verilator; sim:reference: the reference behind the same bytes")  # fmt: skip
    c.add_argument(
        "--sweep", type=int, metavar="N", help="of a RESULT: its current (default: of the sweep with most spikes)"
    )
    c.add_argument(
        "--current", type=Path, metavar="FILE", help="text: nA, one number a time step; or ms and nA, two a line"
    )
    c.add_argument("--step", type=float, metavar="NA", help="nA, from a tenth of --seconds on")
    c.add_argument(
        "--seconds", type=float, metavar="S", help="length of --step (default 1), or how much of a current is run"
    )
    c.add_argument("--free", action="store_true", help="free-run: one step a dt, by the clock of the board")
    c.add_argument("--every", type=int, default=1, metavar="N",
                   help="steps between two samples of the voltage: 1, 4, 16, 256; 32768: spikes only (default 1)")  # fmt: skip
    c.add_argument("--noise", type=float, metavar="NA", help="white noise made on the board, at most so large")
    c.add_argument("--load", type=Path, metavar="FILE", help="of a population: a table with a line for each neuron, and a column "
                   "for each parameter in which they differ")  # fmt: skip
    c.add_argument(
        "--shown",
        type=int,
        default=0,
        metavar="N",
        help="of a population: the neuron whose voltage is told (default 0)",
    )
    c.add_argument("--seed", type=_positive, default=1, metavar="N", help="of the noise (default 1)")
    c.add_argument("--out", type=Path, metavar="DIR", help="folder for run.csv and run.npz")

    c = command("twin", "on_board:twin", "Simulate a board: a serial port for a host program of your own",
                "Until Ctrl-C.")  # fmt: skip
    _add_neuron(c)
    _add_line(c)
    c.add_argument(
        "--reference", action="store_true", help="the reference behind the same bytes, in place of Verilator"
    )


def _add_line(c: _Parser) -> None:
    c.add_argument(
        "--board", metavar="NAME", help="see spikefab boards (default: any that is connected; simulated: icebreaker)"
    )
    c.add_argument("--baud", type=_positive, metavar="N", help="of the serial line, as it was built (default 1000000)")
    c.add_argument("--neurons", type=_positive, metavar="N", help="simulated: of a population (default: one neuron)")
    c.add_argument("--lanes", type=_positive, default=1, metavar="L", help="simulated: of a population (default 1)")
    c.add_argument("--per-neuron", type=_names, default=(), metavar="NAMES", help="simulated: as build takes it")


def _add_many(command: Callable[..., _Parser]) -> None:
    c = command(
        "fit-many", "many:fit_many", "Fit models to many recordings, a result file for each",
        "Run again, it does what is missing: cells that have a result are kept. Status 4 if some could not be fitted.",
    )  # fmt: skip
    c.add_argument("files", type=Path, nargs="+", metavar="DIR|FILE", help="recordings, or folders of them")
    c.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    c.add_argument("--shard", metavar="I/N", help="every N-th file from the I-th on: one job of N in a batch queue")
    c.add_argument("--jobs", type=_positive, metavar="N", help="processes (default: one a processor)")
    c.add_argument("--again", action="store_true", help="fit also the cells that have a result")
    _add_flags(
        c, fit=True, dt="as in fit", current="the injected current, one file for all recordings",
        electrode="which to read of NWBs that have several",
        sweeps="those to use, such as 0,3-7 (default: all)",
    )  # fmt: skip
    c = command(
        "collect", "many:collect", "Make one table of the results of fit-many",
        "Writes table.csv and table.json. Status 4 if some cells have no result.",
    )  # fmt: skip
    c.add_argument("folder", type=Path, metavar="DIR", help="the --out of fit-many")


def _add_boards(command: Callable[..., _Parser]) -> None:
    c = command("boards", "views:boards", "List the boards, or what a model takes of each")
    c.add_argument(
        "model", nargs="?", metavar="MODEL", help="what it is estimated to take of each board, without synthesis"
    )
    c.add_argument("--word", type=int, choices=(16, 18, 24), help="bits (default: 18, or 16 where multipliers have 16)")


def _add_neuron(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what",
        metavar="RESULT|MODEL",
        help="result.json of a fit (or its folder), a GLIF model of the Allen Cell Types Database (JSON), or a model (name, "
        "or file.py:Class): its defaults",
    )
    parser.add_argument("--rank", type=int, metavar="K", help="which of a result's models (default 1, the best)")
    parser.add_argument(
        "--word", type=int, metavar="N", help="bits of a MODEL, or of one of the atlas: 16, 18 or 24 (default 18)"
    )
    parser.add_argument(
        "--models", metavar="SOURCE", help="FILE.py:CLASS, file and class of a model of your own that a RESULT holds"
    )


def _neurons(text: str) -> int | str:
    return text if text == "max" else _positive(text)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _positive(text: str) -> int:
    value: Any = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number of 1 or more")
    return value
