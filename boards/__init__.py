"""Boards: their table, bitstreams for them, and the neurons in them, real or simulated, from Python."""

from typing import Any


def __getattr__(name: str) -> Any:
    """`connect` is imported when it is used: who only wants the table of boards need not wait for the rest."""
    if name == "connect":
        from .session import connect

        return connect
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
