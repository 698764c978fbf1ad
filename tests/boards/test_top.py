"""The top level: every model behind its serial line, and what the pins of a board show."""

import random
from itertools import pairwise

import pytest

from spikefab.boards import link
from spikefab.boards.link import Control, Op
from spikefab.boards.reference_board import noise_codes
from spikefab.boards.top import LED_SECONDS
from spikefab.hw.models import MODELS, AdExNeuron, HodgkinHuxleyNeuron, LIFNeuron
from tests.boards import host

NEURON = LIFNeuron(word=16)
DP = NEURON.datapath
ADDRESS = {register.name: register.address for register in DP.registers}


def same_as_reference(model, word, steps=24):
    """A short run in lockstep with strong currents and noise, from a potential near the threshold."""
    neuron = model(word=word)
    dp = neuron.datapath
    rng = random.Random(word)
    noise, _ = noise_codes(77, 9, dp.current.width, steps)
    lo, hi = dp.current.lo - int(noise.min()), dp.current.hi - int(noise.max())
    codes = [code for _ in range(steps // 2) for code in [rng.choice((0, hi // 4, hi, rng.randint(lo, hi)))] * 2]
    name, q = next(iter(dp.states.items()))
    near = (len(dp.coefficients), max(q.lo, min(q.hi, round(-58 / q.lsb))))
    first = 0, neuron.reset_codes[0] * 7 // 8

    async def script(h):
        await h.write(*near)
        await h.write(*first)
        await h.write(Op.SEED, 77)
        entries = [(code, 2) for code in codes[::2]]
        for k in range(0, len(entries), 12):
            await h.play(*entries[k : k + 12])
        await h.write(Op.CONTROL, Control.RUN | link.noise(9))
        await h.quiet()
        assert (await h.write(Op.CONTROL, 0)).flags == 0

    records = host.talk_in_amaranth(script, neuron).records
    assert records == host.reference_records(neuron, codes + noise, [(0, *near), (0, *first)]), name
    assert len({v for _, _, v in records}) > 3, "the stimulus has to move the neuron"


@pytest.mark.parametrize("word", [16, 18, 24])
@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_every_model_does_what_the_reference_does(model, word):
    same_as_reference(model, word)


@pytest.mark.parametrize(("some", "bits"), [(AdExNeuron, 16), (HodgkinHuxleyNeuron, 24)])
def test_some_models_do_what_the_reference_does(some, bits):
    """Two of those above, among the tests that are always run: codes of four and of five bytes."""
    same_as_reference(some, bits)


@pytest.mark.parametrize("potential", [-70, -60, -50, -1, 0, 20, 60])
def test_voltage_is_the_share_of_high_clocks(potential):
    """In as many clocks as the read-out has codes, the pin is high for its distance from the lowest, within one clock."""
    codes = 1 << DP.readout.width

    async def script(h):
        await h.write(ADDRESS["V_th"], DP.coefficients["V_th"].hi)
        await h.write(ADDRESS["V"], round(potential / DP.states["V"].lsb))
        await h.play((0, 1))
        await h.write(Op.CONTROL, Control.RUN)
        await h.quiet()
        before = h.high
        await h.pause(codes)
        shown.append((h.high - before)[2])

    shown = []
    ((_, spike, v),) = host.talk(script).records
    assert not spike
    assert v == pytest.approx(potential / DP.readout.lsb, abs=1 / DP.readout.lsb)
    assert shown[0] == pytest.approx(v - DP.readout.lo, abs=1)


def test_led_and_spike_show_a_spike_and_nothing_else():
    """About 20 ms and about 1 ms, from the same clock on; then they are dark, until the next spike."""

    async def script(h):
        await h.write(Op.CONTROL, Control.RUN)
        await h.play((0, 1))
        await h.pause(5000)
        lit.append(h.high)
        await h.write(ADDRESS["V_th"], DP.coefficients["V_th"].lo)
        for _ in range(2):
            await h.write(ADDRESS["hold"], 0)
            await h.play((0, 1))
            await h.pause(5000)
            lit.append(h.high)
            await h.pause(5000)
            assert list(h.high[:2]) == list(lit[-1][:2]), "it is lit without a spike"

    lit = []
    assert [spike for _, spike, _ in host.talk(script).records] == [False, True, True]
    assert list(lit[0][:2]) == [0, 0]
    for before, after in pairwise(lit):
        led, spike, _ = (after - before) / host.CLOCK_HZ
        assert 0.9 * LED_SECONDS < led < 2 * LED_SECONDS
        assert 0.0005 < spike < 0.003


def test_led_stays_lit_while_it_spikes():
    async def script(h):
        await h.write(ADDRESS["V_th"], DP.coefficients["V_th"].lo)
        await h.write(ADDRESS["n_ref"], 0)
        await h.play(*[(0, 256)] * 3)
        await h.write(Op.CONTROL, Control.RUN | Control.PACED | link.decimated(256))
        await h.pause(1000)
        before = h.high
        await h.pause(10_000)
        lit.append((h.high - before)[0])

    lit = []
    host.talk(script)
    assert lit == [10_000]
