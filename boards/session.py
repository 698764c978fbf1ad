"""`connect` to a board, real or simulated."""

from collections.abc import Callable
from contextlib import ExitStack

from spikefab.calls import public
from spikefab.errors import BoardError, UsageError, shortened
from spikefab.hw.neuron import Neuron, require_neuron

from .connection import Connection
from .identity import difference
from .playing import Board
from .population import Crowd
from .population_board import PopulationBoard
from .ports import open_port
from .table import BOARDS, get_board
from .top import Setup
from .twin import ReferenceTwin, RtlTwin, Twin

SIMULATED = {"sim": "the top level simulated by Verilator", "sim:reference": "the reference behind the same bytes"}


@public
def connect(
    port: str | None,
    neuron: Neuron,
    *,
    board: str | None = None,
    baud: int | None = None,
    crowd: Crowd | None = None,
    progress: Callable[[str], None] | None = None,
) -> Board:
    """A board that holds `neuron`; a context manager.

    port      of the serial line, such as /dev/ttyUSB1; None: found by the USB ids of the board. "sim" is the board's whole top
              level in Verilator, "sim:reference" the reference behind the same bytes
    board     which board to look for by its USB ids, or to simulate; None: any that is connected, or an icebreaker
    baud      bits per second; None: the board's
    crowd     of a simulated board: the population that it holds. A real one says itself what it holds
    progress  called with a sentence before something that takes long

    A board with a population is a `PopulationBoard`.

    Raises BoardError if there is no such port, nothing answers, or something else than this neuron's model and formats.
    """
    require_neuron(neuron)
    if port is not None and not isinstance(port, str):
        raise UsageError(f"a port is a text, such as /dev/ttyUSB1 or sim, not {shortened(port)}.")
    if port is not None and port.startswith("sim") and port not in SIMULATED:
        raise UsageError(f"there is no port {port}: simulated boards are {' and '.join(SIMULATED)}.")
    if crowd is not None and port not in SIMULATED:
        raise UsageError(
            "a board says itself how many neurons it holds: ask for a population (--neurons) only of a simulated one, "
            f"{' or '.join(SIMULATED)}."
        )
    wanted = [get_board(board)] if board is not None else list(BOARDS.values())
    setup = Setup(neuron, wanted[0], baud=baud, crowd=crowd)
    with ExitStack() as stack:
        path = port
        if port in SIMULATED:
            twin: Twin = RtlTwin(setup, progress) if port == "sim" else ReferenceTwin(setup)
            path = stack.enter_context(twin).path
        line = stack.enter_context(open_port(path, wanted, setup.baud))
        connection = Connection(line)
        identity = connection.identify()
        differs = difference(setup.identity, identity)
        if differs is not None:
            raise BoardError(
                f"the board holds {identity.get('model')} at word {identity.get('word')}, with {differs}: build and flash a "
                "bitstream of the neuron that you run, or run the one that the board holds."
            )
        kind = PopulationBoard if "crowd" in identity else Board
        found = kind(neuron, connection, identity, line.name, stack.pop_all())
        found.progress = progress
        return found
    raise AssertionError  # nothing above suppresses an exception
