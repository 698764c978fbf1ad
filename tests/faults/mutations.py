"""Damages files: from a file and a seed, always the same damaged file."""

import io
import re
import struct
import zipfile

import numpy as np

NUMBER = re.compile(rb"-?\d+(\.\d+)?([eE][-+]?\d+)?")
# what a number in a text is replaced by
TEXTS = (
    b"-1", b"0", b"nan", b"inf", b"1e308", b"-1e-300", b"99999999999999999999", b"2147483648", b'""', b"null", b"1.5",
)  # fmt: skip
# what a binary number is replaced by, of 1, 2, 4 and 8 bytes
FIELDS = (
    *(struct.pack("<b", n) for n in (-1, 0, 127)),
    *(struct.pack("<h", n) for n in (-1, 0, 1, 32767, -32768)),
    *(struct.pack("<i", n) for n in (-1, 0, 1, 2**31 - 1, -(2**31), 10**6, 10**9)),
    *(struct.pack("<q", n) for n in (-1, 0, 1, 2**63 - 1, -(2**63), 2**33, 2**40)),
    *(struct.pack("<f", x) for x in (float("nan"), float("inf"), 1e38, -1.0, 1e-38)),
    *(struct.pack("<d", x) for x in (float("nan"), float("inf"), 1e308, -1.0, 1e-308)),
)


def mutated(data: bytes, seed: int) -> bytes:
    """The data with one or two kinds of damage."""
    rng = np.random.default_rng(seed)
    if data[:2] == b"PK" and rng.random() < 0.7:
        return _repacked(data, rng)  # else the checksums of the archive tell the damage before anything is read
    return _damaged(data, rng)


def _damaged(data: bytes, rng: np.random.Generator) -> bytes:
    for _ in range(rng.integers(1, 3)):
        if data:
            data = KINDS[rng.integers(len(KINDS))](bytearray(data), rng)
    return data


def _place(data: bytearray, rng: np.random.Generator) -> int:
    """A position in the data: every other one is in the first part, where headers are."""
    return int(rng.integers(min(len(data), 6000) if rng.random() < 0.5 else len(data)))


def _truncated(data, rng):
    return bytes(data[: rng.integers(len(data))])


def _flipped(data, rng):
    for _ in range(rng.integers(1, 9)):
        data[_place(data, rng)] ^= 1 << int(rng.integers(8))
    return bytes(data)


def _overwritten(data, rng):
    start, n = _place(data, rng), int(rng.integers(1, 65))
    data[start : start + n] = rng.bytes(min(n, len(data) - start))
    return bytes(data)


def _swapped(data, rng):
    n = int(rng.integers(1, max(2, min(4096, len(data) // 4))))
    a, b = sorted(int(rng.integers(max(1, len(data) - n))) for _ in range(2))
    if b < a + n:
        return _truncated(data, rng)
    return bytes(data[:a] + data[b : b + n] + data[a + n : b] + data[a : a + n] + data[b + n :])


def _zeroed(data, rng):
    start, n = _place(data, rng), int(rng.integers(1, max(2, len(data) // 8)))
    data[start : start + n] = bytes(min(n, len(data) - start))
    return bytes(data)


def _repeated(data, rng):
    start, n = _place(data, rng), int(rng.integers(1, 2000))
    return bytes(data[:start] + data[start : start + n] * 2 + data[start + n :])


def _renumbered(data, rng):
    if b"\0" not in data and NUMBER.search(data):
        for _ in range(rng.integers(1, 4)):
            start = _place(data, rng)
            match = NUMBER.search(data, start) or NUMBER.search(data)
            if match is not None:
                data = data[: match.start()] + TEXTS[rng.integers(len(TEXTS))] + data[match.end() :]
        return bytes(data)
    for _ in range(rng.integers(1, 4)):
        field = FIELDS[rng.integers(len(FIELDS))]
        start = _place(data, rng) // 2 * 2
        data[start : start + len(field)] = field[: len(data) - start]
    return bytes(data)


def _repacked(data: bytes, rng: np.random.Generator) -> bytes:
    """An archive with right checksums, of which one file is damaged."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    name = sorted(files)[rng.integers(len(files))]
    files[name] = _damaged(files[name], rng)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content)  # without the time of day
    return packed.getvalue()


KINDS = (_truncated, _flipped, _overwritten, _swapped, _zeroed, _repeated, _renumbered, _renumbered)
