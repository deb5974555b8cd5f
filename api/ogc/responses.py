"""Answers: a document as JSON or as a page, with its language, its CRS and its ETag."""

import hashlib
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.datastructures import QueryParams

from api.ogc.collection_stats import StatsKey
from api.ogc.negotiation import Negotiation
from api.ogc.pages import page
from layers.items import Crs

# Styles in attributes are allowed for MapLibre, which sizes its canvas so.
_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; "
    "style-src-attr 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'"
)


def answer(
    request: Request, how: Negotiation, template: str, document: dict[str, Any], media: str
) -> Response:
    """The document, or the HTML page made of it."""
    headers = {"Content-Language": how.language}
    if how.format == "html":
        body = page(template, document, how, request.query_params)
        headers["Content-Security-Policy"] = _POLICY
        return Response(body, headers=headers, media_type="text/html")
    return Response(orjson.dumps(document), headers=headers, media_type=media)


def items_headers(how: Negotiation, crs: Crs, etag: str) -> dict[str, str]:
    return {
        "Content-Crs": f"<{crs.uri}>",
        "Content-Language": how.language,
        "ETag": etag,
        "Cache-Control": "no-cache",
    }


def etag_of_question(request: Request, how: Negotiation, state: StatsKey, audience: str) -> str:
    """Weak: the same rows, though links and compression may differ in their bytes."""
    question = (request.url.path, str(request.query_params), how, state, audience)
    return f'W/"{hashlib.sha256(repr(question).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, headers: dict[str, str]) -> Response | None:
    """304 when the client has what it asks for."""
    known = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
    return Response(status_code=304, headers=headers) if headers["ETag"] in known else None


def with_parameters(how: Negotiation, given: QueryParams, **changed: str | None) -> str:
    """This request's URL with some parameters changed (None: left out)."""
    kept = {name: value for name, value in given.items() if name not in changed}
    new = {name: value for name, value in changed.items() if value is not None}
    query = str(QueryParams({**kept, **new}))
    return f"{how.url}?{query}" if query else how.url
