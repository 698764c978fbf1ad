"""The compiled ideal computes what the interpreted one computes, up to the last places of a float64."""

import numpy as np
import pytest
from numba import njit
from scipy import special

from spikefab.hw.datapath import datapath
from spikefab.hw.models import MODELS, GLIFNeuron, HodgkinHuxleyNeuron
from spikefab.sim import elementary, ideal, ideal_kernel
from spikefab.sim.engine import Float64
from spikefab.toolchain.cache import seal

CORTEX = HodgkinHuxleyNeuron.variant(kinetics="traub-miles")
KINDS = {**MODELS, "cortical": CORTEX, "cortical+M": CORTEX.variant(m_current=True)}
KINDS["GLIF5"] = GLIFNeuron.variant(**GLIFNeuron.LEVELS[5])
LEVELS = {  # nA, about which the current wanders: the models fire on it
    "LapicqueNeuron": 0.3,
    "LIFNeuron": 0.3,
    "QuadraticIFNeuron": 0.15,
    "ExpIFNeuron": 0.1,
    "IzhikevichNeuron": 0.15,
    "HodgkinHuxleyNeuron": 10.0,
    "FitzHughNagumoNeuron": 0.8,
    "HindmarshRoseNeuron": 2.0,
    "AlphaNeuron": 0.3,
    "ThetaNeuron": 0.4,
    "ResonateAndFireNeuron": 1.2,
}
STEPS = 2000


@pytest.fixture(params=KINDS)
def kind_and_level(request):
    return KINDS[request.param], LEVELS.get(request.param, 1.0)


def around(dp, n, rng):
    """Real coefficients (n, coefficients) of parameters around the defaults."""
    params = {name: np.clip(p.default * rng.uniform(0.95, 1.05, n), *p.bounds) for name, p in dp.params.items()}
    found = ideal.real_coefficients(dp, params)
    return np.stack([np.broadcast_to(found[name], n) for name in dp.coefficients], axis=-1)


def interpreted(dp, coefficients, states, current):
    """v (N, S, T), spikes (N, S, T) and end states (N, S, states) of N candidates over S currents, by `ideal.run`."""
    shape = (len(coefficients), len(current))
    named = {n: coefficients[:, k, None] for k, n in enumerate(dp.coefficients)}
    start = {n: np.broadcast_to(states[..., k], shape) for k, n in enumerate(dp.states)}
    every = np.broadcast_to(current.T[:, None], (current.shape[1], *shape))
    v, fired, end = ideal.run(dp, start, named, every)
    return v.transpose(1, 2, 0), fired.transpose(1, 2, 0), np.stack([end[n] for n in dp.states], axis=-1)


def test_the_interpreted_ideal(kind_and_level):
    """200 ms under a fluctuating and a constant current."""
    rng = np.random.default_rng(1)
    kind, level = kind_and_level
    dp = datapath(kind, 18, 0.1)
    coefficients = around(dp, 5, rng)
    states = np.repeat(ideal_kernel.rest(dp, coefficients)[:, None], 2, axis=1)
    noise = np.convolve(rng.normal(size=STEPS + 199), np.ones(200) / 200**0.5, "valid")
    current = np.stack([level * (1 + 0.5 * noise), np.full(STEPS, level)])
    v, fired, end = interpreted(dp, coefficients, states, current)
    out = ideal_kernel.simulate(dp, coefficients, current, max_spikes=STEPS, trace=True)  # from rest
    assert fired.any(axis=2).all()
    for n, s in np.ndindex(5, 2):
        assert np.array_equal(out.spikes[n, s, : out.count[n, s]], np.flatnonzero(fired[n, s]))
    assert out.trace == pytest.approx(v, rel=1e-9, abs=1e-8)
    assert out.end == pytest.approx(end, rel=1e-8, abs=1e-8)


def test_numbers_of_python_are_the_same_as_arrays(kind_and_level):
    """Bit for bit, for the trace of one candidate under one current."""
    kind, level = kind_and_level
    dp = datapath(kind, 18, 0.1)
    coefficients = ideal.real_coefficients(dp, kind.defaults())
    current = level * np.random.default_rng(3).uniform(0, 2, STEPS)
    begin = ideal.rest(dp, coefficients)
    v, fired, end = ideal.run(dp, begin, coefficients, current)
    arrays = ideal.run(
        dp, {n: np.full(2, x) for n, x in begin.items()}, coefficients, np.stack([current, current], axis=1)
    )
    assert fired.any() and np.array_equal(v, arrays[0][:, 1]) and np.array_equal(fired, arrays[1][:, 1])
    assert [*end.values()] == [x[1] for x in arrays[2].values()]
    # one step from anything that the registers hold: clamps, wraps and the ends of tables
    rng = np.random.default_rng(4)
    some = {n: rng.uniform(q.lo, q.hi, 300) * q.lsb for n, q in [*dp.coefficients.items(), *dp.states.items()]}
    every = ideal.run(dp, some, some, rng.uniform(-4, 4, (1, 300)))
    again = np.random.default_rng(4)
    for q in (*dp.coefficients.values(), *dp.states.values()):
        again.uniform(q.lo, q.hi, 300)
    for k, i in enumerate(again.uniform(-4, 4, 300)):
        one = {n: x[k] for n, x in some.items()}
        v, fired, end = ideal.run(dp, one, one, [i])
        assert (v[0], fired[0]) == (every[0][0, k], every[1][0, k])
        assert [*end.values()] == [x[k] for x in every[2].values()]


@pytest.mark.parametrize("formats", [(16, 0.05, 0.5), (24, 0.5, 8.0)], ids=str)
def test_one_step_from_anywhere(kind_and_level, formats):
    """Clamps, wraps and the ends of tables: states and coefficients from all that the registers hold."""
    rng = np.random.default_rng(2)
    dp = datapath(kind_and_level[0], *formats)

    def anything(registers, *shape):
        return np.stack([rng.uniform(q.lo, q.hi, shape) * q.lsb for q in registers.values()], axis=-1)

    coefficients, states = anything(dp.coefficients, 400), anything(dp.states, 400, 3)
    for k, q in enumerate(dp.states.values()):
        if q.f_bits == 0:  # counters and flags
            states[..., k] = np.round(states[..., k])
    current = anything({"i": dp.current}, 3)
    v, fired, end = interpreted(dp, coefficients, states, current)
    out = ideal_kernel.simulate(dp, coefficients, current, initial=states, trace=True)
    assert np.array_equal(out.count, fired.sum(axis=2))
    assert out.trace == pytest.approx(v, rel=1e-9, abs=1e-9)
    assert out.end == pytest.approx(end, rel=1e-9, abs=1e-9)


def test_error_sums():
    rng = np.random.default_rng(3)
    dp = datapath(MODELS["AdExNeuron"], 18, 0.5)
    coefficients, length = around(dp, 70, rng), np.array([300, 200])  # no multiple of the lanes
    current = rng.uniform(0, 2, (2, 300))
    data, outside = rng.normal(-60, 10, (2, 300)), (rng.random((2, 300)) < 0.8) * 1.0
    out = ideal_kernel.simulate(
        dp, coefficients, current, length=length, data=data, outside=outside, clip=-55.0, max_spikes=1, regress=True
    )
    v, fired, _ = interpreted(dp, coefficients, ideal_kernel.rest(dp, coefficients)[:, None], current)
    assert out.count.max() > 1  # more spikes than there is room for are still counted
    for s, n in enumerate(length):
        shown, wanted, counts = v[:, s, :n], data[s, :n], outside[s, :n]
        error = np.minimum(shown, -55.0) - np.minimum(wanted, -55.0)
        sums = [(counts * y).sum(axis=1) for y in (shown, shown**2, shown * wanted)]
        assert out.masked[:, s] == pytest.approx((counts * error**2).sum(axis=1), rel=1e-9)
        assert out.sums[:, s] == pytest.approx(np.stack(sums, axis=1), rel=1e-9)
        assert np.array_equal(out.count[:, s], fired[:, s, :n].sum(axis=1))


def test_settle_is_200_ms_of_the_baseline_from_rest():
    rng = np.random.default_rng(4)
    dp = datapath(MODELS["IzhikevichNeuron"], 18, 0.5)
    coefficients, baseline = around(dp, 6, rng), np.array([0.02, 0.0, 0.02, -0.1])
    held = np.repeat(baseline[:, None], 400, axis=1)
    _, _, end = interpreted(dp, coefficients, ideal_kernel.rest(dp, coefficients)[:, None], held)
    assert Float64(dp).settle(coefficients, baseline) == pytest.approx(end, rel=1e-9)


REACH = {"exp": 300, "expm1": 40, "exp2": 300, "exprel": 40, "tanh": 30, "cosh": 30, "sin": 20, "cos": 20, "tan": 1.55}


@pytest.mark.parametrize(("name", "reach"), REACH.items())
def test_elementary_functions(name, reach):
    function = getattr(elementary, name)

    @njit
    def over(x):
        return np.array([function(y) for y in x])

    rng = np.random.default_rng(5)
    x = np.concatenate([rng.uniform(-reach, reach, 20_000), rng.uniform(-1, 1, 20_000), [0, 1e-9, -1e-15]])
    wanted = getattr(special if name == "exprel" else np, name)(x)
    assert over(x) == pytest.approx(wanted, rel=2e-14, abs=2e-16 if name in ("sin", "cos") else 0)


def test_poles_of_the_tangent():
    """The sign at +-pi/2 as numpy has it: a read-out is limited there."""
    assert elementary.tan(np.pi / 2) > 1e15
    assert elementary.tan(-np.pi / 2) < -1e15


def test_a_function_without_a_statement_is_named():
    symbol = ideal_kernel.Symbol("n1", lambda *_: None)
    with pytest.raises(TypeError, match="no statement for arctanh"):
        np.arctanh(symbol)


def test_compiling_is_announced_once(tmp_path, monkeypatch):
    monkeypatch.delenv("SPIKEFAB_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    dp, told = datapath(MODELS["LIFNeuron"], 24), []
    ideal_kernel.announce(dp, told.append)
    kernel = ideal_kernel._source(dp)[0]
    folder = tmp_path / "spikefab" / "kernels"
    (folder / "__pycache__").mkdir()
    compiled = folder / "__pycache__" / f"{kernel}.kernel-1.py311.1.nbc"
    compiled.touch()
    seal(folder / f"{kernel}.json", [compiled])
    ideal_kernel.announce(dp, told.append)
    assert told == ["compiling the float64 LIFNeuron kernel for this machine, once"]
