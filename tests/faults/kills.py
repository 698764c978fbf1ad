"""Kills of whole commands: at a random moment, or before or after one of their renamings; and what must hold afterwards.

After a kill nothing that the command started runs on, each file that is in place is one of the undisturbed run (or of what was
there before), and the same command, given again, ends as if nothing had been. A trial is drawn from a seed: with the same seed it
is the same again, but for how fast the machine is.
"""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from spikefab.fit.report.folder import fitted_neuron
from spikefab.fit.results import FitResults

TRIAL = "SPIKEFAB_TEST_TRIAL"  # variable that all processes of a trial inherit
PATIENCE = 15.0  # seconds in which the processes that a killed one leaves must end
LIMIT = 300.0  # seconds after which a command hangs
NOTES = "notes.txt"  # a file of the user's among the results
SIGNALS = {"SIGKILL": [signal.SIGKILL], "SIGTERM": [signal.SIGTERM], "SIGINT": [signal.SIGINT]}
SIGNALS["SIGINT twice"] = [signal.SIGINT, signal.SIGINT]
CODES = {"SIGKILL": -9, "SIGTERM": 143, "SIGINT": 130, "SIGINT twice": 130}
# while Python itself starts, signals have their usual effect
STARTING = {"SIGKILL": (-9,), "SIGTERM": (-15,), "SIGINT": (-2, 130, 1), "SIGINT twice": (-2, 130, 1)}
START = 1.0  # seconds

# Run by each process of a trial before its program: the renaming of a number (over all processes) sends a signal.
AT_RENAMING = f"""
import os

def counted(move):
    def moved(*args, **options):
        number = os.open(os.environ["{TRIAL}"] + ".renamings", os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(number, b".")
        reached = os.fstat(number).st_size
        os.close(number)
        wanted, when, signals = os.environ.get("{TRIAL}_AT", "0,x,").split(",")
        due = [int(s) for s in signals.split("+")] if reached == int(wanted) else []
        if when == "before":
            for s in due: os.kill(os.getpid(), s)
        result = move(*args, **options)
        if when == "after":
            for s in due: os.kill(os.getpid(), s)
        return result
    return moved

os.rename, os.replace = counted(os.rename), counted(os.replace)
"""


@dataclass(frozen=True)
class Case:
    """A command to be killed.

    words    what is typed after `spikefab`
    prepare  makes the files that it reads, in a folder
    earlier  what is typed so that `out` holds an earlier result, or []
    exact    name patterns of the files of `out` that are the same in every run
    """

    name: str
    words: list[str]
    prepare: Callable[[Path], None]
    earlier: list[str]
    exact: tuple[str, ...] = ("**/*",)


class Undisturbed:
    """A run that nothing disturbs: how long it takes, how often it renames, what it leaves; and an earlier result."""

    def __init__(self, case: Case, place: Path, env: dict[str, str]) -> None:
        self.case, self.place, self.env = case, place, env
        self.earlier = self._run("earlier", case.earlier) if case.earlier else {}
        self._run("warm", case.words)  # what is compiled the first time stays in the cache
        begun = time.monotonic()
        self.files = self._run("undisturbed", case.words)
        self.seconds = time.monotonic() - begun
        counted = place / "undisturbed.renamings"
        self.renamings = counted.stat().st_size if counted.exists() else 0

    def _run(self, name: str, words: list[str]) -> dict[str, bytes]:
        folder = self.place / name
        folder.mkdir()
        self.case.prepare(folder)
        done = start(folder, words, self.env)
        _, said = done.communicate(timeout=LIMIT)
        assert done.returncode == 0, said
        return contents(folder / "out")


def start(folder: Path, words: list[str], env: dict[str, str], at: str = "") -> subprocess.Popen:
    hook = folder.parent / "hook"
    hook.mkdir(exist_ok=True)
    (hook / "sitecustomize.py").write_text(AT_RENAMING)
    temporary = folder.with_suffix(".tmp")
    temporary.mkdir(exist_ok=True)
    path = os.pathsep.join([str(hook), *filter(None, [env.get("PYTHONPATH")])])
    env = {**env, "TMPDIR": str(temporary), "PYTHONPATH": path, TRIAL: str(folder), f"{TRIAL}_AT": at or "0,x,"}
    command = [sys.executable, "-m", "spikefab", *words]
    return subprocess.Popen(
        command, cwd=folder, env=env, text=True, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def contents(folder: Path) -> dict[str, bytes]:
    """All files below a folder, hidden ones too."""
    return {str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def running(folder: Path) -> list[tuple[int, str]]:
    """The processes of a trial that are alive: number and command line."""
    mark, found = f"{TRIAL}={folder}".encode(), []
    for place in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if mark in (place / "environ").read_bytes().split(b"\0"):
                state = (place / "stat").read_text().rpartition(")")[2].split()[0]
                if state != "Z":
                    words = (place / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    found.append((int(place.name), words))
    return found


def trial(normal: Undisturbed, seed: int) -> dict[str, object]:
    """Kill the command once, as the seed says, and check what must hold. Raises AssertionError."""
    case, draw = normal.case, random.Random(seed)
    folder = normal.place / f"trial{seed}"
    folder.mkdir()
    case.prepare(folder)
    before = {}
    if normal.earlier and draw.random() < 0.5:
        shutil.copytree(normal.place / "earlier" / "out", folder / "out")
        (folder / "out" / NOTES).write_text("mine")
        before = normal.earlier
    name = draw.choice(list(SIGNALS))
    account: dict[str, object] = {"command": case.name, "seed": seed, "signal": name, "replaces": bool(before)}
    begun = time.monotonic()
    if normal.renamings and draw.random() < 0.5:
        at = f"{draw.randint(1, normal.renamings)},{draw.choice(['before', 'after'])}"
        account["at"] = f"renaming {at}"
        process = start(folder, case.words, normal.env, f"{at},{'+'.join(str(int(n)) for n in SIGNALS[name])}")
    else:
        wait = draw.uniform(0, normal.seconds)
        account["at"] = f"{wait:.2f} s"
        process = start(folder, case.words, normal.env)
        for number in SIGNALS[name]:
            with suppress(subprocess.TimeoutExpired):
                process.wait(wait)
            process.send_signal(number)
            wait = draw.uniform(0, 0.3)
    ended = time.monotonic()
    shown, said = process.communicate(timeout=LIMIT)
    account["code"] = code = process.returncode
    account["seconds"] = round(time.monotonic() - ended, 2)
    try:
        early = ended - begun < START and code in STARTING[name]
        assert code in (0, CODES[name]) or early, f"exit code {code}"
        assert "Traceback" not in said or early, "a traceback"
        nothing_runs(folder)
        left = list(folder.with_suffix(".tmp").iterdir())
        assert not left or name == "SIGKILL" or early, f"left: {[p.name for p in left]}"
        in_place(folder / "out", case, [normal.files, before])
        if code == 0:
            assert (folder / "out").is_dir() or not normal.files, "ended well without a result"
        if case.name == "fit" and name != "SIGKILL" and shown:
            assert FitResults.load(folder / "out"), "a ranking was shown and not saved"
        again = start(folder, case.words, normal.env)
        _, said = again.communicate(timeout=LIMIT)
        assert again.returncode == 0, "the command given again fails"
        found = contents(folder / "out") if normal.files else {}
        assert {*found} == {*normal.files, *before, *([NOTES] if before else [])}, f"files: {sorted(found)}"
        wrong = [x for x in exact(case, normal.files) if found[x] != normal.files[x]]
        assert not wrong, f"other results: {wrong}"
        if name == "SIGKILL":
            sweep = start(folder, ["doctor", "--sweep"], normal.env)
            sweep.communicate(timeout=LIMIT)
        left = list(folder.with_suffix(".tmp").iterdir())
        assert not left or early, f"left: {[p.name for p in left]}"
    except AssertionError as error:
        raise AssertionError(f"{json.dumps(account)}: {error}\n{said}") from None
    shutil.rmtree(folder)
    shutil.rmtree(folder.with_suffix(".tmp"))
    return account


def nothing_runs(folder: Path) -> None:
    deadline = time.monotonic() + PATIENCE
    while (left := running(folder)) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid, _ in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    assert not left, f"still running: {left}"


def exact(case: Case, names: dict[str, bytes]) -> list[str]:
    return [x for x in names if any(Path(x).match(pattern.removeprefix("**/")) for pattern in case.exact)]


def in_place(out: Path, case: Case, allowed: list[dict[str, bytes]]) -> None:
    """Whatever a reader finds in a folder is whole: a fit as a whole, all else file by file."""
    if case.name == "fit":
        if (out / "result.json").exists() or (out / ".saved").exists():
            results = FitResults.load(out)
            fitted_neuron(out)
            text = (out / "result.json").read_bytes()
            assert results.interrupted or text in [a.get("result.json") for a in allowed], "another result.json"
        return
    found = contents(out)
    visible = {x: b for x, b in found.items() if not any(part.startswith(".") for part in Path(x).parts)}
    for name in exact(case, visible):
        if name != NOTES and any(name in a for a in allowed):
            assert visible[name] in [a[name] for a in allowed if name in a], f"{name} is half-written"
