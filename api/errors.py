"""One table from errors to statuses, one body for all of them: RFC 9457 with OGC's two fields."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import DBAPIError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from gis import errors
from gis.text import fault_words

STATUSES: dict[type[errors.GisError], int] = {
    errors.BadInput: 400,
    errors.NotFound: 404,
    errors.NoKey: 401,
    errors.NotAllowed: 403,
    errors.Conflict: 409,
    errors.TooMany: 429,
    errors.Unavailable: 503,
    errors.SetupError: 503,
    errors.GisError: 500,
}
_HEADERS = {
    401: {"WWW-Authenticate": 'Basic realm="gis", charset="UTF-8"'},
    429: {"Retry-After": "10"},  # seconds
    503: {"Retry-After": "10"},
}
# query_canceled, lock_not_available: the timeouts of readers' statements, and of writers who wait
_TOO_SLOW = ("57014", "55P03")
# Texts that PostgreSQL cannot keep; psycopg itself, which gives no state, refuses NUL.
_UNREADABLE = {"22021", "22P05"}

log = structlog.get_logger("api")


def status_of(error: errors.GisError) -> int:
    return next(STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES)


def problem(
    request: Request,
    status: int,
    detail: str,
    *,
    faults: list[dict[str, Any]] | None = None,
    uri: str = "about:blank",
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The one body that every error has; `faults` lists each wrong parameter or field."""
    phrase = HTTPStatus(status).phrase
    body = {
        "type": uri,
        "title": phrase,
        "status": status,
        "detail": detail,
        "code": phrase.replace(" ", ""),
        "description": detail,
        "request_id": getattr(request.state, "request_id", None),
        **({"faults": faults} if faults else {}),
    }
    every = {**_HEADERS.get(status, {}), **(headers or {})}
    return JSONResponse(body, status, headers=every, media_type="application/problem+json")


def answer_to(request: Request, error: Exception) -> Response:
    """The response to an error outside of the routes, such as that of a key."""
    if isinstance(error, errors.GisError):
        return _on_ours(request, error)
    if isinstance(error, DBAPIError):
        return on_database(request, error)
    return _on_unknown(request, error)


def add_error_handlers(app: FastAPI) -> None:
    app.add_exception_handler(errors.GisError, _on_ours)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http)
    app.add_exception_handler(DBAPIError, on_database)
    app.add_exception_handler(ClientDisconnect, _on_left)
    app.add_exception_handler(Exception, _on_unknown)


def _on_ours(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.GisError)
    return problem(request, status_of(error), str(error), uri=error.uri)


def _on_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    faults = [
        {"where": list(map(str, e["loc"])), "what": fault_words(e["msg"])} for e in error.errors()
    ]
    words = "; ".join(f"{'.'.join(fault['where'])}: {fault['what']}" for fault in faults)
    return problem(request, 400, words, faults=faults)


def _on_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return _other_method(request)
    return problem(request, error.status_code, str(error.detail), headers=error.headers)


def _other_method(request: Request) -> Response:
    """405 with what the path offers; to OPTIONS the same, as an answer. Who has GET has HEAD."""
    path = request.scope["path"]
    offered = {"OPTIONS"}
    for route in iter_route_contexts(request.app.routes):
        if route.path_regex.match(path):
            offered |= route.methods or set()
    allow = ", ".join(sorted(offered | ({"HEAD"} if "GET" in offered else set())))
    if request.method == "OPTIONS":
        return Response(status_code=204, headers={"Allow": allow})
    words = f"{request.method} is not offered here: use {allow}"
    return problem(request, 405, words, headers={"Allow": allow})


def _on_left(request: Request, error: Exception) -> Response:
    """Nobody reads it; the log has its status."""
    return problem(request, 400, "the client left before its request was complete")


def on_database(request: Request, error: Exception) -> Response:
    assert isinstance(error, DBAPIError)
    if getattr(error.orig, "sqlstate", None) in _TOO_SLOW:
        return problem(
            request, 503, "the question took too long: ask for a smaller area, time or page"
        )
    if _holds_nul(error.orig):
        return problem(request, 400, "a text holds the character U+0000: leave it out")
    return _on_unknown(request, error)


def _holds_nul(error: BaseException | None) -> bool:
    state = getattr(error, "sqlstate", None)
    return state in _UNREADABLE or (state is None and "NUL (0x00)" in str(error))


def _on_unknown(request: Request, error: Exception) -> Response:
    log.error("unexpected error", exc_info=error)
    reference = getattr(request.state, "request_id", "unknown")
    return problem(request, 500, f"an unexpected error; the operator finds it by {reference}")
