"""OGC API Tiles: the grid, the tilesets of a collection and of the whole dataset, their tiles."""

from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from api.conditional import conditional_json
from api.dependencies import Caller, Reader, UsedCatalogue
from api.ogc import tilesets
from api.ogc.collection_stats import states_of
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.pygeoapi_core import TITLE
from api.ogc.service import Collection, collection_of, facts_of, service_of
from api.ogc.tilesets import GRID, Box
from api.routes.tiles import PARAMETERS, UsedTiles, feature_tile, tile_answer, within_limits
from gis.database.engine import Database
from gis.errors import BadInput, NotFound
from layers.definition.catalogue import Catalogue
from layers.definition.model import GeometryKind, Layer
from layers.items import ItemSource
from tiles.cache import PackedTile
from tiles.grid import Tile

router = APIRouter(prefix="/ogc", include_in_schema=False)
_FORMATS = ("json", "tilejson")


@router.get("/tileMatrixSets")
def grids(request: Request) -> Response:
    only_known(request)
    return conditional_json(request, tilesets.tile_matrix_sets(negotiate(request, ("json",))))


@router.get(f"/tileMatrixSets/{GRID}")
def grid(request: Request) -> Response:
    only_known(request)
    negotiate(request, ("json",))
    return conditional_json(request, tilesets.tile_matrix_set())


@router.get("/tiles")
def dataset(
    request: Request, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    only_known(request)
    how = negotiate(request, ("json",))
    tiled = _tiled_of(catalogue.readable(caller))
    sources, box = _described(request, connection, catalogue, tiled)
    document = tilesets.tilesets(TITLE[how.language], "/tiles", sources, box, how)
    return conditional_json(request, document)


@router.get(f"/tiles/{GRID}")
def dataset_tileset(
    request: Request, connection: Reader, catalogue: UsedCatalogue, caller: Caller
) -> Response:
    """The tileset whose tiles hold several collections: all, or those that are named."""
    only_known(request, ("collections",))
    how = negotiate(request, _FORMATS)
    chosen = _chosen(request, catalogue.readable(caller))
    sources, box = _described(request, connection, catalogue, chosen)
    if how.format == "tilejson":
        named = ",".join(one.layer.id for one in sources)
        template = f"{_template(how, '/tiles')}&collections={named}"
        return _tilejson(request, tilesets.tilejson(TITLE[how.language], sources, template, box))
    document = tilesets.dataset_tileset(TITLE[how.language], sources, box, how)
    return conditional_json(request, document)


@router.get(f"/tiles/{GRID}/{{z}}/{{y}}/{{x}}")
@router.head(f"/tiles/{GRID}/{{z}}/{{y}}/{{x}}", include_in_schema=False)
def dataset_tile(
    z: int,
    y: int,
    x: int,
    request: Request,
    server: UsedTiles,
    catalogue: UsedCatalogue,
    caller: Caller,
) -> Response:
    """One tile with a source layer for each collection. Those without a time ignore `datetime`."""
    only_known(request, ("collections", "datetime"))
    negotiate(request, ("mvt",))
    tile, given = Tile(z, x, y), request.query_params
    parts, layers = [], _chosen(request, catalogue.readable(caller))
    for layer in layers:
        timed = layer.source.time is not None and "datetime" in given
        asked: Mapping[str, str] = {"datetime": given["datetime"]} if timed else {}
        parts.append(feature_tile(request, server, layer, tile, caller, asked))
    if parts and all(part.beyond for part in parts):
        _require_limits(request, catalogue, layers, tile)
    return tile_answer(request, PackedTile.of(b"".join(map(server.cache.content, parts))))


def _require_limits(
    request: Request, catalogue: Catalogue, layers: Sequence[Layer], tile: Tile
) -> None:
    """Raises NotFound for a tile beyond the limits of a tileset of several collections."""
    database: Database = request.app.state.database
    with database.reading() as connection:
        sources, box = _described(request, connection, catalogue, layers)
    if not tilesets.holds(sources, box, tile):
        raise NotFound(
            f"there is no tile {tile.z}/{tile.x}/{tile.y} of these collections: "
            f"/ogc/tiles/{GRID} tells its tileMatrixSetLimits"
        )


@router.get("/collections/{layer_id}/tiles")
def collection(layer_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    only_known(request)
    how = negotiate(request, ("json",))
    found = _tiled(collection_of(request, connection, layer_id, caller))
    title, root = getattr(found.layer.title, how.language), f"/collections/{layer_id}/tiles"
    box = facts_of(request, connection, found).bbox
    return conditional_json(request, tilesets.tilesets(title, root, [found.source], box, how))


@router.get(f"/collections/{{layer_id}}/tiles/{GRID}")
def collection_tileset(
    layer_id: str, request: Request, connection: Reader, caller: Caller
) -> Response:
    only_known(request)
    how = negotiate(request, _FORMATS)
    found = _tiled(collection_of(request, connection, layer_id, caller))
    box = facts_of(request, connection, found).bbox
    if how.format == "tilejson":
        template = _template(how, f"/collections/{layer_id}/tiles")
        title = getattr(found.layer.title, how.language)
        return _tilejson(request, tilesets.tilejson(title, [found.source], template, box))
    return conditional_json(request, tilesets.collection_tileset(found.source, box, how))


@router.get(f"/collections/{{layer_id}}/tiles/{GRID}/{{z}}/{{y}}/{{x}}")
@router.head(f"/collections/{{layer_id}}/tiles/{GRID}/{{z}}/{{y}}/{{x}}", include_in_schema=False)
def collection_tile(
    layer_id: str,
    z: int,
    y: int,
    x: int,
    request: Request,
    connection: Reader,
    server: UsedTiles,
    caller: Caller,
) -> Response:
    """A tile of one collection; `filter`, `datetime`, `fields` mean what they do on items."""
    found = _tiled(collection_of(request, connection, layer_id, caller))
    only_known(request, (*PARAMETERS, *found.source.by_name))
    negotiate(request, ("mvt",))
    asked = {name: value for name, value in request.query_params.items() if name != "f"}
    tile = Tile(z, x, y)
    made = feature_tile(request, server, found.layer, tile, caller, asked)
    return tile_answer(request, within_limits(found.layer, tile, made))


def _tiled(found: Collection) -> Collection:
    if found.layer.tiles is None or found.layer.geometry is GeometryKind.NONE:
        raise NotFound(f"the layer {found.layer.id} has no tiles")
    return found


def _chosen(request: Request, readable: list[Layer]) -> list[Layer]:
    """The collections that `collections=` names, in its order; all that have tiles without it."""
    tiled = {one.id: one for one in _tiled_of(readable)}
    asked = request.query_params.get("collections")
    if asked is None:
        return list(tiled.values())
    names = list(dict.fromkeys(name for name in asked.split(",") if name))
    wrong = [name for name in names if name not in tiled]
    if wrong or not names:
        known = ", ".join(tiled)
        raise BadInput(f"collections={asked!r}: name some of {known}, separated by commas")
    return [tiled[name] for name in names]


def _tiled_of(layers: Sequence[Layer]) -> list[Layer]:
    return [one for one in layers if one.tiles and one.geometry != GeometryKind.NONE]


def _described(
    request: Request, connection: Connection, catalogue: Catalogue, layers: Sequence[Layer]
) -> tuple[list[ItemSource], Box | None]:
    """Those of the layers that are published, and the box of all their rows."""
    states, service = states_of(connection), service_of(request)
    found = [
        Collection(service.source(catalogue, one), states[one.id])
        for one in layers
        if one.id in states
    ]
    box = _union([facts_of(request, connection, one).bbox for one in found])
    return [one.source for one in found], box


def _template(how: Negotiation, root: str) -> str:
    return f"{how.base}{root}/{GRID}/{{z}}/{{y}}/{{x}}?f=mvt"


def _tilejson(request: Request, document: dict[str, Any]) -> Response:
    answer = conditional_json(request, document)
    if isinstance(answer, JSONResponse):
        answer.headers["Content-Type"] = tilesets.TILEJSON
    return answer


def _union(boxes: list[Box | None]) -> Box | None:
    known = [box for box in boxes if box is not None]
    if not known:
        return None
    west, south, east, north = zip(*known, strict=True)
    return min(west), min(south), max(east), max(north)
