"""The number format: signed two's complement with a fixed binary point.

`Q(i, f)` has `i` integer bits, the sign bit included, and `f` fraction bits. One of the two may be negative as long as the
width `i + f` is positive. The names are those of Amaranth's RFC 41. Sums and products are exact, in a wider format; only
`resize` loses bits. It rounds half up, then saturates, in the same way in every interpreter.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Q:
    """A number format. The code (integer) `c` stands for the value `c * 2**-f_bits`."""

    i_bits: int
    f_bits: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"{self} has no bits")

    @classmethod
    def covering(cls, magnitude: float, width: int) -> "Q":
        """The format of `width` bits with the most fraction bits whose range holds -magnitude..magnitude.

        The upper end may be missing: the largest code stands for one step less.
        """
        i_bits = 1 + math.ceil(math.log2(magnitude))
        return cls(i_bits, width - i_bits)

    @property
    def width(self) -> int:
        return self.i_bits + self.f_bits

    @property
    def lo(self) -> int:
        """Smallest code."""
        return -(1 << (self.width - 1))

    @property
    def hi(self) -> int:
        """Largest code."""
        return (1 << (self.width - 1)) - 1

    @property
    def lsb(self) -> float:
        return 2.0**-self.f_bits

    def encode(self, value):
        """The codes (int64) nearest to real values: rounded half up, then saturated. Takes a scalar or an array."""
        scaled = np.floor(np.asarray(value, dtype=np.float64) * 2.0**self.f_bits + 0.5)
        return np.clip(scaled, self.lo, self.hi).astype(np.int64)

    def decode(self, code):
        """The real values of codes, exactly, because a code never has more than the 53 bits of a float64."""
        return np.asarray(code, dtype=np.float64) * self.lsb

    def __str__(self) -> str:
        return f"Q({self.i_bits}, {self.f_bits})"


def rounded_shift(code, shift: int):
    """`code * 2**-shift` rounded half up, for an integer or an array of integers. Exact if the shift is negative."""
    return code << -shift if shift <= 0 else (code + (1 << (shift - 1))) >> shift


def align(codes: Sequence[Any], formats: Sequence[Q]) -> list[Any]:
    """Codes brought to a common binary point, that of the format with the most fraction bits.

    The codes may be integers, arrays or Amaranth signals.
    """
    finest = max(q.f_bits for q in formats)
    return [code << (finest - q.f_bits) for code, q in zip(codes, formats, strict=True)]
