"""Loads a bitstream into a board, with a program of the board's makers."""

import shlex
import shutil
import subprocess
from pathlib import Path

from spikefab.errors import BoardError, FileError, ToolError
from spikefab.toolchain.tools import TOOLS

from .table import Board


def command(board: Board, bitstream: Path) -> tuple[list[str], bool]:
    """The command that loads a bitstream, and whether its program is installed. The first one that is, is taken."""
    commands = [[word.format(bitstream=str(bitstream)) for word in text.split()] for text in board.programmers]
    for words in commands:
        if shutil.which(words[0]):
            return words, True
    return next(iter(commands), []), False


def flash(board: Board, bitstream: Path) -> str:
    """Load a bitstream into a board, and return the command that did it.

    Raises FileError for a file that is no bitstream of this board, ToolError if there is no program, BoardError if it fails.
    """
    suffix = f".{board.family.bitstream}"
    if not bitstream.is_file() or bitstream.suffix != suffix:
        raise FileError(
            f"{bitstream} is no bitstream for {board.name}, which is a file that ends in {suffix}: see spikefab build."
        )
    words, there = command(board, bitstream)
    if not words:
        raise ToolError(f"the description of {board.name} names no program that loads a bitstream: add `programmers`.")
    if not there:
        how = TOOLS[words[0]].install if words[0] in TOOLS else "see the makers of the board"
        raise ToolError(
            f"{words[0]}, which loads a bitstream, is not installed: {how}; then type: {shlex.join(words)}."
        )
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", errors="replace")
    if done.returncode:
        lines = (done.stderr.strip() or done.stdout.strip() or f"status {done.returncode}").splitlines()
        raise BoardError(f"{words[0]} could not load the bitstream: {lines[-1].rstrip('.')}; is the board connected?")
    return shlex.join(words)
