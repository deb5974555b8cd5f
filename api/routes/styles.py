"""Styles and legends, both from the one classification of a layer file."""

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from api.dependencies import Caller, UsedCatalogue, UsedSettings
from api.links import public_url
from api.routes.tiles import readable
from gis.errors import NotFound
from layers.legend import Language, hex_legend, legend
from layers.style import hex_style, hex_style_document, map_style, style_document

router = APIRouter(tags=["styles"])

Lang = Annotated[Language, Query(description="Language of the words")]


@router.get("/styles/map.json")
def map_document(
    request: Request, catalogue: UsedCatalogue, settings: UsedSettings, caller: Caller
) -> dict[str, Any]:
    """One MapLibre style with every layer that the caller may read: areas, hexes, lines, points."""
    base = public_url(request, settings)
    parts = []
    for layer in catalogue.readable(caller):
        if layer.hexes is not None:
            template = _hexes(base, layer.id)
            parts += hex_style(layer, template, settings.k_anonymity)
        if layer.tiles is not None:
            parts += map_style(layer, _tiles(base, layer.id))
    sources = {part["source"]: part["metadata"]["gis:source"] for part in parts}
    order = ["fill", "line", "circle", "symbol"]
    plain = [{key: part[key] for key in part if key != "metadata"} for part in parts]
    plain.sort(key=lambda part: order.index(part["type"]))
    return {"version": 8, "name": "GIS", "sources": sources, "layers": plain}


@router.get("/styles/{layer_id}.json")
def style(
    layer_id: str,
    request: Request,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
) -> dict[str, Any]:
    """The MapLibre style of a layer's features, also for QGIS."""
    layer = readable(catalogue, caller, layer_id)
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
    layer = readable(catalogue, caller, layer_id)
    if layer.hexes is None:
        raise NotFound(f"the layer {layer_id} has no hexes")
    template = _hexes(public_url(request, settings), layer_id)
    return hex_style_document(layer, template, settings.k_anonymity)


@router.get("/legends/{layer_id}.json")
def layer_legend(
    layer_id: str,
    catalogue: UsedCatalogue,
    settings: UsedSettings,
    caller: Caller,
    lang: Lang = "vi",
) -> dict[str, Any]:
    """What the colours and sizes of a layer mean."""
    layer = readable(catalogue, caller, layer_id)
    hexes = [] if layer.hexes is None else hex_legend(layer, lang, settings.k_anonymity)
    return {
        "features": [asdict(entry) for entry in legend(layer, lang)],
        "hexes": [asdict(entry) for entry in hexes],
    }


def _tiles(base: str, layer_id: str) -> str:
    return f"{base}/tiles/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"


def _hexes(base: str, layer_id: str) -> str:
    return f"{base}/hexes/{layer_id}/{{z}}/{{x}}/{{y}}.mvt"
