"""Vector tiles of features, as XYZ and TileJSON."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from api.dependencies import Caller, UsedCatalogue, UsedSettings
from api.links import public_url
from api.ogc.asking import only_known
from api.ogc.parameters import names_of, query_of
from api.ogc.service import service_of
from gis.access import Principal
from gis.errors import NotFound
from layers.items import Query, source_of
from layers.model import Layer
from tiles.cache import Packed
from tiles.grid import Tile
from tiles.serving import TileServer

router = APIRouter(tags=["tiles"])

MEDIA_TYPE = "application/vnd.mapbox-vector-tile"
PARAMETERS = ("datetime", "filter", "filter-lang", "filter-crs", "fields")


def _server(request: Request) -> TileServer:
    return request.app.state.tiles  # type: ignore[no-any-return]


UsedTiles = Annotated[TileServer, Depends(_server)]


@router.get("/tiles/{layer_id}/{z}/{x}/{y}.mvt")
@router.head("/tiles/{layer_id}/{z}/{x}/{y}.mvt", include_in_schema=False)
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
    return tile_answer(request, feature_tile(request, server, layer, Tile(z, x, y), caller, asked))


@router.get("/tiles/{layer_id}/tilejson.json")
def tilejson(
    layer_id: str,
    request: Request,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """TileJSON 3.0 of a layer's features."""
    layer = catalogue.get_readable(layer_id, caller)
    if layer.tiles is None:
        raise NotFound(f"the layer {layer_id} has no tiles")
    address = f"{public_url(request, settings)}/tiles/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"
    fields = {name: one.label.vi for name, one in layer.public_fields.items()}
    return {
        "tilejson": "3.0.0",
        "name": layer.title.vi,
        "description": layer.description.vi,
        "attribution": layer.attribution or "",
        "tiles": [address],
        "minzoom": layer.tiles.min_zoom,
        "maxzoom": layer.tiles.max_zoom,
        "vector_layers": [{"id": layer.id, "fields": fields}],
    }


def feature_tile(
    request: Request,
    server: TileServer,
    layer: Layer,
    tile: Tile,
    caller: Principal,
    asked: Mapping[str, str],
) -> Packed:
    """A tile of a layer's features, by parameters that are known ones."""

    def read() -> tuple[Query, tuple[str, ...] | None]:
        if not asked:
            return Query(), None
        source = source_of(layer)
        return query_of(asked, source), names_of(asked.get("fields"))

    states = getattr(request.state, "tile_states", {})  # read by api.warm for this request
    return server.features(layer, tile, caller, asked, read, states.get(layer.id))


def tile_answer(request: Request, tile: Packed) -> Response:
    """Compressed as it is kept where the client reads that; 304 when it has the tile."""
    packed = tile.gzipped and reads_gzip(request.headers.get("accept-encoding", ""))
    headers = {
        "ETag": f'"{tile.digest}-gzip"' if packed else f'"{tile.digest}"',
        "Cache-Control": "no-cache",
        "Vary": "Accept-Encoding, X-API-Key, Authorization",
    }
    if headers["ETag"] in request.headers.get("if-none-match", ""):
        return Response(status_code=304, headers=headers)
    if packed:
        headers["Content-Encoding"] = "gzip"
    return Response(tile.body if packed else tile.content, media_type=MEDIA_TYPE, headers=headers)


@lru_cache(maxsize=64)  # browsers have few ways of saying it
def reads_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding allows gzip (RFC 9110, 12.5.3)."""
    weights: dict[str, str] = dict(_CODING.findall(accepted.lower()))
    weight = weights.get("gzip", weights.get("*", "0"))
    return weight == "" or float(weight) > 0


_CODING = re.compile(r"([a-z0-9*_-]+)(?:\s*;\s*q=([01](?:\.\d{0,3})?))?")
