"""Routes of the documents: landing page, conformance, collections, schemas, the API definition."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from api.dependencies import Caller, Reader, UsedCatalogue, UsedSettings
from api.ogc import patches, schemas
from api.ogc.collection_stats import states_of
from api.ogc.negotiation import negotiate, only_known
from api.ogc.openapi import openapi
from api.ogc.responses import answer
from api.ogc.service import Collection, collection_of, facts_of, service_of
from gis.errors import NotFound

router = APIRouter(prefix="/ogc", include_in_schema=False)
_READ = ["GET", "HEAD"]
_STATIC = Path(__file__).parent / "static"
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@router.api_route("", methods=_READ)
@router.api_route("/", methods=_READ)
def landing(request: Request, catalogue: UsedCatalogue) -> Response:
    only_known(request)
    how = negotiate(request)
    stock = service_of(request).frame(catalogue).landing(request, how)
    return answer(request, how, "landing.html", patches.patch_landing(stock, how), patches.JSON)


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A style or a script of the pages; only names that are listed, so that none leads out."""
    media = {path.name: _MEDIA.get(path.suffix) for path in _STATIC.iterdir()}
    if media.get(name) is None:
        raise NotFound(f"there is no file {name}")
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(_STATIC / name, media_type=media[name], headers=headers)


@router.api_route("/conformance", methods=_READ)
def conformance(request: Request, catalogue: UsedCatalogue) -> Response:
    only_known(request)
    how = negotiate(request)
    stock = service_of(request).frame(catalogue).conformance(request, how)
    return answer(request, how, "conformance.html", patches.patch_conformance(stock), patches.JSON)


@router.api_route("/openapi", methods=_READ)
@router.api_route("/api", methods=_READ)
def definition(
    request: Request, catalogue: UsedCatalogue, settings: UsedSettings, caller: Caller
) -> Response:
    only_known(request)
    how = negotiate(request)
    sources = [service_of(request).source(catalogue, each) for each in catalogue.readable(caller)]
    document = openapi(sources, how, most=settings.reader_row_limit)
    return answer(request, how, "openapi.html", document, patches.OPENAPI)


@router.api_route("/collections", methods=_READ)
def collections(
    request: Request, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    only_known(request)
    how = negotiate(request)
    states = states_of(connection)
    shown = [layer for layer in catalogue.readable(caller) if layer.id in states]
    service = service_of(request)
    stock = service.frame(catalogue).collections(request, how, shown)
    by_id = {document["id"]: document for document in stock["collections"]}
    found = [Collection(service.source(catalogue, each), states[each.id]) for each in shown]
    mended = [
        patches.patch_collection(
            by_id[each.layer.id], each.layer, facts_of(request, connection, each), how
        )
        for each in found
    ]
    document = patches.patch_collections(stock, mended, how)
    return answer(request, how, "collections.html", document, patches.JSON)


@router.api_route("/collections/{layer_id}", methods=_READ)
def collection(
    layer_id: str, request: Request, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    only_known(request)
    how = negotiate(request)
    found = collection_of(request, connection, layer_id, caller)
    stock = service_of(request).frame(catalogue).collection(request, how, found.layer)
    facts = facts_of(request, connection, found)
    document = patches.patch_collection(stock, found.layer, facts, how)
    return answer(request, how, "collection.html", document, patches.JSON)


@router.api_route("/collections/{layer_id}/schema", methods=_READ)
def schema(layer_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    return _described(layer_id, request, connection, caller, schemas.schema)


@router.api_route("/collections/{layer_id}/queryables", methods=_READ)
def queryables(layer_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    return _described(layer_id, request, connection, caller, schemas.queryables)


@router.api_route("/collections/{layer_id}/sortables", methods=_READ)
def sortables(layer_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    return _described(layer_id, request, connection, caller, schemas.sortables)


def _described(
    layer_id: str, request: Request, connection: Reader, caller: Caller, describe: Any
) -> Response:
    only_known(request)
    how = negotiate(request)
    found = collection_of(request, connection, layer_id, caller)
    return answer(request, how, "schema.html", describe(found.source, how), patches.SCHEMA)
