"""The queues of a board's link lose, double and disorder nothing, at their real depths and widths, for all time.

Proved by the SAT solver of yosys, by induction over the clocks: `ok` is high after a reset, and wherever it is high it is so in
the next clock. One entry, any one of all that are ever stored, is followed through the queue; what is true of it is true of
each. The memory is replaced by one that knows only this entry: what it reads anywhere else, and what it reads at an address in
the clock in which it is written, is anything. So no queue uses this, and a memory may be any that a device has.
"""

import pytest
from amaranth.hdl import Cat, Elaboratable, Fragment, Module, Mux, Signal

from spikefab.boards import queues
from spikefab.boards.link import SLOTS, Layout
from spikefab.boards.table import BOARDS
from tests.formal import induction

LAYOUTS = [
    Layout(23, word, word, depth)
    for depth, word in zip(sorted({b.stimulus for b in BOARDS.values()}), (16, 18, 24), strict=True)
]
NONE, STORED, KEPT, PLAYED = range(
    4
)  # where the entry that is followed is: not there, not committed, to be played, played


class OneCell(Elaboratable):
    """A memory that holds what was written with `mark`, at this address, while `following`."""

    def __init__(self, *, shape, depth, init, attrs=None):
        self.write, self.read = (type("Port", (), {})() for _ in range(2))
        for port in (self.write, self.read):
            port.addr, port.data = Signal(range(depth)), Signal(shape)
        self.write.en = Signal()
        self.mark, self.following = Signal(), Signal()
        self.chosen, self.cell, self.anything = Signal(range(depth)), Signal(shape), Signal(shape, name="anything")

    def write_port(self):
        return self.write

    def read_port(self):
        return self.read

    def elaborate(self, platform):
        m = Module()
        collision = self.write.en & (self.write.addr == self.read.addr)
        known = self.following & (self.read.addr == self.chosen) & ~collision
        m.d.sync += self.read.data.eq(Mux(known, self.cell, self.anything))
        with m.If(self.mark):
            m.d.sync += [self.chosen.eq(self.write.addr), self.cell.eq(self.write.data)]
        with m.Elif(self.write.en & (self.write.addr == self.chosen)):
            m.d.sync += self.cell.eq(self.write.data)
        return m


def stimulus(layout, loop, change=None):
    """A stimulus queue, used as its docstring allows, beside a count of its entries and a copy of the one that is followed.

    `loop`: the entries that were played may be played again; then no more are stored than the memory holds.
    """
    m = Module()
    queue = induction.loaded(queues, change, Memory=OneCell)["StimulusQueue"](layout)
    m.submodules.queue = Fragment.get(queue, None)
    inner, depth = queue.inner, layout.depth
    memory, done, read = (inner[name] for name in ("memory", "done", "read"))
    ok, seen, mark = induction.free("ok", "seen", "mark")
    action, asked = induction.free("action", "asked", width=2)
    place = Signal(2)
    ahead = Signal(range(depth))  # entries that are played before it
    index = Signal(range(depth + 1))  # in a loop: entries that were stored before it
    copy, spent = Signal(queue.entry_layout), Signal(8)  # what it is; the steps of it that were done
    waiting, pending = Signal(range(depth + 1)), Signal(6)  # entries that were committed and not played; not committed
    count = Signal(range(2 * depth))  # entries that were played
    total = Signal(range(depth + 1))  # in a loop: entries that were committed
    beyond = Signal()  # more than 63 entries since `opening`, as noise on the line may bring: there will be no `commit`
    settling, fresh = Signal(), Signal()  # the head was left a clock ago; the entry was stored a clock ago

    write, commit, opening, again = queue.write, queue.commit, queue.opening, queue.again
    m.d.comb += [
        opening.eq(action == 1),
        write.eq((action == 2) & ((total + pending < depth) if loop else 1)),
        commit.eq((action == 3) & ~beyond),
        queue.advance.eq((asked == 1) & ~settling & ~queue.empty),
        again.eq((asked == 2) & ~settling & queue.empty & loop),
    ]
    stored = Mux(beyond, memory.write.en, write & (waiting + pending != depth))
    popped = queue.advance & (done == read.data.steps)
    head = (place == KEPT) & (ahead == 0)
    m.d.comb += memory.mark.eq(stored & mark & (place == NONE) & ~beyond & (pending != 63))
    m.d.comb += memory.following.eq(place != NONE)

    left = Mux(again, total, waiting - popped)
    m.d.sync += [
        fresh.eq(memory.mark),
        settling.eq(queue.advance | again),
        count.eq(Mux(again, 0, count + popped)),
        total.eq(total + Mux(commit & loop, pending, 0)),
        waiting.eq(left + Mux(commit, pending, 0)),
        pending.eq(Mux(opening | commit, 0, pending + stored)),
        beyond.eq(~opening & (beyond | (stored & (pending == 63)))),
        ahead.eq(Mux(again, index, ahead - popped)),
    ]
    with m.If(memory.mark):
        m.d.sync += [
            place.eq(STORED),
            copy.eq(queue.entry),
            index.eq(total + pending),
            ahead.eq(left + pending),
            spent.eq(0),
        ]
    with m.Elif(place == STORED):
        with m.If(commit):
            m.d.sync += place.eq(KEPT)
        with m.Elif(opening | (stored & (pending == 63))):
            m.d.sync += place.eq(NONE)
    with m.Elif((place == PLAYED) & again):
        m.d.sync += place.eq(KEPT)
    with m.Elif(head & queue.advance):
        m.d.sync += spent.eq(Mux(popped, 0, spent + 1))
        with m.If(popped):
            m.d.sync += place.eq(PLAYED if loop else NONE)

    inside = (place == STORED) | (place == KEPT)
    claims = [
        queue.empty == (waiting == 0),
        beyond | (queue.full == (waiting + pending == depth)),
        queue.begun == count,
        # the entry that is followed, when all before it were played: its code, for as many steps as it has
        ~head | settling | (queue.code == copy.code),
        ~head | (popped == (queue.advance & (spent == copy.steps))),
    ]
    # What makes the induction hold: where the entry is in the memory, and what the queue's own registers are.
    invariants = [
        memory.write.en == stored,
        (count + waiting)[: len(count)] == inner["kept"],
        inner["more"] == pending,
        waiting + pending <= depth,
        (place != KEPT) | (ahead < waiting),
        (place != STORED) | ((ahead >= waiting) & (ahead < waiting + pending) & ~beyond),
        ~inside | (memory.chosen == (count + ahead)[: len(memory.chosen)]),
        (place == NONE) | (memory.cell == copy),
        ~(inside & (ahead == 0) & ~settling & ~fresh) | (read.data == copy),
        ~fresh | (place != KEPT),
        (waiting != 0) | (done == 0),
        spent == Mux(head, done, 0),
        *(
            [
                count + waiting == total,
                total + pending <= depth,
                ~inside | (index == count + ahead),
                (place != PLAYED) | ((index < count) & (memory.chosen == index[: len(memory.chosen)])),
            ]
            if loop
            else [place != PLAYED, total == 0]
        ),
    ]
    m.d.comb += [seen.eq(Cat(*claims).all()), ok.eq(Cat(*invariants).all() & seen)]
    return m, [ok, seen, action, asked, mark, queue.entry, memory.anything]


def records(layout, slots, change=None):
    """A queue of records between a source and a line that stop and go as they like."""
    m = Module()
    queue = induction.loaded(queues, change, Memory=OneCell)["RecordQueue"](layout, slots)
    m.submodules.queue = Fragment.get(queue, None)
    inner, size = queue.inner, layout.record_bytes
    memory, read = inner["memory"], inner["read"]
    ok, seen, mark = induction.free("ok", "seen", "mark")
    followed, ahead = Signal(), Signal(range(slots))  # a record is followed; there are so many before it
    copy, waiting, count = Signal(8 * size), Signal(range(slots + 1)), Signal(range(2 * slots))
    sent = Signal(range(size))  # bytes of the record at the head that were sent
    before, fresh = Signal(), Signal()  # there was this head a clock ago; the record was stored a clock ago

    offered, byte = queue.records, queue.bytes
    stored, taken = offered.valid & (waiting != slots), byte.valid & byte.ready
    popped = taken & (sent == size - 1)
    head = followed & (ahead == 0)
    m.d.comb += [memory.mark.eq(stored & mark & ~followed), memory.following.eq(followed)]
    m.d.sync += [
        waiting.eq(waiting + stored - popped),
        count.eq(count + popped),
        sent.eq(Mux(popped, 0, sent + taken)),
        before.eq((waiting != 0) & ~popped),
        fresh.eq(memory.mark),
        ahead.eq(ahead - popped),
    ]
    with m.If(memory.mark):
        m.d.sync += [followed.eq(1), copy.eq(offered.payload), ahead.eq(waiting - popped)]
    with m.Elif(head & popped):
        m.d.sync += followed.eq(0)

    claims = [
        queue.empty == (waiting == 0),
        offered.ready == (waiting != slots),
        ~byte.valid | (waiting != 0),
        byte.valid | ~before,  # there is a clock of pause before each record, at most
        ~byte.valid | (byte.payload.last == (sent == size - 1)),
        ~(head & byte.valid) | (byte.payload.byte == copy.word_select(sent, 8)),
    ]
    invariants = [
        memory.write.en == stored,
        byte.valid == before,
        count == inner["sent"],
        (count + waiting)[: len(count)] == inner["stored"],
        sent == inner["got"],
        sent < size,
        waiting <= slots,
        (waiting != 0) | ((sent == 0) & ~before),
        before == inner["settled"],
        ~followed | (ahead < waiting),
        ~followed | ((memory.chosen == (count + ahead)[: len(memory.chosen)]) & (memory.cell == copy)),
        ~(head & before & ~fresh) | (read.data == copy),
        ~(head & fresh & before),
    ]
    m.d.comb += [seen.eq(Cat(*claims).all()), ok.eq(Cat(*invariants).all() & seen)]
    return m, [ok, seen, mark, offered.valid, offered.payload, byte.ready, memory.anything]


@pytest.mark.parametrize("loop", [False, True], ids=["once", "loop"])
@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: str(layout.depth))
def test_stimulus_is_played_whole_and_in_order(layout, loop, tmp_path):
    """Each entry that was committed, and no other, for its steps; nothing is overwritten; what was not committed is forgotten."""
    assert induction.proved(*stimulus(layout, loop), tmp_path)


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: f"{layout.record_bytes} bytes")
def test_records_are_sent_whole_and_in_order(layout, tmp_path):
    assert induction.proved(*records(layout, SLOTS), tmp_path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.write & ~self.full", "self.write"),
        ("self.full.eq(stored == (self.begun ^ depth))", "self.full.eq(stored == (self.begun ^ depth) - 1)"),
        ("self.opening | self.commit", "self.commit"),
        ("self.empty.eq(self.begun == kept)", "self.empty.eq(self.begun == stored)"),
        ("done == read.data.steps", "done + 1 == read.data.steps"),
        ("read.addr.eq(self.begun)", "read.addr.eq(kept)"),
        ("stored.eq(kept + more)", "stored.eq(kept)"),
        ("with m.If(self.again):", "with m.If(self.again & ~self.commit):"),
    ],
    ids=lambda text: text,
)
def test_another_stimulus_queue_is_refuted(old, new, tmp_path):
    """Nothing but what the docstring of the queue says is asked of it, and each of it is."""
    assert induction.refuted(*stimulus(Layout(8, 4, 4, 4), "again" in old, (old, new)), tmp_path, 16)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("self.records.valid & self.records.ready", "self.records.valid"),
        ("~self.empty & settled", "~self.empty"),  # what it reads in the clock of the write
        ("settled.eq(0), sent.eq(sent + 1)", "sent.eq(sent + 1)"),
        ("Mux(self.bytes.payload.last, 0, got + 1)", "got + 1"),
        ("read.addr.eq(sent)", "read.addr.eq(stored)"),
    ],
    ids=lambda text: text,
)
def test_another_queue_of_records_is_refuted(old, new, tmp_path):
    assert induction.refuted(*records(Layout(8, 8, 8, 4), 4, (old, new)), tmp_path, 16)
