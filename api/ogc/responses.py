"""Answers: a document as JSON or as a page, with its language, its CRS and its ETag."""

import hashlib
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.datastructures import QueryParams

from api.ogc.negotiation import Negotiation
from api.ogc.pages import page
from layers.items import Crs
from tiles.state import LayerState

# Styles in attributes are allowed for MapLibre, which sizes its canvas so.
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; worker-src 'self' blob:; "
    "style-src-attr 'unsafe-inline'; object-src 'none'; base-uri 'none'; form-action 'none'"
)


def answer(
    request: Request, negotiation: Negotiation, template: str, document: dict[str, Any], media: str
) -> Response:
    """The document, or the HTML page made of it."""
    headers = {"Content-Language": negotiation.language}
    if negotiation.format == "html":
        body = page(template, document, negotiation, request.query_params)
        headers["Content-Security-Policy"] = PAGE_POLICY
        return Response(body, headers=headers, media_type="text/html")
    return Response(orjson.dumps(document), headers=headers, media_type=media)


def items_headers(negotiation: Negotiation, crs: Crs, etag: str) -> dict[str, str]:
    return {
        "Content-Crs": f"<{crs.uri}>",
        "Content-Language": negotiation.language,
        "ETag": etag,
        "Cache-Control": "no-cache",
    }


def etag_of_request(
    request: Request, negotiation: Negotiation, state: LayerState, audience: str
) -> str:
    """Weak: the same rows, though links and compression may differ in their bytes."""
    parts = (request.url.path, str(request.query_params), negotiation, state, audience)
    return f'W/"{hashlib.sha256(repr(parts).encode()).hexdigest()[:32]}"'


def unchanged(request: Request, headers: dict[str, str]) -> Response | None:
    """304 where the client has the answer already, else None."""
    known = {tag.strip() for tag in request.headers.get("if-none-match", "").split(",")}
    return Response(status_code=304, headers=headers) if headers["ETag"] in known else None


def with_parameters(negotiation: Negotiation, given: QueryParams, **changed: str | None) -> str:
    """This request's URL with some parameters changed (None: left out)."""
    unchanged = {name: value for name, value in given.items() if name not in changed}
    new = {name: value for name, value in changed.items() if value is not None}
    query = str(QueryParams({**unchanged, **new}))
    return f"{negotiation.url}?{query}" if query else negotiation.url
