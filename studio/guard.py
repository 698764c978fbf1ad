"""Protects the Studio: it answers only to its own page, in the browser of the user who has its link, on this machine."""

import hmac
from asyncio import CancelledError

from starlette.datastructures import Headers, QueryParams
from starlette.requests import cookie_parser
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .page_keys import PageKeys

NAMES = ("127.0.0.1", "localhost")  # of this machine
UPLOAD = 512 * 2**20  # bytes of an uploaded recording, at most
BODY = 2**20  # bytes of any other request, at most
AGAIN = "/api/again"  # where a page asks for the token of this start, with the key of an earlier one
READS = {"GET", "HEAD"}  # methods that change nothing, so that the cookie alone is enough
NO_TOKEN = "This request has no token of this Studio: open the link that the Studio printed when it began."
NO_KEY = "The Studio that runs here now does not know this page: open the link that it printed when it began."
STRANGER = """<!doctype html><html lang="en"><meta charset="utf-8"><title>spikefab Studio</title>
<h1>spikefab Studio</h1>
<p>This page opens with the link that <code>spikefab studio</code> printed in the terminal when it began. The link has a token
in it, so that nobody else on this machine can open your project. Each start has a new link.</p></html>"""
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
    """ASGI middleware that refuses requests whose Host or Origin is not this server, requests without the token, and requests
    that are too long.

    A page of another web site can send requests to a port of this machine. Its Origin header shows where it comes from; if
    the site lets its own name point to this machine (DNS rebinding), the Host header does. Other users of this machine can
    send requests too, but do not have the token: it is in the link that the terminal prints. Who opens the link gets a
    cookie, with which the page and its pictures and downloads are asked; requests that change something have the token in a
    header.

    A page that was open before the server was started anew has an old token. With its key, see `page_keys`, it gets the new
    one, and the cookie.

    `frames` says which pages may show the Studio in a frame. A browser may give cookies of a frame to nobody, so the page in
    it keeps the token in its address.
    """

    def __init__(self, app: ASGIApp, *, port: int, token: str, keys: PageKeys, frames: str = "'none'"):
        self.app, self.token, self.keys, self.framed = app, token, keys, frames != "'none'"
        self.hosts = frozenset(f"{name}:{port}" for name in NAMES)
        self.cookie = f"spikefab-studio-{port}"  # cookies belong to a host: another port of it is another Studio
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
        answer = self._door(scope) if refusal is None else JSONResponse({"error": refusal[1]}, refusal[0])
        if answer is not None:
            if refusal is not None:
                answer.headers["connection"] = "close"  # because nobody will read the rest of the body
            await answer(scope, receive, sending)
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
        except CancelledError:  # the server ends
            if not begun:
                answer = JSONResponse({"error": "The Studio has ended."}, 503, {"connection": "close"})
                await answer(scope, receive, sending)
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
        if path == AGAIN and method == "POST":
            if not self.keys.known(headers.get("x-spikefab-key", "")):
                return 403, NO_KEY
        elif method not in READS and not self._is_token(headers.get("x-spikefab-token", "")):
            return 403, NO_TOKEN
        length = headers.get("content-length", "0")
        if not length.isdecimal() or len(length) > 20:
            return 400, "The length of the request is no number."
        if int(length) > self._limit(path):
            return 413, _too_large(self._limit(path))
        return None

    def _door(self, scope: Scope) -> Response | None:
        """What to answer to a request for the page, or for data, whose sender may not have them; None if it may.

        Who has the link gets the cookie, and the page at an address without the token.
        """
        headers, path = Headers(scope=scope), scope["path"]
        if path == AGAIN and scope["method"] == "POST":  # its key is right, see `_refused`
            return self._with_cookie(JSONResponse({"token": self.token, "key": self.keys.current}))
        linked = self._is_token(QueryParams(scope["query_string"]).get("token", ""))
        kept = cookie_parser(headers.get("cookie", "")).get(self.cookie, "")
        if path == "/" and linked and not self.framed:
            return self._with_cookie(RedirectResponse("/", 303))
        if linked or self._is_token(kept) or self._is_token(headers.get("x-spikefab-token", "")):
            return None
        if path.startswith("/static/"):
            return None
        return HTMLResponse(STRANGER, 403) if path == "/" else JSONResponse({"error": NO_TOKEN}, 403)

    def _with_cookie(self, answer: Response) -> Response:
        if not self.framed:
            answer.set_cookie(self.cookie, self.token, httponly=True, samesite="strict")
        return answer

    def _is_token(self, given: str) -> bool:
        return hmac.compare_digest(given.encode("utf-8", "replace"), self.token.encode())


def _too_large(limit: int) -> str:
    return f"That is too large: at most {limit / 2**20:g} MiB are taken here."
