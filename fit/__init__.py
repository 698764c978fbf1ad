"""Fits models to recordings and ranks them.

The module can itself be called as a function: `spikefab.fit(...)` is `spikefab.fit.fit(...)`.
"""

import sys
from types import ModuleType
from typing import Any


def fit(*args: Any, **kwargs: Any) -> Any:
    """See `spikefab.fit.fitting.fit`; imported on first use."""
    from .fitting import fit as run

    return run(*args, **kwargs)


def fit_many(*args: Any, **kwargs: Any) -> Any:
    """See `spikefab.fit.many.run.fit_many`; imported on first use."""
    from spikefab.fit.many.run import fit_many as run

    return run(*args, **kwargs)


class _Callable(ModuleType):
    """A module that can be called. `from spikefab import fit` may return the module instead of the function."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return fit(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
