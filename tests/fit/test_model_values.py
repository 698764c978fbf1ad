"""Models by name, and the values of their parameters: each that a register holds is given, taken and given again."""

import numpy as np
import pytest

from spikefab.errors import UsageError
from spikefab.hw.datapath import WORDS, datapath
from spikefab.hw.models import MODELS, get_model


@pytest.mark.parametrize(
    ("said", "name"),
    [("lif", "LIF"), ("AdExNeuron", "AdEx"), ("HH", "HodgkinHuxley"), ("qif", "QuadraticIF"), ("FHN", "FitzHughNagumo"),
     ("ML", "MorrisLecar"), ("hr", "HindmarshRose"), ("mat", "MAT")],
)  # fmt: skip
def test_names_of_models(said, name):
    assert get_model(said).__name__ == f"{name}Neuron"


@pytest.mark.parametrize("word", WORDS)
@pytest.mark.parametrize("name", MODELS)
def test_parameters_of_codes_give_the_codes_again(name, word):
    dp = datapath(MODELS[name], word, 0.1, 1.0)
    rng = np.random.default_rng(word)
    draws = {n: rng.uniform(*p.bounds, 2000) for n, p in dp.params.items()}
    codes = dp.quantise(draws)
    assert np.array_equal(dp.quantise(dp.dequantise(codes)), codes)


@pytest.mark.parametrize("word", [16, 18, 24])
@pytest.mark.parametrize("model", MODELS.values(), ids=lambda m: m.__name__)
def test_a_models_own_values_are_accepted(model, word):
    """The code nearest to a bound may stand for a value just outside it."""
    for name, param in model.params().items():
        for bound in param.bounds:
            try:
                neuron = model(word=word, **{name: bound})
            except UsageError:  # too fast for its register beside the other defaults, and said so
                continue
            assert model(word=word, **neuron.values).codes == neuron.codes


def test_unknown_parameters_are_refused():
    with pytest.raises(UsageError, match="did you mean tau_m"):
        get_model("lif")(taum=10.0)
    with pytest.raises(UsageError, match="outside"):
        get_model("adex")(tau_w=1e4)
