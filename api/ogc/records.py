"""Routes of the catalogue: OGC API Records and DCAT-AP, by which other catalogues harvest ours.

It has a root of its own: a client of features would take records in the list of collections for a
layer more.
"""

from datetime import datetime
from typing import Any

import orjson
from fastapi import APIRouter, Request, Response
from sqlalchemy import Connection

from api.dependencies import Caller, LayersInForce, Reader, UsedLayers
from api.ogc.catalogue import CataloguedLayer, catalogued_raster, dcat_catalogue, record
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.parameters import box_of, limit_of
from api.ogc.pygeoapi_core import DESCRIPTION, TITLE
from api.ogc.responses import with_parameters
from api.ogc.service import collections_of, facts_of
from api.routes.rasters import RasterService, UsedRasters
from gis.access import Principal
from gis.errors import BadInput, NotFound
from layers.items import CRS84
from layers.items.literals import span_of

router = APIRouter(prefix="/records", include_in_schema=False)

_CONFORMANCE = (
    "http://www.opengis.net/spec/ogcapi-common-1/1.0/conf/core",
    "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/record-core",
    "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/record-core-query-parameters",
    "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/record-api",
    "http://www.opengis.net/spec/ogcapi-records-1/1.0/conf/json",
)
_QUERY = ("q", "bbox", "datetime", "ids", "type", "limit", "offset")
_MOST = 1_000
_JSON, _GEOJSON, _JSON_LD = "application/json", "application/geo+json", "application/ld+json"
_CATALOGUE_ID = "layers"


@router.get("")
@router.get("/")
def landing(request: Request) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    here = _here(negotiation)
    links = [
        _link("self", here, _JSON),
        _link("conformance", f"{here}/conformance", _JSON),
        _link("data", f"{here}/collections", _JSON),
        _link("http://www.opengis.net/def/rel/ogc/1.0/ogc-catalog", _catalogue_url(here), _JSON),
        _link("alternate", f"{here}/dcat", _JSON_LD),
    ]
    return _json(negotiation, {**_words(negotiation), "links": links})


@router.get("/conformance")
def conformance(request: Request) -> Response:
    only_known(request)
    return _json(negotiate(request, ("json",)), {"conformsTo": list(_CONFORMANCE)})


@router.get("/collections")
def collections(request: Request) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    links = [_link("self", f"{_here(negotiation)}/collections", _JSON)]
    return _json(negotiation, {"links": links, "collections": [_collection(negotiation)]})


@router.get(f"/collections/{_CATALOGUE_ID}")
def collection(request: Request) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    return _json(negotiation, _collection(negotiation))


@router.get(f"/collections/{_CATALOGUE_ID}/items")
def records(
    request: Request,
    connection: Reader,
    layers: UsedLayers,
    rasters: UsedRasters,
    caller: Caller,
) -> Response:
    """The records of the layers that the caller may read, by `q`, `bbox`, `datetime`, `ids`."""
    only_known(request, _QUERY)
    negotiation = negotiate(request, ("json",))
    given = request.query_params
    found = [
        each
        for each in _catalogued(request, connection, layers, rasters, caller)
        if _is_asked_for(each, request)
    ]
    limit, offset = limit_of(given.get("limit"), _MOST), _offset(given.get("offset"))
    shown = found[offset : offset + limit]
    links = [
        _link("self", with_parameters(negotiation, given), _GEOJSON),
        _link("collection", _catalogue_url(_here(negotiation)), _JSON),
    ]
    steps = {"next": offset + limit, "prev": max(offset - limit, 0)}
    if offset + limit >= len(found):
        del steps["next"]
    if offset == 0:
        del steps["prev"]
    for rel, to in steps.items():
        href = with_parameters(negotiation, given, offset=str(to), limit=str(limit))
        links.append(_link(rel, href, _GEOJSON))
    document = {
        "type": "FeatureCollection",
        "numberMatched": len(found),
        "numberReturned": len(shown),
        "features": [record(each, negotiation) for each in shown],
        "links": links,
    }
    return _json(negotiation, document, _GEOJSON)


@router.get(f"/collections/{_CATALOGUE_ID}/items/{{layer_id}}")
def one_record(
    layer_id: str,
    request: Request,
    connection: Reader,
    layers: UsedLayers,
    rasters: UsedRasters,
    caller: Caller,
) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    for each in _catalogued(request, connection, layers, rasters, caller):
        if each.layer.id == layer_id:
            return _json(negotiation, record(each, negotiation), _GEOJSON)
    raise NotFound(f"there is no layer {layer_id}, or this key may not read it")


@router.get("/dcat")
def dcat(
    request: Request,
    connection: Reader,
    layers: UsedLayers,
    rasters: UsedRasters,
    caller: Caller,
) -> Response:
    """The whole catalogue as DCAT-AP 3, in JSON-LD."""
    only_known(request)
    negotiation = negotiate(request, ("json",))
    catalogued = _catalogued(request, connection, layers, rasters, caller)
    return _json(negotiation, dcat_catalogue(catalogued, negotiation), _JSON_LD)


def _catalogued(
    request: Request,
    connection: Connection,
    layers: LayersInForce,
    rasters: RasterService,
    caller: Principal,
) -> list[CataloguedLayer]:
    """The layers of records that the caller may read, and then those of pixels."""
    catalogued = [
        CataloguedLayer(
            each.layer,
            facts_of(request, connection, each),
            datetime.fromisoformat(each.state.changed_at),
        )
        for each in collections_of(request, layers, caller)
    ]
    return catalogued + [catalogued_raster(each) for each in rasters.published.readable(caller)]


def _is_asked_for(catalogued: CataloguedLayer, request: Request) -> bool:
    given = request.query_params
    box = box_of(given.get("bbox"), CRS84)
    span = span_of(given["datetime"]) if "datetime" in given else None
    return (
        given.get("type", "dataset") == "dataset"
        and ("ids" not in given or catalogued.layer.id in given["ids"].split(","))
        and catalogued.has(given.get("q", "").split())
        and (box is None or catalogued.touches(box))
        and (span is None or catalogued.is_within(span.start, span.end))
    )


def _offset(text: str | None) -> int:
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit()) or len(text) > 9:
        raise BadInput(f"offset={text!r} is wrong: give a whole number from 0")
    return int(text)


def _collection(negotiation: Negotiation) -> dict[str, Any]:
    url = _catalogue_url(_here(negotiation))
    return {
        "id": _CATALOGUE_ID,
        **_words(negotiation),
        "itemType": "record",
        "type": "Collection",
        "links": [_link("self", url, _JSON), _link("items", f"{url}/items", _GEOJSON)],
    }


def _words(negotiation: Negotiation) -> dict[str, str]:
    language = negotiation.language
    return {"title": TITLE[language], "description": DESCRIPTION[language]}


def _here(negotiation: Negotiation) -> str:
    return f"{negotiation.root}/records"


def _catalogue_url(here: str) -> str:
    return f"{here}/collections/{_CATALOGUE_ID}"


def _link(rel: str, href: str, media: str) -> dict[str, str]:
    return {"rel": rel, "href": href, "type": media}


def _json(negotiation: Negotiation, document: dict[str, Any], media: str = _JSON) -> Response:
    headers = {"Content-Language": negotiation.language}
    return Response(orjson.dumps(document), headers=headers, media_type=media)
