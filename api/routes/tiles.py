"""Vector tiles of features, as XYZ and TileJSON."""

import re
from collections.abc import Mapping
from contextlib import nullcontext
from functools import lru_cache
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from api.conditional import conditional_json
from api.dependencies import Caller, Reader, UsedCatalogue, UsedSettings
from api.links import public_url
from api.ogc import tilesets
from api.ogc.negotiation import only_known
from api.ogc.parameters import names_of, query_of
from api.ogc.service import collection_of, facts_of, service_of
from gis.access import Principal
from gis.errors import NotFound
from layers.definition.model import Layer
from layers.items import Query, source_of
from layers.items.value_errors import computed
from tiles.cache import PackedTile
from tiles.grid import Tile
from tiles.serving import TileServer

router = APIRouter(tags=["tiles"])

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
READ = ["GET", "HEAD"]
PARAMETERS = ("datetime", "filter", "filter-lang", "filter-crs", "fields")


def _server(request: Request) -> TileServer:
    return request.app.state.tiles  # type: ignore[no-any-return]


UsedTiles = Annotated[TileServer, Depends(_server)]


@router.get("/tiles/{layer_id}/{z}/{x}/{y}.mvt")
@router.head("/tiles/{layer_id}/{z}/{x}/{y}.mvt", include_in_schema=False)
@router.api_route("/tiles/{layer_id}/{z}/{x}/{y}.pbf", methods=READ, include_in_schema=False)
def features(
    layer_id: str,
    z: int,
    x: int,
    y: int,
    request: Request,
    server: UsedTiles,
    catalogue: UsedCatalogue,
    caller: Caller,
) -> Response:
    """A tile of a layer's features; `filter`, `datetime`, `fields` mean what they do on items."""
    layer = catalogue.get_readable(layer_id, caller)
    only_known(request, (*PARAMETERS, *service_of(request).source(catalogue, layer).by_name))
    asked = dict(request.query_params)
    tile = Tile(z, x, y)
    made = feature_tile(request, server, layer, tile, caller, asked)
    return tile_answer(request, within_limits(layer, tile, made))


@router.get("/tiles/{layer_id}/tilejson.json")
def tilejson(
    layer_id: str, request: Request, connection: Reader, settings: UsedSettings, caller: Caller
) -> Response:
    """TileJSON 3.0 of a layer's features."""
    found = collection_of(request, connection, layer_id, caller)
    if found.layer.tiles is None or found.source.geometry is None:
        raise NotFound(f"the layer {layer_id} has no tiles")
    address = f"{public_url(request, settings)}/tiles/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"
    box = facts_of(request, connection, found).bbox
    title, description = found.layer.title.vi, found.layer.description.vi
    document = tilesets.tilejson(title, [found.source], address, box)
    return conditional_json(request, {**document, "description": description})


def feature_tile(
    request: Request,
    server: TileServer,
    layer: Layer,
    tile: Tile,
    caller: Principal,
    asked: Mapping[str, str],
) -> PackedTile:
    """A tile of a layer's features, by parameters that are known ones."""

    def read() -> tuple[Query, tuple[str, ...] | None]:
        if not asked:
            return Query(), None
        source = source_of(layer)
        return query_of(asked, source), names_of(asked.get("fields"))

    states = getattr(
        request.state, "tile_states", {}
    )  # read by api.tile_fast_path for this request
    # Without parameters, what cannot be computed is no fault of the client.
    with computed() if asked else nullcontext():
        return server.features(layer, tile, caller, asked, read, states.get(layer.id))


def within_limits(layer: Layer, tile: Tile, made: PackedTile) -> PackedTile:
    """Raises NotFound for a tile beyond the limits of its tileset (Tiles core, tc-error)."""
    if made.beyond and layer.tiles is not None:
        raise NotFound(
            f"{layer.id} has no tile {tile.z}/{tile.x}/{tile.y}: its zooms are "
            f"{layer.tiles.min_zoom} to {layer.tiles.max_zoom}, and its tiles those of its data "
            f"(tileMatrixSetLimits in /ogc/collections/{layer.id}/tiles/WebMercatorQuad)"
        )
    return made


def tile_answer(request: Request, tile: PackedTile) -> Response:
    """Compressed as it is kept where the client reads that; 304 when it has the tile."""
    packed = tile.gzipped and reads_gzip(request.headers.get("accept-encoding", ""))
    headers = {
        "ETag": f'"{tile.digest}-gzip"' if packed else f'"{tile.digest}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
        return Response(tile.body, media_type=MEDIA_TYPE, headers=headers)
    content = _server(request).cache.content(tile)
    return Response(content, media_type=MEDIA_TYPE, headers=headers)


@lru_cache(maxsize=64)  # browsers have few ways of saying it
def reads_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, str] = dict(_CODING.findall(accepted.lower()))
    weight = weights.get("gzip", weights.get("*", "0"))
    return weight == "" or float(weight) > 0


_CODING = re.compile(r"([a-z0-9*_-]+)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?")
