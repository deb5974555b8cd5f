"""OGC API Tiles: the grid, the tilesets of a collection and of the whole dataset, their tiles."""

from collections.abc import Mapping, Sequence
from typing import Any

from anyio.to_thread import run_sync
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy import Connection

from api.conditional import conditional_json
from api.dependencies import Caller, LayersInForce, Reader, UsedLayers
from api.ogc import tilesets
from api.ogc.negotiation import Negotiation, negotiate, only_known
from api.ogc.pygeoapi_core import TITLE
from api.ogc.service import Collection, collection_of, facts_of, service_of
from api.ogc.tilesets import GRID, Box
from api.routes.tiles import PARAMETERS
from api.tile_responses import UsedResponder, tile_response
from gis.database.engine import Database
from gis.errors import BadInput, NotFound
from layers.definition.model import GeometryKind, Layer
from layers.items import ItemSource
from tiles.cache import PackedTile
from tiles.grid import Tile
from tiles.mvt import known_source_of

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
def dataset(request: Request, connection: Reader, layers: UsedLayers, caller: Caller) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    tiled = _tiled_of(layers.catalogue.readable(caller))
    sources, box = _described(request, connection, layers, tiled)
    document = tilesets.tilesets(TITLE[negotiation.language], "/tiles", sources, box, negotiation)
    return conditional_json(request, document)


@router.get(f"/tiles/{GRID}")
def dataset_tileset(
    request: Request, connection: Reader, layers: UsedLayers, caller: Caller
) -> Response:
    """The tileset whose tiles hold several collections: all, or those that are named."""
    only_known(request, ("collections",))
    negotiation = negotiate(request, _FORMATS)
    chosen = _chosen(request, layers.catalogue.readable(caller))
    sources, box = _described(request, connection, layers, chosen)
    if negotiation.format == "tilejson":
        named = ",".join(source.layer.id for source in sources)
        template = f"{_template(negotiation, '/tiles')}&collections={named}"
        return _tilejson(
            request, tilesets.tilejson(TITLE[negotiation.language], sources, template, box)
        )
    document = tilesets.dataset_tileset(TITLE[negotiation.language], sources, box, negotiation)
    return conditional_json(request, document)


@router.get(f"/tiles/{GRID}/{{z}}/{{y}}/{{x}}")
async def dataset_tile(
    z: int, y: int, x: int, request: Request, tiles: UsedResponder, caller: Caller
) -> Response:
    """One tile with a source layer for each collection. Those without a time ignore `datetime`."""
    layers = await tiles.in_force()
    only_known(request, ("collections", "datetime"))
    negotiate(request, ("mvt",))
    tile, given = Tile(z, x, y), request.query_params
    parts, chosen = [], _chosen(request, layers.catalogue.readable(caller))
    for layer in chosen:
        timed = layer.source.time is not None and "datetime" in given
        parameters = {"datetime": given["datetime"]} if timed else {}
        parts.append(await tiles.tile(layer, tile, caller, parameters, layers.states))
    if parts and all(part.beyond for part in parts):
        await run_sync(_require_limits, request, layers, chosen, tile)
    cache = tiles.server.cache
    packed = await run_sync(lambda: PackedTile.of(b"".join(map(cache.content, parts))))
    return tile_response(request, packed, cache)


def _require_limits(
    request: Request, layers: LayersInForce, chosen: Sequence[Layer], tile: Tile
) -> None:
    """Raises NotFound for a tile beyond the limits of a tileset of several collections."""
    database: Database = request.app.state.database
    with database.reading() as connection:
        sources, box = _described(request, connection, layers, chosen)
    if not tilesets.holds(sources, box, tile):
        raise NotFound(
            f"there is no tile {tile.z}/{tile.x}/{tile.y} of these collections: "
            f"/ogc/tiles/{GRID} tells its tileMatrixSetLimits"
        )


@router.get("/collections/{layer_id}/tiles")
def collection(layer_id: str, request: Request, connection: Reader, caller: Caller) -> Response:
    only_known(request)
    negotiation = negotiate(request, ("json",))
    tiled = collection_of(request, layer_id, caller)
    _require_tiles(tiled.layer)
    title, root = getattr(tiled.layer.title, negotiation.language), f"/collections/{layer_id}/tiles"
    box = facts_of(request, connection, tiled).bbox
    return conditional_json(
        request, tilesets.tilesets(title, root, [tiled.source], box, negotiation)
    )


@router.get(f"/collections/{{layer_id}}/tiles/{GRID}")
def collection_tileset(
    layer_id: str, request: Request, connection: Reader, caller: Caller
) -> Response:
    only_known(request)
    negotiation = negotiate(request, _FORMATS)
    tiled = collection_of(request, layer_id, caller)
    _require_tiles(tiled.layer)
    box = facts_of(request, connection, tiled).bbox
    if negotiation.format == "tilejson":
        template = _template(negotiation, f"/collections/{layer_id}/tiles")
        title = getattr(tiled.layer.title, negotiation.language)
        return _tilejson(request, tilesets.tilejson(title, [tiled.source], template, box))
    return conditional_json(request, tilesets.collection_tileset(tiled.source, box, negotiation))


@router.get(f"/collections/{{layer_id}}/tiles/{GRID}/{{z}}/{{y}}/{{x}}")
async def collection_tile(
    layer_id: str, z: int, y: int, x: int, request: Request, tiles: UsedResponder
) -> Response:
    """A tile of one collection; `filter`, `datetime`, `fields` mean what they do on items."""

    def parameters(layer: Layer) -> Mapping[str, str]:
        _require_tiles(layer)
        only_known(request, (*PARAMETERS, *known_source_of(layer).by_name))
        negotiate(request, ("mvt",))
        return {name: value for name, value in request.query_params.items() if name != "f"}

    return await tiles.respond(request, layer_id, Tile(z, x, y), parameters)


def _require_tiles(layer: Layer) -> None:
    if layer.tiles is None or layer.geometry is GeometryKind.NONE:
        raise NotFound(f"the layer {layer.id} has no tiles")


def _chosen(request: Request, readable: list[Layer]) -> list[Layer]:
    """The collections that `collections=` names, in its order; all that have tiles without it."""
    tiled = {layer.id: layer for layer in _tiled_of(readable)}
    names_given = request.query_params.get("collections")
    if names_given is None:
        return list(tiled.values())
    names = list(dict.fromkeys(name for name in names_given.split(",") if name))
    wrong = [name for name in names if name not in tiled]
    if wrong or not names:
        known = ", ".join(tiled)
        raise BadInput(f"collections={names_given!r}: name some of {known}, separated by commas")
    return [tiled[name] for name in names]


def _tiled_of(layers: Sequence[Layer]) -> list[Layer]:
    return [layer for layer in layers if layer.tiles and layer.geometry != GeometryKind.NONE]


def _described(
    request: Request, connection: Connection, layers: LayersInForce, chosen: Sequence[Layer]
) -> tuple[list[ItemSource], Box | None]:
    """Chosen layers that are published, and the box of all their rows."""
    catalogue, states = layers
    service = service_of(request)
    collections = [
        Collection(service.source(catalogue, layer), states[layer.id])
        for layer in chosen
        if layer.id in states
    ]
    box = _union([facts_of(request, connection, each).bbox for each in collections])
    return [each.source for each in collections], box


def _template(negotiation: Negotiation, root: str) -> str:
    return f"{negotiation.base}{root}/{GRID}/{{z}}/{{y}}/{{x}}?f=mvt"


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
