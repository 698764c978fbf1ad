"""A Studio that is served, and what asks it."""

import json
import os
import struct
import subprocess
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx
import numpy as np
import pytest

from spikefab import LIFNeuron
from spikefab.studio.server import Server


class Page:
    """What the page can do, without a browser."""

    def __init__(self, server):
        self.server, self.folder = server, server.studio.project.folder
        self.http = httpx.Client(
            base_url=server.origin, headers={"x-spikefab-token": server.studio.token}, timeout=120, trust_env=False
        )

    def get(self, path, **query):
        return self._good(self.http.get(path, params=query))

    def post(self, path, body=None):
        return self._good(self.http.post(path, json=body or {}))

    def upload(self, name, content, **query):
        return self.http.post("/api/recordings", params={"name": name, **query}, content=content)

    def refused(self, answer, status=422):
        """The one sentence of a refusal, in which nothing of this machine is told."""
        assert answer.status_code == status, answer.text
        sentence = answer.json()["error"]
        assert sentence.endswith((".", "?")) and str(self.folder) not in sentence and "Traceback" not in sentence
        return sentence

    def simulate(self, **body):
        """The JSON of a simulation, its arrays among the rest."""
        content = self._good(self.http.post("/api/simulate", json=body), parse=False)
        (size,) = struct.unpack_from("<I", content)
        head = json.loads(content[4 : 4 + size])
        assert (4 + size) % 8 == 0
        arrays = np.frombuffer(content, "<f4", offset=4 + size).reshape(len(head["arrays"]), head["n"])
        return head | dict(zip(head["arrays"], arrays, strict=True))

    def events(self, job, after=0):
        """All events of a job, until its stream ends: [(id or None, event)]."""
        found, number = [], None
        with self.http.stream("GET", f"/api/jobs/{job}/events", headers={"last-event-id": str(after)}) as answer:
            for line in answer.iter_lines():
                if line.startswith("id: "):
                    number = int(line[4:])
                elif line.startswith("data: "):
                    found.append((number, json.loads(line[6:])))
                    number = None
        return found

    def wait(self, job, until):
        """Until a job has said an event for which `until` is true."""
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            events = [e for _, e in self.server.studio.jobs.events(job)]
            if any(map(until, events)):
                return events
            time.sleep(0.02)
        raise AssertionError(f"{job} never came so far: {events[-3:]}")

    @staticmethod
    def _good(answer, parse=True):
        assert answer.status_code in (200, 201), answer.text
        return json.loads(answer.content) if parse else answer.content


def neuron():
    """A neuron of the bench, as the page sends it."""
    made = LIFNeuron()
    return {"model": "LIF", "settings": {}, "word": 18, "dt": 0.1, "i_span": made.datapath.i_span, "codes": made.codes}


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A Studio of an empty project, for the tests of one file."""
    with Server(tmp_path_factory.mktemp("studio") / "project") as server:
        yield Page(server)


@pytest.fixture(scope="module")
def imported(studio, recording):
    """A small recording of five steps, taken in."""
    answer = studio.upload("cell.csv", recording.read_bytes())
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.fixture
def served():
    """served(folder): `spikefab studio` in a process of its own, and what asks it. Both end with the test.

    It also ends with this process, were this killed.
    """
    children = []

    def start(folder):
        script = f"""if True:
            import ctypes, os, signal, sys
            if sys.platform == "linux":
                ctypes.CDLL(None).prctl(1, signal.SIGKILL)
            if os.getppid() != {os.getpid()}:
                sys.exit()
            from spikefab.cli import entry
            entry()"""
        child = subprocess.Popen(
            [sys.executable, "-c", script, "studio", folder, "--port", "0", "--json"], stdout=subprocess.PIPE, text=True
        )
        children.append(child)
        text = ""
        while not text.endswith("}\n"):
            line = child.stdout.readline()
            assert line, "the server ended"
            text += line
        link = urlsplit(json.loads(text)["address"])
        token = parse_qs(link.query)["token"][0]
        http = httpx.Client(
            base_url=f"http://{link.netloc}", headers={"x-spikefab-token": token}, trust_env=False, timeout=60
        )
        return child, http

    yield start
    for child in children:
        child.kill()
        child.wait()
        child.stdout.close()
