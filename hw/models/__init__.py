"""The models of this package, and functions that find models by name, also in a user's own file or package."""

from . import table
from .resolve import every_model, fitted_model, get_model, model_source, named_model, resolve_models
from .table import *  # noqa: F403

MODELS = table.MODELS

__all__ = [
    "MODELS",
    "every_model",
    "fitted_model",
    "get_model",
    "model_source",
    "named_model",
    "resolve_models",
    *MODELS,
]
