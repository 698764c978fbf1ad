"""Nothing outlives the process that started it; what a killed one leaves on the disk is found and swept."""

import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

from spikefab.cli import main

pytestmark = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are read from /proc")


def descendants(pid):
    """Process ids of all that this process started, and so on."""
    found = []
    for child in children(pid):
        found += [child, *descendants(child)]
    return found


def children(pid):
    try:
        return [int(x) for t in Path(f"/proc/{pid}/task").iterdir() for x in (t / "children").read_text().split()]
    except OSError:
        return []


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def killed(words, number, tmp_path, program):
    """Start a command, send a signal to it alone when `program` runs below it, and return what is alive 10 s later.

    What runs below is stopped first, so that it cannot come to its own end in time.
    """
    env = {**os.environ, "TMPDIR": str(tmp_path / "tmp"), "SPIKEFAB_CACHE": str(tmp_path / "cache")}
    (tmp_path / "tmp").mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "spikefab", *words], env=env, cwd=tmp_path, stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE, start_new_session=True, text=True,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    below = []
    while not (stopped := [pid for pid in below if runs(program, pid)]):
        assert process.poll() is None and time.monotonic() < deadline, process.stderr.read()
        time.sleep(0.02)
        below = descendants(process.pid)
    for pid in stopped:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGSTOP)
    process.send_signal(number)
    _, err = process.communicate(timeout=60)
    deadline = time.monotonic() + 10
    while any(map(alive, below)) and time.monotonic() < deadline:
        time.sleep(0.05)
    left = [command(pid) for pid in below if alive(pid)]
    for pid in filter(alive, below):
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    return process.returncode, left, err


def runs(program, pid):
    """Whether the process runs a program, and has not yet to become it (see `tools.run`)."""
    return program in (words := command(pid)) and "PR_SET_PDEATHSIG" not in words


def command(pid):
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return ""


CASES = [
    (["verify", "lif", "--steps", "1000"], "cc1plus"),
    (["build", "lif", "--board", "icebreaker", "--out", "out"], "libyosys"),
]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize(
    ("words", "program"), [pytest.param(*CASES[0], marks=pytest.mark.slow), CASES[1]], ids=["verify", "build"]
)
def test_simulators_and_tools_end_with_the_command(words, program, number, tmp_path):
    code, left, err = killed(words, number, tmp_path, program)
    assert left == []
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else 143), err
    if number == signal.SIGTERM:
        assert err.splitlines()[-1] == "spikefab: interrupted; nothing was saved."
        assert not list((tmp_path / "tmp").iterdir())
        assert not list(tmp_path.glob("out/.*"))


def test_doctor_tells_and_sweeps_what_the_dead_left(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    dead = int(subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True).stdout)
    names = [f"spikefab-{dead}-a", f"spikefab-{dead}-cache-b", f"spikefab-{os.getpid()}-c", "spikefab-fit-d", "other"]
    for name in names:
        (tmp_path / name).mkdir()
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert all((f"{tmp_path}/{name}" in said) == (str(dead) in name) for name in names)
    assert main(["doctor", "--sweep"]) == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(names[2:])
    assert main(["doctor"]) == 0
    assert "Left by" not in capsys.readouterr().out
