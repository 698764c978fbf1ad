"""Reads files in a child process with a limit of time and of memory, and tells how each reading ended.

As a program it is the child: it takes the name of a loader and a path from each line of its input, and answers in one line.
"""

import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path

SECONDS = 10  # of the processor for one file, because other processes may make everything slower
WAITING = 90.0  # seconds in which a child must have answered all the same
MEMORY = 2 << 30  # bytes that the child may allocate
BEGIN = 90.0  # seconds in which a child must have imported all that it needs


def load_recording(path: Path) -> None:
    from spikefab.fit.recordings.readers import read
    from spikefab.fit.recordings.summary import describe

    describe(read(path))


def load_results(path: Path) -> None:
    from spikefab.fit.results import FitResults

    FitResults.load(path)


def load_neuron(path: Path) -> None:
    from spikefab.fit.report.folder import described_neuron, fitted_neuron

    if path.name == "neuron.json":
        described_neuron(path)
    else:
        fitted_neuron(path.parent)


def load_journal(path: Path) -> None:
    """A journal gives what was kept, or nothing."""
    import numpy as np

    from spikefab.fit.search.journal import Journal

    journal = Journal(path)
    for k in range(3):
        codes, values = journal_record(k)
        found = journal.find(codes)
        assert found is None or np.array_equal(found, values), "the journal gave other values than it was given"


def journal_record(k: int):
    """(codes, values) of a record in the journal of the tests."""
    import numpy as np

    rng = np.random.default_rng(k)
    return rng.integers(-1000, 1000, (4, 5)), rng.normal(size=(4, 2))


LOADERS = {f.__name__: f for f in (load_recording, load_results, load_neuron, load_journal)}


class Reader:
    """Children that read one file after the other; a child that does not answer in time is killed, and another one begins."""

    def __init__(self):
        self._child = None

    def read(self, loader: str, path: Path) -> str:
        """How the reading of a file ended: "" if well, "SpikefabError: ..." if the file was refused, else what went wrong."""
        if self._child is None:
            self._begin()
        self._child.stdin.write(f"{loader}\t{path}\n")
        self._child.stdin.flush()
        answer = self._answer(WAITING)
        if answer is None:
            return f"no answer in {WAITING:g} s"
        if not answer:
            code = self._child.wait()
            self.close()
            return f"above {SECONDS} s" if code == -signal.SIGXCPU else f"the process died ({code})"
        return json.loads(answer)

    def close(self):
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _begin(self):
        environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"}
        self._child = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment,
        )  # fmt: skip
        assert self._answer(BEGIN), "the reader did not begin"

    def _answer(self, seconds: float) -> str | None:
        """The next line of the child; None if it takes longer and is killed, "" if the child is dead."""
        late = threading.Event()

        def kill():
            late.set()
            self._child.kill()

        timer = threading.Timer(seconds, kill)
        timer.start()
        line = self._child.stdout.readline()
        timer.cancel()
        if line or not late.is_set():
            return line
        self.close()
        return None


def main() -> None:
    import h5py  # noqa: F401  (what a reader imports does not count to its time)
    import scipy.ndimage
    import scipy.signal  # noqa: F401

    import spikefab.fit.report.folder
    import spikefab.fit.results  # noqa: F401
    from spikefab.errors import SpikefabError

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what else is printed is no answer
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        loader, path = line.rstrip("\n").split("\t")
        said = ""
        used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
        resource.setrlimit(resource.RLIMIT_CPU, (round(used) + SECONDS, resource.RLIM_INFINITY))
        try:
            LOADERS[loader](Path(path))
        except SpikefabError as error:
            said = f"SpikefabError: {error}"
        except BaseException as error:
            where, step = "", error.__traceback__
            while step is not None:
                code = step.tb_frame.f_code
                where, step = f"{where} < {Path(code.co_filename).name}:{step.tb_lineno} {code.co_name}", step.tb_next
            said = f"{type(error).__name__}: {error}{where}"
        print(json.dumps(said), file=answers, flush=True)


if __name__ == "__main__":
    main()
