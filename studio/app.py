"""The routes of the Studio's server: they check requests and call the public API."""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from anyio import to_thread
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from spikefab import __version__
from spikefab.errors import SpikefabError, UsageError
from spikefab.fit.features.observed import PULSE

from . import built, cards, commands, neuron_requests, recordings
from .bodies import json_answer, object_of
from .guard import UPLOAD, Guard, TooLarge
from .job_names import other_than
from .job_routes import JobRoutes
from .jobs import Jobs
from .live import Bench
from .page_keys import PageKeys
from .project import Missing, Project, file_name, shown_name
from .queries import query_of, reading_of
from .readers import Readers
from .stored import PRIVATE, private
from .words import said

STATIC = Path(__file__).parent / "static"
SESSION = 64 * 1024  # bytes of the state of the page, at most


class Unreadable(SpikefabError):
    """A file that a reader refuses: why, in the Studio's words, and the options of `read` that would help."""

    def __init__(self, sentence: str, options: Sequence[str]):
        super().__init__(sentence)
        self.options = options


class Studio:
    """An open project, its worker processes, and the routes for the page."""

    def __init__(self, project: Project):
        self.project, self.jobs, self.bench = project, Jobs(project), Bench(project)
        self.job_routes = JobRoutes(project, self.jobs)
        self.token, self.keys = secrets.token_urlsafe(24), PageKeys(project.folder / "pages.json")
        self.readers = Readers()

    def app(self, port: int, frames: str = "'none'") -> Guard:
        """The ASGI application, for requests to this port."""
        routes = [
            Route("/", self.page),
            Route("/static/{name}", self.static),
            *self._routes("GET", "/api/project", self.get_project),
            *self._routes("PUT", "/api/session", self.put_session),
            *self._routes("POST", "/api/recordings", self.add_recording),
            *self._routes("POST", "/api/recordings/{key}/current", self.add_current),
            *self._routes("POST", "/api/recordings/{key}/reading", self.read_again),
            *self._routes("PUT", "/api/recordings/{key}/window", self.put_window),
            *self._routes("DELETE", "/api/recordings/{key}", self.remove_recording),
            *self._routes("GET", "/api/recordings/{key}/trace", self.get_trace),
            *self._routes("GET", "/api/recordings/{key}/spikes", self.get_spikes),
            *self._routes("GET", "/api/recordings/{key}/shapes", self.get_shapes),
            *self._routes("GET", "/api/recordings/{key}/features", self.get_features),
            *self._routes("GET", "/api/models", self.get_models),
            *self._routes("GET", "/api/models/{name}/parameters", self.get_parameters),
            *self._routes("GET", "/api/models/{name}/trial", self.get_trial),
            *self._routes("POST", "/api/simulate", self.simulate),
            *self._routes("GET", "/api/boards", self.get_boards),
            *self._routes("GET", "/api/alive", self.alive),
            *self.job_routes.routes,
        ]
        answers = {
            UsageError: _sentence(422), Missing: _sentence(404), SpikefabError: _sentence(422), HTTPException: _status,
            ClientDisconnect: _gone, OSError: _unwritten, Exception: _defect,
        }  # fmt: skip
        return Guard(
            Starlette(routes=routes, exception_handlers=answers, lifespan=self._lifespan),
            port=port, token=self.token, keys=self.keys, frames=frames,
        )  # fmt: skip

    @staticmethod
    def _routes(method: str, path: str, do: Callable) -> list[Route]:
        return [Route(path, do, methods=[method])]

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        await self.readers.warm()
        advancing = asyncio.create_task(self.job_routes.advance())
        try:
            yield
        finally:
            advancing.cancel()
            await self.readers.close()
            self.project.close()

    # -- the page ----------------------------------------------------------------------------------------------------

    async def page(self, _: Request) -> Response:
        index = STATIC / "index.html"
        if not index.is_file():
            text = (
                "The Studio's page is not built: run make studio in the checkout (it needs node), or install a release."
            )
            return HTMLResponse(f"<!doctype html><title>spikefab Studio</title><p>{text}</p>", 503)
        text = index.read_text(encoding="utf-8")
        return HTMLResponse(text.replace("{{token}}", self.token).replace("{{key}}", self.keys.current))

    async def alive(self, _: Request) -> Response:
        """What the page asks every second, to say at once when the server is gone."""
        return Response(status_code=204)

    async def static(self, request: Request) -> Response:
        name = request.path_params["name"]
        for path in STATIC.iterdir() if STATIC.is_dir() else ():
            if path.name == name:
                return FileResponse(path)
        raise HTTPException(404)

    async def get_project(self, _: Request) -> Response:
        return json_answer(
            {
                "name": self.project.name,
                "version": __version__,
                "upload_limit": UPLOAD,
                "recordings": [self._told(r) for r in self.project.recordings()],
                "jobs": await to_thread.run_sync(self.jobs.all),
                "session": self.project.session,
            }
        )

    async def put_session(self, request: Request) -> Response:
        body = await request.body()
        if len(body) > SESSION:
            raise HTTPException(413, "A session is at most 64 kB.")
        self.project.session = object_of(body)
        return Response(status_code=204)

    # -- recordings --------------------------------------------------------------------------------------------------

    async def add_recording(self, request: Request) -> Response:
        shown = request.query_params.get("name", "recording")
        options = reading_of(request)
        scratch = self.project.scratch()
        try:
            file = scratch / file_name(shown)
            await _receive(request, file)
            content = await self._read(file, scratch, options)
            others = self.project.recordings()
            name = other_than(shown_name(shown), [r["name"] for r in others])
            content = self.project.add_recording(scratch, {"name": name} | content)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        same = [r["name"] for r in others if all(r[what] == content[what] for what in ("sha256", "options"))]
        return json_answer(self._told(content) | ({"same_as": same[0]} if same else {}), 201)

    async def add_current(self, request: Request) -> Response:
        """Set the current of a recording: from an uploaded file, or from the channel given as `current_channel`."""
        content = self.project.recording(request.path_params["key"])
        options = {k: v for k, v in content["options"].items() if k not in ("current", "current_channel")}
        given = reading_of(request)
        file = None if "current_channel" in given else file_name(request.query_params.get("name", "current"))
        return await self._again(content, options | given, file, request)

    async def read_again(self, request: Request) -> Response:
        """Read a recording again, with the options in the query in place of all that its format has."""
        content = self.project.recording(request.path_params["key"])
        given = reading_of(request)
        replaced = {*content.get("reading_options", ()), *(("current",) if "current_channel" in given else ())}
        return await self._again(content, {k: v for k, v in content["options"].items() if k not in replaced} | given)

    async def _again(
        self, content: dict[str, Any], options: dict[str, Any], file: str | None = None, request: Request | None = None
    ) -> Response:
        """Read a recording with other options. With `file`, its current is in the body of the request, a file of this name."""
        folder, scratch = self.project.recording_folder(content["id"]), self.project.scratch()
        try:
            if file is not None and request is not None:
                (scratch / "current").mkdir(mode=PRIVATE)
                options["current"] = str(scratch / "current" / file)
                await _receive(request, Path(options["current"]))
            elif "current" in options:
                shutil.copytree(folder / "current", scratch / "current")
                options["current"] = str(scratch / "current" / options["current"])
            shutil.copy(folder / content["file"], scratch / content["file"])  # with its permissions
            found = await self._read(scratch / content["file"], scratch, options)
            kept = {name: content[name] for name in ("name", "id", "added")}
            content = self.project.add_recording(scratch, found | kept)
        except BaseException:
            shutil.rmtree(scratch, ignore_errors=True)
            raise
        return json_answer(self._told(content))

    async def _read(self, file: Path, folder: Path, options: dict[str, Any]) -> dict[str, Any]:
        found = await self.readers.ask("take_in", file=str(file), folder=str(folder), options=options)
        if "error" in found:
            raise Unreadable(found["error"], found["options"])
        return found

    async def put_window(self, request: Request) -> Response:
        content = self.project.recording(request.path_params["key"])
        body = object_of(await request.body())
        sweep = neuron_requests.whole(body, "sweep")
        ends = body.get("window")
        if not isinstance(ends, list) or len(ends) != 2:
            raise UsageError("window must be two times in ms.")
        whole = recordings.sweep_of(content, sweep)["duration"]
        window = tuple(neuron_requests.number({"a time": x}, "a time", least=0, most=whole) for x in ends)
        if window[1] - window[0] < min(PULSE, whole):
            raise UsageError(f"Features are measured within {PULSE:g} ms or more.")
        folder = self.project.recording_folder(content["id"])
        return json_answer(
            await self.readers.ask("window_features", folder=str(folder), content=content, index=sweep, window=window)
        )

    async def remove_recording(self, request: Request) -> Response:
        self.project.remove_recording(request.path_params["key"])
        return Response(status_code=204)

    async def get_trace(self, request: Request) -> Response:
        content = self.project.recording(request.path_params["key"])
        query = query_of(request)
        ends = [neuron_requests.number(query, name) if name in query else None for name in ("from", "to")]
        sweep = neuron_requests.whole(query, "sweep", 0)
        folder = self.project.recording_folder(content["id"])
        body = await to_thread.run_sync(partial(recordings.trace, folder, content, sweep, *ends))
        return Response(body, media_type="application/octet-stream")

    async def get_spikes(self, request: Request) -> Response:
        content = self.project.recording(request.path_params["key"])
        folder = self.project.recording_folder(content["id"])
        times = recordings.part(folder, content, neuron_requests.whole(query_of(request), "sweep", 0), "spikes")
        return json_answer({"times": times.tolist()})

    async def get_shapes(self, request: Request) -> Response:
        content = self.project.recording(request.path_params["key"])
        given = {"folder": str(self.project.recording_folder(content["id"])), "content": content}
        index = neuron_requests.whole(query_of(request), "sweep", 0)
        return json_answer(await self.readers.ask("spike_shapes", **given, index=index))

    async def get_features(self, request: Request) -> Response:
        content = self.project.recording(request.path_params["key"])
        folder = self.project.recording_folder(content["id"])
        found = await self.readers.ask("features", folder=str(folder), content=content)
        return json_answer(found | commands.features(content))

    def _told(self, content: dict[str, Any]) -> dict[str, Any]:
        return {"reading_options": [], "electrode_resistance": 0.0} | content | commands.info(content)

    # -- models and boards -------------------------------------------------------------------------------------------

    async def get_models(self, _: Request) -> Response:
        return json_answer({"models": await to_thread.run_sync(lambda: cards.models(built.builds(self.jobs)))})

    async def get_boards(self, _: Request) -> Response:
        made, outcomes = partial(built.builds, self.jobs), partial(built.outcomes, self.jobs)
        return json_answer({"boards": await to_thread.run_sync(lambda: cards.boards(made(), outcomes()))})

    async def get_parameters(self, request: Request) -> Response:
        query = query_of(request)
        variant = neuron_requests.variant(request.path_params["name"], query)
        key = neuron_requests.text(query, "recording") if "recording" in query else None
        return json_answer(await to_thread.run_sync(partial(self.bench.parameters, *variant, key)))

    async def get_trial(self, request: Request) -> Response:
        query = query_of(request)
        variant = neuron_requests.variant(request.path_params["name"], query)
        key = neuron_requests.text(query, "recording")
        return json_answer(await to_thread.run_sync(partial(self.bench.trial, *variant, key)))

    async def simulate(self, request: Request) -> Response:
        body = object_of(await request.body())
        return Response(await to_thread.run_sync(self.bench.simulate, body), media_type="application/octet-stream")


# -- requests and answers --------------------------------------------------------------------------------------------


async def _receive(request: Request, path: Path) -> None:
    with open(path, "wb", opener=private) as out:
        async for chunk in request.stream():
            await to_thread.run_sync(out.write, chunk)


def _sentence(status: int) -> Callable:
    async def answer(_: Request, error: Exception) -> Response:
        assert isinstance(error, SpikefabError)
        asks = error.options if isinstance(error, Unreadable) else error.sentence.options
        return JSONResponse({"error": " ".join(said(error).split()), "options": [*asks]}, status)

    return answer


async def _status(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return JSONResponse({"error": error.detail}, error.status_code)


async def _gone(_: Request, __: Exception) -> Response:
    return Response(status_code=499)


async def _unwritten(_: Request, error: Exception) -> Response:
    assert isinstance(error, OSError)
    return JSONResponse({"error": f"The project's folder cannot be read or written: {error.strerror or error}."}, 507)


async def _defect(_: Request, error: Exception) -> Response:
    if isinstance(error, TooLarge):
        raise error
    return JSONResponse({"error": f"This is a defect of spikefab: {type(error).__name__}."}, 500)
