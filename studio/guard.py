"""Protects the Studio: it answers only to its own page on this machine, not to requests from other web sites."""

import hmac
from collections.abc import Iterable

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOAD = 512 * 2**20  # bytes of an uploaded recording, at most
BODY = 2**20  # bytes of any other request, at most
READS = {"GET", "HEAD"}  # methods that change nothing and therefore need no token
# headers of every response, which restrict what the page may load and who may show it
HEADERS = {
    "content-security-policy": "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors {frames}",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
    "cross-origin-resource-policy": "same-origin",
}


class TooLarge(Exception):
    """Raised when the body of a request is longer than allowed."""


class Guard:
    """ASGI middleware that refuses requests whose Host or Origin is not this server, requests without the token that change
    something, and requests that are too long.

    A page of another web site can send requests to a port of this machine. Its Origin header shows where it comes from; if
    the site lets its own name point to this machine (DNS rebinding), the Host header does. `frames` says which pages may show
    the Studio in a frame.
    """

    def __init__(self, app: ASGIApp, *, hosts: Iterable[str], token: str, frames: str = "'none'"):
        self.app, self.hosts, self.token = app, frozenset(hosts), token
        self.headers = [(k.encode(), v.format(frames=frames).encode()) for k, v in HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                there = {name for name, _ in message["headers"]}
                message["headers"] = [*message["headers"], *(h for h in self.headers if h[0] not in there)]
            await send(message)

        refusal = self._refused(scope["method"], scope["path"], Headers(scope=scope))
        if refusal is not None:
            status, sentence = refusal
            # the connection is closed, because nobody will read the rest of the body
            await JSONResponse({"error": sentence}, status, {"connection": "close"})(scope, receive, sending)
            return
        limit, received, begun = self._limit(scope["path"]), 0, False

        async def receiving() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > limit:
                raise TooLarge
            return message

        async def noting(message: Message) -> None:
            nonlocal begun
            begun = True
            await sending(message)

        try:
            await self.app(scope, receiving, noting)
        except TooLarge:
            if not begun:
                await JSONResponse({"error": _too_large(limit)}, 413, {"connection": "close"})(scope, receive, sending)

    def _limit(self, path: str) -> int:
        """Bytes that the body of a request may have."""
        return UPLOAD if path == "/api/recordings" or path.endswith("/current") else BODY

    def _refused(self, method: str, path: str, headers: Headers) -> tuple[int, str] | None:
        """Status and sentence if a request is refused, else None."""
        if headers.get("host", "") not in self.hosts:
            return 403, "The Studio answers to 127.0.0.1 and localhost only."
        origin = headers.get("origin")
        if origin is not None and origin.removeprefix("http://") not in self.hosts:
            return 403, "The Studio does not answer pages of other sites."
        if method not in READS:
            given = headers.get("x-spikefab-token", "")
            if not hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode()):
                return 403, "The request has no token of this Studio: load the page again."
        length = headers.get("content-length", "0")
        if not length.isdecimal():
            return 400, "The length of the request is no number."
        if int(length) > self._limit(path):
            return 413, _too_large(self._limit(path))
        return None


def _too_large(limit: int) -> str:
    return f"That is too large: at most {limit / 2**20:g} MiB are taken here."
