"""Routes of the items of a layer."""

import re
from collections.abc import Mapping
from dataclasses import asdict, replace
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
    etag_of_request,
    items_headers,
    unchanged,
    with_parameters,
)
from api.ogc.service import Collection, collection_of, facts_of, scope_of, service_of
from gis.access import Principal, may_write
from gis.database.engine import Database
from gis.errors import BadInput
from gis.settings import Settings
from layers.ingest.edit import tag_of_row
from layers.ingest.quarantine import QuarantinedRecord, newer_versions
from layers.items import Count, Page, PageRequest, read_item, read_page
from layers.items.formats import FORMATS, ExportFormat, ExportRows, check_export
from layers.items.geojson import id_of
from layers.items.spool import Spool

router = APIRouter(prefix="/ogc/collections/{layer_id}", include_in_schema=False)

# An item of a page begins a line, which no text within one can do.
_FEATURE = re.compile(rb'^\{"type":"Feature","id":(\d+),', re.MULTILINE)


@router.get("/items")
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
    collection = collection_of(request, layer_id, caller)
    negotiation = negotiate(request, ("json", "html", *FORMATS))
    scope = scope_of(request, collection.source, caller)
    page = page_request(request, collection.source, settings.reader_row_limit, scope)
    if negotiation.format in FORMATS:
        return _export(request, FORMATS[negotiation.format], collection, page, caller)
    seen = caller.audience + "".join(
        repr(collection_of(request, name, caller).state) for name in page.query.others
    )
    etag = etag_of_request(request, negotiation, collection.state, seen)
    steward = _may_write(collection, caller)
    headers = items_headers(negotiation, page.crs, etag)
    not_modified = None if steward else unchanged(request, headers)
    if not_modified is not None:
        return not_modified
    if negotiation.format == "html":  # its map asks for the geometries itself
        page = replace(page, geometry=False)
    body = _page_body(request, connection, negotiation, collection, page, caller, etag)
    if steward:  # whose page also follows quarantine, of which the layer's state does not tell
        body, mark = _with_stale(connection, collection, body)
        etag = etag_of_request(request, negotiation, collection.state, seen + mark)
        headers = items_headers(negotiation, page.crs, etag)
        not_modified = unchanged(request, headers)
        if not_modified is not None:
            return not_modified
    if negotiation.format == "html":
        return _as_page(request, negotiation, collection, body, headers)
    return Response(body, headers=headers, media_type=patches.GEOJSON)


@router.get("/items/{item_id}")
def item(
    layer_id: str, item_id: str, request: Request, connection: Reader, caller: Caller
) -> Response:
    """One item as GeoJSON, or as a page."""
    only_known(request, ITEM)
    collection = collection_of(request, layer_id, caller)
    negotiation = negotiate(request)
    crs = crs_in(request.query_params.get("crs"))
    feature = read_item(connection, collection.source, item_id, crs, caller)
    path = f"/collections/{layer_id}/items/{item_id}"
    links = [
        *patches.documents(negotiation, path, patches.GEOJSON),
        patches.link(
            "collection",
            f"{negotiation.base}/collections/{layer_id}",
            patches.JSON,
            negotiation.language,
        ),
    ]
    newer = _newer_version(connection, collection, item_id, caller)
    headers = items_headers(
        negotiation, crs, _item_etag(request, connection, negotiation, collection, item_id, newer)
    )
    not_modified = unchanged(request, headers)
    if not_modified is not None:
        return not_modified
    more = {"links": links} | ({"stale": newer} if newer else {})
    body = f"{feature[:-1]},{orjson.dumps(more)[1:].decode()}".encode()
    if negotiation.format == "html":
        return _as_page(request, negotiation, collection, body, headers)
    return Response(body, headers=headers, media_type=patches.GEOJSON)


def _page_body(
    request: Request,
    connection: Connection,
    negotiation: Negotiation,
    collection: Collection,
    page_request: PageRequest,
    caller: Principal,
    etag: str,
) -> bytes:
    cache = service_of(request).pages
    body = cache.get(etag)
    if body is None:
        count = _known_count(request, connection, collection, page_request)
        page = read_page(connection, collection.source, page_request, caller, count)
        body = feature_collection(page, _links(request, negotiation, collection, page))
        cache.keep(etag, body)
    return body


def _export(
    request: Request,
    export_format: ExportFormat,
    collection: Collection,
    page: PageRequest,
    caller: Principal,
) -> Response:
    """The whole answer as a file; `limit` only where the client gave one."""
    check_export(collection.source, page, caller)
    if page.cursor is not None:
        raise BadInput("a file holds all pages: leave out cursor")
    limit = export_limit(request.query_params.get("limit"))
    name = f"{collection.layer.id}{export_format.suffix}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}"',
        "Content-Crs": f"<{page.crs.uri}>",
        "Cache-Control": "no-store",
    }

    def make(database: Database, spool: Spool) -> None:
        export_format.write(ExportRows(database, collection.source, page, limit), spool)

    media = export_format.media_type
    return Exported(request, request.app.state.exports, make, headers, media)


def feature_collection(
    page: Page, links: list[dict[str, str]], more: Mapping[str, Any] | None = None
) -> bytes:
    """The features stay the text that PostgreSQL wrote; `more` are other members."""
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    head = {
        "type": "FeatureCollection",
        "timeStamp": now,
        "numberMatched": page.count.number,
        "numberMatchedIs": page.count.kind,
        "numberReturned": len(page.features),
        "links": links,
        **(more or {}),
    }
    features = ",\n".join(page.features)
    return f'{orjson.dumps(head)[:-1].decode()},"features":[\n{features}\n]}}'.encode()


def _may_write(collection: Collection, caller: Principal) -> bool:
    layer = collection.source.layer
    return not layer.is_view and may_write(caller, layer.access.read, layer.access.write, layer.id)


def _newer_version(
    connection: Connection, collection: Collection, item_id: str, caller: Principal
) -> dict[str, Any] | None:
    """The newer version of an item that waits in quarantine, for those who may write the layer."""
    if not _may_write(collection, caller):
        return None
    row_id = id_of(collection.source, item_id)
    record = newer_versions(connection, collection.layer.id, [row_id]).get(row_id)
    return None if record is None else _stale(record)


def _stale(record: QuarantinedRecord) -> dict[str, Any]:
    names = ("id", "reason", "why", "changed_at")
    return {name: value for name, value in asdict(record).items() if name in names}


def _with_stale(connection: Connection, collection: Collection, body: bytes) -> tuple[bytes, str]:
    """A page with the member `stale` in its items whose newer version waits, and a mark of these.

    The rest stays the text that PostgreSQL wrote.
    """
    ids = [int(each[1]) for each in _FEATURE.finditer(body)]
    found = newer_versions(connection, collection.layer.id, ids)
    members = {row: orjson.dumps(_stale(record)) for row, record in found.items()}

    def complete(feature: re.Match[bytes]) -> bytes:
        member = members.get(int(feature[1]))
        return feature[0] if member is None else feature[0] + b'"stale":' + member + b","

    mark = b"".join(members[row] for row in sorted(members)).decode()
    return _FEATURE.sub(complete, body) if members else body, mark


def _item_etag(
    request: Request,
    connection: Reader,
    negotiation: Negotiation,
    collection: Collection,
    item_id: str,
    newer: dict[str, Any] | None,
) -> str:
    """Begins with the tag of the row, which is what If-Match of a write compares."""
    mark = orjson.dumps(newer).decode() if newer else ""
    tag_of_request = etag_of_request(request, negotiation, collection.state, mark).strip('W/"')
    tag = tag_of_row(connection, collection.source, item_id)
    return f'W/"{tag_of_request}"' if tag is None else f'"{tag}.{tag_of_request[:8]}"'


def _known_count(
    request: Request, connection: Connection, collection: Collection, page: PageRequest
) -> Count | None:
    """The number of all rows is kept with the layer's version; a filtered one is counted."""
    if page.cursor is not None or not page.query.is_everything:
        return None
    return facts_of(request, connection, collection).count


def _links(
    request: Request, negotiation: Negotiation, collection: Collection, page: Page
) -> list[dict[str, str]]:
    given = request.query_params
    media = patches.HTML if negotiation.format == "html" else patches.GEOJSON
    other = patches.GEOJSON if negotiation.format == "html" else patches.HTML
    there = "json" if negotiation.format == "html" else "html"
    links = [
        patches.link("self", with_parameters(negotiation, given), media, negotiation.language),
        patches.link(
            "alternate", with_parameters(negotiation, given, f=there), other, negotiation.language
        ),
        patches.link(
            "collection",
            f"{negotiation.base}/collections/{collection.layer.id}",
            patches.JSON,
            negotiation.language,
        ),
    ]
    for rel, cursor in (("next", page.next), ("prev", page.prev)):
        if cursor is not None:
            href = with_parameters(negotiation, given, cursor=cursor)
            links.append(patches.link(rel, href, media, negotiation.language))
    return links


def _as_page(
    request: Request,
    negotiation: Negotiation,
    collection: Collection,
    body: bytes,
    headers: dict[str, str],
) -> Response:
    document: dict[str, Any] = orjson.loads(body)
    described = {
        "layer": collection.layer,
        "properties": collection.source.properties,
        "data": document,
        "features": document.get("features", [document]),
        "links": {each["rel"]: each["href"] for each in document["links"]},
    }
    response = answer(request, negotiation, "items.html", described, patches.HTML)
    response.headers.update(headers)
    return response
