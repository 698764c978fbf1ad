"""`python -m spikefab.boards.constraints` writes one constraints file per board (pins and clock) into constraints/.

The files are for people to read and for use with other build flows; `build` generates its own in the same way. The
content comes from `boards/table.py` and amaranth-boards. The pins are the same for every neuron, so any neuron serves.
"""

import sys
from pathlib import Path

from spikefab.hw.models import LIFNeuron

from .table import BOARDS, Board
from .top import Setup, Top


def constraints(board: Board) -> str:
    """Text of the constraints file of this board: resources and clock as comments, then the pins and the clock."""
    plan = board.platform().prepare(Top(Setup(LIFNeuron(), board)), name="top", emit_src=False)
    content = plan.files[f"top.{board.family.constraints}"]
    text = content if isinstance(content, str) else content.decode()
    # Comments and blank lines are dropped: Amaranth's comments hold only its version and placeholders.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(("#", "//"))]
    each = f"{board.multipliers} multipliers of {board.multiplier_bits} x {board.multiplier_bits} bits, " * bool(
        board.multipliers
    )
    header = (
        f"# {board.name}: {board.device}, from boards/ by `python -m spikefab.boards.constraints`; do not edit.",
        f"# Budget: {board.cells} cells, {each}{board.block_rams} block RAMs of {board.block_ram_bits} bits.",
        f"# Crystal: {board.clock_mhz:g} MHz. UART: {board.uart_baud} baud. Words: {', '.join(map(str, board.words))}.",
        f"# {board.pins_are}.",
        f"# Source: {board.source}.",
    )
    return "\n".join([*header, *lines, ""])


def file_name(board: Board) -> str:
    """Name of the constraints file of this board, such as `icebreaker.pcf`."""
    return f"{board.name}.{board.family.constraints}"


def main() -> None:
    """Write the files of all boards into the folder given on the command line, by default constraints/."""
    if len(sys.argv) > 2:
        raise SystemExit("usage: python -m spikefab.boards.constraints [FOLDER]")
    folder = Path(sys.argv[1] if len(sys.argv) == 2 else "constraints")
    folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS.values():
        (folder / file_name(board)).write_text(constraints(board), encoding="utf-8")
        print(folder / file_name(board))


if __name__ == "__main__":
    main()
