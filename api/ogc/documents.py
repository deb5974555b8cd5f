"""Routes of the documents: landing page, conformance, collections, schemas, the API definition."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse

from api.dependencies import Caller, Reader, UsedCatalogue, UsedLayers, UsedSettings
from api.ogc import patches, schemas
from api.ogc.negotiation import negotiate, only_known
from api.ogc.openapi import openapi
from api.ogc.processes_documents import requests_of
from api.ogc.responses import answer
from api.ogc.service import collection_of, collections_of, facts_of, service_of
from api.results import result_of
from gis.errors import NotFound
from layers.cql2.functions import functions_in

router = APIRouter(prefix="/ogc", include_in_schema=False)
_STATIC = Path(__file__).parent / "static"
_MEDIA = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8"}


@router.get("")
@router.get("/")
def landing(request: Request, catalogue: UsedCatalogue) -> Response:
    only_known(request)
    negotiation = negotiate(request)
    stock = service_of(request).frame(catalogue).landing(request, negotiation)
    return answer(
        request,
        negotiation,
        "landing.html",
        patches.patch_landing(stock, negotiation),
        patches.JSON,
    )


@router.get("/static/{name}")
def static(name: str) -> Response:
    """A style or a script of the pages; only names that are listed, so that none leads out."""
    media = {path.name: _MEDIA.get(path.suffix) for path in _STATIC.iterdir()}
    if media.get(name) is None:
        raise NotFound(f"there is no file {name}")
    headers = {"Cache-Control": "no-cache"}
    return FileResponse(_STATIC / name, media_type=media[name], headers=headers)


@router.get("/conformance")
def conformance(request: Request, catalogue: UsedCatalogue) -> Response:
    only_known(request)
    negotiation = negotiate(request)
    stock = service_of(request).frame(catalogue).conformance(request, negotiation)
    return answer(
        request, negotiation, "conformance.html", patches.patch_conformance(stock), patches.JSON
    )


@router.get("/functions")
def functions(request: Request) -> Response:
    """The functions that filters may call beside those of the standard (Features Part 3, 6.4)."""
    only_known(request)
    negotiation = negotiate(request)
    document = {
        "functions": functions_in(negotiation.language),
        "links": patches.documents(negotiation, "/functions"),
    }
    return answer(request, negotiation, "functions.html", document, patches.JSON)


@router.get("/openapi")
@router.get("/api")
def definition(
    request: Request, catalogue: UsedCatalogue, settings: UsedSettings, caller: Caller
) -> Response:
    only_known(request)
    negotiation = negotiate(request)
    sources = [service_of(request).source(catalogue, each) for each in catalogue.readable(caller)]
    document = openapi(sources, negotiation, most=settings.reader_row_limit)
    return answer(request, negotiation, "openapi.html", document, patches.OPENAPI)


@router.get("/collections")
def collections(
    request: Request, connection: Reader, layers: UsedLayers, caller: Caller
) -> Response:
    only_known(request)
    negotiation = negotiate(request)
    published = collections_of(request, layers, caller)
    shown = [each.layer for each in published]
    stock = service_of(request).frame(layers.catalogue).collections(request, negotiation, shown)
    by_id = {document["id"]: document for document in stock["collections"]}
    documents = [
        patches.patch_collection(
            by_id[each.layer.id], each.layer, facts_of(request, connection, each), negotiation
        )
        for each in published
    ]
    document = patches.patch_collections(stock, documents, negotiation)
    return answer(request, negotiation, "collections.html", document, patches.JSON)


@router.get("/collections/{layer_id}")
def collection(
    layer_id: str, request: Request, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    only_known(request)
    negotiation = negotiate(request)
    shown = collection_of(request, layer_id, caller)
    stock = service_of(request).frame(catalogue).collection(request, negotiation, shown.layer)
    facts = facts_of(request, connection, shown)
    document = patches.patch_collection(stock, shown.layer, facts, negotiation)
    result = result_of(request.app, layer_id, caller)
    if result is not None:
        document["request"] = requests_of(result, negotiation.root)
    return answer(request, negotiation, "collection.html", document, patches.JSON)


@router.get("/collections/{layer_id}/schema")
def schema(layer_id: str, request: Request, caller: Caller) -> Response:
    return _described(layer_id, request, caller, schemas.schema)


@router.get("/collections/{layer_id}/queryables")
def queryables(layer_id: str, request: Request, caller: Caller) -> Response:
    return _described(layer_id, request, caller, schemas.queryables)


@router.get("/collections/{layer_id}/sortables")
def sortables(layer_id: str, request: Request, caller: Caller) -> Response:
    return _described(layer_id, request, caller, schemas.sortables)


def _described(layer_id: str, request: Request, caller: Caller, describe: Any) -> Response:
    only_known(request)
    negotiation = negotiate(request)
    collection = collection_of(request, layer_id, caller)
    return answer(
        request,
        negotiation,
        "schema.html",
        describe(collection.source, negotiation),
        patches.SCHEMA,
    )
