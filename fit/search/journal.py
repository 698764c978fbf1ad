"""The journal of a search: a file of all losses that it has computed.

A search that was killed can be started again with its journal. It then repeats the same evaluations without simulating them,
continues where it was killed, and ends with the same result.
"""

import hashlib
import struct
from pathlib import Path

import numpy as np

from spikefab.errors import UsageError

# Head of a record: hash of the codes of the candidates and of the values, number of candidates, and of values kept for each.
_HEAD = struct.Struct("<16sII")
MOST = 64  # values kept for each candidate, at most: more in a head means that it is damaged


class Journal:
    """A file of records, one for each batch of candidates.

    When a record does not belong to the batch that the search asks for, is incomplete or damaged, it and all later records
    are deleted. `path` is chosen by `Search`: its name contains a hash of everything that determines a loss.
    """

    def __init__(self, path: Path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = path.open("r+b" if path.exists() else "w+b", buffering=0)
        except OSError as error:
            raise UsageError(f"the journal {path.parent} cannot be written: {error.strerror}.") from None
        self._full = False

    def find(self, codes: np.ndarray) -> np.ndarray | None:
        """The values (N, k) kept for these codes (N, coefficients), if the next record is of them; else None."""
        start = self._file.tell()
        head = self._file.read(_HEAD.size)
        if len(head) == _HEAD.size:
            digest, count, each = _HEAD.unpack(head)
            body = self._file.read(8 * count * each) if count == len(codes) and each <= MOST else b""
            if len(body) == 8 * count * each and digest == _digest(codes, body):
                return np.frombuffer(body).reshape(count, each).copy()
        self._file.seek(start)
        self._file.truncate()
        return None

    def keep(self, codes: np.ndarray, found: np.ndarray) -> None:
        """Add a record with the values (N, k) of these codes. If the disk is full, the search continues without a journal."""
        if self._full:
            return
        body = np.ascontiguousarray(found, dtype=np.float64).tobytes()
        record = _HEAD.pack(_digest(codes, body), *found.shape) + body
        try:
            self._file.write(record)  # unbuffered, so that nothing is lost when the process is killed
        except OSError:
            self._full = True


def _digest(codes: np.ndarray, body: bytes) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(codes).tobytes() + body, digest_size=16).digest()
