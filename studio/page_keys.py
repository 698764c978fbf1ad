"""The keys with which an open page gets in again when the server has been started anew.

The token is new at each start, so that an old link opens nothing. A page that was open before has a key beside it, which only
its own memory holds: it is in no address, no cookie and no terminal. The project keeps the hashes of the keys of the last
starts. A page that knows one of them is given the token and the key of this start.
"""

import hashlib
import secrets
from pathlib import Path

from .stored import PageKeys as Stored
from .stored import load, save

STARTS = 8  # number of starts, this one included, whose pages get in again


class PageKeys:
    """The keys of a project. Making the object is a start: it adds a new key, `current`.

    file  where the hashes are kept
    """

    def __init__(self, file: Path):
        self.current = secrets.token_urlsafe(24)
        kept = (load(file, Stored) or {"keys": []})["keys"]
        self._known = [*kept, _hash(self.current)][-STARTS:]
        save(file, {"keys": self._known})

    def known(self, key: str) -> bool:
        """Whether a page of this start, or of one of the last starts of this project, has this key."""
        return _hash(key) in self._known  # of a hash, the time of a comparison tells nothing


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
