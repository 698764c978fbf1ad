"""JSON in the bodies of requests and answers."""

import json
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from spikefab.fit.report.json_values import finite

from .stored import plain


def object_of(body: bytes) -> dict[str, Any]:
    """The JSON object in the body of a request. Raises HTTPException if there is none that can be kept."""
    try:
        content = json.loads(body)
    except (ValueError, RecursionError):
        content = None
    if not isinstance(content, dict):
        raise HTTPException(400, "The request is no JSON object.")
    if not plain(content):
        raise HTTPException(
            400, "The request is no JSON that can be kept: it has NaN, half a character or endless levels."
        )
    return content


def json_answer(content: Any, status: int = 200) -> Response:
    return JSONResponse(finite(content), status)
