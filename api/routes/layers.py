"""The catalogue of layers, and the schema of a layer file for editors."""

from typing import Any

from fastapi import APIRouter

from api.dependencies import Caller, DeclaredParameters, UsedCatalogue
from layers.definition.model import Layer
from layers.definition.reference import layer_schema as schema_of_layer_file
from tiles.hexes import with_hexes

router = APIRouter(tags=["layers"], dependencies=[DeclaredParameters])


@router.get("/layers")
def layers(catalogue: UsedCatalogue, caller: Caller) -> dict[str, Any]:
    """The layers that the caller may see something of, with what a client needs to show it.

    Of a layer whose counts by hex alone are open, only these are listed.
    """
    readable = catalogue.readable(caller)
    counted = with_hexes(caller, catalogue.layers)
    return {
        "layers": [
            summary(layer, records=layer in readable, hexes=layer in counted)
            for layer in catalogue.layers
            if layer in readable or layer in counted
        ]
    }


@router.get("/schemas/layer.json")
def layer_schema() -> dict[str, Any]:
    """JSON Schema of a layer file."""
    return schema_of_layer_file()


def summary(layer: Layer, *, records: bool, hexes: bool) -> dict[str, Any]:
    """Layers for a map client: those whose records, or whose counts by hex, the caller may see."""
    return {
        "id": layer.id,
        "title": layer.title.model_dump(),
        "description": layer.description.model_dump(),
        "department": layer.department.model_dump(),
        "licence": layer.licence,
        "attribution": layer.attribution,
        "geometry": layer.geometry,
        "has_tiles": records and layer.tiles is not None,
        "has_hexes": hexes,
        "has_series": records and layer.series is not None,
        "fields": {
            name: {
                "label": field.label.model_dump(),
                "type": field.type,
                "unit": field.unit,
                "values": {
                    value: words.model_dump() for value, words in (field.values or {}).items()
                },
            }
            for name, field in layer.public_fields.items()
            if records
        },
    }
