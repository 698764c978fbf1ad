"""Runs the tables of `mistakes`: containers and units that are understood, and mistakes that are answered with a sentence."""

import numpy as np
import pytest

from spikefab.errors import SpikefabError

from .mistakes import REFUSED, UNDERSTOOD


def same(got, wanted) -> bool:
    if isinstance(wanted, dict):
        return got.keys() == wanted.keys() and all(same(got[name], x) for name, x in wanted.items())
    if isinstance(wanted, list | tuple):
        return len(got) == len(wanted) and all(map(same, got, wanted))
    return np.array_equal(got, wanted, equal_nan=isinstance(wanted, float))


@pytest.mark.parametrize(("call", "gives"), [row[1:] for row in UNDERSTOOD], ids=[row[0] for row in UNDERSTOOD])
def test_is_understood(call, gives):
    assert same(call(), gives)


@pytest.mark.parametrize(("call", "kind", "sentence"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_is_refused_in_one_sentence(call, kind, sentence, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SpikefabError) as caught:
        call()
    assert type(caught.value) is kind
    assert str(caught.value) == sentence
    assert "\n" not in sentence and sentence[-1] in ".?"
    assert caught.value.__context__ is None or caught.value.__suppress_context__  # no second traceback is printed
    assert not any(tmp_path.iterdir())  # nothing was written before it was refused
