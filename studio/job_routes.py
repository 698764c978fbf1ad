"""The routes of the server for jobs: to begin, steer, name, follow and delete them, and to load their files."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

from anyio import to_thread
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.routing import Route

from . import job_requests
from .bodies import json_answer, object_of
from .jobs import OVER, Jobs
from .project import Project

POLL = 0.1  # s between two looks for new events
ADVANCE = 0.3  # s between two looks whether a queued job can start


class JobRoutes:
    def __init__(self, project: Project, jobs: Jobs):
        self.project, self.jobs = project, jobs

    @property
    def routes(self) -> list[Route]:
        return [
            Route("/api/jobs", self.begin, methods=["POST"]),
            Route("/api/jobs/{key}", self.get, methods=["GET"]),
            Route("/api/jobs/{key}", self.relabel, methods=["PUT"]),
            Route("/api/jobs/{key}", self.remove, methods=["DELETE"]),
            Route("/api/jobs/{key}/{what}", self.steer, methods=["POST"]),
            Route("/api/jobs/{key}/files/{name}", self.file, methods=["GET"]),
            Route("/api/jobs/{key}/events", self.events, methods=["GET"]),
        ]

    async def advance(self) -> None:
        """Start queued jobs when there is room for them, for as long as the server runs."""
        while True:
            await asyncio.sleep(ADVANCE)
            with suppress(OSError):  # a full disk, for example: it is tried again
                await to_thread.run_sync(self.jobs.advance)

    async def begin(self, request: Request) -> Response:
        body = object_of(await request.body())
        return json_answer(await to_thread.run_sync(job_requests.job, self.project, self.jobs, body), 201)

    async def get(self, request: Request) -> Response:
        return json_answer(await to_thread.run_sync(self.jobs.describe, request.path_params["key"]))

    async def relabel(self, request: Request) -> Response:
        body = object_of(await request.body())
        return json_answer(await to_thread.run_sync(self.jobs.relabel, request.path_params["key"], body))

    async def steer(self, request: Request) -> Response:
        ways = {"pause": self.jobs.pause, "resume": self.jobs.resume, "cancel": self.jobs.cancel}
        way = ways.get(request.path_params["what"])
        if way is None:
            raise HTTPException(404)
        return json_answer(await to_thread.run_sync(way, request.path_params["key"]))

    async def remove(self, request: Request) -> Response:
        await to_thread.run_sync(self.jobs.remove, request.path_params["key"])
        return Response(status_code=204)

    async def file(self, request: Request) -> Response:
        path = self.jobs.file(request.path_params["key"], request.path_params["name"])
        # pictures are shown in the page; other files are only downloaded, never shown as a page of this server
        inline = path.suffix in (".svg", ".png")
        return FileResponse(
            path, filename=path.name, content_disposition_type="inline" if inline else "attachment",
            headers={"content-security-policy": "sandbox; default-src 'none'; style-src 'unsafe-inline'"},
        )  # fmt: skip

    async def events(self, request: Request) -> Response:
        key = request.path_params["key"]
        self.jobs.folder(key)
        last = request.headers.get("last-event-id") or request.query_params.get("after", "0")
        after = int(last) if last.isdecimal() and len(last) < 20 else 0
        return StreamingResponse(self._follow(request, key, after), media_type="text/event-stream")

    async def _follow(self, request: Request, key: str, after: int) -> AsyncIterator[str]:
        """Send the events of a job as they are written, after number `after`, until the job is over."""
        while not await request.is_disconnected():
            # the state before the events: a job that is over then has written all of them
            last = await to_thread.run_sync(self.jobs.state, key)
            found = await to_thread.run_sync(self._listed, key, after)
            for number, event in found:
                after = number
                yield f"id: {number}\ndata: {json.dumps(event)}\n\n"
            if not found:
                if last["state"] in OVER or last["state"] in ("paused", "stopped"):
                    # a worker that died wrote no state; this event has no number, because the job may be resumed
                    yield f"data: {json.dumps({'type': 'state', **last})}\n\n"
                    return
                yield ": still there\n\n"
                await asyncio.sleep(POLL)

    def _listed(self, key: str, after: int) -> list[tuple[int, dict[str, Any]]]:
        return list(self.jobs.events(key, after))
