"""The batch kernel against the reference over 20,000 steps of 50 candidates: a row of `benchmarks/accept_kernels.py` a day."""

import datetime

import pytest

from benchmarks import accept_kernels as accept
from spikefab.hw.datapath import WORDS
from spikefab.hw.models import MODELS

pytestmark = pytest.mark.slow  # a million steps a model

ROWS = [(kind.variant(**choice), word) for kind in MODELS.values() for choice in kind.tried for word in WORDS]
TODAY = datetime.date.today().toordinal()
SLICE = [ROWS[TODAY % len(ROWS)]]


@pytest.mark.parametrize(("kind", "bits"), SLICE, ids=lambda x: getattr(x, "__name__", None))
def test_a_million_steps(kind, bits):
    found = accept.compare(kind(word=bits).datapath, lanes=50, steps=20_000, seed=bits)
    assert found["steps"] == 1_000_000
    assert found["spikes"] > 500
    assert found["mismatches"] == 0


def test_a_difference_is_counted(monkeypatch):
    """A spike that the kernel would report a step late, and a state that it would end elsewhere."""
    right = accept.kernels.simulate

    def wrong(*args, **options):
        batch = right(*args, **options)
        batch.end[0, 0, 0] += 1
        batch.spikes[0, 0, :1] += 1
        return batch

    monkeypatch.setattr(accept.kernels, "simulate", wrong)
    found = accept.compare(MODELS["LIFNeuron"]().datapath, lanes=6, steps=400, seed=0)
    assert found["mismatches"] >= accept.STRETCHES * 6
