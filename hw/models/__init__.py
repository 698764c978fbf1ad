"""The models: those of this package, by class and by name, and whatever a user's own file or package adds to them."""

from . import table
from .resolve import every_model, get_model, model_source, resolve_model, resolve_models
from .table import *  # noqa: F403

MODELS = table.MODELS

__all__ = ["MODELS", "every_model", "get_model", "model_source", "resolve_model", "resolve_models", *MODELS]
