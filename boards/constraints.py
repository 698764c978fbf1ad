"""`python -m spikefab.boards.constraints`: writes constraints/, one file a board, from the table and amaranth-boards.

They are there to be read and to be used outside this flow; `build` makes its own in the same way. The pins do not
depend on the neuron, so any will do.
"""

import sys
from pathlib import Path

from spikefab.hw.models import LIFNeuron

from .table import BOARDS, Board
from .top import Top


def constraints(board: Board) -> str:
    """The constraints of the top level on this board: its budget as a comment, then pins and clock."""
    plan = board.platform().prepare(Top(LIFNeuron(), board), name="top", emit_src=False)
    content = plan.files[f"top.{board.family.constraints}"]
    text = content if isinstance(content, str) else content.decode()
    # Amaranth's comments hold its version and empty places for additions.
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    header = (
        f"# {board.name}: {board.device}, from boards/ by `python -m spikefab.boards.constraints`; do not edit.",
        f"# Budget: {board.cells} cells, {board.multipliers} multipliers of {board.multiplier_bits} x "
        f"{board.multiplier_bits} bits, {board.block_rams} block RAMs of {board.block_ram_bits} bits.",
        f"# Clock: {board.clock_mhz:g} MHz. UART: {board.uart_baud} baud. Words: {', '.join(map(str, board.words))}.",
        f"# Source: {board.source}.",
    )
    return "\n".join([*header, *lines, ""])


def file_name(board: Board) -> str:
    return f"{board.name}.{board.family.constraints}"


def main() -> None:
    if len(sys.argv) > 2:
        raise SystemExit("usage: python -m spikefab.boards.constraints [FOLDER]")
    folder = Path(sys.argv[1] if len(sys.argv) == 2 else "constraints")
    folder.mkdir(parents=True, exist_ok=True)
    for board in BOARDS.values():
        (folder / file_name(board)).write_text(constraints(board))
        print(folder / file_name(board))


if __name__ == "__main__":
    main()
