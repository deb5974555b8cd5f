"""Vector tiles of features, as XYZ and TileJSON."""

from collections.abc import Mapping

from fastapi import APIRouter, Request, Response

from api.conditional import conditional_json
from api.dependencies import Caller, Reader, UsedSettings
from api.links import public_url
from api.ogc import tilesets
from api.ogc.negotiation import only_known
from api.ogc.service import collection_of, facts_of
from api.tile_responses import UsedResponder
from gis.errors import NotFound
from layers.definition.model import Layer
from tiles.grid import Tile
from tiles.mvt import known_source_of

router = APIRouter(tags=["tiles"])

PARAMETERS = ("datetime", "filter", "filter-lang", "filter-crs", "fields")


@router.get("/tiles/{layer_id}/{z}/{x}/{y}.mvt")
@router.get("/tiles/{layer_id}/{z}/{x}/{y}.pbf", include_in_schema=False)
async def features(
    layer_id: str, z: int, x: int, y: int, request: Request, tiles: UsedResponder
) -> Response:
    """A tile of a layer's features; `filter`, `datetime`, `fields` mean what they do on items."""

    def parameters(layer: Layer) -> Mapping[str, str]:
        only_known(request, (*PARAMETERS, *known_source_of(layer).by_name))
        return request.query_params

    return await tiles.respond(request, layer_id, Tile(z, x, y), parameters)


@router.get("/tiles/{layer_id}/tilejson.json")
def tilejson(
    layer_id: str, request: Request, connection: Reader, settings: UsedSettings, caller: Caller
) -> Response:
    """TileJSON 3.0 of a layer's features."""
    collection = collection_of(request, layer_id, caller)
    layer, source = collection.layer, collection.source
    if layer.tiles is None or source.geometry is None:
        raise NotFound(f"the layer {layer_id} has no tiles")
    template = f"{public_url(request, settings)}/tiles/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"
    box = facts_of(request, connection, collection).bbox
    document = tilesets.tilejson(layer.title.vi, [source], template, box)
    return conditional_json(request, {**document, "description": layer.description.vi})
