"""Both engines behind one interface: the same questions, answered in codes or in real numbers."""

import numpy as np
import pytest

from spikefab.hw.datapath import datapath
from spikefab.hw.models import AdExNeuron
from spikefab.sim import ideal, kernels
from spikefab.sim.engine import INTERPRETED, FixedPoint, Float64

BASELINES = np.array([0.0, -0.1])


@pytest.fixture(scope="module")
def dp():
    return datapath(AdExNeuron, 18, 0.1)


@pytest.fixture(scope="module")
def currents():
    """Two sweeps of unequal length, nA."""
    return [np.repeat([0.0, 1.0], 1500), np.repeat([-0.1, 1.2, 0.0], 600)]


def test_fixed_point_is_the_batch_kernel(dp, currents):
    engine = FixedPoint(dp)
    row = engine.quantise(AdExNeuron.defaults())[0]
    found = engine.run(row, currents, BASELINES)
    held = np.repeat(dp.current.encode(BASELINES)[:, None], 2000, axis=1)  # 200 ms
    settled = kernels.simulate(dp, row, held).end
    assert np.array_equal(found.initial, settled[0])
    for k, current in enumerate(currents):
        alone = kernels.simulate(dp, row, dp.current.encode(current), initial=settled[:, k], trace=True)
        assert np.array_equal(found.voltage[k], alone.trace[0, 0])
        assert np.array_equal(found.spikes[k], 0.1 * alone.spikes[0, 0, : alone.count[0, 0]])
    assert len(found.spikes[0]) > 1
    assert np.array_equal(engine.codes(row), row)
    assert {n: float(v) for n, v in engine.dequantise(row).items()} == {
        n: float(v) for n, v in dp.dequantise(row).items()
    }


def test_float64_interpreted_or_compiled(dp, currents):
    compiled, stepped = Float64(dp), Float64(dp, interpreted=True)
    row = compiled.quantise(AdExNeuron.defaults())[0]
    assert dict(zip(dp.coefficients, row, strict=True)) == ideal.real_coefficients(dp, AdExNeuron.defaults())
    a, b = (engine.run(row, currents, BASELINES) for engine in (compiled, stepped))
    assert a.initial == pytest.approx(b.initial, rel=1e-9)
    for k in range(2):
        assert a.voltage[k] == pytest.approx(b.voltage[k], abs=1e-6)
        assert np.array_equal(a.spikes[k], b.spikes[k])
    for n, value in compiled.dequantise(row).items():
        assert value == pytest.approx(AdExNeuron.defaults()[n])


def test_float64_interprets_sweeps_alone_or_together(dp, currents, monkeypatch):
    engine = Float64(dp, interpreted=True)
    row = engine.quantise(AdExNeuron.defaults())[0]
    alone = engine.run(row, currents, BASELINES)
    monkeypatch.setattr("spikefab.sim.engine.ONE_BY_ONE", 1)
    together = engine.run(row, currents, BASELINES)
    assert np.array_equal(alone.initial, together.initial)
    for a, b in zip([*alone.voltage, *alone.spikes], [*together.voltage, *together.spikes], strict=True):
        assert np.array_equal(a, b)


def test_either_engine_stands_for_the_same_codes(dp, currents):
    """Values that codes stand for are kept by both, and a move of a coefficient is one code."""
    fixed, real = FixedPoint(dp), Float64(dp)
    codes = fixed.quantise(AdExNeuron.defaults())[0]
    row = real.quantise(fixed.dequantise(codes))[0]
    assert row == pytest.approx(codes * real.moves)
    assert np.array_equal(real.codes(row), codes)
    for a, b in zip(fixed.formats.values(), real.formats.values(), strict=True):
        assert (a.decode(a.lo), a.decode(a.hi)) == (b.lo, b.hi)
    states = fixed.run(codes, currents, BASELINES).initial
    assert (
        np.abs(real.state_codes(real.run(row, currents, BASELINES).initial) - states)[:, 0].max() < 2**8
    )  # of V: guard bits
    assert fixed.identity() != real.identity()


def test_float64_is_interpreted_where_sweeps_are_short(dp, monkeypatch):
    told = []
    monkeypatch.setattr(kernels, "cached", lambda name: False)
    assert Float64.of(dp, INTERPRETED, told.append).interpreted
    assert not told
    assert not Float64.of(dp, INTERPRETED + 1, told.append).interpreted
    assert len(told) == 1
