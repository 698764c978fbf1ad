"""Kills of the Studio's server and of its workers while a fit is under way: the job ends as if nothing had been."""

import json
import os
import random
import shutil
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx

from .kills import LIMIT, SIGNALS, nothing_runs, start

BUDGET = 1500
VICTIMS = ("server", "worker", "both")


class Served:
    """`spikefab studio` in a process of its own, with a project in `folder`, and what asks it."""

    def __init__(self, folder: Path, env: dict[str, str], at: str = "") -> None:
        self.process = start(folder, ["studio", "project", "--port", "0", "--json"], env, at)
        text = ""
        while not text.endswith("}\n"):
            line = self.process.stdout.readline()
            assert line, f"the server ended: {self.process.stderr.read()}"
            text += line
        link = urlsplit(json.loads(text)["address"])
        token = parse_qs(link.query)["token"][0]
        headers = {"x-spikefab-token": token}
        self.http = httpx.Client(base_url=f"http://{link.netloc}", headers=headers, trust_env=False, timeout=LIMIT)

    def get(self, path: str) -> Any:
        return self._good(self.http.get(path))

    def post(self, path: str, **options: Any) -> Any:
        return self._good(self.http.post(path, **options))

    @staticmethod
    def _good(answer: httpx.Response) -> Any:
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def job(self, recording: Path) -> str:
        """The number of the one job: begun if there is none, resumed if it was stopped."""
        project = self.get("/api/project")
        jobs = project["jobs"]
        assert len(jobs) <= 1, jobs
        if not jobs:
            known = project["recordings"]
            assert len(known) <= 1, known
            if not known:
                known = [self.post("/api/recordings", params={"name": "cell.csv"}, content=recording.read_bytes())]
            body = {"kind": "fit", "recording": known[0]["id"], "models": ["LIFNeuron"], "budget": BUDGET}
            return self.post("/api/jobs", json=body)["id"]
        assert jobs[0]["state"] in ("running", "stopped", "done"), jobs[0]
        if jobs[0]["state"] == "stopped":
            self.post(f"/api/jobs/{jobs[0]['id']}/resume")
        return jobs[0]["id"]

    def ended(self, recording: Path) -> tuple[str, str]:
        """Whatever is to be done for the job to end: its key, and its state then."""
        deadline = time.monotonic() + LIMIT
        key = self.job(recording)
        while (state := self.get(f"/api/jobs/{key}")["state"]) == "running":
            assert time.monotonic() < deadline, "the job never ends"
            time.sleep(0.05)
        return key, state

    def done(self, recording: Path) -> bytes:
        """The same, and what it has found."""
        key, state = self.ended(recording)
        assert state == "done", self.get(f"/api/jobs/{key}")
        return self.result_of(key)

    def result_of(self, key: str) -> bytes:
        answer = self.http.get(f"/api/jobs/{key}/files/result.json")
        assert answer.status_code == 200, answer.text
        return answer.content

    def end(self) -> None:
        self.process.terminate()
        _, said = self.process.communicate(timeout=LIMIT)
        assert self.process.returncode == 0 and "Traceback" not in said, (self.process.returncode, said)


class UndisturbedStudio:
    """A fit in the Studio that nothing disturbs: how long it takes, how often the server renames, and its result."""

    def __init__(self, recording: Path, place: Path, env: dict[str, str]) -> None:
        self.recording, self.place, self.env = recording, place, env
        for name in ("warm", "undisturbed"):  # what is compiled the first time stays in the cache
            folder = place / name
            folder.mkdir()
            served = Served(folder, env)
            begun = time.monotonic()
            self.result = served.done(recording)
            self.seconds = time.monotonic() - begun
            served.end()
        counted = place / "undisturbed.renamings"
        self.renamings = counted.stat().st_size if counted.exists() else 0


def studio_trial(normal: UndisturbedStudio, seed: int) -> dict[str, object]:
    """Kill server, worker or both once, as the seed says, open the project again, and let the job end. Raises AssertionError."""
    draw = random.Random(seed)
    folder = normal.place / f"trial{seed}"
    folder.mkdir()
    name, victim = draw.choice(list(SIGNALS)), draw.choice(VICTIMS)
    account: dict[str, object] = {"command": "studio", "seed": seed, "signal": name, "victim": victim}
    at = ""
    if draw.random() < 0.4:
        # by server or worker, whoever renames: both inherit the order
        at = f"{draw.randint(1, normal.renamings)},{draw.choice(['before', 'after'])}"
        account |= {"at": f"renaming {at}", "victim": "whoever renames"}
        at += "," + "+".join(str(int(n)) for n in SIGNALS[name])
    served = Served(folder, normal.env, at)
    try:
        if at:
            with suppress(httpx.HTTPError):  # if it is the server that is killed
                served.ended(normal.recording)
        else:
            wait = draw.uniform(0, normal.seconds)
            account["at"] = f"{wait:.2f} s"
            with suppress(httpx.HTTPError):
                served.job(normal.recording)
            time.sleep(wait)
            for number in SIGNALS[name]:
                for pid in victims(served, folder, victim):
                    with suppress(ProcessLookupError):
                        os.kill(pid, number)
                time.sleep(draw.uniform(0, 0.3))
        gone(served, folder, draw.random() < 0.5)
        account["code"] = served.process.returncode
        again = Served(folder, normal.env)
        assert again.done(normal.recording) == normal.result, "another result"
        again.end()
        nothing_runs(folder)
        scratch = [p for p in folder.rglob(".*") if not p.name.endswith((".lock", ".json"))]
        assert not scratch, f"left: {scratch}"
    except AssertionError as error:
        raise AssertionError(f"{json.dumps(account)}: {error}") from None
    finally:
        for process in (served.process, again.process if "again" in vars() else served.process):
            process.kill()
            process.communicate()
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_suffix(".tmp"))
    return account


def victims(served: Served, folder: Path, victim: str) -> list[int]:
    locks = folder.glob("project/jobs/*/lock")
    workers = [int(text) for lock in locks if (text := lock.read_text()).isdigit()]
    return {"server": [served.process.pid], "worker": workers, "both": [served.process.pid, *workers]}[victim]


def gone(served: Served, folder: Path, at_once: bool) -> None:
    """The first server has ended, of the signal or of this one; its worker may go on, or is waited for."""
    if served.process.poll() is None:
        served.process.send_signal(signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        served.process.wait(30)
    assert served.process.poll() is not None, "the server does not end"
    if not at_once:
        nothing_runs(folder)
