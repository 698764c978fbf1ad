"""What a search has evaluated, kept on disk as it comes: one that was broken off is repeated without simulating anything
again, and goes on where it was, to the same result."""

import hashlib
import struct
from pathlib import Path

import numpy as np

from spikefab.errors import UsageError

_HEAD = struct.Struct("<16sII")  # digest of the candidates' codes, their number, and numbers kept of each


class Journal:
    """A file of records, one a batch of candidates. Whatever of it is not from this very search, or cut short, is dropped.

    path: named for all that decides a loss, by `Search`.
    """

    def __init__(self, path: Path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        except OSError as error:
            raise UsageError(f"the journal {path.parent} cannot be written: {error.strerror}.") from None
        self._full = False

    def find(self, codes: np.ndarray) -> np.ndarray | None:
        """What was kept (N, k) of these codes (N, coefficients), if they come next."""
        start = self._file.tell()
        head = self._file.read(_HEAD.size)
        if len(head) == _HEAD.size:
            digest, count, each = _HEAD.unpack(head)
            body = self._file.read(8 * count * each)
            if digest == _digest(codes) and count == len(codes) and len(body) == 8 * count * each:
                return np.frombuffer(body).reshape(count, each).copy()
        self._file.seek(start)
        self._file.truncate()
        return None

    def keep(self, codes: np.ndarray, found: np.ndarray) -> None:
        """Add what was found (N, k) of these codes. On a full disk a search goes on without being kept."""
        if self._full:
            return
        record = _HEAD.pack(_digest(codes), *found.shape) + np.ascontiguousarray(found, dtype=np.float64).tobytes()
        try:
            self._file.write(record)  # unbuffered: a killed process loses nothing, a power cut may
        except OSError:
            self._full = True


def _digest(codes: np.ndarray) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(codes).tobytes(), digest_size=16).digest()
