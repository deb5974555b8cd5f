"""Routes of OGC API - DGGS: the grid, its zones, and how many records they hold."""

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
    """What a route needs to say which zones of whom, at the root or of a collection."""

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
        """What the parameters ask of the layers; at the root, of those that can answer it."""
        if self.layer is not None:
            return Origin(self.path, (self._asked(self.layer, given),))
        if "category" in given:
            raise BadInput("a category is of one collection: ask at /collections/{id}/dggs")
        layers = with_hexes(self.caller, self.catalogue.layers)
        timed = {name: given[name] for name in given if name == "datetime"}
        return Origin(
            "", tuple(self._asked(one, timed if one.source.time else {}) for one in layers)
        )

    def _asked(self, layer: Layer, given: Mapping[str, str]) -> HexRequest:
        question = hex_query(layer, given.get("category"), given.get("datetime"), widened=True)
        return HexRequest.by(self.caller, layer, question, self.settings.k_anonymity)


Service = Annotated[_Service, Depends()]


@router.get("/dggs")
@router.get("/collections/{layer_id}/dggs")
def grids(request: Request, service: Service) -> Response:
    only_known(request)
    how = negotiate(request, ("json",))
    return _json(request, documents.dggrs_list(service.path, how))


@router.get(f"/dggs/{GRID}/definition")
def definition(request: Request) -> Response:
    only_known(request)
    return _json(request, documents.definition(negotiate(request, ("json",))))


@router.get(f"/dggs/{GRID}")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}")
def grid(request: Request, service: Service) -> Response:
    only_known(request)
    how = negotiate(request, ("json",))
    return _json(request, documents.dggrs(service.path, service.origin({}).finest, how))


@router.get(f"/dggs/{GRID}/zones")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}/zones")
def zones(request: Request, service: Service) -> Response:
    """Zones that have records, by box, parent, time and CQL2 filter; compact unless told not."""
    only_known(request, ZONES)
    how = _asking(request, ("json", "geojson", "binary"))
    given = with_subset(request.query_params)
    origin = service.origin(given)
    level = whole_of("zone-level", given.get("zone-level"), origin.finest)
    with service.database.snapshot() as connection:

        def properties() -> dict[str, Property]:
            return zone_properties(origin.measures(stored_population(connection)))

        holds = filter_of(given, properties)
        found = zones_with_records(connection, service.answers, origin, level, area_of(given))
        if holds is not None:
            found = filtered(connection, found, holds)
    return _zone_list(request, how, service.path, found)


@router.get(f"/dggs/{GRID}/zones/{{zone}}")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}/zones/{{zone}}")
def zone(zone: str, request: Request, service: Service) -> Response:
    """Where a zone is, its parent, children and neighbours."""
    only_known(request)
    how = negotiate(request, ("json",))
    cell = zone_of(zone)
    counted = COARSEST <= resolution_of(cell) <= FINEST
    return _json(request, documents.zone(service.path, cell, counted, how))


@router.get(f"/dggs/{GRID}/zones/{{zone}}/data")
@router.get(f"/collections/{{layer_id}}/dggs/{GRID}/zones/{{zone}}/data")
def data(zone: str, request: Request, service: Service) -> Response:
    """The measures of a zone, or of its sub-zones of the depths asked for."""
    only_known(request, DATA)
    how = _asking(request, ("json", "geojson", "txt"))
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
    if how.format == "json":
        return _json(request, documents.dggs_json(cell, by_depth, names, how))
    found = {one: measures for zones in by_depth.values() for one, measures in zones.items()}
    if how.format == "txt":
        return _bytes(
            request, "".join(f"{cell_text(one)}\n" for one in found).encode(), "text/plain"
        )
    return _json(request, documents.features(found), documents.GEOJSON)


def _asking(request: Request, formats: tuple[str, ...]) -> Negotiation:
    """Here GeoJSON is another form than JSON, also where the client names media types."""
    how = negotiate(request, formats)
    wanted = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip()
    if "f" not in request.query_params and wanted == documents.GEOJSON:
        return replace(how, format="geojson")
    return how


def _zone_list(request: Request, how: Negotiation, path: str, found: Zones) -> Response:
    """As many as are asked for, with a link to the next ones; in each form."""
    given = request.query_params
    cells = np.fromiter(found, dtype=np.int64, count=len(found))
    compact = given.get("compact-zones") is None or flag_of("compact-zones", given["compact-zones"])
    shown = (compacted(cells) if compact else cells).tolist()
    limit = limit_of(given.get("limit", str(MOST_ZONES)), MOST_ZONES)
    first = whole_of("offset", given.get("offset"), 0)
    page = shown[first : first + limit]
    if how.format == "binary":
        return _bytes(request, documents.zone_bytes(page), documents.BINARY)
    if how.format == "geojson":
        told = {cell: found.get(cell, {}) for cell in page}
        return _json(request, documents.features(told), documents.GEOJSON)
    whole = len(page) == len(shown)
    area = float(areas_km2(cells).sum()) if whole else None
    following = None
    if first + len(page) < len(shown) and page:
        following = with_parameters(how, given, offset=str(first + limit)).removeprefix(how.base)
    return _json(request, documents.zone_list(path, page, area, following, how))


def _json(request: Request, document: dict[str, Any], media: str = documents.JSON) -> Response:
    return _bytes(request, orjson.dumps(document), media)


def _bytes(request: Request, body: bytes, media: str) -> Response:
    etag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
    headers = {"ETag": etag, "Cache-Control": "no-cache"}
    same = not_modified(request, etag)
    return same or Response(body, headers=headers, media_type=media)
