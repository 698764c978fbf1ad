"""A test run that leaves a process or a temporary file behind fails."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

CONFTEST = Path(__file__).parents[1] / "conftest.py"
SLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="processes are looked for in /proc")


def found(left_behind, pid):
    return any(text.startswith(f"process {pid}: ") and "time.sleep(60)" in text for text in left_behind())


@pytest.mark.parametrize("how", [{}, {"start_new_session": True}, {"env": {"PATH": os.environ["PATH"]}}])
def test_a_process_is_found_until_it_ends(left_behind, how):
    process = subprocess.Popen(SLEEP, **how)
    try:
        assert found(left_behind, process.pid)
    finally:
        process.kill()
        process.wait()
    assert not found(left_behind, process.pid)


def test_an_orphan_is_found(left_behind):
    """A process with a session of its own, whose parent has ended."""
    script = f"import subprocess; print(subprocess.Popen({SLEEP}, start_new_session=True, stdout=-3, stderr=-3).pid)"
    pid = int(subprocess.run([sys.executable, "-c", script], capture_output=True, check=True).stdout)
    try:
        assert found(left_behind, pid)
    finally:
        os.kill(pid, 9)


def test_a_temporary_folder_is_found(left_behind):
    with tempfile.TemporaryDirectory(prefix="spikefab-") as folder:
        assert f"temporary {Path(folder).name}" in left_behind()
    assert f"temporary {Path(folder).name}" not in left_behind()


def test_the_run_fails(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST.read_text().replace("PATIENCE = 20.0", "PATIENCE = 0.5"))

    def run(does):
        (tmp_path / "test_it.py").write_text(f"import subprocess, tempfile\n\ndef test_it():\n    {does}\n")
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--basetemp={tmp_path / 'base'}",
            ".",
        ]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)

    assert run("pass").returncode == 0
    failed = run("tempfile.mkdtemp(prefix='spikefab-'); subprocess.Popen(['sleep', '2'])")
    assert failed.returncode == 1
    assert "the tests left behind:" in failed.stdout
    assert ": sleep 2\n" in failed.stdout and "temporary spikefab-" in failed.stdout
