"""The number type: signed two's complement with a binary point.

`Q(i, f)` has `i` integer bits, the sign among them, and `f` fraction bits; either may be negative as long as
the width `i + f` is positive. The names are those of Amaranth's RFC 41. Sums and products grow exactly; only
`resize` loses bits, and it rounds half up, then saturates, in every interpreter alike.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True)
class Q:
    """A format. A code `c` stands for `c * 2**-f_bits`."""

    i_bits: int
    f_bits: int

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"{self} has no bits")

    @classmethod
    def covering(cls, magnitude: float, width: int) -> "Q":
        """The finest format `width` bits wide whose range holds -magnitude..magnitude (its upper end less one code)."""
        i_bits = 1 + math.ceil(math.log2(magnitude))
        return cls(i_bits, width - i_bits)

    @property
    def width(self) -> int:
        return self.i_bits + self.f_bits

    @property
    def lo(self) -> int:
        """Least code."""
        return -(1 << (self.width - 1))

    @property
    def hi(self) -> int:
        """Greatest code."""
        return (1 << (self.width - 1)) - 1

    @property
    def lsb(self) -> float:
        return 2.0**-self.f_bits

    def encode(self, value):
        """Nearest codes of real values: round half up, then saturate. Array or scalar in, int64 out."""
        scaled = np.floor(np.asarray(value, dtype=np.float64) * 2.0**self.f_bits + 0.5)
        return np.clip(scaled, self.lo, self.hi).astype(np.int64)

    def decode(self, code):
        """Real values of codes: exact, a code never has more than 53 bits."""
        return np.asarray(code, dtype=np.float64) * self.lsb

    def __str__(self) -> str:
        return f"Q({self.i_bits}, {self.f_bits})"


def rounded_shift(code, shift: int):
    """`code * 2**-shift` rounded half up; a negative shift is exact. An integer or an array of them."""
    return code << -shift if shift <= 0 else (code + (1 << (shift - 1))) >> shift


def align(codes: Sequence[Any], formats: Sequence[Q]) -> list[Any]:
    """Codes (integers, arrays or signals) with their points at the finest fraction among their formats."""
    finest = max(q.f_bits for q in formats)
    return [code << (finest - q.f_bits) for code, q in zip(codes, formats, strict=True)]
