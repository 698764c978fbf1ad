"""Keeps the process from hanging or crashing in the library HDF5: `hdf5_probe` looks through a file first, in its own process."""

import os
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from spikefab.errors import FileError

LONGEST = 120.0  # s: the process may wait so long for a slow disk; how long it may work is limited in `hdf5_probe`
ANSWERED = 1000  # no code with which a process ends
_lock = threading.Lock()
_probe: subprocess.Popen[str] | None = None
_owner = 0  # id of the process that started `_probe`: a fork must start its own


def require_sound(path: Path) -> None:
    """Raise FileError if HDF5 hangs or crashes when it looks through a file."""
    with _lock:
        ended = 0
        for _ in range(2):
            _start()
            if _probe is None or "\n" in str(path):
                return  # without a second process, the file is read all the same
            ended = _ask(str(path.absolute()))
            if ended == ANSWERED:
                return
            if ended != 0:  # a process that has been idle ends by itself, perhaps just now: then a new one is asked
                break
    raise FileError(f"{path} is damaged: HDF5 hangs or crashes when it reads it.")


def _start() -> None:
    """Start the process unless it runs."""
    global _probe, _owner
    if _probe is not None and _owner == os.getpid() and _probe.poll() is None:
        return
    _owner = os.getpid()
    try:
        _probe = subprocess.Popen(
            [sys.executable, "-P", str(Path(__file__).with_name("hdf5_probe.py"))],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
            errors="surrogateescape",
        )  # fmt: skip
    except OSError:
        _probe = None


def _ask(path: str) -> int:
    """Let the process look through a file: ANSWERED, or the code with which it ended instead."""
    global _probe
    probe = _probe
    assert probe is not None and probe.stdin is not None and probe.stdout is not None
    late = threading.Timer(LONGEST, probe.kill)
    late.daemon = True
    answer, ended = "", False
    try:
        late.start()
        with suppress(OSError):
            probe.stdin.write(path + "\n")
            probe.stdin.flush()
            answer = probe.stdout.readline()
        ended = True
    finally:
        late.cancel()
        if not answer:
            if not ended:  # Ctrl-C
                probe.kill()
            probe.wait()
            with suppress(OSError):
                probe.stdin.close()
            probe.stdout.close()
            _probe = None
    return ANSWERED if answer else probe.returncode
