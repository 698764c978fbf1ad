"""Simulates models: in exact integers (the reference), in compiled batch kernels, and in float64 (the ideal)."""

from .simulator import Ideal, Simulator

__all__ = ["Ideal", "Simulator"]
