"""Styles and legends, both from the one classification of a layer file."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from api.dependencies import Caller, UsedCatalogue, UsedSettings
from api.links import public_url
from api.results import layer_of
from gis.access import Principal
from gis.errors import NotFound
from gis.settings import Settings
from layers.definition.model import Layer
from layers.style.legend import Language, hex_legend, legend
from layers.style.maplibre import hex_style, hex_style_document, map_style, style_document, style_of
from tiles.hexes import hex_options, hexed, least_count, may_read_hexes, with_hexes

router = APIRouter(tags=["styles"])

Lang = Annotated[Language, Query(description="Language of the words")]


@router.get("/styles/map.json")
def map_document(
    request: Request, catalogue: UsedCatalogue, settings: UsedSettings, caller: Caller
) -> dict[str, Any]:
    """One MapLibre style with all that the caller may see: areas, hexes, lines, points."""
    base = public_url(request, settings)
    readable = {layer.id for layer in catalogue.readable(caller)}
    parts = []
    for layer in catalogue.layers:
        if may_read_hexes(caller, layer):
            seen = _as_seen(layer, caller, settings)
            parts += hex_style(seen, _hexes(base, layer.id))
        if layer.id in readable and layer.tiles is not None:
            parts += map_style(layer, _tiles(base, layer.id))
    return style_of(parts)


@router.get("/styles/{layer_id}.json")
def style(
    layer_id: str,
    request: Request,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """The MapLibre style of a layer's features, also for QGIS."""
    layer = layer_of(request.app, layer_id, caller)
    if layer.tiles is None:
        raise NotFound(f"the layer {layer_id} has no tiles")
    return style_document(layer, _tiles(public_url(request, settings), layer_id))


@router.get("/styles/{layer_id}/hexes.json")
def hexes_style(
    layer_id: str,
    request: Request,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """The MapLibre style of a layer's counts by hex."""
    seen = _as_seen(hexed(catalogue, caller, layer_id), caller, settings)
    return hex_style_document(seen, _hexes(public_url(request, settings), layer_id))


@router.get("/legends/{layer_id}.json")
def layer_legend(
    layer_id: str,
    request: Request,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
    lang: Lang = "vi",
) -> dict[str, Any]:
    """The legend of a layer: its colours and sizes."""
    counted = next(
        (one for one in with_hexes(caller, catalogue.layers) if one.id == layer_id), None
    )
    hexes = [] if counted is None else hex_legend(_as_seen(counted, caller, settings), lang)
    closed = counted is not None and counted not in catalogue.readable(caller)
    shown = [] if closed else legend(layer_of(request.app, layer_id, caller), lang)
    return {
        "features": [asdict(entry) for entry in shown],
        "hexes": [asdict(entry) for entry in hexes],
    }


def _as_seen(layer: Layer, caller: Principal, settings: Settings) -> Layer:
    """The layer whose hexes have at least as many records as the caller is shown."""
    least = least_count(layer, caller, settings.k_anonymity)
    hexes = hex_options(layer).model_copy(update={"min_count": least})
    return layer.model_copy(update={"hexes": hexes})


def _tiles(base: str, layer_id: str) -> str:
    return f"{base}/tiles/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"


def _hexes(base: str, layer_id: str) -> str:
    return f"{base}/hexes/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"
