"""Routes of OGC API - DGGS: the grid, its zones, and the numbers of their records."""

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Depends, Request, Response

from api.conditional import not_modified
from api.dependencies import Caller, UsedCatalogue, UsedDatabase, UsedSettings
from api.ogc import dggs_documents as documents
from api.ogc.dggs_documents import GRID
from api.ogc.dggs_parameters import (
    area_of,
    depths_of,
    whole_of,
    with_subset,
    zone_of,
)
from api.ogc.dggs_zones import (
    Origin,
    Zones,
    filtered,
    read_zones,
    zone_properties,
    zones_with_records,
)
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.parameters import filter_of, flag_of, limit_of
from api.ogc.responses import with_parameters
from gis.access import Principal
from gis.errors import BadInput
from gis.hexes import (
    COARSEST,
    FINEST,
    areas_km2,
    cell_text,
    children_of,
    compacted,
    resolution_of,
)
from gis.population.store import stored_population
from gis.settings import Settings
from layers.cql2 import Property
from layers.definition.catalogue import Catalogue
from layers.definition.model import Layer
from tiles.hexes import HexRequest, HexResults, hex_query, hexed, with_hexes

router = APIRouter(prefix="/ogc", include_in_schema=False)
MOST_ZONES = 100_000
QUESTION = ("datetime", "category")
ZONES = (
    *QUESTION, "zone-level", "compact-zones", "parent-zone", "bbox", "bbox-crs", "subset",
    "subset-crs", "filter", "filter-lang", "filter-crs", "limit", "offset",
)  # fmt: skip
DATA = (*QUESTION, "zone-depth")


class _Service:
    """Parts of the application for a route on zones, at the root or of a collection."""

    def __init__(
        self,
        request: Request,
        database: UsedDatabase,
        catalogue: UsedCatalogue,
        settings: UsedSettings,
        caller: Caller,
        layer_id: str | None = None,
    ) -> None:
        self.request, self.database = request, database
        self.catalogue: Catalogue = catalogue
        self.settings: Settings = settings
        self.caller: Principal = caller
        self.layer = None if layer_id is None else hexed(catalogue, caller, layer_id)

    @property
    def path(self) -> str:
        return "" if self.layer is None else f"/collections/{self.layer.id}"

    @property
    def answers(self) -> HexResults:
        return self.request.app.state.tiles.hex_answers  # type: ignore[no-any-return]

    def origin(self, given: Mapping[str, str]) -> Origin:
        """The layers' queries by the parameters; at the root, of layers that can answer them."""
        if self.layer is not None:
            return Origin(self.path, (self._asked(self.layer, given),))
        if "category" in given:
            raise BadInput("a category is of one collection: ask at /collections/{id}/dggs")
        layers = with_hexes(self.caller, self.catalogue.layers)
        timed = {name: given[name] for name in given if name == "datetime"}
        return Origin(
            "", tuple(self._asked(layer, timed if layer.source.time else {}) for layer in layers)
        )

    def _asked(self, layer: Layer, given: Mapping[str, str]) -> HexRequest:
        query = hex_query(layer, given.get("category"), given.get("datetime"), widened=True)
        return HexRequest.by(self.caller, layer, query, self.settings.k_anonymity)


Service = Annotated[_Service, Depends()]


@router.get("/dggs")
@router.get("/collections/{layer_id}/dggs")
def grids(request: Request, service: Service) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    return _json(request, documents.dggrs_list(service.path, negotiation))


@router.get(f"/dggs/{GRID}/definition")
def definition(request: Request) -> Response:
    only_known(request)
    return _json(request, documents.definition(negotiate(request, ("json",))))


@router.get(f"/dggs/{GRID}")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}")
def grid(request: Request, service: Service) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    return _json(request, documents.dggrs(service.path, service.origin({}).finest, negotiation))


@router.get(f"/dggs/{GRID}/zones")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}/zones")
def zones(request: Request, service: Service) -> Response:
    """Zones that have records, by box, parent, time and CQL2 filter; compact by default."""
    only_known(request, ZONES)
    negotiation = _negotiate_geojson(request, ("json", "geojson", "binary"))
    given = with_subset(request.query_params)
    origin = service.origin(given)
    level = whole_of("zone-level", given.get("zone-level"), origin.finest)
    with service.database.snapshot() as connection:

        def properties() -> dict[str, Property]:
            return zone_properties(origin.measures(stored_population(connection)))

        holds = filter_of(given, properties)
        zones_found = zones_with_records(connection, service.answers, origin, level, area_of(given))
        if holds is not None:
            zones_found = filtered(connection, zones_found, holds)
    return _zone_list(request, negotiation, service.path, zones_found)


@router.get(f"/dggs/{GRID}/zones/{{zone}}")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}/zones/{{zone}}")
def zone(zone: str, request: Request, service: Service) -> Response:
    """Geometry of a zone, its parent, children and neighbours."""
    only_known(request)
    negotiation = negotiate(request, ("json",))
    cell = zone_of(zone)
    counted = COARSEST <= resolution_of(cell) <= FINEST
    return _json(request, documents.zone(service.path, cell, counted, negotiation))


@router.get(f"/dggs/{GRID}/zones/{{zone}}/data")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}/zones/{{zone}}/data")
def data(zone: str, request: Request, service: Service) -> Response:
    """The measures of a zone, or of its sub-zones of the depths asked for."""
    only_known(request, DATA)
    negotiation = _negotiate_geojson(request, ("json", "geojson", "txt"))
    cell = zone_of(zone)
    origin = service.origin(request.query_params)
    depths = depths_of(request.query_params.get("zone-depth"), cell)
    with service.database.snapshot() as connection:
        names = origin.measures(stored_population(connection))
        by_depth = {
            depth: read_zones(
                connection,
                service.answers,
                origin,
                resolution_of(cell) + depth,
                children_of(cell, resolution_of(cell) + depth),
            )
            for depth in depths
        }
    if negotiation.format == "json":
        return _json(request, documents.dggs_json(cell, by_depth, names, negotiation))
    measures_by_cell = {
        cell_found: measures
        for zones in by_depth.values()
        for cell_found, measures in zones.items()
    }
    if negotiation.format == "txt":
        return _bytes(
            request,
            "".join(f"{cell_text(cell_found)}\n" for cell_found in measures_by_cell).encode(),
            "text/plain",
        )
    return _json(request, documents.features(measures_by_cell), documents.GEOJSON)


def _negotiate_geojson(request: Request, formats: tuple[str, ...]) -> Negotiation:
    """Here GeoJSON is another form than JSON, also where the client names media types."""
    negotiation = negotiate(request, formats)
    wanted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip()
    if "f" not in request.query_params and wanted == documents.GEOJSON:
        return replace(negotiation, format="geojson")
    return negotiation


def _zone_list(request: Request, negotiation: Negotiation, path: str, zones: Zones) -> Response:
    """Page of zones, with a link to the next ones; in each form."""
    given = request.query_params
    cells = np.fromiter(zones, dtype=np.int64, count=len(zones))
    compact = given.get("compact-zones") is None or flag_of("compact-zones", given["compact-zones"])
    shown = (compacted(cells) if compact else cells).tolist()
    limit = limit_of(given.get("limit", str(MOST_ZONES)), MOST_ZONES)
    first = whole_of("offset", given.get("offset"), 0)
    page = shown[first : first + limit]
    if negotiation.format == "binary":
        return _bytes(request, documents.zone_bytes(page), documents.BINARY)
    if negotiation.format == "geojson":
        page_zones = {cell: zones.get(cell, {}) for cell in page}
        return _json(request, documents.features(page_zones), documents.GEOJSON)
    whole = len(page) == len(shown)
    area = float(areas_km2(cells).sum()) if whole else None
    following = None
    if first + len(page) < len(shown) and page:
        following = with_parameters(negotiation, given, offset=str(first + limit)).removeprefix(
            negotiation.base
        )
    return _json(request, documents.zone_list(path, page, area, following, negotiation))


def _json(request: Request, document: dict[str, Any], media: str = documents.JSON) -> Response:
    return _bytes(request, orjson.dumps(document), media)


def _bytes(request: Request, body: bytes, media: str) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    unchanged = not_modified(request, etag)
    return unchanged or Response(body, headers=headers, media_type=media)
