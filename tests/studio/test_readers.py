"""The processes that read files: what hangs or fills the memory costs only its own request, and nothing outlives the server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from spikefab.studio import readers


def test_two_that_hang_keep_nobody_waiting(studio, recording, monkeypatch):
    monkeypatch.setattr(readers, "SOON", 0.2)
    pool = studio.server.studio.readers
    victims = [p.pid for p in pool._idle]
    assert len(victims) == readers.COUNT
    for pid in victims:
        os.kill(pid, signal.SIGSTOP)
    answers = []
    hung = [threading.Thread(target=lambda: answers.append(upload(studio.http, recording))) for _ in victims]
    for thread in hung:
        thread.start()
    while len(pool._busy) < len(victims):
        time.sleep(0.01)
    made = upload(studio.http, recording)
    assert made.status_code == 201 and not answers
    assert studio.get(f"/api/recordings/{made.json()['id']}/features")["features"]
    for pid in victims:
        os.kill(pid, signal.SIGKILL)
    for thread in hung:
        thread.join()
    assert ["crashed" in studio.refused(answer) for answer in answers] == [True, True]
    assert upload(studio.http, recording).status_code == 201
    assert (pool._slow, pool._places._value, len(pool._busy)) == (0, readers.COUNT, 0)


def upload(http, recording):
    query = {"params": {"name": "cell.csv"}, "content": recording.read_bytes()}
    with httpx.Client(base_url=http.base_url, headers=http.headers, timeout=60, trust_env=False) as own:
        return own.post("/api/recordings", **query)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
def test_what_fills_the_memory_is_given_up():
    script = f"""if True:
        import numpy
        from spikefab.studio import readers, recordings
        def features(n): return len(bytearray(n))
        recordings.features, readers.MEMORY = features, 2**30
        readers.main({os.getpid()})"""
    asked = "".join(json.dumps({"do": "features", "n": n}) + "\n" for n in (2**20, 2**31, 2**20))
    done = subprocess.run([sys.executable, "-c", script], input=asked, capture_output=True, text=True, timeout=60)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers == [{"answer": 2**20}, {"refused": readers.TOO_LARGE}, {"answer": 2**20}]


def children(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
            words = (path.parent / "cmdline").read_bytes()
        except OSError:
            continue
        if int(parent) == pid and state != "Z" and b"spikefab.studio.readers" in words:
            found.append(int(path.parent.name))
    return found


def runs(pid):
    """Whether a process runs: it may have ended, and nobody have asked how."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.skipif(sys.platform != "linux", reason="processes are told when their parent ends on Linux only")
@pytest.mark.parametrize(
    "number", [signal.SIGKILL, *(pytest.param(n, marks=pytest.mark.slow) for n in (signal.SIGTERM, signal.SIGINT))]
)
def test_a_reader_that_hangs_ends_with_the_server(served, tmp_path, recording, number):
    server, http = served(tmp_path / "project")
    pids = children(server.pid)
    assert len(pids) == readers.COUNT
    with ThreadPoolExecutor(readers.COUNT) as pool:  # both have begun their work
        assert [a.status_code for a in pool.map(lambda _: upload(http, recording), pids)] == [201] * readers.COUNT
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    def ask():
        with contextlib.suppress(httpx.TransportError):  # the server goes
            upload(http, recording)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    while not any((tmp_path / "project" / "recordings").glob(".*/cell.csv")):
        time.sleep(0.02)
    server.send_signal(number)
    server.wait(20)
    deadline = time.monotonic() + 10
    while (left := [pid for pid in pids if runs(pid)]) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not left
