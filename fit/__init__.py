"""Fits models to recordings and ranks them.

As an attribute of `spikefab`, `fit` is the function (see `spikefab._Face`); this package is where its modules are.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors, which do not run `__getattr__`
    from .fitting import fit as fit
    from .many.run import fit_many as fit_many


def __getattr__(name: str) -> Any:  # imported on first use, as the readers need neither
    if name == "fit":
        from .fitting import fit

        return fit
    if name == "fit_many":
        from .many.run import fit_many

        return fit_many
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
