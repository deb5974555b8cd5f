"""Routes that change items (Features Part 4): POST, PUT, PATCH, DELETE, and what is allowed.

Stock pygeoapi overwrites row 7 when `PUT /items/5` carries `"id": 7`, stores metres as degrees,
and answers 500 to a property that is not there.
"""

from typing import Annotated, NoReturn

from fastapi import APIRouter, Depends, Request, Response
from starlette.exceptions import HTTPException

from api.dependencies import Caller, Writer
from api.errors import problem
from api.ogc.negotiation import negotiate, only_known
from api.ogc.service import Collection, collection_of
from gis.access import Principal
from gis.errors import NotAllowed
from layers.ingest import edit
from layers.ingest.edit import RowState
from layers.ingest.feature import BadRecord, Feature, FeatureReader
from layers.items import CRS84, Crs, crs_of
from layers.items.geojson import id_of

router = APIRouter(prefix="/ogc/collections/{layer_id}/items", include_in_schema=False)


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]


@router.options("")
def items_options(layer_id: str, request: Request, caller: Caller) -> Response:
    """The methods that this caller may use; QGIS asks before it offers editing."""
    collection = collection_of(request, layer_id, caller)
    return _allowed("GET, HEAD, OPTIONS", ", POST", collection, caller)


@router.options("/{item_id}")
def item_options(layer_id: str, item_id: str, request: Request, caller: Caller) -> Response:
    collection = collection_of(request, layer_id, caller)
    return _allowed("GET, HEAD, OPTIONS", ", PUT, PATCH, DELETE", collection, caller)


@router.post("")
def create(
    layer_id: str, request: Request, body: Body, connection: Writer, caller: Caller
) -> Response:
    """201 with the new item's address in Location."""
    collection = _writable(request, layer_id, caller)
    try:
        feature = _read(request, connection, collection, body)
        state = edit.add(connection, collection.source, feature, caller)
    except BadRecord as wrong:
        return _refused(request, wrong)
    here = f"{negotiate(request).base}/collections/{layer_id}/items/{state.id}"
    return Response(status_code=201, headers={"Location": here, "ETag": f'"{state.tag}"'})


@router.put("/{item_id}")
def replace(
    layer_id: str, item_id: str, request: Request, body: Body, connection: Writer, caller: Caller
) -> Response:
    """The whole item anew. 412 when If-Match names another state of it."""
    collection = _writable(request, layer_id, caller)
    row_id = _matched(request, connection, collection, item_id)
    try:
        feature = _read(request, connection, collection, body, item_id)
        return _done(edit.replace(connection, collection.source, row_id, feature, caller))
    except BadRecord as wrong:
        return _refused(request, wrong)


@router.patch("/{item_id}")
def modify(
    layer_id: str, item_id: str, request: Request, body: Body, connection: Writer, caller: Caller
) -> Response:
    """Only what is sent is changed. 412 when If-Match names another state of it."""
    collection = _writable(request, layer_id, caller)
    row_id = _matched(request, connection, collection, item_id)
    try:
        feature = _read(request, connection, collection, body, item_id, whole=False)
        return _done(edit.modify(connection, collection.source, row_id, feature, caller))
    except BadRecord as wrong:
        return _refused(request, wrong)


@router.delete("/{item_id}")
def delete(
    layer_id: str, item_id: str, request: Request, connection: Writer, caller: Caller
) -> Response:
    """The row goes; its history stays."""
    only_known(request)
    collection = _writable(request, layer_id, caller)
    row_id = _matched(request, connection, collection, item_id)
    edit.delete(connection, collection.source, row_id, caller)
    return Response(status_code=204)


def _writable(request: Request, layer_id: str, caller: Principal) -> Collection:
    collection = collection_of(request, layer_id, caller)
    edit.require_writable(collection.layer, caller)
    return collection


def _allowed(reading: str, writing: str, collection: Collection, caller: Principal) -> Response:
    try:
        edit.require_writable(collection.layer, caller)
    except NotAllowed:
        writing = ""
    return Response(status_code=204, headers={"Allow": reading + writing})


def _read(
    request: Request,
    connection: Writer,
    collection: Collection,
    body: bytes,
    item_id: str | None = None,
    *,
    whole: bool = True,
) -> Feature:
    only_known(request)
    reader = FeatureReader(connection, collection.source, _crs(request))
    return reader.read(body, complete=whole, item_id=item_id)


def _crs(request: Request) -> Crs:
    """CRS of the header Content-Crs; CRS84 where there is none (Features Part 2, 7.3)."""
    content_crs = request.headers.get("content-crs")
    return CRS84 if content_crs is None else crs_of(content_crs.strip())


def _matched(request: Request, connection: Writer, collection: Collection, item_id: str) -> int:
    """The row's id, locked; raises 412 when the client knows another state of the row."""
    row_id = id_of(collection.source, item_id)
    state = edit.state_of_row(connection, collection.source, row_id)
    if_match = request.headers.get("if-match")
    if if_match is not None and not _knows(if_match, state):
        _stale()
    return row_id


def _knows(if_match: str, state: RowState) -> bool:
    """A tag names a row's state, then (after a dot) how it was represented."""
    tags = [tag.strip().strip('"').partition(".")[0] for tag in if_match.split(",")]
    return "*" in tags or state.tag in tags


def _stale() -> NoReturn:
    raise HTTPException(
        412, "somebody has changed the item since: read it again, then send the change anew"
    )


def _done(state: RowState) -> Response:
    return Response(status_code=204, headers={"ETag": f'"{state.tag}"'})


def _refused(request: Request, wrong: BadRecord) -> Response:
    faults = [{"where": fault.where, "what": fault.what} for fault in wrong.faults]
    return problem(request, 400, str(wrong), faults=faults)
