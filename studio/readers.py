"""Worker processes that read uploaded files. If a file crashes its reader or takes too much, only that request fails."""

import asyncio
import ctypes
import json
import os
import resource
import signal
import sys
from contextlib import suppress
from typing import Any

from spikefab.errors import SpikefabError

COUNT = 2  # number of processes that are kept, and of requests that are handled at once
SOON = 5.0  # s after which a request no longer counts among these, so that others go on
SLOW = 6  # number of requests that may take longer at once; beyond it, others wait
LONGEST = 300.0  # s that a request may take
MEMORY = 4 * 2**30  # bytes that a process may use
ANSWER = 64 * 2**20  # bytes of an answer, at most
TOO_LARGE = f"This needs more than {MEMORY / 2**30:g} GB of memory, and was given up."
DAMAGED = "The process that read this crashed: the file is damaged, or too large."
PR_SET_PDEATHSIG = 1


class Readers:
    """Processes that handle one request at a time; COUNT of them are kept for further requests."""

    def __init__(self) -> None:
        self._places = asyncio.Semaphore(COUNT)
        self._slow = 0  # number of requests that no longer have a place
        self._idle: list[asyncio.subprocess.Process] = []
        self._busy: set[asyncio.subprocess.Process] = set()

    async def warm(self) -> None:
        """Start all processes, so that their imports are done before the first file comes."""
        self._idle = [await self._start() for _ in range(COUNT)]

    async def ask(self, do: str, **given: Any) -> Any:
        """Call a function of the module `recordings` in a process. Raises SpikefabError if the process dies or is too slow."""
        await self._places.acquire()
        answering = asyncio.ensure_future(self._answer(json.dumps({"do": do, **given})))
        slow = False
        try:
            await asyncio.wait([answering], timeout=SOON)
            if not answering.done() and self._slow < SLOW:
                slow = True
                self._slow += 1
                self._places.release()
            answer = await answering
        finally:
            answering.cancel()  # this request was cancelled: its process, which is still at work, is ended
            if slow:
                self._slow -= 1
            else:
                self._places.release()
        if "refused" in answer:
            raise SpikefabError(answer["refused"])
        if "defect" in answer:
            raise RuntimeError(answer["defect"])
        return answer["answer"]

    async def close(self) -> None:
        for process in (*self._idle, *self._busy):
            self._end(process)
            await process.wait()

    async def _answer(self, request: str) -> dict[str, Any]:
        self._idle = [p for p in self._idle if p.returncode is None]
        process = self._idle.pop() if self._idle else await self._start()
        assert process.stdin is not None and process.stdout is not None
        self._busy.add(process)
        whole = False
        try:
            process.stdin.write(request.encode() + b"\n")
            await process.stdin.drain()
            answer = json.loads(await asyncio.wait_for(process.stdout.readline(), LONGEST))
            whole = answer.get("refused") != TOO_LARGE  # one whose memory is full is not used again
        except TimeoutError:
            raise SpikefabError(f"This takes more than {LONGEST / 60:.0f} minutes, and was given up.") from None
        except (OSError, ValueError):
            raise SpikefabError(DAMAGED) from None
        finally:
            self._busy.discard(process)
            if whole and len(self._idle) < COUNT:
                self._idle.append(process)
            else:
                self._end(process)
        return answer

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "spikefab.studio.readers",
            str(os.getpid()),
            stdin=pipe,
            stdout=pipe,
            limit=ANSWER,
            start_new_session=True,
        )

    @staticmethod
    def _end(process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)  # process.kill() twice makes asyncio complain


def main(server: int) -> None:
    """The main function of a process: reads requests from stdin, one per line, and writes an answer to stdout for each."""
    _confine(server)
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    import spikefab.fit.recordings.readers
    import spikefab.fit.recordings.recording  # noqa: F401
    from spikefab.fit.report.json_values import finite

    from . import recordings
    from .words import said

    functions = {
        f.__name__: f
        for f in (recordings.take_in, recordings.features, recordings.window_features, recordings.spike_shapes)
    }
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer: dict[str, Any] = {"answer": functions[request.pop("do")](**request)}
        except SpikefabError as error:
            answer = {"refused": said(error)}
        except MemoryError:
            answer = {"refused": TOO_LARGE}
        except Exception as error:
            answer = {"defect": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(finite(answer), allow_nan=False) + "\n")
        answers.flush()


def _confine(server: int) -> None:
    """Limit this process: it ends with the server (its process id), its files are for their owner, it has MEMORY bytes."""
    os.umask(0o077)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != server:
            sys.exit()  # the server ended before
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        limit = MEMORY if hard == resource.RLIM_INFINITY else min(MEMORY, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (limit, hard))


if __name__ == "__main__":
    main(int(sys.argv[1]))
