"""Routes of the items of a layer."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.dependencies import Caller, Reader
from api.ogc import patches
from api.ogc.exports import Exported
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.parameters import ITEM, crs_in, export_limit, page_request
from api.ogc.responses import (
    answer,
    etag_of_question,
    items_headers,
    unchanged,
    with_parameters,
)
from api.ogc.service import Collection, collection_of, facts_of, service_of
from gis.access import Principal
from gis.database.engine import Database
from gis.errors import BadInput
from gis.settings import Settings
from layers.ingest.edit import tag_of_row
from layers.items import Count, Page, PageRequest, read_item, read_page
from layers.items.formats import FORMATS, ExportFormat, ExportRows, check_export
from layers.items.spool import Spool

router = APIRouter(prefix="/ogc/collections/{layer_id}", include_in_schema=False)
_READ = ["GET", "HEAD"]


@router.api_route("/items", methods=_READ)
def items(layer_id: str, request: Request) -> Response:
    """A page of items as GeoJSON, as a page with a map and a table, or all of them as a file.

    The busiest route: it takes what it needs from the request itself, since each dependency would
    cost a change of threads.
    """
    database: Database = request.app.state.database
    with database.reading_singly() as connection:
        return _items(layer_id, request, connection, request.state.principal)


def _items(layer_id: str, request: Request, connection: Connection, caller: Principal) -> Response:
    settings: Settings = request.app.state.settings
    found = collection_of(request, connection, layer_id, caller)
    how = negotiate(request, ("json", "html", *FORMATS))
    wanted = page_request(request, found.source, settings.reader_row_limit)
    if how.format in FORMATS:
        return _export(request, FORMATS[how.format], found, wanted, caller)
    etag = etag_of_question(request, how, found.state, caller.audience)
    headers = items_headers(how, wanted.crs, etag)
    same = unchanged(request, headers)
    if same is not None:
        return same
    if how.format == "html":  # its map asks for the geometries itself
        wanted = replace(wanted, geometry=False)
    body = _page_body(request, connection, how, found, wanted, caller, etag)
    if how.format == "html":
        return _as_page(request, how, found, body, headers)
    return Response(body, headers=headers, media_type=patches.GEOJSON)


@router.api_route("/items/{item_id}", methods=_READ)
def item(
    layer_id: str, item_id: str, request: Request, connection: Reader, caller: Caller
) -> Response:
    """One item as GeoJSON, or as a page."""
    only_known(request, ITEM)
    found = collection_of(request, connection, layer_id, caller)
    how = negotiate(request)
    crs = crs_in(request.query_params.get("crs"))
    feature = read_item(connection, found.source, item_id, crs, caller)
    path = f"/collections/{layer_id}/items/{item_id}"
    links = [
        *patches.documents(how, path, patches.GEOJSON),
        patches.link(
            "collection", f"{how.base}/collections/{layer_id}", patches.JSON, how.language
        ),
    ]
    headers = items_headers(how, crs, _item_etag(request, connection, how, found, item_id))
    same = unchanged(request, headers)
    if same is not None:
        return same
    body = f'{feature[:-1]},"links":{orjson.dumps(links).decode()}}}'.encode()
    if how.format == "html":
        return _as_page(request, how, found, body, headers)
    return Response(body, headers=headers, media_type=patches.GEOJSON)


def _page_body(
    request: Request,
    connection: Connection,
    how: Negotiation,
    found: Collection,
    wanted: PageRequest,
    caller: Principal,
    etag: str,
) -> bytes:
    kept = service_of(request).pages
    body = kept.get(etag)
    if body is None:
        known = _known_count(request, connection, found, wanted)
        page = read_page(connection, found.source, wanted, caller, known)
        body = feature_collection(page, _links(request, how, found, page))
        kept.keep(etag, body)
    return body


def _export(
    request: Request,
    export_format: ExportFormat,
    found: Collection,
    wanted: PageRequest,
    caller: Principal,
) -> Response:
    """The whole answer as a file; `limit` only where the client gave one."""
    check_export(found.source, wanted, caller)
    if wanted.cursor is not None:
        raise BadInput("a file holds all pages: leave out cursor")
    limit = export_limit(request.query_params.get("limit"))
    headers = {
        "Content-Disposition": f'attachment; filename="{found.layer.id}{export_format.suffix}"',
        "Content-Crs": f"<{wanted.crs.uri}>",
        "Cache-Control": "no-store",
    }

    def make(database: Database, spool: Spool) -> None:
        export_format.write(ExportRows(database, found.source, wanted, limit), spool)

    media = export_format.media_type
    return Exported(request, request.app.state.exports, make, headers, media)


def feature_collection(page: Page, links: list[dict[str, str]]) -> bytes:
    """The features stay the text that PostgreSQL wrote."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    head = {
        "type": "FeatureCollection",
        "timeStamp": now,
        "numberMatched": page.count.number,
        "numberMatchedIs": page.count.kind,
        "numberReturned": len(page.features),
        "links": links,
    }
    features = ",\n".join(page.features)
    return f'{orjson.dumps(head)[:-1].decode()},"features":[\n{features}\n]}}'.encode()


def _item_etag(
    request: Request, connection: Reader, how: Negotiation, found: Collection, item_id: str
) -> str:
    """Begins with the tag of the row, which is what If-Match of a write compares."""
    question = etag_of_question(request, how, found.state, "").strip('W/"')
    tag = tag_of_row(connection, found.source, item_id)
    return f'W/"{question}"' if tag is None else f'"{tag}.{question[:8]}"'


def _known_count(
    request: Request, connection: Connection, found: Collection, wanted: PageRequest
) -> Count | None:
    """The number of all rows is kept with the layer's version; a filtered one is counted."""
    if wanted.cursor is not None or not wanted.query.is_everything:
        return None
    return facts_of(request, connection, found).count


def _links(
    request: Request, how: Negotiation, found: Collection, page: Page
) -> list[dict[str, str]]:
    given = request.query_params
    media = patches.HTML if how.format == "html" else patches.GEOJSON
    other = patches.GEOJSON if how.format == "html" else patches.HTML
    there = "json" if how.format == "html" else "html"
    links = [
        patches.link("self", with_parameters(how, given), media, how.language),
        patches.link("alternate", with_parameters(how, given, f=there), other, how.language),
        patches.link(
            "collection", f"{how.base}/collections/{found.layer.id}", patches.JSON, how.language
        ),
    ]
    for rel, cursor in (("next", page.next), ("prev", page.prev)):
        if cursor is not None:
            href = with_parameters(how, given, cursor=cursor)
            links.append(patches.link(rel, href, media, how.language))
    return links


def _as_page(
    request: Request, how: Negotiation, found: Collection, body: bytes, headers: dict[str, str]
) -> Response:
    document: dict[str, Any] = orjson.loads(body)
    described = {
        "layer": found.layer,
        "properties": found.source.properties,
        "data": document,
        "features": document.get("features", [document]),
        "links": {each["rel"]: each["href"] for each in document["links"]},
    }
    response = answer(request, how, "items.html", described, patches.HTML)
    response.headers.update(headers)
    return response
