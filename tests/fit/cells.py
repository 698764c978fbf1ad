"""A folder of made cells, for the tests of `fit_many`."""

from types import SimpleNamespace

DT, COUNT = 0.1, 5
OPTIONS = {"models": ["lif", "lapicque"], "budget": 96, "seed": 3}


class Inline:
    """The least that is an executor: it runs the call on the spot."""

    def submit(self, function, *args):
        value = function(*args)
        return SimpleNamespace(done=lambda: True, result=lambda: value)
