"""The same error in Python, on the command line and in the Studio: each names what can be done in its own words."""

import pickle
from pathlib import Path

import numpy as np
import pytest

from spikefab.errors import Advice, Sentence, UsageError, in_python, on_command_line, worded
from spikefab.fit.recordings.readers import read
from spikefab.studio.words import WORDS, said


@pytest.fixture
def bare(tmp_path):
    """A recording without a time."""
    path = tmp_path / "bare.csv"
    np.savetxt(path, np.full((300, 2), [-70.0, 0.1]), delimiter=",", header="V_mV,I_nA", comments="")
    return path


def test_an_error_in_three_faces(bare, spikefab):
    with pytest.raises(UsageError) as caught:
        read(bare)
    error, what = caught.value, f"{bare} has no time column: "
    assert str(error) == what + "pass dt=MS, the time between two samples."
    assert worded(error, on_command_line) == what + "pass --dt MS, the time between two samples."
    assert said(error, bare.parent) == "bare.csv has no time column: give the time between two samples, in ms."
    assert error.sentence.options == ("dt",)
    assert spikefab("info", bare).sentence == worded(error, on_command_line)


def test_every_advice_has_words_in_every_face():
    assert set(WORDS) == set(Advice)
    for advice in Advice:
        assert advice.options and "{" not in in_python(advice) + on_command_line(advice)
        assert "--" not in in_python(advice) + WORDS[advice] and "=" not in WORDS[advice]
    assert on_command_line(Advice.ADD_CURRENT_OR_CHANNEL).endswith("--current FILE or --current-channel N")


def test_a_sentence_is_a_text_that_keeps_its_advice(bare):
    note = Sentence("of 2 electrodes, A is used", Advice.OTHER_ELECTRODE)
    assert note == "of 2 electrodes, A is used; electrode=NAME reads another"
    assert worded(Sentence(note, "."), on_command_line) == "of 2 electrodes, A is used; --electrode NAME reads another."
    assert said(note) == "of 2 electrodes, A is used; “Read it otherwise” takes another"
    error = pickle.loads(pickle.dumps(UsageError("no time: ", Advice.GIVE_DT, ".")))  # from another process
    for kept in (pickle.loads(pickle.dumps(note)), error.sentence):
        assert worded(kept, on_command_line) != str(kept)
    assert (
        worded("a text without advice", on_command_line)
        == "a text without advice"
        == said("a text without advice", Path("/x"))
    )
