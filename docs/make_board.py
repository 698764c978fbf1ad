"""`python docs/make_board.py` fills the marked parts of docs/board.md: from boards/link.py, boards/table.py, options, and errors.

A part begins with `<!-- made: NAME -->` and ends with `<!-- end -->`; SECTIONS says which function makes it. The words of most
tables are the comments of the source, so that the page says what the code says. It is one file because the words of the table of
errors are checked against the code by what else is here.
"""

import ast
import inspect
import json
import re
from collections.abc import Callable, Iterable
from enum import IntEnum, IntFlag
from functools import cache
from pathlib import Path
from types import ModuleType

from spikefab.boards import connection, link, playing, ports, programming, session
from spikefab.boards.build import steps_per_second
from spikefab.boards.link import Control, Flag, Kind, Op
from spikefab.boards.table import BOARDS, Board
from spikefab.boards.top import LED_SECONDS, Setup
from spikefab.cli import make_parser
from spikefab.hw.models import MODELS, LIFNeuron

PAGE = Path(__file__).parent / "board.md"
DT = 0.1  # ms, of the figures
EXAMPLE = Setup(LIFNeuron(word=16, dt=DT), BOARDS["icebreaker"])  # bitstream of the examples

# References of link.py's comments that are a part of the page
PARTS = {"`Layout.entry`": "[sizes](#sizes)", "`Layout.record`": "[sizes](#sizes)"}
PARTS |= {"`Control`": "[control register](#the-control-register)", "`Flag`": "[flags](#flags)"}

IDENTITY = {
    "link": "version of this protocol",
    "model": "name of the model",
    "settings": "choices between variants of the model",
    "word": "bits of the number format",
    "dt": "ms, of a step",
    "i": "format of the current: bits before the point with the sign, and bits behind it. nA = code / 2**(bits behind)",
    "v": "format of the voltage, alike: mV = code / 2**(bits behind)",
    "coefficients": "formats of the first registers. The address of a register is its place: the first one is 0",
    "states": "formats of the registers behind these, whose addresses go on",
    "bytes": "of a code, of an entry of the stimulus, of a record",
    "board": "name of the board",
    "depth": "entries of the stimulus that the board holds",
    "clock": "Hz, of the neuron",
    "tick": "clocks of a step in free-run",
    "hash": "of what the exact reference computes in 400 steps: it differs if any equation or format does",
}

# Options of `spikefab run` -> what each does
OPTIONS = {
    "--current": "current from a text file, see below",
    "--sweep": "of a RESULT: current and initial state of this sweep, from 0 on (default: the sweep with most spikes)",
    "--step": "a step of so many nA. It begins after a tenth of `--seconds`; before it there are 0 nA",
    "--seconds": "s: length of `--step` (default 1), or how much of another current is run, from its beginning",
    "--free": "[free-run](#lockstep-and-free-run) (default: lockstep)",
    "--every": "steps between two samples: 1 (default), 4, 16, 256, or 32768. Each step with a spike has a sample too",
    "--noise": "uniform white noise, made by the board, of at most so many nA: rounded down to a power of two of codes",
    "--seed": "of the noise (default 1)",
    "--port": "such as /dev/ttyUSB1; `sim` or `sim:reference`: a simulated board (default: found by USB ids)",
    "--board": "the board to look for (default: any), or to simulate (default: icebreaker)",
    "--baud": "speed of the line, as it was built: 9600 or more (default 1000000)",
    "--word": "of a MODEL: bits, 16, 18 or 24 (default 18). A RESULT has a word of its own",
    "--rank": "of a RESULT: which of its models (default 1, the best)",
    "--models": "of a RESULT: file and class of a model of your own in it",
    "--load": "of a [population](#many-neurons): a table of its neurons",
    "--shown": "of a population: the neuron whose voltage is told (default 0)",
    "--neurons": "of a simulated board: how many neurons it holds (default: one that is no population)",
    "--lanes": "of a simulated population: pipelines side by side (default 1)",
    "--per-neuron": "of a simulated population: the coefficients that each neuron has for itself",
    "--out": "folder for [run.csv and run.npz](#what-run-writes) (default: nothing is written)",
    "--json": "one JSON object on stdout. Its `board` is what the board says that it is",
}

# The beginning of each sentence that a host can say -> why, what to do
SENTENCES = {
    "no board is connected": (
        "No USB device with these ids. The cable may have no wires for data, or the board has no power.",
        "See `lsusb`. Try another cable. If the ids of your board differ, give `--port`.",
    ),
    "no USB chip is on": (
        "USB is wired to the FPGA itself, or to a chip that only loads bitstreams.",
        "Connect a USB serial adapter of 3.3 V: its TX, RX and ground.",
    ),
    "2 ports may be": (
        "Two boards are connected, or another device with the same USB chip.",
        "`ls -l /dev/serial/by-id` shows which is which. Give one with `--port`.",
    ),
    "PORT may not be opened": (
        "You are not in the group of the port.",
        "Do what it says, or see [permissions](#permissions). `groups` shows whether it has worked.",
    ),
    "PORT is in use": (
        "Another program has the port: a terminal, a modem manager, another `spikefab run`.",
        "`fuser -v PORT` names it.",
    ),
    "there is no port": (
        "The name is wrong, or the board was plugged in again and has another one.",
        "`ls /dev/ttyUSB*`. The names in `/dev/serial/by-id` do not change.",
    ),
    "PORT is no serial port": ("A file, or a port that cannot be so fast.", "Take the port of the board."),
    "PORT cannot be set to": (
        "The driver refuses this speed.",
        "Build and run with another `--baud`, such as 115200.",
    ),
    "PORT cannot be opened": ("Anything else that the operating system says.", "Its own words follow."),
    "PORT is gone": (
        "The USB device disappeared: unplugged, reset, or a weak supply.",
        "Plug it in and run again. On the ULX3S the bitstream has to be loaded again too.",
    ),
    "PORT takes no bytes": ("The port accepts nothing: it is hardly that of a board.", "Give another `--port`."),
    "something answers": (
        "Bytes come, but not in frames: another bitstream, or another speed than was built.",
        "Flash again; give the `--baud` of the build. On the iCEBreaker the first port is not the UART.",
    ),
    "the board does not answer": (
        "Nothing comes. The wrong port, no bitstream, a bitstream of something else, or another speed.",
        "Flash again, and see that the port is the second one on the iCEBreaker. Unplug and plug in the board.",
    ),
    "the board answers but refuses": (
        "Its bitstream has the right identity, and yet refuses a frame: it is damaged, or not one of spikefab's.",
        "Flash the bitstream again.",
    ),
    "the board's identity is damaged": (
        "Frames come, but what they say of the neuron is wrong in itself.",
        "Flash the bitstream again. If it stays so: another cable, a smaller `--baud`.",
    ),
    "the board holds": (
        "It answers, but holds another neuron than the one that you asked for. DIFFERS is the first difference.",
        "Build and flash that one, or run the other one: see [which neuron](#which-neuron-a-bitstream-can-run).",
    ),
    "the line to PORT lost data": (
        "Frames with samples were damaged three times in a row.",
        "A shorter cable, no hub; else build with a smaller `--baud`.",
    ),
    "the line is too slow": (
        "Free-run with more samples than the line carries.",
        "`--every 4` or more, or lockstep. See [lockstep and free-run](#lockstep-and-free-run).",
    ),
    "a step takes longer": (
        "The interval of the model is longer than dt at this clock.",
        "Build with a larger `--clock` or dt, or run in lockstep.",
    ),
    "the host was too slow": (
        "Free-run with a stimulus that changes faster than the host could send it.",
        "Close other programs; reduce the [latency of USB](#permissions); or run in lockstep.",
    ),
    "PROGRAM could not load": (
        "`flash`: the program that loads bitstreams failed; its last line follows.",
        "Plug in the board, close what uses its port, see [permissions](#permissions), and type the program's command yourself.",
    ),
    "current and noise were together": (
        "Their sum left the range of the input in some step.",
        "Less of one of them.",
    ),
}
SAY = (connection, ports, session, playing, programming)  # modules with these sentences
# What stands in a sentence for the value of an expression
VALUES = {
    "path": "PORT", "self.name": "PORT", "self.port": "PORT", "baud": "BAUD", "ids": "IDS",
    "name": "BOARD", "pins": "PINS",
    "', '.join(chosen)": "PORTS", "len(chosen)": "2", "text": "(why)", "self.foreign": "120", "TRIES": str(playing.TRIES),
    "identity.get('model')": "MODEL", "identity.get('word')": "WORD", "differs": "DIFFERS",
    "words[0]": "PROGRAM", "lines[-1].rstrip('.')": "(why)", "type(neuron).__name__": "MODEL", "neuron.word": "WORD",
}  # fmt: skip


# -- what the source says --------------------------------------------------------------------------------------------


@cache
def comments(scope: str = "") -> dict[str, str]:
    """The comment behind each assignment of link.py, or of one of its classes, by name."""
    text = inspect.getsource(link)
    lines = text.splitlines()
    body: Iterable[ast.stmt] = ast.parse(text).body
    if scope:
        body = next(node for node in body if isinstance(node, ast.ClassDef) and node.name == scope).body
    found = {}
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            _, mark, comment = lines[(node.end_lineno or 1) - 1].partition("  # ")
            if mark:
                found[node.targets[0].id] = comment
    return found


def meaning(name: str, scope: str = "") -> str:
    text = comments(scope)[name]
    for old, new in PARTS.items():
        text = text.replace(old, new)
    return text.replace("**", r"\*\*")


def sentences(module: ModuleType) -> list[str]:
    """The sentences of a module's `BoardError`s, and of the functions that choose one, with words in place of values."""
    found = []
    for node in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "BoardError":
            found.append(node.args[0])
        if isinstance(node, ast.FunctionDef) and node.name in ("_why", "_silence"):
            found += [n.value for n in ast.walk(node) if isinstance(n, ast.Return) and n.value is not None]
    return [said for node in found if (said := in_words(node))]


def in_words(node: ast.expr) -> str:
    """A text, with words in place of values; "" for anything else."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if not isinstance(node, ast.JoinedStr):
        return ""
    parts = [VALUES[ast.unparse(p.value)] if isinstance(p, ast.FormattedValue) else in_words(p) for p in node.values]
    return "".join(parts)


# -- the sections ----------------------------------------------------------------------------------------------------


def table(columns: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = list(columns)
    lines = [head, ["---"] * len(head), *([str(cell) for cell in row] for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def code(text: str) -> str:
    return f"```text\n{text.rstrip()}\n```\n"


def boards() -> str:
    def usb(b: Board) -> str:
        if b.usb is None:
            return "none on the serial line: an adapter of 3.3 V, and `--port`"
        vendor, product, interface = b.usb
        return f"`{vendor:04x}:{product:04x}`, {('the only', 'the second')[interface]} port"

    def shown(b: Board, share: int) -> str:
        clocks = 1 << round(b.neuron_hz * LED_SECONDS).bit_length()
        return f"{1000 * clocks / share / b.neuron_hz:.2g} ms"

    def clock(b: Board) -> str:
        return f"{b.clock_mhz:g} MHz" if b.neuron_hz == b.clock_hz else f"{b.neuron_hz / 1e6:g} MHz, of {b.clock_mhz:g}"

    columns: dict[str, Callable[[Board], object]] = {
        "board": lambda b: f"`{b.name}`",
        "FPGA": lambda b: f"{b.device} ({b.family.name})",
        "clock": clock,
        "USB": usb,
        "programs that load a bitstream": lambda b: "<br>".join(
            f"`{text.format(bitstream=f'TOP.{b.family.bitstream}')}`" for text in b.programmers
        ),
        "pins": lambda b: b.pins_are,
        "LED, pulse after a spike": lambda b: f"{shown(b, 1)}, {shown(b, 16)}",
        "stimulus": lambda b: f"{b.stimulus:,}",
    }
    (baud,) = {b.uart_baud for b in BOARDS.values()}
    rows = ([of(b) for of in columns.values()] for b in BOARDS.values())
    below = (
        f"\nThe clock is that without `--clock`; the serial line has {baud:,} baud without `--baud`, on all of them. The pulse is "
        "on the spike pin; stimulus is in entries that the board holds.\n"
    )
    return table(columns, rows) + below


def udev() -> str:
    lines = ["# /etc/udev/rules.d/60-spikefab.rules"]
    chips = [*dict.fromkeys(b.usb[:2] for b in BOARDS.values() if b.usb)]
    vendors = dict.fromkeys(f"{vendor:04x}" for vendor, _ in chips)
    for vendor, product in chips:
        ids = f'ATTRS{{idVendor}}=="{vendor:04x}", ATTRS{{idProduct}}=="{product:04x}"'
        lines += [f'SUBSYSTEM=="{kind}", {ids}, TAG+="uaccess"' for kind in ("usb", "tty")]
    added = 'ACTION=="add", SUBSYSTEM=="usb-serial"'
    lines += [f'{added}, ATTRS{{idVendor}}=="{vendor}", ATTR{{latency_timer}}="1"' for vendor in vendors]
    return code("\n".join(lines))


def options() -> str:
    (commands,) = (action.choices for action in make_parser()._actions if action.dest == "command")
    values = {
        action.option_strings[-1]: f" {action.metavar}" if action.metavar else ""
        for action in commands["run"]._actions
        if action.option_strings and action.dest != "help"
    }
    assert values.keys() == OPTIONS.keys(), f"docs/make_board.py, OPTIONS: {values.keys() ^ OPTIONS.keys()}"
    return table(("option", "meaning"), ((f"`{name}{values[name]}`", text) for name, text in OPTIONS.items()))


def speeds() -> str:
    rows = []
    for word in EXAMPLE.board.words:
        setup = Setup(LIFNeuron(word=word, dt=DT), EXAMPLE.board)
        size = setup.layout.record_bytes
        line = (link.RECORDS * size + 6) * 10  # bits on the line of a frame full of records
        records = setup.baud * link.RECORDS // line
        share = f"{1000 / DT * line / link.RECORDS / setup.baud:.0%}"
        rows.append((word, f"{records:,}", f"{steps_per_second(setup):,}", share))
    return table(
        (
            "word",
            "records a second, at most",
            "steps a second in lockstep, at most",
            f"of the line in free-run, dt = {DT} ms",
        ),
        rows,
    )


def decimations() -> str:
    codes = [(every, f"`0b{link.decimated(every) >> link.RECORDS_AT:04b}`") for every in link.DECIMATIONS]
    rows = [(f"{every:,}", mask, f"{1000 / DT / every:,.2f}".removesuffix(".00")) for every, mask in codes]
    return table(
        ("steps between two records", "bits 10 .. 13, `every`", f"samples a second in free-run, dt = {DT} ms"), rows
    )


def _members(kind: type[IntEnum] | type[IntFlag], number: Callable[[int], str], head: str) -> str:
    return table(
        (head, "name", "meaning"),
        ((number(member), f"`{member.name}`", meaning(str(member.name), kind.__name__)) for member in kind),
    )


def operations() -> str:
    first = f"| 0 .. {min(Op) - 1} | | write the register of this address. payload: a code |\n"
    head, rule, *rest = _members(Op, str, "operation").splitlines(keepends=True)
    return "".join([head, rule, first, *rest])


def kinds() -> str:
    return _members(Kind, str, "kind")


def flags() -> str:
    return _members(Flag, lambda value: f"`0x{value:02x}`", "bit of the head")


def control() -> str:
    rows = [
        (member.value.bit_length() - 1, f"`{member.name}`", meaning(str(member.name), "Control")) for member in Control
    ]
    at, end = link.NOISE_AT, link.RECORDS_AT
    rows += [
        (at, "noise", "noise is added to the current"),
        (f"{at + 1} .. {end - 1}", "size", "bits of the noise, less one. With b bits it is -2\\*\\*(b-1) .. 2\\*\\*(b-1) - 1"),
        (f"{end} .. {link.CONTROL_BITS - 1}", "every", "which steps have a record: see the [table](#lockstep-and-free-run)"),
    ]  # fmt: skip
    return table(("bits", "name", "meaning"), rows)


def sizes() -> str:
    found: dict[tuple[int, ...], list[tuple[int, str]]] = {}
    for word in EXAMPLE.board.words:
        for name, model in MODELS.items():
            layout = Setup(model(word=word), EXAMPLE.board).layout
            key = (word, layout.code_bytes, layout.entry_bytes, layout.record_bytes)
            found.setdefault(key, []).append((word, name.removesuffix("Neuron")))
    rows = []
    for (word, *sizes_), names in found.items():
        every = len(names) == len(MODELS)
        rows.append((word, "all" if every else ", ".join(name for _, name in names), *sizes_))
    return table(("word", "models", "code", "entry", "record"), rows)


def examples() -> str:
    layout = EXAMPLE.layout

    def row(what: str, body: bytes, stuff: Callable[[bytes], bytes]) -> tuple[str, str, str]:
        return what, f"`{body.hex(' ')}`", f"`{stuff(body).hex(' ')}`"

    def register(number: int, what: int, value: int) -> bytes:
        return bytes([number << 6 | what]) + value.to_bytes(layout.code_bytes, "little")

    nA = EXAMPLE.neuron.datapath.current
    play = bytes([2 << 6 | Op.PLAY]) + layout.entry(int(nA.encode(0.5)), 256)
    record = layout.packed(7, False, int(EXAMPLE.neuron.datapath.readout.encode(-65)))
    rows = [
        row("identity block, page 0", bytes([Op.IDENTIFY, 0]), link.to_board),
        row("frame 0: restart", register(0, Op.CONTROL, Control.RESTART), link.to_board),
        row("frame 1: run, in lockstep", register(1, Op.CONTROL, Control.RUN), link.to_board),
        row("frame 2: 0.5 nA for 256 steps", play, link.to_board),
        row("its answer: frame 3 is next", bytes([Kind.ANSWER, 3, 0]), link.to_host),
        row("a record: step 7, no spike, -65 mV", bytes([Kind.RECORDS, 1 << 2 | 3]) + record, link.to_host),
    ]
    return table(("frame", "head to payload", "on the line"), rows)


def identity_() -> str:
    rows = [
        (f"`{key}`", f"`{json.dumps(value, separators=(',', ':'))}`", IDENTITY[key])
        for key, value in EXAMPLE.identity.items()
    ]
    return table(("key", "such as", "meaning"), ((k, v, text.replace("**", r"\*\*")) for k, v, text in rows))


def limits() -> str:
    names = ("VERSION", "BODY", "PAGE", "RECORDS", "SLOTS", "HOLD", "TIME_BITS", "NOISE_LAGS")
    rows = [(f"`{name}`", str(getattr(link, name)), meaning(name)) for name in names]
    holds = {
        n: ", ".join(b.name for b in BOARDS.values() if b.stimulus == n)
        for n in {b.stimulus: 0 for b in BOARDS.values()}
    }
    rows += [("stimulus", f"{n:,}", f"entries that a board holds: {names}") for n, names in holds.items()]
    return table(("name", "value", "meaning"), rows)


def silence() -> str:
    said = dict.fromkeys(sentence for module in SAY for sentence in sentences(module))
    rows = []
    for begin, (cause, todo) in SENTENCES.items():
        (*alike,) = (sentence for sentence in said if sentence.startswith(begin))
        assert alike, f"docs/make_board.py, SENTENCES: nothing says {begin!r} any more"
        rows.append((alike[0].replace("*", r"\*").replace("$", r"\$"), cause, todo))
    for sentence in said:
        assert sentence.startswith(tuple(SENTENCES)), f"docs/make_board.py, SENTENCES: what to do about {sentence!r}?"
    return table(("what it says", "why", "what to do"), rows)


SECTIONS: dict[str, Callable[[], str]] = {
    "boards": boards,
    "udev": udev,
    "options": options,
    "speeds": speeds,
    "decimations": decimations,
    "operations": operations,
    "kinds": kinds,
    "flags": flags,
    "control": control,
    "sizes": sizes,
    "examples": examples,
    "identity": identity_,
    "limits": limits,
    "silence": silence,
}


def page(text: str) -> str:
    """A text with its marked parts made anew. Each part stands in it once."""
    marked = re.findall(r"^<!-- made: (\S+) -->$", text, flags=re.MULTILINE)
    assert sorted(marked) == sorted(SECTIONS), "docs/board.md has not each part of docs/make_board.py once"

    def made(found: re.Match[str]) -> str:
        return f"<!-- made: {found[1]} -->\n{SECTIONS[found[1]]()}<!-- end -->\n"

    return re.sub(r"^<!-- made: (\S+) -->\n(?:.*\n)*?<!-- end -->\n", made, text, flags=re.MULTILINE)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
