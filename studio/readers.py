"""Worker processes that read uploaded files. If a file crashes its reader or takes too long, only that request fails."""

import asyncio
import json
import os
import sys
from typing import Any

from spikefab.errors import SpikefabError

COUNT = 2  # number of processes
LONGEST = 600.0  # s that a request may take
ANSWER = 64 * 2**20  # bytes of an answer, at most


class Readers:
    """A pool of COUNT processes, each of which handles one request at a time. They are kept for further requests."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(COUNT)
        self._idle: list[asyncio.subprocess.Process] = []

    async def warm(self) -> None:
        """Start all processes, so that their imports are done before the first file comes."""
        self._idle = [await self._start() for _ in range(COUNT)]

    async def ask(self, do: str, **given: Any) -> Any:
        """Call a function of the module `recordings` in a process. Raises SpikefabError if the process dies or is too slow."""
        async with self._free:
            self._idle = [p for p in self._idle if p.returncode is None]
            process = self._idle.pop() if self._idle else await self._start()
            assert process.stdin is not None and process.stdout is not None
            try:
                process.stdin.write(json.dumps({"do": do, **given}).encode() + b"\n")
                await process.stdin.drain()
                line = await asyncio.wait_for(process.stdout.readline(), LONGEST)
                answer = json.loads(line)
            except TimeoutError:
                self._end(process)
                raise SpikefabError(f"This takes more than {LONGEST / 60:.0f} minutes, and was given up.") from None
            except (OSError, ValueError):
                self._end(process)
                raise SpikefabError("The process that read this crashed: the file is damaged, or too large.") from None
            except asyncio.CancelledError:
                self._end(process)  # it is still working, and its answer would be taken for that of the next request
                raise
            self._idle.append(process)
        if "defect" in answer:
            raise RuntimeError(answer["defect"])
        return answer["answer"]

    async def close(self) -> None:
        for process in self._idle:
            self._end(process)
            await process.wait()

    async def _start(self) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "spikefab.studio.readers",
            stdin=pipe,
            stdout=pipe,
            limit=ANSWER,
            start_new_session=True,
        )

    @staticmethod
    def _end(process: asyncio.subprocess.Process) -> None:
        if process.returncode is None:
            process.kill()


def main() -> None:
    """The main function of a process: reads requests from stdin, one per line, and writes an answer to stdout for each."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print must not be taken for an answer
    import spikefab.fit.recordings.readers
    import spikefab.fit.recordings.recording  # noqa: F401
    from spikefab.fit.report.json_values import finite

    from . import recordings

    functions = {f.__name__: f for f in (recordings.take_in, recordings.features, recordings.window_features)}
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer: dict[str, Any] = {"answer": functions[request.pop("do")](**request)}
        except Exception as error:
            answer = {"defect": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(finite(answer), allow_nan=False) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
