"""References of every model: exact integers, compiled batch kernels, the float64 ideal."""

from .simulator import Ideal, Simulator

__all__ = ["Ideal", "Simulator"]
