"""What a design needs of a device's memory, counted, and how many neurons a board therefore holds.

The memories of a design are known from its trace, and which shapes a device's blocks have from its data sheet. In each bitstream
and bank that was built, the count is exact (`tests/boards/test_estimates.py`).
"""

from bisect import bisect_right
from collections.abc import Sequence

from spikefab.errors import UsageError
from spikefab.hw.bank import Bank
from spikefab.hw.datapath import Datapath
from spikefab.hw.lowering.pipelined import tables_read
from spikefab.hw.neuron import Neuron
from spikefab.hw.spram import Spram

from .crossing import EVENTS
from .devices import Family
from .link import SLOTS, identity_block
from .population import SEQUENCE, Crowd, Population
from .table import Board
from .top import Setup

# How much slower pipelines are whose words take several multipliers a product, at least: on a UP5K, 1,600 to 1,900 neurons
# at word 18 reached 19 to 28 MHz, where those at word 16 reach 40.
SPLIT = 2.5
Memories = Sequence[tuple[int, int]]  # bits of a word and words of each memory


def block_rams(memories: Memories, family: Family) -> int:
    """How many memory blocks of a family hold these memories: of each, as few as its shapes allow."""
    return sum(min(-(-width // w) * -(-depth // d) for w, d in family.shapes) for width, depth in memories)


def memories(setup: Setup) -> Memories:
    """The memories of a bitstream: of the link, and of the neuron or the population."""
    if setup.crowd is None:
        return [*link_memories(setup), *table_memories(setup.neuron.datapath)]
    assert isinstance(setup.part, Population)
    lanes, bank = setup.crowd.lanes, setup.part.lanes.banks[0]
    queue = (setup.crowd.index_bits, setup.part.queue_depth)
    each = [*bank_memories(bank, setup.board, lanes, setup.crowd.per_neuron), queue]
    # what passes between two clocks; a memory so small is made of look-up tables where these can be memories
    crossing = [(setup.part.number_bits, EVENTS)] if setup.crosses and not setup.board.family.small_memories else []
    return [*link_memories(setup), *crossing, *lanes * each]


def link_memories(setup: Setup) -> Memories:
    """The memories of the serial link: identity, stimulus, records."""
    layout = setup.layout
    return [
        (8, len(identity_block(setup.identity))),
        (8 + layout.current, layout.depth),
        (8 * layout.record_bytes, SLOTS),
    ]


def table_memories(dp: Datapath) -> Memories:
    return [(table.width, table.entries) for table in tables_read(dp.trace)]


def bank_memories(
    bank: Bank, board: Board, lanes: int = 1, per_neuron: Sequence[str] = (), count: int | None = None
) -> Memories:
    """The memories of one lane: of tables, of states, and of coefficients that each neuron has for itself.

    count: neurons of the lane, if they are not those of the bank
    """
    dp, block, count = bank.datapath, board.storage(lanes), bank.count if count is None else count
    states = sum(q.width for q in dp.states.values())
    if isinstance(block, Spram):
        states -= block.bits(states, bank.interval)
    found = [*table_memories(dp)]
    for width in (states, sum(dp.coefficients[name].width for name in per_neuron)):
        shape = block.shape(width, count) if isinstance(block, Spram) else block
        for first in range(0, count, shape.words):
            words = min(shape.words, count - first)
            found += [(min(shape.bits, width - low), words) for low in range(0, width, shape.bits)]
    return found


def most(
    neuron: Neuron, board: Board, lanes: int = 1, multipliers: int | None = None, per_neuron: tuple[str, ...] = (),
    hz: float | None = None,
) -> Crowd:  # fmt: skip
    """As many neurons as a board's memory holds, and as keep up with dt at a clock of so many hz (None: `Board.pipeline_hz`, or a
    part of it for words that take several multipliers a product).

    Raises UsageError if not even two a lane do.
    """

    def setup_of(count: int) -> Setup:
        return Setup(neuron, board, crowd=Crowd(lanes * count, lanes, multipliers, per_neuron))

    small = setup_of(2)
    assert isinstance(small.part, Population)
    bank = small.part.lanes.banks[0]
    block, largest = board.storage(lanes), board.block_rams * board.family.block.words
    if isinstance(block, Spram):
        largest = block.most(bank.interval)
    fixed = block_rams(memories(small), board.family) - lanes * block_rams(
        bank_memories(bank, board, lanes, per_neuron), board.family
    )

    def taken(count: int) -> int:
        return lanes * block_rams(bank_memories(bank, board, lanes, per_neuron, count), board.family)

    if hz is None:
        hz = board.pipeline_hz / (SPLIT if board.multipliers_each(neuron.word) > 1 else 1)
    clocks = int(hz * neuron.dt / 1000)
    # what the link does in between takes the longer by the ratio of the clocks
    between = (neuron.datapath.current.width + 3 * SEQUENCE) * max(1, round(hz / board.clock_hz))

    def paced(bank: Bank) -> int:
        return (clocks - bank.latency - between) // bank.interval

    def stored(free: int) -> int:
        return bisect_right(range(largest + 1), free, lo=2, key=taken) - 1

    count = min(stored(board.block_rams - fixed), paced(bank))
    while count >= 2:
        # more neurons have a longer latency, a deeper queue and longer names on the link: count them as they are
        setup = setup_of(count)
        assert isinstance(setup.part, Population)
        longest = paced(setup.part.lanes.banks[0])
        if count > longest:
            count = longest
        elif block_rams(memories(setup), board.family) > board.block_rams:
            count = stored(taken(count) - 1)
        else:
            return Crowd(lanes * count, lanes, multipliers, per_neuron)
    raise UsageError(f"{board.name} has no room for {2 * lanes} neurons of {type(neuron).__name__} in {lanes} lanes.")
