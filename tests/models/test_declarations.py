"""What a model declares: registers and their inverses, roles and traits, names that are misspelt, variants."""

import subprocess
import sys

import numpy as np
import pytest

from spikefab.hw.conversions import Conversion, decay, dt_over, dt_times, inverse, steps
from spikefab.hw.models import MODELS, AdExNeuron, GLIFNeuron, HodgkinHuxleyNeuron, IzhikevichNeuron, LIFNeuron
from spikefab.hw.neuron import Neuron
from spikefab.hw.spec import Param, Role, State

VARIANTS = [model.variant(**choice) for model in MODELS.values() for choice in model.tried]
VARIANTS += [GLIFNeuron.variant(**chosen) for chosen in GLIFNeuron.LEVELS.values()]
EVERY = pytest.mark.parametrize("model", VARIANTS, ids=lambda m: f"{m.__name__}{[*m.chosen.values()]}")


@EVERY
def test_parameters_and_coefficients_are_each_others_inverse(model):
    spec, rng = model.spec, np.random.default_rng(0)
    ends = [p.bounds for p in model.params().values()]
    values = {n: rng.uniform(lo, hi, 50) for n, (lo, hi) in zip(model.params(), ends, strict=True)}
    there = spec.coefficients(values, 0.1)
    assert list(there) == list(spec.registers)
    assert {*spec.registers.values()} == {*model.params()}
    back = spec.parameters(there, 0.1)
    assert list(back) == list(model.params())
    for name, value in values.items():
        np.testing.assert_allclose(back[name], value, rtol=1e-9, atol=1e-9, err_msg=name)


def test_a_parameter_without_a_conversion_is_its_own_coefficient():
    assert list(LIFNeuron.spec.registers) == ["k_m", "R_m", "V_th", "V_reset", "E_L", "n_ref", "V_peak"]
    values = LIFNeuron.spec.coefficients(LIFNeuron.defaults(), 0.1)
    assert (values["R_m"], values["n_ref"]) == (100.0, 20.0)
    assert values["k_m"] == -np.expm1(-0.1 / 20)


@pytest.mark.parametrize("conversion", [decay("k"), steps("k"), dt_over("k"), dt_times("k"), inverse("k", 1.5)])
def test_conversions(conversion):
    assert isinstance(conversion, Conversion)
    x = np.array([0.3, 7.0, 40.0])
    np.testing.assert_allclose(conversion.back(conversion.there(x, None, None, 0.05), None, None, 0.05), x, rtol=1e-12)


@EVERY
def test_roles(model):
    """One parameter for most roles; a read-out has both its parts; every unit is the one that the role is measured in."""
    held = [p.role for p in model.params().values() if p.role not in (None, Role.REVERSAL, Role.HALF_ACTIVATION)]
    assert len(held) == len(set(held))
    assert (Role.OFFSET in held) == (Role.SCALE in held)
    for p in model.params().values():
        assert p.role is None or p.role.value.endswith(f", {p.unit}")


@EVERY
def test_quantities_are_of_parameters_declared_before_and_invert(model):
    params = model.params()
    defaults = {name: p.default for name, p in params.items()}
    for k, p in enumerate(params.values()):
        if p.quantity is not None:
            assert p.quantity.of in [*params][: k + 1]
            quantity = p.quantity.there(p.default, defaults)
            assert p.quantity.bounds[0] <= quantity <= p.quantity.bounds[1]
            assert p.quantity.back(quantity, defaults) == pytest.approx(p.default)


@pytest.mark.parametrize(
    ("asked", "hint"),
    [("k_LL", "did you mean k_L?"), ("slop", "did you mean slope?"), ("qqq", "there are k_I, k_L, ")],
)
def test_a_misspelt_name_is_told(asked, hint):
    for values in (AdExNeuron.spec.registers, AdExNeuron.params(), AdExNeuron.states()):
        with pytest.raises(AttributeError, match=f"^AdEx has no {asked}: "):
            getattr(AdExNeuron.spec.names(values), asked)
    with pytest.raises(AttributeError) as caught:
        getattr(AdExNeuron.spec.names(AdExNeuron.spec.registers), asked)
    assert hint in str(caught.value)


def test_misspelt_states_coefficients_and_parameters_in_a_model():
    def model(equations=None, **more):
        body = {
            "V": State("mV", span=128, slowest=60, rest="E_L"),
            "tau": Param(20.0, "ms", (2, 60), register=decay("k")),
            "E_L": Param(-70.0, "mV", (-100, -30)),
            "equations": staticmethod(equations or (lambda dp, s, c, i: {"V": s.V, ".v": s.V, ".spike": s.V > 0})),
        }
        return type("OwnNeuron", (Neuron,), body | more)

    assert model()().datapath.coefficients.keys() == {"k", "E_L"}
    with pytest.raises(AttributeError, match=r"Own has no W: did you mean V\?|Own has no W: there are V\."):
        model(lambda dp, s, c, i: {"V": s.W, ".v": s.V, ".spike": s.V > 0})()
    with pytest.raises(AttributeError, match=r"Own has no E_l: did you mean E_L\?"):
        model(lambda dp, s, c, i: {"V": c.E_l, ".v": s.V, ".spike": s.V > 0})()
    with pytest.raises(AttributeError, match=r"Own has no E_LL: did you mean E_L\?"):
        model(resting=staticmethod(lambda p: {"V": p.E_LL}))()
    wrong = Conversion("k", lambda tau, p, c, dt: dt / p.tao, lambda k, p, c, dt: dt / k)
    with pytest.raises(AttributeError, match=r"Own has no tao: did you mean tau\?"):
        model(tau=Param(20.0, "ms", (2, 60), register=wrong))()


def test_variants():
    cortex = HodgkinHuxleyNeuron.variant(kinetics="traub-miles")
    assert cortex is HodgkinHuxleyNeuron.variant(kinetics="traub-miles")
    assert HodgkinHuxleyNeuron.variant(kinetics="1952") is HodgkinHuxleyNeuron
    assert cortex.variant(kinetics="1952") is HodgkinHuxleyNeuron
    assert isinstance(cortex(), HodgkinHuxleyNeuron)
    assert cortex.defaults()["V_T"] == -56.2
    assert HodgkinHuxleyNeuron.defaults()["V_T"] == 0
    slow = HodgkinHuxleyNeuron(kinetics="traub-miles", g_M=0.05)
    assert slow.chosen == {"kinetics": "traub-miles", "m_current": True}
    assert "p" in slow.datapath.states


def test_v_is_the_read_out_though_a_state_is_called_so():
    neuron = IzhikevichNeuron()
    while not neuron.spiked:
        neuron.step(0.5)
    assert neuron.v == neuron.values["v_peak"]
    assert neuron.state["v"] == neuron.values["c"]


ALONE = {
    "a class from its file": "from spikefab.hw.models.lif import LIFNeuron as M; n = M(); n.step(1.0); print(n.v)",
    "from the public face": "from spikefab import LIFNeuron as M; n = M(); n.run([1.0, 1.0]); print(n.v)",
}


@pytest.mark.parametrize("code", ALONE.values(), ids=ALONE)
def test_a_model_steps_in_a_process_that_imported_nothing_else(code):
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert -70 < float(done.stdout) < -60
