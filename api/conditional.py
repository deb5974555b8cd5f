"""Conditional requests: a strong ETag of what would be answered, 304 when the client has it."""

import hashlib
from typing import Any

import orjson
from fastapi import Request, Response
from fastapi.responses import JSONResponse


def etag_of(value: Any) -> str:
    canonical = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    return f'"{hashlib.sha256(canonical).hexdigest()[:32]}"'


def conditional_json(request: Request, body: Any) -> Response:
    """The body as JSON with its ETag, or 304 when the client has it."""
    etag = etag_of(body)
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    return not_modified(request, etag) or JSONResponse(body, headers=headers)


def not_modified(request: Request, etag: str) -> Response | None:
    """304 when If-None-Match holds the ETag, else None."""
    asked = request.headers.get("if-none-match", "")
    known = {tag.strip().removeprefix("W/") for tag in asked.split(",")}
    if etag in known or "*" in known:
        return Response(status_code=304, headers={"ETag": etag, "Cache-Control": "no-cache"})
    return None
