"""What the bit-exact tests share: models, words, and which simulators this machine has."""

import importlib.util
import shutil
from pathlib import Path

import pytest

from spikefab.hw.datapath import WORDS
from spikefab.hw.models import MODELS, GLIFNeuron, HodgkinHuxleyNeuron

# the largest variants, and those that between them have every branch of the equations, are held to the same as the models
KINDS = {
    **MODELS,
    "HodgkinHuxleyNeuron+M": HodgkinHuxleyNeuron.variant(kinetics="traub-miles", m_current=True),
    "GLIFNeuron+5": GLIFNeuron.variant(**GLIFNeuron.LEVELS[5]),
    "GLIFNeuron+rest": GLIFNeuron.variant(voltage_reset="rest", after_spike_currents="two"),
}


def pytest_generate_tests(metafunc):
    """`kind` and `word`: every model at every word."""
    given = str([mark.args[0] for mark in metafunc.definition.iter_markers("parametrize")])
    if "kind" in metafunc.fixturenames and "kind" not in given:
        metafunc.parametrize("kind", KINDS.values(), ids=KINDS)
    if "word" in metafunc.fixturenames:
        metafunc.parametrize("word", WORDS)


@pytest.fixture(params=["verilator", "icarus"])
def simulator(request) -> str:
    if request.param == "icarus" and not shutil.which("iverilog"):
        pytest.skip("Icarus Verilog is not installed: apt install iverilog")
    return request.param


@pytest.fixture(scope="session")
def mutate():
    """The module `mutations` beside this file."""
    path = Path(__file__).with_name("mutations.py")
    spec = importlib.util.spec_from_file_location("mutations", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
